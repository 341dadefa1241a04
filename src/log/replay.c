/* Reading the log forward: every change verified, in order, along the history (L1-L4). */
#include "riad/replay.h"

#include "riad/error.h"

#include "replay_priv.h"

/* Hashing this much behind the end of a log takes seconds; a torn tail is far smaller. */
#define TAIL_BUDGET ((uint64_t)4 << 30)

enum step {
    STEP_END, /* nothing valid is here */
    STEP_CHANGE,
    STEP_DATA,
};

/* What this node knows to be durable must be in the log as it knows it (L3, L4). */
static int check_mark(struct riad_replay_state *state, const struct riad_end *end)
{
    const struct riad_end *mark = &state->replay->mark;

    if (mark->sequence.number != end->sequence.number || riad_end_equal(mark, end)) {
        return 0;
    }
    return riad_replay_damaged(state,
            "change %llu in log segment %016llx is not the one that was synced",
            (unsigned long long)end->sequence.number, (unsigned long long)end->segment);
}

/* A former member can seal nothing that counts, and cannot put another history in the place of the
 * one that the epoch's end names (K2). */
static int check_epoch(struct riad_replay_state *state, const struct riad_change_record *change,
        uint64_t segment, uint64_t offset)
{
    const struct riad_epoch_ends *epochs = &state->replay->epochs;

    if (riad_epoch_allows(epochs, change->epoch, change->sequence.number) &&
            riad_epoch_allows_segment(epochs, change->epoch, segment)) {
        return 0;
    }
    return riad_replay_damaged(state,
            "change %llu in log segment %016llx at offset %llu is a forgery: epoch %u, under which "
            "it is sealed, had ended",
            (unsigned long long)change->sequence.number, (unsigned long long)segment,
            (unsigned long long)offset, change->epoch);
}

static int check_epoch_end(struct riad_replay_state *state, const struct riad_end *end)
{
    const struct riad_epoch_ends *epochs = &state->replay->epochs;

    for (size_t i = 0; i < epochs->count; i++) {
        const struct riad_epoch_end *known = &epochs->ends[i];

        if (known->end.sequence.number == end->sequence.number &&
                !riad_hash_equal(&known->end.chain, &end->chain)) {
            return riad_replay_damaged(state,
                    "change %llu in log segment %016llx is not the one that epoch %u ended with",
                    (unsigned long long)end->sequence.number, (unsigned long long)end->segment,
                    known->epoch);
        }
    }
    return 0;
}

/* At a position that is known by its end. */
static int check_position(struct riad_replay_state *state, const struct riad_end *end)
{
    int r = check_mark(state, end);

    return r < 0 ? r : check_epoch_end(state, end);
}

static bool continues(const struct riad_replay_state *state, uint64_t segment,
        const struct riad_change_record *change)
{
    const struct riad_end *last = &state->end;

    return change->sequence.number == last->sequence.number + 1 &&
           change->sequence.term == riad_segment_term(segment) &&
           riad_hash_equal(&change->previous, &last->chain);
}

/* 0 and *ret_step. An older change is nothing valid here. A later one in the place of the next was
 * put there: places are written once (L1), so a power cut cannot leave it. */
static int take_change(struct riad_replay_state *state, uint64_t segment, uint64_t offset,
        const uint8_t *data, size_t size, enum step *ret_step)
{
    struct riad_change_record change;
    struct riad_end end;
    int r;

    r = riad_change_open(state->cache, data, size, state->plain, &change);
    if (r < 0 && r != -EBADMSG) {
        return r;
    }
    *ret_step = STEP_END;
    if (r < 0 || change.sequence.number <= state->end.sequence.number) {
        return 0;
    }
    r = check_epoch(state, &change, segment, offset);
    if (r < 0) {
        return r;
    }
    if (!continues(state, segment, &change)) {
        return riad_replay_damaged(state,
                "change %llu in log segment %016llx at offset %llu does not continue the chain",
                (unsigned long long)change.sequence.number, (unsigned long long)segment,
                (unsigned long long)offset);
    }
    end = (struct riad_end){ segment, offset + change.record_size, change.sequence, change.chain };
    r = check_position(state, &end);
    if (r < 0) {
        return r;
    }
    state->end = end;
    riad_replay_note_settled(state, change.durable);
    *ret_step = STEP_CHANGE;
    return riad_replay_push(state, &change, offset);
}

