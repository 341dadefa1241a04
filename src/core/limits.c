/* Limits of the workspace: what they let in, when soft ones begin to hold, and who is told (P7). */
#include <stdio.h>

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
            workspace->store_blocks_free < RIAD_STORE_RESERVE_BLOCKS + grown) {
        return -ENOSPC;
    }
    /* Until the store is measured again, what was charged is taken for gone. */
    workspace->store_blocks_free -= grown;
    return 0;
}

int riad_mutation_overwrite(struct riad_workspace *workspace, uint64_t blocks)
{
    if (blocks > 0 && workspace->store_blocks_free < RIAD_STORE_RESERVE_BLOCKS + blocks) {
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

/* What there is to tell of, and at which usage. */
enum { TOLD_SOFT = 1, TOLD_80 = 2, TOLD_95 = 4, TOLD_HARD = 8 };

struct mark {
    unsigned bit;
    uint64_t at;
    uint64_t again; /* told anew when usage was below this in between */
};

static void list_marks(const struct measure *measure, struct mark ret[4])
{
    uint64_t soft = measure->soft, hard = measure->hard;

    ret[0] = (struct mark){ TOLD_SOFT, soft + 1, soft - soft / 20 };
    ret[1] = (struct mark){ TOLD_80, hard / 5 * 4 + hard % 5 * 4 / 5, hard / 4 * 3 };
    ret[2] = (struct mark){ TOLD_95, hard - hard / 20, hard / 10 * 9 };
    ret[3] = (struct mark){ TOLD_HARD, UINT64_MAX, hard - hard / 20 };
    for (int i = 0; i < 4; i++) {
        if ((i == 0 ? soft : hard) == 0) {
            ret[i].at = UINT64_MAX;
        }
    }
}

static void show(enum riad_resource resource, uint64_t count, char ret[static 32])
{
    if (resource == RIAD_RESOURCE_BLOCKS) {
        snprintf(ret, 32, "%.1f MiB", (double)count * RIAD_BLOCK_SIZE / (1 << 20));
    } else {
        snprintf(ret, 32, "%llu", (unsigned long long)count);
    }
}

static void tell_grace(const struct measure *measure, char ret[static 64])
{
    time_t ends = (time_t)(measure->since + measure->grace);
    struct tm when;

    if (measure->since == 0 || !gmtime_r(&ends, &when) ||
            strftime(ret, 64, "; from %Y-%m-%dT%H:%M:%SZ on it holds", &when) == 0) {
        ret[0] = '\0';
    }
}

static void tell(struct riad_workspace *workspace, enum riad_resource resource,
        const struct measure *measure, unsigned bit)
{
    const char *what = bit == TOLD_SOFT ? "the soft limit is passed"
                       : bit == TOLD_80 ? "80 % of the hard limit are used"
                       : bit == TOLD_95 ? "95 % of the hard limit are used"
                                        : "the limit is reached, and something was refused";
    char used[32], limit[32], grace[64] = "", largest[RIAD_LARGEST_TEXT];

    show(resource, measure->used, used);
    show(resource, bit == TOLD_SOFT ? measure->soft : measure->hard, limit);
    if (bit == TOLD_SOFT) {
        tell_grace(measure, grace);
    }
    riad_limits_show_largest(workspace, resource, largest);
    riad_workspace_tell_limit(
            workspace, "%s: %s: %s of %s%s%s", measure->name, what, used, limit, grace, largest);
}

/* Each once, until usage has been well below. quiet: what is so already when a workspace is opened
 * is not told. (mutation) */
static void watch(struct riad_workspace *workspace, enum riad_resource resource, bool quiet)
{
    struct measure measured;
    struct mark marks[4];

    measure(workspace, resource, &measured);
    list_marks(&measured, marks);
    for (int i = 0; i < 4; i++) {
        bool there = measured.used >= marks[i].at ||
                     (marks[i].bit == TOLD_HARD && measured.watch->refused);

        if (there && !(measured.watch->told & marks[i].bit)) {
            measured.watch->told |= marks[i].bit;
            if (!quiet) {
                tell(workspace, resource, &measured, marks[i].bit);
            }
        } else if (!there && measured.used < marks[i].again) {
            measured.watch->told &= ~marks[i].bit;
        }
    }
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
