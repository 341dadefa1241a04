/* Durability: data and log first, then the question whether we still own the workspace, then the
 * mark. So a mark always lies on the history: whoever took over later has read what it names. */
#include "riad/patience.h"

#include "lifecycle_priv.h"

enum { MEASURED_MIN = 1 << 20 };
#define BOUND_MIN ((uint64_t)64 << 20)
#define BOUND_MAX ((uint64_t)1 << 30)

static int write_mark(struct riad_workspace *workspace, const struct riad_mark *mark)
{
    int r = 0;

    pthread_mutex_lock(&workspace->marking);
    if (mark->end.sequence.number > workspace->mark.end.sequence.number) {
        r = riad_mark_write(workspace->mark_fd, mark);
        if (r >= 0) {
            workspace->mark = *mark;
        }
    }
    pthread_mutex_unlock(&workspace->marking);
    return r;
}

static int check_state(struct riad_workspace *workspace)
{
    int r = riad_workspace_lock(workspace);

    if (r >= 0) {
        riad_workspace_unlock(workspace);
    }
    return r;
}

/* Of what the log said of shipping or syncing: a full store is asked again, and told of once. */
static int judge(struct riad_workspace *workspace, const char *failure, int r)
{
    bool full = r == -ENOSPC || r == -EDQUOT;

    if (full && !atomic_exchange(&workspace->store_full, true)) {
        riad_workspace_event_unlocked(workspace,
                "the store is full: the last changes are kept on this node until it has room");
    } else if (r == 0) {
        atomic_store(&workspace->store_full, false);
    } else if (r < 0 && !full) {
        riad_workspace_freeze_unlocked(workspace, failure, r);
        return -EIO;
    }
    return r;
}

static int sync_log(struct riad_workspace *workspace)
{
    return judge(
            workspace, "the store failed to make changes durable", riad_log_sync(workspace->log));
}

static int check_owner(struct riad_workspace *workspace)
{
    int r = riad_term_check(workspace->workspace_fd, &workspace->binding, workspace->signers,
            &workspace->workspace_id, workspace->term);

    if (r == -ESTALE) {
        riad_workspace_supersede_unlocked(workspace);
    }
    return r;
}

int riad_workspace_sync(struct riad_workspace *workspace)
{
    struct riad_mark mark = { 0 };
    int r = riad_is_patient() ? check_state(workspace) : RIAD_WOULD_WAIT;

    if (r < 0 || workspace->read_only_open) {
        return r;
    }
    r = sync_log(workspace);
    if (r < 0) {
        return r;
    }
    riad_log_synced(workspace->log, &mark.end, &mark.start);
    r = check_owner(workspace);
    if (r < 0) {
        return r;
    }
    r = write_mark(workspace, &mark);
    if (r < 0) {
        /* The changes are durable; only this node's memory of it is older than it could be. */
        riad_workspace_event_unlocked(
                workspace, "cannot write the mark in %s: %s", workspace->state_path, strerror(-r));
    }
    return 0;
}

/* L5: two seconds of what the store is measured to sync, within bounds; half old, half new. */
static void measure(struct riad_workspace *workspace, uint64_t bytes, uint64_t nanoseconds)
{
    uint64_t bound = atomic_load(&workspace->unsynced_bound);
    double measured;

    if (bytes < MEASURED_MIN || nanoseconds == 0) {
        return;
    }
    measured = 2.0 * (double)bytes / (double)nanoseconds * (double)RIAD_SECOND_NS;
    measured = ((double)bound + measured) / 2;
    bound = measured > (double)BOUND_MAX ? BOUND_MAX : (uint64_t)measured;
    atomic_store(&workspace->unsynced_bound, bound < BOUND_MIN ? BOUND_MIN : bound);
}

/* Goes on while others append faster than it ships. A superseded owner has nothing to ship (O2). */
void riad_ship_round(struct riad_workspace *workspace)
{
    int r;

    if (!riad_workspace_running(workspace)) {
        return;
    }
    do {
        r = riad_log_ship(workspace->log);
    } while (r >= 0 && riad_log_unshipped(workspace->log) >= RIAD_SHIP_SIZE / 2);
    (void)judge(workspace, "the store does not take the log", r);
}

void riad_sync_round(struct riad_workspace *workspace)
{
    uint64_t bytes = riad_log_unsynced(workspace->log);
    uint64_t begun = riad_clock_boottime();
    int r;

    if (bytes == 0 || !riad_workspace_running(workspace)) {
        return;
    }
    r = riad_log_sync_data(workspace->log);
    if (r < 0) {
        riad_workspace_freeze_unlocked(workspace, "the store failed to make data durable", r);
        return;
    }
    r = riad_workspace_sync(workspace);
    if (r >= 0) {
        measure(workspace, bytes, riad_clock_boottime() - begun);
    }
}
