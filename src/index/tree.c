/* What the rows of inodes add up to, directory by directory: derived beside usage, by whoever
 * applies an operation. */
#include <errno.h>
#include <sys/stat.h>

#include "index_priv.h"
#include "stored_priv.h"

/* Of a row that FORMAT allows and core never writes, the root is the parent. */
static uint64_t parent_of(const struct riad_inode *row)
{
    return row->parent == 0 || row->parent == row->inode ? RIAD_ROOT_INODE : row->parent;
}

struct riad_tree_place riad_tree_place(const struct riad_inode *row)
{
    bool directory = S_ISDIR(row->mode);

    if (row->nlink == 0) {
        return (struct riad_tree_place){ 0 };
    }
    return (struct riad_tree_place){
        .home = directory ? row->inode : parent_of(row),
        .above = directory && row->inode != RIAD_ROOT_INODE ? parent_of(row) : 0,
        .usage = { row->blocks, 1, directory },
    };
}

int riad_tree_add(struct riad_index *index, uint64_t inode, const struct riad_tree_usage *delta)
{
    struct riad_tree_row *row;
    int r;

    if (inode == 0 || riad_tree_usage_none(delta)) {
        return 0;
    }
    r = riad_tree_get(index, inode, &row);
    if (r < 0) {
        return r;
    }
    riad_tree_usage_add(&row->total, delta);
    return riad_tree_put(index, row);
}

/* Takes back what the former parent was given; the new one gets it all when it is folded. */
static int hang(struct riad_index *index, uint64_t inode, uint64_t parent)
{
    const struct riad_tree_usage none = { 0 };
    struct riad_tree_usage taken;
    struct riad_tree_row *row;
    uint64_t former;
    int r = riad_tree_get(index, inode, &row);

    if (r < 0 || row->parent == parent) {
        return r;
    }
    former = row->parent;
    taken = riad_tree_usage_less(&none, &row->given);
    row->parent = parent;
    row->given = none;
    r = riad_tree_put(index, row);
    return r < 0 ? r : riad_tree_add(index, former, &taken);
}

/* What still counts at a directory that lost its name goes to the root. */
static int move(struct riad_index *index, const struct riad_tree_place *before,
        const struct riad_tree_place *after)
{
    if (before->above == after->above) {
        return 0;
    }
    return after->above != 0 ? hang(index, after->home, after->above)
                             : hang(index, before->home, RIAD_ROOT_INODE);
}

int riad_tree_change(struct riad_index *index, const struct riad_tree_place *before,
        const struct riad_tree_place *after)
{
    struct riad_tree_usage taken = riad_tree_usage_less(&after->usage, &before->usage);
    int r;

    if (before->home == after->home) {
        r = riad_tree_add(index, after->home, &taken);
    } else {
        const struct riad_tree_usage none = { 0 };

        taken = riad_tree_usage_less(&none, &before->usage);
        r = riad_tree_add(index, before->home, &taken);
        if (r == 0) {
            r = riad_tree_add(index, after->home, &after->usage);
        }
    }
    return r < 0 ? r : move(index, before, after);
}

int riad_index_tree_usage(struct riad_index *index, uint64_t inode, struct riad_tree_usage *ret)
{
    struct riad_inode directory;
    struct riad_tree_row *row;
    int r = riad_index_get_inode(index, inode, &directory);

    if (r < 0) {
        return r;
    }
    if (!S_ISDIR(directory.mode) || directory.nlink == 0) {
        return S_ISDIR(directory.mode) ? -ENOENT : -ENOTDIR;
    }
    r = riad_tree_find(index, inode, &row);
    if (r < 0) {
        return r == -ENOENT ? -EUCLEAN : r;
    }
    *ret = row->total;
    return 0;
}

int riad_index_next_directory(
        struct riad_index *index, uint64_t parent, uint64_t after, struct riad_dentry *ret)
{
    _cleanup_reset_ sqlite3_stmt *statement =
            riad_index_statement(index, RIAD_SQL_DENTRY_DIRECTORY);
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    riad_bind_u64(statement, 1, parent);
    riad_bind_u64(statement, 2, riad_clamp_offset(after));
    r = riad_statement_step(statement);
    if (r <= 0) {
        return r < 0 ? r : -ENODATA;
    }
    return riad_dentry_open(statement, 0, index->keys, ret);
}
