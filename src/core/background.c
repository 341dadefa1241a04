/* The jobs of an open workspace: batch commit, shipping, sync, heartbeat, upkeep. */
#include <stdlib.h>

#include "riad/runner.h"
#include "riad/thread.h"

#include "lifecycle_priv.h"

/* Pages of the index that several changes touch are written once a batch; what is not committed is
 * replayed from the log. */
enum { JOBS = 5, BATCH_MS = 25 };

enum job_index { JOB_BATCH, JOB_SHIP, JOB_SYNC, JOB_BEAT, JOB_UPKEEP };

struct riad_background {
    struct riad_runner *runner;
    bool own_runner;
    struct riad_job *jobs[JOBS];
    pthread_mutex_t lock; /* guards what follows; innermost but for the runner's */
    pthread_cond_t synced;
    uint64_t sync_rounds;
    bool stopping;
};

static void poke(struct riad_workspace *workspace, enum job_index index)
{
    struct riad_background *background = workspace->background;

    if (background) {
        riad_job_poke(background->jobs[index]);
    }
}

void riad_background_changed(struct riad_workspace *workspace)
{
    poke(workspace, JOB_BATCH);
}

void riad_background_upkeep(struct riad_workspace *workspace)
{
    poke(workspace, JOB_UPKEEP);
}

void riad_background_ship(struct riad_workspace *workspace)
{
    poke(workspace, JOB_SHIP);
}

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

void riad_background_wait_synced(struct riad_workspace *workspace)
{
    struct riad_background *background = workspace->background;
    struct timespec until = monotonic_in(100);
    uint64_t round;
    int r = 0;

    pthread_mutex_lock(&background->lock);
    round = background->sync_rounds;
    riad_job_poke(background->jobs[JOB_SYNC]);
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

static void batch_round(void *context)
{
    riad_batch_round(context);
}

static void ship_round(void *context)
{
    riad_ship_round(context);
}

static void sync_round(void *context)
{
    struct riad_workspace *workspace = context;
    struct riad_background *background = workspace->background;

    riad_sync_round(workspace);
    pthread_mutex_lock(&background->lock);
    background->sync_rounds++;
    pthread_cond_broadcast(&background->synced);
    pthread_mutex_unlock(&background->lock);
}

static void beat_round(void *context)
{
    riad_beat_round(context);
}

static void upkeep_round(void *context)
{
    riad_upkeep_round(context);
}

static int make_jobs(struct riad_workspace *workspace, struct riad_background *background)
{
    uint64_t beat_ms = riad_lease_period(workspace) / 1000000;
    struct riad_job_config plan[JOBS] = {
        [JOB_BATCH] = { .round = batch_round, .delay_ms = BATCH_MS },
        [JOB_SHIP] = { .round = ship_round },
        [JOB_SYNC] = { .round = sync_round, .period_ms = 1000 },
        [JOB_BEAT] = { .round = beat_round, .period_ms = beat_ms < 1000 ? beat_ms : 1000 },
        [JOB_UPKEEP] = { .round = upkeep_round, .period_ms = 2000 },
    };
    int r = 0;

    for (size_t i = 0; i < JOBS && r >= 0; i++) {
        plan[i].context = workspace;
        r = riad_job_new(background->runner, &plan[i], &background->jobs[i]);
    }
    return r;
}

static void destroy(struct riad_background *background)
{
    if (background->own_runner) {
        riad_runner_free(background->runner);
    }
    pthread_cond_destroy(&background->synced);
    pthread_mutex_destroy(&background->lock);
    free(background);
}

static int prepare(struct riad_background *background, struct riad_runner *runner)
{
    int r = riad_condition_init(&background->synced);

    if (r < 0) {
        return r;
    }
    background->runner = runner;
    background->own_runner = !runner;
    r = runner ? 0 : riad_runner_new(&background->runner);
    if (r < 0) {
        pthread_cond_destroy(&background->synced);
        return r;
    }
    pthread_mutex_init(&background->lock, NULL);
    return 0;
}

int riad_background_start(struct riad_workspace *workspace, struct riad_runner *runner)
{
    struct riad_background *background = calloc(1, sizeof *background);
    int r = background ? prepare(background, runner) : -ENOMEM;

    if (r < 0) {
        free(background);
        return r;
    }
    workspace->background = background;
    r = make_jobs(workspace, background);
    if (r < 0) {
        riad_background_stop(workspace);
        return r;
    }
    for (size_t i = 0; i < JOBS; i++) {
        riad_job_start(background->jobs[i]); /* rounds poke other jobs: all are there now */
    }
    riad_background_changed(workspace); /* extents of removed inodes may wait to be reaped */
    return 0;
}

void riad_background_stop(struct riad_workspace *workspace)
{
    struct riad_background *background = workspace->background;

    if (!background) {
        return;
    }
    pthread_mutex_lock(&background->lock);
    background->stopping = true;
    pthread_cond_broadcast(&background->synced);
    pthread_mutex_unlock(&background->lock);
    for (size_t i = 0; i < JOBS; i++) {
        riad_job_stop(background->jobs[i]);
    }
    for (size_t i = 0; i < JOBS; i++) {
        riad_job_free(background->jobs[i]);
    }
    workspace->background = NULL;
    destroy(background);
}
