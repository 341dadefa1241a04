/* Jobs by few threads: none waits for another, rounds never overlap, nothing that was poked is
 * lost. */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "riad/error.h"
#include "riad/runner.h"
#include "riad/thread.h"

#include "unit.h"

enum { PATIENCE_MS = 20000, MANY = 200 };

struct scene {
    struct riad_runner *runner;
    _Atomic unsigned begun, ended, together, overlaps;
    _Atomic bool shut; /* rounds wait while it is */
};

static int setup(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_int_equal(riad_runner_new(&scene->runner), 0);
    *state = scene;
    return 0;
}

static int teardown(void **state)
{
    struct scene *scene = *state;

    riad_runner_free(scene->runner);
    free(scene);
    return 0;
}

static void round_of_scene(void *context)
{
    struct scene *scene = context;

    atomic_fetch_add(&scene->begun, 1);
    if (atomic_fetch_add(&scene->together, 1) > 0) {
        atomic_fetch_add(&scene->overlaps, 1);
    }
    while (atomic_load(&scene->shut)) {
        usleep(1000);
    }
    atomic_fetch_sub(&scene->together, 1);
    atomic_fetch_add(&scene->ended, 1);
}

static struct riad_job *make(struct scene *scene, uint64_t period_ms, uint64_t delay_ms)
{
    const struct riad_job_config config = {
        .round = round_of_scene, .context = scene, .period_ms = period_ms, .delay_ms = delay_ms
    };
    struct riad_job *job = NULL;

    assert_int_equal(riad_job_new(scene->runner, &config, &job), 0);
    return job;
}

static void wait_for(const _Atomic unsigned *value, unsigned wanted)
{
    for (int i = 0; atomic_load(value) < wanted; i++) {
        assert_true(i < PATIENCE_MS);
        usleep(1000);
    }
}

static void a_job_sleeps_until_it_is_poked_or_started(void **state)
{
    struct scene *scene = *state;
    struct riad_job *job = make(scene, 10, 0);

    usleep(60000);
    assert_int_equal(atomic_load(&scene->begun), 0);
    riad_job_poke(job);
    wait_for(&scene->ended, 3); /* a period begins with the first round */
    riad_job_stop(job);
    riad_job_free(job);
    job = make(scene, 10, 0);
    atomic_store(&scene->ended, 0);
    riad_job_start(job);
    wait_for(&scene->ended, 3);
    riad_job_free(job);
    assert_int_equal(atomic_load(&scene->overlaps), 0);
}

static void pokes_within_the_delay_are_one_round(void **state)
{
    struct scene *scene = *state;
    struct riad_job *job = make(scene, 0, 50);

    for (int i = 0; i < 1000; i++) {
        riad_job_poke(job);
    }
    assert_int_equal(atomic_load(&scene->begun), 0);
    wait_for(&scene->ended, 1);
    usleep(150000);
    assert_int_equal(atomic_load(&scene->ended), 1);
    riad_job_free(job);
}

static void a_poke_during_a_round_makes_another(void **state)
{
    struct scene *scene = *state;
    struct riad_job *job = make(scene, 0, 0);

    atomic_store(&scene->shut, true);
    riad_job_poke(job);
    wait_for(&scene->begun, 1);
    riad_job_poke(job);
    riad_job_poke(job);
    usleep(50000);
    assert_int_equal(atomic_load(&scene->begun), 1);
    atomic_store(&scene->shut, false);
    wait_for(&scene->ended, 2);
    usleep(50000);
    assert_int_equal(atomic_load(&scene->ended), 2);
    assert_int_equal(atomic_load(&scene->overlaps), 0);
    riad_job_free(job);
}

/* The store of one workspace hangs: the jobs of the others go on. */
static void a_round_that_hangs_holds_up_no_other_job(void **state)
{
    struct scene *slow = *state;
    struct scene quick = { .runner = slow->runner };
    struct riad_job *hanging[8], *job = make(&quick, 5, 0);

    atomic_store(&slow->shut, true);
    for (size_t i = 0; i < 8; i++) {
        hanging[i] = make(slow, 0, 0);
        riad_job_poke(hanging[i]);
    }
    wait_for(&slow->begun, 8);
    riad_job_start(job);
    wait_for(&quick.ended, 20);
    assert_int_equal(atomic_load(&slow->ended), 0);
    atomic_store(&slow->shut, false);
    for (size_t i = 0; i < 8; i++) {
        riad_job_free(hanging[i]);
    }
    riad_job_free(job);
}

