/* Moving what is live in a segment to another place. */
#include <stdatomic.h>
#include <stdlib.h>

#include "cleaner_priv.h"
#include "extent_map_priv.h"

enum {
    LISTED_MAX = 1024,      /* extents that are looked at in one go, */
    LISTED_BYTES = 4 << 20, /* and about their sealed bytes */
    LOCKED_MAX = 32,        /* of them under one hold of the lock, and in one change (L8) */
    RAGGED = 8,             /* one part in so many may be needed by nobody */
    MOVERS_MAX = 4,         /* of all workspaces at a time: each takes some 20 MiB */
    RUN_BYTES_MAX = RIAD_RUN_RECORDS_MAX * RIAD_UNIT_MAX,
};

/* A record that has a copy. */
struct copied {
    uint64_t from; /* its place in the segment */
    size_t to;     /* that of the copy in the payload */
    uint8_t tag[RIAD_TAG_SIZE];
};

/* An extent that names only parts of its records has a copy of just its bytes, where nobody else
 * needs the rest. */
struct trimmed {
    uint64_t from; /* place of the run that it is of, */
    uint32_t skip; /* and which part of that */
    uint64_t length;
    struct riad_extent copy; /* its run: position is that in the payload */
};

struct move {
    struct riad_workspace *workspace;
    uint64_t segment;
    struct riad_extent *listed; /* as they were when listed; room for LISTED_MAX */
    size_t listed_count;
    uint64_t listed_bytes;
    size_t listed_limit; /* for the hold of the lock that is under way */
    struct copied *copies;
    size_t copy_count;
    size_t copy_capacity;
    struct trimmed *trimmed; /* by place */
    size_t trimmed_count;
    struct riad_ranges needed; /* of the segment, by what is listed */
    struct riad_payload *payload;
    uint8_t *plain; /* RUN_BYTES_MAX */
    uint64_t last;  /* place of the last extent that was copied */
    bool stuck;
};

static void release(struct move *move)
{
    free(move->listed);
    free(move->copies);
    free(move->trimmed);
    riad_ranges_done(&move->needed);
    riad_payload_freep(&move->payload);
    free(move->plain);
}

static int note(void *context, const struct riad_extent *extent)
{
    struct move *move = context;

    if (move->listed_count == move->listed_limit || move->listed_bytes >= LISTED_BYTES) {
        return 1;
    }
    move->listed[move->listed_count++] = *extent;
    move->listed_bytes += riad_extent_sealed_size(extent);
    return 0;
}

/* (mutation) Adds to the list, at most `max`, extents whose first record lies in [from, ...). */
static int list_locked(struct move *move, uint64_t from, size_t max)
{
    struct riad_workspace *workspace = move->workspace;
    int r;

    move->listed_limit = move->listed_count + max;
    if (move->listed_limit > LISTED_MAX) {
        move->listed_limit = LISTED_MAX;
    }
    r = riad_index_placed(workspace->index, move->segment, from, note, move);
    riad_background_changed(workspace); /* asking may have begun a batch */
    return r;
}

/* More than fit under one hold of the lock are listed under several. Of those at one place that are
 * left out here all are found again when they are turned to the copy. *ret_next: 0 if these are the
 * last. */
static int list(struct move *move, uint64_t from, uint64_t *ret_next)
{
    for (;;) {
        size_t before = move->listed_count;
        int r = riad_workspace_lock(move->workspace);

        if (r < 0) {
            return r;
        }
        r = list_locked(move, from, LOCKED_MAX);
        riad_workspace_unlock(move->workspace);
        if (r < 0) {
            return r;
        }
        if (move->listed_count > before) {
            from = move->listed[move->listed_count - 1].position + 1;
        }
        if (move->listed_count < before + LOCKED_MAX || move->listed_count == LISTED_MAX) {
            bool full = move->listed_count == LISTED_MAX || move->listed_bytes >= LISTED_BYTES;

            *ret_next = full ? from : 0;
            return 0;
        }
    }
}

static int remember(struct move *move, const struct copied *copy)
{
    if (move->copy_count == move->copy_capacity) {
        size_t capacity = move->copy_capacity > 0 ? 2 * move->copy_capacity : 1024;
        struct copied *grown = reallocarray(move->copies, capacity, sizeof *grown);

        if (!grown) {
            return -ENOMEM;
        }
        move->copies = grown;
        move->copy_capacity = capacity;
    }
    move->copies[move->copy_count++] = *copy;
    return 0;
}

