#include "adapt_priv.h"
#include "reply_priv.h"

/* ENOSYS to the first OPEN, CREATE and FLUSH ends them for the life of the mount: the kernel opens
 * by itself and keeps the page cache, creates by MKNOD, truncates by SETATTR, and FORGET frees what
 * was unlinked while open. */
void riad_adapt_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)inode;
    (void)file;
    riad_reply_error(request, -ENOSYS);
}

void riad_adapt_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
        struct fuse_file_info *file)
{
    (void)parent;
    (void)name;
    (void)mode;
    (void)file;
    riad_reply_error(request, -ENOSYS);
}

void riad_adapt_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file)
{
    (void)inode;
    (void)file;
    riad_reply_error(request, -ENOSYS);
}

void riad_adapt_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
        struct fuse_file_info *file)
{
    uint8_t *buffer = riad_transport_buffer();
    uint32_t wanted = size < RIAD_MESSAGE_MAX ? (uint32_t)size : RIAD_MESSAGE_MAX;
    uint32_t got = 0;
    int r = buffer ? 0 : -ENOMEM;

    (void)file;
    if (r == 0) {
        r = riad_read(riad_adapt_workspace(request), inode, (uint64_t)offset, wanted, buffer, &got);
    }
    if (r < 0) {
        riad_reply_error(request, r);
        return;
    }
    fuse_reply_buf(request, (const char *)buffer, got);
}

/* P1: the reply follows the record in the log. */
void riad_adapt_write(fuse_req_t request, fuse_ino_t inode, const char *data, size_t size,
        off_t offset, struct fuse_file_info *file)
{
    struct riad_caller caller = riad_adapt_caller(request);
    uint32_t wanted = size < RIAD_MESSAGE_MAX ? (uint32_t)size : RIAD_MESSAGE_MAX;
    uint32_t written = 0;
    int r = riad_write(riad_adapt_workspace(request), &caller, inode, (uint64_t)offset,
            (const uint8_t *)data, wanted, &written);

    (void)file;
    if (r < 0) {
        riad_reply_error(request, r);
        return;
    }
    fuse_reply_write(request, written);
}

/* P2. A sync of data only costs the same: one sync of the log. */
void riad_adapt_fsync(
        fuse_req_t request, fuse_ino_t inode, int data_only, struct fuse_file_info *file)
{
    (void)data_only;
    (void)file;
    riad_reply_error(request, riad_fsync(riad_adapt_workspace(request), inode));
}

/* FALLOCATE and COPY_FILE_RANGE carry no flag for it, and after HANDLE_KILLPRIV_V2 the kernel
 * leaves it to riad. Who has CAP_FSETID cannot be seen from here; root has it. */
static struct riad_caller caller_that_kills(fuse_req_t request)
{
    struct riad_caller caller = riad_adapt_caller(request);

    caller.kill_privileges = caller.uid != 0;
    return caller;
}

void riad_adapt_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset,
        off_t length, struct fuse_file_info *file)
{
    struct riad_caller caller = caller_that_kills(request);

    (void)file;
    riad_reply_error(request, riad_fallocate(riad_adapt_workspace(request), &caller, inode, mode,
                                      (uint64_t)offset, (uint64_t)length));
}

void riad_adapt_lseek(
        fuse_req_t request, fuse_ino_t inode, off_t offset, int whence, struct fuse_file_info *file)
{
    uint64_t found = 0;
    int r = riad_seek(riad_adapt_workspace(request), inode, (uint64_t)offset, whence, &found);

    (void)file;
    if (r < 0) {
        riad_reply_error(request, r);
        return;
    }
    fuse_reply_lseek(request, (off_t)found);
}

void riad_adapt_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset,
        struct fuse_file_info *from_file, fuse_ino_t to, off_t to_offset,
        struct fuse_file_info *to_file, size_t length, int flags)
{
    struct riad_caller caller = caller_that_kills(request);
    uint64_t copied = 0;
    int r = flags != 0 ? -EINVAL : 0;

    (void)from_file;
    (void)to_file;
    if (r == 0) {
        r = riad_copy_range(riad_adapt_workspace(request), &caller, from, (uint64_t)from_offset, to,
                (uint64_t)to_offset, length, &copied);
    }
    if (r < 0) {
        riad_reply_error(request, r);
        return;
    }
    fuse_reply_write(request, copied);
}
