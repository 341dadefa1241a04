/* What the edit of a range of a file finds and leaves. */
#include "extent_map_priv.h"

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

void riad_extent_edit_begin(struct riad_extent_edit *edit, uint64_t from, uint64_t to)
{
    edit->from = from;
    edit->to = to;
    edit->low = riad_block_floor(from);
    edit->high = riad_block_ceil(to);
    edit->before = (struct riad_block_count){ 0 };
    edit->begins_inside = edit->margin_left = edit->margin_right = false;
    edit->has_left = edit->has_right = edit->has_previous = false;
}

static bool touches(const struct riad_extent *extent, uint64_t from, uint64_t to)
{
    return larger(extent->offset, from) < smaller(riad_extent_end(extent), to);
}

void riad_extent_edit_see(struct riad_extent_edit *edit, const struct riad_extent *extent)
{
    uint64_t end = riad_extent_end(extent);

    if (end == edit->from) {
        edit->previous = *extent;
        edit->has_previous = true;
    }
    if (extent->offset < edit->from && end > edit->from) {
        riad_extent_cut(extent, extent->offset, edit->from, &edit->left);
        edit->has_left = true;
    }
    if (extent->offset < edit->to && end > edit->to) {
        riad_extent_cut(extent, edit->to, end, &edit->right);
        edit->has_right = true;
    }
    edit->begins_inside |= extent->offset >= edit->from && extent->offset < edit->to;
    edit->margin_left |= touches(extent, edit->low, edit->from);
    edit->margin_right |= touches(extent, edit->to, edit->high);
    riad_block_count_add(
            &edit->before, larger(extent->offset, edit->low), smaller(end, edit->high));
}

void riad_extent_edit_after(const struct riad_extent_edit *edit, struct riad_block_count *ret)
{
    *ret = (struct riad_block_count){ 0 };
    if (edit->margin_left) {
        riad_block_count_add(ret, edit->low, edit->from);
    }
}

int64_t riad_extent_edit_delta(const struct riad_extent_edit *edit, struct riad_block_count *after)
{
    if (edit->margin_right) {
        riad_block_count_add(after, edit->to, edit->high);
    }
    return (int64_t)(after->blocks - edit->before.blocks);
}

int64_t riad_extent_edit_cleared(const struct riad_extent_edit *edit)
{
    struct riad_block_count after;

    riad_extent_edit_after(edit, &after);
    return riad_extent_edit_delta(edit, &after);
}

int64_t riad_extent_edit_filled(const struct riad_extent_edit *edit)
{
    struct riad_block_count after;

    riad_extent_edit_after(edit, &after);
    riad_block_count_add(&after, edit->from, edit->to);
    return riad_extent_edit_delta(edit, &after);
}

/* In this order rows never overlap: the left one shrinks in place, the right one comes when its
 * place is empty. */
void riad_extent_edit_clear(
        const struct riad_extent_edit *edit, uint64_t inode, struct riad_change *change)
{
    if (edit->has_left) {
        riad_change_put_extent(change, &edit->left);
    }
    if (edit->begins_inside) {
        riad_change_clear_extents(change, inode, edit->from, edit->to);
    }
    if (edit->has_right) {
        riad_change_put_extent(change, &edit->right);
    }
}
