#include "adapt_priv.h"
#include "reply_priv.h"

void riad_adapt_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    struct riad_inode row;
    int r = riad_getattr(riad_adapt_workspace(request), inode, &row);

    (void)file;
    riad_reply_attr(request, r, &row);
}

/* The kernel sends a time of "now" with the flag for a time beside it. */
static uint32_t decode_mask(int mask)
{
    static const struct {
        int fuse;
        uint32_t core;
    } plain[] = {
        { FUSE_SET_ATTR_MODE, RIAD_SET_MODE },
        { FUSE_SET_ATTR_UID, RIAD_SET_UID },
        { FUSE_SET_ATTR_GID, RIAD_SET_GID },
        { FUSE_SET_ATTR_SIZE, RIAD_SET_SIZE },
        { FUSE_SET_ATTR_ATIME, RIAD_SET_ATIME },
        { FUSE_SET_ATTR_MTIME, RIAD_SET_MTIME },
        { FUSE_SET_ATTR_ATIME_NOW, RIAD_SET_ATIME_NOW },
        { FUSE_SET_ATTR_MTIME_NOW, RIAD_SET_MTIME_NOW },
        { FUSE_SET_ATTR_CTIME, RIAD_SET_CTIME },
    };
    uint32_t result = 0;

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        result |= mask & plain[i].fuse ? plain[i].core : 0;
    }
    if (result & RIAD_SET_ATIME_NOW) {
        result &= ~(uint32_t)RIAD_SET_ATIME;
    }
    if (result & RIAD_SET_MTIME_NOW) {
        result &= ~(uint32_t)RIAD_SET_MTIME;
    }
    return result;
}

void riad_adapt_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *values, int mask,
        struct fuse_file_info *file)
{
    struct riad_caller caller = riad_adapt_caller(request);
    struct riad_inode wanted = {
        .mode = values->st_mode,
        .uid = values->st_uid,
        .gid = values->st_gid,
        .size = (uint64_t)values->st_size,
        .atime = values->st_atim,
        .mtime = values->st_mtim,
        .ctime = values->st_ctim,
    };
    struct riad_inode row;
    int r = riad_setattr(
            riad_adapt_workspace(request), &caller, inode, decode_mask(mask), &wanted, &row);

    (void)file;
    riad_reply_attr(request, r, &row);
}
