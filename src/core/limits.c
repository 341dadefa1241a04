/* Limits of the workspace: what they let in, when soft ones begin to hold, and who is told (P7). */
#include <stdio.h>

#include "riad/limit_marks.h"

#include "lifecycle_priv.h"

/* One resource of the workspace, as it is now. */
struct measure {
    const char *name;
    uint64_t used, soft, hard;
    uint64_t since; /* when it passed the soft limit; 0: it has not */
    uint32_t grace;
    struct riad_limit_watch *watch;
};

static void measure(
        struct riad_workspace *workspace, enum riad_resource resource, struct measure *ret)
{
    const struct riad_limit *limit = &workspace->limit;
    struct riad_usage usage;
    bool blocks = resource == RIAD_RESOURCE_BLOCKS;
    uint32_t grace = blocks ? limit->grace_blocks : limit->grace_inodes;

    riad_index_usage(workspace->index, &usage);
    *ret = (struct measure){
        .name = blocks ? "space" : "inodes",
        .used = blocks ? usage.blocks : usage.inodes,
        .soft = blocks ? limit->blocks_soft : limit->inodes_soft,
        .hard = blocks ? limit->blocks : limit->inodes,
        .since = workspace->over_since[resource - RIAD_RESOURCE_BLOCKS],
        .grace = grace > 0 ? grace : RIAD_GRACE_SECONDS,
        .watch = &workspace->watches[resource - RIAD_RESOURCE_BLOCKS],
    };
}

static bool exceeds(uint64_t used, int64_t delta, uint64_t limit)
{
    return delta > 0 && limit > 0 && (used > limit || (uint64_t)delta > limit - used);
}

/* Whether the soft limit holds as the hard one does. */
static bool is_grace_over(const struct measure *measure)
{
    return measure->soft > 0 && measure->since > 0 &&
           (uint64_t)riad_clock_now().tv_sec >= measure->since + measure->grace;
}

/* What holds now. */
static uint64_t most_of(const struct measure *measure)
{
    return is_grace_over(measure) ? measure->soft : measure->hard;
}

static bool is_refused(struct riad_workspace *workspace, enum riad_resource resource, int64_t delta)
{
    struct measure measured;

    if (delta <= 0) {
        return false;
    }
    measure(workspace, resource, &measured);
    if (!exceeds(measured.used, delta, measured.hard) &&
            !(exceeds(measured.used, delta, measured.soft) && is_grace_over(&measured))) {
        return false;
    }
    measured.watch->refused = true;
    riad_background_changed(workspace); /* what is refused commits nothing */
    return true;
}

int riad_mutation_charge(struct riad_workspace *workspace, const struct riad_inode *row,
        int64_t blocks_delta, int64_t inodes_delta)
{
    uint64_t grown = blocks_delta > 0 ? (uint64_t)blocks_delta : 0;
    int r = riad_grants_charge(workspace, row, blocks_delta, inodes_delta);

    if (r < 0) {
        return r;
    }
    if (is_refused(workspace, RIAD_RESOURCE_BLOCKS, blocks_delta) ||
            is_refused(workspace, RIAD_RESOURCE_INODES, inodes_delta)) {
        return -EDQUOT;
    }
    if ((grown > 0 || inodes_delta > 0) &&
            workspace->store_blocks_free < workspace->store_reserve + grown) {
        return -ENOSPC;
    }
    /* Until the store is measured again, what was charged is taken for gone. */
    workspace->store_blocks_free -= grown;
    return 0;
}

int riad_mutation_overwrite(struct riad_workspace *workspace, uint64_t blocks)
{
    if (blocks > 0 && workspace->store_blocks_free < workspace->store_reserve + blocks) {
        return -ENOSPC;
    }
    workspace->store_blocks_free -= blocks;
    return 0;
}

uint64_t riad_limits_room(struct riad_workspace *workspace, const struct riad_inode *row)
{
    uint64_t room = riad_grants_room(workspace, row);
    struct measure measured;

    measure(workspace, RIAD_RESOURCE_BLOCKS, &measured);
    if (measured.hard > 0) {
        uint64_t hard = measured.hard > measured.used ? measured.hard - measured.used : 0;

        room = hard < room ? hard : room;
    }
    if (measured.soft > 0 && is_grace_over(&measured)) {
        uint64_t soft = measured.soft > measured.used ? measured.soft - measured.used : 0;

        room = soft < room ? soft : room;
    }
    return room;
}

void riad_limits_refused(struct riad_workspace *workspace)
{
    workspace->watches[0].refused = true;
    riad_background_changed(workspace);
}

/* The clock is a change of its own, behind the one that passed the limit: nothing is enforced
 * before it is there, and what is not written now is at the next change. (mutation) */
