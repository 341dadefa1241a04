#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "riad/cleanup.h"

#include "adapt_priv.h"
#include "listings_priv.h"
#include "reply_priv.h"

void riad_adapt_mknod(
        fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    struct riad_caller caller = riad_adapt_caller(request);
    struct riad_inode row;
    int r = riad_mknod(
            riad_adapt_workspace(request), &caller, parent, name, mode, (uint64_t)rdev, &row);

    riad_reply_entry(request, r, &row);
}

void riad_adapt_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
    struct riad_caller caller = riad_adapt_caller(request);
    struct riad_inode row;
    int r = riad_mkdir(riad_adapt_workspace(request), &caller, parent, name, mode, &row);

    riad_reply_entry(request, r, &row);
}

void riad_adapt_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
    struct riad_caller caller = riad_adapt_caller(request);
    struct riad_inode row;
    int r = riad_symlink(riad_adapt_workspace(request), &caller, parent, name, target, &row);

    riad_reply_entry(request, r, &row);
}

void riad_adapt_link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t parent, const char *name)
{
    struct riad_caller caller = riad_adapt_caller(request);
    struct riad_inode row;
    int r = riad_link(riad_adapt_workspace(request), &caller, inode, parent, name, &row);

    riad_reply_entry(request, r, &row);
}

void riad_adapt_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct riad_caller caller = riad_adapt_caller(request);

    riad_reply_error(request, riad_unlink(riad_adapt_workspace(request), &caller, parent, name));
}

void riad_adapt_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct riad_caller caller = riad_adapt_caller(request);

    riad_reply_error(request, riad_rmdir(riad_adapt_workspace(request), &caller, parent, name));
}

/* A directory under another parent lists another ".." (listings_priv.h). Until the reply the kernel
 * lets nobody else touch the two parents. */
static void drop_if_directory(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    const struct riad_session *session = fuse_req_userdata(request);
    struct riad_inode row;

    if (riad_lookup(session->workspace, parent, name, &row) < 0) {
        return;
    }
    if (S_ISDIR(row.mode)) {
        riad_listings_drop(session->listings, row.inode);
    }
    riad_forget(session->workspace, row.inode, 1);
}

void riad_adapt_rename(fuse_req_t request, fuse_ino_t parent, const char *name,
        fuse_ino_t new_parent, const char *new_name, unsigned int flags)
{
    struct riad_caller caller = riad_adapt_caller(request);
    int r = riad_rename(
            riad_adapt_workspace(request), &caller, parent, name, new_parent, new_name, flags);

    if (r == 0 && parent != new_parent) {
        drop_if_directory(request, new_parent, new_name);
        if (flags & RENAME_EXCHANGE) {
            drop_if_directory(request, parent, name);
        }
    }
    riad_reply_error(request, r);
}

void riad_adapt_readlink(fuse_req_t request, fuse_ino_t inode)
{
    _cleanup_free_ char *target = NULL;
    int r = riad_readlink(riad_adapt_workspace(request), inode, &target);

    if (r < 0) {
        riad_reply_error(request, r);
        return;
    }
    fuse_reply_readlink(request, target);
}
