/* Layer log. Reading the log forward along the history (L1-L4, FORMAT 8). Single-threaded; used
 * before a workspace is opened, and by fsck. */
#ifndef RIAD_REPLAY_H
#define RIAD_REPLAY_H

#include "riad/segments.h"
#include "riad/term.h"

/* What a riad_replay_function gives for an unsettled change that does not count. */
enum { RIAD_REPLAY_STOP = 1 };

/* One verified change: content is its body behind sequence and previous hash; borrowed for the
 * call. start: where its record begins. settled: it was durable, payload and all, as a later
 * change, a later term, the mark or `durable` says. Of one that is not settled a power cut may have
 * kept the record and lost the payload (P3): if so, RIAD_REPLAY_STOP ends the history before it. A
 * negative result stops the replay with it. */
typedef int (*riad_replay_function)(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start, bool settled);

struct riad_replay {
    int workspace_fd;
    const struct riad_keys *keys;
    const struct riad_history *history;
    struct riad_end
            from; /* the last change already applied; all zero: from the very first segment */
    struct riad_end mark; /* last position known durable; all zero: none known. The log must reach
                             it and agree with it (L4) */
    riad_replay_function apply;
    void *context;
    uint64_t durable; /* number of a change that is known to be durable otherwise (a closed term's
                         last); 0: none. The log must reach it (L4) */
    struct riad_epoch_ends epochs; /* the log must reach each end and agree with its chain hash, and
                                      nothing behind one, or in a segment beyond its last, counts
                                      that is sealed under its epoch or an older one */
    bool check_data;               /* fsck: also open and verify every data record met in the log */
    uint64_t queue_size; /* bytes of changes that are held back until it is known whether they are
                            settled; 0 = 256 MiB */
};

/* Where and why a replay stopped. */
struct riad_replay_result {
    struct riad_end end; /* of the last good change */
    uint64_t start;      /* of that change's record; 0 if none was replayed */
    uint64_t changes;
    uint64_t bytes;   /* of log read */
    uint64_t dropped; /* 0, or the last change of a tail that a power cut tore, of a change or of a
                         payload: it and all behind `end` never became durable, and do not count
                         (P3) */
    uint64_t durable; /* number of the last change known to have been durable, found or not */
    char damage[160]; /* empty, or a sentence: which segment, which offset, what is wrong */
};
/* 0: reached the end, or RIAD_REPLAY_STOP did. -EUCLEAN: damage (L4: something that does not verify
 * was durable, as a later change says, or lies below the mark, or a bound end is missing; or a
 * change is sealed under an epoch that had ended before it, or before its segment was made);
 * result->end is the last good change. -EBADMSG never; other errno of the store or of apply. */
int riad_replay_run(
        const struct riad_replay *replay, struct riad_replay_result *ret) RIAD_MUST_CHECK;

/* Whether the log can be read on from a position: every segment is there from the one on that it
 * lies in, each naming the one before; all zero: from the very first one. What lies before two
 * checkpoints is unlinked (L6). 0; -ENOENT: one is missing; -EUCLEAN: one is damaged in its header,
 * or contradicts another; other errno of the store. */
int riad_replay_connects(int workspace_fd, const struct riad_keys *keys,
        const struct riad_history *history, const struct riad_epoch_ends *epochs,
        const struct riad_end *from) RIAD_MUST_CHECK;

/* Whether the change that ends at `end` and begins at `start` is in the log as named (L3). 0,
 * -ENOENT if not (missing, other, damaged, of an epoch that had ended) or it lies past its term's
 * bound, other errno of the store. */
int riad_replay_find(int workspace_fd, const struct riad_keys *keys,
        const struct riad_history *history, const struct riad_epoch_ends *epochs,
        const struct riad_end *end, uint64_t start) RIAD_MUST_CHECK;

#endif
