/* What is unlinked when nothing refers to it: the log's old end (L6), as no rebuild reads what lies
 * before two checkpoints, and what is left of epochs that ended. */
#include <stdlib.h>

#include "cleaner_priv.h"

/* 1: no extent refers to it. Once so, it stays so: changes that come later name their own segments,
 * and clones need an extent to be made from. */
static int is_unused(struct riad_workspace *workspace, uint64_t segment)
{
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_index_is_used(workspace->index, segment);
    riad_background_changed(workspace); /* asking may have begun a batch */
    riad_workspace_unlock(workspace);
    return r < 0 ? r : r == 0;
}

/* Segments of one kind that may go: a part of what riad_segment_list gave. */
struct doomed {
    enum riad_segment_kind kind;
    uint64_t *ids;
    size_t count;
};

static void release(struct doomed *doomed)
{
    free(doomed->ids);
}

/* Log segments go below this one, data segments too. */
static uint64_t bound_of(struct riad_workspace *workspace, enum riad_segment_kind kind)
{
    uint64_t bound;

    if (kind == RIAD_SEGMENT_LOG) {
        pthread_mutex_lock(&workspace->checkpointing);
        bound = workspace->upkeep.cut_below;
        pthread_mutex_unlock(&workspace->checkpointing);
        return bound;
    }
    pthread_mutex_lock(&workspace->mutation);
    bound = workspace->last_segment_before;
    pthread_mutex_unlock(&workspace->mutation);
    return bound == 0 ? 0 : bound + 1;
}

static int find(struct riad_workspace *workspace, struct doomed *doomed)
{
    uint64_t bound = bound_of(workspace, doomed->kind);
    size_t count = 0;
    int r = riad_segment_list(workspace->workspace_fd, doomed->kind, &doomed->ids, &count);

    for (size_t i = 0; i < count && doomed->ids[i] < bound && r >= 0; i++) {
        r = riad_log_is_open_segment(workspace->log, doomed->ids[i])
                    ? 0
                    : is_unused(workspace, doomed->ids[i]);
        if (r > 0) {
            doomed->ids[doomed->count++] = doomed->ids[i];
        }
    }
    return r < 0 ? r : 0;
}

static int retire(struct riad_workspace *workspace, const struct doomed *doomed)
{
    int r = 0;

    for (size_t i = 0; i < doomed->count && r >= 0; i++) {
        r = riad_retire_segment(workspace, doomed->kind, doomed->ids[i]);
    }
    return r;
}

int riad_cleaner_unlink(struct riad_workspace *workspace, size_t *ret_count)
{
    _cleanup_(release) struct doomed log = { .kind = RIAD_SEGMENT_LOG };
    _cleanup_(release) struct doomed data = { .kind = RIAD_SEGMENT_DATA };
    int r = find(workspace, &log);

    if (r == 0) {
        r = find(workspace, &data);
    }
    if (r == 0 && log.count + data.count > 0) {
        r = riad_retire_vouch(workspace);
    }
    if (r == 0) {
        r = retire(workspace, &log);
    }
    if (r == 0) {
        r = retire(workspace, &data);
    }
    if (r < 0) {
        return r;
    }
    *ret_count = log.count + data.count;
    return 0;
}

/* The change of nothing is the first of a segment: what checkpoints of it include ends there. */
static int begin_segment(struct riad_workspace *workspace)
{
    int r;

    riad_ship_round(workspace); /* so that little is left to ship under the lock */
    r = riad_mutation_begin(workspace, NULL);
    if (r < 0) {
        return r;
    }
    r = riad_log_roll(workspace->log);
    if (r == 0) {
        r = riad_mutation_commit(workspace, NULL);
        workspace->cleaning.own_changes++;
    } else {
        r = riad_mutation_refused(workspace, r);
    }
    riad_mutation_end(workspace);
    return r;
}

int riad_cleaner_roll(struct riad_workspace *workspace)
{
    int r = begin_segment(workspace);

    for (int i = 0; i < RIAD_KEPT_CHECKPOINTS && r >= 0; i++) {
        r = riad_workspace_checkpoint(workspace);
    }
    return r;
}
