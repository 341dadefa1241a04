/* The end of riad_workspace_scrub: the log and the checkpoints are authentic, so that what was lost
 * with this node could be made anew. */
#include <stdlib.h>

#include "riad/replay.h"

#include "lifecycle_priv.h"
#include "verify_priv.h"

enum { PAUSE_MS = 50 };

/* One look at all of it. */
struct looking {
    struct riad_workspace *workspace;
    struct riad_scrubbing *now;
    uint64_t begun;
    struct riad_history history;
    struct riad_end from;  /* of the oldest checkpoint that counts */
    struct riad_end until; /* what was durable when the look began: behind it the log is written */
};

/* What is read counts towards the rate. -ECANCELED: the workspace is being closed. */
static int pass(struct looking *looking, size_t size)
{
    looking->now->history_bytes += size;
    while (riad_verify_allowance(looking->now, looking->begun) == 0) {
        if (riad_background_stopping(looking->workspace)) {
            return -ECANCELED;
        }
        riad_sleep_ms(PAUSE_MS);
    }
    return riad_background_stopping(looking->workspace) ? -ECANCELED : 0;
}

static int pass_frame(void *context, const uint8_t *operations, size_t size)
{
    (void)operations;
    return pass(context, size);
}

static void tell(struct looking *looking, const char *what)
{
    looking->now->history_damaged++;
    riad_workspace_event_unlocked(looking->workspace, "scrub: %s; unmount and run riad fsck", what);
}

static int look_at_checkpoint(struct looking *looking, uint64_t segment)
{
    struct riad_workspace *workspace = looking->workspace;
    struct riad_checkpoint_manifest manifest;
    int r = riad_checkpoint_read(
            workspace->workspace_fd, workspace->keys, segment, &manifest, pass_frame, looking);

    if (r == -EBADMSG || r == -EIO) {
        char path[32], text[96];

        riad_segment_path(RIAD_SEGMENT_CHECKPOINT, segment, path);
        snprintf(text, sizeof text, "the checkpoint %s is damaged", path);
        tell(looking, text);
        return 0;
    }
    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    looking->now->checkpoints++;
    if (looking->from.sequence.number == 0 &&
            riad_checkpoint_counts(&manifest, &looking->history, 0)) {
        looking->from = manifest.end;
    }
    return 0;
}

static int look_at_checkpoints(struct looking *looking)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    int r = riad_segment_list(
            looking->workspace->workspace_fd, RIAD_SEGMENT_CHECKPOINT, &ids, &count);

    for (size_t i = 0; i < count && r == 0; i++) {
        r = look_at_checkpoint(looking, ids[i]);
    }
    return r;
}

static int pass_change(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start, bool settled)
{
    struct looking *looking = context;
    int r = pass(looking, size);

    (void)content;
    (void)start;
    (void)settled;
    looking->now->changes++;
    return r == 0 && end->sequence.number >= looking->until.sequence.number ? -ERANGE : r;
}

static int look_at_log(struct looking *looking)
{
    struct riad_workspace *workspace = looking->workspace;
    const struct riad_replay replay = { .workspace_fd = workspace->workspace_fd,
        .keys = workspace->keys,
        .history = &looking->history,
        .from = looking->from,
        .mark = looking->until,
        .apply = pass_change,
        .context = looking };
    struct riad_replay_result result = { 0 };
    int r = 0;

    if (looking->from.sequence.number < looking->until.sequence.number) {
        r = riad_replay_run(&replay, &result);
    }
    if (r == -EUCLEAN || r == -EIO) {
        tell(looking, result.damage[0] ? result.damage : "the log cannot be read");
    }
    return r == -EUCLEAN || r == -EIO || r == -ERANGE ? 0 : r;
}

int riad_verify_history(
        struct riad_workspace *workspace, uint64_t begun, struct riad_scrubbing *now)
{
    struct looking looking = { .workspace = workspace, .now = now, .begun = begun };
    uint64_t start;
    int r = riad_history_load(workspace->workspace_fd, &workspace->binding, workspace->signers,
            &workspace->workspace_id, &looking.history);

    now->checkpoints = now->changes = now->history_damaged = 0;
    if (r == -EUCLEAN) {
        tell(&looking, "the terms of the workspace are damaged");
        return 0;
    }
    riad_log_synced(workspace->log, &looking.until, &start);
    if (r == 0) {
        r = look_at_checkpoints(&looking);
    }
    if (r == 0) {
        r = look_at_log(&looking);
    }
    riad_history_done(&looking.history);
    return r;
}
