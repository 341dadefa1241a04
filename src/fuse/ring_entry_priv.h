/* The memory and the submissions of a ring's entries. */
#ifndef RIAD_RING_ENTRY_PRIV_H
#define RIAD_RING_ENTRY_PRIV_H

#include <liburing.h>

#include "ring_priv.h"
#include "uring_abi_priv.h"

struct ring_thread;

struct riad_ring_entry {
    struct riad_ring_mount *mount;
    struct ring_thread *thread;   /* whose ring it is sent by */
    struct riad_ring_entry *next; /* in a list of returned ones; with the thread's lock held */
    struct riad_uring_header *header;
    uint8_t *payload;
    struct iovec memory[2]; /* both, as the kernel wants them */
    int device;
    uint16_t queue;

    /* Of a fetch; its thread's. */
    unsigned fetches; /* since the request came */
    int fetching;     /* what is read from */
    struct riad_stall_place *stall;
};

/* Memory for `count` entries, touched when used: a page of headers and front room, then the
 * payload. -ENOMEM. */
int riad_ring_memory_new(unsigned count, uint8_t **ret) RIAD_MUST_CHECK;
void riad_ring_memory_free(uint8_t *memory, unsigned count);
/* Places entry number `index` into it. */
void riad_ring_entry_init(
        struct riad_ring_entry *entry, uint8_t *memory, unsigned index, uint16_t queue);
/* Fill a submission. */
void riad_ring_prepare_register(struct io_uring_sqe *sqe, struct riad_ring_entry *entry);
void riad_ring_prepare_commit(struct io_uring_sqe *sqe, struct riad_ring_entry *entry);

#endif
