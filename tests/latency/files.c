#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim.h"

/* The kernel's write-back cache reads pages of files that a program opened for writing, and does
 * itself what O_APPEND means. */
static int lower_flags(int flags)
{
    if ((flags & O_ACCMODE) == O_WRONLY) {
        flags = (flags & ~O_ACCMODE) | O_RDWR;
    }
    return (flags & ~(O_APPEND | O_NOFOLLOW | O_CREAT | O_EXCL | O_DIRECT)) | O_CLOEXEC;
}

static void reply_opened(fuse_req_t req, int fd, struct fuse_file_info *info)
{
    info->fh = (uint64_t)fd;
    info->keep_cache = 1; /* it is dropped when size or time of the file turn out to be others */
    if (fuse_reply_open(req, info) < 0) {
        close(fd);
    }
}

static void shim_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    if (ino == CALLS_INODE) {
        info->direct_io = 1;
        fuse_reply_open(req, info);
        return;
    }
    call_begin(CALL_open);
    int fd = open(inode_path(ino).text, lower_flags(info->flags));
    if (fd < 0) {
        reply_result(req, -1);
    } else {
        reply_opened(req, fd, info);
    }
}

static void shim_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
        struct fuse_file_info *info)
{
    const struct fuse_ctx *context = fuse_req_ctx(req);
    struct fuse_entry_param entry;
    call_begin(CALL_create);
    int fd = openat(inode_fd(parent), name,
            lower_flags(info->flags) | O_CREAT | O_NOFOLLOW | (info->flags & O_EXCL), mode);
    if (fd < 0) {
        reply_result(req, -1);
        return;
    }
    int r = fchown(fd, context->uid, context->gid);
    if (r == 0 && mode & (S_ISUID | S_ISGID)) {
        r = fchmod(fd, mode); /* fchown took them away */
    }
    int error = r < 0 ? errno : inode_find(parent, name, &entry);
    info->fh = (uint64_t)fd;
    info->keep_cache = 1;
    if (error) {
        close(fd);
        fuse_reply_err(req, error);
    } else if (fuse_reply_create(req, &entry, info) < 0) {
        close(fd);
    }
}

static void shim_read(
        fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
    struct fuse_bufvec buffer = FUSE_BUFVEC_INIT(size);
    if (ino == CALLS_INODE) {
        calls_read(req, size, offset);
        return;
    }
    call_begin(CALL_read);
    buffer.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    buffer.buf[0].fd = (int)info->fh;
    buffer.buf[0].pos = offset;
    fuse_reply_data(req, &buffer, FUSE_BUF_SPLICE_MOVE);
}

static void shim_write(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *from, off_t offset,
        struct fuse_file_info *info)
{
    struct fuse_bufvec to = FUSE_BUFVEC_INIT(fuse_buf_size(from));
    (void)ino;
    call_begin(CALL_write);
    to.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
    to.buf[0].fd = (int)info->fh;
    to.buf[0].pos = offset;
    ssize_t written = fuse_buf_copy(&to, from, 0);
    if (written < 0) {
        fuse_reply_err(req, (int)-written);
    } else {
        fuse_reply_write(req, (size_t)written);
    }
}

static void shim_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)info;
    if (ino != CALLS_INODE) {
        call_begin(CALL_flush);
    }
    fuse_reply_err(req, 0);
}

static void shim_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    if (ino != CALLS_INODE) {
        call_begin(CALL_release);
        close((int)info->fh);
    }
    fuse_reply_err(req, 0);
}

static void shim_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *info)
{
    (void)ino;
    call_begin(CALL_fsync);
    reply_result(req, datasync ? fdatasync((int)info->fh) : fsync((int)info->fh));
}

static void shim_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t length,
        struct fuse_file_info *info)
{
    (void)ino;
    call_begin(CALL_fallocate);
    reply_result(req, fallocate((int)info->fh, mode, offset, length));
}

static void shim_lseek(
        fuse_req_t req, fuse_ino_t ino, off_t offset, int whence, struct fuse_file_info *info)
{
    (void)ino;
    call_begin(CALL_lseek);
    off_t found = lseek((int)info->fh, offset, whence);
    if (found < 0) {
        reply_result(req, -1);
    } else {
        fuse_reply_lseek(req, found);
    }
}

static void shim_copy(fuse_req_t req, fuse_ino_t ino, off_t offset, struct fuse_file_info *info,
        fuse_ino_t ino2, off_t offset2, struct fuse_file_info *info2, size_t length, int flags)
{
    (void)ino;
    (void)ino2;
    call_begin(CALL_copy_file_range);
    ssize_t copied = copy_file_range(
            (int)info->fh, &offset, (int)info2->fh, &offset2, length, (unsigned)flags);
    if (copied < 0) {
        reply_result(req, -1);
    } else {
        fuse_reply_write(req, (size_t)copied);
    }
}

void files_add(struct fuse_lowlevel_ops *ops)
{
    ops->open = shim_open;
    ops->create = shim_create;
    ops->read = shim_read;
    ops->write_buf = shim_write;
    ops->flush = shim_flush;
    ops->release = shim_release;
    ops->fsync = shim_fsync;
    ops->fallocate = shim_fallocate;
    ops->lseek = shim_lseek;
    ops->copy_file_range = shim_copy;
}
