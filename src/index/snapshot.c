#include <errno.h>

#include "index_priv.h"
#include "operation_priv.h"
#include "row_priv.h"
#include "sealing_priv.h"
#include "snapshot_priv.h"
#include "stored_priv.h"

enum { SNAPSHOT_CACHE_KIB = 8192 };

static int pin(struct riad_snapshot *snapshot)
{
    int r = riad_database_run(snapshot->database, "BEGIN");

    if (r < 0) {
        return r;
    }
    return riad_meta_read(snapshot->database, snapshot->keys, &snapshot->header);
}

int riad_snapshot_take(struct riad_index *index, struct riad_snapshot **ret)
{
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = calloc(1, sizeof *snapshot);
    int r = riad_index_commit(index);

    if (r < 0 || !snapshot) {
        return r < 0 ? r : -ENOMEM;
    }
    snapshot->keys = index->keys;
    r = riad_database_open(index->path, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
            SNAPSHOT_CACHE_KIB, &snapshot->database);
    if (r < 0) {
        return r;
    }
    r = pin(snapshot);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(snapshot);
    return 0;
}

void riad_snapshot_free(struct riad_snapshot *snapshot)
{
    if (!snapshot) {
        return;
    }
    riad_database_close(snapshot->database);
    free(snapshot);
}

void riad_snapshot_header(const struct riad_snapshot *snapshot, struct riad_snapshot_header *ret)
{
    *ret = snapshot->header;
}

static int encode_inode(
        struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_writer *out)
{
    struct riad_inode row;
    int r = riad_inode_column(statement, 0, &row);

    (void)snapshot;
    if (r == 0) {
        riad_operation_put_inode(out, &row);
    }
    return r;
}

static int encode_dentry(
        struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_writer *out)
{
    struct riad_dentry row;
    int r = riad_dentry_open(statement, 0, snapshot->keys, &row);

    if (r == 0) {
        riad_operation_put_dentry(out, &row);
    }
    return r;
}

static int encode_symlink(
        struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_writer *out)
{
    char target[RIAD_SYMLINK_MAX + 1];
    struct riad_sealing sealing;
    const uint8_t *sealed;
    uint64_t inode;
    size_t size;
    int r;

    if (!riad_column_u64(statement, 0, &inode) || !riad_column_blob(statement, 1, &sealed, &size)) {
        return -EUCLEAN;
    }
    riad_sealing_symlink(&sealing, snapshot->keys, inode);
    r = riad_open_text(&sealing, sealed, size, RIAD_SYMLINK_MAX, target, &size);
    if (r == 0) {
        riad_operation_put_symlink(out, inode, target, size);
    }
    return r;
}

static int encode_xattr(
        struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_writer *out)
{
    _cleanup_free_ uint8_t *value = NULL;
    char name[RIAD_NAME_MAX + 1];
    size_t name_size;
    uint64_t inode;
    size_t size;
    int r = riad_xattr_open(statement, snapshot->keys, name, &name_size, &value, &size);

    if (r < 0 || !riad_column_u64(statement, 0, &inode)) {
        return r < 0 ? r : -EUCLEAN;
    }
    riad_operation_put_xattr(out, inode, name, name_size, value, size);
    return 0;
}

static int encode_extent(
        struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_writer *out)
{
    struct riad_extent row;
    int r = riad_extent_column(statement, &row);

    (void)snapshot;
    if (r == 0) {
        riad_operation_put_extent(out, &row);
    }
    return r;
}

static int encode_clock(
        struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_writer *out)
{
    struct riad_clock clock = { 0 };
    uint32_t subject, resource;

    (void)snapshot;
    if (!riad_column_u32(statement, 0, &subject) || !riad_column_u32(statement, 1, &clock.id) ||
            !riad_column_u32(statement, 2, &resource) ||
            !riad_column_u64(statement, 3, &clock.since)) {
        return -EUCLEAN;
    }
    clock.subject = subject;
    clock.resource = resource;
    if (!riad_clock_is_valid(&clock)) {
        return -EUCLEAN;
    }
    riad_operation_put_clock(out, &clock);
    return 0;
}

/* Dentries, symlinks and xattrs come after all inodes; garbage is no part of the tree (L8). */
static const struct {
    const char *text;
    int (*encode)(struct riad_snapshot *snapshot, sqlite3_stmt *statement, struct riad_writer *out);
} tables[] = {
    { "SELECT " RIAD_INODE_COLUMNS " FROM inode ORDER BY inode", encode_inode },
    { "SELECT " RIAD_DENTRY_COLUMNS " FROM dentry ORDER BY parent, cookie", encode_dentry },
    { "SELECT inode, target FROM symlink ORDER BY inode", encode_symlink },
    { "SELECT inode, name, value FROM xattr ORDER BY inode, seq", encode_xattr },
    { "SELECT " RIAD_EXTENT_COLUMNS " FROM extent WHERE inode NOT IN (SELECT inode FROM garbage) "
      "ORDER BY inode, offset",
            encode_extent },
    { "SELECT subject, id, 1, over_blocks FROM owner WHERE over_blocks <> 0 UNION ALL "
      "SELECT subject, id, 2, over_inodes FROM owner WHERE over_inodes <> 0 ORDER BY 1, 2, 3",
            encode_clock },
};

static int pass_table(struct riad_snapshot *snapshot, size_t table, struct riad_writer *out,
        riad_snapshot_function function, void *context)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    int r = riad_database_prepare(snapshot->database, tables[table].text, &statement);

    if (r < 0) {
        return r;
    }
    while ((r = riad_statement_step(statement)) == 1) {
        riad_writer_reset(out);
        r = tables[table].encode(snapshot, statement, out);
        if (r < 0 || out->error) {
            return r < 0 ? r : out->error;
        }
        r = function(context, out->data, out->size);
        if (r < 0) {
            return r;
        }
    }
    return r;
}

int riad_snapshot_rows(
        struct riad_snapshot *snapshot, riad_snapshot_function function, void *context)
{
    _cleanup_(riad_writer_done) struct riad_writer out;
    int r = 0;

    riad_writer_init_growing(&out, 4096, RIAD_OPERATION_SIZE_MAX);
    for (size_t i = 0; r >= 0 && i < sizeof tables / sizeof tables[0]; i++) {
        r = pass_table(snapshot, i, &out, function, context);
    }
    return r < 0 ? r : 0;
}

int riad_snapshot_extents(
        struct riad_snapshot *snapshot, riad_index_extent_function function, void *context)
{
    _cleanup_finalize_ sqlite3_stmt *statement = NULL;
    int r = riad_database_prepare(snapshot->database,
            "SELECT " RIAD_EXTENT_COLUMNS " FROM extent INDEXED BY extent_place "
            "WHERE segment <> 0 AND inode NOT IN (SELECT inode FROM garbage) "
            "ORDER BY segment, position",
            &statement);

    if (r < 0) {
        return r;
    }
    while ((r = riad_statement_step(statement)) == 1) {
        struct riad_extent extent;

        r = riad_extent_column(statement, &extent);
        if (r < 0) {
            return r;
        }
        r = function(context, &extent);
        if (r != 0) {
            return r < 0 ? r : 0;
        }
    }
    return r;
}
