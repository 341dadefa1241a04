/* What is inside the records of logs and checkpoints (FORMAT 5.1, 5.3, 7), as one who has the key
 * may have sealed it: headers of segments, changes, frames. An input is the records of a file, each
 * as its type (u8), the length of its body (u16) and the body. */
#include <zstd.h>

#include "riad/replay.h"

#include "checkpoint_priv.h"
#include "place.h"

enum { FILES = 2, RECORD_PREFIX = 3, SEGMENT_LOW = 1, HASH_AT = 12, SUM_SIZE = 40 };

static const uint64_t segment = (uint64_t)1 << 32 | SEGMENT_LOW;
static const enum riad_segment_kind kinds[FILES] = { RIAD_SEGMENT_LOG, RIAD_SEGMENT_CHECKPOINT };
static struct fuzz_model models[FILES];
static char paths[FILES][32];

/* One that borrows from the input; false: there is no more. */
struct record {
    uint8_t type;
    uint8_t *body;
    size_t size;
};

static bool next_record(struct fuzz_bytes *left, struct record *ret)
{
    size_t size;

    if (left->size < RECORD_PREFIX) {
        return false;
    }
    size = fuzz_u16(left->data + 1);
    size = size < left->size - RECORD_PREFIX ? size : left->size - RECORD_PREFIX;
    *ret = (struct record){ left->data[0], left->data + RECORD_PREFIX, size };
    left->data += RECORD_PREFIX + size;
    left->size -= RECORD_PREFIX + size;
    return true;
}

static void put_record(struct riad_writer *out, uint8_t type, const struct riad_writer *body)
{
    FUZZ_ASSERT(body->error == 0);
    riad_put_u8(out, type);
    riad_put_u16(out, (uint16_t)body->size);
    riad_put_bytes(out, body->data, body->size);
}

static void put_header(struct riad_writer *out, enum riad_segment_kind kind)
{
    uint8_t bytes[256];
    struct riad_writer body;

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_u8(&body, (uint8_t)kind);
    riad_put_u64(&body, segment);
    riad_put_end(&body, &(struct riad_end){ 0 });
    riad_put_time(&body, (struct timespec){ 1, 2 });
    riad_put_zeros(&body, 3 * sizeof(uint32_t));
    riad_put_b32(&body, NULL, 0);
    put_record(out, RIAD_RECORD_SEGMENT, &body);
}

static void put_change(struct riad_writer *out, uint64_t number)
{
    uint8_t bytes[256];
    struct riad_writer body;

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_u32(&body, 1);
    riad_put_u64(&body, number);
    riad_put_hash(&body, &(struct riad_hash){ { 0 } }); /* is mended */
    riad_put_u64(&body, 0);
    riad_put_bytes(&body, "what a change says", 18);
    put_record(out, RIAD_RECORD_CHANGE, &body);
}

static void put_frame(struct riad_writer *out, uint32_t number, bool last, bool packed,
        const void *raw, size_t size)
{
    uint8_t bytes[1024], data[512];
    struct riad_writer body;
    size_t n = size;

    memcpy(data, raw, size);
    if (packed) {
        n = ZSTD_compress(data, sizeof data, raw, size, 3);
        FUZZ_ASSERT(!ZSTD_isError(n));
    }
    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_u32(&body, number);
    riad_put_u8(&body, last);
    riad_put_u8(&body, packed ? RIAD_FRAME_ZSTD : RIAD_FRAME_PLAIN);
    riad_put_u32(&body, (uint32_t)size);
    riad_put_b32(&body, data, n);
    put_record(out, RIAD_RECORD_FRAME, &body);
}

static void put_frames(struct riad_writer *out)
{
    static const uint8_t rows[] = { 1, 0, 3, 0, 0, 0, 'r', 'o', 'w', 5, 1, 0, 0, 0, 0 };
    const struct riad_checkpoint_manifest manifest = { .epoch = 1, .next_inode = 2 };
    uint8_t bytes[512];
    struct riad_writer raw;

    riad_writer_init_fixed(&raw, bytes, sizeof bytes);
    riad_manifest_encode(&manifest, &raw);
    FUZZ_ASSERT(raw.error == 0);
    put_frame(out, 0, false, false, raw.data, raw.size);
    put_frame(out, 1, false, true, rows, sizeof rows);
    put_frame(out, 2, false, false, rows, sizeof rows);
    memset(bytes, 0, SUM_SIZE); /* is mended */
    put_frame(out, 3, true, false, bytes, SUM_SIZE);
}

static void make_models(void)
{
    place_make();
    for (int i = 0; i < FILES; i++) {
        struct riad_writer out;

        riad_writer_init_fixed(&out, models[i].data, sizeof models[i].data);
        put_header(&out, kinds[i]);
        if (i == 0) {
            put_change(&out, 1);
            put_change(&out, 2);
            put_change(&out, 3);
        } else {
            put_frames(&out);
        }
        FUZZ_ASSERT(out.error == 0);
        models[i].size = out.size;
        riad_segment_path(kinds[i], segment, paths[i]);
    }
    FUZZ_ASSERT(mkdirat(place.fd, "log", 0700) == 0 && mkdirat(place.fd, "ckpt", 0700) == 0);
}

/* Each change names the one before, whatever is in it. */
static void chain(struct fuzz_bytes left)
{
    struct riad_hash before = { { 0 } };
    struct record record;

    while (next_record(&left, &record)) {
        const struct riad_buffer body = { record.body, record.size };

        if (record.type != RIAD_RECORD_CHANGE || record.size < HASH_AT + sizeof before) {
            continue;
        }
        memcpy(record.body + HASH_AT, before.bytes, sizeof before);
        FUZZ_ASSERT(riad_chain_hash(&place_workspace, &body, 1, &before) == 0);
    }
}

