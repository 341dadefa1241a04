/* Threads that serve a pipe instead of a device: few while all is quick, more when some are stuck,
 * all gone at the end. */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "crew_priv.h"
#include "unit.h"

enum { THREADS = 6, QUICK = 'q', STUCK = 's', PATIENCE_MS = 20000 };

struct scene {
    struct riad_crew *crew;
    int requests[2]; /* a pipe of single bytes */
    int release[2];  /* closing the writing end frees stuck threads */
    pthread_t threads[THREADS];
    _Atomic unsigned quick, stuck, freed, left;
};

static void answer(struct scene *scene, char request)
{
    char byte;
    ssize_t n;

    if (request == QUICK) {
        atomic_fetch_add(&scene->quick, 1);
        return;
    }
    atomic_fetch_add(&scene->stuck, 1);
    n = read(scene->release[0], &byte, 1);
    assert_int_equal(n, 0);
    atomic_fetch_add(&scene->freed, 1);
}

static bool serve_one(struct scene *scene)
{
    char request;
    ssize_t n;

    riad_crew_reading(scene->crew);
    n = read(scene->requests[0], &request, 1);
    riad_crew_took(scene->crew);
    if (n <= 0) {
        return false;
    }
    answer(scene, request);
    return true;
}

static void *serve(void *argument)
{
    struct scene *scene = argument;
    bool alive = true;

    while (alive && riad_crew_join(scene->crew)) {
        do {
            alive = serve_one(scene);
        } while (alive && !riad_crew_retire(scene->crew));
    }
    riad_crew_end(scene->crew);
    atomic_fetch_add(&scene->left, 1);
    return NULL;
}

static void begin(struct scene *scene, unsigned base)
{
    memset(scene, 0, sizeof *scene);
    assert_int_equal(pipe(scene->requests), 0);
    assert_int_equal(pipe(scene->release), 0);
    assert_int_equal(riad_crew_new(scene->requests[0], base, THREADS, &scene->crew), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&scene->threads[i], NULL, serve, scene), 0);
    }
}

static void end(struct scene *scene)
{
    close(scene->release[1]);
    close(scene->requests[1]);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(scene->threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&scene->left), THREADS);
    riad_crew_free(scene->crew);
    close(scene->requests[0]);
    close(scene->release[0]);
}

static void send_requests(struct scene *scene, char kind, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(write(scene->requests[1], &kind, 1), 1);
    }
}

static bool reaches(const _Atomic unsigned *counter, unsigned value)
{
    for (unsigned waited = 0; waited < PATIENCE_MS; waited++) {
        if (atomic_load(counter) >= value) {
            return true;
        }
        poll(NULL, 0, 1);
    }
    return false;
}

static void quick_requests_need_no_more_threads(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, 2);
    for (unsigned i = 1; i <= 200; i++) {
        send_requests(&scene, QUICK, 1);
        assert_true(reaches(&scene.quick, i));
    }
    assert_true(riad_crew_serving(scene.crew) <= 3); /* one more where this machine stalls */
    end(&scene);
}

static void stuck_threads_are_replaced_up_to_all(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, 1);
    send_requests(&scene, STUCK, THREADS - 1);
    send_requests(&scene, QUICK, 10);
    assert_true(reaches(&scene.stuck, THREADS - 1));
    assert_true(reaches(&scene.quick, 10));
    assert_int_equal(riad_crew_serving(scene.crew), THREADS);
    assert_int_equal(atomic_load(&scene.freed), 0);
    end(&scene);
    assert_int_equal(atomic_load(&scene.freed), THREADS - 1);
}

static void surplus_threads_park_again(void **state)
{
    struct scene scene;
    unsigned sent = 0;

    (void)state;
    begin(&scene, 1);
    send_requests(&scene, STUCK, 3);
    assert_true(reaches(&scene.stuck, 3));
    send_requests(&scene, QUICK, ++sent);
    assert_true(reaches(&scene.quick, 1));
    close(scene.release[1]);
    scene.release[1] = dup(scene.requests[1]); /* for end to close */
    assert_true(reaches(&scene.freed, 3));
    while (riad_crew_serving(scene.crew) > 1 && sent < 10000) {
        send_requests(&scene, QUICK, 1);
        assert_true(reaches(&scene.quick, ++sent));
    }
    assert_int_equal(riad_crew_serving(scene.crew), 1);
    end(&scene);
}

static void a_crew_of_one_has_no_watch(void **state)
{
    struct riad_crew *crew = NULL;

    (void)state;
    assert_int_equal(riad_crew_new(STDIN_FILENO, 1, 1, &crew), 0);
    assert_true(riad_crew_join(crew));
    assert_false(riad_crew_retire(crew));
    riad_crew_end(crew);
    assert_false(riad_crew_join(crew));
    riad_crew_free(crew);
    riad_crew_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_requests_need_no_more_threads),
        cmocka_unit_test(stuck_threads_are_replaced_up_to_all),
        cmocka_unit_test(surplus_threads_park_again),
        cmocka_unit_test(a_crew_of_one_has_no_watch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
