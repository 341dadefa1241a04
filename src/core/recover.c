/* From what the node's disk and the store hold to rows at the end of the log (L3, L4). */
#include "recover_priv.h"

/* What one replay carries through its callback. */
struct follow {
    struct riad_opening *opening;
    uint64_t total; /* bytes of log to read, about */
    uint64_t done;
    struct riad_end last;
    uint64_t changes;
    int index_error; /* the change could not be applied: index, not log */
    struct riad_payload_check payloads;
};

static int tell(struct follow *follow)
{
    return riad_workspace_progress(follow->opening->config, "bytes of the log read",
            follow->done < follow->total ? follow->done : follow->total, follow->total);
}

static int count(struct follow *follow, const struct riad_end *end)
{
    if (end->segment == follow->last.segment && end->offset > follow->last.offset) {
        follow->done += end->offset - follow->last.offset;
    } else {
        follow->done += end->offset;
    }
    follow->last = *end;
    return ++follow->changes % RIAD_BATCH_MAX == 0 ? tell(follow) : 0;
}

static int apply_operations(struct follow *follow, struct riad_reader *operations,
        const struct riad_end *end, uint64_t start)
{
    struct riad_index *index = follow->opening->index;
    int r = riad_index_apply(index, operations, end, start);

    if (r >= 0 && riad_index_pending(index) >= RIAD_BATCH_MAX) {
        r = riad_index_commit(index);
    }
    if (r < 0) {
        follow->index_error = r;
        return r;
    }
    return count(follow, end);
}

static int apply_change(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start, bool settled)
{
    struct follow *follow = context;
    struct riad_reader operations;
    struct timespec time;
    uint64_t request;
    uint32_t operation_count;
    int r = riad_change_parse(content, size, &time, &request, &operation_count, &operations);

    if (r >= 0 && !settled) {
        r = riad_payload_check(&follow->payloads, end->sequence.number, operations);
    }
    if (r == -EBADMSG || r == -EUCLEAN) {
        follow->index_error = r;
    }
    return r != 0 ? r : apply_operations(follow, &operations, end, start);
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

/* Turns what stopped a replay into a sentence. */
static int explain(struct riad_opening *opening, const struct follow *follow,
        const struct riad_replay_result *result, int error)
{
    if (follow->index_error < 0) {
        opening->index_unfit = follow->index_error == -EBADMSG || follow->index_error == -EUCLEAN;
        return riad_reason_set(opening->reason, follow->index_error,
                "change %llu of %s cannot be applied to the index in %s: %s",
                (unsigned long long)follow->last.sequence.number + 1, opening->config->name,
                opening->index_path, strerror(-follow->index_error));
    }
    if (error == -EUCLEAN) {
        return riad_recover_refuse(opening, result);
    }
    return riad_reason_set(opening->reason, error, "cannot read the log of %s: %s",
            opening->config->name, strerror(-error));
}

static int replay_log(struct riad_opening *opening, struct follow *follow)
{
    struct riad_replay replay;
    struct riad_replay_result result = { 0 };
    int r;

    riad_recover_prepare(opening, &follow->last, &replay);
    replay.check_data = opening->check_data;
    replay.apply = apply_change;
    replay.context = follow;
    follow->payloads = (struct riad_payload_check){
        .workspace_fd = opening->config->workspace_fd,
        .keys = opening->keys,
        .epochs = riad_workspace_epochs(opening->config),
        .index = opening->index,
    };
    r = riad_replay_run(&replay, &result);
    riad_payload_check_done(&follow->payloads);
    opening->replayed += follow->changes;
    opening->bytes += result.bytes;
    opening->dropped = result.dropped;
    return r < 0 ? explain(opening, follow, &result, r) : 0;
}

int riad_recover_follow(struct riad_opening *opening)
{
    struct follow follow = { .opening = opening };
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
    r = replay_log(opening, &follow);
    if (r < 0) {
        return r;
    }
    if (follow.changes > 0) {
        r = tell(&follow);
    }
    return r < 0 ? r : riad_index_commit(opening->index);
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

struct riad_spool_home riad_recover_spool_home(const struct riad_opening *opening)
{
    return (struct riad_spool_home){ .state_fd = opening->config->state_fd,
        .workspace = *riad_keys_workspace(opening->keys),
        .boot = opening->config->boot };
}

int riad_recover_spool(struct riad_opening *opening)
{
    const struct riad_workspace_config *config = opening->config;
    const struct riad_spool_home home = riad_recover_spool_home(opening);
    const struct riad_history *history = &opening->history;
    const struct riad_term *last = history->count > 0 ? &history->terms[history->count - 1] : NULL;
    bool own = last && riad_id_equal(&last->node, &config->node);
    int r = riad_spool_deliver(
            &home, config->workspace_fd, own ? last->number : 0, &opening->spooled);

    return r < 0 ? riad_reason_set(opening->reason, r,
                           "the last changes of %s, which a process that was killed left in "
                           "%s/spool, cannot be written to the store: %s",
                           config->name, config->state_path, strerror(-r))
                 : 0;
}

bool riad_recover_spool_late(const struct riad_opening *opening, struct riad_reason *ret)
{
    if (opening->spooled.aside) {
        snprintf(ret->text, sizeof ret->text,
                "%llu bytes of changes that a killed process had not written to the store came too "
                "late: another term has begun; they are kept in %s/spool.%016llx",
                (unsigned long long)opening->spooled.bytes, opening->config->state_path,
                (unsigned long long)opening->spooled.segment);
    }
    return opening->spooled.aside;
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
    enum riad_verdict verdict = RIAD_VERDICT_KEEP;
    int r = open_index(opening);

    if (r >= 0) {
        r = riad_verdict_reach(opening, &verdict);
    }
    if (r < 0) {
        return r;
    }
    if (verdict == RIAD_VERDICT_TOLERATE) {
        opening->tolerated = true;
        return 0;
    }
    if (verdict == RIAD_VERDICT_KEEP) {
        r = riad_recover_follow(opening);
        if (!opening->index_unfit) {
            return r;
        }
    }
    return rebuild(opening);
}
