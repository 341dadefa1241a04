#include <errno.h>

#include "index_priv.h"
#include "stored_priv.h"

static bool get_span(sqlite3_stmt *statement, struct riad_span *ret)
{
    return riad_column_u64(statement, 0, &ret->offset) &&
           riad_column_u64(statement, 1, &ret->length) &&
           riad_column_u64(statement, 2, &ret->segment) && ret->offset <= RIAD_FILE_SIZE_MAX &&
           ret->length <= RIAD_FILE_SIZE_MAX - ret->offset;
}

/* Looks back from the new extent's end: the nearest extent may be the one it replaces, and the next
 * the predecessor; any other that reaches into it is an overlap. *ret_old: what it replaces, length
 * 0 if nothing. */
static int check_neighbours(
        struct riad_index *index, const struct riad_extent *row, struct riad_span *ret_old)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_EXTENT_BEFORE);
    int r;

    riad_bind_u64(statement, 1, row->inode);
    riad_bind_u64(statement, 2, row->offset + row->length);
    while ((r = riad_statement_step(statement)) == 1) {
        struct riad_span span;

        if (!get_span(statement, &span)) {
            return -EUCLEAN;
        }
        if (span.offset == row->offset) {
            *ret_old = span;
            continue;
        }
        return span.offset + span.length > row->offset ? -EBADMSG : 0;
    }
    return r;
}

static int put_row(
        struct riad_index *index, const struct riad_extent *row, struct riad_span *ret_old)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_EXTENT_PUT);
    struct riad_extent_room room;
    int r = check_neighbours(index, row, ret_old);

    if (r < 0) {
        return r;
    }
    riad_extent_bind(statement, row, &room);
    return riad_statement_run(statement);
}

int riad_apply_extent_put(struct riad_index *index, const struct riad_extent *row)
{
    struct riad_young_file *young = riad_young_find(index, row->inode);
    struct riad_span old = { 0 };
    int r = young ? riad_young_put(index, young, row, &old) : 1;

    if (r == 1) {
        r = put_row(index, row, &old);
    }
    if (r < 0) {
        return r;
    }
    r = riad_live_add(index, old.segment, -(int64_t)old.length);
    if (r < 0) {
        return r;
    }
    return riad_live_add(index, row->segment, (int64_t)row->length);
}

/* Takes up to max extents in [from, to) off their segments' live bytes. *ret_end: just behind the
 * offset of the last of them. */
static int count_freed(struct riad_index *index, uint64_t inode, uint64_t from, uint64_t to,
        uint64_t max, uint64_t *ret_count, uint64_t *ret_end)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_EXTENT_FREED);
    uint64_t count = 0;
    uint64_t end = from;
    int r;

    riad_bind_u64(statement, 1, inode);
    riad_bind_u64(statement, 2, from);
    riad_bind_u64(statement, 3, to);
    riad_bind_u64(statement, 4, max);
    while ((r = riad_statement_step(statement)) == 1) {
        struct riad_span span;

        if (!get_span(statement, &span)) {
            return -EUCLEAN;
        }
        r = riad_live_add(index, span.segment, -(int64_t)span.length);
        if (r < 0) {
            return r;
        }
        count++;
        end = span.offset + 1;
    }
    if (r < 0) {
        return r;
    }
    *ret_count = count;
    *ret_end = end;
    return 0;
}

static int remove_rows(struct riad_index *index, uint64_t inode, uint64_t from, uint64_t to)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_EXTENT_CLEAR);

    riad_bind_u64(statement, 1, inode);
    riad_bind_u64(statement, 2, from);
    riad_bind_u64(statement, 3, to);
    return riad_statement_run(statement);
}

static int free_extents(struct riad_index *index, uint64_t inode, uint64_t from, uint64_t to,
        uint64_t max, uint64_t *ret_count)
{
    uint64_t count = 0;
    uint64_t end = 0;
    int r = count_freed(index, inode, from, to, max, &count, &end);

    if (r < 0) {
        return r;
    }
    *ret_count = count;
    return count > 0 ? remove_rows(index, inode, from, end) : 0;
}

static int clear_young(
        struct riad_index *index, struct riad_young_file *young, uint64_t from, uint64_t to)
{
    struct riad_span spans[RIAD_YOUNG_EXTENTS];
    unsigned count;

