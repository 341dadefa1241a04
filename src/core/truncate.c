/* Size changes of files, and truncations finished in slices (L8). */
#include <errno.h>
#include <sched.h>

#include "rows_priv.h"

/* Reads the extents around the cut only, where a survey has counted those behind. */
static int scan_surveyed(struct riad_workspace *workspace, const struct riad_inode *row,
        uint64_t size, const struct riad_survey *survey, struct riad_extent_edit *ret)
{
    uint64_t near = riad_block_floor(size) + RIAD_BLOCK_SIZE;
    struct riad_extent_edit edit;
    int r;

    if (survey->version != row->version) {
        return riad_scan_edit(workspace, row, size, RIAD_FILE_SIZE_MAX, ret);
    }
    r = riad_scan_edit(workspace, row, size, near, &edit);
    if (r < 0) {
        return r;
    }
    riad_extent_edit_begin(ret, size, RIAD_FILE_SIZE_MAX);
    ret->before = survey->before;
    ret->margin_left = edit.margin_left;
    ret->has_left = edit.has_left;
    ret->left = edit.left;
    return 0;
}

/* What the cut leaves of the extent that it meets, and the blocks that are left. Nothing has to be
 * read to know that an empty file has none. */
static int scan_tail(struct riad_workspace *workspace, struct riad_inode *row, uint64_t size,
        const struct riad_survey *survey, struct riad_extent_edit *ret)
{
    int r;

    if (size == 0) {
        riad_extent_edit_begin(ret, 0, RIAD_FILE_SIZE_MAX);
        row->blocks = riad_xattr_blocks(row->xattr_bytes);
        return 0;
    }
    r = scan_surveyed(workspace, row, size, survey, ret);
    if (r == 0) {
        row->blocks = (uint64_t)((int64_t)row->blocks + riad_extent_edit_cleared(ret));
    }
    return r;
}

/* Blocks are right at once, whatever the number of extents behind the mark: those are gone already
 * for everyone who reads the row. */
static int cut_tail(struct riad_workspace *workspace, struct riad_inode *row, uint64_t size,
        const struct riad_survey *survey)
{
    struct riad_extent_edit edit;
    uint64_t count = 0;
    int r = riad_index_count_extents(
            workspace->index, row->inode, size, RIAD_FILE_SIZE_MAX, RIAD_SLICE_EXTENTS + 1, &count);

    if (r == 0) {
        r = scan_tail(workspace, row, size, survey, &edit);
    }
    if (r < 0) {
        return r;
    }
    row->truncate_mark = count > RIAD_SLICE_EXTENTS ? size : RIAD_NO_TRUNCATE_MARK;
    edit.begins_inside = count > 0 && count <= RIAD_SLICE_EXTENTS;
    riad_extent_edit_clear(&edit, row->inode, &workspace->change);
    return 0;
}

int riad_truncate(struct riad_workspace *workspace, struct riad_inode *row, uint64_t size,
        const struct riad_survey *survey)
{
    int r = 0;

    if (size > RIAD_FILE_SIZE_MAX) {
        return -EFBIG;
    }
    if (size <= row->size && size < row->truncate_mark) {
        r = cut_tail(workspace, row, size, survey);
    }
    row->size = size;
    return r;
}

/* One slice from the mark on; the last one takes the mark away. Returns 1 if more is left. */
static int finish_slice(struct riad_workspace *workspace, uint64_t inode)
{
    struct riad_inode row;
    uint64_t end;
    int r = riad_index_get_inode(workspace->index, inode, &row);

    if (r < 0 || row.truncate_mark == RIAD_NO_TRUNCATE_MARK) {
        return r == -ENOENT ? 0 : r;
    }
    r = riad_slice_end(workspace, inode, row.truncate_mark, RIAD_FILE_SIZE_MAX, &end);
    if (r < 0) {
        return r;
    }
    riad_change_clear_extents(&workspace->change, inode, row.truncate_mark, end);
    if (end == RIAD_FILE_SIZE_MAX) {
        row.truncate_mark = RIAD_NO_TRUNCATE_MARK;
        riad_put_row(workspace, &row);
    }
    r = riad_mutation_commit(workspace, NULL);
    return r < 0 ? r : end != RIAD_FILE_SIZE_MAX;
}

int riad_truncate_finish(struct riad_workspace *workspace, uint64_t inode)
{
    int r;

    do {
        r = riad_mutation_begin(workspace, NULL);
        if (r < 0) {
            return r;
        }
        r = finish_slice(workspace, inode);
        riad_mutation_end(workspace);
        sched_yield();
    } while (r > 0);
    return r;
}
