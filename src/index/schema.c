/* The schema, and the proof that a database has this one and nothing else: planted triggers or
 * views would run in riad. */
#include <errno.h>
#include <stdio.h>

#include "database_priv.h"

/* 64-bit values are stored as the signed integer of the same bits. Columns have no constraints of
 * their own: what is read is checked as hostile, and constraints would make SQLite keep statement
 * journals.
 *   inode.times: atime, mtime, ctime, btime as FORMAT encodes them; truncate_mark NULL: none.
 *   dentry: one of each (parent, cookie), as statements see to. Its key has inode and type too: so
 *     the index of names has them, and a lookup reads that alone.
 *   extent.rest: FORMAT 6.2 without inode, offset, length, segment, position.
 *   tree: what each directory holds in all (tree_priv.h), of it what its parent was given already,
 *     and whether these differ.
 *   segment.live: logical bytes of the extents in it; log: known to be a log segment.
 *   owner: what the inodes of each owner and group use, and since when it is above a soft limit.
 *   garbage: inodes that were removed and whose extents are not freed yet (L8). */
const char riad_schema_text[] =
        "CREATE TABLE meta(id INTEGER PRIMARY KEY, workspace, epoch, end, start, next_inode, "
        "blocks, inodes);"
        "CREATE TABLE inode(inode INTEGER PRIMARY KEY, generation, mode, nlink, uid, gid, flags, "
        "rdev, size, blocks, times, parent, next_cookie, version, birth, truncate_mark, "
        "xattr_bytes);"
        "CREATE INDEX inode_orphan ON inode(inode) WHERE nlink = 0;"
        "CREATE INDEX inode_mark ON inode(inode) WHERE truncate_mark IS NOT NULL;"
        "CREATE TABLE dentry(parent, cookie, inode, type, name, "
        "PRIMARY KEY(parent, cookie, inode, type)) "
        "WITHOUT ROWID;"
        "CREATE UNIQUE INDEX dentry_name ON dentry(parent, name);"
        "CREATE INDEX dentry_directory ON dentry(parent, cookie) WHERE type = 4;"
        "CREATE TABLE extent(inode, offset, length, segment, position, rest, "
        "PRIMARY KEY(inode, offset)) WITHOUT ROWID;"
        "CREATE INDEX extent_place ON extent(segment, position) WHERE segment <> 0;"
        "CREATE TABLE xattr(inode, name, seq, value, PRIMARY KEY(inode, name)) WITHOUT ROWID;"
        "CREATE TABLE symlink(inode INTEGER PRIMARY KEY, target);"
        "CREATE TABLE tree(inode INTEGER PRIMARY KEY, parent, blocks, inodes, directories, "
        "given_blocks, given_inodes, given_directories, pending);"
        "CREATE INDEX tree_pending ON tree(inode) WHERE pending = 1;"
        "CREATE TABLE segment(segment INTEGER PRIMARY KEY, live, log);"
        "CREATE INDEX segment_dead ON segment(segment) WHERE live = 0 AND log = 0;"
        "CREATE TABLE garbage(inode INTEGER PRIMARY KEY);"
        "CREATE TABLE owner(subject, id, blocks, inodes, over_blocks, over_inodes, "
        "PRIMARY KEY(subject, id)) WITHOUT ROWID;";

static const char list_text[] = "SELECT name, type, tbl_name, coalesce(sql, '') FROM sqlite_schema "
                                "ORDER BY name, type, tbl_name";

static int check_pragma(sqlite3 *database, const char *text, uint64_t expected)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    uint64_t value;
    int r = riad_database_prepare(database, text, &statement);

    if (r < 0) {
        return r;
    }
    r = riad_statement_step(statement);
    if (r < 0) {
        return r;
    }
    return r == 1 && riad_column_u64(statement, 0, &value) && value == expected ? 0 : -EUCLEAN;
}