    riad_young_take(young, from, to, spans, &count);
    for (unsigned i = 0; i < count; i++) {
        int r = riad_live_add(index, spans[i].segment, -(int64_t)spans[i].length);

        if (r < 0) {
            return r;
        }
    }
    return count > 0 && young->stored ? remove_rows(index, young->inode, from, to) : 0;
}

int riad_apply_extent_clear(struct riad_index *index, uint64_t inode, uint64_t from, uint64_t to)
{
    struct riad_young_file *young = riad_young_find(index, inode);
    uint64_t count;

    if (young) {
        return clear_young(index, young, riad_clamp_offset(from), riad_clamp_offset(to));
    }
    return free_extents(
            index, inode, riad_clamp_offset(from), riad_clamp_offset(to), INT64_MAX, &count);
}

int riad_index_count_extents(struct riad_index *index, uint64_t inode, uint64_t from, uint64_t to,
        uint64_t max, uint64_t *ret)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_EXTENT_COUNT);
    const struct riad_young_file *young = riad_young_find(index, inode);
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    if (young) {
        uint64_t count = riad_young_count(young, from, to);

        *ret = count < max ? count : max;
        return 0;
    }
    riad_bind_u64(statement, 1, inode);
    riad_bind_u64(statement, 2, riad_clamp_offset(from));
    riad_bind_u64(statement, 3, riad_clamp_offset(to));
    riad_bind_u64(statement, 4, riad_clamp_offset(max));
    r = riad_statement_step(statement);
    if (r < 0) {
        return r;
    }
    return r == 1 && riad_column_u64(statement, 0, ret) ? 0 : -EUCLEAN;
}

/* *ret_garbage: there are too many to be freed at once. */
static int remove_extents(struct riad_index *index, uint64_t inode, bool *ret_garbage)
{
    uint64_t count = 0;
    int r = riad_index_count_extents(
            index, inode, 0, INT64_MAX, RIAD_REMOVE_EXTENTS_MAX + 1, &count);

    if (r < 0) {
        return r;
    }
    *ret_garbage = count > RIAD_REMOVE_EXTENTS_MAX;
    return count == 0 || *ret_garbage ? 0 : riad_apply_extent_clear(index, inode, 0, INT64_MAX);
}

int riad_apply_extent_remove(struct riad_index *index, uint64_t inode)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_GARBAGE_PUT);
    bool garbage = false;
    int r = remove_extents(index, inode, &garbage);

    riad_young_forget(index, inode);
    if (r < 0 || !garbage) {
        return r;
    }
    riad_bind_u64(statement, 1, inode);
    return riad_statement_run(statement);
}

/* 1 and an inode, or 0. */
static int first_garbage(struct riad_index *index, uint64_t *ret)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_GARBAGE_FIRST);
    int r = riad_statement_step(statement);

    if (r == 1 && !riad_column_u64(statement, 0, ret)) {
        return -EUCLEAN;
    }
    return r;
}

/* Frees up to max extents of the inode; it is no garbage any more when fewer were left. */
static int reap_inode(struct riad_index *index, uint64_t inode, uint64_t max, uint64_t *ret_count)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_GARBAGE_REMOVE);
    int r = free_extents(index, inode, 0, INT64_MAX, max, ret_count);

    if (r < 0 || *ret_count == max) {
        return r;
    }
    riad_bind_u64(statement, 1, inode);
    return riad_statement_run(statement);
}

static int reap(struct riad_index *index, uint64_t max, bool *ret_more)
{
    uint64_t inode = 0;
    int r;

    while ((r = first_garbage(index, &inode)) == 1 && max > 0) {
        uint64_t count = 0;

        index->changed = true;
        index->unrecorded = true;
        r = reap_inode(index, inode, max, &count);
        if (r < 0) {
            return r;
        }
        max -= count;
    }
    if (r < 0) {
        return r;
    }
    *ret_more = r == 1;
    return 0;
}

int riad_index_reap(struct riad_index *index, uint32_t max, bool *ret_more)
{
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    r = reap(index, max, ret_more);
    return r < 0 ? riad_index_fail(index, r) : 0;
}
