/* Data segments: any number of writers reserve ranges under the log's lock and write them outside
 * it. */
#include "riad/error.h"
#include "riad/fdio.h"

#include "log_priv.h"
#include "stream_priv.h"

/* (lock) Bytes that this owner has written lately, these included. */
static uint64_t note_owner(struct riad_log *log, uint64_t owner, size_t size)
{
    struct riad_owner *oldest = &log->owners[0];

    for (int i = 0; i < RIAD_OWNERS; i++) {
        struct riad_owner *known = &log->owners[i];

        if (known->used > 0 && known->inode == owner) {
            known->used = log->clock;
            known->bytes += size;
            return known->bytes;
        }
        if (known->used < oldest->used) {
            oldest = known;
        }
    }
    *oldest = (struct riad_owner){ owner, size, log->clock };
    return size;
}

/* (lock) The owner's own slot, or one to be taken over; NULL when all are busy: then it goes with
 * the others. */
static struct riad_bulk_slot *find_own_slot(struct riad_log *log, uint64_t owner)
{
    struct riad_bulk_slot *idle = NULL;

    for (int i = 1; i < RIAD_MOVED_SLOT; i++) {
        struct riad_bulk_slot *slot = &log->slots[i];

        if (slot->used > 0 && slot->owner == owner) {
            return slot;
        }
        if (!slot->opening && (slot->used == 0 || slot->used + RIAD_BULK_IDLE < log->clock) &&
                (!idle || slot->used < idle->used)) {
            idle = slot;
        }
    }
    return idle;
}

/* (lock) The slot's file is never appended to again. */
static struct riad_log_file *retire_slot(struct riad_log *log, struct riad_bulk_slot *slot)
{
    struct riad_log_file *file = slot->file;

    slot->file = NULL;
    if (!file) {
        return NULL;
    }
    file->retired = true;
    return riad_log_file_collect(log, file);
}

/* Puts a collected file, if there is one, on a list for riad_log_file_close. */
static void push_closing(struct riad_log_file **list, struct riad_log_file *file)
{
    if (file) {
        file->next = *list;
        *list = file;
    }
}

/* (lock) A file as large as a segment gets segments of its own, so that deleting it is an unlink.
 * *ret_closing is for riad_log_files_close. */
static struct riad_bulk_slot *choose_slot(
        struct riad_log *log, uint64_t owner, size_t size, struct riad_log_file **ret_closing)
{
    struct riad_bulk_slot *slot = &log->slots[0];
    struct riad_bulk_slot *own = NULL;

    if (owner == RIAD_MOVED) {
        return &log->slots[RIAD_MOVED_SLOT];
    }
    log->clock++;
    if (note_owner(log, owner, size) >= RIAD_OWNER_BYTES) {
        own = find_own_slot(log, owner);
    }
    if (own) {
        slot = own;
        if (slot->owner != owner) {
            push_closing(ret_closing, retire_slot(log, slot));
            slot->owner = owner;
        }
    }
    slot->used = log->clock;
    return slot;
}

struct riad_log_file *riad_log_end_bulk(struct riad_log *log)
{
    struct riad_log_file *closing = NULL;

    for (int i = 0; i < RIAD_BULK_SLOTS; i++) {
        push_closing(&closing, retire_slot(log, &log->slots[i]));
    }
    return closing;
}

/* *ret_epoch is that of the stream which seals the header. */
static int write_header(struct riad_log *log, struct riad_log_file *file, uint32_t *ret_epoch)
{
    _cleanup_(riad_stream_unrefp) struct riad_stream *stream = NULL;
    struct riad_segment_header header = { .kind = RIAD_SEGMENT_DATA, .segment = file->segment };
    uint8_t bytes[RIAD_SEGMENT_HEADER_SIZE];
    struct riad_writer out;
    int r;

    r = riad_stream_new(log->config.keys, &stream);
    if (r < 0) {
        return r;
    }
    *ret_epoch = riad_stream_epoch(stream);
    clock_gettime(CLOCK_REALTIME, &header.created);
    riad_writer_init_fixed(&out, bytes, sizeof bytes);
    r = riad_segment_header_seal(stream, &header, &out);
    if (r < 0) {
        return r;
    }
    r = riad_pwrite_all(file->fd, bytes, out.size, 0);
    if (r == 0) {
        pthread_mutex_lock(&log->lock);
        file->size = out.size;
        riad_log_file_wrote(log, file, out.size);
        pthread_mutex_unlock(&log->lock);
    }
    return r;
}

static void discard(struct riad_log *log, struct riad_log_file *file)
{
    pthread_mutex_lock(&log->lock);
    file->retired = true;
    file->pins--;
    file = riad_log_file_collect(log, file);
    pthread_mutex_unlock(&log->lock);
    riad_log_file_close(log, file);
}

/* No lock held. The result is pinned once. */
static int create_data_file(struct riad_log *log, struct riad_log_file **ret, uint32_t *ret_epoch)
{
    struct riad_log_file *file;
    int r;

    r = riad_log_file_create(log, RIAD_SEGMENT_DATA, riad_log_new_segment_id(log), &file);
    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&log->lock);
    file->pins++;
    pthread_mutex_unlock(&log->lock);
    r = write_header(log, file, ret_epoch);
    if (r < 0) {
        discard(log, file);
        return r;
    }
    *ret = file;
    return 0;
}

