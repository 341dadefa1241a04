/* What is left, and making sure of what is there. */
#include "rows_priv.h"

static uint64_t left(uint64_t limit, uint64_t usage)
{
    return limit > usage ? limit - usage : 0;
}

/* Without a limit, the store's room is the size; without one on inodes, as many as it has blocks.
 * Size less free is the usage, also where limits promise more than the store has. */
int riad_statfs(struct riad_workspace *workspace, struct riad_filesystem_size *ret)
{
    struct riad_usage usage;
    uint64_t store;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    riad_index_usage(workspace->index, &usage);
    store = left(workspace->store_blocks_free, workspace->store_reserve);
    ret->blocks = workspace->limit.blocks > 0 ? workspace->limit.blocks : usage.blocks + store;
    ret->blocks_free = left(ret->blocks, usage.blocks);
    ret->blocks_available = ret->blocks_free < store ? ret->blocks_free : store;
    ret->inodes = workspace->limit.inodes > 0 ? workspace->limit.inodes : usage.inodes + store;
    ret->inodes_free = left(ret->inodes, usage.inodes);
    riad_workspace_unlock(workspace);
    return 0;
}

/* One log for all inodes: a sync of the one is a sync of the other (P2). */
int riad_fsync(struct riad_workspace *workspace, uint64_t inode)
{
    (void)inode;
    return riad_workspace_sync(workspace);
}
