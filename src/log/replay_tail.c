/* Behind the end of a log: damage or a torn tail? After a power cut later changes may be there
 * whole while an earlier one is not: the kernel writes back in any order. But each change says up
 * to where the log was durable when it was made: one that was made after the missing change had
 * been synced proves damage (L4); else all of it was unsynced, and the prefix is the history (P3).
 */
#include <stdarg.h>
#include <stdio.h>

#include "riad/error.h"

#include "replay_priv.h"

/* What a candidate costs besides its bytes: a key derivation and a cipher set-up. */
enum { CANDIDATE_COST = 4096 };

int riad_replay_damaged(struct riad_replay_state *state, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(state->result.damage, sizeof state->result.damage, format, arguments);
    va_end(arguments);
    state->result.dropped = 0;
    return -EUCLEAN;
}

/* 1 if a change that is later than the end begins at offset. One whose epoch had ended proves
 * nothing. */
static int is_later_change(struct riad_replay_state *state, uint64_t segment, uint64_t offset,
        struct riad_change_record *ret)
{
    const struct riad_epoch_ends *epochs = &state->replay->epochs;
    struct riad_change_record change;
    struct riad_record_header header;
    const uint8_t *data;
    size_t size, whole;
    int r;

    r = riad_window_get(&state->window, offset, RIAD_RECORD_HEADER_SIZE, &data, &size);
    if (r < 0 || size < RIAD_RECORD_HEADER_SIZE || riad_record_header_decode(data, &header) < 0 ||
            header.type != RIAD_RECORD_CHANGE) {
        return r < 0 ? r : 0;
    }
    whole = RIAD_RECORD_OVERHEAD + (size_t)header.length;
    state->budget -=
            state->budget < whole + CANDIDATE_COST ? state->budget : whole + CANDIDATE_COST;
    r = riad_window_get(&state->window, offset, whole, &data, &size);
    if (r < 0) {
        return r;
    }
    r = riad_change_open(state->cache, data, size, state->plain, &change);
    if (r < 0) {
        return r == -EBADMSG ? 0 : r;
    }
    *ret = change;
    return change.sequence.number > state->end.sequence.number &&
           riad_epoch_allows(epochs, change.epoch, change.sequence.number) &&
           riad_epoch_allows_segment(epochs, change.epoch, segment);
}

int riad_replay_check_tail(struct riad_replay_state *state, uint64_t segment, uint64_t offset)
{
    uint64_t from = offset;

    for (;; offset++) {
        struct riad_change_record change;
        uint64_t begin = offset;
        int r;

        r = riad_window_find(&state->window, offset, &offset);
        if (r < 0 || offset == UINT64_MAX) {
            return r;
        }
        r = is_later_change(state, segment, offset, &change);
        if (r < 0) {
            return r;
        }
        if (r > 0) {
            riad_replay_note_settled(state, change.durable);
        }
        if (r > 0 && change.durable > state->end.sequence.number) {
            return riad_replay_damaged(state,
                    "log segment %016llx is damaged at offset %llu: change %llu follows at %llu",
                    (unsigned long long)segment, (unsigned long long)from,
                    (unsigned long long)change.sequence.number, (unsigned long long)offset);
        }
        if (r > 0 && change.sequence.number > state->result.dropped) {
            state->result.dropped = change.sequence.number;
        }
        state->budget -= state->budget < offset - begin ? state->budget : offset - begin;
        if (state->budget == 0) {
            return riad_replay_damaged(state,
                    "log segment %016llx has more behind offset %llu than a torn write leaves",
                    (unsigned long long)segment, (unsigned long long)from);
        }
    }
}

static int check_file(struct riad_replay_state *state, uint64_t segment)
{
    _cleanup_close_ int fd =
            riad_segment_open(state->replay->workspace_fd, RIAD_SEGMENT_LOG, segment);

    if (fd < 0) {
        return fd == -ENOENT || fd == -EBADMSG ? 0 : fd;
    }
    riad_window_set(&state->window, fd);
    return riad_replay_check_tail(state, segment, 0);
}

int riad_replay_check_suspects(struct riad_replay_state *state)
{
    int r = 0;

    for (size_t i = 0; i < state->lineage.suspect_count && r == 0; i++) {
        r = check_file(state, state->lineage.suspects[i]);
    }
    return r;
}

int riad_replay_check_later(struct riad_replay_state *state, size_t first)
{
    int r = 0;

    for (size_t i = first; i < state->lineage.count && r == 0; i++) {
        r = check_file(state, state->lineage.segments[i].segment);
    }
    return r;
}
