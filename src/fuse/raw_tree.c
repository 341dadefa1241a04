/* IOCTL on directories: what they hold in all (riad/tree_ioctl.h). The kernel lets nobody come here
 * who could not open the directory for reading. */
#include "riad/error.h"
#include "riad/tree_ioctl.h"

#include "raw_priv.h"

_Static_assert(sizeof(struct fuse_ioctl_out) + sizeof(struct riad_tree_entry) <= RIAD_RAW_BODY_MAX,
        "a reply has room for an entry");

static struct riad_tree_sums pack(uint64_t inode, const struct riad_tree_usage *usage)
{
    return (struct riad_tree_sums){ inode, usage->blocks, usage->inodes, usage->directories };
}

static void put(struct riad_raw_call *call, const void *body, size_t size)
{
    const struct fuse_ioctl_out out = { .result = 0 };

    riad_raw_put(call, &out, sizeof out);
    riad_raw_put(call, body, size);
}

int riad_raw_tree_usage(struct riad_raw_call *call, const struct fuse_ioctl_in *in)
{
    struct riad_tree_usage usage;
    struct riad_tree_sums sums;
    int r;

    if (in->out_size != sizeof sums) {
        return -ENOTTY;
    }
    r = riad_tree_usage(call->workspace, call->header.nodeid, &usage);
    if (r < 0) {
        return r;
    }
    sums = pack(call->header.nodeid, &usage);
    put(call, &sums, sizeof sums);
    return 0;
}

int riad_raw_tree_next(struct riad_raw_call *call, const struct fuse_ioctl_in *in)
{
    struct riad_tree_entry entry;
    struct riad_tree_usage usage;
    struct riad_dentry found;
    int r;

    if (in->out_size != sizeof entry || in->in_size != sizeof entry ||
            call->size < sizeof *in + sizeof entry) {
        return -ENOTTY;
    }
    memcpy(&entry, call->body + sizeof *in, sizeof entry);
    r = riad_tree_next(call->workspace, call->header.nodeid, entry.cookie, &found, &usage);
    if (r < 0 && r != -ENODATA) {
        return r;
    }
    entry = (struct riad_tree_entry){ .cookie = entry.cookie };
    if (r == 0) {
        entry.cookie = found.cookie;
        entry.sums = pack(found.inode, &usage);
        memcpy(entry.name, found.name, found.name_size);
    }
    put(call, &entry, sizeof entry);
    return 0;
}
