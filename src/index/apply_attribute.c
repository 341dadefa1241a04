#include <errno.h>

#include "index_priv.h"
#include "sealing_priv.h"

static int seal_name(struct riad_index *index, uint64_t inode, const void *name, size_t size,
        uint8_t ret[RIAD_SEALED_NAME_MAX], size_t *ret_size)
{
    struct riad_sealing sealing;

    riad_sealing_xattr_name(&sealing, index->keys, inode);
    return riad_seal_text(&sealing, name, size, ret, ret_size);
}

int riad_apply_xattr_put(struct riad_index *index, const struct riad_operation *operation)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_XATTR_PUT);
    _cleanup_free_ uint8_t *value = NULL;
    uint8_t name[RIAD_SEALED_NAME_MAX];
    struct riad_sealing sealing;
    size_t name_size;
    size_t value_size;
    int r = seal_name(
            index, operation->number, operation->name, operation->name_size, name, &name_size);

    if (r < 0) {
        return r;
    }
    riad_sealing_xattr_value(&sealing, index->keys, operation->number, name);
    r = riad_seal_value(&sealing, operation->value, operation->value_size, &value, &value_size);
    if (r < 0) {
        return r;
    }
    riad_bind_u64(statement, 1, operation->number);
    riad_bind_blob(statement, 2, name, name_size);
    riad_bind_blob(statement, 3, value, value_size);
    return riad_statement_run(statement);
}

int riad_apply_xattr_remove(struct riad_index *index, const struct riad_operation *operation)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_XATTR_REMOVE);
    uint8_t name[RIAD_SEALED_NAME_MAX];
    size_t size;
    int r = seal_name(index, operation->number, operation->name, operation->name_size, name, &size);

    if (r < 0) {
        return r;
    }
    riad_bind_u64(statement, 1, operation->number);
    riad_bind_blob(statement, 2, name, size);
    r = riad_statement_run(statement);
    if (r < 0) {
        return r;
    }
    return sqlite3_changes(index->database) == 1 ? 0 : -EBADMSG;
}

int riad_apply_symlink_put(struct riad_index *index, const struct riad_operation *operation)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_SYMLINK_PUT);
    uint8_t sealed[RIAD_SEALED_TEXT_MAX];
    struct riad_sealing sealing;
    size_t size;
    int r;

    riad_sealing_symlink(&sealing, index->keys, operation->number);
    r = riad_seal_text(&sealing, operation->value, operation->value_size, sealed, &size);
    if (r < 0) {
        return r;
    }
    riad_bind_u64(statement, 1, operation->number);
    riad_bind_blob(statement, 2, sealed, size);
    return riad_statement_run(statement);
}

static int remove_rows(struct riad_index *index, enum riad_statement id, uint64_t inode)
{
    sqlite3_stmt *statement = riad_index_statement(index, id);

    riad_bind_u64(statement, 1, inode);
    return riad_statement_run(statement);
}

int riad_apply_attributes_remove(struct riad_index *index, uint64_t inode)
{
    int r = remove_rows(index, RIAD_SQL_XATTR_REMOVE_ALL, inode);

    return r < 0 ? r : remove_rows(index, RIAD_SQL_SYMLINK_REMOVE, inode);
}

/* The sealed value's column, borrowed until the statement is reset. */
static int find_value(struct riad_index *index, uint64_t inode, const uint8_t *name,
        size_t name_size, const uint8_t **ret, size_t *ret_size)
{
    sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_XATTR_GET);
    int r;

    riad_bind_u64(statement, 1, inode);
    riad_bind_blob(statement, 2, name, name_size);
    r = riad_statement_step(statement);
    if (r <= 0) {
        return r < 0 ? r : -ENODATA;
    }
    return riad_column_blob(statement, 0, ret, ret_size) ? 0 : -EUCLEAN;
}

int riad_index_get_xattr(struct riad_index *index, const struct riad_inode *inode, const char *name,
        uint8_t **ret_value, size_t *ret_size)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_XATTR_GET);
    uint8_t sealed_name[RIAD_SEALED_NAME_MAX];
    struct riad_sealing sealing;
    const uint8_t *sealed;
    size_t sealed_size;
    size_t size = strlen(name);
    int r = riad_index_begin(index);

    if (r < 0) {
        return r;
    }
    if (size < 1 || size > RIAD_NAME_MAX || inode->xattr_bytes == 0) {
        return -ENODATA;
    }
    r = seal_name(index, inode->inode, name, size, sealed_name, &size);
    if (r < 0) {
        return r;
    }
    r = find_value(index, inode->inode, sealed_name, size, &sealed, &sealed_size);
    if (r < 0) {
        return r;
    }
    riad_sealing_xattr_value(&sealing, index->keys, inode->inode, sealed_name);
    return riad_open_value(&sealing, sealed, sealed_size, ret_value, ret_size);
}

/* Opens the name in the statement's column 0 and appends it with its zero. */
static int append_name(
        sqlite3_stmt *statement, const struct riad_sealing *sealing, struct riad_writer *out)
{
    char name[RIAD_NAME_MAX + 1];
    const uint8_t *sealed;
    size_t size;
    int r;

    if (!riad_column_blob(statement, 0, &sealed, &size)) {
        return -EUCLEAN;
    }
    r = riad_open_text(sealing, sealed, size, RIAD_NAME_MAX, name, &size);
    if (r < 0) {
        return r;
    }
    riad_put_bytes(out, name, size + 1);
    return out->error;
}

int riad_index_list_xattrs(struct riad_index *index, const struct riad_inode *inode,
        char **ret_names, size_t *ret_size)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_XATTR_LIST);
    _cleanup_(riad_writer_done) struct riad_writer out;
    struct riad_sealing sealing;
    int r = riad_index_begin(index);

    riad_writer_init_growing(&out, 256, INT32_MAX);
    if (r < 0) {
        return r;
    }
    riad_sealing_xattr_name(&sealing, index->keys, inode->inode);
    riad_bind_u64(statement, 1, inode->inode);
    while ((r = riad_statement_step(statement)) == 1) {
        r = append_name(statement, &sealing, &out);
        if (r < 0) {
            return r;
        }
    }
    if (r < 0) {
        return r;
    }
    *ret_size = out.size;
    riad_put_u8(&out, 0); /* an empty list has an address too */
    if (out.error) {
        return out.error;
    }
    *ret_names = (char *)riad_take_pointer(out.data);
    return 0;
}

int riad_index_get_symlink(struct riad_index *index, const struct riad_inode *inode, char **ret)
{
    _cleanup_reset_ sqlite3_stmt *statement = riad_index_statement(index, RIAD_SQL_SYMLINK_GET);
    _cleanup_free_ char *target = malloc(RIAD_SYMLINK_MAX + 1);
    struct riad_sealing sealing;
    const uint8_t *sealed;
    size_t size;
    int r = riad_index_begin(index);

    if (r < 0 || !target) {
        return r < 0 ? r : -ENOMEM;
    }
    riad_bind_u64(statement, 1, inode->inode);
    r = riad_statement_step(statement);
    if (r <= 0) {
        return r < 0 ? r : -ENOENT;
    }
    if (!riad_column_blob(statement, 0, &sealed, &size)) {
        return -EUCLEAN;
    }
    riad_sealing_symlink(&sealing, index->keys, inode->inode);
    r = riad_open_text(&sealing, sealed, size, RIAD_SYMLINK_MAX, target, &size);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(target);
    return 0;
}