/* The records of an extent that have no copy yet: extents come by place, so those in front of a
 * record that has one have one too, or cannot be read. */
static uint32_t first_new(const struct move *move, const struct riad_extent *extent)
{
    uint32_t i = 0;

    while (move->copy_count > 0 && i < extent->tag_count &&
            riad_extent_record_place(extent, i) <= move->copies[move->copy_count - 1].from) {
        i++;
    }
    return i;
}

/* The data is that of the extent's run from record `first` on. */
static int seal_records(
        struct move *move, const struct riad_extent *extent, uint32_t first, const uint8_t *data)
{
    uint32_t unit = 1U << extent->unit_shift;
    int r = 0;

    for (uint32_t i = first; i < extent->tag_count && r == 0; i++) {
        const struct riad_birth birth = { extent->born.inode, extent->born.generation,
            extent->born.offset + (uint64_t)i * unit };
        struct copied copy = { .from = riad_extent_record_place(extent, i) };

        r = riad_payload_add(move->payload, &birth, data + (size_t)(i - first) * unit,
                riad_extent_record_length(extent, i), &copy.to, copy.tag);
        if (r == 0) {
            r = remember(move, &copy);
        }
    }
    return r;
}

/* One of some thousand is told of: reading tells of each. */
static void note_damage(struct move *move, const struct riad_extent *extent)
{
    char place[48];

    if (move->stuck) {
        return;
    }
    move->stuck = true;
    riad_segment_show(move->workspace->workspace_fd, extent->segment, place);
    riad_workspace_event_unlocked(move->workspace,
            "inode %llu at %llu cannot be moved: %s at %llu: damaged or forged",
            (unsigned long long)extent->inode, (unsigned long long)extent->offset, place,
            (unsigned long long)extent->position);
}

/* Whether too much of the extent's records is needed by nobody. */
static bool is_ragged(const struct move *move, const struct riad_extent *extent)
{
    uint64_t sealed = riad_extent_sealed_size(extent);
    uint64_t covered =
            riad_ranges_covered(&move->needed, extent->position, extent->position + sealed);

    return extent->length < extent->run_length &&
           covered + (uint64_t)extent->tag_count * RIAD_DATA_OVERHEAD <
                   sealed / RAGGED * (RAGGED - 1);
}

static const struct trimmed *find_trimmed(const struct move *move, const struct riad_extent *extent)
{
    for (size_t i = move->trimmed_count; i > 0; i--) {
        const struct trimmed *trimmed = &move->trimmed[i - 1];

        if (trimmed->from == extent->position && trimmed->skip == extent->skip &&
                trimmed->length == extent->length) {
            return trimmed;
        }
    }
    return NULL;
}

/* Its records begin where the extent does: what they were sealed for moves on with that. */
static void cut_run(const struct riad_extent *extent, struct riad_extent *ret)
{
    *ret = *extent;
    ret->skip = 0;
    ret->run_length = (uint32_t)extent->length;
    ret->born.offset += extent->skip;
    ret->tag_count = (uint16_t)(((extent->length - 1) >> extent->unit_shift) + 1);
}

static int trim(struct move *move, const struct riad_extent *extent, const uint8_t *data)
{
    struct trimmed *trimmed = &move->trimmed[move->trimmed_count];
    size_t to;
    int r = 0;

    *trimmed = (struct trimmed){ extent->position, extent->skip, extent->length, { 0 } };
    cut_run(extent, &trimmed->copy);
    for (uint32_t i = 0; i < trimmed->copy.tag_count && r == 0; i++) {
        uint64_t offset = (uint64_t)i << extent->unit_shift;
        const struct riad_birth birth = { trimmed->copy.born.inode, trimmed->copy.born.generation,
            trimmed->copy.born.offset + offset };

        r = riad_payload_add(move->payload, &birth, data + offset,
                riad_extent_record_length(&trimmed->copy, i), &to,
                trimmed->copy.tags + (size_t)i * RIAD_TAG_SIZE);
        if (r == 0 && i == 0) {
            trimmed->copy.position = to;
        }
    }
    move->trimmed_count += r == 0;
    return r;
}

