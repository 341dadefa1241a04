/* The threads of a ring, and what they share. */
#ifndef RIAD_RING_THREAD_PRIV_H
#define RIAD_RING_THREAD_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "ring_entry_priv.h"
#include "ring_place_priv.h"

struct ring_thread;

/* What a thread shall do for a mount, as only it may submit to its io_uring. Its result is
 * reported. */
struct ring_order {
    struct ring_order *next;
    struct riad_ring_mount *mount;
};

struct ring_thread {
    struct riad_ring *ring;
    pthread_t id;
    unsigned number; /* of its first queue, and so of a processor; also in the name */
    char name[24];
    struct io_uring io;
    int wake;                 /* eventfd: there are orders, or entries were returned, or the end */
    uint64_t wake_count;      /* where its value is read to */
    unsigned misses, skipped; /* of lingering; the thread's own */
    uint8_t *fetched; /* RIAD_WAIT_MAX bytes that nobody looks at: they are in memory then */

    pthread_mutex_t lock; /* guards what follows */
    struct riad_ring_entry *returned;
    struct ring_order *orders;
};

struct riad_ring {
    unsigned queues; /* one for each processor that there could be: the kernel wants all */
    unsigned depth;
    unsigned count;        /* of threads */
    enum riad_place place; /* of busy threads */
    _Atomic bool ended;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    unsigned reports; /* threads that are prepared, or failed */
    int error;        /* the first */

    struct ring_thread threads[];
};

struct riad_ring_mount {
    struct riad_ring *ring;
    struct riad_ring_mount_config config;
    struct riad_ring_entry *entries;
    uint8_t *memory;

    pthread_mutex_t lock; /* guards what follows; innermost */
    pthread_cond_t changed;
    unsigned reports; /* threads that offered their entries */
    int error;        /* the first */
    unsigned alive;   /* entries that the kernel knows */

    struct ring_order orders[]; /* one a thread */
};

/* The body of a ring's thread; argument is its struct ring_thread. Reports to the ring once it is
 * prepared, and works until the ring ends. */
void *riad_ring_thread_run(void *argument);
/* Has the thread offer its entries of order->mount, and report. Any other thread. */
void riad_ring_thread_order(struct ring_thread *thread, struct ring_order *order);

/* ring_mount.c. In the ring's threads: a thread has done what it was ordered; `entries` more are
 * with the kernel. */
void riad_ring_mount_report(struct riad_ring_mount *mount, int result, unsigned entries);
/* The kernel has let an entry go. */
void riad_ring_mount_lost(struct riad_ring_mount *mount);

#endif
