/* Payloads: sealed by many threads at once, before it is known where they will lie. */
#include "riad/error.h"

#include "log_priv.h"
#include "stream_priv.h"

/* A stream of the wanted kind, counted for the caller. The bulk stream is replaced long before its
 * counters end (K5); the log segment's is when its segment is rolled. */
static int take_stream(struct riad_log *log, bool bulk, struct riad_stream **ret)
{
    _cleanup_(riad_stream_unrefp) struct riad_stream *old = NULL;
    struct riad_stream *fresh = NULL;
    int r;

    pthread_mutex_lock(&log->lock);
    *ret = riad_stream_ref(bulk ? log->bulk_stream : log->stream);
    pthread_mutex_unlock(&log->lock);
    if (!bulk || riad_stream_used(*ret) < RIAD_STREAM_ROTATE) {
        return 0;
    }
    old = *ret;
    r = riad_stream_new(log->config.keys, &fresh);
    if (r < 0) {
        return r;
    }
    pthread_mutex_lock(&log->lock);
    if (log->bulk_stream == old) {
        riad_stream_unref(log->bulk_stream); /* not the last: `old` holds it */
        log->bulk_stream = riad_stream_ref(fresh);
    }
    pthread_mutex_unlock(&log->lock);
    *ret = fresh;
    return 0;
}

bool riad_log_is_stale(struct riad_log *log, const struct riad_payload *payload)
{
    return riad_stream_epoch(payload->stream) != log->epoch;
}

static int allocate(uint32_t unit, uint32_t length, struct riad_payload **ret)
{
    uint32_t count = (length - 1) / unit + 1;
    uint32_t last = length - (count - 1) * unit;
    size_t size = (size_t)(count - 1) * (unit + RIAD_DATA_OVERHEAD) + riad_data_record_size(last);
    size_t tags_size = (size_t)count * RIAD_TAG_SIZE;
    struct riad_payload *payload = malloc(sizeof *payload + tags_size + size);

    if (!payload) {
        return -ENOMEM;
    }
    *payload = (struct riad_payload){
        .tags = (uint8_t *)(payload + 1),
        .bytes = (uint8_t *)(payload + 1) + tags_size,
        .size = size,
        .unit = unit,
        .length = length,
        .count = count,
    };
    *ret = payload;
    return 0;
}

static int seal_records(
        struct riad_payload *payload, const struct riad_birth *birth, const uint8_t *data)
{
    int r = 0;

    for (uint32_t i = 0; i < payload->count && r == 0; i++) {
        size_t offset = (size_t)i * payload->unit;
        size_t n = i + 1 < payload->count ? payload->unit : payload->length - offset;
        const struct riad_birth own = { birth->inode, birth->generation, birth->offset + offset };

        r = riad_stream_seal_data(payload->stream, &own, data + offset, n,
                payload->bytes + i * ((size_t)payload->unit + RIAD_DATA_OVERHEAD),
                payload->tags + (size_t)i * RIAD_TAG_SIZE);
    }
    return r;
}

int riad_log_seal(struct riad_log *log, bool bulk, const struct riad_birth *birth, uint32_t unit,
        const void *data, uint32_t length, struct riad_payload **ret)
{
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    int r;

    if (unit < 4096 || unit > RIAD_UNIT_MAX || (unit & (unit - 1)) != 0 || length == 0 ||
            (length - 1) / unit >= RIAD_RUN_RECORDS_MAX) {
        return -EINVAL;
    }
    r = allocate(unit, length, &payload);
    if (r < 0) {
        return r;
    }
    r = take_stream(log, bulk, &payload->stream);
    if (r < 0) {
        return r;
    }
    r = seal_records(payload, birth, data);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(payload);
    return 0;
}

int riad_payload_new(struct riad_log *log, size_t room, struct riad_payload **ret)
{
    _cleanup_(riad_payload_freep) struct riad_payload *payload = malloc(sizeof *payload + room);
    int r;

    if (!payload) {
        return -ENOMEM;
    }
    *payload = (struct riad_payload){ .bytes = (uint8_t *)(payload + 1), .room = room };
    r = take_stream(log, true, &payload->stream);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(payload);
    return 0;
}

int riad_payload_add(struct riad_payload *payload, const struct riad_birth *birth, const void *data,
        uint32_t length, size_t *ret_offset, uint8_t ret_tag[RIAD_TAG_SIZE])
{
    size_t size = riad_data_record_size(length);
    int r;

    if (size > payload->room - payload->size) {
        return -ENOSPC;
    }
    r = riad_stream_seal_data(
            payload->stream, birth, data, length, payload->bytes + payload->size, ret_tag);
    if (r < 0) {
        return r;
    }
    *ret_offset = payload->size;
    payload->size += size;
    payload->count++;
    return 0;
}

void riad_payload_free(struct riad_payload *payload)
{
    riad_stream_unref(payload->stream);
    free(payload);
}
