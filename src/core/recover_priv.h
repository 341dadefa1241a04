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

#endif
