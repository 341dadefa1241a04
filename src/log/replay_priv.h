/* The state of one replay, shared by replay.c (walking) and replay_tail.c (telling an end from
 * damage). */
#ifndef RIAD_REPLAY_PRIV_H
#define RIAD_REPLAY_PRIV_H

#include "riad/replay.h"

#include "lineage_priv.h"
#include "window_priv.h"

/* A change that was read and not applied yet. */
struct riad_replay_pending {
    struct riad_replay_pending *next;
    struct riad_end end;
    uint64_t start;
    size_t size;
    uint8_t content[];
};

struct riad_replay_state {
    const struct riad_replay *replay;
    struct riad_end end; /* of the last change read; result.end: of the last applied */
    struct riad_replay_pending *first; /* oldest; NULL: none */
    struct riad_replay_pending *last;
    uint64_t pending_bytes;
    uint64_t settled; /* number of the last change known to have been durable */
    uint64_t stopped; /* 0, or number of the change whose payload is not whole: none from there on
                         is applied */
    struct riad_key_cache *cache;
    struct riad_lineage lineage;
    struct riad_window window;
    uint8_t *plain; /* room for the ciphertext of any record of a log */
    struct riad_replay_result result;
    uint64_t budget; /* what looking behind the end may still cost, in bytes hashed */
};

/* A change record, opened: content borrows from plain. */
struct riad_change_record {
    struct riad_sequence sequence;
    struct riad_hash previous;
    struct riad_hash chain;
    uint64_t durable; /* number of the last change its writer knew to be durable */
    uint32_t epoch;
    const uint8_t *content;
    size_t size;
    size_t record_size;
};

/* Opens the change record at data, of which size bytes are there. -EBADMSG for anything else. */
int riad_change_open(struct riad_key_cache *cache, const uint8_t *data, size_t size, uint8_t *plain,
        struct riad_change_record *ret) RIAD_MUST_CHECK;
/* Writes the sentence and gives -EUCLEAN. */
int riad_replay_damaged(struct riad_replay_state *state, const char *format, ...)
        __attribute__((format(printf, 2, 3))) RIAD_MUST_CHECK;
/* Notes that changes up to number were durable. */
static inline void riad_replay_note_settled(struct riad_replay_state *state, uint64_t number)
{
    state->settled = number > state->settled ? number : state->settled;
}
/* replay_queue.c. Takes a copy of the change that state->end is the end of, and applies what is
 * settled by now, or too much to be kept. What apply says, -EUCLEAN, -ENOMEM. */
int riad_replay_push(struct riad_replay_state *state, const struct riad_change_record *change,
        uint64_t start) RIAD_MUST_CHECK;
/* Everything was read: applies the rest. */
int riad_replay_flush(struct riad_replay_state *state) RIAD_MUST_CHECK;
void riad_replay_discard(struct riad_replay_state *state);
/* Looks behind the end in the file of the window, from offset on. 0 if what stands there may be
 * the torn tail of a power cut: no later change, or only such as were made before the change behind
 * it was known to be durable (result.dropped says which is the last). -EUCLEAN if a later
 * change says that it was (L4). */
int riad_replay_check_tail(
        struct riad_replay_state *state, uint64_t segment, uint64_t offset) RIAD_MUST_CHECK;
/* The same for the lineage's segments from the first-th on. Turns the window to them. */
int riad_replay_check_later(struct riad_replay_state *state, size_t first) RIAD_MUST_CHECK;
/* The same for files whose header does not verify. Turns the window to them. */
int riad_replay_check_suspects(struct riad_replay_state *state) RIAD_MUST_CHECK;

#endif
