/* Applying a change's operations: the only place where rows, usage and the next inode change. */
#include <errno.h>
#include <sys/stat.h>

#include "index_priv.h"
#include "sealing_priv.h"
#include "stored_priv.h"

static int add_usage(struct riad_index *index, int64_t inodes, int64_t blocks)
{
    struct riad_usage usage = index->current.usage;

    if (__builtin_add_overflow(usage.inodes, inodes, &usage.inodes) ||
            __builtin_add_overflow(usage.blocks, blocks, &usage.blocks)) {
        return -EBADMSG;
    }
    index->current.usage = usage;
    return 0;
}

/* Extents of a removed inode may still be there (L8): they must not show in another one. */
static int refuse_garbage(struct riad_index *index, uint64_t inode)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_GARBAGE_HAS);
    int r;

    riad_bind_u64(statement, 1, inode);
    r = riad_statement_step(statement);
    return r == 1 ? -EBADMSG : r;
}

/* The row as it is, borrowed until the next call; -ENOENT if there is none. A number never given
 * out needs no query. */
static int get_row(struct riad_index *index, uint64_t inode, const struct riad_inode **ret)
{
    return inode >= index->current.next_inode ? -ENOENT : riad_cache_get(index, inode, ret);
}

/* What the workspace uses, and owners, and directories. NULL: there was no row, or there will be
 * none.
 */
static int count_change(
        struct riad_index *index, const struct riad_inode *before, const struct riad_inode *after)
{
    const struct riad_tree_place nowhere = { 0 };
    const struct riad_tree_place former = before ? riad_tree_place(before) : nowhere;
    const struct riad_tree_place place = after ? riad_tree_place(after) : nowhere;
    int64_t blocks = (int64_t)(after ? after->blocks : 0) - (int64_t)(before ? before->blocks : 0);
    int r = add_usage(index, (after != NULL) - (before != NULL), blocks);

    if (r == 0) {
        r = riad_owners_change(index, before, after);
    }
    return r < 0 ? r : riad_tree_change(index, &former, &place);
}

static int put_inode(struct riad_index *index, const struct riad_operation *operation)
{
    const struct riad_inode *row = &operation->inode;
    const struct riad_inode *before = NULL;
    int r = get_row(index, row->inode, &before);

    if (r == -ENOENT) {
        r = row->inode < index->current.next_inode ? refuse_garbage(index, row->inode) : 0;
    }
    if (r < 0) {
        return r;
    }
    r = count_change(index, before, row);
    if (r < 0) {
        return r;
    }
    if (row->inode >= index->current.next_inode) {
        index->current.next_inode = row->inode + 1;
        r = S_ISREG(row->mode) ? riad_young_begin(index, row->inode) : 0;
    }
    return r < 0 ? r : riad_cache_put(index, row);
}

static int remove_inode(struct riad_index *index, const struct riad_operation *operation)
{
    const struct riad_inode *before;
    int r = get_row(index, operation->number, &before);

    if (r < 0) {
        return r == -ENOENT ? -EBADMSG : r;
    }
    r = count_change(index, before, NULL);
    if (r < 0) {
        return r;
    }
    r = riad_cache_remove(index, operation->number);
    if (r < 0) {
        return r;
    }
    r = riad_apply_attributes_remove(index, operation->number);
    if (r < 0) {
        return r;
    }
    return riad_apply_extent_remove(index, operation->number);
}

static void bind_dentry(sqlite3_stmt *statement, const struct riad_dentry *row,
        const uint8_t *sealed, size_t sealed_size)
{
    riad_bind_u64(statement, 1, row->parent);
    riad_bind_u64(statement, 2, row->cookie);
    riad_bind_u64(statement, 3, row->inode);
    riad_bind_u64(statement, 4, row->type);
    riad_bind_blob(statement, 5, sealed, sealed_size);
}

/* 1: an entry of the directory has this cookie, and is to be another one. */
static int is_taken(struct riad_index *index, const struct riad_dentry *row)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_DENTRY_TAKEN);

    riad_bind_u64(statement, 1, row->parent);
    riad_bind_u64(statement, 2, row->cookie);
    return riad_statement_step(statement);
}

/* -EBADMSG: another entry has this name. */
static int put_dentry(struct riad_index *index, const struct riad_operation *operation)
{
    const struct riad_dentry *row = &operation->dentry;
    uint8_t sealed[RIAD_SEALED_NAME_MAX];
    sqlite3_stmt *statement;
    size_t size;
    int r = riad_index_seal_name(index, row->parent, row->name, row->name_size, sealed, &size);

    r = r < 0 ? r : is_taken(index, row);
    if (r < 0) {
        return r;
    }
    statement =
            riad_index_statement(index, r == 1 ? RIAD_SQL_DENTRY_UPDATE : RIAD_SQL_DENTRY_INSERT);
    bind_dentry(statement, row, sealed, size);
    return riad_statement_run(statement);
}

static int remove_dentry(struct riad_index *index, const struct riad_operation *operation)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_DENTRY_REMOVE);
    int r;

    riad_bind_u64(statement, 1, operation->dentry.parent);
    riad_bind_u64(statement, 2, operation->dentry.cookie);
    r = riad_statement_run(statement);
    if (r < 0) {
        return r;
    }
    return sqlite3_changes(index->database) == 1 ? 0 : -EBADMSG;
}

static int put_extent(struct riad_index *index, const struct riad_operation *operation)
{
    index->strays |= operation->extent.inode >= index->current.next_inode;
    return riad_apply_extent_put(index, &operation->extent);
}

static int clear_extents(struct riad_index *index, const struct riad_operation *operation)
{
    return riad_apply_extent_clear(index, operation->number, operation->from, operation->to);
}

static int put_workspace(struct riad_index *index, const struct riad_operation *operation)
{
    if (operation->number > index->current.next_inode) {
        index->current.next_inode = operation->number;
    }
    return 0;
}

static int put_clock(struct riad_index *index, const struct riad_operation *operation)
{
    return riad_owners_set_clock(index, &operation->clock);
}

typedef int (*applier)(struct riad_index *index, const struct riad_operation *operation);

static const applier appliers[] = {
    [RIAD_OP_INODE_PUT] = put_inode,
    [RIAD_OP_INODE_REMOVE] = remove_inode,
    [RIAD_OP_DENTRY_PUT] = put_dentry,
    [RIAD_OP_DENTRY_REMOVE] = remove_dentry,
    [RIAD_OP_XATTR_PUT] = riad_apply_xattr_put,
    [RIAD_OP_XATTR_REMOVE] = riad_apply_xattr_remove,
    [RIAD_OP_EXTENT_PUT] = put_extent,
    [RIAD_OP_EXTENT_CLEAR] = clear_extents,
    [RIAD_OP_SYMLINK_PUT] = riad_apply_symlink_put,
    [RIAD_OP_WORKSPACE_PUT] = put_workspace,
    [RIAD_OP_CLOCK_PUT] = put_clock,
};

int riad_apply_operations(struct riad_index *index, struct riad_reader operations, bool loading)
{
    struct riad_operation operation;
    int r;

    while ((r = riad_operation_next(&operations, &operation)) == 1) {
        if (operation.kind == RIAD_OP_WORKSPACE_PUT && !loading) {
            return -EBADMSG; /* only in checkpoints */
        }
        r = appliers[operation.kind](index, &operation);
        if (r < 0) {
            return r;
        }
    }
    return r;
}
