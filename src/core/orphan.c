/* The end of an inode: names gone, references gone, then its extents. */
#include <errno.h>
#include <sched.h>

#include "rows_priv.h"

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
    return r < 0 ? r : 1;
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