static int check_data(struct riad_replay_state *state, uint64_t segment,
        const struct riad_record_header *header, const uint8_t *data)
{
    int r = riad_record_check(data, RIAD_RECORD_OVERHEAD + (size_t)header->length);

    if (r == 0 && !riad_epoch_allows_segment(&state->replay->epochs, header->epoch, segment)) {
        r = -EBADMSG;
    }
    return r < 0 ? r : riad_record_verify_data(state->cache, header, data, state->plain);
}

static int take_data(struct riad_replay_state *state, uint64_t segment,
        const struct riad_record_header *header, const uint8_t *data, size_t size,
        enum step *ret_step)
{
    int r = 0;

    if (size < RIAD_RECORD_OVERHEAD + (size_t)header->length) {
        *ret_step = STEP_END;
        return 0;
    }
    if (state->replay->check_data) {
        r = check_data(state, segment, header, data);
    }
    *ret_step = r == 0 ? STEP_DATA : STEP_END;
    return r == -EBADMSG ? 0 : r;
}

/* Takes the record at *offset and moves on behind it. */
static int take_record(
        struct riad_replay_state *state, uint64_t segment, uint64_t *offset, enum step *ret_step)
{
    struct riad_record_header header;
    const uint8_t *data;
    size_t size;
    int r;

    r = riad_window_get(&state->window, *offset, RIAD_RECORD_HEADER_SIZE, &data, &size);
    if (r < 0) {
        return r;
    }
    *ret_step = STEP_END;
    if (size < RIAD_RECORD_HEADER_SIZE || riad_record_header_decode(data, &header) < 0 ||
            !riad_id_equal(&header.workspace, riad_key_cache_workspace(state->cache))) {
        return 0;
    }
    r = riad_window_get(
            &state->window, *offset, RIAD_RECORD_OVERHEAD + (size_t)header.length, &data, &size);
    if (r < 0) {
        return r;
    }
    if (header.type == RIAD_RECORD_CHANGE) {
        r = take_change(state, segment, *offset, data, size, ret_step);
    } else if (header.type == RIAD_RECORD_DATA) {
        r = take_data(state, segment, &header, data, size, ret_step);
    }
    if (r == 0 && *ret_step != STEP_END) {
        *offset += RIAD_RECORD_OVERHEAD + (size_t)header.length;
    }
    return r;
}

/* Whether a segment's end is said by the header after it only, which proves nothing durable; a term
 * is claimed after a sync. */
static bool is_in_last_term(
        const struct riad_replay_state *state, const struct riad_lineage_segment *segment)
{
    const struct riad_history *history = state->replay->history;

    return riad_segment_term(segment->segment) == history->terms[history->count - 1].number;
}

/* A segment that another one or a term continues: every record up to there must verify. 1: it is
 * torn, and so the log may end in it. */
static int read_bounded(struct riad_replay_state *state, const struct riad_lineage_segment *segment)
{
    uint64_t offset = segment->begin;
    enum step step = STEP_DATA;
    int r;

    while (offset < segment->limit.offset && step != STEP_END) {
        r = take_record(state, segment->segment, &offset, &step);
        if (r < 0) {
            return r;
        }
    }
    if (offset == segment->limit.offset && riad_end_equal(&state->end, &segment->limit)) {
        return 0;
    }
    if (is_in_last_term(state, segment)) {
        r = riad_replay_check_tail(state, segment->segment, offset);
        return r < 0 ? r : 1;
    }
    return riad_replay_damaged(state,
            "log segment %016llx is damaged at offset %llu: the history goes on to offset %llu",
            (unsigned long long)segment->segment, (unsigned long long)offset,
            (unsigned long long)segment->limit.offset);
}

static int read_open_ended(
        struct riad_replay_state *state, const struct riad_lineage_segment *segment)
{
    uint64_t offset = segment->begin;
    enum step step = STEP_DATA;
    int r;

