/* What recover.c (bringing an index forward) and verdict.c (judging one) share. */
#ifndef RIAD_RECOVER_PRIV_H
#define RIAD_RECOVER_PRIV_H

#include "riad/replay.h"

#include "lifecycle_priv.h"

enum riad_verdict {
    RIAD_VERDICT_KEEP,     /* the log has the index's last change */
    RIAD_VERDICT_REBUILD,  /* it has not, and is whole without it */
    RIAD_VERDICT_TOLERATE, /* it has not, and is damaged; the index knows all that was durable */
};
/* Judges the open index against log, terms and mark. -EUCLEAN: neither can be used alone. */
int riad_verdict_reach(struct riad_opening *opening, enum riad_verdict *ret) RIAD_MUST_CHECK;
/* A replay from a position that only verifies; the mark counts where it is not passed yet. */
void riad_recover_prepare(
        struct riad_opening *opening, const struct riad_end *from, struct riad_replay *ret);
/* -EUCLEAN, with a reason that says where and what to do. */
int riad_recover_refuse(
        struct riad_opening *opening, const struct riad_replay_result *result) RIAD_MUST_CHECK;

/* payload.c. Whether what a change writes is there: the records that its extents refer to for the
 * first time. Zeroed but for the first four; one thread. */
struct riad_payload_check {
    int workspace_fd;
    const struct riad_keys *keys;
    struct riad_epoch_ends epochs;
    struct riad_index *index; /* holds the rows before the change; NULL: another state than that */
    struct riad_segments *segments;
    uint8_t *buffer;
    struct riad_extent *seen; /* without index: the last ones checked, by inode and segment */
};
/* 0, RIAD_REPLAY_STOP: a record is damaged or missing. -EBADMSG: not decodable; errno of store and
 * index. number: the change's. */
int riad_payload_check(struct riad_payload_check *check, uint64_t number,
        struct riad_reader operations) RIAD_MUST_CHECK;
void riad_payload_check_done(struct riad_payload_check *check);

#endif
