/* Recounting what limits are about, beside who goes on using the workspace. */
#include <errno.h>

#include "check_priv.h"
#include "index_priv.h"

/* Columns: subject, id, kept blocks, kept inodes, counted blocks, counted inodes. */
static const char sums_text[] =
        "SELECT 1, 0, m.blocks, m.inodes, coalesce(sum(i.blocks & 2251799813685247), 0), "
        "count(i.inode) FROM meta AS m LEFT JOIN inode AS i ON 1 WHERE m.id = 1 UNION ALL "
        "SELECT 2, o.id, o.blocks, o.inodes, coalesce(i.blocks, 0), coalesce(i.inodes, 0) FROM "
        "owner "
        "AS o LEFT JOIN (SELECT uid, sum(blocks & 2251799813685247) AS blocks, count(*) AS inodes "
        "FROM inode GROUP BY uid) AS i ON i.uid = o.id WHERE o.subject = 2 UNION ALL "
        "SELECT 3, o.id, o.blocks, o.inodes, coalesce(i.blocks, 0), coalesce(i.inodes, 0) FROM "
        "owner "
        "AS o LEFT JOIN (SELECT gid, sum(blocks & 2251799813685247) AS blocks, count(*) AS inodes "
        "FROM inode GROUP BY gid) AS i ON i.gid = o.id WHERE o.subject = 3 UNION ALL "
        "SELECT 2, uid, 0, 0, sum(blocks & 2251799813685247), count(*) FROM inode WHERE uid NOT IN "
        "(SELECT id FROM owner WHERE subject = 2) GROUP BY uid UNION ALL "
        "SELECT 3, gid, 0, 0, sum(blocks & 2251799813685247), count(*) FROM inode WHERE gid NOT IN "
        "(SELECT id FROM owner WHERE subject = 3) GROUP BY gid";

static bool get_sum(sqlite3_stmt *statement, struct riad_miscount *ret)
{
    uint32_t subject;
    bool got = riad_column_u32(statement, 0, &subject) && riad_column_u64(statement, 1, &ret->id) &&
               riad_column_u64(statement, 2, &ret->kept.blocks) &&
               riad_column_u64(statement, 3, &ret->kept.inodes) &&
               riad_column_u64(statement, 4, &ret->counted.blocks) &&
               riad_column_u64(statement, 5, &ret->counted.inodes);

    ret->subject = subject;
    return got;
}

static int recount_sums(
        struct riad_snapshot *snapshot, riad_miscount_function function, void *context)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    int r = riad_database_prepare(snapshot->database, sums_text, &statement);

    if (r < 0) {
        return r;
    }
    while ((r = riad_statement_step(statement)) == 1) {
        struct riad_miscount sum = { 0 };

        if (!get_sum(statement, &sum)) {
            return -EUCLEAN;
        }
        r = memcmp(&sum.kept, &sum.counted, sizeof sum.kept) == 0 ? 0 : function(context, &sum);
        if (r < 0) {
            return r;
        }
    }
    return r;
}

static void ignore(void *context, const char *finding)
{
    (void)context;
    (void)finding;
}

int riad_snapshot_recount(
        struct riad_snapshot *snapshot, riad_miscount_function function, void *context)
{
    struct riad_check check = {
        .snapshot = snapshot, .report = ignore, .miscount = function, .context = context
    };
    int r = riad_check_inodes(&check);

    if (r == 0) {
        r = check.error;
    }
    return r < 0 ? r : recount_sums(snapshot, function, context);
}

static int mend_total(struct riad_index *index, int64_t inodes, int64_t blocks)
{
    struct riad_usage usage = index->current.usage;

    if (__builtin_add_overflow(usage.inodes, inodes, &usage.inodes) ||
            __builtin_add_overflow(usage.blocks, blocks, &usage.blocks)) {
        return -EINVAL;
    }
    index->current.usage = usage;
    return 0;
}

int riad_index_mend_sum(struct riad_index *index, const struct riad_miscount *miscount)
{
    int64_t inodes = (int64_t)(miscount->counted.inodes - miscount->kept.inodes);
    int64_t blocks = (int64_t)(miscount->counted.blocks - miscount->kept.blocks);
    int r = miscount->subject == 0 ? -EINVAL : riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    r = miscount->subject == RIAD_SUBJECT_WORKSPACE
                ? mend_total(index, inodes, blocks)
                : riad_owners_add(index, miscount->subject, (uint32_t)miscount->id, inodes, blocks);
    index->changed |= r == 0;
    index->unrecorded |= r == 0;
    index->unrepeatable |= r == 0;
    return r;
}