static void set_clock(struct riad_workspace *workspace, enum riad_resource resource, uint64_t since)
{
    const struct riad_clock clock = {
        .subject = RIAD_SUBJECT_WORKSPACE, .resource = resource, .since = since
    };
    struct riad_change callers = workspace->change;
    int r;

    workspace->change = (struct riad_change){ 0 };
    riad_change_begin(&workspace->change, riad_clock_now(), 0);
    riad_change_put_clock(&workspace->change, &clock);
    r = riad_mutation_record(workspace, NULL);
    riad_change_done(&workspace->change);
    workspace->change = callers;
    if (r == 0) {
        workspace->over_since[resource - RIAD_RESOURCE_BLOCKS] = since;
    }
}

struct telling {
    struct riad_workspace *workspace;
    enum riad_resource resource;
    const struct measure *measure;
};

static void tell(void *context, enum riad_limit_mark mark, const char *what)
{
    const struct telling *telling = context;
    const struct measure *measure = telling->measure;
    bool is_bytes = telling->resource == RIAD_RESOURCE_BLOCKS;
    uint64_t unit = is_bytes ? RIAD_BLOCK_SIZE : 1;
    uint64_t passed = mark == RIAD_MARK_SOFT   ? measure->soft
                      : mark == RIAD_MARK_HARD ? most_of(measure)
                                               : measure->hard;
    char used[32], limit[32], grace[64] = "", largest[RIAD_LARGEST_TEXT];

    riad_limit_show(is_bytes, measure->used * unit, used);
    riad_limit_show(is_bytes, passed * unit, limit);
    if (mark == RIAD_MARK_SOFT) {
        riad_limit_show_grace(measure->since, measure->grace, grace);
    }
    riad_limits_show_largest(telling->workspace, telling->resource, largest);
    riad_workspace_tell_limit(telling->workspace, "%s: %s: %s of %s%s%s", measure->name, what, used,
            limit, grace, largest);
}

/* quiet: what is so already when a workspace is opened is not told. (mutation) */
static void watch(struct riad_workspace *workspace, enum riad_resource resource, bool quiet)
{
    struct measure measured;
    struct telling telling = { workspace, resource, &measured };
    struct riad_limit_measure looked;

    measure(workspace, resource, &measured);
    looked = (struct riad_limit_measure){ measured.used, measured.soft, measured.hard,
        most_of(&measured), measured.watch->refused };
    riad_limit_marks_look(&looked, &measured.watch->told, quiet ? NULL : tell, &telling);
    measured.watch->refused = false;
}

static void follow(struct riad_workspace *workspace, enum riad_resource resource)
{
    struct measure measured;
    bool over;

    measure(workspace, resource, &measured);
    over = measured.soft > 0 && measured.used > measured.soft;
    if (over != (measured.since > 0)) {
        set_clock(workspace, resource, over ? (uint64_t)riad_clock_now().tv_sec : 0);
    }
    if (measured.soft > 0 || measured.hard > 0) {
        watch(workspace, resource, false);
    }
}

void riad_limits_follow(struct riad_workspace *workspace)
{
    follow(workspace, RIAD_RESOURCE_BLOCKS);
    follow(workspace, RIAD_RESOURCE_INODES);
}

/* Is there anything that no change of a caller will bring about? (mutation) */
static bool is_due(struct riad_workspace *workspace)
{
    bool due = false;

    for (enum riad_resource i = RIAD_RESOURCE_BLOCKS; i <= RIAD_RESOURCE_INODES; i++) {
        struct measure measured;

        measure(workspace, i, &measured);
        due |= measured.watch->refused ||
               (measured.soft > 0 && measured.used > measured.soft) != (measured.since > 0);
    }
    return due && workspace->state == RIAD_WORKSPACE_RUNNING;
}

void riad_limits_round(struct riad_workspace *workspace)
{
    bool due;

    pthread_mutex_lock(&workspace->mutation);
    due = is_due(workspace);
    pthread_mutex_unlock(&workspace->mutation);
    if (due && riad_mutation_begin(workspace, NULL) == 0) {
        riad_limits_follow(workspace);
        riad_mutation_end(workspace);
    }
}

int riad_limits_begin(struct riad_workspace *workspace)
{
    struct riad_owner owner;
    int r = riad_index_owner(workspace->index, RIAD_SUBJECT_WORKSPACE, 0, &owner);

    if (r < 0) {
        return r;
    }
    memcpy(workspace->over_since, owner.over_since, sizeof workspace->over_since);
    watch(workspace, RIAD_RESOURCE_BLOCKS, true);
    watch(workspace, RIAD_RESOURCE_INODES, true);
    return 0;
}
