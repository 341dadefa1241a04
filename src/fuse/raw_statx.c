/* STATX: what GETATTR says, and the birth time (F6). */
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "raw_abi_priv.h"
#include "raw_priv.h"
#include "reply_priv.h"

static struct riad_fuse_sx_time encode_time(struct timespec time)
{
    return (struct riad_fuse_sx_time){ .tv_sec = time.tv_sec, .tv_nsec = (uint32_t)time.tv_nsec };
}

static struct riad_fuse_statx encode(const struct riad_inode *row)
{
    struct stat st;

    riad_reply_stat(row, &st);
    return (struct riad_fuse_statx){
        .mask = STATX_BASIC_STATS | STATX_BTIME,
        .blksize = (uint32_t)st.st_blksize,
        .nlink = row->nlink,
        .uid = row->uid,
        .gid = row->gid,
        .mode = (uint16_t)row->mode,
        .ino = row->inode,
        .size = row->size,
        .blocks = (uint64_t)st.st_blocks,
        .atime = encode_time(row->atime),
        .btime = encode_time(row->btime),
        .ctime = encode_time(row->ctime),
        .mtime = encode_time(row->mtime),
        .rdev_major = major(row->rdev),
        .rdev_minor = minor(row->rdev),
    };
}

/* All that there is, whatever the mask asks for: the kernel keeps the rest for the next caller. */
int riad_raw_statx(struct riad_raw_call *call)
{
    struct riad_fuse_statx_out out = { .attr_valid = RIAD_VALID_SECONDS };
    struct riad_fuse_statx_in in;
    struct riad_inode row;
    int r = riad_raw_get(call, &in, sizeof in);

    if (r == 0) {
        r = riad_getattr(call->workspace, call->header.nodeid, &row);
    }
    if (r < 0) {
        return r;
    }
    out.stat = encode(&row);
    riad_raw_put(call, &out, sizeof out);
    return 0;
}
