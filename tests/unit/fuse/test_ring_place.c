/* Where a ring's thread runs: which of two places is chosen, and when it is left. */
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include "ring_place_priv.h"
#include "unit.h"

static struct riad_ring_place place;
static uint64_t now_us, waited_us;
static unsigned asked;

static void set_up(enum riad_place chosen)
{
    place = (struct riad_ring_place){ .chosen = chosen, .waits_fd = -1 };
    now_us = 5000000;
    waited_us = 777;
    asked = 0;
}

static int beside(void **state)
{
    (void)state;
    set_up(RIAD_PLACE_BESIDE);
    return 0;
}

static int across(void **state)
{
    (void)state;
    set_up(RIAD_PLACE_ACROSS);
    return 0;
}

static uint64_t waited(const struct riad_ring_place *of)
{
    (void)of;
    asked++;
    return waited_us;
}

/* A request that comes so long after the one before. True: the thread moves. */
static bool request(uint64_t pause_us)
{
    enum riad_place before = place.at;

    now_us += pause_us;
    place.at = riad_ring_place_decide(&place, now_us, waited);
    return place.at != before;
}

/* How many requests in quick succession it takes to move, at most `most`; 0: it does not. */
static unsigned moves_after(unsigned most)
{
    for (unsigned i = 1; i <= most; i++) {
        if (request(30)) {
            return i;
        }
    }
    return 0;
}

static void many_requests_put_it_beside(void **state)
{
    (void)state;
    request(1000000);
    assert_int_equal(moves_after(1000), RIAD_PLACE_AFTER);
    assert_int_equal(place.at, RIAD_PLACE_BESIDE);
    assert_int_equal(moves_after(6400), 0);
    assert_in_range(asked, 90, 110); /* looking is not for every request */
}

static void a_pause_counts_from_the_start(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        request(RIAD_PLACE_SOON_US);
        assert_int_equal(moves_after(RIAD_PLACE_AFTER - 1), 0);
    }
}

static void waiting_for_others_ends_it_for_a_while(void **state)
{
    enum riad_place chosen = place.chosen;
    uint64_t began;

    (void)state;
    request(1000000);
    moves_after(RIAD_PLACE_AFTER);
    assert_int_equal(place.at, chosen);
    waited_us += RIAD_PLACE_WAIT_US;
    assert_true(request(RIAD_PLACE_SOON_US));
    assert_int_equal(place.at, RIAD_PLACE_ORDINARY);
    began = now_us;
    assert_true(moves_after(100000) > 0);
    assert_true(now_us - began >= RIAD_PLACE_REST_US);
    assert_int_equal(place.at, chosen);
}

/* Its clients run between two requests, and it waits for them. That is no harm. */
static void waiting_for_clients_does_not_end_it(void **state)
{
    (void)state;
    request(1000000);
    moves_after(RIAD_PLACE_AFTER);
    for (int i = 0; i < 10000; i++) {
        waited_us += 15;
        assert_false(request(i % 100 == 0 ? RIAD_PLACE_SOON_US : 30));
    }
}

/* Its clients were busy with something else; it did not wait for them. */
static void a_short_pause_changes_nothing(void **state)
{
    (void)state;
    request(1000000);
    moves_after(RIAD_PLACE_AFTER);
    waited_us += RIAD_PLACE_WAIT_US - 1;
    assert_false(request(RIAD_PLACE_REST_US - 1));
    waited_us += RIAD_PLACE_WAIT_US - 1;
    assert_false(request(RIAD_PLACE_REST_US - 1));
    assert_int_equal(place.at, place.chosen);
}

static void a_long_pause_takes_it_from_beside_without_a_rest(void **state)
{
    (void)state;
    request(1000000);
    moves_after(RIAD_PLACE_AFTER);
    assert_true(request(RIAD_PLACE_REST_US));
    assert_int_equal(place.at, RIAD_PLACE_ORDINARY);
    assert_int_equal(moves_after(1000), RIAD_PLACE_AFTER);
}

/* Else its clients would flee from it with the first requests of each burst. */
static void across_it_stays_also_when_idle(void **state)
{
    (void)state;
    assert_true(request(1000000));
    assert_int_equal(place.at, RIAD_PLACE_ACROSS);
    for (int i = 0; i < 1000; i++) {
        assert_false(request(i % 10 == 0 ? 10 * RIAD_PLACE_REST_US : 30));
    }
}

static cpu_set_t processors_of(pid_t thread)
{
    cpu_set_t set;

    assert_int_equal(sched_getaffinity(thread, sizeof set, &set), 0);
    return set;
}

static void quick_requests(struct riad_ring_place *real, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        riad_ring_place(real);
    }
}

