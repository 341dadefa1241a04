#include "riad/thread.h"

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"

struct start {
    const char *name;
    void *(*run)(void *argument);
    void *argument;
};

/* Best effort: a thread with less to choose from works as well. */
static void become_ordinary(const char *name)
{
    const struct sched_param none = { 0 };
    cpu_set_t processors;

    (void)pthread_setname_np(pthread_self(), name);
    if (sched_getaffinity(getpid(), sizeof processors, &processors) == 0) {
        (void)pthread_setaffinity_np(pthread_self(), sizeof processors, &processors);
    }
    if (sched_getscheduler(0) == SCHED_IDLE) {
        (void)sched_setscheduler(0, SCHED_OTHER, &none);
    }
}

static void *begin(void *argument)
{
    struct start start = *(struct start *)argument;

    free(argument);
    become_ordinary(start.name);
    return start.run(start.argument);
}

static int create(struct start *start, int state, pthread_t *ret)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    int r = -pthread_attr_init(&attributes);

    if (r < 0) {
        return r;
    }
    sigfillset(&all);
    (void)pthread_attr_setdetachstate(&attributes, state);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(ret, &attributes, begin, start);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return r;
}

int riad_thread_start(
        const char *name, void *(*run)(void *argument), void *argument, pthread_t *ret_thread)
{
    struct start *start = malloc(sizeof *start);
    pthread_t detached;
    int r;

    if (!start) {
        return -ENOMEM;
    }
    *start = (struct start){ .name = name, .run = run, .argument = argument };
    r = create(start, ret_thread ? PTHREAD_CREATE_JOINABLE : PTHREAD_CREATE_DETACHED,
            ret_thread ? ret_thread : &detached);
    if (r < 0) {
        free(start);
    }
    return r;
}

uint64_t riad_now_ns(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int riad_condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int r = pthread_condattr_init(&attributes);

    if (r == 0) {
        r = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        if (r == 0) {
            r = pthread_cond_init(condition, &attributes);
        }
        pthread_condattr_destroy(&attributes);
    }
    return -r;
}

int riad_spinning_lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    int r = pthread_mutexattr_init(&attributes);

    if (r == 0) {
        (void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
        r = pthread_mutex_init(lock, &attributes);
        pthread_mutexattr_destroy(&attributes);
    }
    return -r;
}
