/* Where a ring's thread runs while its clients have one request after the other. The kernel's usual
 * way is the slowest: the thread answers on the processor that its client sleeps on, which is busy
 * then, so the kernel wakes the client on another one (select_idle_sibling in kernel/sched/fair.c);
 * and with each request both processors change, and caches with them. There are two better ways:
 *
 * - beside the client, on the same processor, as a SCHED_IDLE thread: a processor counts as idle
 *   while it runs such threads only, so the client stays. No processor is ever woken from its halt.
 * - across: on another processor, where it lingers a little for the next request before it sleeps.
 *   No thread takes another's place, and both have their caches. It stays there, as its clients
 *   would leave a processor that it comes to.
 *
 * The second is faster where waking a halted processor costs little more than changing threads,
 * which riad_ring_choose measures: on one machine the first took 0.65 of the usual way, on another
 * the second 0.7 and the first 0.95.
 *
 * When a thread that does either has to wait for somebody else who computes there, it is an
 * ordinary thread again, for a while. A thread's own object, no locks. */
#ifndef RIAD_RING_PLACE_PRIV_H
#define RIAD_RING_PLACE_PRIV_H

#include "riad/types.h"

enum {
    RIAD_PLACE_AFTER = 64,       /* requests, each soon after the one before */
    RIAD_PLACE_SOON_US = 1000,   /* that is soon */
    RIAD_PLACE_WAIT_US = 2000,   /* a wait for others: its own clients take 10 us a request */
    RIAD_PLACE_REST_US = 100000, /* ordinary for so long after waiting; idle so long is over */
};

enum riad_place { RIAD_PLACE_ORDINARY, RIAD_PLACE_BESIDE, RIAD_PLACE_ACROSS };

struct riad_ring_place {
    unsigned processor;     /* its queue's */
    enum riad_place chosen; /* ordinary once it was refused */
    enum riad_place at;
    int waits_fd;       /* the thread's schedstat; -1: not open */
    unsigned quick;     /* requests that came soon, without a pause or a look at the waits */
    uint64_t last_us;   /* when the last one came */
    uint64_t until_us;  /* nothing but ordinary before */
    uint64_t waited_us; /* for the processor, in all, when this was last asked */
};

/* Whether a thread of this process may become SCHED_IDLE and ordinary again: that takes
 * CAP_SYS_NICE or RLIMIT_NICE (setrlimit(2)). Tried by a thread made for it. */
bool riad_ring_may_idle(void);
/* Where busy threads of this process should run; may_idle: what riad_ring_may_idle said. Takes some
 * 20 ms, in threads made for it. */
enum riad_place riad_ring_choose(bool may_idle);
/* For the thread that calls it, which is put on that processor if it is the process's. chosen: what
 * riad_ring_choose said. */
void riad_ring_place_init(
        struct riad_ring_place *place, unsigned processor, enum riad_place chosen);
void riad_ring_place_done(struct riad_ring_place *place);
/* After each request: moves the thread, if it is time. */
void riad_ring_place(struct riad_ring_place *place);

/* The decision alone, at a given time; waited tells the microseconds that the thread has waited for
 * its processor so far, and is asked only where this matters. */
enum riad_place riad_ring_place_decide(struct riad_ring_place *place, uint64_t now_us,
        uint64_t (*waited)(const struct riad_ring_place *place));

#endif
