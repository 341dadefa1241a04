/* riad_workspace_scrub from its beginning to its end. For tests only. */
#ifndef RIAD_TESTS_CORE_SCRUBBING_H
#define RIAD_TESTS_CORE_SCRUBBING_H

#include "rows.h"

static inline struct riad_scrubbing scrubbing_of(struct riad_workspace *workspace)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    return status.scrubbing;
}

static inline struct riad_scrubbing scrub(struct riad_workspace *workspace, uint64_t rate)
{
    riad_workspace_scrub(workspace, rate);
    do {
        riad_sleep_ms(10);
    } while (scrubbing_of(workspace).running);
    return scrubbing_of(workspace);
}

#endif
