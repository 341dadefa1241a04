/* What a thread of the transport has of its own, and what libfuse does not tell of its request. */
#ifndef RIAD_WORKER_PRIV_H
#define RIAD_WORKER_PRIV_H

#include "ring_priv.h"
#include "transport_priv.h"

struct fuse_buf;

struct riad_worker {
    struct riad_transport *transport; /* NULL in threads that are none of a transport */
    struct riad_request request;
    struct riad_ring_entry *entry; /* the request's place; NULL: it came by /dev/fuse */
    bool replied;
    bool put_off; /* a patient thread has to do it */
    bool held;    /* another thread will reply: riad_worker_hold */
};

/* A request whose reply is left to another thread, or to later. */
struct riad_held {
    struct riad_ring_entry *entry;
    struct riad_request request;
};

extern _Thread_local struct riad_worker riad_worker;

/* Where the calling thread reads messages to, of any session: its own, and reused. NULL: memory is
 * short. */
struct fuse_buf *riad_worker_message(void);
/* Notes the request that is about to be worked on; false if it is too short to be one. */
bool riad_worker_note(const uint8_t *message, size_t size);
/* Whether a request is one for patient threads from the start: it syncs, or moves much. */
bool riad_worker_is_slow(uint32_t opcode, const uint8_t *message, size_t size);
void riad_worker_done(void);

/* Takes its request from the calling thread, which then neither replies to it nor touches it: some
 * thread does between resume and resumed, maybe before this returns to who called. */
void riad_worker_hold(struct riad_held *ret);
/* Makes a held request the calling thread's own for its reply; *ret_before is what it was about. */
void riad_worker_resume(const struct riad_held *held, struct riad_worker *ret_before);
/* After the reply: it is sent, and the thread is about what it was. */
void riad_worker_resumed(const struct riad_worker *before);

#endif
