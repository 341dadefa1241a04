/* From what the node's disk and the store hold to rows at the end of the log (L3, L4). */
#include <stdio.h>

#include "riad/replay.h"

#include "lifecycle_priv.h"

enum verdict {
    VERDICT_KEEP,     /* the log has the index's last change */
    VERDICT_REBUILD,  /* it has not, and is whole without it */
    VERDICT_TOLERATE, /* it has not, and is damaged; the index knows all that was durable */
};

/* What one replay carries through its callback. */
struct follow {
    struct riad_opening *opening;
    uint64_t total; /* bytes of log to read, about */
    uint64_t done;
    struct riad_end last;
    uint64_t changes;
    int index_error; /* the change could not be applied: index, not log */
};

static void tell(struct follow *follow)
{
    const struct riad_workspace_config *config = follow->opening->config;

    if (config->progress) {
        config->progress(config->progress_context, "bytes of the log read",
                follow->done < follow->total ? follow->done : follow->total, follow->total);
    }
}

static void count(struct follow *follow, const struct riad_end *end)
{
    if (end->segment == follow->last.segment && end->offset > follow->last.offset) {
        follow->done += end->offset - follow->last.offset;
    } else {
        follow->done += end->offset;
    }
    follow->last = *end;
    if (++follow->changes % RIAD_REPLAY_BATCH_MAX == 0) {
        tell(follow);
    }
}

static int apply_change(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start)
{
    struct follow *follow = context;
    struct riad_index *index = follow->opening->index;
    struct riad_reader operations;
    struct timespec time;
    uint64_t request;
    uint32_t operation_count;
    int r = riad_change_parse(content, size, &time, &request, &operation_count, &operations);

    if (r >= 0) {
        r = riad_index_apply(index, &operations, end, start);
    }
    if (r >= 0 && riad_index_pending(index) >= RIAD_REPLAY_BATCH_MAX) {
        r = riad_index_commit(index);
    }
    if (r < 0) {
        follow->index_error = r;
        return r;
    }
    count(follow, end);
    return 0;
}

static int refuse_damage(struct riad_opening *opening, const struct riad_replay_result *result)
{
    return riad_reason_set(opening->reason, -EUCLEAN,
            "the log of %s is damaged after change %llu: %s; nothing was changed: run riad fsck, "
            "and "
            "restore ws/ of the store from a backup",
            opening->config->name, (unsigned long long)result->end.sequence.number,
            result->damage[0] ? result->damage : "records are missing");
}

static void prepare(
        struct riad_opening *opening, const struct riad_end *from, struct riad_replay *ret)
{
    *ret = (struct riad_replay){
        .workspace_fd = opening->config->workspace_fd,
        .keys = opening->keys,
        .history = &opening->history,
        .from = *from,
    };
    if (opening->mark.end.sequence.number > from->sequence.number) {
        ret->mark = opening->mark.end;
    }
}

/* The mark and the index name the same change by different hashes: another history. */
static int check_mark(struct riad_opening *opening, const struct riad_end *end)
{
    const struct riad_end *mark = &opening->mark.end;

    if (mark->sequence.number == 0 || mark->sequence.number != end->sequence.number ||
            riad_hash_equal(&mark->chain, &end->chain)) {
        return 0;
    }
    return riad_reason_set(opening->reason, -EUCLEAN,
            "the store holds another history of %s than this machine has synced (change %llu); the "
            "store was rolled back or replaced",
            opening->config->name, (unsigned long long)mark->sequence.number);
}

int riad_recover_follow(struct riad_opening *opening)
{
    struct follow follow = { .opening = opening };
    struct riad_replay replay;
    struct riad_replay_result result = { 0 };
    uint64_t start;
    int r;

    riad_index_end(opening->index, &follow.last, &start);
    r = check_mark(opening, &follow.last);
    if (r < 0) {
        return r;
    }
    r = riad_log_bytes_behind(opening->config->workspace_fd, &follow.last, &follow.total);
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot list the log of %s: %s",
                opening->config->name, strerror(-r));
    }
    prepare(opening, &follow.last, &replay);
    replay.check_data = opening->check_data;
    replay.apply = apply_change;
    replay.context = &follow;
    r = riad_replay_run(&replay, &result);
    opening->replayed += follow.changes;
    opening->bytes += result.bytes;
    if (follow.index_error < 0) {
        return riad_reason_set(opening->reason, follow.index_error,
                "change %llu of %s cannot be applied to the index in %s: %s",
                (unsigned long long)follow.last.sequence.number + 1, opening->config->name,
                opening->index_path, strerror(-follow.index_error));
    }
    if (r == -EUCLEAN) {
        return refuse_damage(opening, &result);
    }
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot read the log of %s: %s",
                opening->config->name, strerror(-r));
    }
    if (follow.changes > 0) {
        tell(&follow);
    }
    return riad_index_commit(opening->index);
}

