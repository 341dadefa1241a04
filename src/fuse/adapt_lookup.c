#include "adapt_priv.h"
#include "reply_priv.h"

void riad_adapt_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
    struct riad_inode row;
    int r = riad_lookup(riad_adapt_workspace(request), parent, name, &row);

    if (r == -ENOENT) {
        riad_reply_negative(request);
        return;
    }
    riad_reply_entry(request, r, &row);
}

void riad_adapt_forget(fuse_req_t request, fuse_ino_t inode, uint64_t count)
{
    riad_forget(riad_adapt_workspace(request), inode, count);
    fuse_reply_none(request);
}

void riad_adapt_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
    struct riad_workspace *workspace = riad_adapt_workspace(request);

    for (size_t i = 0; i < count; i++) {
        riad_forget(workspace, forgets[i].ino, forgets[i].nlookup);
    }
    fuse_reply_none(request);
}

void riad_adapt_statfs(fuse_req_t request, fuse_ino_t inode)
{
    struct riad_filesystem_size size;
    struct statvfs result;
    int r = riad_statfs(riad_adapt_workspace(request), &size);

    (void)inode;
    if (r < 0) {
        riad_reply_error(request, r);
        return;
    }
    riad_reply_statvfs(&size, &result);
    fuse_reply_statfs(request, &result);
}
