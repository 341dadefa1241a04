/* The direct-mapped write-back cache of inode rows: several operations of a change, and most calls
 * of an operation, meet the same few inodes. */
#include <errno.h>

#include "index_priv.h"
#include "stored_priv.h"

static struct riad_cached_inode *slot_of(struct riad_index *index, uint64_t inode)
{
    return &index->cache.slots[inode % RIAD_CACHED_INODES];
}

static int write_row(struct riad_index *index, const struct riad_inode *row)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_INODE_PUT);
    uint8_t times[RIAD_STORED_TIMES_SIZE];

    riad_inode_bind(statement, row, times);
    return riad_statement_run(statement);
}

/* Writes the slot's row if SQLite does not have it yet. */
static int clean(struct riad_index *index, struct riad_cached_inode *slot)
{
    int r;

    if (!slot->full || !slot->dirty) {
        return 0;
    }
    r = write_row(index, &slot->row);
    if (r == 0) {
        slot->dirty = false;
    }
    return r;
}

static int read_row(struct riad_index *index, uint64_t inode, struct riad_inode *ret)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_INODE_GET);
    int r;

    riad_bind_u64(statement, 1, inode);
    r = riad_statement_step(statement);
    if (r <= 0) {
        return r < 0 ? r : -ENOENT;
    }
    return riad_inode_column(statement, 0, ret);
}

int riad_cache_get(struct riad_index *index, uint64_t inode, const struct riad_inode **ret)
{
    struct riad_cached_inode *slot = slot_of(index, inode);
    struct riad_inode row;
    int r;

    if (slot->full && slot->row.inode == inode) {
        index->counters.inodes.hits++;
        *ret = &slot->row;
        return 0;
    }
    index->counters.inodes.misses++;
    r = read_row(index, inode, &row);
    if (r < 0) {
        return r;
    }
    r = clean(index, slot);
    if (r < 0) {
        return riad_index_fail(index, r);
    }
    slot->row = row;
    slot->full = true;
    slot->dirty = false;
    *ret = &slot->row;
    return 0;
}

int riad_cache_put(struct riad_index *index, const struct riad_inode *row)
{
    struct riad_inode_cache *cache = &index->cache;
    struct riad_cached_inode *slot = slot_of(index, row->inode);

    if (slot->row.inode != row->inode) {
        int r = clean(index, slot);

        if (r < 0) {
            return r;
        }
    }
    slot->row = *row;
    slot->full = true;
    slot->dirty = true;
    if (!slot->listed) {
        slot->listed = true;
        cache->listed[cache->count++] = (uint16_t)(slot - cache->slots);
    }
    return 0;
}

int riad_cache_remove(struct riad_index *index, uint64_t inode)
{
    struct riad_cached_inode *slot = slot_of(index, inode);
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_INODE_REMOVE);

    if (slot->full && slot->row.inode == inode) {
        slot->full = false;
        slot->dirty = false;
    }
    riad_bind_u64(statement, 1, inode);
    return riad_statement_run(statement);
}

int riad_cache_flush(struct riad_index *index)
{
    struct riad_inode_cache *cache = &index->cache;

    while (cache->count > 0) {
        struct riad_cached_inode *slot = &cache->slots[cache->listed[cache->count - 1]];
        int r = clean(index, slot);

        if (r < 0) {
            return r;
        }
        slot->listed = false;
        cache->count--;
    }
    return 0;
}

void riad_cache_clear(struct riad_index *index)
{
    memset(&index->cache, 0, sizeof index->cache);
}
