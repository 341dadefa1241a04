/* The two halves of riad_workspace_scrub. */
#ifndef RIAD_VERIFY_PRIV_H
#define RIAD_VERIFY_PRIV_H

#include "riad/workspace.h"

/* Bytes that may be read by now, at most a round's; begun: ns of riad_clock_boottime. */
uint64_t riad_verify_allowance(const struct riad_scrubbing *now, uint64_t begun);
/* Reads all checkpoints, and the log from the oldest one up to what is durable, and counts in *now
 * what is authentic and what is not; an event tells of the latter. For the upkeep thread, which is
 * the one that unlinks them. -ECANCELED when the workspace is being closed; errno of the store: try
 * again. */
int riad_verify_history(struct riad_workspace *workspace, uint64_t begun,
        struct riad_scrubbing *now) RIAD_MUST_CHECK;

#endif
