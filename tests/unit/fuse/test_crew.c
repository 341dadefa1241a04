/* Threads that serve pipes instead of devices: few while all is quick, more when some are stuck,
 * never all for one device, all gone at the end. */
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "riad/error.h"

#include "crew_priv.h"
#include "crew_state_priv.h"
#include "unit.h"

enum { MOST = 6, QUICK = 'q', STUCK = 's', PATIENCE_MS = 20000 };

/* One device. */
struct scene {
    struct riad_crew_device *device;
    int requests[2]; /* a pipe of single bytes */
    int release[2];  /* closing the writing end frees stuck threads */
    _Atomic unsigned quick, stuck, freed, together, most, ended;
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

static int serve(void *context)
{
    struct scene *scene = context;
    unsigned together = atomic_fetch_add(&scene->together, 1) + 1;
    char request;
    ssize_t n;

    if (together > atomic_load(&scene->most)) {
        atomic_store(&scene->most, together);
    }
    assert_int_equal(atomic_load(&scene->ended), 0);
    n = read(scene->requests[0], &request, 1);
    if (n > 0) {
        answer(scene, request);
    }
    atomic_fetch_sub(&scene->together, 1);
    return n > 0 || (n < 0 && errno == EAGAIN) ? 0 : 1;
}

static void ended(void *context)
{
    struct scene *scene = context;

    assert_int_equal(atomic_load(&scene->together), 0);
    atomic_fetch_add(&scene->ended, 1);
}

static struct riad_crew *make_crew(void)
{
    struct riad_crew *crew = NULL;

    assert_int_equal(riad_crew_new(&crew), 0);
    return crew;
}

static void begin(struct riad_crew *crew, struct scene *scene)
{
    struct riad_crew_device_config config = {
        .most = MOST, .serve = serve, .ended = ended, .context = scene
    };

    memset(scene, 0, sizeof *scene);
    assert_int_equal(pipe2(scene->requests, O_NONBLOCK), 0);
    assert_int_equal(pipe(scene->release), 0);
    config.fd = scene->requests[0];
    assert_int_equal(riad_crew_add(crew, &config, &scene->device), 0);
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

/* As a mount that is unmounted. */
static void end(struct scene *scene)
{
    close(scene->release[1]);
    close(scene->requests[1]);
    assert_true(reaches(&scene->ended, 1));
    riad_crew_remove(scene->device);
    assert_int_equal(atomic_load(&scene->together), 0);
    assert_int_equal(atomic_load(&scene->ended), 1);
    close(scene->requests[0]);
    close(scene->release[0]);
}

static void send_requests(struct scene *scene, char kind, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(write(scene->requests[1], &kind, 1), 1);
    }
}

static void quick_requests_need_no_more_threads(void **state)
{
    struct riad_crew *crew = make_crew();
    struct scene scenes[20];

    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        begin(crew, &scenes[i]);
    }
    for (unsigned i = 0; i < 400; i++) {
        send_requests(&scenes[i % 20], QUICK, 1);
        assert_true(reaches(&scenes[i % 20].quick, i / 20 + 1));
    }
    assert_true(riad_crew_serving(crew) <= 3); /* one more where this machine stalls */
    for (unsigned i = 0; i < 20; i++) {
        end(&scenes[i]);
    }
    riad_crew_free(crew);
}

static void stuck_threads_are_replaced(void **state)
{
    struct riad_crew *crew = make_crew();
    struct scene scene;

    (void)state;
    begin(crew, &scene);
    send_requests(&scene, STUCK, MOST - 1);
    send_requests(&scene, QUICK, 10);
    assert_true(reaches(&scene.stuck, MOST - 1));
    assert_true(reaches(&scene.quick, 10));
    assert_int_equal(riad_crew_serving(crew), MOST);
    assert_int_equal(atomic_load(&scene.freed), 0);
    end(&scene);
    assert_int_equal(atomic_load(&scene.freed), MOST - 1);
    riad_crew_free(crew);
}

