/* Moving what is live in a segment to another place. */
#include <stdlib.h>

#include "cleaner_priv.h"
#include "extent_map_priv.h"

enum {
    LISTED_MAX = 1024,      /* extents that are looked at in one go, */
    LISTED_BYTES = 4 << 20, /* and about their sealed bytes */
    LOCKED_MAX = 32,        /* of them under one hold of the lock, and in one change (L8) */
    RUN_BYTES_MAX = RIAD_RUN_RECORDS_MAX * RIAD_UNIT_MAX,
};

/* A record that has a copy. */
struct copied {
    uint64_t from; /* its place in the segment */
    size_t to;     /* that of the copy in the payload */
    uint8_t tag[RIAD_TAG_SIZE];
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
    struct riad_payload *payload;
    uint8_t *plain; /* RUN_BYTES_MAX */
    bool stuck;
};

static void release(struct move *move)
{
    free(move->listed);
    free(move->copies);
    riad_payload_freep(&move->payload);
    free(move->plain);
}

uint32_t riad_extent_record_length(const struct riad_extent *extent, uint32_t i)
{
    uint32_t unit = 1U << extent->unit_shift;

    return i + 1U < extent->tag_count ? unit : extent->run_length - i * unit;
}

uint64_t riad_extent_sealed_size(const struct riad_extent *extent)
{
    uint64_t unit = (uint64_t)1 << extent->unit_shift;

    return (extent->tag_count - 1U) * (unit + RIAD_DATA_OVERHEAD) +
           riad_data_record_size(riad_extent_record_length(extent, extent->tag_count - 1U));
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

static uint64_t record_place(const struct riad_extent *extent, uint32_t i)
{
    return extent->position + (uint64_t)i * ((1U << extent->unit_shift) + RIAD_DATA_OVERHEAD);
}

/* The records of an extent that have no copy yet: extents come by place, so those in front of a
 * record that has one have one too, or cannot be read. */
static uint32_t first_new(const struct move *move, const struct riad_extent *extent)
{
    uint32_t i = 0;

    while (move->copy_count > 0 && i < extent->tag_count &&
            record_place(extent, i) <= move->copies[move->copy_count - 1].from) {
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
        struct copied copy = { .from = record_place(extent, i) };

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
    if (move->stuck) {
        return;
    }
    move->stuck = true;
    riad_workspace_event_unlocked(move->workspace,
            "inode %llu at %llu cannot be moved: segment %016llx at %llu: damaged or forged",
            (unsigned long long)extent->inode, (unsigned long long)extent->offset,
            (unsigned long long)extent->segment, (unsigned long long)extent->position);
}

static int copy_extent(struct move *move, const struct riad_extent *extent)
{
    struct riad_run run = riad_extent_run(extent);
    uint32_t first = first_new(move, extent);
    uint32_t from = first << extent->unit_shift;
    int r;

    if (first == extent->tag_count) {
        return 0;
    }
    r = riad_segments_read(
            move->workspace->segments, &run, from, extent->run_length - from, move->plain);
    if (r == -EBADMSG) {
        note_damage(move, extent);
        return 0;
    }
    return r < 0 ? r : seal_records(move, extent, first, move->plain);
}

static int copy_all(struct move *move)
{
    int r = riad_payload_new(move->workspace->log, move->listed_bytes, &move->payload);

    for (size_t i = 0; i < move->listed_count && r == 0; i++) {
        r = copy_extent(move, &move->listed[i]);
    }
    return r;
}

static int compare_copies(const void *key, const void *copy)
{
    uint64_t place = *(const uint64_t *)key;
    uint64_t from = ((const struct copied *)copy)->from;

    return (place > from) - (place < from);
}

/* Whether all records of the extent have copies, one behind the other as they are: then *ret names
 * those. */
static bool turn(const struct move *move, const struct riad_extent *extent,
        const struct riad_place *place, struct riad_extent *ret)
{
    const struct copied *first = bsearch(
            &extent->position, move->copies, move->copy_count, sizeof *first, compare_copies);
    size_t left = first ? move->copy_count - (size_t)(first - move->copies) : 0;

    if (left < extent->tag_count) {
        return false;
    }
    *ret = *extent;
    ret->segment = place->segment;
    ret->position = place->position + first->to;
    for (uint32_t i = 0; i < extent->tag_count; i++) {
        if (first[i].from != record_place(extent, i)) {
            return false;
        }
        memcpy(ret->tags + (size_t)i * RIAD_TAG_SIZE, first[i].tag, RIAD_TAG_SIZE);
    }
    return true;
}

/* (mutation) One change for the extents that lie at `*from` and behind it now; clones that were
 * made meanwhile are among them, and what was cut. *from moves on when nothing there can be turned
 * any more. 0: done with all that has copies. */
static int turn_some(struct move *move, const struct riad_place *place, uint64_t *from)
{
    struct riad_workspace *workspace = move->workspace;
    const uint64_t last = move->copies[move->copy_count - 1].from;
    struct riad_extent turned;
    size_t count = 0;
    int r;

    move->listed_count = 0;
    move->listed_bytes = 0;
    r = list_locked(move, *from, LOCKED_MAX);
    if (r < 0 || move->listed_count == 0) {
        return r;
    }
    for (size_t i = 0; i < move->listed_count && move->listed[i].position <= last; i++) {
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
    return *from <= last;
}

static int turn_all(struct move *move, const struct riad_place *place)
{
    uint64_t from = move->copies[0].from;
    int r;

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
    room = workspace->store_blocks_free >= RIAD_STORE_RESERVE_BLOCKS / 2 + blocks;
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

    if (r < 0 || move->copy_count == 0) {
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
    return move->listed && move->plain ? 0 : -ENOMEM;
}

int riad_cleaner_move(
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
    moved.bytes = move.copy_count > 0 ? move.payload->size : 0;
    moved.stuck = move.stuck;
    *ret = moved;
    return 0;
}
