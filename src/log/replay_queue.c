/* Changes on their way from the log to whom they are for. A change says nothing about its own
 * durability, later ones do: it is held back until one of them calls it durable, or the log ends.
 * Those that are left then are the tail that a power cut may have torn (P3). */
#include "riad/error.h"

#include "replay_priv.h"

/* The writer bounds what is unsynced (L5), payloads included: an honest log stays far below. */
#define QUEUE_SIZE ((uint64_t)256 << 20)

void riad_replay_discard(struct riad_replay_state *state)
{
    while (state->first) {
        struct riad_replay_pending *next = state->first->next;

        free(state->first);
        state->first = next;
    }
    state->last = NULL;
    state->pending_bytes = 0;
}

static void append(struct riad_replay_state *state, struct riad_replay_pending *pending)
{
    if (state->last) {
        state->last->next = pending;
    } else {
        state->first = pending;
    }
    state->last = pending;
    state->pending_bytes += sizeof *pending + pending->size;
}

static struct riad_replay_pending *take_first(struct riad_replay_state *state)
{
    struct riad_replay_pending *pending = state->first;

    state->first = pending->next;
    if (!state->first) {
        state->last = NULL;
    }
    state->pending_bytes -= sizeof *pending + pending->size;
    return pending;
}

static int apply(struct riad_replay_state *state, const struct riad_replay_pending *pending)
{
    uint64_t number = pending->end.sequence.number;
    int r = state->replay->apply(state->replay->context, pending->content, pending->size,
            &pending->end, pending->start, number <= state->settled);

    if (r == -EBADMSG) {
        return riad_replay_damaged(
                state, "change %llu is authentic but does not decode", (unsigned long long)number);
    }
    if (r < 0) {
        return r;
    }
    if (r == RIAD_REPLAY_STOP) {
        state->stopped = number;
        return 0;
    }
    state->result.end = pending->end;
    state->result.start = pending->start;
    state->result.changes++;
    return 0;
}

/* Nothing is applied behind a change that was not. */
static int apply_first(struct riad_replay_state *state)
{
    _cleanup_free_ struct riad_replay_pending *pending = take_first(state);
    int r = apply(state, pending);

    if (r < 0 || state->stopped > 0) {
        riad_replay_discard(state);
    }
    return r;
}

static bool must_apply_first(const struct riad_replay_state *state)
{
    uint64_t limit = state->replay->queue_size ? state->replay->queue_size : QUEUE_SIZE;

    return state->first &&
           (state->first->end.sequence.number <= state->settled || state->pending_bytes > limit);
}

int riad_replay_push(
        struct riad_replay_state *state, const struct riad_change_record *change, uint64_t start)
{
    struct riad_replay_pending *pending;
    int r = 0;

    if (state->stopped > 0) {
        return 0;
    }
    pending = malloc(sizeof *pending + change->size);
    if (!pending) {
        return -ENOMEM;
    }
    *pending =
            (struct riad_replay_pending){ .end = state->end, .start = start, .size = change->size };
    memcpy(pending->content, change->content, change->size);
    append(state, pending);
    while (r == 0 && must_apply_first(state)) {
        r = apply_first(state);
    }
    return r;
}

/* One that had to be judged before all was read may turn out to have been durable: then its payload
 * is damaged, and what lies behind it was not torn off (L4). */
int riad_replay_flush(struct riad_replay_state *state)
{
    int r = 0;

    while (r == 0 && state->first) {
        r = apply_first(state);
    }
    if (r < 0 || state->stopped == 0) {
        return r;
    }
    if (state->stopped <= state->settled) {
        return riad_replay_damaged(state,
                "the payload of change %llu is damaged, and too many changes follow to pass over "
                "it",
                (unsigned long long)state->stopped);
    }
    if (state->end.sequence.number > state->result.dropped) {
        state->result.dropped = state->end.sequence.number;
    }
    return 0;
}
