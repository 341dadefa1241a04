/* The end of an inode: names gone, references gone, then its extents. */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "riad/grants.h"
#include "riad/patience.h"
#include "riad/thread.h"

#include "rows_priv.h"

enum { ORPHAN_WAIT_MS = 500 };

/* Returns 1 if it was removed. */
static int remove_orphan(struct riad_workspace *workspace, uint64_t inode)
{
    struct riad_inode row;
    int r = riad_index_get_inode(workspace->index, inode, &row);

    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    if (row.nlink > 0 || riad_references_get(workspace->references, inode) > 0) {
        return 0;
    }
    riad_change_remove_inode(&workspace->change, inode);
    r = riad_mutation_commit(workspace, NULL);
    if (r < 0) {
        return r;
    }
    workspace->orphans -= workspace->orphans > 0;
    pthread_cond_broadcast(&workspace->orphan_freed);
    return 1;
}

int riad_orphan_free(struct riad_workspace *workspace, uint64_t inode)
{
    int r = riad_mutation_begin(workspace, NULL);

    if (r < 0) {
        return r;
    }
    r = remove_orphan(workspace, inode);
    riad_mutation_end(workspace);
    if (r > 0) {
        riad_reap(workspace);
    }
    return r < 0 ? r : 0;
}

void riad_orphan_made(struct riad_workspace *workspace)
{
    workspace->orphans++;
    workspace->orphaned_at = riad_now_ns();
}

/* Returns whether it waited. (mutation) */
static bool await(struct riad_workspace *workspace)
{
    uint64_t end = workspace->orphaned_at + (uint64_t)ORPHAN_WAIT_MS * 1000000;
    struct timespec until = { .tv_sec = (time_t)(end / 1000000000),
        .tv_nsec = (long)(end % 1000000000) };

    if (workspace->orphans == 0 || riad_now_ns() >= end) {
        return false;
    }
    if (riad_is_patient()) {
        (void)pthread_cond_timedwait(&workspace->orphan_freed, &workspace->mutation, &until);
    }
    return true;
}

void riad_workspace_await_orphans(struct riad_workspace *workspace, uint64_t until_ns)
{
    pthread_mutex_lock(&workspace->mutation);
    while (riad_now_ns() < until_ns && await(workspace)) {
    }
    pthread_mutex_unlock(&workspace->mutation);
}

bool riad_orphan_awaited(struct riad_workspace *workspace, int *result)
{
    bool waited;

    if (riad_grants_awaited(workspace, result)) {
        return true;
    }
    if (*result != -EDQUOT) {
        return false;
    }
    pthread_mutex_lock(&workspace->mutation);
    waited = await(workspace);
    pthread_mutex_unlock(&workspace->mutation);
    if (waited && !riad_is_patient()) {
        *result = RIAD_WOULD_WAIT;
        return false;
    }
    return waited;
}

void riad_reap(struct riad_workspace *workspace)
{
    bool more = true;
    int r = 0;

    while (r == 0 && more) {
        if (riad_workspace_lock(workspace) < 0) {
            return;
        }
        r = riad_index_reap(workspace->index, RIAD_SLICE_EXTENTS, &more);
        riad_workspace_unlock(workspace);
        if (more) {
            sched_yield();
        }
    }
}