/* The store of one mount hangs. */
static void a_stuck_device_leaves_threads_to_the_others(void **state)
{
    struct riad_crew *crew = make_crew();
    struct scene stuck, other;

    (void)state;
    begin(crew, &stuck);
    begin(crew, &other);
    send_requests(&stuck, STUCK, 3 * MOST);
    assert_true(reaches(&stuck.stuck, MOST));
    send_requests(&other, QUICK, 1);
    assert_true(reaches(&other.quick, 1));
    poll(NULL, 0, 50);
    assert_int_equal(atomic_load(&stuck.stuck), MOST); /* no more of it at a time */
    for (unsigned i = 2; i < 50; i++) {
        send_requests(&other, QUICK, 1);
        assert_true(reaches(&other.quick, i));
    }
    close(stuck.release[1]);
    stuck.release[1] = dup(stuck.requests[1]); /* for end to close */
    assert_true(reaches(&stuck.freed, 3 * MOST));
    assert_int_equal(atomic_load(&stuck.most), MOST);
    end(&stuck);
    end(&other);
    riad_crew_free(crew);
}

/* A device that ends while all that it may have is under way: nobody spins on its error. */
static void the_end_waits_for_what_is_under_way(void **state)
{
    struct riad_crew *crew = make_crew();
    struct epoll_event event;
    struct scene scene;

    (void)state;
    begin(crew, &scene);
    send_requests(&scene, STUCK, MOST);
    assert_true(reaches(&scene.stuck, MOST));
    close(scene.requests[1]);
    scene.requests[1] = dup(STDERR_FILENO);
    poll(NULL, 0, 50);
    assert_int_equal(epoll_wait(crew->set, &event, 1, 0), 0);
    assert_int_equal(atomic_load(&scene.ended), 0);
    end(&scene);
    assert_int_equal(atomic_load(&scene.freed), MOST);
    riad_crew_free(crew);
}

static void surplus_threads_park_and_leave(void **state)
{
    struct riad_crew *crew = make_crew();
    struct scene scene;
    unsigned sent = 0;

    (void)state;
    begin(crew, &scene);
    send_requests(&scene, STUCK, 3);
    assert_true(reaches(&scene.stuck, 3));
    send_requests(&scene, QUICK, ++sent);
    assert_true(reaches(&scene.quick, 1));
    close(scene.release[1]);
    scene.release[1] = dup(scene.requests[1]); /* for end to close */
    assert_true(reaches(&scene.freed, 3));
    while (riad_crew_serving(crew) > 1 && sent < 10000) {
        send_requests(&scene, QUICK, 1);
        assert_true(reaches(&scene.quick, ++sent));
    }
    assert_int_equal(riad_crew_serving(crew), 1);
    for (unsigned waited = 0; waited < PATIENCE_MS; waited++) {
        unsigned threads;

        pthread_mutex_lock(&crew->lock);
        threads = crew->threads;
        pthread_mutex_unlock(&crew->lock);
        if (threads == 1) {
            break;
        }
        assert_true(waited + 1 < PATIENCE_MS);
        poll(NULL, 0, 1);
    }
    send_requests(&scene, QUICK, 1);
    assert_true(reaches(&scene.quick, ++sent));
    end(&scene);
    riad_crew_free(crew);
}

/* Places are used again, and an event of who was there before is nobody's. */
static void devices_come_and_go(void **state)
{
    struct riad_crew *crew = make_crew();
    struct scene scene, kept;
    uint64_t before = 0;

    (void)state;
    begin(crew, &kept);
    for (unsigned i = 0; i < 300; i++) {
        begin(crew, &scene);
        assert_int_not_equal(scene.device->key, before);
        assert_null(before ? riad_crew_take(crew, before) : NULL);
        before = scene.device->key;
        send_requests(&scene, QUICK, 3);
        if (i % 2 == 0) {
            assert_true(reaches(&scene.quick, 3));
            end(&scene);
        } else { /* taken away while it lives: it is not told of its end */
            riad_crew_remove(scene.device);
            assert_int_equal(atomic_load(&scene.ended), 0);
            for (unsigned j = 0; j < 2; j++) {
                close(scene.requests[j]);
                close(scene.release[j]);
            }
        }
    }
    send_requests(&kept, QUICK, 1);
    assert_true(reaches(&kept.quick, 1));
    end(&kept);
    riad_crew_remove(NULL);
    riad_crew_free(crew);
    riad_crew_free(NULL);
    riad_crew_free(make_crew()); /* without a device, and so without a thread */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quick_requests_need_no_more_threads),
        cmocka_unit_test(stuck_threads_are_replaced),
        cmocka_unit_test(a_stuck_device_leaves_threads_to_the_others),
        cmocka_unit_test(the_end_waits_for_what_is_under_way),
        cmocka_unit_test(surplus_threads_park_and_leave),
        cmocka_unit_test(devices_come_and_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
