/* Checkpoints: the rows of one moment, sealed into the store (L6). */
#include <fcntl.h>

#include "riad/sysops.h"

#include "lifecycle_priv.h"

/* Bytes of log known to this workspace since it was opened. */
static uint64_t log_bytes(const struct riad_workspace *workspace)
{
    struct riad_log_counters counters;

    riad_log_count(workspace->log, &counters);
    return workspace->upkeep.log_bytes_found + counters.append_bytes;
}

bool riad_checkpoint_due(struct riad_workspace *workspace)
{
    const struct riad_upkeep *upkeep = &workspace->upkeep;
    uint64_t growth, due;

    pthread_mutex_lock(&workspace->checkpointing);
    growth = log_bytes(workspace) - upkeep->log_bytes_done;
    due = upkeep->checkpoint_bytes / 2;
    pthread_mutex_unlock(&workspace->checkpointing);
    return growth >= (due > RIAD_CHECKPOINT_GROWTH ? due : RIAD_CHECKPOINT_GROWTH);
}

int riad_checkpoint_measure(struct riad_workspace *workspace, const struct riad_history *history)
{
    struct riad_checkpoint_manifest manifest = { 0 };
    uint64_t segment = 0;
    uint64_t behind = 0;
    struct stat st = { 0 };
    char path[32];
    int r = riad_checkpoint_newest(workspace->workspace_fd, workspace->keys, history,
            atomic_load(&workspace->open_epoch), &manifest, &segment);

    if (r < 0 && r != -ENOENT) {
        return r;
    }
    if (r >= 0) {
        riad_segment_path(RIAD_SEGMENT_CHECKPOINT, segment, path);
        if (riad_sys->fstatat(workspace->workspace_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            return -errno;
        }
    }
    r = riad_log_bytes_behind(workspace->workspace_fd, &manifest.end, &behind);
    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&workspace->checkpointing);
    workspace->upkeep.checkpoint_bytes = (uint64_t)st.st_size;
    workspace->upkeep.log_bytes_found = behind;
    pthread_mutex_unlock(&workspace->checkpointing);
    return 0;
}

/* The rows right behind the last change (L6: right after a batch commit). */
static int take_snapshot(struct riad_workspace *workspace, struct riad_snapshot **ret)
{
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = workspace->state == RIAD_WORKSPACE_RUNNING ? riad_index_commit(workspace->index) : -EROFS;
    if (r >= 0) {
        r = riad_snapshot_take(workspace->index, ret);
    }
    riad_workspace_unlock(workspace);
    return r;
}

struct output {
    struct riad_workspace *workspace; /* NULL: nobody can tell us to stop */
    struct riad_checkpoint_writer *writer;
    uint64_t rows;
};

static int add_row(void *context, const uint8_t *operation, size_t size)
{
    struct output *output = context;

    if (++output->rows % 4096 == 0 && output->workspace &&
            riad_background_stopping(output->workspace)) {
        return -ECANCELED;
    }
    return riad_checkpoint_add(output->writer, operation, size);
}

/* The next inode's number stands in no row. */
static int add_workspace(struct riad_checkpoint_writer *writer, uint64_t next_inode)
{
    struct riad_change change = { 0 };
    int r;

    riad_change_begin(&change, riad_clock_now(), 0);
    riad_change_put_workspace(&change, next_inode);
    r = change.operations.error;
    if (r >= 0) {
        r = riad_checkpoint_add(writer, change.operations.data, change.operations.size);
    }
    riad_change_done(&change);
    return r;
}

int riad_checkpoint_add_rows(struct riad_checkpoint_writer *writer, struct riad_snapshot *snapshot,
        uint64_t next_inode, struct riad_workspace *workspace)
{
    struct output output = { .workspace = workspace, .writer = writer };
    int r = add_workspace(writer, next_inode);

    return r < 0 || !snapshot ? r : riad_snapshot_rows(snapshot, add_row, &output);
}

static int create(struct riad_workspace *workspace, const struct riad_snapshot_header *header,
        struct riad_checkpoint_writer **ret)
{
    struct riad_checkpoint_manifest manifest = {
        .end = header->end,
        .roster_head = workspace->roster_head,
        .time = riad_clock_now(),
        .next_inode = header->next_inode,
        .inodes = header->usage.inodes,
        .blocks = header->usage.blocks,
        .features = riad_log_features(workspace->log),
    };

