#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/thread.h"

#include "ring_place_priv.h"

static int become(int policy)
{
    const struct sched_param none = { 0 };

    return sched_getscheduler(0) == policy ? 0 : sched_setscheduler(0, policy, &none);
}

static void *try_both(void *argument)
{
    bool *ret = argument;

    *ret = sched_getscheduler(0) == SCHED_OTHER && become(SCHED_IDLE) == 0 &&
           become(SCHED_OTHER) == 0;
    return NULL;
}

bool riad_ring_may_idle(void)
{
    pthread_t thread;
    bool may = false;

    if (pthread_create(&thread, NULL, try_both, &may) != 0) {
        return false;
    }
    pthread_join(thread, NULL);
    return may;
}

/* To its processor, or to the others of the process. */
static int run_on(unsigned processor, bool others)
{
    cpu_set_t all, set;

    if (sched_getaffinity(getpid(), sizeof all, &all) < 0 || !CPU_ISSET(processor, &all)) {
        return -1;
    }
    CPU_ZERO(&set);
    if (others) {
        set = all;
        CPU_CLR(processor, &set);
    } else {
        CPU_SET(processor, &set);
    }
    return CPU_COUNT(&set) == 0 ? -1 : sched_setaffinity(0, sizeof set, &set);
}

void riad_ring_place_init(struct riad_ring_place *place, unsigned processor, enum riad_place chosen)
{
    *place = (struct riad_ring_place){ .processor = processor, .waits_fd = -1 };
    /* Where the processor is not ours to run on the thread runs anywhere. */
    if (run_on(processor, false) < 0) {
        return;
    }
    place->waits_fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
    if (place->waits_fd >= 0) { /* else it would wait, and not know */
        place->chosen = chosen;
    }
}

void riad_ring_place_done(struct riad_ring_place *place)
{
    riad_close_fd(&place->waits_fd);
}

/* The second number: ns on a run queue (Documentation/scheduler/sched-stats.rst). */
static uint64_t read_waited(const struct riad_ring_place *place)
{
    unsigned long long ran, waited;
    char text[96] = "";

    if (pread(place->waits_fd, text, sizeof text - 1, 0) < 0 ||
            sscanf(text, "%llu %llu", &ran, &waited) != 2) {
        return place->waited_us + RIAD_PLACE_WAIT_US; /* not known: be careful */
    }
    return waited / 1000;
}

/* Between requests a thread beside its clients waits for them to run, so the look before must not
 * be long ago. */
static bool had_to_wait(struct riad_ring_place *place, uint64_t pause_us,
        uint64_t (*waited)(const struct riad_ring_place *place))
{
    uint64_t before = place->waited_us;

    if (pause_us < RIAD_PLACE_SOON_US && ++place->quick < RIAD_PLACE_AFTER) {
        return false;
    }
    place->quick = 0;
    place->waited_us = waited(place);
    return pause_us >= RIAD_PLACE_SOON_US && place->waited_us - before >= RIAD_PLACE_WAIT_US;
}

/* Beside its clients a thread is only while they have one request after the other: others that
 * compute there would come before it. */
static bool has_begun(struct riad_ring_place *place, uint64_t now_us, uint64_t pause_us,
        uint64_t (*waited)(const struct riad_ring_place *place))
{
    place->quick = pause_us < RIAD_PLACE_SOON_US ? place->quick + 1 : 0;
    if (now_us < place->until_us ||
            (place->chosen == RIAD_PLACE_BESIDE && place->quick < RIAD_PLACE_AFTER)) {
        return false;
    }
    place->quick = 0;
    place->waited_us = waited(place);
    return true;
}

enum riad_place riad_ring_place_decide(struct riad_ring_place *place, uint64_t now_us,
        uint64_t (*waited)(const struct riad_ring_place *place))
{
    uint64_t pause_us = now_us - place->last_us;

    place->last_us = now_us;
    if (place->at == RIAD_PLACE_ORDINARY) {
        return has_begun(place, now_us, pause_us, waited) ? place->chosen : RIAD_PLACE_ORDINARY;
    }
    if (had_to_wait(place, pause_us, waited)) {
        place->until_us = now_us + RIAD_PLACE_REST_US;
        return RIAD_PLACE_ORDINARY;
    }
    return place->at == RIAD_PLACE_BESIDE && pause_us >= RIAD_PLACE_REST_US ? RIAD_PLACE_ORDINARY
                                                                            : place->at;
}

static int move(const struct riad_ring_place *place, enum riad_place to)
{
    int r = become(to == RIAD_PLACE_BESIDE ? SCHED_IDLE : SCHED_OTHER);

    return r < 0 ? r : run_on(place->processor, to == RIAD_PLACE_ACROSS);
}

void riad_ring_place(struct riad_ring_place *place)
{
    enum riad_place to;

    if (place->chosen == RIAD_PLACE_ORDINARY) {
        return;
    }
    to = riad_ring_place_decide(place, riad_now_ns() / 1000, read_waited);
    if (to == place->at) {
        return;
    }
    if (move(place, to) < 0) {
        place->chosen = RIAD_PLACE_ORDINARY; /* it stays what it is */
    }
    place->at = to;
}
