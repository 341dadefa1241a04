/* Layer index. A change: the atomic unit of mutation, a list of operations on rows (FORMAT 5.3).
 * Built by core, encoded once, applied by index; decoded from the log by replay and applied by the
 * very same function.
 *
 * One thread per object. */
#ifndef RIAD_CHANGE_H
#define RIAD_CHANGE_H

#include "riad/log.h"
#include "riad/row.h"

enum riad_operation_kind {
    RIAD_OP_INODE_PUT = 1,
    RIAD_OP_INODE_REMOVE,
    RIAD_OP_DENTRY_PUT,
    RIAD_OP_DENTRY_REMOVE,
    RIAD_OP_XATTR_PUT,
    RIAD_OP_XATTR_REMOVE,
    RIAD_OP_EXTENT_PUT,
    RIAD_OP_EXTENT_CLEAR,
    RIAD_OP_SYMLINK_PUT,
    RIAD_OP_WORKSPACE_PUT,
    RIAD_OP_CLOCK_PUT, /* optional: a reader that enforces no soft limits skips it */
};

/* A change is its own encoding: each call appends one encoded operation to `operations`; nothing
 * else is kept. */
struct riad_change {
    struct timespec time;
    uint64_t request;
    uint32_t count;
    uint32_t features; /* RIAD_FEATURE_*: what its reader must know */
    struct riad_writer operations;
};

/* Starts an empty change; the buffer of an earlier one is reused. A zeroed struct is a right start.
 */
void riad_change_begin(struct riad_change *change, struct timespec time, uint64_t request);
void riad_change_done(struct riad_change *change);

/* Errors stick in change->operations.error (-ENOBUFS: over RIAD_CHANGE_BODY_MAX or 4096 operations;
 * -EINVAL: a row that FORMAT does not allow) and are seen at riad_change_content. */
void riad_change_put_inode(struct riad_change *change, const struct riad_inode *row);
void riad_change_remove_inode(struct riad_change *change, uint64_t inode);
void riad_change_put_dentry(struct riad_change *change, const struct riad_dentry *row);
void riad_change_remove_dentry(struct riad_change *change, uint64_t parent, uint64_t cookie);
void riad_change_put_xattr(struct riad_change *change, uint64_t inode, const char *name,
        const void *value, size_t size);
void riad_change_remove_xattr(struct riad_change *change, uint64_t inode, const char *name);
void riad_change_put_extent(struct riad_change *change, const struct riad_extent *row);
void riad_change_clear_extents(
        struct riad_change *change, uint64_t inode, uint64_t from, uint64_t to);
void riad_change_put_symlink(struct riad_change *change, uint64_t inode, const char *target);
void riad_change_put_workspace(struct riad_change *change, uint64_t next_inode);
void riad_change_put_clock(struct riad_change *change, const struct riad_clock *clock);
/* Sets segment and position of all extents put in this change whose segment is 0
 * (RIAD_PLACE_LATER): known only when the log says where (riad_log_place). */
void riad_change_place_extents(struct riad_change *change, const struct riad_place *place);

/* Appends the content (body behind sequence and previous) to out. The sticky error, or -EINVAL if
 * an extent has no place yet. */
int riad_change_content(const struct riad_change *change, struct riad_writer *out) RIAD_MUST_CHECK;

/* One decoded operation; pointers borrow from the change's bytes. */
struct riad_operation {
    enum riad_operation_kind kind;
    struct riad_inode inode;
    struct riad_dentry dentry; /* put: all; remove: parent and cookie */
    struct riad_extent extent;
    struct riad_clock clock;
    uint64_t number; /* inode of remove, clear, xattr, symlink; next inode of workspace */
    uint64_t from, to;
    const uint8_t *name; /* xattr name */
    size_t name_size;
    const uint8_t *value; /* xattr value, symlink target */
    size_t value_size;
};

/* Splits content into header and operations. *ret_operations borrows. -EBADMSG. */
int riad_change_parse(const uint8_t *content, size_t size, struct timespec *ret_time,
        uint64_t *ret_request, uint32_t *ret_count,
        struct riad_reader *ret_operations) RIAD_MUST_CHECK;
/* Reads the next operation; 1 if there was one, 0 at the end, -EBADMSG (then *ret is undefined).
 * Unknown optional kinds are skipped. */
int riad_operation_next(struct riad_reader *operations, struct riad_operation *ret) RIAD_MUST_CHECK;

#endif
