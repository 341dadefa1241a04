/* The log segment: one write appends a change and its payload (L1, L2). */
#include "riad/log.h"

#include <unistd.h>

#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#include "log_priv.h"
#include "stream_priv.h"

enum { CHANGE_SIZE_MAX = RIAD_RECORD_OVERHEAD + RIAD_CHANGE_LENGTH_MAX };

int riad_log_writable(struct riad_log *log)
{
    return atomic_load(&log->stopped) || atomic_load(&log->failed) ? -EROFS : 0;
}

void riad_log_stop(struct riad_log *log)
{
    atomic_store(&log->stopped, true);
}

uint64_t riad_log_new_segment_id(struct riad_log *log)
{
    uint64_t ordinal = atomic_fetch_add(&log->ordinal, 1) + 1;

    return riad_segment_id(log->config.term, 0) + ordinal;
}

uint64_t riad_log_last_segment_id(struct riad_log *log)
{
    return riad_segment_id(log->config.term, 0) + atomic_load(&log->ordinal);
}

uint64_t riad_log_next_number(const struct riad_log *log)
{
    return log->end.sequence.number + 1;
}

/* (mutation) A stream and a header for the segment that the next append will create. Payloads that
 * were sealed with the stream before keep it (FORMAT 5), unless it is of another epoch. */
static int prepare_segment(struct riad_log *log)
{
    _cleanup_(riad_stream_unrefp) struct riad_stream *stream = NULL;
    struct riad_segment_header header = {
        .kind = RIAD_SEGMENT_LOG, .previous = log->end, .features = atomic_load(&log->features)
    };
    struct riad_stream *old;
    int r;

    r = riad_stream_new(log->config.keys, &stream);
    if (r < 0) {
        return r;
    }
    header.segment = riad_log_new_segment_id(log);
    clock_gettime(CLOCK_REALTIME, &header.created);
    riad_writer_reset(&log->header);
    r = riad_segment_header_seal(stream, &header, &log->header);
    if (r < 0) {
        riad_writer_reset(&log->header);
        return r;
    }
    log->next_segment = header.segment;
    pthread_mutex_lock(&log->lock);
    old = log->stream;
    log->stream = riad_take_pointer(stream);
    pthread_mutex_unlock(&log->lock);
    riad_stream_unref(old);
    return 0;
}

/* (mutation) Of two segments that were never synced a power cut may keep the later one alone: what
 * the first one lost, header and all, would not be the torn end of the log then, but damage. */
static int make_beginning_durable(struct riad_log *log, const struct riad_log_file *file)
{
    bool synced;
    int r = 0;

    pthread_mutex_lock(&log->lock);
    synced = file->synced;
    pthread_mutex_unlock(&log->lock);
    if (synced) {
        return 0;
    }
    if (TEMP_FAILURE_RETRY(riad_sys->fdatasync(file->fd)) < 0) {
        r = -errno;
    }
    r = r < 0 ? r : riad_fsync_dir(log->directories[0]);
    if (r < 0) {
        atomic_store(&log->failed, true);
    }
    return r;
}

/* (mutation) The current segment is never appended to again (L1). Nothing of it is left in the
 * spool, or the log has failed. */
static void retire_current(struct riad_log *log)
{
    struct riad_log_file *file = log->current;
    int r = riad_log_ship(log);

    if (r == 0) {
        r = make_beginning_durable(log, file);
    }
    if (r < 0) {
        riad_log_stop(log); /* as it has failed: no other segment may follow */
    }
    log->current = NULL;
    pthread_mutex_lock(&log->lock);
    log->shipping = NULL;
    file->whole = r == 0;
    file->retired = true;
    file = riad_log_file_collect(log, file);
    pthread_mutex_unlock(&log->lock);
    riad_log_file_close(log, file);
}

void riad_log_require(struct riad_log *log, uint32_t features)
{
    if ((features & ~atomic_load(&log->features)) == 0) {
        return;
    }
    atomic_fetch_or(&log->features, features);
    riad_writer_reset(&log->header);
    log->outgrown = log->current != NULL;
}

uint32_t riad_log_features(const struct riad_log *log)
{
    return atomic_load(&log->features);
}

/* (mutation) The next append begins a segment. A store that is full has no room for what the
 * current one has in the spool: then that goes on. */
static int leave_current(struct riad_log *log)
{
    int r = log->current ? riad_log_ship(log) : 0;

    if (r < 0) {
        return r;
    }
    if (log->current) {
        retire_current(log);
    }
    log->outgrown = false;
    return riad_log_writable(log);
}

int riad_log_roll(struct riad_log *log)
{
    int r = leave_current(log);

    if (r < 0) {
        return r;
    }
    riad_writer_reset(&log->header);
    return prepare_segment(log);
}

static bool is_full(const struct riad_log *log, size_t size)
{
    uint64_t limit = log->config.log_segment_size;

    return log->current->size + size + CHANGE_SIZE_MAX > limit ||
           riad_stream_used(log->stream) >= RIAD_STREAM_ROTATE;
}

int riad_log_place(struct riad_log *log, size_t size, struct riad_place *ret)
{
    int r;

    r = riad_log_writable(log);
    if (r < 0) {
        return r;
    }
    if (log->outgrown || (log->current && log->current->used && is_full(log, size))) {
        r = leave_current(log);
        if (r < 0) {
            return r;
        }
    }
    if (log->current) {
        *ret = (struct riad_place){ log->current->segment, log->current->size };
        return 0;
    }
    if (log->header.size == 0) {
        r = prepare_segment(log);
        if (r < 0) {
            return r;
        }
    }
    *ret = (struct riad_place){ log->next_segment, log->header.size };
    return 0;
}

