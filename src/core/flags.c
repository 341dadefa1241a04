/* Inode flags: set, inherited, and what immutable (+i) and append-only (+a) forbid, as
 * ioctl_iflags(2) and ext4 have it. The kernel's FUSE knows of no flags: every mutation asks here.
 */
#include <errno.h>

#include "rows_priv.h"

enum {
    FIXED = RIAD_INODE_IMMUTABLE | RIAD_INODE_APPEND,
    TIMES_NOW = RIAD_SET_ATIME_NOW | RIAD_SET_MTIME_NOW,
};

static int allow(const struct riad_inode *row, uint32_t forbidding)
{
    return row->flags & forbidding ? -EPERM : 0;
}

int riad_flags_allow_new_name(const struct riad_inode *directory)
{
    return allow(directory, RIAD_INODE_IMMUTABLE);
}

int riad_flags_allow_removal(const struct riad_inode *directory, const struct riad_inode *row)
{
    int r = allow(directory, FIXED);

    return r < 0 ? r : allow(row, FIXED);
}

int riad_flags_allow_change(const struct riad_inode *row)
{
    return allow(row, FIXED);
}

/* Setting both times to now is what reading and appending would do; a mask of nothing as well. */
int riad_flags_allow_attributes(const struct riad_inode *row, uint32_t mask)
{
    return allow(row, mask == TIMES_NOW || mask == 0 ? RIAD_INODE_IMMUTABLE : FIXED);
}

int riad_flags_allow_write(const struct riad_inode *row, uint64_t offset)
{
    return allow(row, offset == row->size ? RIAD_INODE_IMMUTABLE : FIXED);
}

int riad_flags_allow_room(const struct riad_inode *row)
{
    return allow(row, RIAD_INODE_IMMUTABLE);
}

uint32_t riad_flags_inherited(const struct riad_inode *directory)
{
    return directory->flags & (RIAD_INODE_NODUMP | RIAD_INODE_NOATIME);
}

/* What is and stays immutable gets no other flags either. */
static int set_locked(struct riad_workspace *workspace, uint64_t inode, uint32_t flags)
{
    struct riad_inode row;
    int r = riad_index_get_inode(workspace->index, inode, &row);

    if (r < 0) {
        return r;
    }
    if ((row.flags & flags & RIAD_INODE_IMMUTABLE) && row.flags != flags) {
        return -EPERM;
    }
    row.flags = flags;
    row.ctime = riad_mutation_time(workspace);
    riad_put_row(workspace, &row);
    return riad_mutation_commit(workspace, NULL);
}

int riad_set_flags(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, uint32_t flags)
{
    int r = flags & ~(uint32_t)RIAD_INODE_FLAGS_KNOWN ? -EOPNOTSUPP : 0;

    if (r == 0) {
        r = riad_mutation_begin(workspace, caller);
    }
    if (r < 0) {
        return r;
    }
    r = set_locked(workspace, inode, flags);
    riad_mutation_end(workspace);
    return r;
}
