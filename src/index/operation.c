/* Decoding changes: bytes of the log, hostile until decoded. */
#include <errno.h>

#include "operation_priv.h"
#include "row_priv.h"

/* Reads one operation's frame; the body is borrowed. Errors stick in operations. */
static void get_frame(struct riad_reader *operations, uint8_t *ret_kind, uint8_t *ret_flags,
        struct riad_reader *ret_body)
{
    const uint8_t *bytes;
    size_t size;

    *ret_kind = riad_get_u8(operations);
    *ret_flags = riad_get_u8(operations);
    bytes = riad_get_b32(operations, SIZE_MAX, &size);
    riad_reader_init(ret_body, bytes, size);
}

static uint32_t count_operations(struct riad_reader operations)
{
    uint32_t count = 0;

    while (operations.left > 0 && !operations.error && count <= RIAD_OPERATIONS_MAX) {
        struct riad_reader body;
        uint8_t kind;
        uint8_t flags;

        get_frame(&operations, &kind, &flags, &body);
        count++;
    }
    return operations.error ? UINT32_MAX : count;
}

int riad_change_parse(const uint8_t *content, size_t size, struct timespec *ret_time,
        uint64_t *ret_request, uint32_t *ret_count, struct riad_reader *ret_operations)
{
    struct riad_reader reader;
    struct timespec time;
    uint64_t request;
    uint32_t count;

    riad_reader_init(&reader, content, size);
    time = riad_get_time(&reader);
    request = riad_get_u64(&reader);
    riad_get_zeros(&reader, 4);
    count = riad_get_u32(&reader);
    if (reader.error || count > RIAD_OPERATIONS_MAX || count != count_operations(reader)) {
        return -EBADMSG;
    }
    *ret_time = time;
    *ret_request = request;
    *ret_count = count;
    *ret_operations = reader;
    return 0;
}

static bool get_inode_put(struct riad_reader *body, struct riad_operation *ret)
{
    bool decoded = riad_inode_decode(body->data, body->left, &ret->inode) == 0;

    body->left = 0;
    return decoded;
}

static bool get_number(struct riad_reader *body, struct riad_operation *ret)
{
    ret->number = riad_get_u64(body);
    return riad_number_is_valid(ret->number);
}

static bool get_dentry_put(struct riad_reader *body, struct riad_operation *ret)
{
    struct riad_dentry *dentry = &ret->dentry;
    const uint8_t *name;
    size_t size;

    dentry->parent = riad_get_u64(body);
    dentry->cookie = riad_get_u64(body);
    dentry->inode = riad_get_u64(body);
    dentry->type = riad_get_u8(body);
    name = riad_get_b16(body, RIAD_NAME_MAX, &size);
    dentry->name_size = (uint16_t)size;
    if (size > 0) {
        memcpy(dentry->name, name, size);
    }
    dentry->name[size] = '\0';
    return riad_dentry_is_valid(dentry);
}

static bool get_dentry_remove(struct riad_reader *body, struct riad_operation *ret)
{
    ret->dentry.parent = riad_get_u64(body);
    ret->dentry.cookie = riad_get_u64(body);
    return riad_number_is_valid(ret->dentry.parent) && riad_number_is_valid(ret->dentry.cookie) &&
           ret->dentry.cookie >= RIAD_FIRST_COOKIE;
}

static bool get_xattr_remove(struct riad_reader *body, struct riad_operation *ret)
{
    bool valid = get_number(body, ret);

    ret->name = riad_get_b16(body, RIAD_NAME_MAX, &ret->name_size);
    return valid && ret->name && riad_text_is_valid(ret->name, ret->name_size, RIAD_NAME_MAX);
}

static bool get_xattr_put(struct riad_reader *body, struct riad_operation *ret)
{
    bool valid = get_xattr_remove(body, ret);

    ret->value = riad_get_b32(body, RIAD_XATTR_VALUE_MAX, &ret->value_size);
    return valid;
}

static bool get_extent_put(struct riad_reader *body, struct riad_operation *ret)
{
    bool decoded = riad_extent_decode(body->data, body->left, &ret->extent) == 0;

    body->left = 0;
    return decoded;
}

static bool get_extent_clear(struct riad_reader *body, struct riad_operation *ret)
{
    bool valid = get_number(body, ret);

    ret->from = riad_get_u64(body);
    ret->to = riad_get_u64(body);
    return valid && ret->from <= ret->to;
}

static bool get_symlink_put(struct riad_reader *body, struct riad_operation *ret)
{
    bool valid = get_number(body, ret);

    ret->value = riad_get_b16(body, RIAD_SYMLINK_MAX, &ret->value_size);
    return valid && ret->value && riad_text_is_valid(ret->value, ret->value_size, RIAD_SYMLINK_MAX);
}

static bool get_clock(struct riad_reader *body, struct riad_operation *ret)
{
    struct riad_clock *clock = &ret->clock;

    clock->subject = riad_get_u8(body);
    clock->resource = riad_get_u8(body);
    riad_get_zeros(body, 2);
    clock->id = riad_get_u32(body);
    clock->since = riad_get_u64(body);
    return riad_clock_is_valid(clock);
}

typedef bool (*decoder)(struct riad_reader *body, struct riad_operation *ret);

static const decoder decoders[] = {
    [RIAD_OP_INODE_PUT] = get_inode_put,
    [RIAD_OP_INODE_REMOVE] = get_number,
    [RIAD_OP_DENTRY_PUT] = get_dentry_put,
    [RIAD_OP_DENTRY_REMOVE] = get_dentry_remove,
    [RIAD_OP_XATTR_PUT] = get_xattr_put,
    [RIAD_OP_XATTR_REMOVE] = get_xattr_remove,
    [RIAD_OP_EXTENT_PUT] = get_extent_put,
    [RIAD_OP_EXTENT_CLEAR] = get_extent_clear,
    [RIAD_OP_SYMLINK_PUT] = get_symlink_put,
    [RIAD_OP_WORKSPACE_PUT] = get_number,
    [RIAD_OP_CLOCK_PUT] = get_clock,
};

static bool is_known(uint8_t kind)
{
    return kind < sizeof decoders / sizeof decoders[0] && decoders[kind];
}

/* Each kind has its flags: there is one encoding (F3). */
static uint8_t flags_of(uint8_t kind)
{
    return is_known(kind) && kind != RIAD_OP_CLOCK_PUT ? 0 : RIAD_OPERATION_OPTIONAL;
}

int riad_operation_next(struct riad_reader *operations, struct riad_operation *ret)
{
    while (operations->left > 0 && !operations->error) {
        struct riad_reader body;
        uint8_t kind;
        uint8_t flags;

        get_frame(operations, &kind, &flags, &body);
        if (operations->error || flags != flags_of(kind)) {
            return -EBADMSG;
        }
        if (!is_known(kind)) {
            continue;
        }
        ret->kind = (enum riad_operation_kind)kind;
        if (!decoders[kind](&body, ret)) {
            return -EBADMSG;
        }
        return riad_reader_finish(&body) < 0 ? -EBADMSG : 1;
    }
    return operations->error ? -EBADMSG : 0;
}
