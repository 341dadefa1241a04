/* One mounted session as the files of this layer share it. */
#ifndef RIAD_SESSION_PRIV_H
#define RIAD_SESSION_PRIV_H

#include "riad/session.h"

#include "fuse_priv.h"
#include "transport_priv.h"

/* Fixed between mount and free; libfuse's userdata. */
struct riad_session {
    struct riad_workspace *workspace; /* borrowed */
    struct fuse_session *fuse;
    struct riad_transport *transport;
    char *mountpoint;
    uint64_t mount_id; /* the kernel's, to unmount nothing that somebody put there since; 0 unknown
                        */
    bool started;
};

/* Unmounts what lies at the session's mount point if it is still this session's; 0 also if it is
 * not. -EBUSY, -EPERM, -EIO. */
int riad_unmount(const struct riad_session *session, bool lazy) RIAD_MUST_CHECK;
/* The kernel's id of the mount at path, without asking the mounted file system; 0 if unknown. */
uint64_t riad_unmount_mount_id(const char *path);

extern const struct fuse_lowlevel_ops riad_ops;

#endif
