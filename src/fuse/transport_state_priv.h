/* A transport as its two ways, the device and the ring, share it. */
#ifndef RIAD_TRANSPORT_STATE_PRIV_H
#define RIAD_TRANSPORT_STATE_PRIV_H

#include <sys/uio.h>

#include "counters_priv.h"
#include "fuse_priv.h"
#include "pool_priv.h"
#include "reactor_priv.h"
#include "worker_priv.h"

struct riad_transport {
    struct riad_session *session; /* borrowed */
    struct fuse_session *fuse;    /* the session's; has locks of its own */
    struct riad_reactor *reactor;
    bool own_reactor;
    struct riad_crew_device *device; /* from the start to the join */
    struct riad_ring_mount *ring;    /* of the thread that answers INIT, then fixed */
    struct riad_pool *pool;          /* beside the ring */
    unsigned wanted;                 /* requests under way at a time, by the device */
    bool without_ring;
    int ready_fd; /* counts up when INIT was answered, well or not */
    int ended_fd; /* counts up when the device has ended, and nothing of it is under way */
    struct riad_counters counters;
    _Atomic uint64_t offered; /* by the kernel in INIT; its reply follows in the same thread */
    _Atomic bool usable;      /* set before ready_fd if INIT went well */
    _Atomic bool by_ring;     /* requests come by the ring */
};

/* Notes and counts a request before it is worked on. */
void riad_transport_note(struct riad_transport *transport, const uint8_t *message, size_t size);
/* Works on it: libfuse decodes, and replies by the transport's hook. */
void riad_transport_process(struct riad_transport *transport, uint8_t *message, size_t size);

/* Before the reply to INIT: true if it may promise the ring, which is there. */
bool riad_transport_prepare_ring(struct riad_transport *transport);
/* After it. */
void riad_transport_register_ring(struct riad_transport *transport);
/* The reply to a request that came by the ring; as writev(2). */
ssize_t riad_transport_reply_entry(
        struct riad_transport *transport, const struct iovec *pieces, int count);

#endif
