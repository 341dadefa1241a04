#include "statements_priv.h"
#include "stored_priv.h"

static const char *const texts[RIAD_STATEMENT_COUNT] = {
    [RIAD_SQL_BEGIN] = "BEGIN IMMEDIATE",
    [RIAD_SQL_COMMIT] = "COMMIT",
    [RIAD_SQL_ROLLBACK] = "ROLLBACK",
    [RIAD_SQL_META_PUT] = "UPDATE meta SET end = ?1, start = ?2, next_inode = ?3, blocks = ?4, "
                          "inodes = ?5 WHERE id = 1",
    [RIAD_SQL_INODE_GET] = "SELECT " RIAD_INODE_COLUMNS " FROM inode WHERE inode = ?1",
    [RIAD_SQL_INODE_PUT] = "INSERT OR REPLACE INTO inode(" RIAD_INODE_COLUMNS ") VALUES"
                           "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, "
                           "?16, ?17)",
    [RIAD_SQL_INODE_REMOVE] = "DELETE FROM inode WHERE inode = ?1",
    [RIAD_SQL_INODE_ORPHANS] = "SELECT inode FROM inode WHERE nlink = 0 AND inode > ?1 "
                               "ORDER BY inode LIMIT ?2",
    [RIAD_SQL_INODE_MARKS] = "SELECT inode FROM inode WHERE truncate_mark IS NOT NULL AND "
                             "inode > ?1 ORDER BY inode LIMIT ?2",
    [RIAD_SQL_DENTRY_TAKEN] = "SELECT 1 FROM dentry WHERE parent = ?1 AND cookie = ?2",
    [RIAD_SQL_DENTRY_INSERT] = "INSERT INTO dentry(" RIAD_DENTRY_COLUMNS ") "
                               "VALUES(?1, ?2, ?3, ?4, ?5)",
    [RIAD_SQL_DENTRY_UPDATE] = "UPDATE dentry SET inode = ?3, type = ?4, name = ?5 "
                               "WHERE parent = ?1 AND cookie = ?2",
    [RIAD_SQL_DENTRY_REMOVE] = "DELETE FROM dentry WHERE parent = ?1 AND cookie = ?2",
    [RIAD_SQL_DENTRY_LOOKUP] = "SELECT " RIAD_DENTRY_COLUMNS " FROM dentry "
                               "WHERE parent = ?1 AND name = ?2",
    [RIAD_SQL_DENTRY_ANY] = "SELECT 1 FROM dentry WHERE parent = ?1 LIMIT 1",
    [RIAD_SQL_DENTRY_OF] = "SELECT " RIAD_DENTRY_COLUMNS " FROM dentry "
                           "WHERE parent = ?1 AND inode = ?2 LIMIT 1",
    /* LEFT JOIN: an entry without an inode is damage, not a missing entry. */
    [RIAD_SQL_DENTRY_LIST] = "SELECT d.parent, d.cookie, d.inode, d.type, d.name, i.* "
                             "FROM dentry AS d LEFT JOIN inode AS i ON i.inode = d.inode "
                             "WHERE d.parent = ?1 AND d.cookie > ?2 ORDER BY d.cookie",
    [RIAD_SQL_DENTRY_DIRECTORY] = "SELECT " RIAD_DENTRY_COLUMNS " FROM dentry INDEXED BY "
                                  "dentry_directory WHERE parent = ?1 AND cookie > ?2 AND "
                                  "type = 4 ORDER BY cookie LIMIT 1",
    [RIAD_SQL_EXTENT_BEFORE] = "SELECT offset, length, segment FROM extent "
                               "WHERE inode = ?1 AND offset < ?2 ORDER BY offset DESC LIMIT 2",
    [RIAD_SQL_EXTENT_PUT] = "INSERT OR REPLACE INTO extent(" RIAD_EXTENT_COLUMNS ") "
                            "VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [RIAD_SQL_EXTENT_FREED] = "SELECT offset, length, segment FROM extent WHERE inode = ?1 AND "
                              "offset >= ?2 AND offset < ?3 ORDER BY offset LIMIT ?4",
    [RIAD_SQL_EXTENT_CLEAR] = "DELETE FROM extent WHERE inode = ?1 AND offset >= ?2 AND "
                              "offset < ?3",
    [RIAD_SQL_EXTENT_COUNT] = "SELECT count(*) FROM (SELECT 1 FROM extent WHERE inode = ?1 AND "
                              "offset >= ?2 AND offset < ?3 LIMIT ?4)",
    [RIAD_SQL_EXTENT_STRAY] = "SELECT 1 FROM extent WHERE inode >= ?1 LIMIT 1",
    /* Begins with the last extent at or before `from`. */
    [RIAD_SQL_EXTENT_LIST] = "SELECT " RIAD_EXTENT_COLUMNS " FROM extent WHERE inode = ?1 AND "
                             "offset >= coalesce((SELECT offset FROM extent WHERE inode = ?1 AND "
                             "offset <= ?2 ORDER BY offset DESC LIMIT 1), 0) AND offset < ?3 "
                             "ORDER BY offset",
    [RIAD_SQL_XATTR_PUT] = "INSERT INTO xattr(inode, name, seq, value) VALUES(?1, ?2, "
                           "(SELECT coalesce(max(seq), 0) + 1 FROM xattr WHERE inode = ?1), ?3) "
                           "ON CONFLICT DO UPDATE SET value = excluded.value",
    [RIAD_SQL_XATTR_REMOVE] = "DELETE FROM xattr WHERE inode = ?1 AND name = ?2",
    [RIAD_SQL_XATTR_REMOVE_ALL] = "DELETE FROM xattr WHERE inode = ?1",
    [RIAD_SQL_XATTR_GET] = "SELECT value FROM xattr WHERE inode = ?1 AND name = ?2",
    [RIAD_SQL_XATTR_LIST] = "SELECT name FROM xattr WHERE inode = ?1 ORDER BY seq",
    [RIAD_SQL_FILE_NEXT] = "SELECT inode FROM inode WHERE inode > ?1 AND (mode & 61440) = 32768 "
                           "ORDER BY inode LIMIT 1",
    [RIAD_SQL_XATTR_NEXT] = "SELECT inode FROM xattr WHERE inode > ?1 ORDER BY inode LIMIT 1",
    [RIAD_SQL_SYMLINK_PUT] = "INSERT OR REPLACE INTO symlink(inode, target) VALUES(?1, ?2)",
    [RIAD_SQL_SYMLINK_REMOVE] = "DELETE FROM symlink WHERE inode = ?1",
    [RIAD_SQL_SYMLINK_GET] = "SELECT target FROM symlink WHERE inode = ?1",
    [RIAD_SQL_TREE_PUT] = "INSERT OR REPLACE INTO tree(" RIAD_TREE_COLUMNS ") "
                          "VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [RIAD_SQL_TREE_REMOVE] = "DELETE FROM tree WHERE inode = ?1",
    [RIAD_SQL_TREE_GET] = "SELECT " RIAD_TREE_COLUMNS " FROM tree WHERE inode = ?1",
    [RIAD_SQL_TREE_PENDING] = "SELECT inode FROM tree INDEXED BY tree_pending WHERE pending = 1 "
                              "AND inode < ?1 ORDER BY inode DESC LIMIT ?2",
    [RIAD_SQL_TREE_COUNT] = "SELECT count(*) FROM tree INDEXED BY tree_pending WHERE pending = 1",
    [RIAD_SQL_SEGMENT_ADD] = "INSERT INTO segment(segment, live, log) VALUES(?1, ?2, 0) "
                             "ON CONFLICT DO UPDATE SET live = live + excluded.live",
    [RIAD_SQL_SEGMENT_MARK_LOG] = "INSERT INTO segment(segment, live, log) VALUES(?1, 0, 1) "
                                  "ON CONFLICT DO UPDATE SET log = 1",
    [RIAD_SQL_SEGMENT_REMOVE] = "DELETE FROM segment WHERE segment = ?1",
    [RIAD_SQL_SEGMENT_GET] = "SELECT live FROM segment WHERE segment = ?1",
    [RIAD_SQL_SEGMENT_DEAD] = "SELECT segment FROM segment WHERE live = 0 AND log = 0 LIMIT ?1",
    [RIAD_SQL_EXTENT_PLACED] = "SELECT " RIAD_EXTENT_COLUMNS " FROM extent INDEXED BY extent_place "
                               "WHERE segment = ?1 AND segment <> 0 AND position >= ?2 AND "
                               "inode NOT IN (SELECT inode FROM garbage) ORDER BY position",
    [RIAD_SQL_SEGMENT_USED] = "SELECT 1 FROM extent INDEXED BY extent_place "
                              "WHERE segment = ?1 AND segment <> 0 LIMIT 1",
    [RIAD_SQL_OWNER_LIST] =
            "SELECT subject, id, blocks, inodes, over_blocks, over_inodes FROM owner",
    [RIAD_SQL_OWNER_PUT] = "INSERT OR REPLACE INTO owner(subject, id, blocks, inodes, over_blocks, "
                           "over_inodes) VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [RIAD_SQL_OWNER_REMOVE] = "DELETE FROM owner WHERE subject = ?1 AND id = ?2",
    [RIAD_SQL_GARBAGE_PUT] = "INSERT OR REPLACE INTO garbage(inode) VALUES(?1)",
    [RIAD_SQL_GARBAGE_HAS] = "SELECT 1 FROM garbage WHERE inode = ?1",
    [RIAD_SQL_GARBAGE_FIRST] = "SELECT inode FROM garbage ORDER BY inode LIMIT 1",
    [RIAD_SQL_GARBAGE_REMOVE] = "DELETE FROM garbage WHERE inode = ?1",
};

int riad_statements_prepare(sqlite3 *database, sqlite3_stmt *ret[RIAD_STATEMENT_COUNT])
{
    for (int i = 0; i < RIAD_STATEMENT_COUNT; i++) {
        int r = riad_database_prepare(database, texts[i], &ret[i]);

        if (r < 0) {
            return r;
        }
    }
    return 0;
}

void riad_statements_finalize(sqlite3_stmt *statements[RIAD_STATEMENT_COUNT])
{
    for (int i = 0; i < RIAD_STATEMENT_COUNT; i++) {
        sqlite3_finalize(statements[i]);
        statements[i] = NULL;
    }
}
