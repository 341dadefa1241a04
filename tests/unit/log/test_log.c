#include "riad/log.h"

#include "log/fixture.h"

static void changes_and_payloads_come_back(void **state)
{
    _cleanup_(riad_segments_freep) struct riad_segments *segments = NULL;
    const struct riad_birth birth = { 9, 1, 0 };
    static uint8_t data[20000], again[20000];

    (void)state;
    fixture_open(0);
    assert_int_equal(
            fixture_count_segments(RIAD_SEGMENT_LOG), 0); /* no file before the first append */
    assert_int_equal(riad_segments_new(f.directory.fd, f.keys, &f.epochs, &segments), 0);
    fixture_fill(data, sizeof data, 3);
    for (int i = 0; i < 20; i++) {
        _cleanup_(riad_payload_freep) struct riad_payload *payload =
                fixture_seal(false, &birth, 4096, data, sizeof data);
        struct riad_place place;
        struct riad_run run;

        assert_int_equal(riad_log_next_number(f.log), f.written.count + 1);
        assert_int_equal(riad_log_place(f.log, payload->size, &place), 0);
        assert_int_equal(fixture_try_append(payload, "a change with a payload"), 0);
        assert_int_equal(place.segment, fixture_last()->segment);
        assert_int_equal(place.position + payload->size, f.written.starts[f.written.count - 1]);
        run = fixture_run(payload, &birth, &place);
        assert_int_equal(riad_segments_read(segments, &run, 0, sizeof data, again), 0);
        assert_memory_equal(again, data, sizeof data);
        fixture_append(3);
    }
    fixture_assert_replays(80);
    assert_int_equal(f.result.start, f.written.starts[79]);
    assert_true(riad_end_equal(&f.result.end, fixture_last()));
}

/* L1: each segment's header names where the one before ended. */
static void segments_roll_and_are_chained(void **state)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count;

    (void)state;
    fixture_open(RIAD_CHANGE_LENGTH_MAX + 3000);
    fixture_append(60);
    assert_int_equal(riad_segment_list(f.directory.fd, RIAD_SEGMENT_LOG, &ids, &count), 0);
    assert_true(count > 3);
    for (size_t i = 0; i < count; i++) {
        struct riad_segment_header header;

        assert_int_equal(
                riad_segment_header_read(f.directory.fd, f.keys, RIAD_SEGMENT_LOG, ids[i], &header),
                0);
        assert_int_equal(header.size, RIAD_SEGMENT_HEADER_SIZE);
        assert_int_equal(header.previous.segment, i == 0 ? 0 : ids[i - 1]);
    }
    fixture_assert_replays(60);
}

static void a_later_term_goes_on(void **state)
{
    (void)state;
    fixture_open(0);
    for (int term = 0; term < 4; term++) {
        if (term > 0) {
            fixture_assert_replays(f.written.count);
            fixture_open_term(&f.result.end, 0, 0);
        }
        if (term != 2) { /* an owner that changed nothing */
            fixture_append(5);
        }
    }
    fixture_assert_replays(15);
    assert_int_equal(f.read.ends[14].sequence.number, 15);
    assert_int_equal(f.read.ends[14].sequence.term, 4);
}

/* Ordinals are not used again, even if a term is opened twice. */
static void a_term_opened_twice_goes_on(void **state)
{
    (void)state;
    fixture_open(0);
    fixture_append(3);
    (void)riad_log_new_segment_id(f.log);
    f.history.count--;
    fixture_open_term(fixture_last(), 0, 0);
    f.terms[0].end = (struct riad_end){ 0 };
    fixture_append(3);
    assert_int_equal(fixture_count_segments(RIAD_SEGMENT_LOG), 2);
    fixture_assert_replays(6);
}

/* L1: the segment is closed for ever, the log goes on in the next, and what failed is nowhere. */
static void a_failed_write_abandons_the_segment(void **state)
{
    static const enum fault_call calls[] = { FAULT_PWRITE, FAULT_PWRITEV, FAULT_OPENAT };

    (void)state;
    fixture_open(0);
    for (int round = 0; round < 6; round++) {
        uint64_t before;

        fixture_append(3);
        before = fixture_last()->segment;
        faults_fail(FAULT_PWRITE, 1, ENOSPC);
        assert_int_equal(fixture_try_append(NULL, "lost"), -ENOSPC);
        faults_fail(calls[round % 3], 1, ENOSPC); /* the next one fails while it is made */
        (void)fixture_try_append(NULL, "perhaps");
        faults_fail(FAULT_NONE, 0, 0);
        fixture_append(2);
        assert_true(fixture_last()->segment > before);
        fixture_assert_replays(f.written.count);
    }
    assert_int_equal(riad_log_sync(f.log), 0);
    fixture_assert_replays(f.written.count);
}

/* A write that is cut in the middle and then fails leaves half a record; if the cut cannot be
 * undone, the header of the next segment makes it void. */