/* Bytes [from, to) of the extent's run. 1: they cannot be read. */
static int read_run(struct move *move, const struct riad_extent *extent, uint32_t from, uint32_t to)
{
    struct riad_run run = riad_extent_run(extent);
    int r = riad_segments_read(move->workspace->segments, &run, from, to - from, move->plain);

    if (r == -EBADMSG) {
        note_damage(move, extent);
        return 1;
    }
    return r;
}

static int copy_shared(struct move *move, const struct riad_extent *extent)
{
    uint32_t first = first_new(move, extent);
    int r;

    if (first == extent->tag_count) {
        return 0;
    }
    r = read_run(move, extent, first << extent->unit_shift, extent->run_length);
    return r == 0 ? seal_records(move, extent, first, move->plain) : r < 0 ? r : 0;
}

static int copy_trimmed(struct move *move, const struct riad_extent *extent)
{
    int r;

    if (find_trimmed(move, extent)) {
        return 0; /* a clone */
    }
    r = read_run(move, extent, extent->skip, extent->skip + (uint32_t)extent->length);
    return r == 0 ? trim(move, extent, move->plain) : r < 0 ? r : 0;
}

static int copy_all(struct move *move)
{
    int r = riad_ranges_of(move->listed, move->listed_count, &move->needed);

    if (r == 0) {
        r = riad_payload_new(move->workspace->log, move->listed_bytes, &move->payload);
    }
    for (size_t i = 0; i < move->listed_count && r == 0; i++) {
        r = is_ragged(move, &move->listed[i]) ? 0 : copy_shared(move, &move->listed[i]);
    }
    /* Behind those: copies of records that lie in a row do too. */
    for (size_t i = 0; i < move->listed_count && r == 0; i++) {
        r = is_ragged(move, &move->listed[i]) ? copy_trimmed(move, &move->listed[i]) : 0;
    }
    return r;
}

static int compare_copies(const void *key, const void *copy)
{
    uint64_t place = *(const uint64_t *)key;
    uint64_t from = ((const struct copied *)copy)->from;

    return (place > from) - (place < from);
}

/* All records of the extent have copies, one behind the other as they are. */
static bool turn_shared(const struct move *move, const struct riad_extent *extent,
        const struct riad_place *place, struct riad_extent *ret)
{
    const struct copied *first = move->copy_count == 0
                                         ? NULL
                                         : bsearch(&extent->position, move->copies,
                                                   move->copy_count, sizeof *first, compare_copies);
    size_t left = first ? move->copy_count - (size_t)(first - move->copies) : 0;

    if (left < extent->tag_count) {
        return false;
    }
    *ret = *extent;
    ret->segment = place->segment;
    ret->position = place->position + first->to;
    for (uint32_t i = 0; i < extent->tag_count; i++) {
        if (first[i].from != riad_extent_record_place(extent, i)) {
            return false;
        }
        memcpy(ret->tags + (size_t)i * RIAD_TAG_SIZE, first[i].tag, RIAD_TAG_SIZE);
    }
    return true;
}

/* *ret is the row that names the extent's copy, if there is one. */
static bool turn(const struct move *move, const struct riad_extent *extent,
        const struct riad_place *place, struct riad_extent *ret)
{
    const struct trimmed *trimmed = find_trimmed(move, extent);

    if (!trimmed) {
        return turn_shared(move, extent, place, ret);
    }
    *ret = trimmed->copy;
    ret->inode = extent->inode;
    ret->offset = extent->offset;
    ret->birth = extent->birth;
    ret->segment = place->segment;
    ret->position += place->position;
    return true;
}

/* (mutation) One change for the extents that lie at `*from` and behind it now; clones that were
 * made meanwhile are among them, and what was cut. *from moves on when nothing there can be turned
 * any more. 0: done with all that has copies. */
