/* COPY_FILE_RANGE_64: as COPY_FILE_RANGE, with room in the reply for more than 4 GiB. */
#include <errno.h>

#include "raw_abi_priv.h"
#include "raw_priv.h"

/* As with the older request, who wrote takes setuid and setgid along (adapt_data.c). */
int riad_raw_copy(struct riad_raw_call *call)
{
    struct riad_caller caller = riad_raw_caller(call);
    struct riad_fuse_copy_file_range_out out;
    struct fuse_copy_file_range_in in;
    bool killed = false;
    int r = riad_raw_get(call, &in, sizeof in);

    caller.kill_privileges = caller.uid != 0;
    caller.killed = &killed;
    if (r == 0 && in.flags != 0) {
        r = -EINVAL;
    }
    if (r == 0) {
        r = riad_copy_range(call->workspace, &caller, call->header.nodeid, in.off_in, in.nodeid_out,
                in.off_out, in.len, &out.bytes_copied);
    }
    if (r == 0) {
        call->reply->stale = killed ? in.nodeid_out : 0; /* its mode */
        riad_raw_put(call, &out, sizeof out);
    }
    return r;
}
