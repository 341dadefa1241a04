/* The inside of reading records at their places: segments.c reads one run, segments_parts.c
 * several at once. */
#ifndef RIAD_SEGMENTS_PRIV_H
#define RIAD_SEGMENTS_PRIV_H

#include <stdatomic.h>

#include "riad/segments.h"

#include "fd_cache_priv.h"
#include "record_priv.h"

struct riad_segments {
    struct riad_fd_cache *files;
    struct riad_key_cache *keys;
    riad_segments_missing missing; /* NULL: nothing can be missing */
    void *missing_context;
    _Atomic size_t end_count; /* stored when its entry is whole: readers need no lock */
    struct riad_epoch_end ends[RIAD_EPOCHS_MAX];
};

/* One read: the records first .. last of a run, of which bytes [from, to) are wanted. */
struct riad_request {
    const struct riad_run *run;
    uint32_t from;
    uint32_t to;
    uint32_t first;
    uint32_t last;
    uint8_t *ret;
};

/* -EINVAL: the run is none, or has no such bytes. */
int riad_request_make(const struct riad_run *run, uint32_t from, uint32_t size, uint8_t *target,
        struct riad_request *ret) RIAD_MUST_CHECK;
/* Where its records lie in the segment, and how many bytes they are. */
uint64_t riad_request_position(const struct riad_request *request);
size_t riad_request_sealed_size(const struct riad_request *request);
/* Opens its records. plain: room for one, RIAD_UNIT_MAX. -EBADMSG. */
int riad_request_open(struct riad_segments *segments, const struct riad_request *request,
        const uint8_t *sealed, uint8_t *plain) RIAD_MUST_CHECK;

/* The thread's buffer, of at least so many bytes; what was in it is gone. */
int riad_segments_scratch(size_t size, uint8_t **ret) RIAD_MUST_CHECK;
/* One pread. -EBADMSG: the segment or some of the bytes are missing. */
int riad_segments_fetch(struct riad_segments *segments, uint64_t segment, uint64_t position,
        size_t size, uint8_t *ret) RIAD_MUST_CHECK;
/* After a read that failed: has what is missing written there, and the file opened anew, so that
 * the read can be tried once more. RIAD_WOULD_WAIT. */
int riad_segments_mend(struct riad_segments *segments, uint64_t segment) RIAD_MUST_CHECK;

#endif
