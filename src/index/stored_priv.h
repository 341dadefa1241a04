/* Rows as SQLite stores them. What is read is checked like bytes from outside: -EUCLEAN for
 * anything that riad does not write. */
#ifndef RIAD_STORED_PRIV_H
#define RIAD_STORED_PRIV_H

#include "riad/keys.h"

#include "database_priv.h"

/* Column lists, in the order that the functions below bind and read. */
#define RIAD_INODE_COLUMNS                                                                 \
    "inode, generation, mode, nlink, uid, gid, flags, rdev, size, blocks, times, parent, " \
    "next_cookie, version, birth, truncate_mark, xattr_bytes"
#define RIAD_DENTRY_COLUMNS "parent, cookie, inode, type, name"
#define RIAD_EXTENT_COLUMNS "inode, offset, length, segment, position, rest"
#define RIAD_TREE_COLUMNS                                                      \
    "inode, parent, blocks, inodes, directories, given_blocks, given_inodes, " \
    "given_directories, pending"

enum { RIAD_INODE_COLUMN_COUNT = 17, RIAD_DENTRY_COLUMN_COUNT = 5, RIAD_STORED_TIMES_SIZE = 48 };

/* Room that a bound extent's blob borrows. */
struct riad_extent_room {
    uint8_t bytes[128 + RIAD_RUN_RECORDS_MAX * RIAD_TAG_SIZE];
};

/* Binds parameters 1.. in the order of the columns. times is borrowed until the reset. */
void riad_inode_bind(sqlite3_stmt *statement, const struct riad_inode *row,
        uint8_t times[RIAD_STORED_TIMES_SIZE]);
/* Reads the columns from `first` on. */
int riad_inode_column(sqlite3_stmt *statement, int first, struct riad_inode *ret) RIAD_MUST_CHECK;
/* All but the name. */
int riad_dentry_column(sqlite3_stmt *statement, int first, struct riad_dentry *ret) RIAD_MUST_CHECK;
/* With the name, opened. */
int riad_dentry_open(sqlite3_stmt *statement, int first, const struct riad_keys *keys,
        struct riad_dentry *ret) RIAD_MUST_CHECK;
void riad_extent_bind(
        sqlite3_stmt *statement, const struct riad_extent *row, struct riad_extent_room *room);
int riad_extent_column(sqlite3_stmt *statement, struct riad_extent *ret) RIAD_MUST_CHECK;
/* From columns inode, name, value. name has RIAD_NAME_MAX + 1 bytes; the value is on the heap. */
int riad_xattr_open(sqlite3_stmt *statement, const struct riad_keys *keys, char *ret_name,
        size_t *ret_name_size, uint8_t **ret_value, size_t *ret_size) RIAD_MUST_CHECK;

#endif
