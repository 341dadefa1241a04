/* An index made anew: the newest checkpoint, and what the log has behind it (L3, L6). */
#include <fcntl.h>

#include "riad/sysops.h"
#include "riad/tree.h"

#include "lifecycle_priv.h"

enum { FOLD_STEPS = 4096 };

bool riad_history_covers(const struct riad_history *history, const struct riad_end *end)
{
    struct riad_end bound;

    for (size_t i = 0; i < history->count; i++) {
        if (history->terms[i].number != end->sequence.term) {
            continue;
        }
        if (!riad_history_bound(history, end->sequence.term, &bound)) {
            return true;
        }
        return end->sequence.number < bound.sequence.number ||
               (end->sequence.number == bound.sequence.number &&
                       riad_hash_equal(&end->chain, &bound.chain));
    }
    return false;
}

static int size_of(int workspace_fd, uint64_t segment, uint64_t *ret)
{
    char path[32];
    struct stat st;

    riad_segment_path(RIAD_SEGMENT_LOG, segment, path);
    if (riad_sys->fstatat(workspace_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return -errno;
    }
    *ret = (uint64_t)st.st_size;
    return 0;
}

int riad_log_bytes_behind(int workspace_fd, const struct riad_end *end, uint64_t *ret)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    uint64_t total = 0;
    int r = riad_segment_list(workspace_fd, RIAD_SEGMENT_LOG, &ids, &count);

    for (size_t i = 0; i < count && r >= 0; i++) {
        uint64_t size = 0;
        uint64_t skipped = ids[i] == end->segment ? end->offset : 0;

        if (ids[i] >= end->segment) {
            r = size_of(workspace_fd, ids[i], &size);
            total += size > skipped ? size - skipped : 0;
        }
    }
    if (r < 0) {
        return r;
    }
    *ret = total;
    return 0;
}

bool riad_checkpoint_counts(const struct riad_checkpoint_manifest *manifest,
        const struct riad_history *history, uint32_t open_epoch)
{
    return manifest->epoch >= open_epoch && riad_history_covers(history, &manifest->end);
}

static int read_manifest(int workspace_fd, const struct riad_keys *keys,
        const struct riad_history *history, uint32_t open_epoch, uint64_t segment,
        struct riad_checkpoint_manifest *ret)
{
    struct riad_checkpoint_manifest manifest;
    int r = riad_checkpoint_read(workspace_fd, keys, segment, &manifest, NULL, NULL);

    if (r < 0) {
        return r;
    }
    if (!riad_checkpoint_counts(&manifest, history, open_epoch)) {
        return -ENOENT; /* a superseded owner's, or of an epoch that ended */
    }
    *ret = manifest;
    return 0;
}

int riad_checkpoint_newest(int workspace_fd, const struct riad_keys *keys,
        const struct riad_history *history, uint32_t open_epoch,
        struct riad_checkpoint_manifest *ret, uint64_t *ret_segment)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    int r = riad_segment_list(workspace_fd, RIAD_SEGMENT_CHECKPOINT, &ids, &count);

    if (r < 0) {
        return r;
    }
    while (count-- > 0) {
        r = read_manifest(workspace_fd, keys, history, open_epoch, ids[count], ret);
        if (r >= 0) {
            *ret_segment = ids[count];
            return 0;
        }
        if (r != -ENOENT && r != -EBADMSG) {
            return r;
        }
    }
    return -ENOENT;
}

int riad_rebuild_empty(struct riad_opening *opening)
{
    int r;

    if (opening->index) {
        riad_index_close(opening->index);
        opening->index = NULL;
    }
    r = riad_index_discard(opening->index_path);
    if (r >= 0) {
        r = riad_index_open(opening->index_path, opening->keys, &opening->index);
    }
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot make a new index in %s: %s",
                opening->index_path, strerror(-r));
    }
    return 0;
}

struct load {
    struct riad_opening *opening;
    uint64_t bytes;
};

static int load_frame(void *context, const uint8_t *operations, size_t size)
{
    struct load *load = context;
    int r = riad_index_load(load->opening->index, operations, size);

    if (r < 0) {
        return r;
    }
    load->bytes += size;
    return riad_workspace_progress(
            load->opening->config, "bytes of the checkpoint read", load->bytes, 0);
}

/* The rows add up to what the manifest says. */
static int check_totals(struct riad_index *index, const struct riad_checkpoint_manifest *manifest)
{
    struct riad_usage usage;

    riad_index_usage(index, &usage);
    return usage.inodes == manifest->inodes && usage.blocks == manifest->blocks &&
                           riad_index_next_inode(index) == manifest->next_inode
                   ? 0
                   : -EBADMSG;
}

/* Nobody waits for the lock now, and whoever asks first would wait for this (riad/tree.h). Two
 * rounds bring all up; in a damaged tree, which goes in circles, there would be no end. */
static int fold_sums(struct riad_index *index)
{
    uint64_t folds = riad_index_folds(index) + 2;
    bool more = true;
    int r = 0;

    while (r >= 0 && more && riad_index_folds(index) < folds) {
        r = riad_index_fold(index, FOLD_STEPS, &more);
    }
    return r;
}

int riad_rebuild_load(struct riad_opening *opening, uint64_t segment)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(opening->config);
    int fd = opening->config->workspace_fd;
    struct load load = { .opening = opening };
    struct riad_checkpoint_manifest manifest;
    int r = read_manifest(
            fd, opening->keys, &opening->history, riad_epoch_open(&epochs), segment, &manifest);

    if (r >= 0) {
        r = riad_checkpoint_read(fd, opening->keys, segment, &manifest, load_frame, &load);
    }
    if (r >= 0) {
        r = check_totals(opening->index, &manifest);
    }
    if (r >= 0) {
        r = riad_index_set_end(opening->index, &manifest.end, 0);
    }
    if (r >= 0) {
        r = fold_sums(opening->index);
    }
    return r < 0 ? r : riad_index_commit(opening->index);
}

/* 1: loaded; 0: not usable, the index is empty again. */
static int try_checkpoint(struct riad_opening *opening, uint64_t segment)
{
    int r = riad_rebuild_load(opening, segment);

    if (r >= 0) {
        return 1;
    }
    if (r != -EBADMSG && r != -ENOENT) {
        return riad_reason_set(opening->reason, r, "cannot load checkpoint %016llx of %s: %s",
                (unsigned long long)segment, opening->config->name, strerror(-r));
    }
    r = riad_rebuild_empty(opening);
    return r < 0 ? r : 0;
}

/* The first that is usable, from the newest down or from the oldest up; an empty index if none is.
 */
static int load_first(struct riad_opening *opening, bool newest)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    int r = riad_segment_list(opening->config->workspace_fd, RIAD_SEGMENT_CHECKPOINT, &ids, &count);

    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot list the checkpoints of %s: %s",
                opening->config->name, strerror(-r));
    }
    for (size_t i = 0; i < count; i++) {
        r = try_checkpoint(opening, ids[newest ? count - 1 - i : i]);
        if (r != 0) {
            return r < 0 ? r : 0;
        }
    }
    return 0;
}

int riad_rebuild_from_checkpoint(struct riad_opening *opening)
{
    return load_first(opening, true);
}

int riad_rebuild_from_oldest(struct riad_opening *opening)
{
    return load_first(opening, false);
}
