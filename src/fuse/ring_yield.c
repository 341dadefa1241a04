#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "ring_yield_priv.h"

static int become(int policy)
{
    const struct sched_param none = { 0 };

    return sched_setscheduler(0, policy, &none);
}

static void *try_both(void *argument)
{
    bool *ret = argument;

    *ret = sched_getscheduler(0) == SCHED_OTHER && become(SCHED_IDLE) == 0 &&
           become(SCHED_OTHER) == 0;
    return NULL;
}

bool riad_ring_may_yield(void)
{
    pthread_t thread;
    bool may = false;

    if (pthread_create(&thread, NULL, try_both, &may) != 0) {
        return false;
    }
    pthread_join(thread, NULL);
    return may;
}

void riad_ring_yield_init(struct riad_ring_yield *yield, bool allowed)
{
    *yield = (struct riad_ring_yield){ .waits_fd = -1 };
    if (allowed) {
        yield->waits_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
        yield->allowed = yield->waits_fd >= 0; /* else it would wait, and not know */
    }
}

void riad_ring_yield_done(struct riad_ring_yield *yield)
{
    riad_close_fd(&yield->waits_fd);
}

/* The second number: ns on a run queue (Documentation/scheduler/sched-stats.rst). */
static uint64_t read_waited(const struct riad_ring_yield *yield)
{
    unsigned long long ran, waited;
    char text[96] = "";

    if (pread(yield->waits_fd, text, sizeof text - 1, 0) < 0 ||
            sscanf(text, "%llu %llu", &ran, &waited) != 2) {
        return yield->waited_us + RIAD_YIELD_WAIT_US; /* not known: be careful */
    }
    return waited / 1000;
}

/* While it yields: did it wait for others, or is there nothing to do any more? Between requests it
 * waits for its clients to run, so the look before must not be long ago. */
static bool decide_to_stop(struct riad_ring_yield *yield, uint64_t now_us, uint64_t pause_us,
        uint64_t (*waited)(const struct riad_ring_yield *yield))
{
    uint64_t before = yield->waited_us;

    if (pause_us < RIAD_YIELD_SOON_US && ++yield->quick < RIAD_YIELD_AFTER) {
        return false;
    }
    yield->quick = 0;
    yield->waited_us = waited(yield);
    if (pause_us >= RIAD_YIELD_SOON_US && yield->waited_us - before >= RIAD_YIELD_WAIT_US) {
        yield->until_us = now_us + RIAD_YIELD_REST_US;
        return true;
    }
    return pause_us >= RIAD_YIELD_REST_US;
}

static bool decide_to_begin(struct riad_ring_yield *yield, uint64_t now_us, uint64_t pause_us,
        uint64_t (*waited)(const struct riad_ring_yield *yield))
{
    yield->quick = pause_us < RIAD_YIELD_SOON_US ? yield->quick + 1 : 0;
    if (yield->quick < RIAD_YIELD_AFTER || now_us < yield->until_us) {
        return false;
    }
    yield->quick = 0;
    yield->waited_us = waited(yield);
    return true;
}

bool riad_ring_yield_decide(struct riad_ring_yield *yield, uint64_t now_us,
        uint64_t (*waited)(const struct riad_ring_yield *yield))
{
    uint64_t pause_us = now_us - yield->last_us;

    yield->last_us = now_us;
    return yield->yielding ? decide_to_stop(yield, now_us, pause_us, waited)
                           : decide_to_begin(yield, now_us, pause_us, waited);
}

void riad_ring_yield(struct riad_ring_yield *yield)
{
    struct timespec now;

    if (!yield->allowed) {
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!riad_ring_yield_decide(yield,
                (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000, read_waited)) {
        return;
    }
    if (become(yield->yielding ? SCHED_OTHER : SCHED_IDLE) < 0) {
        yield->allowed = false; /* it stays what it is */
        return;
    }
    yield->yielding = !yield->yielding;
}