static int ignore_change(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start)
{
    (void)context;
    (void)content;
    (void)size;
    (void)end;
    (void)start;
    return 0;
}

/* Reads the log without applying it, from where a rebuild would. */
static int verify_log(struct riad_opening *opening, struct riad_replay_result *ret)
{
    const struct riad_workspace_config *config = opening->config;
    struct riad_checkpoint_manifest manifest = { 0 };
    struct riad_replay replay;
    uint64_t segment;
    int r = riad_checkpoint_newest(
            config->workspace_fd, opening->keys, &opening->history, &manifest, &segment);

    if (r < 0 && r != -ENOENT) {
        return r;
    }
    prepare(opening, &manifest.end, &replay);
    replay.apply = ignore_change;
    return riad_replay_run(&replay, ret);
}

/* Nobody wrote to the history behind the index: its term is open-ended, or bound just there. */
static bool is_newest(const struct riad_opening *opening, const struct riad_end *end)
{
    struct riad_end bound;

    if (end->sequence.number < opening->mark.end.sequence.number ||
            !riad_history_covers(&opening->history, end)) {
        return false;
    }
    return !riad_history_bound(&opening->history, end->sequence.term, &bound) ||
           riad_hash_equal(&bound.chain, &end->chain);
}

/* The log does not hold the index's last change. Either it lost bytes that were never synced (L3),
 * or another node's history took their place, or it is damaged: then nothing is thrown away. */
static int weigh(struct riad_opening *opening, const struct riad_end *end, enum verdict *ret)
{
    struct riad_replay_result result = { 0 };
    int r = verify_log(opening, &result);

    if (r == -EUCLEAN) {
        if (!is_newest(opening, end)) {
            return refuse_damage(opening, &result);
        }
        snprintf(opening->damage, sizeof opening->damage, "%s", result.damage);
        *ret = VERDICT_TOLERATE;
        return 0;
    }
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot read the log of %s: %s",
                opening->config->name, strerror(-r));
    }
    *ret = VERDICT_REBUILD;
    return 0;
}

static int judge(struct riad_opening *opening, enum verdict *ret)
{
    struct riad_end end;
    uint64_t start;
    int r;

    riad_index_end(opening->index, &end, &start);
    if (end.sequence.number == 0) {
        *ret = VERDICT_REBUILD;
        return 0;
    }
    if (!riad_history_covers(&opening->history, &end)) {
        return weigh(opening, &end, ret);
    }
    if (start == 0) {
        *ret = VERDICT_KEEP; /* the rows of a checkpoint, whose change was durable before it (L6) */
        return 0;
    }
    r = riad_replay_find(
            opening->config->workspace_fd, opening->keys, &opening->history, &end, start);
    if (r == -ENOENT) {
        return weigh(opening, &end, ret);
    }
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot read the log of %s: %s",
                opening->config->name, strerror(-r));
    }
    *ret = VERDICT_KEEP;
    return 0;
}

int riad_recover_mark(struct riad_opening *opening)
{
    int r = riad_mark_read(opening->config->state_fd, &opening->mark);

    if (r == -ENOENT) {
        return 0;
    }
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot read the mark in %s: %s",
                opening->config->state_path, strerror(-r));
    }
    return 0;
}

static int open_index(struct riad_opening *opening)
{
    int r = riad_index_open(opening->index_path, opening->keys, &opening->index);

    if (r == -EUCLEAN || r == -EBADMSG) {
        return riad_rebuild_empty(opening);
    }
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot open the index in %s: %s",
                opening->index_path, strerror(-r));
    }
    return 0;
}

static int rebuild(struct riad_opening *opening)
{
    int r = riad_rebuild_empty(opening);

    if (r >= 0) {
        r = riad_rebuild_from_checkpoint(opening);
    }
    return r < 0 ? r : riad_recover_follow(opening);
}

int riad_recover(struct riad_opening *opening)
{
    enum verdict verdict = VERDICT_KEEP;
    int r = open_index(opening);

    if (r >= 0) {
        r = judge(opening, &verdict);
    }
    if (r < 0) {
        return r;
    }
    if (verdict == VERDICT_TOLERATE) {
        opening->tolerated = true;
        return 0;
    }
    if (verdict == VERDICT_KEEP) {
        r = riad_recover_follow(opening);
        if (r != -EBADMSG) {
            return r; /* -EBADMSG: the index does not fit the log; a new one may */
        }
    }
    return rebuild(opening);
}
