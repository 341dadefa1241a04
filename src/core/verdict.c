/* Whether an index found on this node's disk may be used (L3, L4). */
#include <stdio.h>

#include "recover_priv.h"

static int ignore_change(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start, bool settled)
{
    (void)context;
    (void)content;
    (void)size;
    (void)end;
    (void)start;
    (void)settled;
    return 0;
}

void riad_recover_prepare(
        struct riad_opening *opening, const struct riad_end *from, struct riad_replay *ret)
{
    *ret = (struct riad_replay){
        .workspace_fd = opening->config->workspace_fd,
        .keys = opening->keys,
        .history = &opening->history,
        .from = *from,
        .apply = ignore_change,
        .durable = opening->closed_number,
        .epochs = riad_workspace_epochs(opening->config),
    };
    if (opening->mark.end.sequence.number > from->sequence.number) {
        ret->mark = opening->mark.end;
    }
}

int riad_recover_refuse(struct riad_opening *opening, const struct riad_replay_result *result)
{
    return riad_reason_set(opening->reason, -EUCLEAN,
            "the log of %s is damaged behind change %llu: %s; nothing was changed: restore ws/ of "
            "the store from a backup, or let `riad fsck --repair` keep what can be read",
            opening->config->name, (unsigned long long)result->end.sequence.number,
            result->damage[0] ? result->damage : "records are missing");
}

/* The newest checkpoint that counts; an empty manifest if there is none. */
static int newest_checkpoint(struct riad_opening *opening, struct riad_checkpoint_manifest *ret)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(opening->config);
    struct riad_checkpoint_manifest manifest = { 0 };
    uint64_t segment;
    int r = riad_checkpoint_newest(opening->config->workspace_fd, opening->keys, &opening->history,
            riad_epoch_open(&epochs), &manifest, &segment);

    if (r < 0 && r != -ENOENT) {
        return r;
    }
    *ret = manifest;
    return 0;
}

/* The newest position that is known to be durable and can be read on from: the mark, or the newest
 * checkpoint, before which the log may be gone. */
static int find_base(struct riad_opening *opening, struct riad_end *ret)
{
    const struct riad_end *mark = &opening->mark.end;
    struct riad_checkpoint_manifest manifest;
    int r = newest_checkpoint(opening, &manifest);

    if (r < 0) {
        return r;
    }
    *ret = mark->sequence.number > manifest.end.sequence.number &&
                           riad_history_covers(&opening->history, mark)
                   ? *mark
                   : manifest.end;
    return 0;
}

/* 1: the newest checkpoint is ahead of the index, and the log between them is gone (L6): the index
 * was left behind while another node owned the workspace, or is a copy of an older day. It has
 * nothing that the checkpoint has not. */
static int is_outrun(struct riad_opening *opening, const struct riad_end *end)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(opening->config);
    struct riad_checkpoint_manifest manifest;
    int r = newest_checkpoint(opening, &manifest);

    if (r < 0 || manifest.end.sequence.number <= end->sequence.number) {
        return r;
    }
    r = riad_replay_connects(
            opening->config->workspace_fd, opening->keys, &opening->history, &epochs, end);
    if (r == -EUCLEAN) {
        return 0; /* damage is for those to find who read on */
    }
    return r == -ENOENT ? 1 : r;
}

/* Reads the log without applying it, from where a rebuild would. */
static int verify_log(struct riad_opening *opening, struct riad_replay_result *ret)
{
    struct riad_checkpoint_manifest manifest;
    struct riad_replay replay;
    int r = newest_checkpoint(opening, &manifest);

    if (r < 0) {
        return r;
    }
    riad_recover_prepare(opening, &manifest.end, &replay);
    return riad_replay_run(&replay, ret);
}

/* Nobody wrote to the history behind the index: its term is open-ended, or bound just there. An
 * index that was made anew of what can be read of the log has less than was durable. */
static bool is_newest(
        const struct riad_opening *opening, const struct riad_end *end, uint64_t durable)
{
    struct riad_end bound;

    if (end->sequence.number < opening->mark.end.sequence.number ||
            end->sequence.number < durable || !riad_history_covers(&opening->history, end)) {
        return false;
    }
    return !riad_history_bound(&opening->history, end->sequence.term, &bound) ||
           riad_hash_equal(&bound.chain, &end->chain);
}

/* The log does not hold the index's last change. Either it lost bytes that were never synced (L3),
 * or another node's history took their place, or it is damaged: then nothing is thrown away. */
