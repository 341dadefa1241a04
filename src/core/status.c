#include <stdio.h>

#include "lifecycle_priv.h"
#include "references_priv.h"

enum { PATIENCE_MS = 1000, STEP_MS = 1, STALL_SECONDS = 2 };

static void find_stall(const struct riad_workspace *workspace, struct riad_workspace_status *status)
{
    riad_stall_find(workspace->workspace_fd, STALL_SECONDS, &status->stall);
    status->stalled_locally = status->stall.calls == 0;
    if (status->stalled_locally) {
        riad_stall_find(workspace->state_fd, STALL_SECONDS, &status->stall);
    }
}

/* The lock is held for microseconds, but for a new log segment, and appends where the store cannot
 * reserve room: a call of these may not come back. */
static bool lock_unless_stalled(struct riad_workspace *workspace)
{
    struct riad_workspace_status status = { 0 };

    for (int waited = 0; pthread_mutex_trylock(&workspace->mutation) != 0; waited += STEP_MS) {
        if (waited >= PATIENCE_MS) {
            find_stall(workspace, &status);
            waited = 0;
        }
        if (status.stall.calls > 0) {
            return false;
        }
        riad_sleep_ms(STEP_MS);
    }
    return true;
}

/* With the lock, which it lets go. */
static void copy_guarded(struct riad_workspace *workspace, struct riad_workspace_status *ret)
{
    uint64_t start;

    ret->state = workspace->protected && workspace->state == RIAD_WORKSPACE_RUNNING
                         ? RIAD_WORKSPACE_READ_ONLY
                         : workspace->state;
    riad_index_usage(workspace->index, &ret->usage);
    riad_index_end(workspace->index, &ret->end, &start);
    ret->epoch = riad_keys_epoch(workspace->keys);
    ret->last_segment_before = workspace->last_segment_before;
    ret->limit = workspace->limit;
    ret->blocks_over_since = workspace->over_since[0];
    ret->inodes_over_since = workspace->over_since[1];
    ret->store_blocks_free = workspace->store_blocks_free;
    ret->references = riad_references_inodes(workspace->references);
    ret->commits = workspace->commits;
    ret->replayed_changes = workspace->replayed_changes;
    ret->checkpoints = workspace->checkpoints;
    riad_index_count(workspace->index, &ret->index);
    ret->cleaning = workspace->cleaning;
    ret->scrubbing = workspace->scrubbing;
    snprintf(ret->event, sizeof ret->event, "%s", workspace->event);
    pthread_mutex_unlock(&workspace->mutation);
}

int riad_workspace_status(struct riad_workspace *workspace, struct riad_workspace_status *ret)
{
    struct riad_workspace_status status = { .term = workspace->term };
    bool whole = lock_unless_stalled(workspace);
    uint64_t start;

    if (whole) {
        copy_guarded(workspace, &status);
        riad_log_synced(workspace->log, &status.synced, &start);
        status.unsynced_bytes = riad_log_unsynced(workspace->log);
        riad_log_count(workspace->log, &status.log);
        riad_segments_count(workspace->segments, &status.segments);
        riad_store_calls_read(workspace->store_calls, status.store_calls);
    }
    pthread_mutex_lock(&workspace->telling);
    if (whole) {
        workspace->told = status;
    } else {
        status = workspace->told;
    }
    pthread_mutex_unlock(&workspace->telling);
    find_stall(workspace, &status);
    *ret = status;
    return 0;
}

void riad_workspace_protect(struct riad_workspace *workspace, bool protect)
{
    pthread_mutex_lock(&workspace->mutation);
    workspace->protected = protect;
    pthread_mutex_unlock(&workspace->mutation);
}

void riad_workspace_set_limit(struct riad_workspace *workspace, const struct riad_limit *limit)
{
    pthread_mutex_lock(&workspace->mutation);
    workspace->limit = *limit;
    pthread_mutex_unlock(&workspace->mutation);
    riad_background_changed(workspace); /* a soft one may be passed now, or no more */
}

const char *riad_workspace_name(const struct riad_workspace *workspace)
{
    return workspace->name;
}
