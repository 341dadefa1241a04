#include "riad/runner.h"

#include <stdlib.h>
#include <time.h>

#include "riad/error.h"
#include "riad/thread.h"

#include "heap_priv.h"

/* A job that is due is taken by a thread that ends a round or is idle; where that takes TICK_MS, by
 * one that is started for it. Rounds are short nearly always. */
enum { IDLE_MS = 5000, TICK_MS = 2 };
#define NEVER UINT64_MAX

struct riad_runner {
    pthread_mutex_t lock; /* guards what follows, and all jobs; innermost */
    pthread_cond_t due;   /* the watch waits for the next job's time */
    pthread_cond_t work;  /* idle threads wait for a job that is due */
    pthread_cond_t ended; /* a round or a thread */
    struct riad_heap heap;
    uint64_t watched_ms;       /* until when the watch waits; 0: it does not */
    unsigned threads, workers; /* all; those but the watch */
    unsigned idle, jobs;
    bool closing;
};

struct riad_job {
    struct riad_heap_item item; /* first: its due time, while it waits */
    struct riad_runner *runner;
    struct riad_job_config config;
    bool waiting; /* in the heap */
    bool running, poked, stopped;
};

static uint64_t now_ms(void)
{
    return riad_now_ns() / 1000000;
}

/* (lock) ETIMEDOUT once it is over. */
static int wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t until_ms)
{
    struct timespec until = { .tv_sec = (time_t)(until_ms / 1000),
        .tv_nsec = (long)(until_ms % 1000) * 1000000 };

    if (until_ms == NEVER) {
        return pthread_cond_wait(condition, lock);
    }
    return pthread_cond_timedwait(condition, lock, &until);
}

/* (lock) */
static uint64_t next_due(const struct riad_runner *runner)
{
    const struct riad_heap_item *first = riad_heap_first(&runner->heap);

    return first ? first->key : NEVER;
}

/* (lock) */
static void schedule(struct riad_job *job, uint64_t due_ms)
{
    struct riad_runner *runner = job->runner;

    if (job->waiting && job->item.key <= due_ms) {
        return;
    }
    if (job->waiting) {
        riad_heap_remove(&runner->heap, &job->item);
    }
    job->item.key = due_ms;
    riad_heap_add(&runner->heap, &job->item);
    job->waiting = true;
    if (due_ms < runner->watched_ms) {
        pthread_cond_signal(&runner->due);
    }
}

/* (lock) The job whose time has come, taken from the heap; NULL: none yet. */
static struct riad_job *take_due(struct riad_runner *runner)
{
    struct riad_job *job = (struct riad_job *)riad_heap_first(&runner->heap);

    if (!job || job->item.key > now_ms()) {
        return NULL;
    }
    riad_heap_remove(&runner->heap, &job->item);
    job->waiting = false;
    job->running = true;
    job->poked = false;
    return job;
}

/* (lock, which is let go for the round) */
static void run_round(struct riad_runner *runner, struct riad_job *job)
{
    pthread_mutex_unlock(&runner->lock);
    job->config.round(job->config.context);
    pthread_mutex_lock(&runner->lock);
    job->running = false;
    if (job->stopped) {
        pthread_cond_broadcast(&runner->ended);
    } else if (job->poked) {
        schedule(job, now_ms() + job->config.delay_ms);
    } else if (job->config.period_ms > 0) {
        schedule(job, now_ms() + job->config.period_ms);
    }
}

/* (lock) False: for some seconds there was nothing to do. */
static bool await_work(struct riad_runner *runner)
{
    uint64_t until = now_ms() + IDLE_MS;
    int r = 0;

    runner->idle++;
    while (!runner->closing && next_due(runner) > now_ms() && r != ETIMEDOUT) {
        r = wait_until(&runner->work, &runner->lock, until);
    }
    runner->idle--;
    return r != ETIMEDOUT;
}

/* (lock) */
static void leave(struct riad_runner *runner)
{
    runner->threads--;
    pthread_cond_broadcast(&runner->ended);
}

static void *work(void *argument)
{
    struct riad_runner *runner = argument;
    bool stay = true;

    pthread_mutex_lock(&runner->lock);
    while (stay && !runner->closing) {
        struct riad_job *job = take_due(runner);

        if (job) {
            run_round(runner, job);
        } else {
            stay = await_work(runner);
        }
    }
    runner->workers--;
    leave(runner);
    pthread_mutex_unlock(&runner->lock);
    return NULL;
}

/* (lock) */
static int start_worker(struct riad_runner *runner)
{
    int r = riad_thread_start("riad-jobs", work, runner, NULL);

    runner->threads += r >= 0;
    runner->workers += r >= 0;
    return r;
}

/* (lock) A job is due. Where no thread can be started it waits for the end of a round. */
static void find_worker(struct riad_runner *runner)
{
    int r = 0;

    if (runner->idle > 0) {
        pthread_cond_signal(&runner->work);
    } else if (runner->workers == 0 || next_due(runner) + TICK_MS <= now_ms()) {
        r = start_worker(runner);
    }
    (void)r;
}

