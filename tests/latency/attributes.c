#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/limits.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "shim.h"

static void reply_attributes(fuse_req_t req, fuse_ino_t ino)
{
    struct stat st;
    if (fstatat(inode_fd(ino), "", &st, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) < 0) {
        reply_result(req, -1);
    } else {
        fuse_reply_attr(req, &st, VALID_SECONDS);
    }
}

static void shim_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)info;
    if (ino == CALLS_INODE) {
        calls_getattr(req);
        return;
    }
    call_begin(CALL_getattr);
    reply_attributes(req, ino);
}

static struct timespec new_time(struct timespec given, int to_set, int flag, int flag_now)
{
    if (to_set & flag_now) {
        return (struct timespec){ .tv_nsec = UTIME_NOW };
    }
    return to_set & flag ? given : (struct timespec){ .tv_nsec = UTIME_OMIT };
}

static int set_owner(fuse_ino_t ino, const struct stat *st, int to_set)
{
    uid_t uid = to_set & FUSE_SET_ATTR_UID ? st->st_uid : (uid_t)-1;
    gid_t gid = to_set & FUSE_SET_ATTR_GID ? st->st_gid : (gid_t)-1;
    return fchownat(inode_fd(ino), "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
}

static int set_times(fuse_ino_t ino, const struct stat *st, int to_set)
{
    struct timespec times[] = { new_time(st->st_atim, to_set, FUSE_SET_ATTR_ATIME,
                                        FUSE_SET_ATTR_ATIME_NOW),
        new_time(st->st_mtim, to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW) };
    return utimensat(inode_fd(ino), "", times, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW);
}

static int set_all(
        fuse_ino_t ino, const struct stat *st, int to_set, const struct fuse_file_info *info)
{
    int r = 0;
    if (to_set & FUSE_SET_ATTR_MODE) {
        r = chmod(inode_path(ino).text, st->st_mode);
    }
    if (r == 0 && to_set & (FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID)) {
        r = set_owner(ino, st, to_set);
    }
    if (r == 0 && to_set & FUSE_SET_ATTR_SIZE) {
        r = info ? ftruncate((int)info->fh, st->st_size)
                 : truncate(inode_path(ino).text, st->st_size);
    }
    if (r == 0 && to_set & (FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_ATIME_NOW |
                                   FUSE_SET_ATTR_MTIME_NOW)) {
        r = set_times(ino, st, to_set);
    }
    return r;
}

static void shim_setattr(
        fuse_req_t req, fuse_ino_t ino, struct stat *st, int to_set, struct fuse_file_info *info)
{
    if (ino == CALLS_INODE) {
        fuse_reply_err(req, EPERM);
        return;
    }
    call_begin(CALL_setattr);
    if (set_all(ino, st, to_set, info) < 0) {
        reply_result(req, -1);
    } else {
        reply_attributes(req, ino);
    }
}

static void shim_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct statvfs st;
    (void)ino;
    call_begin(CALL_statfs);
    if (fstatvfs(inode_fd(FUSE_ROOT_ID), &st) < 0) {
        reply_result(req, -1);
    } else {
        fuse_reply_statfs(req, &st);
    }
}

/* A size of 0 asks for the length only. */
static void reply_value(fuse_req_t req, ssize_t length, const void *value, size_t size)
{
    if (length < 0) {
        reply_result(req, -1);
    } else if (size == 0) {
        fuse_reply_xattr(req, (size_t)length);
    } else {
        fuse_reply_buf(req, value, (size_t)length);
    }
}

static void shim_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    char value[XATTR_SIZE_MAX];
    if (ino == CALLS_INODE) {
        fuse_reply_err(req, ENODATA);
        return;
    }
    call_begin(CALL_getxattr);
    size = size < sizeof value ? size : sizeof value;
    reply_value(req, getxattr(inode_path(ino).text, name, size ? value : NULL, size), value, size);
}

static void shim_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    char names[XATTR_LIST_MAX];
    if (ino == CALLS_INODE) {
        fuse_reply_err(req, ENODATA);
        return;
    }
    call_begin(CALL_listxattr);
    size = size < sizeof names ? size : sizeof names;
    reply_value(req, listxattr(inode_path(ino).text, size ? names : NULL, size), names, size);
}

static void shim_setxattr(
        fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size, int flags)
{
    call_begin(CALL_setxattr);
    reply_result(req, ino == CALLS_INODE
                              ? (errno = EPERM, -1)
                              : setxattr(inode_path(ino).text, name, value, size, flags));
}

static void shim_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
    call_begin(CALL_removexattr);
    reply_result(req,
            ino == CALLS_INODE ? (errno = EPERM, -1) : removexattr(inode_path(ino).text, name));
}

void attributes_add(struct fuse_lowlevel_ops *ops)
{
    ops->getattr = shim_getattr;
    ops->setattr = shim_setattr;
    ops->statfs = shim_statfs;
    ops->getxattr = shim_getxattr;
    ops->listxattr = shim_listxattr;
    ops->setxattr = shim_setxattr;
    ops->removexattr = shim_removexattr;
}
