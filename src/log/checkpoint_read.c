/* Reading a checkpoint: every frame is authentic, in order, of one stream, and the last one vouches
 * for all (L6). */
#include <zstd.h>

#include "riad/error.h"

#include "checkpoint_priv.h"
#include "window_priv.h"

struct riad_checkpoint_reader {
    int fd; /* owned; -1: the caller's */
    struct riad_key_cache *cache;
    struct riad_window window;
    struct riad_id stream; /* of the header: every frame must be of it, */
    uint32_t epoch; /* and of its epoch: under another one a former member may have its key */
    uint64_t offset;
    uint32_t frames;
    struct riad_checkpoint_sum sum;
    uint8_t *plain;
    uint8_t *unpacked;
};

struct frame {
    bool last;
    const uint8_t *raw; /* borrowed until the next frame */
    size_t size;
};

static void release(struct riad_checkpoint_reader *reader)
{
    riad_key_cache_freep(&reader->cache);
    riad_window_done(&reader->window);
    free(reader->plain);
    free(reader->unpacked);
}

static int allocate(struct riad_checkpoint_reader *reader, const struct riad_keys *keys)
{
    int r;

    reader->plain = malloc(RIAD_RECORD_LENGTH_MAX);
    reader->unpacked = malloc(RIAD_FRAME_RAW_MAX);
    if (!reader->plain || !reader->unpacked) {
        return -ENOMEM;
    }
    r = riad_key_cache_new(keys, &reader->cache);
    if (r < 0) {
        return r;
    }
    return riad_window_init(&reader->window);
}

/* The next whole record, of this checkpoint's stream and in its turn: the segment header took
 * counter 0. */
static int get_record(struct riad_checkpoint_reader *reader, struct riad_record_header *ret_header,
        const uint8_t **ret)
{
    size_t size, whole;
    int r;

    r = riad_window_get(&reader->window, reader->offset, RIAD_RECORD_HEADER_SIZE, ret, &size);
    if (r < 0) {
        return r;
    }
    if (size < RIAD_RECORD_HEADER_SIZE || riad_record_header_decode(*ret, ret_header) < 0 ||
            ret_header->type != RIAD_RECORD_FRAME ||
            ret_header->counter != (uint64_t)reader->frames + 1 ||
            !riad_id_equal(&ret_header->stream, &reader->stream) ||
            ret_header->epoch != reader->epoch) {
        return -EBADMSG;
    }
    whole = RIAD_RECORD_OVERHEAD + (size_t)ret_header->length;
    r = riad_window_get(&reader->window, reader->offset, whole, ret, &size);
    if (r < 0) {
        return r;
    }
    reader->offset += whole;
    return size < whole ? -EBADMSG : riad_record_check(*ret, whole);
}

static int unpack(struct riad_checkpoint_reader *reader, uint8_t codec, const uint8_t *payload,
        size_t payload_size, struct frame *frame)
{
    size_t size;

    if (codec == RIAD_FRAME_PLAIN) {
        frame->raw = payload;
        return payload_size == frame->size ? 0 : -EBADMSG;
    }
    if (codec != RIAD_FRAME_ZSTD) {
        return -EBADMSG;
    }
    size = ZSTD_decompress(reader->unpacked, frame->size, payload, payload_size);
    if (ZSTD_isError(size) || size != frame->size) {
        return -EBADMSG;
    }
    frame->raw = reader->unpacked;
    return 0;
}

static int parse_frame(
        struct riad_checkpoint_reader *reader, const uint8_t *body, size_t size, struct frame *ret)
{
    struct riad_reader fields;
    const uint8_t *payload;
    size_t payload_size;
    uint32_t number;
    uint8_t last, codec;

    riad_reader_init(&fields, body, size);
    number = riad_get_u32(&fields);
    last = riad_get_u8(&fields);
    codec = riad_get_u8(&fields);
    ret->size = riad_get_u32(&fields);
    payload = riad_get_b32(&fields, RIAD_RECORD_LENGTH_MAX, &payload_size);
    if (riad_reader_finish(&fields) < 0 || number != reader->frames || last > 1 ||
            ret->size > RIAD_FRAME_RAW_MAX) {
        return -EBADMSG;
    }
    ret->last = last == 1;
    return unpack(reader, codec, payload, payload_size, ret);
}

static int read_frame(struct riad_checkpoint_reader *reader, struct frame *ret)
{
    struct riad_record_header header;
    const uint8_t *record, *body;
    size_t size;
    int r;

    r = get_record(reader, &header, &record);
    if (r < 0) {
        return r;
    }
    r = riad_record_open_body(
            reader->cache, RIAD_PURPOSE_CHECKPOINT, &header, record, reader->plain, &body, &size);
    if (r == 0) {
        r = parse_frame(reader, body, size, ret);
    }
    if (r == 0) {
        reader->frames++;
    }
    return r;
}

/* Whole operations only, each counted. */
static int count_rows(struct riad_checkpoint_reader *reader, const struct frame *frame)
{
    size_t offset = 0;

    while (offset < frame->size) {
        size_t size = riad_operation_size(frame->raw + offset, frame->size - offset);

        if (size == 0) {
            return -EBADMSG;
        }
        offset += size;
        reader->sum.rows++;
    }
    return 0;
}

