/* The threads of an open workspace: batch commit, shipping, sync, heartbeat, upkeep. */
#include <signal.h>
#include <stdlib.h>

#include "lifecycle_priv.h"

/* Pages of the index that several changes touch are written once a batch; what is not committed is
 * replayed from the log. */
enum { WORKERS = 5, BATCH_MS = 25 };

struct worker {
    void (*round)(struct riad_workspace *workspace);
    struct riad_workspace *workspace;
    struct riad_background *background;
    uint64_t period_ms; /* 0: only when poked */
    uint64_t delay_ms;  /* between a poke and the round, to gather more */
    pthread_t thread;
    pthread_cond_t wake;
    bool poked; /* background's lock */
};

enum worker_index { WORKER_BATCH, WORKER_SHIP, WORKER_SYNC, WORKER_BEAT, WORKER_UPKEEP };

struct riad_background {
    struct worker workers[WORKERS];
    size_t started;
    pthread_mutex_t lock; /* guards poked, rounds, stopping; innermost */
    pthread_cond_t synced;
    uint64_t sync_rounds;
    bool stopping;
};

static struct timespec monotonic_in(uint64_t milliseconds)
{
    struct timespec at = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(milliseconds / 1000);
    at.tv_nsec += (long)(milliseconds % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

/* Waits for the worker's next round; false: the workspace is being closed. */
static bool rest(struct worker *worker)
{
    struct riad_background *background = worker->background;
    struct timespec until = monotonic_in(worker->period_ms);
    bool go_on;
    int r = 0;

    pthread_mutex_lock(&background->lock);
    while (!background->stopping && !worker->poked && r != ETIMEDOUT) {
        if (worker->period_ms > 0) {
            r = pthread_cond_timedwait(&worker->wake, &background->lock, &until);
        } else {
            pthread_cond_wait(&worker->wake, &background->lock);
        }
    }
    worker->poked = false;
    go_on = !background->stopping;
    pthread_mutex_unlock(&background->lock);
    return go_on;
}

static void *run(void *argument)
{
    struct worker *worker = argument;
    struct riad_background *background = worker->background;

    while (rest(worker)) {
        if (worker->delay_ms > 0) {
            riad_sleep_ms(worker->delay_ms);
        }
        worker->round(worker->workspace);
        pthread_mutex_lock(&background->lock);
        if (worker == &background->workers[WORKER_SYNC]) {
            background->sync_rounds++;
            pthread_cond_broadcast(&background->synced);
        }
        pthread_mutex_unlock(&background->lock);
    }
    return NULL;
}

static void poke(struct riad_background *background, enum worker_index index)
{
    struct worker *worker = &background->workers[index];

    if (!worker->poked) {
        worker->poked = true;
        pthread_cond_signal(&worker->wake);
    }
}

static void poke_worker(struct riad_workspace *workspace, enum worker_index index)
{
    struct riad_background *background = workspace->background;

    if (background) {
        pthread_mutex_lock(&background->lock);
        poke(background, index);
        pthread_mutex_unlock(&background->lock);
    }
}

void riad_background_changed(struct riad_workspace *workspace)
{
    poke_worker(workspace, WORKER_BATCH);
}

void riad_background_ship(struct riad_workspace *workspace)
{
    poke_worker(workspace, WORKER_SHIP);
}

void riad_background_wait_synced(struct riad_workspace *workspace)
{
    struct riad_background *background = workspace->background;
    struct timespec until = monotonic_in(100);
    uint64_t round;
    int r = 0;

    pthread_mutex_lock(&background->lock);
    round = background->sync_rounds;
    poke(background, WORKER_SYNC);
    while (round == background->sync_rounds && !background->stopping && r != ETIMEDOUT) {
        r = pthread_cond_timedwait(&background->synced, &background->lock, &until);
    }
    pthread_mutex_unlock(&background->lock);
}

bool riad_background_stopping(struct riad_workspace *workspace)
{
    struct riad_background *background = workspace->background;
    bool stopping;

    if (!background) {
        return false;
    }
    pthread_mutex_lock(&background->lock);
    stopping = background->stopping;
    pthread_mutex_unlock(&background->lock);
    return stopping;
}

static int init_condition(pthread_cond_t *condition)
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

static int prepare(struct riad_workspace *workspace, struct riad_background *background)
{
    uint64_t beat_ms = riad_lease_period(workspace) / 1000000;
    const struct worker plan[WORKERS] = {
        [WORKER_BATCH] = { .round = riad_batch_round, .delay_ms = BATCH_MS },
        [WORKER_SHIP] = { .round = riad_ship_round },
        [WORKER_SYNC] = { .round = riad_sync_round, .period_ms = 1000 },
        [WORKER_BEAT] = { .round = riad_beat_round, .period_ms = beat_ms < 1000 ? beat_ms : 1000 },
        [WORKER_UPKEEP] = { .round = riad_upkeep_round, .period_ms = 2000 },
    };
    int r = -pthread_mutex_init(&background->lock, NULL);

    if (r >= 0) {
        r = init_condition(&background->synced);
    }
    for (size_t i = 0; i < WORKERS && r >= 0; i++) {
        struct worker *worker = &background->workers[i];

        *worker = plan[i];
        worker->workspace = workspace;
        worker->background = background;
        r = init_condition(&worker->wake);
    }
    return r;
}

/* Signals are the process's own business: none is taken by these threads. */
static int start_workers(struct riad_background *background)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    r = -pthread_sigmask(SIG_SETMASK, &all, &before);
    while (r >= 0 && background->started < WORKERS) {
        struct worker *worker = &background->workers[background->started];

        r = -pthread_create(&worker->thread, NULL, run, worker);
        if (r >= 0) {
            background->started++;
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int riad_background_start(struct riad_workspace *workspace)
{
    struct riad_background *background = calloc(1, sizeof *background);
    int r;

    if (!background) {
        return -ENOMEM;
    }
    r = prepare(workspace, background);
    if (r < 0) {
        free(background);
        return r;
    }
    workspace->background = background;
    r = start_workers(background);
    if (r < 0) {
        riad_background_stop(workspace);
        return r;
    }
    riad_background_changed(workspace); /* extents of removed inodes may wait to be reaped */
    return 0;
}

static void destroy(struct riad_background *background)
{
    for (size_t i = 0; i < WORKERS; i++) {
        pthread_cond_destroy(&background->workers[i].wake);
    }
    pthread_cond_destroy(&background->synced);
    pthread_mutex_destroy(&background->lock);
    free(background);
}

void riad_background_stop(struct riad_workspace *workspace)
{
    struct riad_background *background = workspace->background;

    if (!background) {
        return;
    }
    pthread_mutex_lock(&background->lock);
    background->stopping = true;
    for (size_t i = 0; i < WORKERS; i++) {
        pthread_cond_signal(&background->workers[i].wake);
    }
    pthread_cond_broadcast(&background->synced);
    pthread_mutex_unlock(&background->lock);
    for (size_t i = 0; i < background->started; i++) {
        pthread_join(background->workers[i].thread, NULL);
    }
    workspace->background = NULL;
    destroy(background);
}
