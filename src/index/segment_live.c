/* Live bytes of segments: how much of each the extents still refer to. Kept as changes are applied,
 * gathered in memory, added to SQLite in one go. */
#include <errno.h>

#include "index_priv.h"

static int write_delta(struct riad_index *index, struct riad_segment_delta *delta)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_SEGMENT_ADD);
    int r;

    if (delta->segment == 0) {
        return 0;
    }
    riad_bind_u64(statement, 1, delta->segment);
    riad_bind_u64(statement, 2, (uint64_t)delta->bytes);
    r = riad_statement_run(statement);
    if (r == 0) {
        *delta = (struct riad_segment_delta){ 0 };
    }
    return r;
}

/* A delta of 0 is kept too: the segment was referred to once, so it can be dead. */
int riad_live_add(struct riad_index *index, uint64_t segment, int64_t bytes)
{
    struct riad_segment_delta *delta = &index->deltas[segment % RIAD_CACHED_SEGMENTS];

    if (segment == 0) {
        return 0;
    }
    if (delta->segment != segment) {
        int r = write_delta(index, delta);

        if (r < 0) {
            return r;
        }
    }
    delta->segment = segment;
    delta->bytes += bytes;
    return 0;
}

int riad_live_flush(struct riad_index *index)
{
    for (size_t i = 0; i < RIAD_CACHED_SEGMENTS; i++) {
        int r = write_delta(index, &index->deltas[i]);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

int riad_live_mark_log(struct riad_index *index, uint64_t segment)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_SEGMENT_MARK_LOG);

    if (segment == 0) {
        return 0;
    }
    riad_bind_u64(statement, 1, segment);
    return riad_statement_run(statement);
}

int riad_index_dead_segments(
        struct riad_index *index, uint64_t *ret_segments, size_t max, size_t *ret_count)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_SEGMENT_DEAD);
    size_t count = 0;
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    r = riad_live_flush(index);
    if (r < 0) {
        return riad_index_fail(index, r);
    }
    riad_bind_u64(statement, 1, riad_clamp_offset(max));
    while ((r = riad_statement_step(statement)) == 1 && count < max) {
        if (!riad_column_u64(statement, 0, &ret_segments[count++])) {
            return -EUCLEAN;
        }
    }
    if (r < 0) {
        return r;
    }
    *ret_count = count;
    return 0;
}

int riad_index_segment_live(struct riad_index *index, uint64_t segment, uint64_t *ret_bytes)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_SEGMENT_GET);
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    r = riad_live_flush(index);
    if (r < 0) {
        return riad_index_fail(index, r);
    }
    riad_bind_u64(statement, 1, segment);
    r = riad_statement_step(statement);
    if (r <= 0) {
        return r < 0 ? r : -ENOENT;
    }
    return riad_column_u64(statement, 0, ret_bytes) ? 0 : -EUCLEAN;
}

int riad_index_drop_segment(struct riad_index *index, uint64_t segment)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_SEGMENT_REMOVE);
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    r = riad_live_flush(index);
    if (r == 0) {
        riad_bind_u64(statement, 1, segment);
        r = riad_statement_run(statement);
    }
    if (r < 0) {
        return riad_index_fail(index, r);
    }
    index->changed = true;
    index->unrecorded = true;
    return 0;
}
