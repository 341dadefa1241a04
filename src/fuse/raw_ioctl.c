/* IOCTL: the flags of inodes, which the kernel asks for in two forms (fs/fuse/ioctl.c:
 * fuse_fileattr_get and _set, after it has checked owner and CAP_LINUX_IMMUTABLE); and what
 * directories hold (raw_tree.c). All else is refused. */
#include <linux/fs.h>

#include "riad/error.h"
#include "riad/tree_ioctl.h"

#include "raw_priv.h"

static const struct {
    uint32_t row, flag, xflag;
} known[] = {
    { RIAD_INODE_IMMUTABLE, FS_IMMUTABLE_FL, FS_XFLAG_IMMUTABLE },
    { RIAD_INODE_APPEND, FS_APPEND_FL, FS_XFLAG_APPEND },
    { RIAD_INODE_NODUMP, FS_NODUMP_FL, FS_XFLAG_NODUMP },
    { RIAD_INODE_NOATIME, FS_NOATIME_FL, FS_XFLAG_NOATIME },
};

static uint32_t encode(uint32_t flags, bool extended)
{
    uint32_t result = 0;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (flags & known[i].row) {
            result |= extended ? known[i].xflag : known[i].flag;
        }
    }
    return result;
}

/* -EOPNOTSUPP for flags that riad does not keep. */
static int decode(uint32_t value, bool extended, uint32_t *ret)
{
    uint32_t flags = 0;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        flags |= value & (extended ? known[i].xflag : known[i].flag) ? known[i].row : 0;
    }
    if (encode(flags, extended) != value) {
        return -EOPNOTSUPP;
    }
    *ret = flags;
    return 0;
}

static int get(struct riad_raw_call *call, const struct fuse_ioctl_in *in, bool extended)
{
    struct fuse_ioctl_out out = { .result = 0 };
    struct fsxattr attributes = { .fsx_xflags = 0 };
    struct riad_inode row;
    uint32_t flags;
    int r;

    if (in->out_size != (extended ? sizeof attributes : sizeof flags)) {
        return -ENOTTY;
    }
    r = riad_getattr(call->workspace, call->header.nodeid, &row);
    if (r < 0) {
        return r;
    }
    flags = attributes.fsx_xflags = encode(row.flags, extended);
    riad_raw_put(call, &out, sizeof out);
    if (extended) {
        riad_raw_put(call, &attributes, sizeof attributes);
    } else {
        riad_raw_put(call, &flags, sizeof flags);
    }
    return 0;
}

static int set(struct riad_raw_call *call, uint32_t value, bool extended)
{
    struct riad_caller caller = riad_raw_caller(call);
    struct fuse_ioctl_out out = { .result = 0 };
    uint32_t flags;
    int r = decode(value, extended, &flags);

    if (r == 0) {
        r = riad_set_flags(call->workspace, &caller, call->header.nodeid, flags);
    }
    if (r < 0) {
        return r;
    }
    riad_raw_put(call, &out, sizeof out);
    call->reply->stale = call->header.nodeid; /* its ctime */
    return 0;
}

/* The argument lies behind the fixed part, as long as that says and no longer than the message. */
static int get_argument(
        const struct riad_raw_call *call, const struct fuse_ioctl_in *in, void *ret, size_t size)
{
    if (in->in_size != size || call->size < sizeof *in + size) {
        return -ENOTTY;
    }
    memcpy(ret, call->body + sizeof *in, size);
    return 0;
}

static int set_plain(struct riad_raw_call *call, const struct fuse_ioctl_in *in)
{
    uint32_t value;
    int r = get_argument(call, in, &value, sizeof value);

    return r < 0 ? r : set(call, value, false);
}

/* Extent sizes and projects are not kept. */
static int set_extended(struct riad_raw_call *call, const struct fuse_ioctl_in *in)
{
    struct fsxattr value;
    int r = get_argument(call, in, &value, sizeof value);

    if (r < 0) {
        return r;
    }
    if (value.fsx_extsize != 0 || value.fsx_cowextsize != 0 || value.fsx_projid != 0) {
        return -EOPNOTSUPP;
    }
    return set(call, value.fsx_xflags, true);
}

int riad_raw_ioctl(struct riad_raw_call *call)
{
    struct fuse_ioctl_in in;
    int r = riad_raw_get(call, &in, sizeof in);

    if (r < 0) {
        return r;
    }
    switch (in.cmd) {
    case FS_IOC_GETFLAGS:
        return get(call, &in, false);
    case FS_IOC_SETFLAGS:
        return set_plain(call, &in);
    case FS_IOC_FSGETXATTR:
        return get(call, &in, true);
    case FS_IOC_FSSETXATTR:
        return set_extended(call, &in);
    case RIAD_IOC_TREE_USAGE:
        return riad_raw_tree_usage(call, &in);
    case RIAD_IOC_TREE_NEXT:
        return riad_raw_tree_next(call, &in);
    default:
        return -ENOTTY;
    }
}
