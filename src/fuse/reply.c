#include "adapt_priv.h"
#include "reply_priv.h"

enum { SECTORS_PER_BLOCK = RIAD_BLOCK_SIZE / 512 };

void riad_reply_stat(const struct riad_inode *row, struct stat *ret)
{
    *ret = (struct stat){
        .st_ino = row->inode,
        .st_mode = row->mode,
        .st_nlink = row->nlink,
        .st_uid = row->uid,
        .st_gid = row->gid,
        .st_rdev = row->rdev,
        .st_size = (off_t)row->size,
        .st_blksize = RIAD_IO_SIZE,
        .st_blocks = (blkcnt_t)(row->blocks * SECTORS_PER_BLOCK),
        .st_atim = row->atime,
        .st_mtim = row->mtime,
        .st_ctim = row->ctime,
    };
}

void riad_reply_entry_param(const struct riad_inode *row, struct fuse_entry_param *ret)
{
    *ret = (struct fuse_entry_param){
        .ino = row->inode, /* F6 */
        .generation = row->generation,
        .attr_timeout = RIAD_VALID_SECONDS,
        .entry_timeout = RIAD_VALID_SECONDS,
    };
    riad_reply_stat(row, &ret->attr);
}

void riad_reply_statvfs(const struct riad_filesystem_size *size, struct statvfs *ret)
{
    *ret = (struct statvfs){
        .f_bsize = RIAD_BLOCK_SIZE,
        .f_frsize = RIAD_BLOCK_SIZE,
        .f_blocks = size->blocks,
        .f_bfree = size->blocks_free,
        .f_bavail = size->blocks_available,
        .f_files = size->inodes,
        .f_ffree = size->inodes_free,
        .f_favail = size->inodes_free,
        .f_namemax = RIAD_NAME_MAX,
    };
}

void riad_reply_error(fuse_req_t request, int error)
{
    fuse_reply_err(request, -error);
}

void riad_reply_attr(fuse_req_t request, int error, const struct riad_inode *row)
{
    struct stat st;

    if (error < 0) {
        riad_reply_error(request, error);
        return;
    }
    riad_reply_stat(row, &st);
    fuse_reply_attr(request, &st, RIAD_VALID_SECONDS);
}

void riad_reply_entry(fuse_req_t request, int error, const struct riad_inode *row)
{
    struct riad_workspace *workspace = riad_adapt_workspace(request);
    struct fuse_entry_param entry;

    if (error < 0) {
        riad_reply_error(request, error);
        return;
    }
    riad_reply_entry_param(row, &entry);
    if (fuse_reply_entry(request, &entry) < 0) {
        riad_forget(workspace, row->inode, 1);
    }
}

void riad_reply_negative(fuse_req_t request)
{
    struct fuse_entry_param entry = { .ino = 0, .entry_timeout = RIAD_VALID_SECONDS };

    fuse_reply_entry(request, &entry);
}

void riad_reply_xattr(fuse_req_t request, int error, const void *value, size_t size, size_t wanted)
{
    if (error < 0) {
        riad_reply_error(request, error);
    } else if (wanted == 0) {
        fuse_reply_xattr(request, size);
    } else if (size > wanted) {
        riad_reply_error(request, -ERANGE);
    } else {
        fuse_reply_buf(request, value, size);
    }
}
