/* The end of riad_workspace_scrub: the log and the checkpoints are authentic, so that what was lost
 * with this node could be made anew. A round reads what the rate allows and leaves the rest to the
 * next one, as cleaning and checkpoints wait for the same thread. */
#include <stdlib.h>

#include "riad/replay.h"

#include "lifecycle_priv.h"
#include "verify_priv.h"

enum { LOG_STEP_BYTES = 2 << 20 }; /* a round of the log begins by reading so much (riad_window) */

struct riad_history_look {
    uint64_t begun; /* of the scrub that it belongs to */
    uint64_t *checkpoints;
    size_t count, at;                         /* of checkpoints, and the one that it is at */
    struct riad_checkpoint_reader *reader;    /* of that; NULL: not yet begun */
    struct riad_checkpoint_manifest manifest; /* of that */
    uint64_t cut_below;    /* of the log, as `from` took it into account (riad_upkeep) */
    struct riad_end from;  /* the last change that was read, or that a checkpoint holds */
    struct riad_end until; /* what was durable when the look began: behind it the log is written */
};

/* One round. */
struct looking {
    struct riad_verifying *verifying;
    struct riad_history_look *look;
    const struct riad_history *history;
};

static int tell(struct looking *looking, const char *what)
{
    looking->verifying->now.history_damaged++;
    riad_workspace_event_unlocked(
            looking->verifying->workspace, "scrub: %s; unmount and run riad fsck", what);
    return 0;
}

/* What is read counts towards the rate. 1: enough for this round; -ECANCELED: the workspace is
 * being closed. */
static int pass(struct riad_verifying *verifying, size_t size)
{
    verifying->now.history_bytes += size;
    verifying->allowed -= size < verifying->allowed ? size : verifying->allowed;
    if (riad_background_stopping(verifying->workspace)) {
        return -ECANCELED;
    }
    return verifying->allowed == 0;
}

static uint64_t cut_below(struct riad_workspace *workspace)
{
    uint64_t segment;

    pthread_mutex_lock(&workspace->checkpointing);
    segment = workspace->upkeep.cut_below;
    pthread_mutex_unlock(&workspace->checkpointing);
    return segment;
}

/* All of it is authentic. */
static void end_checkpoint(struct looking *looking)
{
    struct riad_history_look *look = looking->look;

    looking->verifying->now.checkpoints++;
    if (look->from.sequence.number == 0 &&
            riad_checkpoint_counts(&look->manifest, looking->history, 0)) {
        look->from = look->manifest.end;
    }
}

/* 0: it was read; 1: enough for this round. */
static int read_checkpoint(struct looking *looking)
{
    const struct riad_workspace *workspace = looking->verifying->workspace;
    struct riad_history_look *look = looking->look;
    const uint8_t *operations;
    size_t size;
    int more = 1, r = 0;

    if (!look->reader) {
        r = riad_checkpoint_open(workspace->workspace_fd, workspace->keys,
                look->checkpoints[look->at], &look->manifest, &look->reader);
    }
    while (r == 0 && more > 0) {
        more = riad_checkpoint_next(look->reader, &operations, &size);
        r = more > 0 ? pass(looking->verifying, size) : more;
    }
    if (r == 0) {
        end_checkpoint(looking);
    }
    return r;
}

static int look_at_checkpoints(struct looking *looking)
{
    struct riad_history_look *look = looking->look;

    for (; look->at < look->count; look->at++) {
        int r = read_checkpoint(looking);

        if (r == -EBADMSG || r == -EIO) {
            char path[32], text[96];

            riad_segment_path(RIAD_SEGMENT_CHECKPOINT, look->checkpoints[look->at], path);
            snprintf(text, sizeof text, "the checkpoint %s is damaged", path);
            tell(looking, text);
        } else if (r != 0 && r != -ENOENT) {
            return r;
        }
        riad_checkpoint_reader_free(look->reader);
        look->reader = NULL;
    }
    return 0;
}

/* The end of the oldest checkpoint that counts now. */
static int find_oldest(const struct looking *looking, struct riad_end *ret)
{
    const struct riad_workspace *workspace = looking->verifying->workspace;
    _cleanup_free_ uint64_t *ids = NULL;
    struct riad_checkpoint_manifest manifest;
    size_t count = 0;
    int r = riad_segment_list(workspace->workspace_fd, RIAD_SEGMENT_CHECKPOINT, &ids, &count);

    for (size_t i = 0; i < count && r == 0; i++) {
        r = riad_checkpoint_read(
                workspace->workspace_fd, workspace->keys, ids[i], &manifest, NULL, NULL);
        if (r == 0 && riad_checkpoint_counts(&manifest, looking->history, 0)) {
            *ret = manifest.end;
            break;
        }
        r = r == -ENOENT || r == -EBADMSG || r == -EIO ? 0 : r;
    }
    return r;
}

