/* The two halves of riad_workspace_scrub. */
#ifndef RIAD_VERIFY_PRIV_H
#define RIAD_VERIFY_PRIV_H

#include "riad/workspace.h"

/* One round of the upkeep thread. */
struct riad_verifying {
    struct riad_workspace *workspace;
    struct riad_scrubbing now; /* as it was when the round began, and what the round adds */
    uint64_t allowed;          /* bytes that may be read yet */
    uint8_t *buffer;           /* of verify.c */
};

/* Where a look at the history is; the upkeep thread's (riad_upkeep). */
struct riad_history_look;
void riad_history_look_free(struct riad_history_look *look);
RIAD_DEFINE_CLEANUP(struct riad_history_look, riad_history_look_free);

/* Reads on in the checkpoints, and in the log from the oldest one up to what was durable when the
 * scrub that was `begun` then came to it; counts in verifying->now what is authentic and what is
 * not; an event tells of the latter. For the upkeep thread, which is the one that unlinks them. 0:
 * that was all; 1: the next round goes on. -ECANCELED when the workspace is being closed; errno of
 * the store: try again. */
int riad_verify_history(struct riad_verifying *verifying, uint64_t begun) RIAD_MUST_CHECK;

#endif
