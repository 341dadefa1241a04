/* The owner's side of the heartbeat (O2). */
#include "lifecycle_priv.h"

static uint64_t quarter_ns(const struct riad_workspace *workspace)
{
    return (uint64_t)workspace->lease_seconds * RIAD_SECOND_NS / 4;
}

/* Others take over when they saw no heartbeat for a whole lease; the owner stops a quarter earlier
 * by its own clock, counted from before the last heartbeat was written. */
static uint64_t trusted_ns(const struct riad_workspace *workspace)
{
    return quarter_ns(workspace) * 3;
}

uint64_t riad_lease_period(const struct riad_workspace *workspace)
{
    uint64_t quarter = quarter_ns(workspace);

    return quarter < 2 * RIAD_SECOND_NS ? quarter : 2 * RIAD_SECOND_NS;
}

bool riad_lease_due(struct riad_workspace *workspace, bool idle)
{
    uint64_t period = idle ? quarter_ns(workspace) : riad_lease_period(workspace);
    uint64_t written;
    bool running;

    pthread_mutex_lock(&workspace->mutation);
    written = workspace->lease_until - trusted_ns(workspace);
    running = workspace->state == RIAD_WORKSPACE_RUNNING;
    pthread_mutex_unlock(&workspace->mutation);
    /* A round that comes a little early counts: the next one would be late. */
    return running && riad_clock_boottime() + period / 4 >= written + period;
}

static int write_beat(struct riad_workspace *workspace, bool closed, uint64_t last)
{
    struct riad_beat beat;
    int r;

    pthread_mutex_lock(&workspace->beat);
    beat = (struct riad_beat){ .count = ++workspace->beat_count, .closed = closed, .last = last };
    r = riad_beat_write(workspace->workspace_fd, workspace->keys, workspace->term, &beat);
    pthread_mutex_unlock(&workspace->beat);
    return r;
}

static void extend(struct riad_workspace *workspace, uint64_t until)
{
    pthread_mutex_lock(&workspace->mutation);
    if (workspace->lease_until < until) {
        workspace->lease_until = until;
    }
    pthread_mutex_unlock(&workspace->mutation);
}

static int check_term(struct riad_workspace *workspace)
{
    int r = riad_term_check(workspace->workspace_fd, &workspace->binding, workspace->signers,
            &workspace->workspace_id, workspace->term);

    if (r == -ESTALE) {
        riad_workspace_supersede_unlocked(workspace);
    }
    return r;
}

/* The heartbeat is written before the last look at the terms: whoever took over must either see the
 * heartbeat move before claiming, or have claimed where this look finds it. */
int riad_lease_renew(struct riad_workspace *workspace)
{
    uint64_t now = riad_clock_boottime();
    int r = check_term(workspace);

    if (r < 0) {
        return r;
    }
    r = write_beat(workspace, false, 0);
    if (r < 0) {
        return r;
    }
    r = check_term(workspace);
    if (r < 0) {
        return r;
    }
    extend(workspace, now + trusted_ns(workspace));
    return 0;
}

int riad_lease_end(struct riad_workspace *workspace)
{
    struct riad_end end;
    uint64_t start;

    riad_log_synced(workspace->log, &end, &start);
    return write_beat(workspace, true, end.sequence.number);
}
