/* Layer log. The spool: the last bytes of a log segment, in a file of the node's own that is mapped
 * into memory. An append is a copy there; the bytes go to the store's segment in large pieces,
 * behind the back of who appends. What was acknowledged survives the end of the process, as the
 * kernel keeps the file's pages (P1); a power cut may take it, as it takes what is not synced (P3).
 *
 * The file is this node's, in host order, and worth something until the machine is booted again
 * only: its pages reach the disk in any order. */
#ifndef RIAD_SPOOL_H
#define RIAD_SPOOL_H

#include <sys/uio.h>

#include "riad/cleanup.h"
#include "riad/types.h"

struct riad_spool;

enum { RIAD_SPOOL_SIZE = 4 << 20 };

/* Where a spool lies, and whose bytes it may hold. */
struct riad_spool_home {
    int state_fd; /* the workspace's directory in the local state; borrowed */
    struct riad_id workspace;
    struct riad_id boot; /* of the running kernel; all zero: not known, and so no spool */
};

/* Opens the file, or makes it. Whatever it held is given up: riad_spool_deliver comes first.
 * -EOPNOTSUPP: the boot is not known; -ENOSPC and other errno of the local disk. */
int riad_spool_open(const struct riad_spool_home *home, struct riad_spool **ret) RIAD_MUST_CHECK;
/* What is pending stays in the file, for riad_spool_deliver. */
void riad_spool_free(struct riad_spool *spool);
RIAD_DEFINE_CLEANUP(struct riad_spool, riad_spool_free);

/* Begins a segment, from its first byte on. Nothing is pending. One appender at a time: the caller
 * serialises this, riad_spool_has_room and riad_spool_put. */
void riad_spool_begin(struct riad_spool *spool, uint64_t segment);
bool riad_spool_has_room(const struct riad_spool *spool, size_t size);
/* Appends the pieces, which count all or not at all. There is room for them. */
void riad_spool_put(struct riad_spool *spool, const struct iovec *pieces, int count);
/* Bytes that are not in the store yet. Thread-safe. */
uint64_t riad_spool_pending(const struct riad_spool *spool);
/* Writes all that is pending when it is called to fd, the file of the segment; does nothing if the
 * spool has moved on to another segment. One at a time, thread-safe; no other lock is taken. Errno
 * of the store: what was not written stays pending. */
int riad_spool_ship(struct riad_spool *spool, uint64_t segment, int fd) RIAD_MUST_CHECK;

/* The store has the segment up to here; 0: the spool has moved on to another one. Thread-safe. */
uint64_t riad_spool_shipped(struct riad_spool *spool, uint64_t segment);
/* Writes zeros to fd, the file of the segment, from the later of `from` and what was shipped up to
 * `to`; nothing if the spool has moved on. As riad_spool_ship. */
int riad_spool_write_zeros(struct riad_spool *spool, uint64_t segment, int fd, uint64_t from,
        uint64_t to) RIAD_MUST_CHECK;

/* What became of the bytes that a process left behind. */
struct riad_delivery {
    uint64_t bytes;   /* that were pending */
    uint64_t segment; /* that they belong to */
    bool aside; /* they were not delivered, and are kept in the state directory as spool.<segment>:
                   another term has begun since (O2), or the segment's file is not as it was left */
};
/* Writes what a process of this boot left pending to the log of the workspace, if `term`, the
 * segment's, is the last of the history and this node's own (0: it is not). Bytes that the
 * segment's file has already are never written again. The state directory's lock is the caller's.
 * Errno of the store or the state directory: nothing is lost, try again. */
int riad_spool_deliver(const struct riad_spool_home *home, int workspace_fd, uint32_t term,
        struct riad_delivery *ret) RIAD_MUST_CHECK;

#endif