/* The raw bytes of a frame, if it can be told; as the reader counts them. */
static bool unpack(const struct record *record, uint8_t raw[RIAD_FRAME_RAW_MAX], size_t *ret)
{
    const uint8_t *payload = record->body + RIAD_FRAME_PREFIX_SIZE;
    size_t size = record->size - RIAD_FRAME_PREFIX_SIZE;

    if (record->body[5] == RIAD_FRAME_PLAIN) {
        memcpy(raw, payload, size);
    } else {
        size = ZSTD_decompress(raw, RIAD_FRAME_RAW_MAX, payload, size);
    }
    *ret = size;
    return !ZSTD_isError(size);
}

static void add_rows(struct riad_checkpoint_sum *sum, const uint8_t *raw, size_t size, bool rows)
{
    size_t one = 1;

    FUZZ_ASSERT(riad_checkpoint_sum_add(sum, raw, size) == 0);
    for (size_t at = 0; rows && at < size && one > 0; at += one) {
        one = riad_operation_size(raw + at, size - at);
        sum->rows += one > 0;
    }
}

/* The final frame vouches for those before it, whatever is in them. */
static void vouch(struct fuzz_bytes left)
{
    static uint8_t raw[RIAD_FRAME_RAW_MAX];
    struct riad_checkpoint_sum sum = { 0 };
    struct record record;
    struct riad_writer out;
    size_t size;

    for (unsigned frames = 0; next_record(&left, &record);) {
        if (record.type != RIAD_RECORD_FRAME || record.size < RIAD_FRAME_PREFIX_SIZE) {
            continue;
        }
        if (record.body[4] == 1 && record.size == RIAD_FRAME_PREFIX_SIZE + SUM_SIZE) {
            riad_writer_init_fixed(&out, record.body + RIAD_FRAME_PREFIX_SIZE, SUM_SIZE);
            riad_put_u64(&out, sum.rows);
            riad_put_hash(&out, &sum.hash);
        } else if (unpack(&record, raw, &size)) {
            add_rows(&sum, raw, size, frames++ > 0);
        }
    }
}

static void seal(struct fuzz_bytes left, enum riad_purpose purpose, struct riad_writer *out)
{
    _cleanup_(riad_stream_unrefp) struct riad_stream *stream = NULL;
    struct record record;

    FUZZ_ASSERT(riad_stream_new(place_keys, &stream) == 0);
    while (next_record(&left, &record)) {
        const struct riad_buffer body = { record.body, record.size };
        enum riad_record_type type =
                record.type % 4 == 0 ? RIAD_RECORD_SEGMENT : record.type % 4; /* 4 is the last */

        if (type != RIAD_RECORD_DATA) {
            FUZZ_ASSERT(riad_stream_seal_body(stream, purpose, type, &body, 1, out) == 0);
        }
    }
}

static int take_change(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start, bool settled)
{
    uint64_t *last = context;
    unsigned sum = 0;

    (void)settled;
    for (size_t i = 0; i < size; i++) {
        sum += content[i]; /* all of it can be read */
    }
    FUZZ_ASSERT(end->sequence.number == *last + 1 && start < end->offset);
    *last = end->sequence.number;
    return sum > UINT32_MAX - 1 ? RIAD_REPLAY_STOP : 0;
}

static int read_log(void)
{
    struct riad_term term = { .number = 1, .epoch = 1 };
    const struct riad_history history = { .terms = &term, .count = 1, .taken = 1 };
    struct riad_replay_result result;
    uint64_t last = 0;
    const struct riad_replay replay = { .workspace_fd = place.fd,
        .keys = place_keys,
        .history = &history,
        .apply = take_change,
        .context = &last,
        .check_data = true };
    int r = riad_replay_run(&replay, &result);

    FUZZ_ASSERT(r == 0 || r == -EUCLEAN || r == -EPROTONOSUPPORT);
    FUZZ_ASSERT(result.changes == last);
    return r < 0 ? r : last > 0 ? 0 : -ENOENT;
}

static int take_rows(void *context, const uint8_t *operations, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t one = riad_operation_size(operations + at, size - at);

        FUZZ_ASSERT(one > 0 && one <= size - at);
        at += one;
    }
    ++*(size_t *)context;
    return 0;
}

static int read_checkpoint(void)
{
    struct riad_checkpoint_manifest manifest;
    size_t frames = 0;
    int r = riad_checkpoint_read(place.fd, place_keys, segment, &manifest, take_rows, &frames);

    FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
    return r;
}

/* The first byte's other bits: which file, and whether what vouches for others is mended. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    size_t which = size > 0 ? data[0] / 2 % FILES : 0;
    struct riad_writer out = { 0 };
    bool same;
    int r;

    if (models[0].size == 0) {
        make_models();
    }
    if (!fuzz_take(data, size, &models[which], &bytes)) {
        return 0;
    }
    same = fuzz_is_model(&bytes, &models[which]);
    if (same || data[0] & 4) {
        which ? vouch(bytes) : chain(bytes);
    }
    riad_writer_init_growing(&out, 16384, 4 << 20);
    seal(bytes, which ? RIAD_PURPOSE_CHECKPOINT : RIAD_PURPOSE_CHANGE, &out);
    place_put(paths[which], out.data, out.size);
    r = which ? read_checkpoint() : read_log();
    FUZZ_ASSERT(r == 0 || !same);
    riad_writer_done(&out);
    return 0;
}
