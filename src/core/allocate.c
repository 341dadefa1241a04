/* fallocate(2): room made sure of, holes, zeros. */
#include <errno.h>
#include <linux/falloc.h>

#include "rows_priv.h"

struct allocation {
    const struct riad_caller *caller;
    uint64_t inode;
    uint64_t from, to; /* what is left to do: whole blocks when allocating, bytes otherwise */
    uint64_t end;      /* offset + length as asked for */
    bool keep_size, punch, zero;
};

struct gaps {
    struct riad_workspace *workspace;
    const struct riad_inode *row;
    uint64_t next; /* offset: the first byte not looked at */
};

static void put_unwritten(
        struct riad_workspace *workspace, const struct riad_inode *row, uint64_t from, uint64_t to)
{
    struct riad_extent extent = {
        .inode = row->inode,
        .offset = from,
        .length = to - from,
        .kind = RIAD_EXTENT_UNWRITTEN,
        .birth = riad_log_next_number(workspace->log),
    };

    riad_change_put_extent(&workspace->change, &extent);
}

static int fill_gap(void *context, const struct riad_extent *extent)
{
    struct gaps *gaps = context;

    if (extent->offset > gaps->next) {
        put_unwritten(gaps->workspace, gaps->row, gaps->next, extent->offset);
    }
    gaps->next = riad_extent_end(extent);
    return 0;
}

static int fill_gaps(
        struct riad_workspace *workspace, const struct riad_inode *row, uint64_t from, uint64_t to)
{
    struct gaps gaps = { .workspace = workspace, .row = row, .next = from };
    int r = riad_index_extents(workspace->index, row->inode, from, to, fill_gap, &gaps);

    if (r >= 0 && gaps.next < to) {
        put_unwritten(workspace, row, gaps.next, to);
    }
    return r < 0 ? r : 0;
}

static int replace(struct riad_workspace *workspace, const struct allocation *allocation,
        struct riad_inode *row, uint64_t to, const struct riad_extent_edit *edit)
{
    if (!allocation->zero && !allocation->punch) {
        return fill_gaps(workspace, row, allocation->from, to);
    }
    riad_extent_edit_clear(edit, row->inode, &workspace->change);
    if (allocation->zero) {
        put_unwritten(workspace, row, allocation->from, to);
    }
    return 0;
}

/* Before the first slice of several: nothing is changed if all of it together would not fit (P4).
 */
static int charge(struct riad_workspace *workspace, const struct allocation *allocation,
        const struct riad_inode *row)
{
    struct riad_extent_edit edit;
    int r = riad_scan_edit(workspace, row, allocation->from, allocation->to, &edit);

    if (r < 0) {
        return r;
    }
    return riad_mutation_charge(workspace, row, riad_extent_edit_filled(&edit), 0);
}

static void set_attributes(struct riad_workspace *workspace, const struct allocation *allocation,
        struct riad_inode *row)
{
    bool grows = !allocation->keep_size && allocation->end > row->size;

    row->mtime = row->ctime = riad_mutation_time(workspace);
    if (grows) {
        row->size = allocation->end;
    }
}

/* One change: [from, to) of the allocation. The last slice sets size and times. */
static int commit_slice(struct riad_workspace *workspace, const struct allocation *allocation,
        struct riad_inode *row, uint64_t to)
{
    struct riad_extent_edit edit;
    int64_t delta;
    int r = riad_scan_edit(workspace, row, allocation->from, to, &edit);

    if (r < 0) {
        return r;
    }
    delta = allocation->punch ? riad_extent_edit_cleared(&edit) : riad_extent_edit_filled(&edit);
    if (delta > 0) {
        r = riad_mutation_charge(workspace, row, delta, 0);
    }
    if (r == 0) {
        r = replace(workspace, allocation, row, to, &edit);
    }
    if (r < 0) {
        return r;
    }
    row->blocks = (uint64_t)((int64_t)row->blocks + delta);
    if (to == allocation->to) {
        set_attributes(workspace, allocation, row);
        r = riad_kill_privileges(workspace, allocation->caller, row);
    }
    if (r < 0) {
        return r;
    }
    riad_put_row(workspace, row);
    return riad_mutation_commit(workspace, NULL);
}

/* Does one slice and moves allocation->from behind it. (mutation) */
static int allocate_slice(
        struct riad_workspace *workspace, struct allocation *allocation, bool first)
{
    struct riad_inode row;
    uint64_t to;
    int r = riad_get_file(workspace, allocation->inode, &row);

    if (r < 0) {
        return r;
    }
    r = allocation->punch || allocation->zero ? riad_flags_allow_change(&row)
                                              : riad_flags_allow_room(&row);
    if (r < 0) {
        return r;
    }
    if (allocation->to > row.truncate_mark) {
        return RIAD_PENDING;
    }
    r = riad_slice_end(workspace, row.inode, allocation->from, allocation->to, &to);
    if (r == 0 && first && to < allocation->to && !allocation->punch) {
        r = charge(workspace, allocation, &row);
    }
    if (r == 0) {
        r = commit_slice(workspace, allocation, &row, to);
    }
    if (r == 0) {
        allocation->from = to;
    }
    return r;
}

static int step(struct riad_workspace *workspace, struct allocation *allocation, bool first)
{
    int r = riad_mutation_begin(workspace, allocation->caller);

    if (r < 0) {
        return r;
    }
    r = allocate_slice(workspace, allocation, first);
    riad_mutation_end(workspace);
    return r == RIAD_PENDING ? riad_truncate_finish(workspace, allocation->inode) : r;
}

static int check_mode(int mode)
{
    switch (mode) {
    case 0:
    case FALLOC_FL_KEEP_SIZE:
    case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
    case FALLOC_FL_ZERO_RANGE:
    case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

int riad_fallocate(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, int mode, uint64_t offset, uint64_t length)
{
    struct allocation allocation = {
        .caller = caller,
        .inode = inode,
        .from = offset,
        .to = offset + length,
        .end = offset + length,
        .keep_size = mode & FALLOC_FL_KEEP_SIZE,
        .punch = mode & FALLOC_FL_PUNCH_HOLE,
        .zero = mode & FALLOC_FL_ZERO_RANGE,
    };
    bool first = true;
    int r = check_mode(mode);

    if (r < 0) {
        return r;
    }
    if (length == 0) {
        return -EINVAL;
    }
    if (offset > RIAD_FILE_SIZE_MAX || length > RIAD_FILE_SIZE_MAX - offset) {
        return -EFBIG;
    }
    if (!allocation.punch && !allocation.zero) {
        allocation.from = riad_block_floor(offset);
        allocation.to = riad_block_ceil(allocation.to);
    }
    while (r == 0 && allocation.from < allocation.to) {
        do {
            r = step(workspace, &allocation, first);
        } while (riad_orphan_awaited(workspace, &r));
        first = false;
    }
    return r;
}
