/* Threads for slow work: started when needed, bounded, and nothing that was put is lost. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "riad/error.h"

#include "pool_priv.h"
#include "unit.h"

enum { THREADS = 3, ITEMS = 64, PATIENCE_MS = 20000 };

struct scene {
    int gate[2]; /* closing the writing end lets all work go on */
    _Atomic unsigned begun, done, together, most;
    _Atomic unsigned processors; /* that the last worker may run on */
};

static void work(void *context, void *item)
{
    struct scene *scene = context;
    unsigned together = atomic_fetch_add(&scene->together, 1) + 1;
    cpu_set_t set;
    char byte;
    ssize_t n;

    if (together > atomic_load(&scene->most)) {
        atomic_store(&scene->most, together);
    }
    atomic_fetch_add(&scene->begun, 1);
    n = read(scene->gate[0], &byte, 1);
    assert_int_equal(n, 0);
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    atomic_store(&scene->processors, (unsigned)CPU_COUNT(&set));
    atomic_fetch_sub(&scene->together, 1);
    atomic_fetch_add((_Atomic unsigned *)item, 1);
    atomic_fetch_add(&scene->done, 1);
}

static struct riad_pool *make_pool(struct scene *scene, unsigned threads)
{
    const struct riad_pool_config config = {
        .threads = threads, .capacity = ITEMS, .work = work, .context = scene
    };
    struct riad_pool *pool = NULL;

    memset(scene, 0, sizeof *scene);
    assert_int_equal(pipe(scene->gate), 0);
    assert_int_equal(riad_pool_new(&config, &pool), 0);
    return pool;
}

static void wait_for(const _Atomic unsigned *value, unsigned wanted)
{
    for (int i = 0; atomic_load(value) < wanted; i++) {
        assert_true(i < PATIENCE_MS);
        usleep(1000);
    }
}

static void all_is_done_once_by_a_bounded_number_of_threads(void **state)
{
    struct scene scene;
    struct riad_pool *pool = make_pool(&scene, THREADS);
    _Atomic unsigned items[ITEMS];

    (void)state;
    for (int i = 0; i < ITEMS; i++) {
        atomic_init(&items[i], 0);
        assert_int_equal(riad_pool_put(pool, &items[i]), 0);
    }
    wait_for(&scene.begun, THREADS);
    close(scene.gate[1]);
    riad_pool_free(pool);
    for (int i = 0; i < ITEMS; i++) {
        assert_int_equal(atomic_load(&items[i]), 1);
    }
    assert_int_equal(atomic_load(&scene.most), THREADS);
    close(scene.gate[0]);
}

/* A stuck item holds up nobody while threads are left; above the capacity one is refused. */
static void more_than_it_holds_is_refused(void **state)
{
    struct scene scene;
    struct riad_pool *pool = make_pool(&scene, 1);
    _Atomic unsigned items[ITEMS + 2];

    (void)state;
    for (int i = 0; i < ITEMS + 2; i++) {
        atomic_init(&items[i], 0);
    }
    assert_int_equal(riad_pool_put(pool, &items[0]), 0);
    wait_for(&scene.begun, 1);
    for (int i = 1; i <= ITEMS; i++) {
        assert_int_equal(riad_pool_put(pool, &items[i]), 0);
    }
    assert_int_equal(riad_pool_put(pool, &items[ITEMS + 1]), -EAGAIN);
    close(scene.gate[1]);
    riad_pool_free(pool);
    assert_int_equal(atomic_load(&scene.done), ITEMS + 1);
    assert_int_equal(atomic_load(&items[ITEMS + 1]), 0);
    close(scene.gate[0]);
}

static void *put_pinned(void *argument)
{
    void **arguments = argument;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(0, &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    assert_int_equal(riad_pool_put(arguments[0], arguments[1]), 0);
    return NULL;
}

static void threads_are_not_pinned_with_those_who_put(void **state)
{
    struct scene scene;
    struct riad_pool *pool = make_pool(&scene, 1);
    _Atomic unsigned item = 0;
    void *arguments[] = { pool, &item };
    pthread_t thread;
    cpu_set_t set;

    (void)state;
    close(scene.gate[1]);
    assert_int_equal(pthread_create(&thread, NULL, put_pinned, arguments), 0);
    pthread_join(thread, NULL);
    riad_pool_free(pool);
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    assert_int_equal(atomic_load(&scene.processors), CPU_COUNT(&set));
    close(scene.gate[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_done_once_by_a_bounded_number_of_threads),
        cmocka_unit_test(more_than_it_holds_is_refused),
        cmocka_unit_test(threads_are_not_pinned_with_those_who_put),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
