/* Behind the end of a log: a torn tail holds no later change of the chain; if one is there,
 * something before it was damaged (L4). */
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
    return -EUCLEAN;
}

/* 1 if a change that is later than the end begins at offset; *ret_number is its number. */
static int is_later_change(struct riad_replay_state *state, uint64_t offset, uint64_t *ret_number)
{
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
    *ret_number = change.sequence.number;
    return change.sequence.number > state->result.end.sequence.number;
}

/* Offset of the next thing that could be a record, at or after offset; UINT64_MAX if there is none.
 */
static int find_magic(struct riad_replay_state *state, uint64_t offset, uint64_t *ret)
{
    for (;;) {
        const uint8_t *data, *found;
        size_t size;
        int r;

        r = riad_window_get(&state->window, offset, RIAD_RECORD_OVERHEAD, &data, &size);
        if (r < 0) {
            return r;
        }
        if (size < RIAD_RECORD_OVERHEAD) {
            *ret = UINT64_MAX;
            return 0;
        }
        found = memmem(data, size, "RIAR", 4);
        if (found) {
            *ret = offset + (uint64_t)(found - data);
            return 0;
        }
        offset += size - 3;
    }
}

int riad_replay_check_tail(struct riad_replay_state *state, uint64_t segment, uint64_t offset)
{
    uint64_t from = offset;

    for (;; offset++) {
        uint64_t number = 0, begin = offset;
        int r;

        r = find_magic(state, offset, &offset);
        if (r < 0 || offset == UINT64_MAX) {
            return r;
        }
        r = is_later_change(state, offset, &number);
        if (r < 0) {
            return r;
        }
        if (r > 0) {
            return riad_replay_damaged(state,
                    "log segment %016llx is damaged at offset %llu: change %llu follows at %llu",
                    (unsigned long long)segment, (unsigned long long)from,
                    (unsigned long long)number, (unsigned long long)offset);
        }
        state->budget -= state->budget < offset - begin ? state->budget : offset - begin;
        if (state->budget == 0) {
            return riad_replay_damaged(state,
                    "log segment %016llx has more behind offset %llu than a torn write leaves",
                    (unsigned long long)segment, (unsigned long long)from);
        }
    }
}

int riad_replay_check_suspects(struct riad_replay_state *state)
{
    for (size_t i = 0; i < state->lineage.suspect_count; i++) {
        uint64_t segment = state->lineage.suspects[i];
        _cleanup_close_ int fd =
                riad_segment_open(state->replay->workspace_fd, RIAD_SEGMENT_LOG, segment);
        int r;

        if (fd == -ENOENT || fd == -EBADMSG) {
            continue;
        }
        if (fd < 0) {
            return fd;
        }
        riad_window_set(&state->window, fd);
        r = riad_replay_check_tail(state, segment, 0);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}
