/* Threads that serve many devices, of one mount each: few while requests are answered at once, more
 * while some are slow.
 *
 * The kernel wakes waiting readers in turn. The fewer there are the hotter they stay, which halves
 * the time of metadata work; but with few, two slow requests (fsync, a cold read) would hold up all
 * others. So one thread serves; a watch lets one more go when it sees, twice in a row, requests
 * waiting and nobody reading. Surplus threads park, and leave after some seconds. A device has at
 * most so many requests under way as it was added with, so that a mount whose store hangs leaves
 * threads to the others.
 *
 * One thread at a time lingers: it asks for the next request for 50 us before it sleeps, as waking
 * it would take the kernel about as long; not where that was in vain lately. */
#ifndef RIAD_CREW_PRIV_H
#define RIAD_CREW_PRIV_H

#include "riad/types.h"

struct riad_crew;
struct riad_crew_device;

struct riad_crew_device_config {
    int fd;        /* readable by poll(2) when requests wait, read without blocking; borrowed */
    unsigned most; /* requests under way at a time, at least 1 */
    /* Reads one request, if it is still there, and works on it. 0; 1 or a negative error: the
     * device has ended. Any of the crew's threads, several at a time. */
    int (*serve)(void *context);
    /* Once, after the last return of serve. */
    void (*ended)(void *context);
    void *context;
};

/* No threads yet. -ENOMEM, -EMFILE. */
int riad_crew_new(struct riad_crew **ret) RIAD_MUST_CHECK;
/* When all devices are removed: waits for the threads. NULL is allowed. */
void riad_crew_free(struct riad_crew *crew);
/* From now on it is served. -ENOMEM, -EAGAIN no thread can be started, -ENOSPC too many devices. */
int riad_crew_add(struct riad_crew *crew, const struct riad_crew_device_config *config,
        struct riad_crew_device **ret) RIAD_MUST_CHECK;
/* Takes it from the crew, waits until no serve of it runs, and frees it; `ended` was called, or
 * never is. Not by a thread that serves it. NULL is allowed. */
void riad_crew_remove(struct riad_crew_device *device);
/* Threads that may serve now. */
unsigned riad_crew_serving(const struct riad_crew *crew);

#endif