/* What was cut off since, before it was read, is needed by nobody. */
static int skip_cut(struct looking *looking)
{
    struct riad_history_look *look = looking->look;
    uint64_t below = cut_below(looking->verifying->workspace);
    struct riad_end oldest = look->from;
    int r = 0;

    if (below != look->cut_below && look->from.segment < below) {
        r = find_oldest(looking, &oldest);
    }
    if (r == 0) {
        look->cut_below = below;
        look->from = oldest.sequence.number > look->from.sequence.number ? oldest : look->from;
    }
    return r;
}

static int pass_change(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start, bool settled)
{
    struct looking *looking = context;
    int r = pass(looking->verifying, size);

    (void)content;
    (void)start;
    (void)settled;
    looking->verifying->now.changes++;
    looking->look->from = *end;
    return r > 0 || end->sequence.number >= looking->look->until.sequence.number ? -ERANGE : r;
}

static int look_at_log(struct looking *looking)
{
    const struct riad_workspace *workspace = looking->verifying->workspace;
    struct riad_history_look *look = looking->look;
    const struct riad_replay replay = { .workspace_fd = workspace->workspace_fd,
        .keys = workspace->keys,
        .history = looking->history,
        .from = look->from,
        .mark = look->until,
        .apply = pass_change,
        .context = looking };
    struct riad_replay_result result = { 0 };
    int r = riad_replay_run(&replay, &result);

    if (r == -EUCLEAN || r == -EIO) {
        return tell(looking, result.damage[0] ? result.damage : "the log cannot be read");
    }
    if (r == -ERANGE) {
        return look->from.sequence.number < look->until.sequence.number;
    }
    return r;
}

static int look_on(struct looking *looking)
{
    struct riad_history_look *look = looking->look;
    struct riad_verifying *verifying = looking->verifying;
    int r = look_at_checkpoints(looking);

    if (r == 0) {
        r = skip_cut(looking);
    }
    if (r != 0 || look->from.sequence.number >= look->until.sequence.number) {
        return r;
    }
    return verifying->allowed < LOG_STEP_BYTES ? 1 : look_at_log(looking);
}

void riad_history_look_free(struct riad_history_look *look)
{
    if (look) {
        riad_checkpoint_reader_free(look->reader);
        free(look->checkpoints);
        free(look);
    }
}

static int begin(struct riad_verifying *verifying, uint64_t begun)
{
    struct riad_workspace *workspace = verifying->workspace;
    _cleanup_(riad_history_look_freep) struct riad_history_look *look = calloc(1, sizeof *look);
    uint64_t start;
    int r;

    if (!look) {
        return -ENOMEM;
    }
    look->begun = begun;
    look->cut_below = cut_below(workspace);
    riad_log_synced(workspace->log, &look->until, &start);
    r = riad_segment_list(
            workspace->workspace_fd, RIAD_SEGMENT_CHECKPOINT, &look->checkpoints, &look->count);
    if (r == 0) {
        workspace->upkeep.look = riad_take_pointer(look);
    }
    return r;
}

static void end(struct riad_workspace *workspace)
{
    riad_history_look_free(workspace->upkeep.look);
    workspace->upkeep.look = NULL;
}

int riad_verify_history(struct riad_verifying *verifying, uint64_t begun)
{
    struct riad_workspace *workspace = verifying->workspace;
    struct riad_history history = { 0 };
    struct looking looking = { .verifying = verifying, .history = &history };
    int r = 0;

    if (!workspace->upkeep.look || workspace->upkeep.look->begun != begun) {
        end(workspace);
        r = begin(verifying, begun);
    }
    if (r == 0) {
        r = riad_history_load(workspace->workspace_fd, &workspace->binding, workspace->signers,
                &workspace->workspace_id, &history);
    }
    looking.look = workspace->upkeep.look;
    if (r == -EUCLEAN) {
        r = tell(&looking, "the terms of the workspace are damaged");
    } else if (r == 0) {
        r = look_on(&looking);
    }
    riad_history_done(&history);
    if (r == 0) {
        end(workspace);
    }
    return r;
}