static int turn_some(struct move *move, const struct riad_place *place, uint64_t *from)
{
    struct riad_workspace *workspace = move->workspace;
    struct riad_extent turned;
    size_t count = 0;
    int r;

    move->listed_count = 0;
    move->listed_bytes = 0;
    r = list_locked(move, *from, LOCKED_MAX);
    if (r < 0 || move->listed_count == 0) {
        return r;
    }
    for (size_t i = 0; i < move->listed_count && move->listed[i].position <= move->last; i++) {
        if (turn(move, &move->listed[i], place, &turned)) {
            riad_change_put_extent(&workspace->change, &turned);
            count++;
        }
    }
    if (count > 0) {
        r = riad_mutation_commit(workspace, NULL);
        workspace->cleaning.own_changes++;
        return r < 0 ? r : 1;
    }
    *from = move->listed[move->listed_count - 1].position + 1;
    return *from <= move->last;
}

static int turn_all(struct move *move, const struct riad_place *place)
{
    uint64_t from = move->listed[0].position;
    int r;

    move->last = move->listed[move->listed_count - 1].position;
    if (move->copy_count > 0 && move->copies[move->copy_count - 1].from > move->last) {
        move->last =
                move->copies[move->copy_count - 1].from; /* parts of a long one that is copied */
    }
    do {
        r = riad_mutation_begin(move->workspace, NULL);
        if (r < 0) {
            return r;
        }
        r = riad_log_is_stale(move->workspace->log, move->payload) ? -EAGAIN
                                                                   : turn_some(move, place, &from);
        riad_mutation_end(move->workspace);
    } while (r > 0);
    return r;
}

/* The copies are durable before a change names them: nothing checks, after a power cut, that the
 * payload of a change is there which did not write it (P3). */
static int write_and_turn(struct move *move)
{
    struct riad_workspace *workspace = move->workspace;
    struct riad_place place;
    int r = riad_log_write_bulk(workspace->log, move->payload, RIAD_MOVED, &place);

    if (r == 0) {
        r = riad_log_sync(workspace->log);
    }
    return r < 0 ? r : turn_all(move, &place);
}

/* Copies need room before the room of what they are copied from comes back. (P6: half of what is
 * kept for deleting may be used for that.) */
static bool has_room(struct riad_workspace *workspace, uint64_t bytes)
{
    uint64_t blocks = bytes / RIAD_BLOCK_SIZE + 1;
    bool room;

    pthread_mutex_lock(&workspace->mutation);
    room = workspace->store_blocks_free >= workspace->store_reserve / 2 + blocks;
    if (room) {
        workspace->store_blocks_free -= blocks;
    }
    pthread_mutex_unlock(&workspace->mutation);
    return room;
}

static int copy_and_turn(struct move *move)
{
    unsigned ticket;
    int r = copy_all(move);

    if (r < 0 || move->payload->size == 0) {
        return r;
    }
    if (!has_room(move->workspace, move->payload->size)) {
        return -ENOSPC;
    }
    ticket = riad_bulk_begin(move->workspace);
    r = write_and_turn(move);
    riad_bulk_end(move->workspace, ticket);
    return r;
}

static int allocate(struct move *move)
{
    move->listed = malloc(LISTED_MAX * sizeof *move->listed);
    move->plain = malloc(RUN_BYTES_MAX);
    move->trimmed = malloc(LISTED_MAX * sizeof *move->trimmed);
    return move->listed && move->plain && move->trimmed ? 0 : -ENOMEM;
}

static int move_some(
        struct riad_workspace *workspace, uint64_t segment, uint64_t from, struct riad_moved *ret)
{
    _cleanup_(release) struct move move = { .workspace = workspace, .segment = segment };
    struct riad_moved moved = { 0 };
    int r = allocate(&move);

    if (r == 0) {
        r = list(&move, from, &moved.next);
    }
    if (r == 0 && move.listed_count > 0) {
        r = copy_and_turn(&move);
    }
    if (r == -EAGAIN) {
        *ret = (struct riad_moved){
            .next = from
        }; /* a new epoch has begun: again, under its key */
        return 0;
    }
    if (r < 0) {
        return r;
    }
    moved.bytes = move.payload ? move.payload->size : 0;
    moved.stuck = move.stuck;
    *ret = moved;
    return 0;
}

int riad_cleaner_move(
        struct riad_workspace *workspace, uint64_t segment, uint64_t from, struct riad_moved *ret)
{
    static _Atomic int movers;
    int r = -EBUSY;

    if (atomic_fetch_add(&movers, 1) < MOVERS_MAX) {
        r = move_some(workspace, segment, from, ret);
    }
    atomic_fetch_sub(&movers, 1);
    return r;
}
