/* Sentences for people: why a mount is refused, and how to mend it. */
#ifndef RIAD_REASON_PRIV_H
#define RIAD_REASON_PRIV_H

#include "riad/session.h"

/* /dev/fuse can be opened for reading and writing by this process; the parameter is that path.
 * -ENODEV, -ENOENT, -EACCES. */
int riad_reason_check_device(const char *device, struct riad_reason *ret_reason) RIAD_MUST_CHECK;
/* fusermount3 can be run; helper is where libfuse looks first, then it searches $PATH. -ENOENT. */
int riad_reason_check_helper(const char *helper, struct riad_reason *ret_reason) RIAD_MUST_CHECK;
/* fuse.conf has the line user_allow_other. -EACCES. */
int riad_reason_check_allow_other(
        const char *configuration, struct riad_reason *ret_reason) RIAD_MUST_CHECK;
/* An absolute path to an empty directory on which no FUSE file system is mounted.
 * -EINVAL, -ENOENT, -ENOTDIR, -ENOTEMPTY, -EBUSY, -EACCES. */
int riad_reason_check_mountpoint(const char *path, struct riad_reason *ret_reason) RIAD_MUST_CHECK;

/* Sends libfuse's own messages to riad_diag and keeps the calling thread's last one. */
void riad_reason_watch_libfuse(void);
/* The last message of libfuse in this thread since the watch began; empty if none. */
const char *riad_reason_libfuse(void);

#endif
