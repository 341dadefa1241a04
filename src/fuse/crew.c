#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "riad/error.h"

#include "crew_priv.h"

enum { TICK_NANOSECONDS = 1000 * 1000, IDLE_TICKS = 5 };
/* Lingering is given up after MISSES_MAX vain times, and tried again each RETRY_EVERY requests. */
enum { LINGER_NANOSECONDS = 50 * 1000, MISSES_MAX = 8, RETRY_EVERY = 32 };

struct riad_crew {
    int device; /* borrowed */
    unsigned base;
    unsigned threads;
    pthread_t watch;
    bool has_watch;
    _Atomic unsigned reading; /* threads that wait for a request */
    _Atomic unsigned serving; /* changed with `lock` held */
    _Atomic bool asleep;      /* the watch; changed with `lock` held */

    atomic_flag lingering; /* held by the one thread that lingers; guards what follows */
    unsigned misses;
    unsigned skipped;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t parked;
    pthread_cond_t wake; /* of the watch */
    unsigned places;     /* for parked threads to take */
    bool ended;
};

/* Not 0 also when the device is gone. */
static bool has_request(const struct riad_crew *crew)
{
    struct pollfd device = { .fd = crew->device, .events = POLLIN };

    return poll(&device, 1, 0) != 0;
}

static bool is_short_of_readers(const struct riad_crew *crew)
{
    return atomic_load(&crew->reading) == 0 && has_request(crew);
}

static void grow(struct riad_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    if (atomic_load(&crew->serving) < crew->threads) {
        atomic_fetch_add(&crew->serving, 1);
        crew->places++;
        pthread_cond_signal(&crew->parked);
    }
    pthread_mutex_unlock(&crew->lock);
}

/* While any thread waits for requests there is nothing to watch. False: the crew ended. */
static bool sleep_until_busy(struct riad_crew *crew)
{
    bool go_on;

    pthread_mutex_lock(&crew->lock);
    atomic_store(
            &crew->asleep, true); /* before `reading` is read: riad_crew_took does the reverse */
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

    pthread_setname_np(pthread_self(), "riad-fuse-watch");
    while (sleep_until_busy(crew)) {
        watch_busy_crew(crew);
    }
    return NULL;
}

int riad_crew_new(int device, unsigned base, unsigned threads, struct riad_crew **ret)
{
    struct riad_crew *crew = calloc(1, sizeof *crew);
    int r;

    if (!crew) {
        return -ENOMEM;
    }
    crew->device = device;
    crew->base = base;
    crew->threads = threads;
    crew->places = base;
    atomic_store(&crew->serving, base);
    atomic_flag_clear(&crew->lingering);
    pthread_mutex_init(&crew->lock, NULL);
    pthread_cond_init(&crew->parked, NULL);
    pthread_cond_init(&crew->wake, NULL);
    r = base < threads ? pthread_create(&crew->watch, NULL, watch, crew) : 0;
    if (r != 0) {
        riad_crew_free(crew);
        return -EAGAIN;
    }
    crew->has_watch = base < threads;
    *ret = crew;
    return 0;
}

void riad_crew_free(struct riad_crew *crew)
{
    if (!crew) {
        return;
    }
    if (crew->has_watch) {
        pthread_join(crew->watch, NULL);
    }
    pthread_cond_destroy(&crew->wake);
    pthread_cond_destroy(&crew->parked);
    pthread_mutex_destroy(&crew->lock);
    free(crew);
}

bool riad_crew_join(struct riad_crew *crew)
{
    bool serve;

    pthread_mutex_lock(&crew->lock);
    while (crew->places == 0 && !crew->ended) {
        pthread_cond_wait(&crew->parked, &crew->lock);
    }
    serve = !crew->ended;
    crew->places -= serve;
    pthread_mutex_unlock(&crew->lock);
    return serve;
}

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void linger(struct riad_crew *crew)
{
    uint64_t until = now() + LINGER_NANOSECONDS;
    bool found;

    if (crew->misses >= MISSES_MAX && ++crew->skipped < RETRY_EVERY) {
        return;
    }
    crew->skipped = 0;
    do {
        found = has_request(crew);
    } while (!found && now() < until);
    crew->misses = found ? 0 : crew->misses + (crew->misses < MISSES_MAX);
}

void riad_crew_reading(struct riad_crew *crew)
{
    atomic_fetch_add(&crew->reading, 1);
    if (!atomic_flag_test_and_set(&crew->lingering)) {
        linger(crew);
        atomic_flag_clear(&crew->lingering);
    }
}

void riad_crew_took(struct riad_crew *crew)
{
    if (atomic_fetch_sub(&crew->reading, 1) > 1 || !atomic_load(&crew->asleep)) {
        return;
    }
    pthread_mutex_lock(&crew->lock);
    atomic_store(&crew->asleep, false);
    pthread_cond_signal(&crew->wake);
    pthread_mutex_unlock(&crew->lock);
}

bool riad_crew_retire(struct riad_crew *crew)
{
    bool surplus;

    if (atomic_load(&crew->serving) <= crew->base || atomic_load(&crew->reading) == 0) {
        return false;
    }
    pthread_mutex_lock(&crew->lock);
    surplus = atomic_load(&crew->serving) > crew->base;
    if (surplus) {
        atomic_fetch_sub(&crew->serving, 1);
    }
    pthread_mutex_unlock(&crew->lock);
    return surplus;
}

void riad_crew_end(struct riad_crew *crew)
{
    pthread_mutex_lock(&crew->lock);
    crew->ended = true;
    pthread_cond_broadcast(&crew->parked);
    pthread_cond_broadcast(&crew->wake);
    pthread_mutex_unlock(&crew->lock);
}

unsigned riad_crew_serving(const struct riad_crew *crew)
{
    return atomic_load(&crew->serving);
}
