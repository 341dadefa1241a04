/* Behind a salvage: the store is brought to two checkpoints and what comes behind them. */
#include <stdlib.h>

#include "cleaner_priv.h"
#include "repair_priv.h"

/* What is live in an old segment of the log goes to another place. What of it cannot be read stays,
 * and with it the segment. */
static int empty_segment(struct riad_workspace *workspace, uint64_t segment)
{
    struct riad_moved moved = { .next = 1 };
    int r = 0;

    while (r == 0 && moved.next != 0) {
        r = riad_cleaner_move(workspace, segment, moved.next, &moved);
    }
    return r;
}

static int empty_log(struct riad_workspace *workspace)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0, unlinked;
    uint64_t below;
    int r = riad_segment_list(workspace->workspace_fd, RIAD_SEGMENT_LOG, &ids, &count);

    pthread_mutex_lock(&workspace->checkpointing);
    below = workspace->upkeep.cut_below;
    pthread_mutex_unlock(&workspace->checkpointing);
    for (size_t i = 0; i < count && ids[i] < below && r == 0; i++) {
        r = empty_segment(workspace, ids[i]);
    }
    if (r == 0) {
        r = riad_cleaner_roll(workspace); /* so that the checkpoints know the new places */
    }
    return r < 0 ? r : riad_cleaner_unlink(workspace, &unlinked);
}

static int renew(struct riad_workspace *workspace)
{
    int r = riad_cleaner_roll(workspace);

    return r < 0 ? r : empty_log(workspace);
}

int riad_repair_store(struct riad_repair *repair)
{
    struct riad_fsck *fsck = &repair->fsck;
    struct riad_workspace_config config = *fsck->config;
    struct riad_workspace *workspace = NULL;
    int r, closed;

    config.read_only = false;
    config.clean = false;
    r = riad_workspace_open(&config, &workspace, fsck->reason);
    if (r < 0) {
        return r;
    }
    r = renew(workspace);
    if (r == -ENOSPC) {
        riad_fsck_find(fsck,
                "the store has no room to give up the damaged parts of the log: repair it again "
                "when it has");
        r = 0;
    }
    closed = riad_workspace_close(workspace);
    return r < 0 ? r : closed;
}
