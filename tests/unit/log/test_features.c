/* F2: what a segment's header says its reader must know. */
#include "riad/stream.h"

#include "log/fixture.h"
#include "stream_priv.h"

static uint32_t features_of(uint64_t segment)
{
    struct riad_segment_header header;

    assert_int_equal(
            riad_segment_header_read(f.directory.fd, f.keys, RIAD_SEGMENT_LOG, segment, &header),
            0);
    return header.features;
}

/* F2: from the first change that needs a feature on, every segment's header says so. */
static void features_stay_with_the_log(void **state)
{
    uint64_t before;

    (void)state;
    fixture_open(0);
    fixture_append(2);
    before = fixture_last()->segment;
    riad_log_require(f.log, 0);
    fixture_append(1);
    assert_int_equal(fixture_last()->segment, before);
    riad_log_require(f.log, RIAD_FEATURE_INODE_FLAGS);
    fixture_append(1);
    assert_int_not_equal(fixture_last()->segment, before);
    assert_int_equal(features_of(before), 0);
    assert_int_equal(features_of(fixture_last()->segment), RIAD_FEATURE_INODE_FLAGS);
    riad_log_require(f.log, RIAD_FEATURE_INODE_FLAGS);
    fixture_append(1);
    assert_int_equal(fixture_count_segments(RIAD_SEGMENT_LOG), 2);
    fixture_open_term(fixture_last(), 0, 0);
    assert_int_equal(riad_log_features(f.log), RIAD_FEATURE_INODE_FLAGS);
    fixture_append(1);
    assert_int_equal(features_of(fixture_last()->segment), RIAD_FEATURE_INODE_FLAGS);
    fixture_assert_replays(6);
}

/* Before anything was appended, with a stream that has sealed payloads already. */
static void a_feature_is_required_at_once(void **state)
{
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    const struct riad_birth birth = { 9, 1, 0 };

    (void)state;
    fixture_open(0);
    payload = fixture_seal(false, &birth, 4096, "data", 4);
    riad_log_require(f.log, RIAD_FEATURE_INODE_FLAGS);
    assert_int_equal(fixture_try_append(payload, "a change with a payload"), 0);
    assert_int_equal(features_of(fixture_last()->segment), RIAD_FEATURE_INODE_FLAGS);
    fixture_assert_replays(1);
}

/* A segment of a newer riad: the header that this one would seal, with other feature bits. */
static void store_newer(uint64_t segment, uint32_t ro_compat, uint32_t incompat)
{
    _cleanup_(riad_stream_unrefp) struct riad_stream *stream = NULL;
    struct riad_end none = { 0 };
    uint8_t bytes[256];
    struct riad_writer body, out;
    struct riad_buffer piece;

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_u8(&body, RIAD_SEGMENT_LOG);
    riad_put_u64(&body, segment);
    riad_put_end(&body, &none);
    riad_put_time(&body, (struct timespec){ 1, 1 });
    riad_put_u32(&body, UINT32_MAX); /* compat */
    riad_put_u32(&body, ro_compat);
    riad_put_u32(&body, incompat);
    riad_put_b32(&body, NULL, 0);
    assert_int_equal(riad_stream_new(f.keys, &stream), 0);
    riad_writer_init_growing(&out, 1024, 4096);
    piece = (struct riad_buffer){ bytes, body.size };
    assert_int_equal(riad_stream_seal_body(
                             stream, RIAD_PURPOSE_CHANGE, RIAD_RECORD_SEGMENT, &piece, 1, &out),
            0);
    fixture_store(RIAD_SEGMENT_LOG, segment, out.data, out.size);
    riad_writer_done(&out);
}

static int open_behind(uint64_t segment)
{
    const struct riad_log_config config = {
        .workspace_fd = f.directory.fd,
        .keys = f.keys,
        .term = 7,
        .end = { .segment = segment, .offset = RIAD_SEGMENT_HEADER_SIZE },
    };

    return riad_log_open(&config, &f.log);
}

static void unknown_features_are_refused(void **state)
{
    const uint64_t segment = riad_segment_id(6, 1);
    struct riad_segment_header header;

    (void)state;
    fixture_open(0); /* makes the folders */
    fixture_close_log();
    store_newer(segment, 0, RIAD_FEATURES_KNOWN + 1);
    assert_int_equal(
            riad_segment_header_read(f.directory.fd, f.keys, RIAD_SEGMENT_LOG, segment, &header),
            -EPROTONOSUPPORT);
    assert_int_equal(open_behind(segment), -EPROTONOSUPPORT);
    store_newer(segment, 1, 0); /* may be read, not written */
    assert_int_equal(
            riad_segment_header_read(f.directory.fd, f.keys, RIAD_SEGMENT_LOG, segment, &header),
            0);
    assert_int_equal(open_behind(segment), -EPROTONOSUPPORT);
    store_newer(segment, 0, 0);
    assert_int_equal(open_behind(segment), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                features_stay_with_the_log, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                a_feature_is_required_at_once, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                unknown_features_are_refused, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