static void many_idle_jobs_need_few_threads(void **state)
{
    struct scene *scene = *state;
    struct riad_job *jobs[MANY];

    for (size_t i = 0; i < MANY; i++) {
        jobs[i] = make(scene, 20, 0);
        riad_job_start(jobs[i]);
    }
    wait_for(&scene->ended, 10 * MANY);
    assert_in_range(riad_runner_threads(scene->runner), 1, 16);
    for (size_t i = 0; i < MANY; i++) {
        riad_job_free(jobs[i]);
    }
}

static void threads_with_nothing_to_do_leave(void **state)
{
    struct scene *scene = *state;
    struct riad_job *jobs[8];

    atomic_store(&scene->shut, true);
    for (size_t i = 0; i < 8; i++) {
        jobs[i] = make(scene, 0, 0);
        riad_job_poke(jobs[i]);
    }
    wait_for(&scene->begun, 8);
    assert_in_range(riad_runner_threads(scene->runner), 9, 10);
    atomic_store(&scene->shut, false);
    for (int i = 0; riad_runner_threads(scene->runner) > 2; i++) {
        assert_true(i < PATIENCE_MS);
        usleep(1000);
    }
    riad_job_poke(jobs[3]);
    wait_for(&scene->ended, 9);
    for (size_t i = 0; i < 8; i++) {
        riad_job_free(jobs[i]);
    }
}

static void stopping_waits_for_the_round(void **state)
{
    struct scene *scene = *state;
    struct riad_job *job = make(scene, 1, 0);

    riad_job_start(job);
    wait_for(&scene->ended, 5);
    riad_job_stop(job);
    assert_int_equal(atomic_load(&scene->begun), atomic_load(&scene->ended));
    atomic_store(&scene->begun, 0);
    riad_job_poke(job);
    riad_job_start(job);
    usleep(50000);
    assert_int_equal(atomic_load(&scene->begun), 0);
    riad_job_free(job);
    riad_job_stop(NULL);
    riad_job_free(NULL);
    riad_runner_free(NULL);
}

struct surroundings {
    _Atomic bool known;
    int processors, policy;
    bool blocked;
};

static void *look_around(void *argument)
{
    struct surroundings *surroundings = argument;
    sigset_t mask;
    cpu_set_t set;

    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    surroundings->processors = CPU_COUNT(&set);
    surroundings->policy = sched_getscheduler(0);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    surroundings->blocked = sigismember(&mask, SIGTERM) == 1;
    atomic_store(&surroundings->known, true);
    return NULL;
}

/* Pinned and idle, as a thread of the ring is. */
static void *start_from_a_pinned_thread(void *argument)
{
    const struct sched_param none = { 0 };
    cpu_set_t set;

    sched_getaffinity(0, sizeof set, &set);
    for (int i = 0, kept = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &set) && kept++ > 0) {
            CPU_CLR(i, &set);
        }
    }
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    sched_setscheduler(0, SCHED_IDLE, &none);
    assert_int_equal(riad_thread_start("looks", look_around, argument, NULL), 0);
    return NULL;
}

static void a_thread_takes_nothing_over(void **state)
{
    struct surroundings surroundings = { 0 };
    pthread_t pinned;
    cpu_set_t mine;

    (void)state;
    sched_getaffinity(0, sizeof mine, &mine);
    assert_int_equal(pthread_create(&pinned, NULL, start_from_a_pinned_thread, &surroundings), 0);
    pthread_join(pinned, NULL);
    for (int i = 0; !atomic_load(&surroundings.known); i++) {
        assert_true(i < PATIENCE_MS);
        usleep(1000);
    }
    assert_int_equal(surroundings.processors, CPU_COUNT(&mine));
    if (geteuid() == 0) { /* from SCHED_IDLE back takes a privilege */
        assert_int_equal(surroundings.policy, SCHED_OTHER);
    }
    assert_true(surroundings.blocked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_job_sleeps_until_it_is_poked_or_started, setup, teardown),
        cmocka_unit_test_setup_teardown(pokes_within_the_delay_are_one_round, setup, teardown),
        cmocka_unit_test_setup_teardown(a_poke_during_a_round_makes_another, setup, teardown),
        cmocka_unit_test_setup_teardown(a_round_that_hangs_holds_up_no_other_job, setup, teardown),
        cmocka_unit_test_setup_teardown(many_idle_jobs_need_few_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_with_nothing_to_do_leave, setup, teardown),
        cmocka_unit_test_setup_teardown(stopping_waits_for_the_round, setup, teardown),
        cmocka_unit_test(a_thread_takes_nothing_over),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
