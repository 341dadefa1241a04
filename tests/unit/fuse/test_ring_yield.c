/* When a ring's thread steps back for its clients, and when it does not. */
#include <sched.h>

#include "ring_yield_priv.h"
#include "unit.h"

static struct riad_ring_yield yield;
static uint64_t now_us, waited_us;
static unsigned asked;

static int setup(void **state)
{
    (void)state;
    yield = (struct riad_ring_yield){ .allowed = true, .waits_fd = -1 };
    now_us = 5000000;
    waited_us = 777;
    asked = 0;
    return 0;
}

static uint64_t waited(const struct riad_ring_yield *of)
{
    (void)of;
    asked++;
    return waited_us;
}

/* A request that comes so long after the one before. */
static bool request(uint64_t pause_us)
{
    bool turn;

    now_us += pause_us;
    turn = riad_ring_yield_decide(&yield, now_us, waited);
    yield.yielding ^= turn;
    return turn;
}

/* How many requests in quick succession it takes to turn, at most `most`; 0: it does not. */
static unsigned turns_after(unsigned most)
{
    for (unsigned i = 1; i <= most; i++) {
        if (request(30)) {
            return i;
        }
    }
    return 0;
}

static void many_requests_make_it_yield(void **state)
{
    (void)state;
    request(1000000);
    assert_int_equal(turns_after(1000), RIAD_YIELD_AFTER);
    assert_true(yield.yielding);
    assert_int_equal(turns_after(6400), 0);
    assert_in_range(asked, 90, 110); /* looking is not for every request */
}

static void a_pause_counts_from_the_start(void **state)
{
    (void)state;
    for (int i = 0; i < 10; i++) {
        request(RIAD_YIELD_SOON_US);
        assert_int_equal(turns_after(RIAD_YIELD_AFTER - 1), 0);
    }
}

static void waiting_for_others_ends_it_for_a_while(void **state)
{
    uint64_t began;

    (void)state;
    request(1000000);
    turns_after(RIAD_YIELD_AFTER);
    waited_us += RIAD_YIELD_WAIT_US;
    assert_true(request(RIAD_YIELD_SOON_US));
    assert_false(yield.yielding);
    began = now_us;
    assert_true(turns_after(100000) > 0);
    assert_true(now_us - began >= RIAD_YIELD_REST_US);
    assert_true(yield.yielding);
}

/* Its clients run between two requests, and it waits for them. That is no harm. */
static void waiting_for_clients_does_not_end_it(void **state)
{
    (void)state;
    request(1000000);
    turns_after(RIAD_YIELD_AFTER);
    for (int i = 0; i < 10000; i++) {
        waited_us += 15;
        assert_false(request(i % 100 == 0 ? RIAD_YIELD_SOON_US : 30));
    }
}

/* Its clients were busy with something else; it did not wait for them. */
static void a_short_pause_changes_nothing(void **state)
{
    (void)state;
    request(1000000);
    turns_after(RIAD_YIELD_AFTER);
    waited_us += RIAD_YIELD_WAIT_US - 1;
    assert_false(request(RIAD_YIELD_REST_US - 1));
    waited_us += RIAD_YIELD_WAIT_US - 1;
    assert_false(request(RIAD_YIELD_REST_US - 1));
    assert_true(yield.yielding);
}

static void a_long_pause_ends_it_without_a_rest(void **state)
{
    (void)state;
    request(1000000);
    turns_after(RIAD_YIELD_AFTER);
    assert_true(request(RIAD_YIELD_REST_US));
    assert_false(yield.yielding);
    assert_int_equal(turns_after(1000), RIAD_YIELD_AFTER);
}

/* The real thing, where this process may: the policy goes there and comes back. */
static void the_policy_follows(void **state)
{
    struct riad_ring_yield real;

    (void)state;
    if (!riad_ring_may_yield()) {
        skip();
    }
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
    riad_ring_yield_init(&real, true);
    assert_true(real.allowed);
    for (int i = 0; i < 2 * RIAD_YIELD_AFTER && !real.yielding; i++) {
        riad_ring_yield(&real);
    }
    assert_true(real.yielding);
    assert_int_equal(sched_getscheduler(0), SCHED_IDLE);
    real.last_us -= RIAD_YIELD_REST_US;
    riad_ring_yield(&real);
    assert_false(real.yielding);
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
    riad_ring_yield_done(&real);
}

static void who_may_not_stays_as_it_is(void **state)
{
    struct riad_ring_yield real;

    (void)state;
    riad_ring_yield_init(&real, false);
    for (int i = 0; i < 2 * RIAD_YIELD_AFTER; i++) {
        riad_ring_yield(&real);
    }
    assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
    riad_ring_yield_done(&real);
}

#define YIELD(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        YIELD(many_requests_make_it_yield),
        YIELD(a_pause_counts_from_the_start),
        YIELD(waiting_for_others_ends_it_for_a_while),
        YIELD(waiting_for_clients_does_not_end_it),
        YIELD(a_short_pause_changes_nothing),
        YIELD(a_long_pause_ends_it_without_a_rest),
        YIELD(the_policy_follows),
        YIELD(who_may_not_stays_as_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
