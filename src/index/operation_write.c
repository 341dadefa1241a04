#include "operation_priv.h"
#include "row_priv.h"

void riad_operation_put_header(
        struct riad_writer *out, enum riad_operation_kind kind, size_t body_size)
{
    riad_put_u8(out, (uint8_t)kind);
    riad_put_u8(out, 0);
    riad_put_u32(out, (uint32_t)body_size);
}

void riad_operation_put_inode(struct riad_writer *out, const struct riad_inode *row)
{
    riad_operation_put_header(out, RIAD_OP_INODE_PUT, RIAD_INODE_ROW_SIZE);
    riad_inode_encode(row, out);
}

void riad_operation_put_number(
        struct riad_writer *out, enum riad_operation_kind kind, uint64_t number)
{
    riad_operation_put_header(out, kind, 8);
    riad_put_u64(out, number);
}

void riad_operation_put_dentry(struct riad_writer *out, const struct riad_dentry *row)
{
    riad_operation_put_header(out, RIAD_OP_DENTRY_PUT, 8 + 8 + 8 + 1 + 2 + (size_t)row->name_size);
    riad_put_u64(out, row->parent);
    riad_put_u64(out, row->cookie);
    riad_put_u64(out, row->inode);
    riad_put_u8(out, row->type);
    riad_put_b16(out, row->name, row->name_size);
}

void riad_operation_put_xattr(struct riad_writer *out, uint64_t inode, const void *name,
        size_t name_size, const void *value, size_t size)
{
    riad_operation_put_header(out, RIAD_OP_XATTR_PUT, 8 + 2 + name_size + 4 + size);
    riad_put_u64(out, inode);
    riad_put_b16(out, name, name_size);
    riad_put_b32(out, value, size);
}

void riad_operation_put_extent(struct riad_writer *out, const struct riad_extent *row)
{
    riad_operation_put_header(out, RIAD_OP_EXTENT_PUT,
            RIAD_EXTENT_FIXED_SIZE + (size_t)row->tag_count * RIAD_TAG_SIZE);
    riad_extent_encode(row, out);
}

void riad_operation_put_symlink(
        struct riad_writer *out, uint64_t inode, const void *target, size_t size)
{
    riad_operation_put_header(out, RIAD_OP_SYMLINK_PUT, 8 + 2 + size);
    riad_put_u64(out, inode);
    riad_put_b16(out, target, size);
}

void riad_operation_put_clock(struct riad_writer *out, const struct riad_clock *clock)
{
    riad_put_u8(out, RIAD_OP_CLOCK_PUT);
    riad_put_u8(out, RIAD_OPERATION_OPTIONAL);
    riad_put_u32(out, RIAD_CLOCK_SIZE);
    riad_put_u8(out, (uint8_t)clock->subject);
    riad_put_u8(out, (uint8_t)clock->resource);
    riad_put_zeros(out, 2);
    riad_put_u32(out, clock->id);
    riad_put_u64(out, clock->since);
}