static int weigh(struct riad_opening *opening, const struct riad_end *end, enum riad_verdict *ret)
{
    struct riad_replay_result result = { 0 };
    int r = verify_log(opening, &result);

    if (r == -EUCLEAN) {
        if (!is_newest(opening, end, result.durable)) {
            return riad_recover_refuse(opening, &result);
        }
        snprintf(opening->damage, sizeof opening->damage, "%s", result.damage);
        *ret = RIAD_VERDICT_TOLERATE;
        return 0;
    }
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot read the log of %s: %s",
                opening->config->name, strerror(-r));
    }
    *ret = RIAD_VERDICT_REBUILD;
    return 0;
}

/* The way to the index's last change. */
struct approach {
    const struct riad_end *end; /* that change */
    bool reached;
    struct riad_payload_check payloads;
};

static bool is_same(const struct riad_end *a, const struct riad_end *b)
{
    return a->segment == b->segment && a->offset == b->offset &&
           a->sequence.number == b->sequence.number && riad_hash_equal(&a->chain, &b->chain);
}

/* What lies behind the index's last change is checked when it is applied. */
static int check_change(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start, bool settled)
{
    struct approach *approach = context;
    struct riad_reader operations;
    struct timespec time;
    uint64_t request;
    uint32_t operation_count;
    int r = 0;

    (void)start;
    if (!settled && end->sequence.number <= approach->end->sequence.number) {
        r = riad_change_parse(content, size, &time, &request, &operation_count, &operations);
        if (r >= 0) {
            r = riad_payload_check(&approach->payloads, end->sequence.number, operations);
        }
    }
    approach->reached |= r == 0 && is_same(end, approach->end);
    return r;
}

/* From a position that is durable to the index's last change. Its rows are ahead of the changes
 * between: they cannot say what was there before. */
static int walk_up(
        struct riad_opening *opening, const struct riad_end *from, struct approach *approach)
{
    struct riad_replay_result result = { 0 };
    struct riad_replay replay;
    int r;

    riad_recover_prepare(opening, from, &replay);
    replay.mark = (struct riad_end){ 0 };
    replay.apply = check_change;
    replay.context = approach;
    approach->payloads = (struct riad_payload_check){
        .workspace_fd = opening->config->workspace_fd,
        .keys = opening->keys,
        .epochs = riad_workspace_epochs(opening->config),
    };
    r = riad_replay_run(&replay, &result);
    riad_payload_check_done(&approach->payloads);
    return r;
}

/* Whether the log has the index's last change and everything before it that this node does not know
 * to be durable, payloads too: a power cut may leave a later change and tear an earlier one, and
 * what is kept here will be vouched for by the next term. 0, -EUCLEAN. */
static int check_tail(struct riad_opening *opening, const struct riad_end *end, uint64_t start)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(opening->config);
    struct approach approach = { .end = end };
    struct riad_end from;
    int r;

    if (end->sequence.number <= opening->mark.end.sequence.number) {
        r = riad_replay_find(opening->config->workspace_fd, opening->keys, &opening->history,
                &epochs, end, start);
        return r == -ENOENT ? -EUCLEAN : r;
    }
    r = find_base(opening, &from);
    if (r < 0) {
        return r;
    }
    approach.reached = from.sequence.number > end->sequence.number || is_same(&from, end);
    r = walk_up(opening, &from, &approach);
    return r == 0 && !approach.reached ? -EUCLEAN : r;
}

int riad_verdict_reach(struct riad_opening *opening, enum riad_verdict *ret)
{
    struct riad_end end;
    uint64_t start;
    int r;

    riad_index_end(opening->index, &end, &start);
    if (end.sequence.number == 0) {
        *ret = RIAD_VERDICT_REBUILD;
        return 0;
    }
    if (!riad_history_covers(&opening->history, &end)) {
        return weigh(opening, &end, ret);
    }
    r = is_outrun(opening, &end);
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot read the checkpoints of %s: %s",
                opening->config->name, strerror(-r));
    }
    if (r > 0) {
        *ret = RIAD_VERDICT_REBUILD;
        return 0;
    }
    if (start == 0) {
        *ret = RIAD_VERDICT_KEEP; /* the rows of a checkpoint, whose change was durable before it
                                     (L6) */
        return 0;
    }
    r = check_tail(opening, &end, start);
    if (r == -EUCLEAN) {
        return weigh(opening, &end, ret);
    }
    if (r < 0) {
        return riad_reason_set(opening->reason, r, "cannot read the log of %s: %s",
                opening->config->name, strerror(-r));
    }
    *ret = RIAD_VERDICT_KEEP;
    return 0;
}
