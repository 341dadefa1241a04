/* OPEN, OPENDIR and their ends in a session for members. Elsewhere the kernel opens by itself
 * (adapt_data.c): whoever gets past modes and access lists may open. Here who may only read must
 * not get a file that is open for writing, whatever its owner lets people do: pages of a shared map
 * are written back in nobody's name. What is replied is what the kernel takes where it opens by
 * itself; the handle is none. */
#include <fcntl.h>

#include "riad/error.h"
#include "riad/members.h"

#include "raw_priv.h"

static int put_open(struct riad_raw_call *call, uint32_t flags)
{
    const struct fuse_open_out out = { .open_flags = flags };

    riad_raw_put(call, &out, sizeof out);
    return 0;
}

/* O_TRUNC does not come: without ATOMIC_O_TRUNC the kernel truncates by SETATTR. */
int riad_raw_open(struct riad_raw_call *call)
{
    struct fuse_open_in in;
    int r = riad_raw_get(call, &in, sizeof in);

    if (r < 0) {
        return r;
    }
    if (((in.flags & O_ACCMODE) != O_RDONLY || (in.flags & O_TRUNC)) &&
            riad_members_standing(call->workspace, call->header.uid) < RIAD_STANDING_WRITER) {
        return -EACCES;
    }
    return put_open(call, FOPEN_KEEP_CACHE);
}

int riad_raw_opendir(struct riad_raw_call *call)
{
    struct fuse_open_in in;
    int r = riad_raw_get(call, &in, sizeof in);

    return r < 0 ? r : put_open(call, FOPEN_KEEP_CACHE | FOPEN_CACHE_DIR);
}

int riad_raw_release(struct riad_raw_call *call)
{
    (void)call;
    return 0;
}
