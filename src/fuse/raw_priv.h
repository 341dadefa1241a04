/* Requests that libfuse 3.14 does not decode: riad does; and those that are decided before libfuse
 * sees them, in a session for members (riad/members.h). */
#ifndef RIAD_RAW_PRIV_H
#define RIAD_RAW_PRIV_H

#include <linux/fuse.h>

#include "riad/filesystem.h"

struct riad_session;

enum { RIAD_RAW_BODY_MAX = 320 };

/* One reply, as it goes over the wire. */
struct riad_raw_reply {
    struct fuse_out_header header; /* len and error are filled in */
    uint8_t body[RIAD_RAW_BODY_MAX];
    size_t size;    /* of the body */
    uint64_t given; /* the inode that the reply gives a reference to: taken back if nobody waits */
    uint64_t stale; /* an inode whose attributes changed in a way that the kernel does not expect:
                       it is told to forget them before it gets the reply */
};

/* Answers a message of the kernel if it is of a kind that libfuse does not know, or refuses it if
 * it is no member's: true, and the reply is sent. False: it is libfuse's. `message` holds size
 * bytes, of any content. Any transport thread, no lock held. */
bool riad_raw_request(struct riad_session *session, const void *message, size_t size);
/* The same without the sending: true with the reply. */
bool riad_raw_answer(const struct riad_session *session, const void *message, size_t size,
        struct riad_raw_reply *ret) RIAD_MUST_CHECK;

/* What an opcode's function gets: a header and the bytes behind it. */
struct riad_raw_call {
    const struct riad_session *session;
    struct riad_workspace *workspace; /* the session's */
    struct fuse_in_header header;
    const uint8_t *body;
    size_t size;
    struct riad_raw_reply *reply;
};

/* Copies the fixed part of a body out; -EINVAL if it is shorter. */
int riad_raw_get(const struct riad_raw_call *call, void *ret, size_t size) RIAD_MUST_CHECK;
/* Sets the body of the reply, at most RIAD_RAW_BODY_MAX bytes in all calls together. */
void riad_raw_put(struct riad_raw_call *call, const void *body, size_t size);

struct riad_caller riad_raw_caller(const struct riad_raw_call *call);

/* Each decodes, calls core, puts the body of its reply: 0, or the error to reply. */
int riad_raw_ioctl(struct riad_raw_call *call) RIAD_MUST_CHECK;
int riad_raw_tree_usage(struct riad_raw_call *call, const struct fuse_ioctl_in *in) RIAD_MUST_CHECK;
int riad_raw_tree_next(struct riad_raw_call *call, const struct fuse_ioctl_in *in) RIAD_MUST_CHECK;
int riad_raw_setxattr(struct riad_raw_call *call) RIAD_MUST_CHECK;
int riad_raw_tmpfile(struct riad_raw_call *call) RIAD_MUST_CHECK;
int riad_raw_copy(struct riad_raw_call *call) RIAD_MUST_CHECK;
int riad_raw_statx(struct riad_raw_call *call) RIAD_MUST_CHECK;
int riad_raw_open(struct riad_raw_call *call) RIAD_MUST_CHECK;
int riad_raw_opendir(struct riad_raw_call *call) RIAD_MUST_CHECK;
int riad_raw_release(struct riad_raw_call *call) RIAD_MUST_CHECK;

#endif