    return riad_checkpoint_create(workspace->workspace_fd, workspace->keys,
            riad_log_new_segment_id(workspace->log), &manifest, ret);
}

/* The file is begun and its rows are in; the snapshot may go, and the WAL with it. */
static int write_rows(struct riad_workspace *workspace, struct riad_checkpoint_writer **ret)
{
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = NULL;
    _cleanup_(riad_checkpoint_writer_freep) struct riad_checkpoint_writer *writer = NULL;
    struct riad_snapshot_header header;
    int r = take_snapshot(workspace, &snapshot);

    if (r < 0) {
        return r;
    }
    riad_snapshot_header(snapshot, &header);
    r = create(workspace, &header, &writer);
    if (r >= 0) {
        r = riad_checkpoint_add_rows(writer, snapshot, header.next_inode, workspace);
    }
    if (r >= 0) {
        *ret = riad_take_pointer(writer);
    }
    return r;
}

static bool is_usable(struct riad_workspace *workspace, const struct riad_history *history,
        uint64_t segment, struct riad_checkpoint_manifest *ret)
{
    int r = riad_checkpoint_read(
            workspace->workspace_fd, workspace->keys, segment, ret, NULL, NULL);

    return r >= 0 && riad_checkpoint_counts(ret, history, atomic_load(&workspace->open_epoch));
}

/* Keeps the newest two that are of use. The log since the older is kept too (L6). */
static int remove_older(struct riad_workspace *workspace, const struct riad_history *history)
{
    _cleanup_free_ uint64_t *ids = NULL;
    struct riad_checkpoint_manifest manifest;
    size_t count = 0;
    unsigned kept = 0;
    int r = riad_segment_list(workspace->workspace_fd, RIAD_SEGMENT_CHECKPOINT, &ids, &count);

    while (r >= 0 && count-- > 0) {
        if (kept == RIAD_KEPT_CHECKPOINTS ||
                !is_usable(workspace, history, ids[count], &manifest)) {
            r = riad_retire_file(workspace, RIAD_SEGMENT_CHECKPOINT, ids[count]);
        } else if (++kept == RIAD_KEPT_CHECKPOINTS) {
            workspace->upkeep.cut_below = manifest.end.segment;
        }
    }
    return r;
}

static int prune(struct riad_workspace *workspace)
{
    struct riad_history history = { 0 };
    int r = riad_term_check(workspace->workspace_fd, &workspace->binding, workspace->signers,
            &workspace->workspace_id, workspace->term);

    if (r < 0) {
        return r;
    }
    r = riad_history_load(workspace->workspace_fd, &workspace->binding, workspace->signers,
            &workspace->workspace_id, &history);
    if (r < 0) {
        return r;
    }
    r = remove_older(workspace, &history);
    riad_history_done(&history);
    return r;
}

int riad_checkpoint_prune(struct riad_workspace *workspace)
{
    int r;

    pthread_mutex_lock(&workspace->checkpointing);
    r = prune(workspace);
    pthread_mutex_unlock(&workspace->checkpointing);
    return r;
}

/* What the checkpoint names must be durable before the checkpoint is: else it would outlive a log
 * that lost its end. */
static int write_checkpoint(struct riad_workspace *workspace)
{
    _cleanup_(riad_checkpoint_writer_freep) struct riad_checkpoint_writer *writer = NULL;
    uint64_t bytes = 0;
    int r = write_rows(workspace, &writer);

    if (r >= 0) {
        r = riad_workspace_sync(workspace);
    }
    if (r >= 0) {
        r = riad_checkpoint_finish(writer, &bytes);
    }
    if (r < 0) {
        return r;
    }
    workspace->upkeep.checkpoint_bytes = bytes;
    pthread_mutex_lock(&workspace->mutation);
    workspace->checkpoints++;
    pthread_mutex_unlock(&workspace->mutation);
    return prune(workspace);
}

int riad_workspace_checkpoint(struct riad_workspace *workspace)
{
    int r;

    if (workspace->read_only_open) {
        return -EROFS;
    }
    pthread_mutex_lock(&workspace->checkpointing);
    /* Also after a failure: it is tried again after as much growth. */
    workspace->upkeep.log_bytes_done = log_bytes(workspace);
    r = write_checkpoint(workspace);
    pthread_mutex_unlock(&workspace->checkpointing);
    return r;
}
