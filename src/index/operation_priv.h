/* Encoders of single operations (FORMAT 5.3), shared by changes being built and snapshots being
 * written. Rows must be valid; errors stick in the writer. */
#ifndef RIAD_OPERATION_PRIV_H
#define RIAD_OPERATION_PRIV_H

#include "riad/change.h"

enum {
    RIAD_OPERATIONS_MAX = 4096,
    RIAD_OPERATION_OPTIONAL = 1, /* flag: may be skipped if the kind is unknown */
    RIAD_CLOCK_SIZE = 16,
    RIAD_OPERATION_HEADER_SIZE = 6, /* kind, flags, length of the body */
    RIAD_CONTENT_HEADER_SIZE = 28,  /* time, request, flags, count */
    /* The largest operation: an xattr put. */
    RIAD_OPERATION_SIZE_MAX =
            RIAD_OPERATION_HEADER_SIZE + 8 + 2 + RIAD_NAME_MAX + 4 + RIAD_XATTR_VALUE_MAX,
};

void riad_operation_put_inode(struct riad_writer *out, const struct riad_inode *row);
/* A body that is one number: inode remove, workspace put. */
void riad_operation_put_number(
        struct riad_writer *out, enum riad_operation_kind kind, uint64_t number);
void riad_operation_put_dentry(struct riad_writer *out, const struct riad_dentry *row);
void riad_operation_put_xattr(struct riad_writer *out, uint64_t inode, const void *name,
        size_t name_size, const void *value, size_t size);
void riad_operation_put_extent(struct riad_writer *out, const struct riad_extent *row);
void riad_operation_put_symlink(
        struct riad_writer *out, uint64_t inode, const void *target, size_t size);
/* All of it, with the flag that it may be skipped. */
void riad_operation_put_clock(struct riad_writer *out, const struct riad_clock *clock);
/* Kind, no flags, and the length of the body that the caller writes next. */
void riad_operation_put_header(
        struct riad_writer *out, enum riad_operation_kind kind, size_t body_size);

#endif
