/* FUSE over io_uring: the kernel hands each request to the queue of the processor its program runs
 * on, and a thread pinned to that processor answers it there, without waking another one. The
 * threads serve all mounts of a process; each mount has entries of its own.
 *
 * Entries are the places of requests: several a queue. One that is handed on to another thread
 * stays away from its queue until it is returned. FORGET, INTERRUPT and INIT still come by the
 * device. */
#ifndef RIAD_RING_PRIV_H
#define RIAD_RING_PRIV_H

#include <sys/uio.h>

#include "riad/patience.h"
#include "riad/types.h"

struct riad_ring;
struct riad_ring_mount;
struct riad_ring_entry;

struct riad_ring_mount_config {
    int device; /* the session's descriptor; borrowed */
    /* Called in the ring's threads. True: the entry was replied to; false: another thread has it,
     * and returns it. */
    bool (*serve)(void *context, struct riad_ring_entry *entry);
    void *context;
};

/* Whether the kernel's fuse module is told to offer it; its offer in INIT decides. */
bool riad_ring_is_enabled(void);
/* Starts at most so many threads, to which the processors are shared out, with all that may fail.
 * -ENOSYS, -EPERM, -ENOMEM: no io_uring for this process. */
int riad_ring_new(unsigned threads, struct riad_ring **ret) RIAD_MUST_CHECK;
/* When all mounts are detached. NULL is allowed, here and below. */
void riad_ring_free(struct riad_ring *ring);

/* Makes the entries, before INIT promises the ring to the kernel. -ENOMEM. */
int riad_ring_attach(struct riad_ring *ring, const struct riad_ring_mount_config *config,
        struct riad_ring_mount **ret) RIAD_MUST_CHECK;
/* Offers all entries to the kernel; after the reply to INIT. On error requests come by the device.
 */
int riad_ring_register(struct riad_ring_mount *mount) RIAD_MUST_CHECK;
/* Waits until the kernel has none of the mount's entries any more: the connection is gone. */
void riad_ring_await_end(struct riad_ring_mount *mount);
/* After that, when no other thread has an entry or is about to return one. */
void riad_ring_detach(struct riad_ring_mount *mount);
unsigned riad_ring_entries(const struct riad_ring_mount *mount);

/* The request as /dev/fuse would give it: header and body in one piece, valid until the reply.
 * -EPROTO: sizes that make no request. */
int riad_ring_message(
        struct riad_ring_entry *entry, uint8_t **ret, size_t *ret_size) RIAD_MUST_CHECK;
/* RIAD_MESSAGE_MAX bytes where the reply's body will lie: bytes that are there already are not
 * copied. It also holds the end of the request. */
uint8_t *riad_ring_payload(struct riad_ring_entry *entry);
/* Stores the reply (a fuse_out_header, then the body); the entry is sent when serve returns true or
 * by riad_ring_return. The size, or -1 and errno, as writev(2). */
ssize_t riad_ring_reply(struct riad_ring_entry *entry, const struct iovec *pieces, int count);
/* In the ring's thread, while it serves the entry: has the bytes fetched into memory, and the entry
 * served again then; false: it has waited for some already, and is not to do so again. Takes over
 * the descriptor if it returns true. Serving returns false, as for another thread. */
bool riad_ring_fetch(struct riad_ring_entry *entry, const struct riad_wait *wait);
/* Whether it is served again. */
bool riad_ring_is_again(const struct riad_ring_entry *entry);
/* Any other thread: sends what was replied. */
void riad_ring_return(struct riad_ring_entry *entry);

#endif
