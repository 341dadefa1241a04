/* Opening records: everything is checked before anything is believed (P5). */
#include "riad/error.h"

#include "record_priv.h"

enum { PADDING_MAX = 4096 + 16 }; /* of a data record: Padme adds less than n / 16 at 64 KiB */

static bool all_zero(const uint8_t *data, size_t size)
{
    uint8_t seen = 0;

    for (size_t i = 0; i < size; i++) {
        seen |= data[i];
    }
    return seen == 0;
}

static int open_pieces(struct riad_key_cache *cache, enum riad_purpose purpose,
        const struct riad_record_header *header, const uint8_t *record,
        const struct riad_buffer *pieces, size_t count)
{
    uint8_t key[RIAD_AEAD_KEY_SIZE];
    int r;

    if (!riad_id_equal(&header->workspace, riad_key_cache_workspace(cache))) {
        return -EBADMSG;
    }
    r = riad_key_cache_get(cache, purpose, &header->stream, header->epoch, key);
    if (r < 0) {
        return r;
    }
    r = riad_aead_open(key, header->counter, record, RIAD_RECORD_HEADER_SIZE,
            record + RIAD_RECORD_HEADER_SIZE, record + RIAD_RECORD_HEADER_SIZE + header->length,
            pieces, count);
    riad_wipe(key, sizeof key);
    return r;
}

int riad_record_open_body(struct riad_key_cache *cache, enum riad_purpose purpose,
        const struct riad_record_header *header, const uint8_t *record, uint8_t *plain,
        const uint8_t **ret_body, size_t *ret_size)
{
    const struct riad_buffer whole = { plain, header->length };
    struct riad_reader reader;
    size_t size;
    int r;

    r = open_pieces(cache, purpose, header, record, &whole, 1);
    if (r < 0) {
        return r;
    }
    riad_reader_init(&reader, plain, header->length);
    size = riad_get_u32(&reader);
    if (riad_body_length(header->padding, size) != header->length ||
            !all_zero(plain + 4 + size, header->length - 4 - size)) {
        return -EBADMSG;
    }
    *ret_body = plain + 4;
    *ret_size = size;
    return 0;
}

static bool identity_matches(const uint8_t *identity, const struct riad_birth *birth, size_t n)
{
    struct riad_reader reader;
    uint64_t inode, offset;
    uint32_t generation, size;

    riad_reader_init(&reader, identity, RIAD_DATA_IDENTITY_SIZE);
    inode = riad_get_u64(&reader);
    generation = riad_get_u32(&reader);
    size = riad_get_u32(&reader);
    offset = riad_get_u64(&reader);
    riad_get_zeros(&reader, 8);
    return riad_reader_finish(&reader) == 0 && inode == birth->inode &&
           generation == birth->generation && size == n && offset == birth->offset;
}

int riad_record_open_data(struct riad_key_cache *cache, const struct riad_record_header *header,
        const uint8_t *record, const struct riad_birth *birth, size_t n, uint8_t *ret)
{
    uint8_t identity[RIAD_DATA_IDENTITY_SIZE], padding[PADDING_MAX];
    size_t padding_size = riad_pad_padme(n) - n;
    const struct riad_buffer pieces[] = {
        { identity, sizeof identity },
        { ret, n },
        { padding, padding_size },
    };
    int r;

    if (header->type != RIAD_RECORD_DATA || n == 0 || n > RIAD_UNIT_MAX ||
            header->length != RIAD_DATA_IDENTITY_SIZE + n + padding_size ||
            padding_size > sizeof padding) {
        return -EBADMSG;
    }
    r = open_pieces(cache, RIAD_PURPOSE_DATA, header, record, pieces, 3);
    if (r < 0) {
        return r;
    }
    return identity_matches(identity, birth, n) && all_zero(padding, padding_size) ? 0 : -EBADMSG;
}

int riad_record_verify_data(struct riad_key_cache *cache, const struct riad_record_header *header,
        const uint8_t *record, uint8_t *scratch)
{
    const struct riad_buffer whole = { scratch, header->length };
    struct riad_reader reader;
    size_t n;
    int r;

    r = open_pieces(cache, RIAD_PURPOSE_DATA, header, record, &whole, 1);
    if (r < 0) {
        return r;
    }
    riad_reader_init(&reader, scratch + 12, 4);
    n = riad_get_u32(&reader);
    if (n == 0 || n > RIAD_UNIT_MAX ||
            header->length != RIAD_DATA_IDENTITY_SIZE + riad_pad_padme(n) ||
            !all_zero(scratch + 24, 8)) {
        return -EBADMSG;
    }
    return all_zero(scratch + RIAD_DATA_IDENTITY_SIZE + n,
                   header->length - RIAD_DATA_IDENTITY_SIZE - n)
                   ? 0
                   : -EBADMSG;
}
