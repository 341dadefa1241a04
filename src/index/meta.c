/* The row of meta: which workspace this is the index of, under which epoch's keys its names are
 * sealed (the first one held: it stays as epochs are added), and how far it is. */
#include <errno.h>

#include "index_priv.h"
#include "row_priv.h"

int riad_meta_create(sqlite3 *database, const struct riad_keys *keys)
{
    static const uint8_t zeros[RIAD_END_SIZE];
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    const struct riad_id *workspace = riad_keys_workspace(keys);
    int r = riad_database_prepare(database,
            "INSERT INTO meta(id, workspace, epoch, end, start, next_inode, blocks, inodes) "
            "VALUES(1, ?1, ?2, ?3, 0, 1, 0, 0)",
            &statement);

    if (r < 0) {
        return r;
    }
    riad_bind_blob(statement, 1, workspace->bytes, sizeof workspace->bytes);
    riad_bind_u64(statement, 2, riad_keys_first_epoch(keys));
    riad_bind_blob(statement, 3, zeros, sizeof zeros);
    return riad_statement_run(statement);
}

static bool belongs_to(sqlite3_stmt *statement, const struct riad_keys *keys)
{
    const struct riad_id *workspace = riad_keys_workspace(keys);
    const uint8_t *bytes;
    uint32_t epoch;
    size_t size;

    return riad_column_blob(statement, 0, &bytes, &size) && size == sizeof workspace->bytes &&
           memcmp(bytes, workspace->bytes, size) == 0 && riad_column_u32(statement, 1, &epoch) &&
           epoch == riad_keys_first_epoch(keys);
}

static bool get_header(sqlite3_stmt *statement, struct riad_snapshot_header *ret)
{
    struct riad_reader reader;
    const uint8_t *bytes;
    size_t size;

    if (!riad_column_blob(statement, 2, &bytes, &size)) {
        return false;
    }
    riad_reader_init(&reader, bytes, size);
    riad_get_end(&reader, &ret->end);
    return riad_reader_finish(&reader) == 0 && riad_column_u64(statement, 3, &ret->start) &&
           riad_column_u64(statement, 4, &ret->next_inode) &&
           riad_number_is_valid(ret->next_inode) &&
           riad_column_u64(statement, 5, &ret->usage.blocks) &&
           riad_column_u64(statement, 6, &ret->usage.inodes);
}

int riad_meta_read(
        sqlite3 *database, const struct riad_keys *keys, struct riad_snapshot_header *ret)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    struct riad_snapshot_header header = { 0 };
    int r = riad_database_prepare(database,
            "SELECT workspace, epoch, end, start, next_inode, blocks, inodes FROM meta "
            "WHERE id = 1",
            &statement);

    if (r < 0) {
        return r;
    }
    r = riad_statement_step(statement);
    if (r < 0) {
        return r;
    }
    if (r == 0 || !belongs_to(statement, keys) || !get_header(statement, &header)) {
        return -EUCLEAN;
    }
    *ret = header;
    return 0;
}

int riad_meta_write(struct riad_index *index)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_META_PUT);
    const struct riad_snapshot_header *current = &index->current;
    uint8_t end[RIAD_END_SIZE];
    struct riad_writer out;

    riad_writer_init_fixed(&out, end, sizeof end);
    riad_put_end(&out, &current->end);
    riad_bind_blob(statement, 1, end, out.size);
    riad_bind_u64(statement, 2, current->start);
    riad_bind_u64(statement, 3, current->next_inode);
    riad_bind_u64(statement, 4, current->usage.blocks);
    riad_bind_u64(statement, 5, current->usage.inodes);
    return riad_statement_run(statement);
}
