/* How many threads serve one device: few while requests are answered at once, more while some are
 * slow.
 *
 * The kernel wakes waiting readers in turn. The fewer there are the hotter they stay, which halves
 * the time of metadata work; but with few, two slow requests (fsync, a cold read) would hold up all
 * others. So `base` threads serve and the others are parked; a watch lets one more go when it sees,
 * twice in a row, requests waiting and nobody reading. Surplus threads park again by themselves.
 *
 * One thread at a time lingers: it asks for the next request for 50 us before it sleeps, as waking
 * it would take the kernel about as long; not where that was in vain lately. */
#ifndef RIAD_CREW_PRIV_H
#define RIAD_CREW_PRIV_H

#include "riad/types.h"

struct riad_crew;

/* For `threads` threads on a device that poll(2) calls readable when requests wait; base is at
 * least 1 and at most threads. The watch is a thread of its own, not started if base is all there
 * are; it inherits the caller's signal mask. -ENOMEM, -EAGAIN. */
int riad_crew_new(
        int device, unsigned base, unsigned threads, struct riad_crew **ret) RIAD_MUST_CHECK;
/* After riad_crew_end, when no thread is in any call. NULL is allowed. */
void riad_crew_free(struct riad_crew *crew);

/* Parks the calling thread until it may serve: true; false once the crew ended. */
bool riad_crew_join(struct riad_crew *crew);
/* Around the read of each request, by threads that serve. The first may linger. */
void riad_crew_reading(struct riad_crew *crew);
void riad_crew_took(struct riad_crew *crew);
/* After a request: true if the calling thread is surplus and has stopped serving; it joins anew. */
bool riad_crew_retire(struct riad_crew *crew);
/* Any thread, any number of times: lets all parked threads and the watch leave. */
void riad_crew_end(struct riad_crew *crew);
/* Threads that may serve now. */
unsigned riad_crew_serving(const struct riad_crew *crew);

#endif