static void encode_prefix(const struct riad_log *log, struct riad_sequence sequence,
        uint8_t ret[RIAD_CHANGE_PREFIX_SIZE])
{
    struct riad_writer writer;

    riad_writer_init_fixed(&writer, ret, RIAD_CHANGE_PREFIX_SIZE);
    riad_put_u32(&writer, sequence.term);
    riad_put_u64(&writer, sequence.number);
    riad_put_hash(&writer, &log->end.chain);
    riad_put_u64(&writer, atomic_load(&log->durable));
}

/* (mutation) Fills log->change; ret gets the sequence and the chain hash (L2). */
static int seal_change(struct riad_log *log, const void *content, size_t size, struct riad_end *ret)
{
    uint8_t prefix[RIAD_CHANGE_PREFIX_SIZE];
    const struct riad_buffer body[] = { { prefix, sizeof prefix }, { (void *)content, size } };
    int r;

    if (size > RIAD_CHANGE_BODY_MAX - sizeof prefix) {
        return -E2BIG;
    }
    ret->sequence = (struct riad_sequence){ log->config.term, riad_log_next_number(log) };
    encode_prefix(log, ret->sequence, prefix);
    r = riad_chain_hash(riad_keys_workspace(log->config.keys), body, 2, &ret->chain);
    if (r < 0) {
        return r;
    }
    riad_writer_reset(&log->change);
    return riad_stream_seal_body(
            log->stream, RIAD_PURPOSE_CHANGE, RIAD_RECORD_CHANGE, body, 2, &log->change);
}

static void add_piece(struct iovec *vector, int *count, const void *data, size_t size)
{
    vector[(*count)++] = (struct iovec){ .iov_base = (void *)data, .iov_len = size };
}

/* (mutation) One write of header (for a new segment), payload and change. *ret_size counts them
 * all. */
static int write_records(struct riad_log *log, const struct riad_payload *payload, size_t *ret_size)
{
    struct iovec vector[3];
    int count = 0;
    size_t size = 0;

    if (log->current->size == 0) {
        add_piece(vector, &count, log->header.data, log->header.size);
    }
    if (payload) {
        add_piece(vector, &count, payload->bytes, payload->size);
    }
    add_piece(vector, &count, log->change.data, log->change.size);
    for (int i = 0; i < count; i++) {
        size += vector[i].iov_len;
    }
    *ret_size = size;
    if (log->current->spooled) {
        return riad_log_spool_append(log, vector, count, size);
    }
    return riad_pwritev_all(log->current->fd, vector, count, log->current->size);
}

/* (mutation) What was written in part is cut off, if that can be done; if not, the next segment's
 * header says that it is void (L1). Into a spool nothing is written in part. */
static void abandon_current(struct riad_log *log)
{
    if (log->current->spooled && log->current->used) {
        return;
    }
    if (log->current->used) {
        (void)riad_sys->ftruncate(log->current->fd, (off_t)log->current->size);
    }
    riad_writer_reset(&log->header);
    retire_current(log);
}

static void publish(
        struct riad_log *log, struct riad_end *end, size_t size, uint64_t start, uint32_t records)
{
    struct riad_log_file *file = log->current;

    riad_writer_reset(&log->header);
    pthread_mutex_lock(&log->lock);
    file->size += size;
    file->used = true;
    riad_log_file_wrote(log, file, size);
    end->segment = file->segment;
    end->offset = file->size;
    log->end = *end;
    log->start = start;
    log->counters.appends++;
    log->counters.append_bytes += size;
    log->counters.records += records;
    log->counters.ships += !file->spooled;
    pthread_mutex_unlock(&log->lock);
}

/* (mutation) The file for the place that was told. */
static int need_current(struct riad_log *log)
{
    int r;

    if (log->current) {
        return 0;
    }
    r = riad_log_file_create(log, RIAD_SEGMENT_LOG, log->next_segment, &log->current);
    if (r < 0) {
        riad_writer_reset(&log->header); /* whatever is at that name, it is not ours */
        return r;
    }
    r = riad_log_spool_begin(log, log->current);
    if (r < 0) {
        abandon_current(log);
    }
    return r;
}

int riad_log_append(struct riad_log *log, const struct riad_payload *payload, const void *content,
        size_t size, struct riad_end *ret_end, uint64_t *ret_start)
{
    size_t payload_size = payload ? payload->size : 0;
    struct riad_place place;
    struct riad_end end;
    size_t written;
    int r;

    if (payload && riad_log_is_stale(log, payload)) {
        return -EAGAIN;
    }
    r = riad_log_place(log, payload_size, &place);
    if (r < 0) {
        return r;
    }
    r = seal_change(log, content, size, &end);
    if (r < 0) {
        return r;
    }
    r = need_current(log);
    if (r < 0) {
        return r;
    }
    r = write_records(log, payload, &written);
    if (r < 0) {
        abandon_current(log);
        return r;
    }
    publish(log, &end, written, place.position + payload_size, payload ? payload->count : 0);
    *ret_end = end;
    *ret_start = place.position + payload_size;
    return 0;
}
