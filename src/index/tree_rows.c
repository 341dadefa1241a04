/* The rows of riad/tree.h in a direct-mapped write-back cache: all files that are made in a
 * directory between two commits are one row that is written. */
#include <errno.h>

#include "index_priv.h"

enum { COLUMNS = 9 };

static struct riad_tree_slot *slot_of(struct riad_index *index, uint64_t inode)
{
    return &index->tree.slots[inode % RIAD_CACHED_TREES];
}

static int write_row(struct riad_index *index, const struct riad_tree_row *row)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_TREE_PUT);
    const uint64_t values[COLUMNS] = { row->inode, row->parent, row->total.blocks,
        row->total.inodes, row->total.directories, row->given.blocks, row->given.inodes,
        row->given.directories, row->pending };

    for (int i = 0; i < COLUMNS; i++) {
        riad_bind_u64(statement, i + 1, values[i]);
    }
    return riad_statement_run(statement);
}

static int read_row(struct riad_index *index, uint64_t inode, struct riad_tree_row *ret)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_TREE_GET);
    uint64_t values[COLUMNS];
    int r;

    riad_bind_u64(statement, 1, inode);
    r = riad_statement_step(statement);
    if (r <= 0) {
        return r < 0 ? r : -ENOENT;
    }
    for (int i = 0; i < COLUMNS; i++) {
        if (!riad_column_u64(statement, i, &values[i])) {
            return -EUCLEAN;
        }
    }
    *ret = (struct riad_tree_row){ values[0], values[1], { values[2], values[3], values[4] },
        { values[5], values[6], values[7] }, values[8] != 0 };
    return 0;
}

/* Writes the slot's row if SQLite does not have it yet. */
static int clean(struct riad_index *index, struct riad_tree_slot *slot)
{
    int r;

    if (!slot->full || !slot->dirty) {
        return 0;
    }
    r = write_row(index, &slot->row);
    if (r < 0) {
        return riad_index_fail(index, r);
    }
    slot->dirty = false;
    slot->stored = true;
    return 0;
}

static int fill(struct riad_index *index, struct riad_tree_slot *slot,
        const struct riad_tree_row *row, bool stored)
{
    int r = clean(index, slot);

    if (r < 0) {
        return r;
    }
    slot->row = *row;
    slot->full = true;
    slot->stored = stored;
    return 0;
}

int riad_tree_find(struct riad_index *index, uint64_t inode, struct riad_tree_row **ret)
{
    struct riad_tree_slot *slot = slot_of(index, inode);
    struct riad_tree_row row;
    int r;

    if (!slot->full || slot->row.inode != inode) {
        r = read_row(index, inode, &row);
        if (r == 0) {
            r = fill(index, slot, &row, true);
        }
        if (r < 0) {
            return r;
        }
    }
    *ret = &slot->row;
    return 0;
}

int riad_tree_get(struct riad_index *index, uint64_t inode, struct riad_tree_row **ret)
{
    struct riad_tree_slot *slot = slot_of(index, inode);
    struct riad_tree_row row = { .inode = inode };
    int r = riad_tree_find(index, inode, ret);

    if (r != -ENOENT) {
        return r;
    }
    row.parent = inode == RIAD_ROOT_INODE ? 0 : RIAD_ROOT_INODE;
    r = fill(index, slot, &row, false);
    if (r == 0) {
        *ret = &slot->row;
    }
    return r;
}

static int drop(struct riad_index *index, struct riad_tree_slot *slot)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_TREE_REMOVE);
    int r;

    slot->full = false;
    slot->dirty = false;
    if (!slot->stored) {
        return 0;
    }
    riad_bind_u64(statement, 1, slot->row.inode);
    r = riad_statement_run(statement);
    return r < 0 ? riad_index_fail(index, r) : 0;
}

int riad_tree_put(struct riad_index *index, struct riad_tree_row *row)
{
    struct riad_tree *tree = &index->tree;
    struct riad_tree_slot *slot = slot_of(index, row->inode);
    bool pending =
            row->inode != RIAD_ROOT_INODE && !riad_tree_usage_equal(&row->total, &row->given);

    tree->pending += (uint64_t)pending - (uint64_t)row->pending;
    row->pending = pending;
    if (riad_tree_usage_none(&row->total) && riad_tree_usage_none(&row->given)) {
        return drop(index, slot);
    }
    slot->dirty = true;
    if (!slot->listed) {
        slot->listed = true;
        tree->listed[tree->listed_count++] = (uint16_t)(slot - tree->slots);
    }
    return 0;
}

int riad_tree_start(struct riad_index *index)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_TREE_COUNT);
    int r = riad_statement_step(statement);

    if (r < 0) {
        return r;
    }
    if (r == 0 || !riad_column_u64(statement, 0, &index->tree.pending)) {
        return -EUCLEAN;
    }
    index->tree.committed = index->tree.pending;
    return 0;
}

int riad_tree_flush(struct riad_index *index)
{
    struct riad_tree *tree = &index->tree;

    while (tree->listed_count > 0) {
        struct riad_tree_slot *slot = &tree->slots[tree->listed[tree->listed_count - 1]];
        int r = clean(index, slot);

        if (r < 0) {
            return r;
        }
        slot->listed = false;
        tree->listed_count--;
    }
    return 0;
}

void riad_tree_keep(struct riad_index *index)
{
    index->tree.committed = index->tree.pending;
}

void riad_tree_clear(struct riad_index *index)
{
    struct riad_tree *tree = &index->tree;

    memset(tree->slots, 0, sizeof tree->slots);
    tree->listed_count = 0;
    tree->pending = tree->committed;
    riad_fold_reset(tree);
}
