/* Extents as the operations read them from the index. */
#include <errno.h>

#include "rows_priv.h"

static int show_first(void *context, const struct riad_extent *extent)
{
    riad_extent_edit_see(context, extent);
    return 1;
}

/* Once something lies in the right margin, what is behind it adds nothing. */
static int show_edit(void *context, const struct riad_extent *extent)
{
    struct riad_extent_edit *edit = context;

    riad_extent_edit_see(edit, extent);
    return edit->margin_right;
}

/* Of the left margin, the first extent and the one that touches the range tell as much as all: a
 * block of small appends has a thousand. */
int riad_scan_edit(struct riad_workspace *workspace, const struct riad_inode *row, uint64_t from,
        uint64_t to, struct riad_extent_edit *ret)
{
    uint64_t near = from > 0 ? from - 1 : 0, high;
    int r = 0;

    riad_extent_edit_begin(ret, from, to);
    high = ret->high < row->truncate_mark ? ret->high : row->truncate_mark;
    near = near < high ? near : high;
    if (ret->low < near) {
        r = riad_index_extents(workspace->index, row->inode, ret->low, near, show_first, ret);
    }
    if (r < 0 || near == high) {
        return r;
    }
    return riad_index_extents(workspace->index, row->inode, near, high, show_edit, ret);
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
