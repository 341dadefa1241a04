#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim.h"

void reply_result(fuse_req_t req, int r)
{
    fuse_reply_err(req, r < 0 ? errno : 0);
}

static void reply_found(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fuse_entry_param entry;
    int error = inode_find(parent, name, &entry);
    if (error) {
        fuse_reply_err(req, error);
    } else {
        fuse_reply_entry(req, &entry);
    }
}

static void shim_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    if (parent == FUSE_ROOT_ID && strcmp(name, CALLS_NAME) == 0) {
        calls_entry(req);
        return;
    }
    call_begin(CALL_lookup);
    reply_found(req, parent, name);
}

static void shim_forget(fuse_req_t req, fuse_ino_t ino, uint64_t references)
{
    inode_forget(ino, references);
    fuse_reply_none(req);
}

static void shim_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
    for (size_t i = 0; i < count; i++) {
        inode_forget(forgets[i].ino, forgets[i].nlookup);
    }
    fuse_reply_none(req);
}

/* What was made belongs to the caller. That takes setuid and setgid away from a file: it gets them
 * again. */
static int own(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    const struct fuse_ctx *context = fuse_req_ctx(req);
    int r = fchownat(inode_fd(parent), name, context->uid, context->gid, AT_SYMLINK_NOFOLLOW);
    if (r == 0 && mode & (S_ISUID | S_ISGID)) {
        r = fchmodat(inode_fd(parent), name, mode & ALLPERMS, 0);
    }
    return r;
}

/* r: of the call that made it. */
static void reply_made(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, int r)
{
    if (r < 0 || own(req, parent, name, mode) < 0) {
        reply_result(req, -1);
    } else {
        reply_found(req, parent, name);
    }
}

static void shim_mknod(
        fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
    call_begin(CALL_mknod);
    reply_made(req, parent, name, mode, mknodat(inode_fd(parent), name, mode, device));
}

static void shim_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    call_begin(CALL_mkdir);
    reply_made(req, parent, name, 0, mkdirat(inode_fd(parent), name, mode));
}

static void shim_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
    call_begin(CALL_symlink);
    reply_made(req, parent, name, 0, symlinkat(target, inode_fd(parent), name));
}

static void shim_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name)
{
    call_begin(CALL_link);
    if (linkat(AT_FDCWD, inode_path(ino).text, inode_fd(parent), name, AT_SYMLINK_FOLLOW) < 0) {
        reply_result(req, -1);
    } else {
        reply_found(req, parent, name);
    }
}

static void shim_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    call_begin(CALL_unlink);
    reply_result(req, unlinkat(inode_fd(parent), name, 0));
}

static void shim_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    call_begin(CALL_rmdir);
    reply_result(req, unlinkat(inode_fd(parent), name, AT_REMOVEDIR));
}

static void shim_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t parent2,
        const char *name2, unsigned flags)
{
    call_begin(CALL_rename);
    reply_result(req, renameat2(inode_fd(parent), name, inode_fd(parent2), name2, flags));
}

static void shim_readlink(fuse_req_t req, fuse_ino_t ino)
{
    char target[PATH_MAX + 1];
    call_begin(CALL_readlink);
    ssize_t length = readlinkat(inode_fd(ino), "", target, sizeof target - 1);
    if (length < 0) {
        reply_result(req, -1);
        return;
    }
    target[length] = '\0';
    fuse_reply_readlink(req, target);
}

void names_add(struct fuse_lowlevel_ops *ops)
{
    ops->lookup = shim_lookup;
    ops->forget = shim_forget;
    ops->forget_multi = shim_forget_multi;
    ops->mknod = shim_mknod;
    ops->mkdir = shim_mkdir;
    ops->symlink = shim_symlink;
    ops->link = shim_link;
    ops->unlink = shim_unlink;
    ops->rmdir = shim_rmdir;
    ops->rename = shim_rename;
    ops->readlink = shim_readlink;
}
