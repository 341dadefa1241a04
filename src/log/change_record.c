/* Change records (FORMAT 5.3). */
#include "riad/error.h"

#include "replay_priv.h"

static int parse_change(const uint8_t *body, size_t size, struct riad_change_record *ret)
{
    struct riad_reader reader;

    riad_reader_init(&reader, body, size);
    ret->sequence.term = riad_get_u32(&reader);
    ret->sequence.number = riad_get_u64(&reader);
    riad_get_hash(&reader, &ret->previous);
    ret->durable = riad_get_u64(&reader);
    if (reader.error || ret->durable >= ret->sequence.number || size > RIAD_CHANGE_BODY_MAX) {
        return -EBADMSG;
    }
    ret->content = reader.data;
    ret->size = reader.left;
    return 0;
}

int riad_change_open(struct riad_key_cache *cache, const uint8_t *data, size_t size, uint8_t *plain,
        struct riad_change_record *ret)
{
    struct riad_record_header header;
    struct riad_change_record change;
    struct riad_buffer whole;
    const uint8_t *body;
    size_t body_size;
    int r;

    if (size < RIAD_RECORD_HEADER_SIZE || riad_record_header_decode(data, &header) < 0 ||
            header.type != RIAD_RECORD_CHANGE) {
        return -EBADMSG;
    }
    change.epoch = header.epoch;
    change.record_size = RIAD_RECORD_OVERHEAD + (size_t)header.length;
    if (size < change.record_size || riad_record_check(data, change.record_size) < 0) {
        return -EBADMSG;
    }
    r = riad_record_open_body(cache, RIAD_PURPOSE_CHANGE, &header, data, plain, &body, &body_size);
    if (r == 0) {
        r = parse_change(body, body_size, &change);
    }
    if (r < 0) {
        return r;
    }
    whole = (struct riad_buffer){ (void *)body, body_size };
    r = riad_chain_hash(riad_key_cache_workspace(cache), &whole, 1, &change.chain);
    if (r < 0) {
        return r;
    }
    *ret = change;
    return 0;
}
