/* Counting anew beside who uses the workspace. */
#include "riad/recount.h"

#include <stdlib.h>

#include "lifecycle_priv.h"
#include "rows_priv.h"

enum { FOUND_MAX = 4096 }; /* that are mended in one go: the next finds the others */

struct found {
    struct riad_miscount *items; /* room for FOUND_MAX */
    size_t count;
    uint64_t total;
    riad_miscount_function function;
    void *context;
};

static int note(void *context, const struct riad_miscount *miscount)
{
    struct found *found = context;

    found->total++;
    if (found->count < FOUND_MAX) {
        found->items[found->count++] = *miscount;
    }
    return found->function ? found->function(found->context, miscount) : 0;
}

static int take_snapshot(struct riad_workspace *workspace, struct riad_snapshot **ret)
{
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_snapshot_take(workspace->index, ret);
    riad_workspace_unlock(workspace);
    return r;
}

static int count_extent(void *context, const struct riad_extent *extent)
{
    riad_block_count_add(context, extent->offset, riad_extent_end(extent));
    return 0;
}

/* What the inode should be charged now. (mutation) */
static int charge_of(struct riad_workspace *workspace, const struct riad_inode *row, uint64_t *ret)
{
    bool own = S_ISDIR(row->mode) || S_ISLNK(row->mode);
    struct riad_block_count count = { 0 };
    int r = riad_index_extents(workspace->index, row->inode, 0,
            row->truncate_mark < RIAD_FILE_SIZE_MAX ? row->truncate_mark : RIAD_FILE_SIZE_MAX,
            count_extent, &count);

    if (r < 0) {
        return r;
    }
    *ret = own + count.blocks + riad_xattr_blocks(row->xattr_bytes);
    return 0;
}

/* (mutation) */
static int mend_inode_locked(struct riad_workspace *workspace, uint64_t inode)
{
    struct riad_inode row;
    uint64_t charge = 0;
    int r = riad_index_get_inode(workspace->index, inode, &row);

    if (r == 0) {
        r = charge_of(workspace, &row, &charge);
    }
    if (r < 0 || row.blocks == charge) {
        return r == -ENOENT ? 0 : r; /* it is gone */
    }
    row.blocks = charge;
    riad_put_row(workspace, &row);
    return riad_mutation_commit(workspace, NULL);
}

static int mend(struct riad_workspace *workspace, const struct riad_miscount *miscount)
{
    int r = riad_mutation_begin(workspace, NULL);

    if (r < 0) {
        return r;
    }
    r = miscount->subject == 0 ? mend_inode_locked(workspace, miscount->id)
                               : riad_index_mend_sum(workspace->index, miscount);
    riad_background_changed(workspace);
    riad_mutation_end(workspace);
    return r;
}

static int recount(struct riad_workspace *workspace, struct found *found)
{
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = NULL;
    int r = take_snapshot(workspace, &snapshot);

    return r < 0 ? r : riad_snapshot_recount(snapshot, note, found);
}

int riad_workspace_recount(struct riad_workspace *workspace, bool repair,
        riad_miscount_function function, void *context, uint64_t *ret_found)
{
    _cleanup_free_ struct riad_miscount *items = calloc(FOUND_MAX, sizeof *items);
    struct found found = { .items = items, .function = function, .context = context };
    int r = items ? recount(workspace, &found) : -ENOMEM;

    for (size_t i = 0; i < found.count && repair && r == 0; i++) {
        r = mend(workspace, &found.items[i]);
    }
    if (r < 0) {
        return r;
    }
    *ret_found = found.total;
    return 0;
}
