#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/thread.h"

#include "crew_state_priv.h"

enum { TICK_NANOSECONDS = 1000 * 1000, IDLE_TICKS = 5, BASE = 1, PARKED_SECONDS = 5 };
/* Lingering is given up after MISSES_MAX vain times, and tried again each RETRY_EVERY requests. */
enum { LINGER_NANOSECONDS = 50 * 1000, MISSES_MAX = 8, RETRY_EVERY = 32 };

/* Waits for a request of any device. The key of the device; 0: none came, or the crew ended. */
static uint64_t ask(const struct riad_crew *crew, int milliseconds)
{
    struct epoll_event event = { 0 };

    return epoll_wait(crew->set, &event, 1, milliseconds) == 1 ? event.data.u64 : 0;
}

static bool has_request(const struct riad_crew *crew)
{
    return ask(crew, 0) != 0;
}

static bool is_short_of_readers(const struct riad_crew *crew)
{
    return atomic_load(&crew->reading) == 0 && has_request(crew);
}

static void *serve(void *argument);

/* (lock) */
static int start_thread(struct riad_crew *crew)
{
    int r = riad_thread_start("riad-fuse", serve, crew, NULL);

    crew->threads += r >= 0;
    return r;
}

/* Where no thread can be started, those that are there go on. */
static void grow(struct riad_crew *crew)
{
    int r = 0;

    pthread_mutex_lock(&crew->lock);
    if (atomic_load(&crew->serving) < crew->most) {
        r = crew->parking > crew->places ? 0 : start_thread(crew);
        if (r >= 0) {
            atomic_fetch_add(&crew->serving, 1);
            crew->places++;
            pthread_cond_signal(&crew->parked);
        }
    }
    pthread_mutex_unlock(&crew->lock);
}

/* While any thread waits for requests there is nothing to watch. False: the crew ended. */
static bool sleep_until_busy(struct riad_crew *crew)
{
    bool go_on;

    pthread_mutex_lock(&crew->lock);
    atomic_store(&crew->asleep, true); /* before `reading` is read: note_read does the reverse */
    while (!crew->ended && atomic_load(&crew->asleep) && atomic_load(&crew->reading) > 0) {
        pthread_cond_wait(&crew->wake, &crew->lock);
    }
    atomic_store(&crew->asleep, false);
    go_on = !crew->ended;
    pthread_mutex_unlock(&crew->lock);
    return go_on;
}

/* Ticks until readers were at hand for a while. */
static void watch_busy_crew(struct riad_crew *crew)
{
    static const struct timespec tick = { .tv_nsec = TICK_NANOSECONDS };
    unsigned idle = 0;
    unsigned shortages = 0;

    while (idle < IDLE_TICKS) {
        nanosleep(&tick, NULL);
        shortages = is_short_of_readers(crew) ? shortages + 1 : 0;
        idle = atomic_load(&crew->reading) > 0 ? idle + 1 : 0;
        if (shortages >= 2) {
            grow(crew);
            shortages = 0;
        }
        pthread_mutex_lock(&crew->lock);
        idle = crew->ended ? IDLE_TICKS : idle;
        pthread_mutex_unlock(&crew->lock);
    }
}

static void *watch(void *argument)
{
    struct riad_crew *crew = argument;

    while (sleep_until_busy(crew)) {
        watch_busy_crew(crew);
    }
    return NULL;
}

/* (lock) Parks the calling thread until it may serve: true. False: the crew ended, or had enough
 * threads for some seconds. */
static bool join(struct riad_crew *crew)
{
    struct timespec until;
    bool serve_now;
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PARKED_SECONDS;
    crew->parking++;
    while (crew->places == 0 && !crew->ended && r != ETIMEDOUT) {
        r = pthread_cond_timedwait(&crew->parked, &crew->lock, &until);
    }
    crew->parking--;
    serve_now = crew->places > 0 && !crew->ended;
    crew->places -= serve_now;
    return serve_now;
}

/* The key of a device with a request, or 0. */
static uint64_t linger(struct riad_crew *crew)
{
    uint64_t until = riad_now_ns() + LINGER_NANOSECONDS;
    uint64_t key;

    if (crew->misses >= MISSES_MAX && ++crew->skipped < RETRY_EVERY) {
        return 0;
    }
    crew->skipped = 0;
    do {
        key = ask(crew, 0);
    } while (key == 0 && riad_now_ns() < until);
    crew->misses = key ? 0 : crew->misses + (crew->misses < MISSES_MAX);
    return key;
}

