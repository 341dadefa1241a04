/* Reading rows, inside the open batch. */
#include <errno.h>

#include "index_priv.h"
#include "row_priv.h"
#include "sealing_priv.h"
#include "stored_priv.h"

int riad_index_get_inode(struct riad_index *index, uint64_t inode, struct riad_inode *ret)
{
    const struct riad_inode *row;
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    r = riad_cache_get(index, inode, &row);
    if (r < 0) {
        return r;
    }
    *ret = *row;
    return 0;
}

/* The sealed name that was asked for is the one found: it need not be opened. */
static int find_dentry(struct riad_index *index, uint64_t parent, const uint8_t *sealed,
        size_t size, struct riad_dentry *ret)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_DENTRY_LOOKUP);
    int r;

    riad_bind_u64(statement, 1, parent);
    riad_bind_blob(statement, 2, sealed, size);
    r = riad_statement_step(statement);
    if (r <= 0) {
        return r < 0 ? r : -ENOENT;
    }
    return riad_dentry_column(statement, 0, ret);
}

int riad_index_lookup(struct riad_index *index, uint64_t parent, const char *name, size_t size,
        struct riad_dentry *ret)
{
    uint8_t sealed[RIAD_SEALED_NAME_MAX];
    size_t sealed_size;
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    if (size < 1 || size > RIAD_NAME_MAX) {
        return -ENOENT;
    }
    r = riad_index_seal_name(index, parent, name, size, sealed, &sealed_size);
    if (r < 0) {
        return r;
    }
    r = find_dentry(index, parent, sealed, sealed_size, ret);
    if (r < 0) {
        return r;
    }
    memcpy(ret->name, name, size);
    ret->name[size] = '\0';
    ret->name_size = (uint16_t)size;
    return riad_dentry_is_valid(ret) ? 0 : -EUCLEAN;
}

int riad_index_has_entries(struct riad_index *index, uint64_t parent)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_DENTRY_ANY);
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    riad_bind_u64(statement, 1, parent);
    return riad_statement_step(statement);
}

int riad_index_dentry_of(
        struct riad_index *index, uint64_t parent, uint64_t inode, struct riad_dentry *ret)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_DENTRY_OF);
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    riad_bind_u64(statement, 1, parent);
    riad_bind_u64(statement, 2, inode);
    r = riad_statement_step(statement);
    if (r <= 0) {
        return r < 0 ? r : -ENOENT;
    }
    return riad_dentry_open(statement, 0, index->keys, ret);
}

/* Hands the statement's row to the function. */
static int pass_entry(struct riad_index *index, sqlite3_stmt *statement,
        riad_index_entry_function function, void *context)
{
    struct riad_dentry dentry;
    struct riad_inode inode;
    int r = riad_dentry_open(statement, 0, index->keys, &dentry);

    if (r < 0) {
        return r;
    }
    r = riad_inode_column(statement, RIAD_DENTRY_COLUMN_COUNT, &inode);
    if (r < 0) {
        return r;
    }
    return function(context, &dentry, &inode);
}

int riad_index_list(struct riad_index *index, uint64_t parent, uint64_t after,
        riad_index_entry_function function, void *context)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_DENTRY_LIST);
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    r = riad_index_flush(index);
    if (r < 0) {
        return r;
    }
    riad_bind_u64(statement, 1, parent);
    riad_bind_u64(statement, 2, riad_clamp_offset(after));
    while ((r = riad_statement_step(statement)) == 1) {
        r = pass_entry(index, statement, function, context);
        if (r != 0) {
            return r < 0 ? r : 0;
        }
    }
    return r;
}

int riad_index_extents(struct riad_index *index, uint64_t inode, uint64_t from, uint64_t to,
        riad_index_extent_function function, void *context)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_EXTENT_LIST);
    const struct riad_young_file *young = riad_young_find(index, inode);
    int r = riad_index_begin(index);

    if (r < 0 || from >= to) {
        return r;
    }
    if (young) {
        return riad_young_list(young, from, to, function, context);
    }
    riad_bind_u64(statement, 1, inode);
    riad_bind_u64(statement, 2, riad_clamp_offset(from));
    riad_bind_u64(statement, 3, riad_clamp_offset(to));
    while ((r = riad_statement_step(statement)) == 1) {
        struct riad_extent extent;

        r = riad_extent_column(statement, &extent);
        if (r < 0) {
            return r;
        }
        if (extent.offset + extent.length <= from) {
            continue; /* the one before, which does not reach into the range */
        }
        r = function(context, &extent);
        if (r != 0) {
            return r < 0 ? r : 0;
        }
    }
    return r;
}

static int list_inodes(struct riad_index *index, enum riad_statement id, uint64_t after,
        uint64_t *ret_inodes, size_t max, size_t *ret_count)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, id);
    size_t count = 0;
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    r = riad_index_flush(index);
    if (r < 0) {
        return r;
    }
    riad_bind_u64(statement, 1, riad_clamp_offset(after));
    riad_bind_u64(statement, 2, riad_clamp_offset(max));
    while ((r = riad_statement_step(statement)) == 1) {
        if (!riad_column_u64(statement, 0, &ret_inodes[count++])) {
            return -EUCLEAN;
        }
    }
    if (r < 0) {
        return r;
    }
    *ret_count = count;
    return 0;
}

int riad_index_orphans(struct riad_index *index, uint64_t after, uint64_t *ret_inodes, size_t max,
        size_t *ret_count)
{
    return list_inodes(index, RIAD_SQL_INODE_ORPHANS, after, ret_inodes, max, ret_count);
}

int riad_index_truncate_marks(struct riad_index *index, uint64_t after, uint64_t *ret_inodes,
        size_t max, size_t *ret_count)
{
    return list_inodes(index, RIAD_SQL_INODE_MARKS, after, ret_inodes, max, ret_count);
}

/* By one of the two statements that ask so. */
static int next_inode(
        struct riad_index *index, enum riad_statement id, uint64_t after, uint64_t *ret)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, id);
    int r;

    riad_bind_u64(statement, 1, riad_clamp_offset(after));
    r = riad_statement_step(statement);
    if (r <= 0) {
        return r < 0 ? r : -ENOENT;
    }
    return riad_column_u64(statement, 0, ret) ? 0 : -EUCLEAN;
}

int riad_index_next_file(struct riad_index *index, uint64_t after, uint64_t *ret_inode)
{
    int r = riad_index_begin(index);

    return r < 0 ? r : next_inode(index, RIAD_SQL_FILE_NEXT, after, ret_inode);
}

/* Xattrs are written through: no cache shadows them. */
int riad_index_xattr_inodes(struct riad_index *index, uint64_t after, uint64_t *ret_inodes,
        size_t max, size_t *ret_count)
{
    size_t count = 0;
    int r = riad_index_begin(index);

    while (r == 0 && count < max) {
        r = next_inode(index, RIAD_SQL_XATTR_NEXT, count > 0 ? ret_inodes[count - 1] : after,
                &ret_inodes[count]);
        count += r == 0;
    }
    if (r < 0 && r != -ENOENT) {
        return r;
    }
    *ret_count = count;
    return 0;
}
