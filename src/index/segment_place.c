/* What lies where: extents by the segment that has their records (L7). SQLite is told first of the
 * young files' extents, which it may not have. */
#include <errno.h>

#include "index_priv.h"
#include "stored_priv.h"

static int begin(struct riad_index *index)
{
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    r = riad_young_flush(index);
    return r < 0 ? riad_index_fail(index, r) : 0;
}

int riad_index_placed(struct riad_index *index, uint64_t segment, uint64_t from,
        riad_index_extent_function function, void *context)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_EXTENT_PLACED);
    int r = begin(index);

    if (r < 0) {
        return r;
    }
    riad_bind_u64(statement, 1, segment);
    riad_bind_u64(statement, 2, riad_clamp_offset(from));
    while ((r = riad_statement_step(statement)) == 1) {
        struct riad_extent extent;

        r = riad_extent_column(statement, &extent);
        if (r == 0) {
            r = function(context, &extent);
        }
        if (r != 0) {
            return r < 0 ? r : 0;
        }
    }
    return r;
}

int riad_index_is_used(struct riad_index *index, uint64_t segment)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_SEGMENT_USED);
    int r = begin(index);

    if (r < 0) {
        return r;
    }
    riad_bind_u64(statement, 1, segment);
    return riad_statement_step(statement);
}
