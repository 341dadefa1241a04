/* What the threads of a crew and its devices share. */
#ifndef RIAD_CREW_STATE_PRIV_H
#define RIAD_CREW_STATE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "crew_priv.h"

enum { RIAD_CREW_DEVICES = 4096 };

struct riad_crew_device {
    struct riad_crew *crew;
    struct riad_crew_device_config config;
    uint64_t key; /* in the epoll set: generation and slot, never used again */

    /* crew->lock: */
    unsigned under_way;
    bool resting; /* out of the set: as many requests under way as may be */
    bool gone;    /* out of the set for good */
};

struct riad_crew {
    int set;  /* epoll, of all devices that may be read */
    int stop; /* eventfd in it with key 0: readable from the end on */
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
    pthread_cond_t wake;    /* of the watch */
    pthread_cond_t changed; /* a thread left, or a device has nothing under way */
    unsigned threads, parking;
    unsigned most;   /* threads, by what the devices may have under way */
    unsigned places; /* for parked threads to take */
    bool ended;
    struct riad_crew_device *devices[RIAD_CREW_DEVICES];
    uint32_t generation;
};

/* crew_device.c. The device that an event is of, with one more request under way; NULL: it is gone
 * meanwhile. */
struct riad_crew_device *riad_crew_take(struct riad_crew *crew, uint64_t key);
/* After serve, with its result. */
void riad_crew_give_back(struct riad_crew_device *device, int result);
/* crew.c. The first thread and the watch, if there are none. -EAGAIN, -ENOMEM. (lock) */
int riad_crew_begin(struct riad_crew *crew) RIAD_MUST_CHECK;

#endif
