/* copy_file_range(2) as a clone: extents are shared, no data moves. */
#include <errno.h>

#include "rows_priv.h"

enum {
    CLONE_EXTENTS = 256,     /* in one change, */
    CLONE_BYTES = 128 << 10, /* and their rows' bytes */
    ROW_BYTES = 96,          /* of one extent row, tags apart, rounded up */
};

struct clone {
    struct riad_workspace *workspace;
    const struct riad_caller *caller;
    uint64_t from, from_offset;
    uint64_t to, to_offset;
    uint64_t length; /* lowered to what one change may hold */
    struct riad_inode source, target;
    struct riad_block_count after;
    size_t count, bytes;
    bool pending;              /* extent is to be put yet, */
    struct riad_extent extent; /* or (has_extent) was there before and may grow */
    bool has_extent;
};

/* Bounds the length by the rows that it takes. */
static int count_row(void *context, const struct riad_extent *extent)
{
    struct clone *clone = context;

    if (extent->kind != RIAD_EXTENT_DATA) {
        return 0;
    }
    clone->count++;
    clone->bytes += ROW_BYTES + (size_t)extent->tag_count * RIAD_TAG_SIZE;
    if (extent->offset <= clone->from_offset ||
            (clone->count <= CLONE_EXTENTS && clone->bytes <= CLONE_BYTES)) {
        return 0;
    }
    clone->length = extent->offset - clone->from_offset;
    return 1;
}

/* The end of what there is to share, at most: past a truncate mark there is nothing. */
static uint64_t source_end(const struct clone *clone)
{
    uint64_t end = clone->from_offset + clone->length;

    return end < clone->source.truncate_mark ? end : clone->source.truncate_mark;
}

static int read_source(struct clone *clone, riad_index_extent_function function)
{
    uint64_t end = source_end(clone);
    int r;

    if (clone->from_offset >= end) {
        return 0;
    }
    r = riad_index_extents(
            clone->workspace->index, clone->from, clone->from_offset, end, function, clone);
    return r < 0 ? r : 0;
}

static int bound(struct clone *clone)
{
    uint64_t left, end;
    int r;

    if (clone->from_offset >= clone->source.size) {
        clone->length = 0;
        return 0;
    }
    left = clone->source.size - clone->from_offset;
    clone->length = clone->length < left ? clone->length : left;
    r = riad_slice_end(
            clone->workspace, clone->to, clone->to_offset, clone->to_offset + clone->length, &end);
    if (r < 0) {
        return r;
    }
    clone->length = end - clone->to_offset;
    return read_source(clone, count_row);
}

static void put_pending(struct clone *clone)
{
    if (clone->pending) {
        riad_change_put_extent(&clone->workspace->change, &clone->extent);
    }
    clone->pending = false;
}

/* Appends the part of a source extent that is copied, as one row with the one before if it can. */
static int share_extent(void *context, const struct riad_extent *extent)
{
    struct clone *clone = context;
    struct riad_extent shared;
    uint64_t from = extent->offset > clone->from_offset ? extent->offset : clone->from_offset;
    uint64_t end = riad_extent_end(extent), limit = source_end(clone);

    if (extent->kind != RIAD_EXTENT_DATA) {
        return 0;
    }
    riad_extent_cut(extent, from, end < limit ? end : limit, &shared);
    shared.inode = clone->to;
    shared.offset = clone->to_offset + (from - clone->from_offset);
    shared.birth = riad_log_next_number(clone->workspace->log);
    riad_block_count_add(&clone->after, shared.offset, riad_extent_end(&shared));
    if (!clone->has_extent || !riad_extent_grow(&clone->extent, &shared)) {
        put_pending(clone);
        clone->extent = shared;
    }
    clone->has_extent = clone->pending = true;
    return 0;
}

static int share(struct clone *clone)
{
    struct riad_extent_edit edit;
    uint64_t end = clone->to_offset + clone->length;
    int64_t delta;
    int r = riad_scan_edit(clone->workspace, &clone->target, clone->to_offset, end, &edit);

    if (r < 0) {
        return r;
    }
    riad_extent_edit_clear(&edit, clone->to, &clone->workspace->change);
    riad_extent_edit_after(&edit, &clone->after);
    clone->has_extent = edit.has_previous;
    if (edit.has_previous) {
        clone->extent = edit.previous;
    }
    r = read_source(clone, share_extent);
    if (r < 0) {
        return r;
    }
    put_pending(clone);
    delta = riad_extent_edit_delta(&edit, &clone->after);
    clone->target.blocks = (uint64_t)((int64_t)clone->target.blocks + delta);
    return riad_mutation_charge(clone->workspace, &clone->target, delta, 0);
}

static int commit(struct clone *clone)
{
    uint64_t end = clone->to_offset + clone->length;
    int r = riad_kill_privileges(clone->workspace, clone->caller, &clone->target);

    if (r < 0) {
        return r;
    }
    clone->target.size = end > clone->target.size ? end : clone->target.size;
    riad_touch(clone->workspace, &clone->target);
    riad_put_row(clone->workspace, &clone->target);
    return riad_mutation_commit(clone->workspace, NULL);
}

static int clone_locked(struct clone *clone)
{
    int r = riad_get_file(clone->workspace, clone->from, &clone->source);

    if (r == 0) {
        r = riad_get_file(clone->workspace, clone->to, &clone->target);
    }
    if (r == 0) {
        r = riad_flags_allow_change(&clone->target);
    }
    if (r == 0) {
        r = bound(clone);
    }
    if (r < 0 || clone->length == 0) {
        return r;
    }
    if (clone->to_offset + clone->length > clone->target.truncate_mark) {
        return RIAD_PENDING;
    }
    r = share(clone);
    return r < 0 ? r : commit(clone);
}

static int check_ranges(const struct clone *clone)
{
    bool apart = clone->from_offset + clone->length <= clone->to_offset ||
                 clone->to_offset + clone->length <= clone->from_offset;

    return clone->from == clone->to && !apart ? -EINVAL : 0;
}

static int attempt(struct clone *clone)
{
    int r = riad_mutation_begin(clone->workspace, clone->caller);

    if (r < 0) {
        return r;
    }
    r = clone_locked(clone);
    riad_mutation_end(clone->workspace);
    if (r == RIAD_PENDING) {
        r = riad_truncate_finish(clone->workspace, clone->to);
        return r < 0 ? r : -EAGAIN;
    }
    return r;
}

int riad_copy_range(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t from, uint64_t from_offset, uint64_t to, uint64_t to_offset, uint64_t length,
        uint64_t *ret_length)
{
    struct clone clone;
    int r;

    if (to_offset > RIAD_FILE_SIZE_MAX || length > RIAD_FILE_SIZE_MAX - to_offset) {
        return -EFBIG;
    }
    do {
        clone = (struct clone){
            .workspace = workspace,
            .caller = caller,
            .from = from,
            .from_offset = from_offset,
            .to = to,
            .to_offset = to_offset,
            .length = from_offset < RIAD_FILE_SIZE_MAX ? length : 0,
        };
        r = length > 0 ? check_ranges(&clone) : 0;
        if (r == 0) {
            r = attempt(&clone);
        }
    } while (r == -EAGAIN || riad_orphan_awaited(workspace, &r));
    if (r == 0) {
        *ret_length = clone.length;
    }
    return r;
}
