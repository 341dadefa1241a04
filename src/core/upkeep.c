/* What the threads of an open workspace do in each round, but for syncing. */
#include <fcntl.h>

#include "riad/sysops.h"

#include "cleaner_priv.h"
#include "lifecycle_priv.h"

enum { REAP_ROWS = 256, WAL_LARGE = 4 << 20 };

/* How long what the store has free is believed while nobody writes: rounds come each second. */
#define IDLE_LOOK_NS (4 * RIAD_SECOND_NS - RIAD_SECOND_NS / 4)

/* A 64th of the store's file system is kept for deleting (P6), within these. */
enum {
    RESERVE_SHARE = 64,
    RESERVE_MIN = (16 << 20) / RIAD_BLOCK_SIZE,
    RESERVE_MAX = (352 << 20) / RIAD_BLOCK_SIZE,
    SEGMENT_SIZE_MAX = 128 << 20,
};

/* Commits the open batch after one slice of reaping (L8). 1: more is left to reap. */
static int commit_and_reap(struct riad_workspace *workspace)
{
    bool more = false;
    int r = riad_index_reap(workspace->index, REAP_ROWS, &more);

    if (r >= 0) {
        workspace->commits += riad_index_pending(workspace->index) > 0;
        r = riad_index_commit(workspace->index);
    }
    return r < 0 ? r : more;
}

void riad_batch_round(struct riad_workspace *workspace)
{
    int r;

    riad_tree_round(workspace);
    do {
        pthread_mutex_lock(&workspace->mutation);
        r = workspace->state == RIAD_WORKSPACE_RUNNING ? commit_and_reap(workspace) : 0;
        if (r < 0) {
            riad_workspace_freeze(workspace, "the index failed", r);
        }
        pthread_mutex_unlock(&workspace->mutation);
    } while (r > 0 && !riad_background_stopping(workspace));
    riad_limits_round(workspace);
}

static uint64_t to_blocks(const struct statvfs *st, uint64_t count)
{
    return count * (st->f_frsize ? st->f_frsize : st->f_bsize) / RIAD_BLOCK_SIZE;
}

static uint64_t reserve_of(const struct statvfs *st)
{
    uint64_t blocks = to_blocks(st, st->f_blocks) / RESERVE_SHARE;

    return blocks < RESERVE_MIN ? RESERVE_MIN : blocks > RESERVE_MAX ? RESERVE_MAX : blocks;
}

uint64_t riad_store_segment_size(int workspace_fd)
{
    struct statvfs st;
    uint64_t size = SEGMENT_SIZE_MAX;

    if (riad_sys->fstatvfs(workspace_fd, &st) == 0) {
        size = reserve_of(&st) * RIAD_BLOCK_SIZE / 8 * 3;
    }
    return size > SEGMENT_SIZE_MAX ? SEGMENT_SIZE_MAX : size;
}

void riad_store_measure(struct riad_workspace *workspace)
{
    struct statvfs st;

    if (riad_sys->fstatvfs(workspace->workspace_fd, &st) < 0) {
        return;
    }
    pthread_mutex_lock(&workspace->mutation);
    workspace->store_blocks_free = to_blocks(&st, st.f_bavail);
    workspace->store_reserve = reserve_of(&st);
    workspace->last_store_check = riad_clock_boottime();
    pthread_mutex_unlock(&workspace->mutation);
}

/* Nothing was changed since the last round, there is room, and it was looked at a moment ago: a
 * node has a thousand mounts that nobody uses, and the store counts each call. */
static bool is_idle(struct riad_workspace *workspace)
{
    uint64_t commits;
    bool roomy, fresh, idle;

    pthread_mutex_lock(&workspace->mutation);
    commits = workspace->commits;
    roomy = workspace->store_blocks_free > 4 * workspace->store_reserve;
    fresh = riad_clock_boottime() - workspace->last_store_check < IDLE_LOOK_NS;
    pthread_mutex_unlock(&workspace->mutation);
    idle = commits == workspace->upkeep.beat_commits && roomy;
    workspace->upkeep.beat_commits = commits;
    return idle && fresh;
}

void riad_beat_round(struct riad_workspace *workspace)
{
    bool idle = is_idle(workspace);

    if (riad_lease_due(workspace, idle)) {
        int r = riad_lease_renew(workspace);
        bool failing = r < 0 && r != -ESTALE;

        if (failing && !workspace->upkeep.beat_failing) {
            riad_workspace_event_unlocked(
                    workspace, "the store does not take the heartbeat: %s", strerror(-r));
        }
        workspace->upkeep.beat_failing = failing;
    }
    if (!idle) {
        riad_store_measure(workspace);
    }
}

static void checkpoint_wal(struct riad_workspace *workspace)
{
    struct stat st;
    uint64_t commits;
    int r;

    pthread_mutex_lock(&workspace->mutation);
    commits = workspace->commits;
    pthread_mutex_unlock(&workspace->mutation);
    if (commits == workspace->upkeep.wal_commits ||
            riad_sys->fstatat(workspace->state_fd, "index.db-wal", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
            st.st_size < WAL_LARGE) {
        return;
    }
    r = riad_index_wal_checkpoint(workspace->index);
    if (r < 0) {
        riad_workspace_event_unlocked(
                workspace, "the index's journal cannot be folded in: %s", strerror(-r));
        return;
    }
    workspace->upkeep.wal_commits = commits;
}

static void checkpoint_rows(struct riad_workspace *workspace)
{
    int r;

    if (!riad_checkpoint_due(workspace)) {
        return;
    }
    r = riad_workspace_checkpoint(workspace);
    if (r < 0 && r != -ECANCELED && r != -ESTALE) {
        riad_workspace_event_unlocked(
                workspace, "a checkpoint could not be written: %s", strerror(-r));
    }
}

void riad_upkeep_round(struct riad_workspace *workspace)
{
    if (!riad_workspace_running(workspace)) {
        riad_verify_stop(workspace);
        return;
    }
    if (!workspace->upkeep.cleaned) {
        workspace->upkeep.cleaned = true;
        riad_retire_leftovers(workspace);
    }
    checkpoint_wal(workspace);
    checkpoint_rows(workspace);
    riad_retire_round(workspace);
    if (workspace->clean) {
        riad_cleaner_round(workspace);
    }
    riad_verify_round(workspace);
}
