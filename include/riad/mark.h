/* Layer log. The synced mark: the highest position this node knows to be durable in the store (L3,
 * L4, K6), a small file in the local state. */
#ifndef RIAD_MARK_H
#define RIAD_MARK_H

#include "riad/types.h"

struct riad_mark {
    struct riad_end end;
    uint64_t start; /* of the change that ends there */
};

/* -ENOENT: none, or neither slot is whole (first contact). */
int riad_mark_read(int state_fd, struct riad_mark *ret) RIAD_MUST_CHECK;
/* Two slots with checksums, written in turn, not synced: an older mark is still a true one. fd:
 * opened by riad_mark_open, the caller's. */
int riad_mark_open(int state_fd) RIAD_MUST_CHECK;
int riad_mark_write(int fd, const struct riad_mark *mark) RIAD_MUST_CHECK;

#endif
