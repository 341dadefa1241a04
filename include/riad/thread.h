/* Layer base. Starting threads, and waiting by the clock.
 *
 * Threads that take nothing over from whoever starts them: all signals are blocked in
 * them, they may run on the processors of the process's first thread, under the ordinary policy. A
 * thread that is pinned to a processor, or has become SCHED_IDLE, would pass that on. */
#ifndef RIAD_THREAD_H
#define RIAD_THREAD_H

#include <pthread.h>

#include "riad/types.h"

/* name: at most 15 bytes, as ps(1) shows it; it stays. ret_thread: to be joined; NULL: detached.
 * Any thread. -EAGAIN, -ENOMEM. */
int riad_thread_start(const char *name, void *(*run)(void *argument), void *argument,
        pthread_t *ret_thread) RIAD_MUST_CHECK;

/* ns of CLOCK_MONOTONIC. */
uint64_t riad_now_ns(void);
/* A lock that is held for microseconds at a time, by threads of several processors: who waits spins
 * for a moment before it sleeps. -ENOMEM, -EAGAIN. */
int riad_spinning_lock_init(pthread_mutex_t *lock) RIAD_MUST_CHECK;
/* A condition whose timed waits go by CLOCK_MONOTONIC. -ENOMEM, -EAGAIN. */
int riad_condition_init(pthread_cond_t *condition) RIAD_MUST_CHECK;

#endif