static void *watch(void *argument)
{
    struct riad_runner *runner = argument;

    pthread_mutex_lock(&runner->lock);
    while (!runner->closing) {
        uint64_t now = now_ms();

        runner->watched_ms = next_due(runner);
        if (runner->watched_ms <= now) {
            find_worker(runner);
            runner->watched_ms = now + TICK_MS;
        }
        (void)wait_until(&runner->due, &runner->lock, runner->watched_ms);
        runner->watched_ms = 0;
    }
    leave(runner);
    pthread_mutex_unlock(&runner->lock);
    return NULL;
}

static int init_conditions(struct riad_runner *runner)
{
    pthread_cond_t *const conditions[] = { &runner->due, &runner->work, &runner->ended };
    int r = 0, made = 0;

    while (r >= 0 && made < (int)(sizeof conditions / sizeof conditions[0])) {
        r = riad_condition_init(conditions[made]);
        made += r >= 0;
    }
    for (; r < 0 && made > 0; made--) {
        pthread_cond_destroy(conditions[made - 1]);
    }
    return r;
}

int riad_runner_new(struct riad_runner **ret)
{
    struct riad_runner *runner = calloc(1, sizeof *runner);
    int r;

    if (!runner) {
        return -ENOMEM;
    }
    r = init_conditions(runner);
    if (r < 0) {
        free(runner);
        return r;
    }
    pthread_mutex_init(&runner->lock, NULL);
    *ret = runner;
    return 0;
}

/* Detached threads touch the runner until they let the lock go for the last time. */
void riad_runner_free(struct riad_runner *runner)
{
    if (!runner) {
        return;
    }
    pthread_mutex_lock(&runner->lock);
    runner->closing = true;
    pthread_cond_broadcast(&runner->due);
    pthread_cond_broadcast(&runner->work);
    while (runner->threads > 0) {
        pthread_cond_wait(&runner->ended, &runner->lock);
    }
    pthread_mutex_unlock(&runner->lock);
    riad_heap_done(&runner->heap);
    pthread_cond_destroy(&runner->due);
    pthread_cond_destroy(&runner->work);
    pthread_cond_destroy(&runner->ended);
    pthread_mutex_destroy(&runner->lock);
    free(runner);
}

unsigned riad_runner_threads(struct riad_runner *runner)
{
    unsigned threads;

    pthread_mutex_lock(&runner->lock);
    threads = runner->threads;
    pthread_mutex_unlock(&runner->lock);
    return threads;
}

/* (lock) */
static int admit(struct riad_runner *runner)
{
    int r = riad_heap_reserve(&runner->heap, runner->jobs + 1);

    if (r >= 0 && runner->threads == 0) {
        r = riad_thread_start("riad-watch", watch, runner, NULL);
        runner->threads += r >= 0;
    }
    runner->jobs += r >= 0;
    return r;
}

int riad_job_new(
        struct riad_runner *runner, const struct riad_job_config *config, struct riad_job **ret)
{
    struct riad_job *job = calloc(1, sizeof *job);
    int r;

    if (!job) {
        return -ENOMEM;
    }
    job->runner = runner;
    job->config = *config;
    pthread_mutex_lock(&runner->lock);
    r = admit(runner);
    pthread_mutex_unlock(&runner->lock);
    if (r < 0) {
        free(job);
        return r;
    }
    *ret = job;
    return 0;
}

void riad_job_start(struct riad_job *job)
{
    struct riad_runner *runner = job->runner;

    pthread_mutex_lock(&runner->lock);
    if (job->config.period_ms > 0 && !job->running && !job->stopped) {
        schedule(job, now_ms() + job->config.period_ms);
    }
    pthread_mutex_unlock(&runner->lock);
}

void riad_job_poke(struct riad_job *job)
{
    struct riad_runner *runner = job->runner;

    pthread_mutex_lock(&runner->lock);
    if (!job->poked && !job->stopped) {
        job->poked = true;
        if (!job->running) {
            schedule(job, now_ms() + job->config.delay_ms);
        }
    }
    pthread_mutex_unlock(&runner->lock);
}

void riad_job_stop(struct riad_job *job)
{
    struct riad_runner *runner = job ? job->runner : NULL;

    if (!job) {
        return;
    }
    pthread_mutex_lock(&runner->lock);
    job->stopped = true;
    if (job->waiting) {
        riad_heap_remove(&runner->heap, &job->item);
        job->waiting = false;
    }
    while (job->running) {
        pthread_cond_wait(&runner->ended, &runner->lock);
    }
    pthread_mutex_unlock(&runner->lock);
}

void riad_job_free(struct riad_job *job)
{
    if (!job) {
        return;
    }
    riad_job_stop(job);
    pthread_mutex_lock(&job->runner->lock);
    job->runner->jobs--;
    pthread_mutex_unlock(&job->runner->lock);
    free(job);
}
