/* Sealing: a stream takes a counter, writes the header and seals. Nothing here waits for anything.
 */
#include "riad/stream.h"

#include <stdatomic.h>

#include "riad/digest.h"
#include "riad/error.h"

#include "record_priv.h"
#include "stream_priv.h"

enum { PURPOSES = 3, PIECES_MAX = 8 };

struct riad_stream {
    atomic_uint references;
    atomic_uint_fast64_t next;        /* counter */
    struct riad_record_header header; /* immutable: epoch, workspace and stream of every record */
    struct riad_secret *keys;         /* immutable: one key a purpose */
};

/* Enough for Padme of the largest frame: 2 MiB / 64. */
static const uint8_t zeros[RIAD_RECORD_LENGTH_MAX / 32];

static int derive_keys(const struct riad_keys *keys, struct riad_stream *stream)
{
    int r;

    r = riad_secret_new(PURPOSES * RIAD_AEAD_KEY_SIZE, &stream->keys);
    for (int i = 0; i < PURPOSES && r == 0; i++) {
        r = riad_keys_stream(keys, i, &stream->header.stream, stream->header.epoch,
                riad_secret_bytes(stream->keys) + i * RIAD_AEAD_KEY_SIZE);
    }
    return r;
}

int riad_stream_new(const struct riad_keys *keys, struct riad_stream **ret)
{
    _cleanup_(riad_stream_unrefp) struct riad_stream *stream = calloc(1, sizeof *stream);
    int r;

    if (!stream) {
        return -ENOMEM;
    }
    atomic_init(&stream->references, 1);
    atomic_init(&stream->next, 0);
    stream->header.epoch = riad_keys_epoch(keys);
    stream->header.workspace = *riad_keys_workspace(keys);
    r = riad_random_id(&stream->header.stream);
    if (r < 0) {
        return r;
    }
    r = derive_keys(keys, stream);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(stream);
    return 0;
}

struct riad_stream *riad_stream_ref(struct riad_stream *stream)
{
    atomic_fetch_add(&stream->references, 1);
    return stream;
}

void riad_stream_unref(struct riad_stream *stream)
{
    if (stream && atomic_fetch_sub(&stream->references, 1) == 1) {
        riad_secret_free(stream->keys);
        free(stream);
    }
}

uint64_t riad_stream_used(struct riad_stream *stream)
{
    return atomic_load(&stream->next);
}

uint32_t riad_stream_epoch(const struct riad_stream *stream)
{
    return stream->header.epoch;
}

/* K5: a counter is taken once and never given back, whatever happens to the record. */
static int seal(struct riad_stream *stream, enum riad_purpose purpose,
        struct riad_record_header *header, const struct riad_buffer *pieces, size_t count,
        uint8_t *ret)
{
    size_t sealed_size = RIAD_RECORD_HEADER_SIZE + (size_t)header->length + RIAD_TAG_SIZE;
    const uint8_t *key = riad_secret_peek(stream->keys) + purpose * RIAD_AEAD_KEY_SIZE;
    int r;

    header->counter = atomic_fetch_add(&stream->next, 1);
    if (header->counter >> RIAD_COUNTER_BITS != 0) {
        return -EOVERFLOW;
    }
    riad_record_header_encode(header, ret);
    r = riad_aead_seal(key, header->counter, ret, RIAD_RECORD_HEADER_SIZE, pieces, count,
            ret + RIAD_RECORD_HEADER_SIZE, ret + RIAD_RECORD_HEADER_SIZE + header->length);
    if (r < 0) {
        return r;
    }
    riad_record_checksum(ret, sealed_size, ret + sealed_size);
    return 0;
}

static void encode_identity(
        const struct riad_birth *birth, size_t n, uint8_t ret[RIAD_DATA_IDENTITY_SIZE])
{
    struct riad_writer writer;

    riad_writer_init_fixed(&writer, ret, RIAD_DATA_IDENTITY_SIZE);
    riad_put_u64(&writer, birth->inode);
    riad_put_u32(&writer, birth->generation);
    riad_put_u32(&writer, (uint32_t)n);
    riad_put_u64(&writer, birth->offset);
    riad_put_u64(&writer, 0);
}

int riad_stream_seal_data(struct riad_stream *stream, const struct riad_birth *birth,
        const void *data, size_t n, uint8_t *ret, uint8_t ret_tag[RIAD_TAG_SIZE])
{
    struct riad_record_header header = stream->header;
    uint8_t identity[RIAD_DATA_IDENTITY_SIZE];
    const struct riad_buffer pieces[] = {
        { identity, sizeof identity },
        { (void *)data, n },
        { (void *)zeros, riad_pad_padme(n) - n },
    };
    int r;

    if (n == 0 || n > RIAD_UNIT_MAX) {
        return -EINVAL;
    }
    encode_identity(birth, n, identity);
    header.type = RIAD_RECORD_DATA;
    header.padding = RIAD_PAD_PADME;
    header.length = (uint32_t)(RIAD_DATA_IDENTITY_SIZE + riad_pad_padme(n));
    r = seal(stream, RIAD_PURPOSE_DATA, &header, pieces, 3, ret);
    if (r < 0) {
        return r;
    }
    memcpy(ret_tag, ret + RIAD_RECORD_HEADER_SIZE + header.length, RIAD_TAG_SIZE);
    return 0;
}

/* Body size behind the length prefix; SIZE_MAX when it cannot be a record. */
static size_t total_size(const struct riad_buffer *pieces, size_t count)
{
    size_t total = 0;

    for (size_t i = 0; i < count; i++) {
        if (pieces[i].size > RIAD_RECORD_LENGTH_MAX) {
            return SIZE_MAX;
        }
        total += pieces[i].size;
    }
    return total <= RIAD_RECORD_LENGTH_MAX - 4 ? total : SIZE_MAX;
}

int riad_stream_seal_body(struct riad_stream *stream, enum riad_purpose purpose,
        enum riad_record_type type, const struct riad_buffer *pieces, size_t count,
        struct riad_writer *out)
{
    struct riad_record_header header = stream->header;
    struct riad_buffer all[PIECES_MAX + 2];
    size_t size = count <= PIECES_MAX ? total_size(pieces, count) : SIZE_MAX;
    size_t start = out->size;
    uint8_t prefix[4];
    int r;

    header.type = type;
    header.padding = type == RIAD_RECORD_FRAME ? RIAD_PAD_PADME : RIAD_PAD_64;
    if (size == SIZE_MAX || riad_body_length(header.padding, size) > RIAD_RECORD_LENGTH_MAX) {
        return -E2BIG;
    }
    header.length = (uint32_t)riad_body_length(header.padding, size);
    for (int i = 0; i < 4; i++) {
        prefix[i] = (uint8_t)(size >> 8 * i);
    }
    all[0] = (struct riad_buffer){ prefix, sizeof prefix };
    memcpy(all + 1, pieces, count * sizeof *pieces);
    all[count + 1] = (struct riad_buffer){ (void *)zeros, header.length - 4 - size };
    riad_put_zeros(out, RIAD_RECORD_OVERHEAD + (size_t)header.length);
    if (out->error) {
        return out->error;
    }
    r = seal(stream, purpose, &header, all, count + 2, out->data + start);
    if (r < 0) {
        out->size = start;
    }
    return r;
}
