/* fsck of rows: among themselves, and of every index and checkpoint against the log's. */
#include <fcntl.h>

#include "riad/digest.h"
#include "riad/replay.h"
#include "riad/sysops.h"
#include "riad/tree.h"

#include "fsck_priv.h"

static int add_row(void *context, const uint8_t *operation, size_t size)
{
    struct riad_fsck_digest *digest = context;
    const struct riad_piece piece = { operation, size };
    struct riad_hash hash;
    uint64_t words[4];
    int r = riad_sha256(&piece, 1, &hash);

    if (r < 0) {
        return r;
    }
    memcpy(words, hash.bytes, sizeof words);
    for (size_t i = 0; i < 4; i++) {
        digest->words[i] += words[i];
    }
    digest->rows++;
    return 0;
}

static int reap_all(struct riad_index *index)
{
    bool more = true;
    int r = 0;

    while (more && r >= 0) {
        r = riad_index_reap(index, 4096, &more);
    }
    return r;
}

static int take_snapshot(struct riad_opening *opening, struct riad_snapshot **ret)
{
    int r = reap_all(opening->index);

    if (r >= 0) {
        r = riad_index_commit(opening->index);
    }
    return r < 0 ? r : riad_snapshot_take(opening->index, ret);
}

int riad_fsck_digest(struct riad_opening *opening, struct riad_fsck_digest *ret)
{
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = NULL;
    struct riad_fsck_digest digest = { 0 };
    int r = take_snapshot(opening, &snapshot);

    if (r >= 0) {
        r = riad_snapshot_rows(snapshot, add_row, &digest);
    }
    if (r < 0) {
        return r;
    }
    *ret = digest;
    return 0;
}

static void pass_on(void *context, const char *finding)
{
    struct riad_fsck *fsck = context;

    riad_fsck_find(fsck, "%s", finding);
}

int riad_fsck_rows(struct riad_fsck *fsck, struct riad_opening *opening)
{
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = NULL;
    struct riad_usage usage;
    uint64_t findings = 0;
    int r = take_snapshot(opening, &snapshot);

    if (r < 0) {
        return r;
    }
    riad_index_usage(opening->index, &usage);
    fsck->result.inodes = usage.inodes;
    fsck->result.blocks = usage.blocks;
    return riad_snapshot_check(snapshot, pass_on, fsck, &findings);
}

static bool is_equal(const struct riad_fsck_digest *a, const struct riad_fsck_digest *b)
{
    return a->rows == b->rows && memcmp(a->words, b->words, sizeof a->words) == 0;
}

/* Brings the rows to the log's end and compares. -EUCLEAN, -EBADMSG: the reason says why not. */
static int compare(
        struct riad_opening *opening, const struct riad_fsck_digest *expected, bool *ret_equal)
{
    struct riad_fsck_digest digest;
    int r = riad_recover_follow(opening);

    if (r >= 0) {
        r = riad_fsck_digest(opening, &digest);
    }
    if (r < 0) {
        return r;
    }
    *ret_equal = is_equal(&digest, expected);
    return 0;
}

/* An index whose last change the log does not have, or has behind its end, will be made anew at the
 * next opening (L3). */
static bool fits_log(const struct riad_fsck *fsck, struct riad_opening *opening)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(opening->config);
    struct riad_end end;
    uint64_t start;

    riad_index_end(opening->index, &end, &start);
    if (end.sequence.number == 0 || end.sequence.number > fsck->log_end.sequence.number ||
            !riad_history_covers(&opening->history, &end)) {
        return false;
    }
    if (start == 0) {
        return riad_replay_connects(opening->config->workspace_fd, opening->keys, &opening->history,
                       &epochs, &end) == 0;
    }
    return riad_replay_find(opening->config->workspace_fd, opening->keys, &opening->history,
                   &epochs, &end, start) == 0;
}

