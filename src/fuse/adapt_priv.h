/* The operations: each decodes a request, calls core once and replies. Parameters are those of
 * fuse_lowlevel_ops. */
#ifndef RIAD_ADAPT_PRIV_H
#define RIAD_ADAPT_PRIV_H

#include "riad/error.h"
#include "riad/filesystem.h"

#include "fuse_priv.h"
#include "privilege_priv.h"
#include "session_priv.h"

static inline struct riad_workspace *riad_adapt_workspace(fuse_req_t request)
{
    const struct riad_session *session = fuse_req_userdata(request);

    return session->workspace;
}

static inline struct riad_caller riad_adapt_caller(fuse_req_t request)
{
    const struct riad_session *session = fuse_req_userdata(request);
    const struct fuse_ctx *context = fuse_req_ctx(request);
    const struct riad_request *raw = riad_transport_request();

    return (struct riad_caller){
        .uid = context->uid,
        .gid = context->gid,
        .request = raw->unique,
        .umask = context->umask,
        .no_acls = session->no_xattr,
        .kill_privileges = raw->kill_privileges,
        .pid = context->pid,
        .is_member = riad_privilege_is_member,
    };
}

/* adapt_lookup.c */
void riad_adapt_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void riad_adapt_forget(fuse_req_t request, fuse_ino_t inode, uint64_t count);
void riad_adapt_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets);
void riad_adapt_statfs(fuse_req_t request, fuse_ino_t inode);

/* adapt_namespace.c */
void riad_adapt_mknod(
        fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev);
void riad_adapt_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode);
void riad_adapt_symlink(
        fuse_req_t request, const char *target, fuse_ino_t parent, const char *name);
void riad_adapt_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t parent, const char *name);
void riad_adapt_unlink(fuse_req_t request, fuse_ino_t parent, const char *name);
void riad_adapt_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name);
void riad_adapt_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
        fuse_ino_t new_parent, const char *new_name, unsigned int flags);
void riad_adapt_readlink(fuse_req_t request, fuse_ino_t inode);

/* adapt_attribute.c */
void riad_adapt_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file);
void riad_adapt_setattr(fuse_req_t request, fuse_ino_t inode, struct stat *values, int mask,
        struct fuse_file_info *file);

/* adapt_data.c */
void riad_adapt_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file);
void riad_adapt_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode,
        struct fuse_file_info *file);
void riad_adapt_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file);
void riad_adapt_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
        struct fuse_file_info *file);
void riad_adapt_write(fuse_req_t request, fuse_ino_t inode, const char *data, size_t size,
        off_t offset, struct fuse_file_info *file);
void riad_adapt_fsync(
        fuse_req_t request, fuse_ino_t inode, int data_only, struct fuse_file_info *file);
void riad_adapt_fallocate(fuse_req_t request, fuse_ino_t inode, int mode, off_t offset,
        off_t length, struct fuse_file_info *file);
void riad_adapt_lseek(fuse_req_t request, fuse_ino_t inode, off_t offset, int whence,
        struct fuse_file_info *file);
void riad_adapt_copy_file_range(fuse_req_t request, fuse_ino_t from, off_t from_offset,
        struct fuse_file_info *from_file, fuse_ino_t to, off_t to_offset,
        struct fuse_file_info *to_file, size_t length, int flags);

/* adapt_directory.c */
void riad_adapt_opendir(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *file);
void riad_adapt_readdir(fuse_req_t request, fuse_ino_t inode, size_t size, off_t after,
        struct fuse_file_info *file);
void riad_adapt_readdirplus(fuse_req_t request, fuse_ino_t inode, size_t size, off_t after,
        struct fuse_file_info *file);

/* adapt_xattr.c */
void riad_adapt_setxattr(fuse_req_t request, fuse_ino_t inode, const char *name, const char *value,
        size_t size, int flags);
void riad_adapt_getxattr(fuse_req_t request, fuse_ino_t inode, const char *name, size_t size);
void riad_adapt_listxattr(fuse_req_t request, fuse_ino_t inode, size_t size);
void riad_adapt_removexattr(fuse_req_t request, fuse_ino_t inode, const char *name);

#endif
