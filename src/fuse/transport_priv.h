/* How requests come and replies go: by FUSE over io_uring (ring_priv.h) where the kernel offers it,
 * else by threads that read and write /dev/fuse (crew_priv.h). */
#ifndef RIAD_TRANSPORT_PRIV_H
#define RIAD_TRANSPORT_PRIV_H

#include <sys/uio.h>

#include "riad/session.h"

struct riad_transport;

/* What libfuse does not tell of the request that this thread works on. */
struct riad_request {
    uint64_t unique;
    uint32_t opcode;
    bool kill_privileges; /* FUSE_WRITE_KILL_SUIDGID, FATTR_KILL_SUIDGID */
};

/* Takes over the I/O of a mounted session, which is borrowed and outlives the transport. threads:
 * at most so many requests of it are worked on at a time; 0 = twice the CPUs, at least 8, at most
 * 16. reactor: borrowed; NULL: one of its own. -ENOMEM, -EMFILE. */
int riad_transport_new(struct riad_session *session, unsigned threads, bool without_ring,
        struct riad_reactor *reactor, struct riad_transport **ret) RIAD_MUST_CHECK;
/* Has it served, and waits until INIT was answered. -ETIMEDOUT, -EIO (INIT failed, or the session
 * ended), -EAGAIN no threads. Call once. */
int riad_transport_start(struct riad_transport *transport) RIAD_MUST_CHECK;
/* Waits for the end of the session, and until no thread works for it. */
void riad_transport_join(struct riad_transport *transport);
/* After the join, or without a start. NULL is allowed. */
void riad_transport_free(struct riad_transport *transport);

/* Readable (POLLIN) once the session has ended. Borrowed. */
int riad_transport_ended_fd(const struct riad_transport *transport);
void riad_transport_count(
        const struct riad_transport *transport, struct riad_session_counters *ret);
const char *riad_transport_name(const struct riad_transport *transport);

/* Sends the reply to the request that the calling transport thread works on, as libfuse would: a
 * struct fuse_out_header first. A negative error if nobody waits for it any more. */
int riad_transport_reply(struct iovec *pieces, int count) RIAD_MUST_CHECK;
/* The calling transport thread's request; all zero in other threads. */
const struct riad_request *riad_transport_request(void);
/* RIAD_MESSAGE_MAX bytes for a reply, the calling transport thread's own and reused; NULL if memory
 * is short, or in other threads. */
uint8_t *riad_transport_buffer(void);

#endif
