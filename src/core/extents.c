/* Extents as the operations read them from the index. */
#include <errno.h>

#include "rows_priv.h"

static int show_edit(void *context, const struct riad_extent *extent)
{
    riad_extent_edit_see(context, extent);
    return 0;
}

int riad_scan_edit(struct riad_workspace *workspace, const struct riad_inode *row, uint64_t from,
        uint64_t to, struct riad_extent_edit *ret)
{
    uint64_t low, high;

    riad_extent_edit_begin(ret, from, to);
    low = ret->low > 0 ? ret->low - 1 : 0;
    high = ret->high < row->truncate_mark ? ret->high : row->truncate_mark;
    if (low >= high) {
        return 0;
    }
    return riad_index_extents(workspace->index, row->inode, low, high, show_edit, ret);
}

struct slice {
    uint64_t from;
    uint64_t end;
    unsigned count;
};

static int find_slice_end(void *context, const struct riad_extent *extent)
{
    struct slice *slice = context;

    if (++slice->count <= RIAD_SLICE_EXTENTS || extent->offset <= slice->from) {
        return 0;
    }
    slice->end = riad_block_floor(extent->offset);
    if (slice->end <= slice->from) {
        slice->end = riad_block_ceil(extent->offset + 1);
    }
    return 1;
}

int riad_slice_end(
        struct riad_workspace *workspace, uint64_t inode, uint64_t from, uint64_t to, uint64_t *ret)
{
    struct slice slice = { .from = from, .end = to };
    int r = riad_index_extents(workspace->index, inode, from, to, find_slice_end, &slice);

    if (r < 0) {
        return r;
    }
    *ret = slice.end < to ? slice.end : to;
    return 0;
}

int riad_clear_range(
        struct riad_workspace *workspace, struct riad_inode *row, uint64_t from, uint64_t to)
{
    struct riad_extent_edit edit;
    int r = riad_scan_edit(workspace, row, from, to, &edit);

    if (r < 0) {
        return r;
    }
    riad_extent_edit_clear(&edit, row->inode, &workspace->change);
    row->blocks = (uint64_t)((int64_t)row->blocks + riad_extent_edit_cleared(&edit));
    return 0;
}
