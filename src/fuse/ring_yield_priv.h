/* Where a client goes on after its reply. If the processor that it slept on is busy, the kernel
 * wakes it on another one that is idle (select_idle_sibling in kernel/sched/fair.c); and busy it
 * is: with the ring's thread, which is just replying. So the client changes its processor with each
 * request, and each time one must be woken from its halt, which takes longer than all of riad's
 * own work. A processor counts as idle while it runs SCHED_IDLE threads only. So a ring's thread
 * that has one request after the other becomes such a thread: its clients stay where they are. When
 * it then has to wait for somebody else who computes there, it is an ordinary thread again, for a
 * while.
 *
 * A thread's own object, no locks. */
#ifndef RIAD_RING_YIELD_PRIV_H
#define RIAD_RING_YIELD_PRIV_H

#include "riad/types.h"

enum {
    RIAD_YIELD_AFTER = 64,       /* requests, each soon after the one before */
    RIAD_YIELD_SOON_US = 1000,   /* that is soon */
    RIAD_YIELD_WAIT_US = 2000,   /* a wait for others: its own clients take 10 us a request */
    RIAD_YIELD_REST_US = 100000, /* ordinary for so long after waiting; idle so long is over */
};

struct riad_ring_yield {
    bool allowed;
    bool yielding;
    int waits_fd;       /* the thread's schedstat; -1: not open */
    unsigned quick;     /* requests that came soon, without a pause or a look at the waits */
    uint64_t last_us;   /* when the last one came */
    uint64_t until_us;  /* no yielding before */
    uint64_t waited_us; /* for the processor, in all, when this was last asked */
};

/* Whether a thread of this process may become SCHED_IDLE and ordinary again: that takes
 * CAP_SYS_NICE or RLIMIT_NICE (setrlimit(2)). Tried by a thread made for it. */
bool riad_ring_may_yield(void);
/* For the thread that calls it. allowed: what riad_ring_may_yield said. */
void riad_ring_yield_init(struct riad_ring_yield *yield, bool allowed);
void riad_ring_yield_done(struct riad_ring_yield *yield);
/* After each request: becomes one or the other, if it is time. */
void riad_ring_yield(struct riad_ring_yield *yield);

/* The decision alone, at a given time; waited tells the microseconds that the thread has waited for
 * its processor so far, and is asked only where this matters. True: the other kind of thread. */
bool riad_ring_yield_decide(struct riad_ring_yield *yield, uint64_t now_us,
        uint64_t (*waited)(const struct riad_ring_yield *yield));

#endif