    while (step != STEP_END) {
        r = take_record(state, segment->segment, &offset, &step);
        if (r < 0) {
            return r;
        }
    }
    return riad_replay_check_tail(state, segment->segment, offset);
}

static int read_segment(struct riad_replay_state *state, const struct riad_lineage_segment *segment)
{
    _cleanup_close_ int fd =
            riad_segment_open(state->replay->workspace_fd, RIAD_SEGMENT_LOG, segment->segment);

    if (fd == -ENOENT || fd == -EBADMSG) {
        return riad_replay_damaged(
                state, "log segment %016llx is missing", (unsigned long long)segment->segment);
    }
    if (fd < 0) {
        return fd;
    }
    riad_window_set(&state->window, fd);
    return segment->open_ended ? read_open_ended(state, segment) : read_bounded(state, segment);
}

/* What is known without reading the log to have been durable. */
static uint64_t known_durable(const struct riad_replay *replay)
{
    const uint64_t known[] = { replay->mark.sequence.number, replay->durable,
        riad_epoch_reach(&replay->epochs) };
    uint64_t durable = 0;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        durable = known[i] > durable ? known[i] : durable;
    }
    return durable;
}

static int read_history(struct riad_replay_state *state)
{
    const struct riad_replay *replay = state->replay;
    uint64_t durable = known_durable(replay);
    int r;

    r = riad_lineage_build(replay->workspace_fd, state->cache, replay->history, &replay->epochs,
            &replay->from, &state->lineage, state->result.damage);
    r = r == -ENOENT ? -EUCLEAN : r; /* a missing segment is damage */
    if (r == 0) {
        r = check_position(state, &replay->from);
    }
    for (size_t i = 0; i < state->lineage.count && r == 0; i++) {
        r = read_segment(state, &state->lineage.segments[i]);
        if (r > 0) {
            r = riad_replay_check_later(state, i + 1);
            break;
        }
    }
    if (r == 0) {
        r = riad_replay_check_suspects(state);
    }
    if (r == 0 && state->end.sequence.number < durable) {
        r = riad_replay_damaged(state,
                "the log ends with change %llu, in segment %016llx at offset %llu, but change %llu "
                "was "
                "synced",
                (unsigned long long)state->end.sequence.number,
                (unsigned long long)state->end.segment, (unsigned long long)state->end.offset,
                (unsigned long long)durable);
    }
    return r;
}

/* What is known without reading the log. A term is claimed after a sync of all before it. */
static void begin(struct riad_replay_state *state)
{
    const struct riad_replay *replay = state->replay;
    const struct riad_history *history = replay->history;

    state->end = state->result.end = replay->from;
    riad_replay_note_settled(state, known_durable(replay));
    if (history->count > 0) {
        riad_replay_note_settled(state, history->terms[history->count - 1].end.sequence.number);
    }
}

static void release(struct riad_replay_state *state)
{
    riad_replay_discard(state);
    riad_lineage_done(&state->lineage);
    riad_window_done(&state->window);
    riad_key_cache_freep(&state->cache);
    free(state->plain);
}

static int allocate(struct riad_replay_state *state)
{
    int r;

    state->plain = malloc(RIAD_CHANGE_LENGTH_MAX);
    if (!state->plain) {
        return -ENOMEM;
    }
    r = riad_key_cache_new(state->replay->keys, &state->cache);
    if (r < 0) {
        return r;
    }
    return riad_window_init(&state->window);
}

int riad_replay_run(const struct riad_replay *replay, struct riad_replay_result *ret)
{
    _cleanup_(release) struct riad_replay_state state = { .replay = replay, .budget = TAIL_BUDGET };
    int r;

    begin(&state);
    r = allocate(&state);
    if (r == 0) {
        r = read_history(&state);
    }
    if (r == 0 || r == -EUCLEAN) {
        int flushed = riad_replay_flush(&state);

        r = flushed < 0 ? flushed : r;
        state.result.dropped = r < 0 ? 0 : state.result.dropped;
    }
    state.result.bytes = state.window.read;
    state.result.durable = state.settled;
    *ret = state.result;
    return r;
}
