/* A transport as its two ways, the device and the ring, share it. */
#ifndef RIAD_TRANSPORT_STATE_PRIV_H
#define RIAD_TRANSPORT_STATE_PRIV_H

#include <pthread.h>
#include <sys/uio.h>

#include "counters_priv.h"
#include "crew_priv.h"
#include "fuse_priv.h"
#include "pool_priv.h"
#include "worker_priv.h"

struct riad_transport {
    struct riad_session *session; /* borrowed */
    struct fuse_session *fuse;    /* the session's; has locks of its own */
    struct riad_crew *crew;       /* from the start on; has locks of its own */
    struct riad_ring *ring;       /* of the thread that answers INIT, then fixed */
    struct riad_pool *pool;       /* beside the ring */
    unsigned wanted;
    bool without_ring;
    int ready_fd; /* counts up when INIT was answered, well or not */
    int ended_fd; /* counts up when the last thread of the device left */
    struct riad_counters counters;
    _Atomic unsigned running;
    _Atomic uint64_t offered; /* by the kernel in INIT; its reply follows in the same thread */
    _Atomic bool usable;      /* set before ready_fd if INIT went well */
    _Atomic bool by_ring;     /* requests come by the ring */
    unsigned started;         /* threads[] in use; of the thread that starts and joins */
    pthread_t threads[];
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
