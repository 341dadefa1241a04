/* The first record of every segment (FORMAT 5.1). */
#include "riad/error.h"
#include "riad/fdio.h"

#include "segment_priv.h"

enum { BODY_MAX = 256 };

bool riad_end_equal(const struct riad_end *a, const struct riad_end *b)
{
    return a->segment == b->segment && a->offset == b->offset &&
           a->sequence.term == b->sequence.term && a->sequence.number == b->sequence.number &&
           riad_hash_equal(&a->chain, &b->chain);
}

enum riad_purpose riad_segment_purpose(enum riad_segment_kind kind)
{
    switch (kind) {
    case RIAD_SEGMENT_DATA:
        return RIAD_PURPOSE_DATA;
    case RIAD_SEGMENT_CHECKPOINT:
        return RIAD_PURPOSE_CHECKPOINT;
    default:
        return RIAD_PURPOSE_CHANGE;
    }
}

int riad_segment_header_seal(struct riad_stream *stream, const struct riad_segment_header *header,
        struct riad_writer *out)
{
    uint8_t bytes[BODY_MAX];
    struct riad_writer body;
    struct riad_buffer piece;

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_u8(&body, (uint8_t)header->kind);
    riad_put_u64(&body, header->segment);
    riad_put_end(&body, &header->previous);
    riad_put_time(&body, header->created);
    riad_put_zeros(&body, 2 * sizeof(uint32_t)); /* compat, ro_compat */
    riad_put_u32(&body, header->features);
    riad_put_b32(&body, NULL, 0); /* extensions */
    if (body.error) {
        return body.error;
    }
    piece = (struct riad_buffer){ bytes, body.size };
    return riad_stream_seal_body(
            stream, riad_segment_purpose(header->kind), RIAD_RECORD_SEGMENT, &piece, 1, out);
}

static bool end_is_zero(const struct riad_end *end)
{
    static const struct riad_end zero;

    return riad_end_equal(end, &zero);
}

/* The second half is read only if the features are known: they say how. */
static int parse_body(const uint8_t *body, size_t size, enum riad_segment_kind kind,
        uint64_t segment, struct riad_segment_header *ret)
{
    struct riad_reader reader;

    riad_reader_init(&reader, body, size);
    ret->kind = riad_get_u8(&reader);
    ret->segment = riad_get_u64(&reader);
    riad_get_end(&reader, &ret->previous);
    ret->created = riad_get_time(&reader);
    (void)riad_get_u32(&reader); /* compat */
    ret->read_only_bits = riad_get_u32(&reader) != 0;
    ret->features = riad_get_u32(&reader);
    if (!reader.error && (ret->features & ~(uint32_t)RIAD_FEATURES_KNOWN) != 0) {
        return -EPROTONOSUPPORT;
    }
    riad_get_extensions(&reader);
    if (riad_reader_finish(&reader) < 0 || ret->kind != kind || ret->segment != segment ||
            (kind != RIAD_SEGMENT_LOG && !end_is_zero(&ret->previous))) {
        return -EBADMSG;
    }
    return 0;
}

/* A newer format is believed only under a whole checksum, whose place no format changes: else it is
 * damage. */
static int check_newer(const uint8_t *data, size_t size)
{
    struct riad_reader reader;
    size_t whole;

    riad_reader_init(&reader, data + RIAD_RECORD_HEADER_SIZE - 8, 4);
    whole = RIAD_RECORD_OVERHEAD + (size_t)riad_get_u32(&reader);
    return whole <= size && riad_record_check(data, whole) == 0 ? -EPROTONOSUPPORT : -EBADMSG;
}

static int decode(const uint8_t *data, size_t size, struct riad_record_header *ret)
{
    int r;

    if (size < RIAD_RECORD_HEADER_SIZE) {
        return -EBADMSG;
    }
    r = riad_record_header_decode(data, ret);
    if (r < 0) {
        return r == -EPROTONOSUPPORT ? check_newer(data, size) : r;
    }
    if (ret->type != RIAD_RECORD_SEGMENT || ret->counter != 0 ||
            size < RIAD_RECORD_OVERHEAD + (size_t)ret->length) {
        return -EBADMSG;
    }
    return riad_record_check(data, RIAD_RECORD_OVERHEAD + (size_t)ret->length);
}

int riad_segment_header_get(int fd, struct riad_key_cache *cache, enum riad_segment_kind kind,
        uint64_t segment, struct riad_segment_header *ret, struct riad_id *ret_stream)
{
    uint8_t data[RIAD_RECORD_OVERHEAD + RIAD_SEGMENT_LENGTH_MAX];
    uint8_t plain[RIAD_SEGMENT_LENGTH_MAX];
    struct riad_record_header record;
    struct riad_segment_header header;
    const uint8_t *body;
    size_t size;
    int r;

    r = riad_pread_all(fd, data, sizeof data, 0, &size);
    if (r < 0) {
        return r;
    }
    r = decode(data, size, &record);
    if (r < 0) {
        return r;
    }
    r = riad_record_open_body(
            cache, riad_segment_purpose(kind), &record, data, plain, &body, &size);
    if (r < 0) {
        return r;
    }
    r = parse_body(body, size, kind, segment, &header);
    if (r < 0) {
        return r;
    }
    header.size = RIAD_RECORD_OVERHEAD + (size_t)record.length;
    header.epoch = record.epoch;
    if (ret_stream) {
        *ret_stream = record.stream;
    }
    *ret = header;
    return 0;
}

int riad_segment_header_epoch(int fd, const struct riad_id *workspace, uint32_t *ret)
{
    uint8_t data[RIAD_RECORD_OVERHEAD + RIAD_SEGMENT_LENGTH_MAX];
    struct riad_record_header record;
    size_t size;
    int r;

    r = riad_pread_all(fd, data, sizeof data, 0, &size);
    if (r == 0) {
        r = decode(data, size, &record);
    }
    if (r < 0) {
        return r;
    }
    if (!riad_id_equal(&record.workspace, workspace)) {
        return -EBADMSG;
    }
    *ret = record.epoch;
    return 0;
}

int riad_segment_header_read(int workspace_fd, const struct riad_keys *keys,
        enum riad_segment_kind kind, uint64_t segment, struct riad_segment_header *ret)
{
    _cleanup_(riad_key_cache_freep) struct riad_key_cache *cache = NULL;
    _cleanup_close_ int fd = -1;
    int r;

    fd = riad_segment_open(workspace_fd, kind, segment);
    if (fd < 0) {
        return fd;
    }
    r = riad_key_cache_new(keys, &cache);
    if (r < 0) {
        return r;
    }
    return riad_segment_header_get(fd, cache, kind, segment, ret, NULL);
}
