/* Layer node. What `riad fsck` does with one workspace that nobody has open: a check, and, where
 * that is wanted and something was found, a repair and a check again. For a person's store the
 * command does it, for a site's riadd's worker. One thread. */
#ifndef RIAD_CHECKING_H
#define RIAD_CHECKING_H

#include <jansson.h>

#include "riad/repair.h"
#include "riad/state.h"

enum riad_checking_step {
    RIAD_CHECKING_FIRST,
    RIAD_CHECKING_REPAIR,
    RIAD_CHECKING_AFTER, /* the check of what was repaired */
};
enum { RIAD_CHECKING_STEPS = RIAD_CHECKING_AFTER + 1 };
/* "check", "repair", "after". */
extern const char *const riad_checking_names[RIAD_CHECKING_STEPS];

struct riad_checking {
    struct riad_workspace_config config; /* as for riad_fsck_run; keys are set for each step */
    const struct riad_state *state;      /* whose trail has what was done; borrowed */
    bool repair;                         /* what is damaged */
    /* The workspace's keys, which the step uses up. */
    int (*open_keys)(void *context, struct riad_keys **ret);
    void (*find)(void *context, enum riad_checking_step step, const char *finding);
    /* The step is done. numbers: an object, as docs/CONTROL.md has them; borrowed; NULL: no memory.
     */
    void (*end)(void *context, enum riad_checking_step step, const json_t *numbers);
    void *context; /* of all three */
};

/* Exit code: RIAD_EXIT_DONE all is whole, and was, or nothing was lost by mending it;
 * RIAD_EXIT_DAMAGED something is damaged, or lost; else a step failed, and the reason says why:
 * what steps before have told holds. */
int riad_checking_run(const struct riad_checking *checking, struct riad_reason *ret_reason);

#endif
