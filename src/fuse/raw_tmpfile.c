/* TMPFILE: a file without a name, opened. */
#include <fcntl.h>

#include "raw_priv.h"
#include "reply_priv.h"

static struct fuse_attr encode_attributes(const struct riad_inode *row)
{
    struct stat st;

    riad_reply_stat(row, &st);
    return (struct fuse_attr){
        .ino = row->inode,
        .size = row->size,
        .blocks = (uint64_t)st.st_blocks,
        .atime = (uint64_t)row->atime.tv_sec,
        .mtime = (uint64_t)row->mtime.tv_sec,
        .ctime = (uint64_t)row->ctime.tv_sec,
        .atimensec = (uint32_t)row->atime.tv_nsec,
        .mtimensec = (uint32_t)row->mtime.tv_nsec,
        .ctimensec = (uint32_t)row->ctime.tv_nsec,
        .mode = row->mode,
        .nlink = row->nlink,
        .uid = row->uid,
        .gid = row->gid,
        .blksize = (uint32_t)st.st_blksize,
    };
}

/* The name that follows the fixed part is the kernel's placeholder. O_EXCL: nobody may link it. The
 * handle is the one that opens have which the kernel does by itself. */
int riad_raw_tmpfile(struct riad_raw_call *call)
{
    struct riad_caller caller = riad_raw_caller(call);
    struct fuse_entry_out entry = {
        .entry_valid = RIAD_VALID_SECONDS,
        .attr_valid = RIAD_VALID_SECONDS,
    };
    struct fuse_open_out open = { .open_flags = FOPEN_KEEP_CACHE };
    struct fuse_create_in in;
    struct riad_inode row;
    int r = riad_raw_get(call, &in, sizeof in);

    if (r == 0) {
        caller.umask = in.umask;
        r = riad_tmpfile(call->workspace, &caller, call->header.nodeid, in.mode,
                (in.flags & O_EXCL) == 0, &row);
    }
    if (r < 0) {
        return r;
    }
    entry.nodeid = row.inode;
    entry.generation = row.generation;
    entry.attr = encode_attributes(&row);
    riad_raw_put(call, &entry, sizeof entry);
    riad_raw_put(call, &open, sizeof open);
    call->reply->given = row.inode;
    return 0;
}
