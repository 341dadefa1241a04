#include <errno.h>

#include "row_priv.h"
#include "sealing_priv.h"
#include "stored_priv.h"

enum {
    /* In an encoded extent: what lies before `rest`, what of it comes first, and the place between.
     */
    HEAD_SIZE = 24,
    KIND_SIZE = 8,
    PLACE_SIZE = 16,
    REST_AT = HEAD_SIZE + PLACE_SIZE,
    TIMES_COLUMN = 10,
    MARK_COLUMN = 15,
};

void riad_inode_bind(sqlite3_stmt *statement, const struct riad_inode *row,
        uint8_t times[RIAD_STORED_TIMES_SIZE])
{
    const uint64_t before[] = { row->inode, row->generation, row->mode, row->nlink, row->uid,
        row->gid, row->flags, row->rdev, row->size, row->blocks };
    const uint64_t after[] = { row->parent, row->next_cookie, row->version, row->birth,
        row->truncate_mark, row->xattr_bytes };
    struct riad_writer out;

    riad_writer_init_fixed(&out, times, RIAD_STORED_TIMES_SIZE);
    riad_put_time(&out, row->atime);
    riad_put_time(&out, row->mtime);
    riad_put_time(&out, row->ctime);
    riad_put_time(&out, row->btime);
    for (int i = 0; i < TIMES_COLUMN; i++) {
        riad_bind_u64(statement, i + 1, before[i]);
    }
    riad_bind_blob(statement, TIMES_COLUMN + 1, times, RIAD_STORED_TIMES_SIZE);
    for (int i = 0; i < RIAD_INODE_COLUMN_COUNT - TIMES_COLUMN - 1; i++) {
        riad_bind_u64(statement, TIMES_COLUMN + 2 + i, after[i]);
    }
    if (row->truncate_mark == RIAD_NO_TRUNCATE_MARK) {
        sqlite3_bind_null(statement, MARK_COLUMN + 1);
    }
}

static bool get_times(sqlite3_stmt *statement, int column, struct riad_inode *ret)
{
    struct riad_reader reader;
    const uint8_t *bytes;
    size_t size;

    if (!riad_column_blob(statement, column, &bytes, &size)) {
        return false;
    }
    riad_reader_init(&reader, bytes, size);
    ret->atime = riad_get_time(&reader);
    ret->mtime = riad_get_time(&reader);
    ret->ctime = riad_get_time(&reader);
    ret->btime = riad_get_time(&reader);
    return riad_reader_finish(&reader) == 0;
}

static bool get_mark(sqlite3_stmt *statement, int column, struct riad_inode *ret)
{
    if (sqlite3_column_type(statement, column) == SQLITE_NULL) {
        ret->truncate_mark = RIAD_NO_TRUNCATE_MARK;
        return true;
    }
    return riad_column_u64(statement, column, &ret->truncate_mark) &&
           ret->truncate_mark != RIAD_NO_TRUNCATE_MARK;
}

int riad_inode_column(sqlite3_stmt *statement, int first, struct riad_inode *ret)
{
    struct riad_inode row;
    bool read = riad_column_u64(statement, first, &row.inode) &&
                riad_column_u32(statement, first + 1, &row.generation) &&
                riad_column_u32(statement, first + 2, &row.mode) &&
                riad_column_u32(statement, first + 3, &row.nlink) &&
                riad_column_u32(statement, first + 4, &row.uid) &&
                riad_column_u32(statement, first + 5, &row.gid) &&
                riad_column_u32(statement, first + 6, &row.flags) &&
                riad_column_u64(statement, first + 7, &row.rdev) &&
                riad_column_u64(statement, first + 8, &row.size) &&
                riad_column_u64(statement, first + 9, &row.blocks) &&
                get_times(statement, first + TIMES_COLUMN, &row) &&
                riad_column_u64(statement, first + 11, &row.parent) &&
                riad_column_u64(statement, first + 12, &row.next_cookie) &&
                riad_column_u64(statement, first + 13, &row.version) &&
                riad_column_u64(statement, first + 14, &row.birth) &&
                get_mark(statement, first + MARK_COLUMN, &row) &&
                riad_column_u32(statement, first + 16, &row.xattr_bytes);

    if (!read || !riad_inode_is_valid(&row)) {
        return -EUCLEAN;
    }
    *ret = row;
    return 0;
}

