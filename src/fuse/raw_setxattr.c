/* SETXATTR in its longer form, which libfuse 3.14 does not know: it tells whether setgid goes. */
#include "riad/error.h"

#include "raw_priv.h"
#include "session_priv.h"

/* A name with its end, and the value that fills the rest. */
static int split(const struct riad_raw_call *call, struct fuse_setxattr_in *ret,
        const char **ret_name, const uint8_t **ret_value)
{
    int r = riad_raw_get(call, ret, sizeof *ret);
    const char *name;
    size_t left, length;

    if (r < 0) {
        return r;
    }
    name = (const char *)call->body + sizeof *ret;
    left = call->size - sizeof *ret;
    length = strnlen(name, left);
    if (length == left || left - length - 1 != ret->size) {
        return -EINVAL;
    }
    *ret_name = name;
    *ret_value = (const uint8_t *)name + length + 1;
    return 0;
}

int riad_raw_setxattr(struct riad_raw_call *call)
{
    struct riad_caller caller = riad_raw_caller(call);
    struct fuse_setxattr_in in;
    const uint8_t *value;
    const char *name;
    int r = call->session->no_xattr ? -ENOSYS : split(call, &in, &name, &value);

    if (r < 0) {
        return r;
    }
    caller.kill_privileges = in.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID;
    return riad_setxattr(
            call->workspace, &caller, call->header.nodeid, name, value, in.size, (int)in.flags);
}
