/* Threads that may wait: they finish what a ring's threads must not (a cold read, a sync). Started
 * when there is work and nobody idle, up to a bound; an idle one leaves after some seconds. */
#ifndef RIAD_POOL_PRIV_H
#define RIAD_POOL_PRIV_H

#include "riad/types.h"

struct riad_pool;

struct riad_pool_config {
    unsigned threads;  /* at most */
    unsigned capacity; /* items that may be put before they are worked on */
    void (*work)(void *context, void *item);
    void *context;
};

/* -ENOMEM. */
int riad_pool_new(const struct riad_pool_config *config, struct riad_pool **ret) RIAD_MUST_CHECK;
/* Waits until all is done, then for the threads. No other thread is in any call. NULL is allowed.
 */
void riad_pool_free(struct riad_pool *pool);
/* Any thread. -EAGAIN: nobody will take it, as no thread can be started, or above the capacity. */
int riad_pool_put(struct riad_pool *pool, void *item) RIAD_MUST_CHECK;

#endif