int riad_dentry_column(sqlite3_stmt *statement, int first, struct riad_dentry *ret)
{
    uint32_t type;

    if (!riad_column_u64(statement, first, &ret->parent) ||
            !riad_column_u64(statement, first + 1, &ret->cookie) ||
            !riad_column_u64(statement, first + 2, &ret->inode) ||
            !riad_column_u32(statement, first + 3, &type) || type > UINT8_MAX) {
        return -EUCLEAN;
    }
    ret->type = (uint8_t)type;
    return 0;
}

int riad_dentry_open(
        sqlite3_stmt *statement, int first, const struct riad_keys *keys, struct riad_dentry *ret)
{
    struct riad_sealing sealing;
    const uint8_t *sealed;
    size_t sealed_size;
    size_t size;
    int r = riad_dentry_column(statement, first, ret);

    if (r < 0) {
        return r;
    }
    if (!riad_column_blob(statement, first + 4, &sealed, &sealed_size)) {
        return -EUCLEAN;
    }
    riad_sealing_dentry(&sealing, keys, ret->parent);
    r = riad_open_text(&sealing, sealed, sealed_size, RIAD_NAME_MAX, ret->name, &size);
    if (r < 0) {
        return r;
    }
    ret->name_size = (uint16_t)size;
    return riad_dentry_is_valid(ret) ? 0 : -EUCLEAN;
}

/* `rest` is the encoded row without its head and place; moving the eight bytes between them makes
 * it one piece. */
void riad_extent_bind(
        sqlite3_stmt *statement, const struct riad_extent *row, struct riad_extent_room *room)
{
    struct riad_writer out;

    riad_writer_init_fixed(&out, room->bytes, sizeof room->bytes);
    riad_extent_encode(row, &out);
    memcpy(room->bytes + REST_AT, room->bytes + HEAD_SIZE, KIND_SIZE);
    riad_bind_u64(statement, 1, row->inode);
    riad_bind_u64(statement, 2, row->offset);
    riad_bind_u64(statement, 3, row->length);
    riad_bind_u64(statement, 4, row->segment);
    riad_bind_u64(statement, 5, row->position);
    riad_bind_blob(statement, 6, room->bytes + REST_AT, out.size - REST_AT);
}

static bool join_extent(sqlite3_stmt *statement, struct riad_writer *out)
{
    uint64_t values[5];
    const uint8_t *rest;
    size_t size;

    for (int i = 0; i < 5; i++) {
        if (!riad_column_u64(statement, i, &values[i])) {
            return false;
        }
    }
    if (!riad_column_blob(statement, 5, &rest, &size) || size < KIND_SIZE) {
        return false;
    }
    riad_put_u64(out, values[0]);
    riad_put_u64(out, values[1]);
    riad_put_u64(out, values[2]);
    riad_put_bytes(out, rest, KIND_SIZE);
    riad_put_u64(out, values[3]);
    riad_put_u64(out, values[4]);
    riad_put_bytes(out, rest + KIND_SIZE, size - KIND_SIZE);
    return out->error == 0;
}

int riad_extent_column(sqlite3_stmt *statement, struct riad_extent *ret)
{
    struct riad_extent_room room;
    struct riad_writer out;

    riad_writer_init_fixed(&out, room.bytes, sizeof room.bytes);
    if (!join_extent(statement, &out)) {
        return -EUCLEAN;
    }
    return riad_extent_decode(room.bytes, out.size, ret) < 0 ? -EUCLEAN : 0;
}

int riad_xattr_open(sqlite3_stmt *statement, const struct riad_keys *keys, char *ret_name,
        size_t *ret_name_size, uint8_t **ret_value, size_t *ret_size)
{
    struct riad_sealing sealing;
    const uint8_t *name;
    const uint8_t *value;
    uint64_t inode;
    size_t name_size;
    size_t size;
    int r;

    if (!riad_column_u64(statement, 0, &inode) || !riad_number_is_valid(inode) ||
            !riad_column_blob(statement, 1, &name, &name_size) ||
            !riad_column_blob(statement, 2, &value, &size)) {
        return -EUCLEAN;
    }
    riad_sealing_xattr_name(&sealing, keys, inode);
    r = riad_open_text(&sealing, name, name_size, RIAD_NAME_MAX, ret_name, ret_name_size);
    if (r < 0) {
        return r;
    }
    riad_sealing_xattr_value(&sealing, keys, inode, name);
    return riad_open_value(&sealing, value, size, ret_value, ret_size);
}
