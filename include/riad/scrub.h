/* Layer log. Scrubbing: whether the records of a workspace's segments and checkpoints are as they
 * were written, by their checksums. No key is needed, so whoever runs the storage can do it; a
 * forgery with a right checksum is seen by fsck and by reading, which have keys. */
#ifndef RIAD_SCRUB_H
#define RIAD_SCRUB_H

#include "riad/types.h"

struct riad_scrub_result {
    uint64_t files, records, bytes;
    uint64_t findings; /* ranges that are no whole records, with records behind them; checkpoints
                          that end in one */
    uint64_t tails;    /* segments that end in one: left by a crash, or damaged */
};

/* Callbacks run on the calling thread. */
struct riad_scrub {
    int workspace_fd; /* borrowed */
    uint64_t rate;    /* bytes a second; 0: as fast as it goes */
    /* path: "data/0000000100000002"; [offset, end) is no record; a tail if `tail`. */
    void (*find)(void *context, const char *path, uint64_t offset, uint64_t end, bool tail);
    void (*progress)(void *context, uint64_t done); /* bytes; may be NULL */
    void *context;
};

/* Reads all of them once. What is unlinked meanwhile is passed over. -EIO and other errno of the
 * store; -ENOMEM. *ret is what was read so far in any case. */
int riad_scrub_workspace(
        const struct riad_scrub *scrub, struct riad_scrub_result *ret) RIAD_MUST_CHECK;

#endif