/* The real thing, in a thread of its own, as it pins itself. */
static void *go_there_and_come_back(void *argument)
{
    const enum riad_place *chosen = argument;
    unsigned processor = (unsigned)sched_getcpu();
    struct riad_ring_place real;
    cpu_set_t all = processors_of(getpid()), set;

    riad_ring_place_init(&real, processor, *chosen);
    set = processors_of(0);
    assert_int_equal(CPU_COUNT(&set), 1);
    for (int i = 0; real.at != *chosen; i++) { /* a busy machine makes pauses of its own */
        assert_true(i < 1000000);
        riad_ring_place(&real);
    }
    set = processors_of(0);
    if (*chosen == RIAD_PLACE_ACROSS) {
        assert_int_equal(CPU_COUNT(&set), CPU_COUNT(&all) - 1);
        assert_false(CPU_ISSET(processor, &set));
    } else {
        assert_int_equal(sched_getscheduler(0), SCHED_IDLE);
    }
    real.waited_us = 0;
    real.last_us -= RIAD_PLACE_REST_US;
    real.waits_fd = -1; /* not known: it counts as a wait */
    riad_ring_place(&real);
    assert_int_equal(real.at, RIAD_PLACE_ORDINARY);
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
    set = processors_of(0);
    assert_true(CPU_COUNT(&set) == 1 && CPU_ISSET(processor, &set));
    riad_ring_place_done(&real);
    return NULL;
}

static void in_a_thread(void *(*function)(void *argument), void *argument)
{
    pthread_t thread;

    assert_int_equal(pthread_create(&thread, NULL, function, argument), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

static void the_thread_follows(void **state)
{
    enum riad_place chosen = RIAD_PLACE_BESIDE;
    cpu_set_t all = processors_of(0);

    (void)state;
    if (riad_ring_may_idle()) {
        in_a_thread(go_there_and_come_back, &chosen);
    }
    chosen = RIAD_PLACE_ACROSS;
    if (CPU_COUNT(&all) > 1) {
        in_a_thread(go_there_and_come_back, &chosen);
    }
}

static void *stay(void *argument)
{
    struct riad_ring_place real;

    (void)argument;
    riad_ring_place_init(&real, (unsigned)sched_getcpu(), RIAD_PLACE_ORDINARY);
    quick_requests(&real, 2 * RIAD_PLACE_AFTER);
    assert_int_equal(real.at, RIAD_PLACE_ORDINARY);
    riad_ring_place_done(&real);
    return NULL;
}

static void where_nothing_is_better_it_stays(void **state)
{
    (void)state;
    in_a_thread(stay, NULL);
}

static void *choose_on_one_processor(void *argument)
{
    enum riad_place *ret = argument;

    *ret = riad_ring_choose(true);
    return NULL;
}

/* Which of the two it is depends on the machine. */
static void one_is_chosen(void **state)
{
    cpu_set_t all = processors_of(0), one;
    enum riad_place with, without, narrow;

    (void)state;
    with = riad_ring_choose(true);
    without = riad_ring_choose(false);
    assert_true(with == RIAD_PLACE_BESIDE || with == RIAD_PLACE_ACROSS);
    assert_true(without == RIAD_PLACE_ORDINARY || without == RIAD_PLACE_ACROSS);
    CPU_ZERO(&one);
    CPU_SET((size_t)sched_getcpu(), &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0); /* the process's first thread */
    in_a_thread(choose_on_one_processor, &narrow);
    assert_int_equal(sched_setaffinity(0, sizeof all, &all), 0);
    assert_int_equal(narrow, RIAD_PLACE_BESIDE);
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(many_requests_put_it_beside, beside),
        cmocka_unit_test_setup(a_pause_counts_from_the_start, beside),
        cmocka_unit_test_setup(waiting_for_others_ends_it_for_a_while, beside),
        cmocka_unit_test_setup(waiting_for_others_ends_it_for_a_while, across),
        cmocka_unit_test_setup(waiting_for_clients_does_not_end_it, beside),
        cmocka_unit_test_setup(waiting_for_clients_does_not_end_it, across),
        cmocka_unit_test_setup(a_short_pause_changes_nothing, beside),
        cmocka_unit_test_setup(a_short_pause_changes_nothing, across),
        cmocka_unit_test_setup(a_long_pause_takes_it_from_beside_without_a_rest, beside),
        cmocka_unit_test_setup(across_it_stays_also_when_idle, across),
        cmocka_unit_test(the_thread_follows),
        cmocka_unit_test(where_nothing_is_better_it_stays),
        cmocka_unit_test(one_is_chosen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