static int check_final(const struct riad_checkpoint_reader *reader, const struct frame *frame)
{
    struct riad_checkpoint_sum sum;
    struct riad_reader fields;

    riad_reader_init(&fields, frame->raw, frame->size);
    sum.rows = riad_get_u64(&fields);
    riad_get_hash(&fields, &sum.hash);
    if (riad_reader_finish(&fields) < 0 || sum.rows != reader->sum.rows ||
            !riad_hash_equal(&sum.hash, &reader->sum.hash)) {
        return -EBADMSG;
    }
    return 0;
}

/* The next frame; all but the last one go into the sum that it vouches for. */
static int take_frame(struct riad_checkpoint_reader *reader, struct frame *ret)
{
    int r;

    r = read_frame(reader, ret);
    return r < 0 || ret->last ? r : riad_checkpoint_sum_add(&reader->sum, ret->raw, ret->size);
}

static int read_manifest(
        struct riad_checkpoint_reader *reader, struct riad_checkpoint_manifest *ret)
{
    struct frame frame;
    int r;

    r = take_frame(reader, &frame);
    if (r < 0) {
        return r;
    }
    return frame.last ? -EBADMSG : riad_manifest_decode(frame.raw, frame.size, ret);
}

/* The last frame vouches for all before it, and nothing is behind it. */
static int check_end(struct riad_checkpoint_reader *reader, const struct frame *frame)
{
    const uint8_t *data;
    size_t size;
    int r;

    r = check_final(reader, frame);
    if (r < 0) {
        return r;
    }
    r = riad_window_get(&reader->window, reader->offset, 1, &data, &size);
    return r == 0 && size > 0 ? -EBADMSG : r;
}

int riad_checkpoint_next(
        struct riad_checkpoint_reader *reader, const uint8_t **ret_operations, size_t *ret_size)
{
    struct frame frame;
    int r;

    r = take_frame(reader, &frame);
    if (r == 0) {
        r = frame.last ? check_end(reader, &frame) : count_rows(reader, &frame);
    }
    if (r < 0 || frame.last) {
        return r;
    }
    *ret_operations = frame.raw;
    *ret_size = frame.size;
    return 1;
}

/* Up to the manifest. */
static int begin(struct riad_checkpoint_reader *reader, int fd, const struct riad_keys *keys,
        uint64_t segment, struct riad_checkpoint_manifest *ret)
{
    struct riad_checkpoint_manifest manifest;
    struct riad_segment_header header;
    int r;

    r = allocate(reader, keys);
    if (r < 0) {
        return r;
    }
    r = riad_segment_header_get(
            fd, reader->cache, RIAD_SEGMENT_CHECKPOINT, segment, &header, &reader->stream);
    if (r < 0) {
        return r;
    }
    riad_window_set(&reader->window, fd);
    reader->offset = header.size;
    reader->epoch = header.epoch;
    r = read_manifest(reader, &manifest);
    if (r == 0 && manifest.epoch != header.epoch) {
        r = -EBADMSG;
    }
    if (r == 0) {
        manifest.features = header.features;
        *ret = manifest;
    }
    return r;
}

int riad_checkpoint_open(int workspace_fd, const struct riad_keys *keys, uint64_t segment,
        struct riad_checkpoint_manifest *ret_manifest, struct riad_checkpoint_reader **ret)
{
    _cleanup_(riad_checkpoint_reader_freep) struct riad_checkpoint_reader *reader =
            calloc(1, sizeof *reader);
    int r;

    if (!reader) {
        return -ENOMEM;
    }
    reader->fd = riad_segment_open(workspace_fd, RIAD_SEGMENT_CHECKPOINT, segment);
    if (reader->fd < 0) {
        return reader->fd;
    }
    r = begin(reader, reader->fd, keys, segment, ret_manifest);
    if (r == 0) {
        *ret = reader;
        reader = NULL;
    }
    return r;
}

void riad_checkpoint_reader_free(struct riad_checkpoint_reader *reader)
{
    if (!reader) {
        return;
    }
    riad_close_fd(&reader->fd);
    release(reader);
    free(reader);
}

int riad_checkpoint_read_fd(int fd, const struct riad_keys *keys, uint64_t segment, bool whole,
        struct riad_checkpoint_manifest *ret, riad_checkpoint_function apply, void *context)
{
    _cleanup_(release) struct riad_checkpoint_reader reader = { .fd = -1 };
    struct riad_checkpoint_manifest manifest;
    const uint8_t *operations;
    size_t size;
    int r, more = whole;

    r = begin(&reader, fd, keys, segment, &manifest);
    while (r == 0 && more > 0) {
        more = riad_checkpoint_next(&reader, &operations, &size);
        r = more < 0 ? more : more > 0 && apply ? apply(context, operations, size) : 0;
    }
    if (r == 0) {
        *ret = manifest;
    }
    return r;
}

int riad_checkpoint_read(int workspace_fd, const struct riad_keys *keys, uint64_t segment,
        struct riad_checkpoint_manifest *ret, riad_checkpoint_function apply, void *context)
{
    _cleanup_close_ int fd = riad_segment_open(workspace_fd, RIAD_SEGMENT_CHECKPOINT, segment);

    if (fd < 0) {
        return fd;
    }
    return riad_checkpoint_read_fd(fd, keys, segment, apply != NULL, ret, apply, context);
}
