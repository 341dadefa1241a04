/* What directories hold in all: asked for, and handed up in the background. */
#include <errno.h>
#include <sched.h>

#include "riad/patience.h"

#include "lifecycle_priv.h"
#include "rows_priv.h"

/* Of folding: what one hold of the mutation lock does, some 300 us where no row is in memory; and
 * how often a round of the background, which comes every 25 ms while there is anything to do. */
enum { SLICE_STEPS = 64, ROUND_SLICES = 8 };

/* One slice; with the lock held if it returns 0 (all is folded that has to be) or 1. `folds` is
 * what riad_index_folds has to reach, or 0: not known yet. */
static int fold_slice(struct riad_workspace *workspace, uint64_t *folds)
{
    bool more;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    if (*folds == 0) {
        *folds = riad_index_folds(workspace->index) + 2;
    }
    r = riad_index_fold(workspace->index, SLICE_STEPS, &more);
    if (r < 0) {
        riad_workspace_unlock(workspace);
        return r;
    }
    return more && riad_index_folds(workspace->index) < *folds;
}

/* Takes the lock when all is folded, or, while others write faster than that, everything that was
 * pending when this was called. */
static int lock_folded(struct riad_workspace *workspace)
{
    uint64_t folds = 0;
    int r;

    while ((r = fold_slice(workspace, &folds)) > 0) {
        riad_workspace_unlock(workspace);
        if (!riad_is_patient()) {
            return RIAD_WOULD_WAIT;
        }
        sched_yield();
    }
    return r;
}

int riad_tree_usage(struct riad_workspace *workspace, uint64_t inode, struct riad_tree_usage *ret)
{
    int r = lock_folded(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_index_tree_usage(workspace->index, inode, ret);
    riad_workspace_unlock(workspace);
    return r;
}

static int next(struct riad_workspace *workspace, uint64_t inode, uint64_t after,
        struct riad_dentry *ret_entry, struct riad_tree_usage *ret)
{
    struct riad_inode directory;
    int r = riad_get_live_directory(workspace, inode, &directory);

    if (r == 0) {
        r = riad_index_next_directory(workspace->index, inode, after, ret_entry);
    }
    if (r == 0) {
        r = riad_index_tree_usage(workspace->index, ret_entry->inode, ret);
        r = r == -ENOENT || r == -ENOTDIR ? -EIO : r;
    }
    return r;
}

int riad_tree_next(struct riad_workspace *workspace, uint64_t inode, uint64_t after,
        struct riad_dentry *ret_entry, struct riad_tree_usage *ret)
{
    int r = lock_folded(workspace);

    if (r < 0) {
        return r;
    }
    r = next(workspace, inode, after, ret_entry, ret);
    riad_workspace_unlock(workspace);
    return r;
}

/* 1 if there is more. */
static int fold_some(struct riad_workspace *workspace)
{
    bool more = false;
    int r = 0;

    pthread_mutex_lock(&workspace->mutation);
    if (workspace->state == RIAD_WORKSPACE_RUNNING) {
        r = riad_index_fold(workspace->index, SLICE_STEPS, &more);
        if (r < 0) {
            riad_workspace_freeze(workspace, "the index failed", r);
        }
    }
    pthread_mutex_unlock(&workspace->mutation);
    return r < 0 ? r : more;
}

void riad_tree_round(struct riad_workspace *workspace)
{
    int r = 1;

    for (int i = 0; i < ROUND_SLICES && r > 0; i++) {
        r = fold_some(workspace);
    }
    if (r > 0) {
        riad_background_changed(workspace);
    }
}
