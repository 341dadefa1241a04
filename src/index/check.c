/* Consistency of an index's rows among themselves (fsck). Passes, never queries per row, so that it
 * scales with the tree; what does not fit into memory SQLite sorts in temporary files. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "check_priv.h"
#include "stored_priv.h"

enum { FINDING_SIZE = 256 };

void riad_check_find(struct riad_check *check, const char *format, ...)
{
    char text[FINDING_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    check->findings++;
    check->report(check->context, text);
}

/* SQLite's own: b-trees, and indexes against their tables. */
static int check_structure(struct riad_check *check)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    int r = riad_database_prepare(
            check->snapshot->database, "PRAGMA integrity_check(100)", &statement);

    if (r < 0) {
        return r;
    }
    while ((r = riad_statement_step(statement)) == 1) {
        const char *text = (const char *)sqlite3_column_text(statement, 0);

        if (!text || strcmp(text, "ok") != 0) {
            riad_check_find(check, "The database is damaged: %s.", text ? text : "no reason given");
        }
    }
    return r;
}

static int check_names(struct riad_check *check)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    int r = riad_database_prepare(check->snapshot->database,
            "SELECT " RIAD_DENTRY_COLUMNS " FROM dentry ORDER BY parent, cookie", &statement);

    if (r < 0) {
        return r;
    }
    while ((r = riad_statement_step(statement)) == 1) {
        struct riad_dentry dentry = { 0 };

        r = riad_dentry_open(statement, 0, check->snapshot->keys, &dentry);
        if (r == -EUCLEAN) {
            riad_check_find(check,
                    "Directory %lld: the entry with cookie %lld is damaged or not authentic.",
                    (long long)sqlite3_column_int64(statement, 0),
                    (long long)sqlite3_column_int64(statement, 1));
        } else if (r < 0) {
            return r;
        }
    }
    return r;
}

/* Queries whose rows are numbers of what is wrong. */
static const struct {
    const char *text;
    const char *finding;
} queries[] = {
    { "WITH RECURSIVE reached(inode) AS (SELECT 1 UNION SELECT dentry.inode FROM reached "
      "JOIN dentry ON dentry.parent = reached.inode WHERE dentry.type = 4) "
      "SELECT inode FROM inode WHERE (mode & 61440) = 16384 AND nlink > 0 AND "
      "inode NOT IN (SELECT inode FROM reached)",
            "Directory %lld cannot be reached from the root." },
    { "SELECT o.id FROM owner AS o LEFT JOIN (SELECT uid, count(*) AS inodes, sum(blocks & "
      "2251799813685247) AS blocks FROM inode GROUP BY uid) AS i ON i.uid = o.id WHERE o.subject = "
      "2 "
      "AND (coalesce(i.inodes, 0) IS NOT o.inodes OR coalesce(i.blocks, 0) IS NOT o.blocks)",
            "User %lld: the usage kept is not the sum over the inodes." },
    { "SELECT o.id FROM owner AS o LEFT JOIN (SELECT gid, count(*) AS inodes, sum(blocks & "
      "2251799813685247) AS blocks FROM inode GROUP BY gid) AS i ON i.gid = o.id WHERE o.subject = "
      "3 "
      "AND (coalesce(i.inodes, 0) IS NOT o.inodes OR coalesce(i.blocks, 0) IS NOT o.blocks)",
            "Group %lld: the usage kept is not the sum over the inodes." },
    { "SELECT uid FROM inode EXCEPT SELECT id FROM owner WHERE subject = 2",
            "User %lld has inodes, and no usage is kept of it." },
    { "SELECT gid FROM inode EXCEPT SELECT id FROM owner WHERE subject = 3",
            "Group %lld has inodes, and no usage is kept of it." },
    { "SELECT garbage.inode FROM garbage JOIN inode ON inode.inode = garbage.inode",
            "Inode %lld is there and removed at once." },
    /* Data extents are shorter than 2^32: the mask only keeps damaged ones from overflowing. */
    { "SELECT s.segment FROM segment AS s LEFT JOIN (SELECT segment, sum(length & 4294967295) AS "
      "bytes FROM extent WHERE segment <> 0 GROUP BY segment) AS e ON e.segment = s.segment "
      "WHERE coalesce(e.bytes, 0) IS NOT s.live",
            "Segment %016llx: its live bytes are not the sum of its extents." },
    { "SELECT DISTINCT segment FROM extent WHERE segment <> 0 AND "
      "segment NOT IN (SELECT segment FROM segment)",
            "Segment %016llx has extents but is not counted." },
};

int riad_check_query(struct riad_check *check, const char *query, const char *finding)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    int r = riad_database_prepare(check->snapshot->database, query, &statement);

    if (r < 0) {
        return r;
    }
    while ((r = riad_statement_step(statement)) == 1) {
        char text[FINDING_SIZE];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(text, sizeof text, finding, (long long)sqlite3_column_int64(statement, 0));
#pragma GCC diagnostic pop
        riad_check_find(check, "%s", text);
    }
    return r;
}

static int check_queries(struct riad_check *check)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < sizeof queries / sizeof queries[0]; i++) {
        r = riad_check_query(check, queries[i].text, queries[i].finding);
    }
    return r;
}

int riad_snapshot_check(struct riad_snapshot *snapshot, riad_index_report_function report,
        void *context, uint64_t *ret_findings)
{
    static int (*const passes[])(struct riad_check * check) = { check_structure, check_names,
        riad_check_inodes, check_queries, riad_check_tree };
    struct riad_check check = { .snapshot = snapshot, .report = report, .context = context };

    for (size_t i = 0; i < sizeof passes / sizeof passes[0]; i++) {
        int r = passes[i](&check);

        if (r == -EUCLEAN) {
            riad_check_find(&check, "The database is damaged and cannot be read to its end.");
        } else if (r < 0) {
            return r;
        }
    }
    *ret_findings = check.findings;
    return 0;
}