/* They are in no digest, as no log has them. */
static int check_sums(struct riad_fsck *fsck, struct riad_opening *opening)
{
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = NULL;
    uint64_t findings = 0;
    int r = take_snapshot(opening, &snapshot);

    if (r >= 0) {
        r = riad_snapshot_check_tree(snapshot, pass_on, fsck, &findings);
    }
    if (r >= 0 && findings > 0) {
        fsck->result.index_damaged = true;
        riad_fsck_find(fsck,
                "the index in %s has wrong sums of directories; remove it, it is made anew",
                opening->index_path);
    }
    return r;
}

static int compare_local(struct riad_fsck *fsck, struct riad_opening *opening,
        const struct riad_fsck_digest *expected)
{
    bool equal = false;
    int r = riad_index_open(opening->index_path, opening->keys, &opening->index);

    if (r >= 0 && !fits_log(fsck, opening)) {
        return 0;
    }
    if (r >= 0) {
        r = compare(opening, expected, &equal);
    }
    if (r == -EUCLEAN || r == -EBADMSG) {
        fsck->result.index_damaged = true;
        riad_fsck_find(fsck,
                "the index in %s does not follow the log: %s; remove it, it is made anew",
                opening->index_path, opening->reason->text);
        return 0;
    }
    if (r >= 0 && !equal) {
        fsck->result.index_damaged = true;
        riad_fsck_find(fsck,
                "the index in %s differs from what the log adds up to; remove it, it is "
                "made anew",
                opening->index_path);
    }
    return r < 0 ? r : check_sums(fsck, opening);
}

int riad_fsck_local(struct riad_fsck *fsck, const struct riad_fsck_digest *expected)
{
    struct riad_reason reason = { "" };
    struct riad_opening opening;
    struct stat st;
    int r;

    if (riad_sys->fstatat(fsck->config->state_fd, "index.db", &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    riad_fsck_begin(fsck, fsck->config->state_path, &reason, &opening);
    r = compare_local(fsck, &opening, expected);
    riad_fsck_end(fsck, &opening);
    return r;
}

static int compare_checkpoint(struct riad_fsck *fsck, struct riad_opening *opening,
        uint64_t segment, const struct riad_fsck_digest *expected)
{
    bool equal = true;
    int r = riad_rebuild_load(opening, segment);

    if (r >= 0 && fsck->log_whole) {
        r = compare(opening, expected, &equal);
    }
    if (r == -ENOENT) {
        return 0; /* of an owner that was superseded, or of an epoch that ended */
    }
    if (r == -EBADMSG || r == -EUCLEAN) {
        fsck->result.checkpoint_damaged = true;
        riad_fsck_find(fsck, "ckpt/%016llx is damaged%s%s", (unsigned long long)segment,
                opening->reason->text[0] ? ": " : "", opening->reason->text);
        return 0;
    }
    if (r >= 0 && !equal) {
        fsck->result.checkpoint_damaged = true;
        riad_fsck_find(fsck, "ckpt/%016llx holds other rows than the log adds up to",
                (unsigned long long)segment);
        return 0;
    }
    if (r >= 0) {
        fsck->result.checkpoints++;
    }
    return r;
}

static int check_checkpoint(
        struct riad_fsck *fsck, uint64_t segment, const struct riad_fsck_digest *expected)
{
    struct riad_reason reason = { "" };
    struct riad_opening opening;
    int r;

    riad_fsck_begin(fsck, fsck->path, &reason, &opening);
    r = riad_rebuild_empty(&opening);
    if (r >= 0) {
        r = compare_checkpoint(fsck, &opening, segment, expected);
    }
    riad_fsck_end(fsck, &opening);
    return r;
}

int riad_fsck_checkpoints(struct riad_fsck *fsck, const struct riad_fsck_digest *expected)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    int r = riad_segment_list(fsck->config->workspace_fd, RIAD_SEGMENT_CHECKPOINT, &ids, &count);

    for (size_t i = 0; i < count && r >= 0; i++) {
        r = check_checkpoint(fsck, ids[i], expected);
    }
    return r;
}
