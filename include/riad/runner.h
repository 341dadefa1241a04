/* Layer base. Many jobs that are idle nearly always, by few threads.
 *
 * A job is a function that is called again and again: a while after each poke, and a period after
 * its last round ended. A job's rounds never overlap. No job waits for another one, however long
 * its round takes: one thread only watches for what is due, and starts another where those that
 * are there are busy for milliseconds. Threads with nothing to do leave after some seconds. */
#ifndef RIAD_RUNNER_H
#define RIAD_RUNNER_H

#include "riad/types.h"

struct riad_runner;
struct riad_job;

struct riad_job_config {
    void (*round)(void *context); /* may take any time; must not free its own job */
    void *context;
    uint64_t period_ms; /* 0: only when poked */
    uint64_t delay_ms;  /* between a poke and the round, to gather more */
};

/* -ENOMEM. */
int riad_runner_new(struct riad_runner **ret) RIAD_MUST_CHECK;
/* When all its jobs are freed: waits for the threads. NULL is allowed. */
void riad_runner_free(struct riad_runner *runner);
/* Threads that live now. */
unsigned riad_runner_threads(struct riad_runner *runner);

/* It sleeps. -ENOMEM; -EAGAIN no thread can be started. Any thread, as all that follow. */
int riad_job_new(struct riad_runner *runner, const struct riad_job_config *config,
        struct riad_job **ret) RIAD_MUST_CHECK;
/* Its period begins. */
void riad_job_start(struct riad_job *job);
/* A round begins delay_ms from the first poke since the last round began; one more follows a round
 * that runs now. Takes no lock but the runner's, for a moment. */
void riad_job_poke(struct riad_job *job);
/* Waits until the round that runs has ended; none begins after, whatever is called. NULL is
 * allowed. */
void riad_job_stop(struct riad_job *job);
/* Stops it, too. NULL is allowed. */
void riad_job_free(struct riad_job *job);

#endif
