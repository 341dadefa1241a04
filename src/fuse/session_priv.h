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
    struct riad_listings *listings; /* these three have locks of their own */
    struct riad_stale *stale;
    struct riad_syncs *syncs;
    const struct riad_mount_service *service; /* borrowed; NULL */
    char *mountpoint;
    uint64_t mount_id; /* the kernel's, to unmount nothing that somebody put there since; 0 unknown
                        */
    bool no_xattr;     /* the option */
    bool synchronous, directory_synchronous; /* the options sync and dirsync */
    bool guarded;                            /* the workspace is for members (riad/members.h) */
    bool long_setxattr;                      /* SETXATTR comes in its longer form; from INIT on */
    bool started;
};

/* Unmounts what lies at the session's mount point if it is this session's; 0 also if the session's
 * mount is gone. -EBUSY (in use, or under another mount), -EPERM. */
int riad_unmount(const struct riad_session *session, bool lazy) RIAD_MUST_CHECK;
/* Lets the kernel read files ahead by a whole message instead of 128 KiB. Root only, best effort.
 */
void riad_readahead_raise(const char *mountpoint);
/* The kernel's id of the mount at path, without asking the mounted file system; 0 if unknown. */
uint64_t riad_unmount_mount_id(const char *path);

extern const struct fuse_lowlevel_ops riad_ops;

#endif