/* (lock) Released while the file is created; others who want the slot wait. Leaves the slot empty
 * if an epoch ended meanwhile: a segment is of one epoch, and its id is of it too. */
static int open_slot(
        struct riad_log *log, struct riad_bulk_slot *slot, struct riad_log_file **ret_closing)
{
    struct riad_log_file *file = NULL;
    uint32_t epoch = 0;
    int r;

    slot->opening = true;
    pthread_mutex_unlock(&log->lock);
    r = create_data_file(log, &file, &epoch);
    pthread_mutex_lock(&log->lock);
    slot->opening = false;
    pthread_cond_broadcast(&log->changed);
    if (r == 0) {
        file->pins--;
        slot->file = file;
    }
    if (r == 0 && (epoch != log->epoch || file->segment <= log->turned)) {
        push_closing(ret_closing, retire_slot(log, slot));
    }
    return r;
}

/* (lock) Leaves a file in the slot that has room for size bytes. */
static int need_room(struct riad_log *log, struct riad_bulk_slot *slot, size_t size,
        struct riad_log_file **ret_closing)
{
    int r;

    for (;;) {
        if (slot->opening) {
            pthread_cond_wait(&log->changed, &log->lock);
            continue;
        }
        if (slot->file && slot->file->size > RIAD_SEGMENT_HEADER_SIZE &&
                slot->file->size + size > log->config.data_segment_size) {
            push_closing(ret_closing, retire_slot(log, slot));
        }
        if (slot->file) {
            return 0;
        }
        r = open_slot(log, slot, ret_closing);
        if (r < 0) {
            return r;
        }
    }
}

/* A range of a data segment that one writer fills. */
struct range {
    struct riad_bulk_slot *slot;
    struct riad_log_file *file; /* pinned */
    uint64_t position;
};

/* (lock) -EAGAIN: the payload is stale, perhaps since a file was made for it. */
static int take_range(struct riad_log *log, const struct riad_payload *payload, uint64_t owner,
        struct range *ret, struct riad_log_file **ret_closing)
{
    int r;

    if (riad_log_is_stale(log, payload)) {
        return -EAGAIN;
    }
    ret->slot = choose_slot(log, owner, payload->size, ret_closing);
    r = need_room(log, ret->slot, payload->size, ret_closing);
    if (r < 0) {
        return r;
    }
    if (riad_log_is_stale(log, payload)) {
        return -EAGAIN;
    }
    ret->file = ret->slot->file;
    ret->position = ret->file->size;
    ret->file->pins++;
    ret->file->size += payload->size;
    return 0;
}

static int reserve(
        struct riad_log *log, const struct riad_payload *payload, uint64_t owner, struct range *ret)
{
    struct riad_log_file *closing = NULL;
    int r;

    pthread_mutex_lock(&log->lock);
    r = take_range(log, payload, owner, ret, &closing);
    pthread_mutex_unlock(&log->lock);
    riad_log_files_close(log, closing);
    return r;
}

/* A failed write abandons the segment (L1); writers at work on other ranges of it go on. */
static void finish(struct riad_log *log, const struct range *range,
        const struct riad_payload *payload, bool written)
{
    struct riad_log_file *file = range->file;

    pthread_mutex_lock(&log->lock);
    file->pins--;
    if (written) {
        file->used = true;
        riad_log_file_wrote(log, file, payload->size);
        log->counters.records += payload->count;
        log->counters.bulk_writes++;
        log->counters.bulk_bytes += payload->size;
    } else {
        file->retired = true;
        if (range->slot->file == file) {
            range->slot->file = NULL;
        }
    }
    file = riad_log_file_collect(log, file);
    pthread_mutex_unlock(&log->lock);
    riad_log_file_close(log, file);
}

int riad_log_write_bulk(struct riad_log *log, const struct riad_payload *payload, uint64_t owner,
        struct riad_place *ret)
{
    struct range range = { 0 };
    uint64_t segment;
    int r;

    r = riad_log_writable(log);
    if (r < 0) {
        return r;
    }
    r = reserve(log, payload, owner, &range);
    if (r < 0) {
        return r;
    }
    segment = range.file->segment;
    r = riad_pwrite_all(range.file->fd, payload->bytes, payload->size, range.position);
    finish(log, &range, payload, r == 0);
    if (r < 0) {
        return r;
    }
    *ret = (struct riad_place){ segment, range.position };
    return 0;
}

void riad_log_end_segment(struct riad_log *log, uint64_t segment)
{
    struct riad_log_file *closing = NULL;

    pthread_mutex_lock(&log->lock);
    for (int i = 0; i < RIAD_BULK_SLOTS && !closing; i++) {
        struct riad_bulk_slot *slot = &log->slots[i];

        if (!slot->opening && slot->file && slot->file->segment == segment &&
                slot->file->pins == 0) {
            closing = retire_slot(log, slot);
        }
    }
    pthread_mutex_unlock(&log->lock);
    riad_log_file_close(log, closing);
}
