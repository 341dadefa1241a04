/* The cleaner (L7): what is still needed of half-empty segments, and all that is sealed under keys
 * of before, is sealed anew elsewhere; the log's old segments go; the files then are unlinked.
 *
 * Everything is verified and sealed again, under the current key: so what is damaged is found and
 * stays where it is, nothing is copied of what is dead, and a change of keys needs nothing else. */
#ifndef RIAD_CLEANER_PRIV_H
#define RIAD_CLEANER_PRIV_H

#include "lifecycle_priv.h"

/* A segment that is not written to any more, and how much of it is needed. */
struct riad_known_segment {
    uint64_t segment;
    enum riad_segment_kind kind; /* log or data */
    uint64_t size;               /* of the file */
    uint64_t live;               /* bytes that extents refer to, about as their copies would take */
    uint64_t estimate; /* the index's, when live was counted: as long as it says so, so it is */
    bool stuck;        /* something in it cannot be read: it stays */
};

struct riad_known_segments {
    struct riad_known_segment *items; /* ascending by segment */
    size_t count;
};

/* What a survey found. */
struct riad_space {
    uint64_t size, live; /* of all closed segments */
    uint64_t old_live;   /* of those that may have records of epochs before; stuck ones excluded */
    size_t old_segments; /* of those: how many files there are, stuck ones excluded */
    uint64_t tail;       /* bytes of the log that is needed whatever is live in it */
    uint64_t tail_live;
    size_t old_tail; /* files of that, as old_segments, which has them too */
    size_t ended;    /* segments with much that is dead, which are open until they are synced */
    uint64_t open, open_live; /* of the segments that are open for appending: only told */
};

/* cleaner_survey.c. Lists the segments and counts what is live in those that have changed since the
 * last time; data segments that are open for appending are left out, but ended if much of them is
 * dead. -ECANCELED: the workspace is being closed. */
int riad_cleaner_survey(struct riad_workspace *workspace, struct riad_known_segments *segments,
        struct riad_space *ret) RIAD_MUST_CHECK;
void riad_known_segments_done(struct riad_known_segments *segments);
/* Counts what is live in one segment, as sealed. */
int riad_cleaner_count(
        struct riad_workspace *workspace, uint64_t segment, uint64_t *ret) RIAD_MUST_CHECK;

/* cleaner_ranges.c. Bytes of a segment, in places of which more is said there. */
struct riad_range {
    uint64_t from, to;
};
struct riad_ranges {
    struct riad_range *items; /* ascending, none touches another */
    size_t count;
};
/* What extents of one segment need, joined. -ENOMEM. */
int riad_ranges_of(
        const struct riad_extent *extents, size_t count, struct riad_ranges *ret) RIAD_MUST_CHECK;
void riad_ranges_done(struct riad_ranges *ranges);
/* How much of [from, to) is in the ranges. */
uint64_t riad_ranges_covered(const struct riad_ranges *ranges, uint64_t from, uint64_t to);
/* What one extent needs; bytes that its records take; place and data bytes of one of them. */
struct riad_range riad_extent_needs(const struct riad_extent *extent);
uint64_t riad_extent_sealed_size(const struct riad_extent *extent);
uint64_t riad_extent_record_place(const struct riad_extent *extent, uint32_t i);
uint32_t riad_extent_record_length(const struct riad_extent *extent, uint32_t i);

struct riad_moved {
    uint64_t next;  /* place to go on from; 0: that was the last */
    uint64_t bytes; /* as sealed */
    bool stuck;     /* something cannot be read: it stays, with an event */
};
/* cleaner_move.c. Moves some more of what is live in the segment, from a place (at least 1) on: a
 * few MiB. The copies are durable before an extent names them, so a history that ends anywhere is
 * whole. -ENOSPC: no room for copies; -EBUSY: enough other workspaces of this process move just
 * now, come again. Called without locks. */
int riad_cleaner_move(struct riad_workspace *workspace, uint64_t segment, uint64_t from,
        struct riad_moved *ret) RIAD_MUST_CHECK;

/* cleaner.c. One round of the upkeep thread: as much as is due now. Called without locks. */
void riad_cleaner_round(struct riad_workspace *workspace);
void riad_cleaner_free(struct riad_cleaner *cleaner);

/* cleaner_log.c. Unlinks what no extent refers to: segments of the log that lie before both
 * checkpoints (L6), and data segments of epochs that ended, in which nothing can come to life any
 * more (others: retire.c). Called without locks. */
int riad_cleaner_unlink(struct riad_workspace *workspace, size_t *ret_count) RIAD_MUST_CHECK;
/* Ends the log segment, and writes checkpoints of what comes behind, so that all of the log before
 * is not needed any more but for what is live in it. */
int riad_cleaner_roll(struct riad_workspace *workspace) RIAD_MUST_CHECK;

#endif
