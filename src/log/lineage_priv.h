/* Which log segments make up a workspace's history, and where each ends (L1, O1, FORMAT 8). Found
 * backwards: each segment's header names its predecessor, each term its own beginning. One thread
 * per object. */
#ifndef RIAD_LINEAGE_PRIV_H
#define RIAD_LINEAGE_PRIV_H

#include "riad/replay.h"

#include "segment_priv.h"

enum { RIAD_DAMAGE_SIZE = sizeof(((struct riad_replay_result *)0)->damage) };

struct riad_lineage_segment {
    uint64_t segment;
    uint64_t begin;        /* offset of the first record to read */
    bool open_ended;       /* only the very last one: where it ends must be found out by reading */
    struct riad_end limit; /* else: its last change; nothing behind it counts */
};

struct riad_lineage {
    struct riad_lineage_segment *segments; /* oldest first */
    size_t count;
    size_t capacity;
    uint64_t *suspects; /* files of the last term past the last good segment, whose headers do not
                           verify */
    size_t suspect_count;
};

/* The segments from `from` on. One that was begun under an epoch which had ended counts as one
 * whose header does not verify. -ENOENT: a segment is missing; -EUCLEAN: a link contradicts
 * another, or a header does not verify, or the last term goes on in an epoch whose keys are not
 * held; ret_damage says which. -EPROTONOSUPPORT, other errno of the store. */
int riad_lineage_build(int workspace_fd, struct riad_key_cache *cache,
        const struct riad_history *history, const struct riad_epoch_ends *epochs,
        const struct riad_end *from, struct riad_lineage *ret,
        char ret_damage[RIAD_DAMAGE_SIZE]) RIAD_MUST_CHECK;
void riad_lineage_done(struct riad_lineage *lineage);

#endif
