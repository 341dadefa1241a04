/* Building a change. Rows that FORMAT does not allow are refused here, before they can reach the
 * log: there they would be read as damage for ever. */
#include "riad/change.h"

#include <errno.h>

#include "riad/acl.h"

#include "operation_priv.h"
#include "row_priv.h"

enum {
    RESERVE = 2048,
    OPERATIONS_SIZE_MAX = RIAD_CHANGE_BODY_MAX - RIAD_CHANGE_PREFIX_SIZE - RIAD_CONTENT_HEADER_SIZE,
    /* In the body of an extent put. */
    EXTENT_KIND_AT = 24,
    EXTENT_PLACE_AT = 32,
};

void riad_change_begin(struct riad_change *change, struct timespec time, uint64_t request)
{
    if (change->operations.owned) {
        riad_writer_reset(&change->operations);
    } else {
        riad_writer_init_growing(&change->operations, RESERVE, OPERATIONS_SIZE_MAX);
    }
    change->time = time;
    change->request = request;
    change->count = 0;
    change->features = 0;
}

void riad_change_done(struct riad_change *change)
{
    riad_writer_done(&change->operations);
}

/* Counts the operation that comes next; false: it must not be written. */
static bool admit(struct riad_change *change, bool valid)
{
    struct riad_writer *out = &change->operations;

    if (!out->error && !valid) {
        out->error = -EINVAL;
    }
    if (!out->error && change->count == RIAD_OPERATIONS_MAX) {
        out->error = -ENOBUFS;
    }
    if (out->error) {
        return false;
    }
    change->count++;
    return true;
}

void riad_change_put_inode(struct riad_change *change, const struct riad_inode *row)
{
    if (admit(change, riad_inode_is_valid(row))) {
        change->features |= row->flags != 0 ? RIAD_FEATURE_INODE_FLAGS : 0;
        riad_operation_put_inode(&change->operations, row);
    }
}

void riad_change_remove_inode(struct riad_change *change, uint64_t inode)
{
    if (admit(change, riad_number_is_valid(inode))) {
        riad_operation_put_number(&change->operations, RIAD_OP_INODE_REMOVE, inode);
    }
}

void riad_change_put_dentry(struct riad_change *change, const struct riad_dentry *row)
{
    if (admit(change, riad_dentry_is_valid(row))) {
        riad_operation_put_dentry(&change->operations, row);
    }
}

void riad_change_remove_dentry(struct riad_change *change, uint64_t parent, uint64_t cookie)
{
    bool valid = riad_number_is_valid(parent) && riad_number_is_valid(cookie) &&
                 cookie >= RIAD_FIRST_COOKIE;

    if (admit(change, valid)) {
        riad_operation_put_header(&change->operations, RIAD_OP_DENTRY_REMOVE, 16);
        riad_put_u64(&change->operations, parent);
        riad_put_u64(&change->operations, cookie);
    }
}

void riad_change_put_xattr(struct riad_change *change, uint64_t inode, const char *name,
        const void *value, size_t size)
{
    size_t name_size = strlen(name);
    bool valid = riad_number_is_valid(inode) && name_size >= 1 && name_size <= RIAD_NAME_MAX &&
                 size <= RIAD_XATTR_VALUE_MAX;

    if (admit(change, valid)) {
        change->features |= riad_acl_is_name(name) ? RIAD_FEATURE_ACLS : 0;
        riad_operation_put_xattr(&change->operations, inode, name, name_size, value, size);
    }
}

void riad_change_remove_xattr(struct riad_change *change, uint64_t inode, const char *name)
{
    size_t size = strlen(name);

    if (admit(change, riad_number_is_valid(inode) && size >= 1 && size <= RIAD_NAME_MAX)) {
        riad_operation_put_header(&change->operations, RIAD_OP_XATTR_REMOVE, 8 + 2 + size);
        riad_put_u64(&change->operations, inode);
        riad_put_b16(&change->operations, name, size);
    }
}

void riad_change_put_extent(struct riad_change *change, const struct riad_extent *row)
{
    if (admit(change, riad_extent_is_valid(row, true))) {
        riad_operation_put_extent(&change->operations, row);
    }
}

void riad_change_clear_extents(
        struct riad_change *change, uint64_t inode, uint64_t from, uint64_t to)
{
    if (admit(change, riad_number_is_valid(inode) && from <= to)) {
        riad_operation_put_header(&change->operations, RIAD_OP_EXTENT_CLEAR, 24);
        riad_put_u64(&change->operations, inode);
        riad_put_u64(&change->operations, from);
        riad_put_u64(&change->operations, to);
    }
}

void riad_change_put_clock(struct riad_change *change, const struct riad_clock *clock)
{
    if (admit(change, riad_clock_is_valid(clock))) {
        riad_operation_put_clock(&change->operations, clock);
    }
}

void riad_change_put_symlink(struct riad_change *change, uint64_t inode, const char *target)
{
    size_t size = strlen(target);

    if (admit(change, riad_number_is_valid(inode) && size >= 1 && size <= RIAD_SYMLINK_MAX)) {
        riad_operation_put_symlink(&change->operations, inode, target, size);
    }
}

void riad_change_put_workspace(struct riad_change *change, uint64_t next_inode)
{
    if (admit(change, riad_number_is_valid(next_inode))) {
        riad_operation_put_number(&change->operations, RIAD_OP_WORKSPACE_PUT, next_inode);
    }
}

/* The next put of a data extent without a place: its place field, or NULL at the end. */
static uint8_t *next_unplaced(const struct riad_change *change, struct riad_reader *operations)
{
    while (operations->left > 0 && !operations->error) {
        uint8_t kind = riad_get_u8(operations);
        struct riad_reader body;
        const uint8_t *bytes;
        size_t size;

        riad_get_u8(operations);
        bytes = riad_get_b32(operations, SIZE_MAX, &size);
        if (kind != RIAD_OP_EXTENT_PUT || !bytes || bytes[EXTENT_KIND_AT] != RIAD_EXTENT_DATA) {
            continue;
        }
        riad_reader_init(&body, bytes + EXTENT_PLACE_AT, 8);
        if (riad_get_u64(&body) == 0) {
            return change->operations.data + (bytes + EXTENT_PLACE_AT - change->operations.data);
        }
    }
    return NULL;
}

void riad_change_place_extents(struct riad_change *change, const struct riad_place *place)
{
    struct riad_reader operations;
    uint8_t *field;

    if (change->operations.error) {
        return;
    }
    riad_reader_init(&operations, change->operations.data, change->operations.size);
    while ((field = next_unplaced(change, &operations)) != NULL) {
        struct riad_writer out;

        riad_writer_init_fixed(&out, field, 16);
        riad_put_u64(&out, place->segment);
        riad_put_u64(&out, place->position);
    }
}

int riad_change_content(const struct riad_change *change, struct riad_writer *out)
{
    struct riad_reader operations;

    if (change->operations.error) {
        return change->operations.error;
    }
    riad_reader_init(&operations, change->operations.data, change->operations.size);
    if (next_unplaced(change, &operations)) {
        return -EINVAL;
    }
    riad_put_time(out, change->time);
    riad_put_u64(out, change->request);
    riad_put_u32(out, 0);
    riad_put_u32(out, change->count);
    riad_put_bytes(out, change->operations.data, change->operations.size);
    return out->error;
}
