/* Segments as a whole, from storage that nobody trusts (FORMAT 5, 8): a log segment and a data
 * segment, cut, edited, made up, also with checksums that are right, as they need no key. What is
 * read is what was written, or refused (P5, L4). */
#include "riad/log.h"
#include "riad/replay.h"
#include "riad/scrub.h"

#include "place.h"
#include "segment_priv.h"

enum { CHANGES = 5, BULK = 700 };

static struct fuzz_model models[2]; /* log, data */
static char paths[2][32];
static struct riad_end ends[CHANGES];
static uint64_t starts[CHANGES];
static struct riad_run run;
static uint8_t tags[RIAD_TAG_SIZE], bulk[BULK];
static const struct riad_birth birth = { 5, 1, 0 };

/* What is written as the change of that number; it is found again. */
static size_t content_of(size_t number, uint8_t ret[64])
{
    memset(ret, (int)(number + 1), 64);
    return 20 + number * 7;
}

static void append(struct riad_log *log, size_t number)
{
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    uint8_t content[64];
    size_t size = content_of(number, content);

    if (number % 2 == 1) {
        struct riad_place at;

        FUZZ_ASSERT(riad_log_seal(log, false, &birth, 4096, bulk, 100, &payload) == 0);
        FUZZ_ASSERT(riad_log_place(log, payload->size, &at) == 0);
    }
    FUZZ_ASSERT(riad_log_append(log, payload, content, size, &ends[number], &starts[number]) == 0);
}

static void write_bulk(struct riad_log *log)
{
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    struct riad_place at;

    FUZZ_ASSERT(riad_log_seal(log, true, &birth, 4096, bulk, BULK, &payload) == 0);
    FUZZ_ASSERT(riad_log_write_bulk(log, payload, birth.inode, &at) == 0);
    memcpy(tags, payload->tags, sizeof tags);
    run = (struct riad_run){ at.segment, at.position, payload->unit, BULK, birth, tags, 1 };
}

static void make_models(void)
{
    struct riad_log_config config = { .term = 1 };
    struct riad_log *log;

    place_make();
    memset(bulk, 0x5a, sizeof bulk);
    config.workspace_fd = place.fd;
    config.keys = place_keys;
    FUZZ_ASSERT(riad_log_open(&config, &log) == 0);
    write_bulk(log);
    for (size_t i = 0; i < CHANGES; i++) {
        append(log, i);
    }
    FUZZ_ASSERT(riad_log_sync(log) == 0);
    riad_log_free(log);
    riad_segment_path(RIAD_SEGMENT_LOG, ends[0].segment, paths[0]);
    riad_segment_path(RIAD_SEGMENT_DATA, run.segment, paths[1]);
    place_get(paths[0], &models[0]);
    place_get(paths[1], &models[1]);
}

/* As who has no key can: the checksums of all records that can be told. */
static void mend(struct fuzz_bytes *bytes)
{
    struct riad_record_header header;
    size_t at = 0;

    while (bytes->size - at >= RIAD_RECORD_HEADER_SIZE &&
            riad_record_header_decode(bytes->data + at, &header) == 0 &&
            bytes->size - at >= RIAD_RECORD_OVERHEAD + (size_t)header.length) {
        size_t size = RIAD_RECORD_OVERHEAD + (size_t)header.length;

        riad_record_checksum(bytes->data + at, size, bytes->data + at + size - 8);
        at += size;
    }
}

static int compare(void *context, const uint8_t *content, size_t size, const struct riad_end *end,
        uint64_t start, bool settled)
{
    size_t *count = context, number = (*count)++;
    uint8_t expected[64];

    (void)settled;
    FUZZ_ASSERT(number < CHANGES);
    FUZZ_ASSERT(size == content_of(number, expected) && memcmp(content, expected, size) == 0);
    FUZZ_ASSERT(riad_end_equal(end, &ends[number]) && start == starts[number]);
    return 0;
}

/* The history is a prefix of what was written. */
static int replay(const struct riad_history *history)
{
    size_t count = 0;
    struct riad_replay_result result;
    const struct riad_replay what = { .workspace_fd = place.fd,
        .keys = place_keys,
        .history = history,
        .apply = compare,
        .context = &count,
        .check_data = true };
    int r = riad_replay_run(&what, &result);

    FUZZ_ASSERT(r == 0 || r == -EUCLEAN || r == -EPROTONOSUPPORT);
    FUZZ_ASSERT(result.changes == count);
    FUZZ_ASSERT(r != -EUCLEAN || result.damage[0]);
    return r < 0 ? r : count == CHANGES ? 0 : -ENOENT;
}

static int find_last(const struct riad_history *history)
{
    const struct riad_epoch_ends epochs = { 0 };
    int r = riad_replay_find(
            place.fd, place_keys, history, &epochs, &ends[CHANGES - 1], starts[CHANGES - 1]);

    FUZZ_ASSERT(r == 0 || r == -ENOENT || r == -EPROTONOSUPPORT);
    return r;
}

static int read_log(void)
{
    struct riad_term term = { .number = 1, .epoch = 1 };
    const struct riad_history history = { .terms = &term, .count = 1, .taken = 1 };
    int r = find_last(&history);
    int replayed = replay(&history);

    return r < 0 ? r : replayed;
}

static int read_data(void)
{
    _cleanup_(riad_segments_freep) struct riad_segments *segments = NULL;
    const struct riad_epoch_ends epochs = { 0 };
    uint8_t found[BULK];
    int r;

    FUZZ_ASSERT(riad_segments_new(place.fd, place_keys, &epochs, &segments) == 0);
    r = riad_segments_read(segments, &run, 0, BULK, found);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG);
    FUZZ_ASSERT(r < 0 || memcmp(found, bulk, BULK) == 0);
    return r;
}

static void count_finding(void *context, const char *path, uint64_t from, uint64_t to, bool tail)
{
    (void)path;
    (void)tail;
    FUZZ_ASSERT(from <= to);
    ++*(size_t *)context;
}

static int scrub(void)
{
    size_t findings = 0;
    struct riad_scrub_result result;
    const struct riad_scrub what = {
        .workspace_fd = place.fd, .find = count_finding, .context = &findings
    };

    FUZZ_ASSERT(riad_scrub_workspace(&what, &result) == 0);
    return findings > 0 ? -EBADMSG : 0;
}

/* The first byte's other bits: which segment, and whether checksums are mended. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    size_t which = size > 0 ? data[0] / 2 % 2 : 0;
    bool same;
    int r;

    if (models[0].size == 0) {
        make_models();
    }
    if (!fuzz_take(data, size, &models[which], &bytes)) {
        return 0;
    }
    if (data[0] & 4) {
        mend(&bytes);
    }
    same = fuzz_is_model(&bytes, &models[which]);
    place_put(paths[which], bytes.data, bytes.size);
    r = scrub();
    FUZZ_ASSERT(r == 0 || !same);
    r = which ? read_data() : read_log();
    FUZZ_ASSERT(r == 0 || !same);
    place_put(paths[which], models[which].data, models[which].size);
    return 0;
}
