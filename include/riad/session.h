/* Layer fuse. One mounted workspace: the FUSE session, its INIT, threads and table of operations.
 * The only home of fuse headers. */
#ifndef RIAD_SESSION_H
#define RIAD_SESSION_H

#include "riad/filesystem.h"
#include "riad/reactor.h"

struct riad_session;

/* Mounts for a process that may not do so itself: riadd's worker asks its monitor. Any thread. */
struct riad_mount_service {
    /* The descriptor of a connection that is mounted there, which becomes the caller's, or negative
     * errno. source: as below. */
    int (*mount)(void *context, const char *mountpoint, const char *source);
    /* 0, -EBUSY ... lazy: detaches it even when busy. */
    int (*unmount)(void *context, const char *mountpoint, bool lazy);
    /* Ends the connection, whoever uses it; it stays mounted. */
    int (*abort)(void *context, const char *mountpoint);
    void *context;
};

struct riad_session_config {
    struct riad_workspace *workspace; /* borrowed, outlives the session */
    const char *mountpoint;           /* absolute, an empty directory */
    const char *source;               /* first column of df, such as "riad:home" */
    bool allow_other;
    bool read_only;
    const char *options; /* further mount options (-o), comma-separated: ro, noexec, allow_other,
                            max_threads=N ...; NULL */
    unsigned threads;    /* 0 = default */
    const struct riad_mount_service *service; /* borrowed, outlives the session; NULL: mounts by
                                                 itself */
    struct riad_reactor *reactor; /* whose threads serve it; borrowed, outlives the session; NULL:
                                     one of its own */
};

/* Mounts (fusermount3 for a person, mount(2) for root): always default_permissions, nosuid, nodev.
 * Where the workspace is guarded by now (riad/members.h), every request of who is no member is
 * refused (-EACCES), and so is a reader's opening of a file for writing.
 * After 0 the kernel knows the mount, and requests wait for riad_session_start. -ENODEV, -EACCES,
 * -ENOENT: FUSE is not available or /dev/fuse is not ours to open (0600); -EINVAL a bad option;
 * -EBUSY. ret_reason says how to mend it. */
int riad_session_mount(const struct riad_session_config *config, struct riad_session **ret,
        struct riad_reason *ret_reason) RIAD_MUST_CHECK;
/* Has it served, and returns when INIT was answered: the mount is usable. -ETIMEDOUT, -EIO. */
int riad_session_start(struct riad_session *session) RIAD_MUST_CHECK;
/* An fd that becomes readable (POLLIN) when the session ended: unmounted by anyone, or aborted.
 * Borrowed. */
int riad_session_ended_fd(const struct riad_session *session);
/* Unmounts if still mounted. lazy: detach even when busy. -EBUSY (then the session goes on). */
int riad_session_unmount(struct riad_session *session, bool lazy) RIAD_MUST_CHECK;
/* Takes the mount away from whoever uses it: open files fail from now on (ENOTCONN), and what was
 * acknowledged stays. Any thread. -ENOTSUP: the kernel's list of connections is not there
 * (fusectl). */
int riad_session_abort(struct riad_session *session) RIAD_MUST_CHECK;
/* Waits for the threads, frees. The session must be unmounted or ended. */
void riad_session_free(struct riad_session *session);

/* Tells the kernel to ask again for all that it knows of the mount: attributes and access lists of
 * each inode, what names name (Linux 6.16 and later), and with `pages` also the contents of files
 * and listings, which are written back before if programs stored there. After riad_members_apply.
 * Any thread but those that serve the mount: it waits for their replies, and for locks of pages.
 * The session has started and is not freed meanwhile. */
void riad_session_forget(struct riad_session *session, bool pages);

enum { RIAD_OPCODES_MAX = 64 };
struct riad_session_counters {
    uint64_t requests[RIAD_OPCODES_MAX]; /* by FUSE opcode; 0: opcodes at or above the maximum */
    uint64_t errors;
};
void riad_session_count(const struct riad_session *session, struct riad_session_counters *ret);
/* Requests that programs made: without those that the kernel makes by itself (FORGET, INTERRUPT),
 * and without statfs, by which monitoring asks. */
uint64_t riad_session_uses(const struct riad_session *session);
/* "LOOKUP" ...; NULL for an opcode without a name. */
const char *riad_session_opcode_name(unsigned opcode);
/* "dev-fuse" or "io-uring". */
const char *riad_session_transport(const struct riad_session *session);

#endif
