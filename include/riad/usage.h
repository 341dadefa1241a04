/* Layer node. What each workspace used when it was last open on this node: STATE/usage, for reports
 * of those that are not open now, whose usage is inside their sealed logs. Never in the store (P8).
 * It may be lost, and what of it cannot be read is as if it were: nothing but reports depends on
 * it. */
#ifndef RIAD_USAGE_H
#define RIAD_USAGE_H

#include "riad/state.h"

enum { RIAD_USAGE_ENTRIES_MAX = 1 << 16 }; /* of more, those seen longest ago are forgotten */

struct riad_usage_entry {
    struct riad_id store, workspace;
    uint64_t bytes, inodes;
    uint64_t bytes_over_since, inodes_over_since; /* seconds since 1970; 0: not over a soft limit */
    uint64_t when;                                /* seconds since 1970: it was so then */
};

/* By store and workspace, each once. */
struct riad_usage_list {
    struct riad_usage_entry *entries;
    size_t count;
};

/* 0, also if there is none; -EBADMSG: the file is none of riad's, or was damaged; errors of the
 * disk. */
int riad_usage_read(const struct riad_state *state, struct riad_usage_list *ret) RIAD_MUST_CHECK;
void riad_usage_done(struct riad_usage_list *list);
/* NULL: it was never open here, or that is forgotten. */
const struct riad_usage_entry *riad_usage_find(const struct riad_usage_list *list,
        const struct riad_id *store, const struct riad_id *workspace);
/* Puts entries into the order that a list has: the newest of each workspace, and the newest of all
 * if those are too many. */
void riad_usage_tidy(struct riad_usage_list *list);
/* Each entry takes the place of what there was of its workspace; the file is published whole. A
 * file that cannot be read is begun anew. Waits for other processes that do the same (flock), so
 * never under a lock of requests. */
int riad_usage_remember(const struct riad_state *state, const struct riad_usage_entry *entries,
        size_t count) RIAD_MUST_CHECK;

#endif
