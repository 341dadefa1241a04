#include <fcntl.h>

#include "riad/patience.h"

#include "adapt_priv.h"
#include "reply_priv.h"
#include "stale_priv.h"
#include "syncs_priv.h"

/* ENOSYS to the first OPEN, CREATE and FLUSH ends them for the life of the mount: the kernel opens
 * by itself and keeps the page cache, creates by MKNOD, truncates by SETATTR, and FORGET frees what
 * was unlinked while open. In a session for members OPEN does not come here (raw_open.c). */
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

/* The kernel takes a short reply for a short write(2) only where that is what asked. To what writes
 * pages back it means success, and the rest of the pages is lost in silence; with O_DIRECT it makes
 * EIO of it. These hear the error that stopped the write. */
static bool must_be_whole(const struct fuse_file_info *file)
{
    return file->writepage || (file->flags & O_DIRECT) != 0;
}

/* The kernel keeps modes, and does not doubt them when a file's data change: it has to hear of
 * setuid and setgid that are gone, before the reply. What cannot be told it has forgotten. */
static void tell_of_mode(fuse_req_t request, fuse_ino_t inode, bool killed)
{
    const struct riad_session *session = fuse_req_userdata(request);

    if (killed) {
        (void)fuse_lowlevel_notify_inval_inode(session->fuse, inode, -1, 0);
    }
}

/* Pages of a map, refused at the limit: those behind the block without room may overwrite blocks
 * that the file has, which always works. Returns the size to pass over. */
static uint32_t without_room(uint64_t offset, uint32_t left)
{
    uint32_t block = RIAD_BLOCK_SIZE - (uint32_t)(offset % RIAD_BLOCK_SIZE);

    return block < left ? block : left;
}

/* A WRITE, and the part of it that was refused, from the first byte to the last. */
struct sent {
    fuse_ino_t inode;
    const uint8_t *data;
    uint32_t size;
    uint64_t offset;
    const struct fuse_file_info *file;
    int refused; /* why; 0: nothing was */
    uint32_t refused_from, refused_to;
};

static void note_refused(struct sent *sent, int error, uint32_t from, uint32_t to)
{
    if (sent->refused == 0) {
        sent->refused_from = from;
    }
    sent->refused = error;
    sent->refused_to = to;
}

static int write_all(fuse_req_t request, struct sent *sent, uint32_t *ret_written)
{
    struct riad_caller caller = riad_adapt_caller(request);
    struct riad_workspace *workspace = riad_adapt_workspace(request);
    bool killed = false;
    uint32_t done = 0;
    int r;

    caller.written_back = sent->file->writepage;
    caller.killed = &killed;
    do {
        uint32_t written = 0;

        r = riad_write(workspace, &caller, sent->inode, sent->offset + done, sent->data + done,
                sent->size - done, &written);
        done += r < 0 ? 0 : written;
        if (r == -EDQUOT && sent->file->writepage) {
            uint32_t skipped = without_room(sent->offset + done, sent->size - done);

            note_refused(sent, r, done, done + skipped);
            done += skipped;
            r = 0;
        }
    } while (r == 0 && must_be_whole(sent->file) && done < sent->size);
    tell_of_mode(request, sent->inode, killed);
    *ret_written = done;
    return r;
}

/* What became of it, of `written` bytes that were looked at and result r: the error to reply with.
 * A request that is to be done anew has refused nothing yet. */
static int settle_refused(
        const struct riad_session *session, struct sent *sent, uint32_t written, int r)
{
    if (r == RIAD_WOULD_WAIT) {
        return r;
    }
    if (r < 0) {
        note_refused(sent, r, written, sent->size);
    }
    if (sent->refused < 0 && sent->file->writepage) {
        riad_stale_drop(session->stale, sent->inode, sent->offset + sent->refused_from,
                sent->refused_to - sent->refused_from);
    }
    return sent->refused;
}

/* P1: the reply follows the record in the log. */
void riad_adapt_write(fuse_req_t request, fuse_ino_t inode, const char *data, size_t size,
        off_t offset, struct fuse_file_info *file)
{
    struct sent sent = {
        .inode = inode,
        .data = (const uint8_t *)data,
        .size = size < RIAD_MESSAGE_MAX ? (uint32_t)size : RIAD_MESSAGE_MAX,
        .offset = (uint64_t)offset,
        .file = file,
    };
    uint32_t written = 0;
    int r = write_all(request, &sent, &written);

    r = settle_refused(fuse_req_userdata(request), &sent, written, r);
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
    const struct riad_session *session = fuse_req_userdata(request);

    (void)inode;
    (void)data_only;
    (void)file;
    riad_syncs_ask(session->syncs, request);
}

/* FALLOCATE and COPY_FILE_RANGE carry no flag for it, and after HANDLE_KILLPRIV_V2 the kernel
 * leaves it to riad. Who has CAP_FSETID cannot be seen from here; root has it. */
static struct riad_caller caller_that_kills(fuse_req_t request, bool *killed)
{
    struct riad_caller caller = riad_adapt_caller(request);

    caller.kill_privileges = caller.uid != 0;
    caller.killed = killed;
    return caller;
}

void riad_adapt_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset,
        off_t length, struct fuse_file_info *file)
{
    bool killed = false;
    struct riad_caller caller = caller_that_kills(request, &killed);
    int r = riad_fallocate(riad_adapt_workspace(request), &caller, inode, mode, (uint64_t)offset,
            (uint64_t)length);

    (void)file;
    tell_of_mode(request, inode, killed);
    riad_reply_error(request, r);
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
    bool killed = false;
    struct riad_caller caller = caller_that_kills(request, &killed);
    uint64_t copied = 0;
    int r = flags != 0 ? -EINVAL : 0;

    (void)from_file;
    (void)to_file;
    if (r == 0) {
        r = riad_copy_range(riad_adapt_workspace(request), &caller, from, (uint64_t)from_offset, to,
                (uint64_t)to_offset, length, &copied);
    }
    tell_of_mode(request, to, killed);
    if (r < 0) {
        riad_reply_error(request, r);
        return;
    }
    fuse_reply_write(request, copied);
}
