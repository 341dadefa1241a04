/* The reading half of riad/bytes.h. */
#include <errno.h>

#include "riad/bytes.h"

enum { NANOSECONDS = 1000000000, FIRST_MANDATORY_TAG = 0x8000 };

void riad_reader_init(struct riad_reader *reader, const void *data, size_t size)
{
    *reader = (struct riad_reader){ .data = data ? data : (const void *)"", .left = size };
}

void riad_reader_refuse(struct riad_reader *reader)
{
    reader->error = -EBADMSG;
}

int riad_reader_finish(const struct riad_reader *reader)
{
    if (reader->error || reader->left > 0) {
        return -EBADMSG;
    }
    return 0;
}

const uint8_t *riad_get_span(struct riad_reader *reader, size_t size)
{
    const uint8_t *span = reader->data;

    if (reader->error || size > reader->left) {
        riad_reader_refuse(reader);
        return NULL;
    }
    reader->data += size;
    reader->left -= size;
    return span;
}

static uint64_t get_integer(struct riad_reader *reader, size_t size)
{
    const uint8_t *span = riad_get_span(reader, size);
    uint64_t value = 0;

    for (size_t i = 0; span && i < size; i++) {
        value |= (uint64_t)span[i] << 8 * i;
    }
    return value;
}

uint8_t riad_get_u8(struct riad_reader *reader)
{
    return (uint8_t)get_integer(reader, 1);
}

uint16_t riad_get_u16(struct riad_reader *reader)
{
    return (uint16_t)get_integer(reader, 2);
}

uint32_t riad_get_u32(struct riad_reader *reader)
{
    return (uint32_t)get_integer(reader, 4);
}

uint64_t riad_get_u64(struct riad_reader *reader)
{
    return get_integer(reader, 8);
}

void riad_get_bytes(struct riad_reader *reader, void *ret, size_t size)
{
    const uint8_t *span = riad_get_span(reader, size);

    if (size == 0) {
        return;
    }
    if (span) {
        memcpy(ret, span, size);
    } else {
        memset(ret, 0, size);
    }
}

static const uint8_t *get_prefixed(
        struct riad_reader *reader, size_t size, size_t max, size_t *ret_size)
{
    const uint8_t *span;

    if (size > max) {
        riad_reader_refuse(reader);
    }
    span = riad_get_span(reader, size);
    *ret_size = span ? size : 0;
    return span;
}

const uint8_t *riad_get_b16(struct riad_reader *reader, size_t max, size_t *ret_size)
{
    return get_prefixed(reader, riad_get_u16(reader), max, ret_size);
}

const uint8_t *riad_get_b32(struct riad_reader *reader, size_t max, size_t *ret_size)
{
    return get_prefixed(reader, riad_get_u32(reader), max, ret_size);
}

struct timespec riad_get_time(struct riad_reader *reader)
{
    int64_t seconds = (int64_t)riad_get_u64(reader);
    uint32_t nanoseconds = riad_get_u32(reader);

    if (nanoseconds >= NANOSECONDS) {
        riad_reader_refuse(reader);
    }
    if (reader->error) {
        return (struct timespec){ 0 };
    }
    return (struct timespec){ .tv_sec = seconds, .tv_nsec = nanoseconds };
}

void riad_get_id(struct riad_reader *reader, struct riad_id *ret)
{
    riad_get_bytes(reader, ret->bytes, sizeof ret->bytes);
}

void riad_get_hash(struct riad_reader *reader, struct riad_hash *ret)
{
    riad_get_bytes(reader, ret->bytes, sizeof ret->bytes);
}

void riad_get_end(struct riad_reader *reader, struct riad_end *ret)
{
    ret->segment = riad_get_u64(reader);
    ret->offset = riad_get_u64(reader);
    ret->sequence.term = riad_get_u32(reader);
    ret->sequence.number = riad_get_u64(reader);
    riad_get_hash(reader, &ret->chain);
}

void riad_get_zeros(struct riad_reader *reader, size_t count)
{
    const uint8_t *span = riad_get_span(reader, count);
    uint8_t seen = 0;

    for (size_t i = 0; span && i < count; i++) {
        seen |= span[i];
    }
    if (seen != 0) {
        riad_reader_refuse(reader);
    }
}

const uint8_t *riad_get_extension(struct riad_reader *reader, uint16_t tag, size_t *ret_size)
{
    const uint8_t *value, *found = NULL;
    struct riad_reader block;
    uint32_t least = 0; /* tags ascend strictly: the next one is at least this */
    size_t size;
    const uint8_t *bytes = riad_get_b32(reader, SIZE_MAX, &size);

    *ret_size = 0;
    riad_reader_init(&block, bytes, size);
    while (block.left > 0 && !block.error) {
        uint32_t next = riad_get_u16(&block);

        if (next < least || next >= FIRST_MANDATORY_TAG) {
            riad_reader_refuse(&block);
        }
        least = next + 1;
        value = riad_get_b32(&block, SIZE_MAX, &size);
        if (value && next == tag) {
            found = value;
            *ret_size = size;
        }
    }
    if (block.error) {
        riad_reader_refuse(reader);
        *ret_size = 0;
        return NULL;
    }
    return found;
}

void riad_get_extensions(struct riad_reader *reader)
{
    size_t size;

    (void)riad_get_extension(reader, FIRST_MANDATORY_TAG, &size); /* none has that */
}