static bool is_same_row(sqlite3_stmt *a, sqlite3_stmt *b)
{
    for (int i = 0; i < sqlite3_column_count(a); i++) {
        const char *left = (const char *)sqlite3_column_text(a, i);
        const char *right = (const char *)sqlite3_column_text(b, i);

        if (!left || !right || strcmp(left, right) != 0) {
            return false;
        }
    }
    return true;
}

/* Steps both lists together. */
static int compare_lists(sqlite3_stmt *a, sqlite3_stmt *b)
{
    int left;
    int right;

    do {
        left = riad_statement_step(a);
        right = riad_statement_step(b);
        if (left < 0 || right < 0) {
            return left < 0 ? left : right;
        }
        if (left != right || (left == 1 && !is_same_row(a, b))) {
            return -EUCLEAN;
        }
    } while (left == 1);
    return 0;
}

static int compare_schemas(sqlite3 *database, sqlite3 *reference)
{
    _cleanup_finalize_ sqlite3_stmt *there = NULL;
    _cleanup_finalize_ sqlite3_stmt *expected = NULL;
    int r = riad_database_prepare(database, list_text, &there);

    if (r < 0) {
        return r;
    }
    r = riad_database_prepare(reference, list_text, &expected);
    if (r < 0) {
        return r;
    }
    return compare_lists(there, expected);
}

int riad_schema_check(sqlite3 *database)
{
    _cleanup_(riad_database_closep) sqlite3 *reference = NULL;
    int r = check_pragma(database, "PRAGMA application_id", RIAD_APPLICATION_ID);

    if (r < 0) {
        return r;
    }
    r = check_pragma(database, "PRAGMA user_version", RIAD_SCHEMA_VERSION);
    if (r < 0) {
        return r;
    }
    if (sqlite3_open(":memory:", &reference) != SQLITE_OK) {
        return -ENOMEM;
    }
    r = riad_database_run(reference, riad_schema_text);
    if (r < 0) {
        return r;
    }
    return compare_schemas(database, reference);
}

int riad_schema_is_missing(sqlite3 *database)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    int r = riad_database_prepare(database, "SELECT 1 FROM sqlite_master LIMIT 1", &statement);

    if (r < 0) {
        return r;
    }
    r = riad_statement_step(statement);
    return r < 0 ? r : r == 0;
}

int riad_schema_create(sqlite3 *database)
{
    char text[128];
    int r = riad_database_run(database, riad_schema_text);

    if (r < 0) {
        return r;
    }
    snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %d",
            RIAD_APPLICATION_ID, RIAD_SCHEMA_VERSION);
    return riad_database_run(database, text);
}

int riad_schema_probe(sqlite3 *database)
{
    return riad_database_run(database,
            "SELECT max(inode) FROM inode; SELECT max(inode) FROM symlink;"
            "SELECT max(segment) FROM segment; SELECT max(inode) FROM garbage;"
            "SELECT inode FROM inode WHERE nlink = 0 ORDER BY inode DESC LIMIT 1;"
            "SELECT inode FROM inode WHERE truncate_mark IS NOT NULL ORDER BY inode DESC LIMIT 1;"
            "SELECT cookie FROM dentry ORDER BY parent DESC, cookie DESC LIMIT 1;"
            "SELECT cookie FROM dentry INDEXED BY dentry_directory WHERE type = 4 "
            "ORDER BY parent DESC, cookie DESC LIMIT 1;"
            "SELECT max(inode) FROM tree;"
            "SELECT inode FROM tree INDEXED BY tree_pending WHERE pending = 1 "
            "ORDER BY inode DESC LIMIT 1;"
            "SELECT name FROM dentry ORDER BY parent DESC, name DESC LIMIT 1;"
            "SELECT length FROM extent ORDER BY inode DESC, offset DESC LIMIT 1;"
            "SELECT position FROM extent WHERE segment <> 0 "
            "ORDER BY segment DESC, position DESC LIMIT 1;"
            "SELECT blocks FROM owner ORDER BY subject DESC, id DESC LIMIT 1;"
            "SELECT seq FROM xattr ORDER BY inode DESC, name DESC LIMIT 1");
}