/* The watch sleeps while anybody reads. */
static void note_read(struct riad_crew *crew)
{
    if (atomic_fetch_sub(&crew->reading, 1) > 1 || !atomic_load(&crew->asleep)) {
        return;
    }
    pthread_mutex_lock(&crew->lock);
    atomic_store(&crew->asleep, false);
    pthread_cond_signal(&crew->wake);
    pthread_mutex_unlock(&crew->lock);
}

static uint64_t await_request(struct riad_crew *crew)
{
    uint64_t key = 0;

    atomic_fetch_add(&crew->reading, 1);
    if (!atomic_flag_test_and_set(&crew->lingering)) {
        key = linger(crew);
        atomic_flag_clear(&crew->lingering);
    }
    if (key == 0) {
        key = ask(crew, -1);
    }
    note_read(crew);
    return key;
}

/* False: the crew ended. */
static bool serve_one(struct riad_crew *crew)
{
    uint64_t key = await_request(crew);
    struct riad_crew_device *device;
    bool go_on;

    device = key ? riad_crew_take(crew, key) : NULL;
    if (device) {
        riad_crew_give_back(device, device->config.serve(device->config.context));
        return true;
    }
    pthread_mutex_lock(&crew->lock);
    go_on = !crew->ended;
    pthread_mutex_unlock(&crew->lock);
    return go_on;
}

/* True if the calling thread is surplus, and has stopped serving. */
static bool retire(struct riad_crew *crew)
{
    bool surplus;

    if (atomic_load(&crew->serving) <= BASE || atomic_load(&crew->reading) == 0) {
        return false;
    }
    pthread_mutex_lock(&crew->lock);
    surplus = atomic_load(&crew->serving) > BASE;
    if (surplus) {
        atomic_fetch_sub(&crew->serving, 1);
    }
    pthread_mutex_unlock(&crew->lock);
    return surplus;
}

static void *serve(void *argument)
{
    struct riad_crew *crew = argument;

    pthread_mutex_lock(&crew->lock);
    while (join(crew)) {
        bool alive;

        pthread_mutex_unlock(&crew->lock);
        do {
            alive = serve_one(crew);
        } while (alive && !retire(crew));
        pthread_mutex_lock(&crew->lock);
    }
    crew->threads--;
    pthread_cond_broadcast(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

int riad_crew_begin(struct riad_crew *crew)
{
    int r = 0;

    if (!crew->has_watch) {
        r = riad_thread_start("riad-fuse-watch", watch, crew, &crew->watch);
        crew->has_watch = r >= 0;
    }
    if (r >= 0 && atomic_load(&crew->serving) == 0) {
        r = start_thread(crew);
        if (r >= 0) {
            atomic_store(&crew->serving, BASE);
            crew->places = BASE;
        }
    }
    return r;
}

static int open_set(struct riad_crew *crew)
{
    struct epoll_event event = { .events = EPOLLIN };

    crew->set = epoll_create1(EPOLL_CLOEXEC);
    crew->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (crew->set < 0 || crew->stop < 0 ||
            epoll_ctl(crew->set, EPOLL_CTL_ADD, crew->stop, &event) < 0) {
        return -errno;
    }
    return 0;
}

int riad_crew_new(struct riad_crew **ret)
{
    struct riad_crew *crew = calloc(1, sizeof *crew);
    int r;

    if (!crew) {
        return -ENOMEM;
    }
    r = open_set(crew);
    if (r >= 0) {
        r = riad_condition_init(&crew->parked);
    }
    if (r < 0) {
        riad_close_fd(&crew->set);
        riad_close_fd(&crew->stop);
        free(crew);
        return r;
    }
    atomic_flag_clear(&crew->lingering);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->wake, NULL);
    pthread_cond_init(&crew->changed, NULL);
    *ret = crew;
    return 0;
}

static void end(struct riad_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->ended = true;
    eventfd_write(crew->stop, 1);
    pthread_cond_broadcast(&crew->parked);
    pthread_cond_broadcast(&crew->wake);
    while (crew->threads > 0) {
        pthread_cond_wait(&crew->changed, &crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
    if (crew->has_watch) {
        pthread_join(crew->watch, NULL);
    }
}

void riad_crew_free(struct riad_crew *crew)
{
    if (!crew) {
        return;
    }
    end(crew);
    riad_close_fd(&crew->set);
    riad_close_fd(&crew->stop);
    pthread_cond_destroy(&crew->changed);
    pthread_cond_destroy(&crew->wake);
    pthread_cond_destroy(&crew->parked);
    pthread_mutex_destroy(&crew->lock);
    free(crew);
}

unsigned riad_crew_serving(const struct riad_crew *crew)
{
    return atomic_load(&crew->serving);
}
