/* The threads of a ring, and what they share. */
#ifndef RIAD_RING_THREAD_PRIV_H
#define RIAD_RING_THREAD_PRIV_H

#include <pthread.h>

#include "ring_entry_priv.h"

enum ring_phase { PREPARING, REGISTERING, ABANDONED };

struct ring_thread {
    struct riad_ring *ring;
    pthread_t id;
    unsigned number;
    struct io_uring io;
    int wake;            /* eventfd: entries were returned */
    uint64_t wake_count; /* where its value is read to */
    unsigned alive;      /* entries that the kernel knows; the thread's own */

    pthread_mutex_t lock; /* guards what follows */
    struct riad_ring_entry *returned;
};

struct riad_ring {
    struct riad_ring_config config;
    unsigned queues; /* one for each processor that there could be: the kernel wants all */
    unsigned depth;
    unsigned count; /* of threads */
    bool may_yield; /* ring_yield_priv.h */
    struct riad_ring_entry *entries;
    uint8_t *memory;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    enum ring_phase phase;
    unsigned reports; /* threads done with the phase */
    int error;        /* the first */

    struct ring_thread threads[];
};

/* The body of a ring's thread; argument is its struct ring_thread. It reports twice: when it is
 * prepared, and, unless the ring is abandoned, when its entries are registered. */
void *riad_ring_thread_run(void *argument);

#endif
