#include <stdlib.h>

#include "riad/cleanup.h"

#include "adapt_priv.h"
#include "reply_priv.h"

#define TRUSTED "trusted."
#define SELINUX_LABEL "security.selinux"

/* With noxattr the kernel hears ENOSYS once for each of the four and does not ask again. */
static bool is_off(fuse_req_t request)
{
    const struct riad_session *session = fuse_req_userdata(request);

    if (session->no_xattr) {
        riad_reply_error(request, -ENOSYS);
    }
    return session->no_xattr;
}

/* Kernels before 5.12 only: others send the longer form (raw_setxattr.c). */
void riad_adapt_setxattr(fuse_req_t request, fuse_ino_t inode, const char *name, const char *value,
        size_t size, int flags)
{
    struct riad_caller caller = riad_adapt_caller(request);

    if (is_off(request)) {
        return;
    }
    riad_reply_error(request,
            riad_setxattr(riad_adapt_workspace(request), &caller, inode, name, value, size, flags));
}

void riad_adapt_getxattr(fuse_req_t request, fuse_ino_t inode, const char *name, size_t size)
{
    _cleanup_free_ uint8_t *value = NULL;
    size_t value_size = 0;
    int r;

    if (is_off(request)) {
        return;
    }
    r = riad_getxattr(riad_adapt_workspace(request), inode, name, &value, &value_size);
    if (r == -ENODATA && strcmp(name, SELINUX_LABEL) == 0) {
        r = -EOPNOTSUPP; /* so `ls -l` asks no more; where labels count, their module answers */
    }
    riad_reply_xattr(request, r, value, value_size, size);
}

/* Takes the names out that only an administrator sees; returns the size of the rest. */
static size_t hide_trusted(fuse_req_t request, char *names, size_t size)
{
    const struct fuse_ctx *context = fuse_req_ctx(request);
    bool asked = false, shown = false;
    size_t kept = 0;

    for (size_t at = 0, length; at < size; at += length) {
        length = strlen(names + at) + 1;
        if (strncmp(names + at, TRUSTED, strlen(TRUSTED)) == 0) {
            shown = asked ? shown : riad_privilege_is_admin(context->pid, context->uid);
            asked = true;
            if (!shown) {
                continue;
            }
        }
        memmove(names + kept, names + at, length);
        kept += length;
    }
    return kept;
}

void riad_adapt_listxattr(fuse_req_t request, fuse_ino_t inode, size_t size)
{
    _cleanup_free_ char *names = NULL;
    size_t names_size = 0;
    int r;

    if (is_off(request)) {
        return;
    }
    r = riad_listxattr(riad_adapt_workspace(request), inode, &names, &names_size);
    if (r == 0) {
        names_size = hide_trusted(request, names, names_size);
    }
    riad_reply_xattr(request, r, names, names_size, size);
}

void riad_adapt_removexattr(fuse_req_t request, fuse_ino_t inode, const char *name)
{
    struct riad_caller caller = riad_adapt_caller(request);

    if (is_off(request)) {
        return;
    }
    riad_reply_error(
            request, riad_removexattr(riad_adapt_workspace(request), &caller, inode, name));
}
