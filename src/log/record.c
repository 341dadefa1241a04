/* Headers, padding and the keyless checksum (FORMAT 5). */
#include "riad/record.h"

#include <xxhash.h>

#include "riad/error.h"

#include "record_priv.h"

enum { MAGIC_SIZE = 4, FORMAT = 1, SUITE = 1 };

static const uint8_t magic[MAGIC_SIZE] = { 'R', 'I', 'A', 'R' };

void riad_record_header_encode(
        const struct riad_record_header *header, uint8_t ret[RIAD_RECORD_HEADER_SIZE])
{
    struct riad_writer writer;

    riad_writer_init_fixed(&writer, ret, RIAD_RECORD_HEADER_SIZE);
    riad_put_bytes(&writer, magic, sizeof magic);
    riad_put_u8(&writer, FORMAT);
    riad_put_u8(&writer, SUITE);
    riad_put_u8(&writer, (uint8_t)header->type);
    riad_put_u8(&writer, (uint8_t)header->padding);
    riad_put_u32(&writer, 0);
    riad_put_u32(&writer, header->epoch);
    riad_put_id(&writer, &header->workspace);
    riad_put_id(&writer, &header->stream);
    riad_put_u64(&writer, header->counter);
    riad_put_u32(&writer, header->length);
    riad_put_u32(&writer, 0);
}

/* Bounds of the ciphertext's length, and its step, by type. */
static bool length_allowed(enum riad_record_type type, uint32_t length)
{
    switch (type) {
    case RIAD_RECORD_CHANGE:
        return length > 0 && length % 64 == 0 && length <= RIAD_CHANGE_LENGTH_MAX;
    case RIAD_RECORD_SEGMENT:
        return length > 0 && length % 64 == 0 && length <= RIAD_SEGMENT_LENGTH_MAX;
    case RIAD_RECORD_DATA:
        return length > RIAD_DATA_IDENTITY_SIZE && length % 16 == 0 &&
               length <= RIAD_DATA_IDENTITY_SIZE + RIAD_UNIT_MAX;
    case RIAD_RECORD_FRAME:
        return length > 0 && length % 16 == 0 && length <= RIAD_RECORD_LENGTH_MAX;
    }
    return false;
}

static enum riad_record_padding padding_of(enum riad_record_type type)
{
    return type == RIAD_RECORD_DATA || type == RIAD_RECORD_FRAME ? RIAD_PAD_PADME : RIAD_PAD_64;
}

static void decode_fields(struct riad_reader *reader, struct riad_record_header *header)
{
    header->type = riad_get_u8(reader);
    header->padding = riad_get_u8(reader);
    riad_get_zeros(reader, 4);
    header->epoch = riad_get_u32(reader);
    riad_get_id(reader, &header->workspace);
    riad_get_id(reader, &header->stream);
    header->counter = riad_get_u64(reader);
    header->length = riad_get_u32(reader);
    riad_get_zeros(reader, 4);
}

int riad_record_header_decode(
        const uint8_t data[RIAD_RECORD_HEADER_SIZE], struct riad_record_header *ret)
{
    struct riad_record_header header;
    struct riad_reader reader;

    if (memcmp(data, magic, sizeof magic) != 0) {
        return -EBADMSG;
    }
    if (data[4] > FORMAT || data[5] > SUITE) {
        return -EPROTONOSUPPORT;
    }
    if (data[4] != FORMAT || data[5] != SUITE) {
        return -EBADMSG;
    }
    riad_reader_init(&reader, data + 6, RIAD_RECORD_HEADER_SIZE - 6);
    decode_fields(&reader, &header);
    if (riad_reader_finish(&reader) < 0 || !length_allowed(header.type, header.length) ||
            header.padding != padding_of(header.type) || header.epoch == 0 ||
            header.counter >> RIAD_COUNTER_BITS != 0) {
        return -EBADMSG;
    }
    *ret = header;
    return 0;
}

static size_t round_up(size_t size, size_t step)
{
    return (size + step - 1) / step * step;
}

size_t riad_pad_padme(size_t size)
{
    unsigned exponent, bits;

    if (size < 2) {
        return round_up(size, 16);
    }
    exponent = 63 - (unsigned)__builtin_clzll(size);
    bits = exponent == 0 ? 1 : 32 - (unsigned)__builtin_clz(exponent);
    return round_up(round_up(size, (size_t)1 << (exponent > bits ? exponent - bits : 0)), 16);
}

size_t riad_data_record_size(size_t n)
{
    return riad_pad_padme(n) + RIAD_DATA_OVERHEAD;
}

size_t riad_body_length(enum riad_record_padding padding, size_t size)
{
    return padding == RIAD_PAD_64 ? round_up(4 + size, 64) : riad_pad_padme(4 + size);
}

void riad_record_checksum(const uint8_t *record, size_t size, uint8_t ret[8])
{
    XXH64_hash_t sum = XXH64(record, size, 0);

    for (int i = 0; i < 8; i++) {
        ret[i] = (uint8_t)(sum >> 8 * i);
    }
}

int riad_record_check(const uint8_t *record, size_t size)
{
    uint8_t expected[8];

    if (size < RIAD_RECORD_OVERHEAD) {
        return -EBADMSG;
    }
    riad_record_checksum(record, size - sizeof expected, expected);
    return memcmp(expected, record + size - sizeof expected, sizeof expected) == 0 ? 0 : -EBADMSG;
}