static void half_a_write_is_void(void **state)
{
    _cleanup_close_ int fd = -1;
    uint8_t junk[300];

    (void)state;
    fixture_open(0);
    fixture_append(3);
    fd = fixture_open_file(RIAD_SEGMENT_LOG, fixture_last()->segment, O_WRONLY);
    faults_fail(FAULT_PWRITE, 1, EIO);
    assert_int_equal(fixture_try_append(NULL, "lost"), -EIO);
    fixture_fill(junk, sizeof junk, 5);
    assert_int_equal(riad_pwrite_all(fd, junk, sizeof junk, fixture_last()->offset), 0);
    faults_fail(FAULT_NONE, 0, 0);
    fixture_append(3);
    fixture_assert_replays(6);
}

/* P6: a store that stays full does not fill up with files. */
static void a_full_store_leaves_no_files(void **state)
{
    const struct riad_birth birth = { 9, 1, 0 };
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    struct riad_place place;
    size_t logs, datas;

    (void)state;
    fixture_open(0);
    payload = fixture_seal(true, &birth, 4096, "data", 4);
    fixture_append(1);
    assert_int_equal(riad_log_write_bulk(f.log, payload, 9, &place), 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    logs = fixture_count_segments(RIAD_SEGMENT_LOG);
    datas = fixture_count_segments(RIAD_SEGMENT_DATA);
    for (unsigned i = 0; i < 50; i++) {
        /* the payload, or the header of the next segment */
        faults_fail_from(FAULT_PWRITE, i == 0 ? 1 : 1 + i % 2, ENOSPC);
        assert_int_equal(riad_log_write_bulk(f.log, payload, 9, &place), -ENOSPC);
        faults_fail_from(i == 0 ? FAULT_PWRITE : FAULT_PWRITEV, 1, ENOSPC);
        assert_int_equal(fixture_try_append(NULL, "lost"), -ENOSPC);
    }
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    assert_int_equal(fixture_count_segments(RIAD_SEGMENT_LOG), logs);
    assert_int_equal(fixture_count_segments(RIAD_SEGMENT_DATA), datas);
    fixture_append(2);
    fixture_assert_replays(3);
}

static void limits_are_kept(void **state)
{
    static uint8_t content[RIAD_CHANGE_BODY_MAX];
    struct riad_payload *payload = NULL;
    const struct riad_birth birth = { 1, 1, 0 };
    struct riad_end end;
    uint64_t start;

    (void)state;
    fixture_open(0);
    assert_int_equal(riad_log_append(f.log, NULL, content,
                             sizeof content - RIAD_CHANGE_PREFIX_SIZE + 1, &end, &start),
            -E2BIG);
    assert_int_equal(riad_log_append(f.log, NULL, content, sizeof content - RIAD_CHANGE_PREFIX_SIZE,
                             &end, &start),
            0);
    assert_int_equal(end.offset - start, RIAD_CHANGE_LENGTH_MAX + RIAD_RECORD_OVERHEAD);
    assert_int_equal(riad_log_seal(f.log, false, &birth, 2048, content, 10, &payload), -EINVAL);
    assert_int_equal(riad_log_seal(f.log, false, &birth, 5000, content, 10, &payload), -EINVAL);
    assert_int_equal(riad_log_seal(f.log, false, &birth, 4096, content, 0, &payload), -EINVAL);
    assert_int_equal(
            riad_log_seal(f.log, false, &birth, 4096, content, 64 * 4096 + 1, &payload), -EINVAL);
    riad_log_stop(f.log);
    assert_int_equal(fixture_try_append(NULL, "no"), -EROFS);
}

/* Where neither of two segments was synced, a power cut may keep the header of the later one only:
 * that would be damage, not a torn end. */
static void a_segment_that_was_never_synced_is_when_it_ends(void **state)
{
    (void)state;
    fixture_open(0);
    fixture_append(1);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_log_roll(f.log), 0);
    assert_int_equal(faults_count(FAULT_FDATASYNC), 1);
    assert_int_equal(faults_count(FAULT_FSYNC), 1); /* its name */
    fixture_append(1);
    assert_int_equal(riad_log_sync(f.log), 0);
    faults_fail(FAULT_NONE, 0, 0);
    fixture_append(1);
    assert_int_equal(riad_log_roll(f.log), 0);
    assert_int_equal(faults_count(FAULT_FDATASYNC), 0);
    fixture_append(1);
    faults_fail(FAULT_FDATASYNC, 1, EIO);
    assert_int_equal(riad_log_roll(f.log), -EROFS);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(fixture_try_append(NULL, "no more"), -EROFS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                a_segment_that_was_never_synced_is_when_it_ends, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                changes_and_payloads_come_back, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                segments_roll_and_are_chained, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_later_term_goes_on, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                a_term_opened_twice_goes_on, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                a_failed_write_abandons_the_segment, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(half_a_write_is_void, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                a_full_store_leaves_no_files, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(limits_are_kept, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
