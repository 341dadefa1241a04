/* A log that turns to the next epoch (K2): what was sealed before and what comes after are apart,
 * and who has the keys of before cannot add to it. */
#include "epochs.h"

enum { UNIT = 4096, SMALL = 3000, BULK = 100000 };

static const struct riad_birth birth = { 5, 1, 0 };

static uint32_t epoch_of(enum riad_segment_kind kind, uint64_t segment)
{
    struct riad_segment_header header;

    assert_int_equal(riad_segment_header_read(f.directory.fd, f.keys, kind, segment, &header), 0);
    return header.epoch;
}

static void what_follows_is_of_the_next_epoch(void **state)
{
    (void)state;
    fixture_open(0);
    fixture_append(3);
    assert_int_equal(epoch_of(RIAD_SEGMENT_LOG, fixture_last()->segment), 1);
    turn(2);
    fixture_append(3);
    assert_int_not_equal(fixture_last()->segment, ends[0].end.segment);
    assert_int_equal(epoch_of(RIAD_SEGMENT_LOG, fixture_last()->segment), 2);
    turn(3);
    turn(4); /* without a change in between */
    fixture_append(3);
    assert_int_equal(epoch_of(RIAD_SEGMENT_LOG, fixture_last()->segment), 4);
    fixture_assert_replays(9);
    assert_int_equal(fixture_replay(fixture_last()), 0);
}

/* The end of a log that was not appended to is where it began. */
static void a_log_without_changes_can_turn(void **state)
{
    (void)state;
    fixture_open(0);
    fixture_append(1);
    fixture_open_term(fixture_last(), 0, 0);
    turn(2);
    fixture_append(2);
    assert_int_equal(fixture_count_segments(RIAD_SEGMENT_LOG), 2);
    fixture_assert_replays(3);
}

static void payloads_of_before_are_sealed_again(void **state)
{
    static uint8_t data[BULK];
    struct riad_payload *small, *bulk;
    struct riad_place place;

    (void)state;
    fixture_open(0);
    fixture_append(1);
    small = fixture_seal(false, &birth, UNIT, data, SMALL);
    bulk = fixture_seal(true, &birth, 1 << 16, data, BULK);
    assert_false(riad_log_is_stale(f.log, small));
    assert_int_equal(riad_log_write_bulk(f.log, bulk, 5, &place), 0);
    turn(2);
    assert_true(riad_log_is_stale(f.log, small));
    assert_true(riad_log_is_stale(f.log, bulk));
    assert_int_equal(fixture_try_append(small, "stale"), -EAGAIN);
    assert_int_equal(riad_log_write_bulk(f.log, bulk, 5, &place), -EAGAIN);
    riad_payload_free(small);
    riad_payload_free(bulk);
    small = fixture_seal(false, &birth, UNIT, data, SMALL);
    assert_int_equal(fixture_try_append(small, "sealed again"), 0);
    riad_payload_free(small);
    fixture_assert_replays(2);
}

static void data_segments_end_too(void **state)
{
    static uint8_t data[BULK], read[BULK];
    _cleanup_(riad_payload_freep) struct riad_payload *before = NULL, *after = NULL;
    _cleanup_(riad_segments_freep) struct riad_segments *segments = NULL;
    struct riad_place old, new;
    struct riad_run run;

    (void)state;
    fixture_fill(data, BULK, 3);
    fixture_open(0);
    fixture_append(1);
    before = fixture_seal(true, &birth, 1 << 16, data, BULK);
    assert_int_equal(riad_log_write_bulk(f.log, before, 5, &old), 0);
    assert_int_equal(fixture_try_append(NULL, "names it"), 0);
    turn(2);
    after = fixture_seal(true, &birth, 1 << 16, data, BULK);
    assert_int_equal(riad_log_write_bulk(f.log, after, 5, &new), 0);
    assert_int_not_equal(old.segment, new.segment);
    assert_int_equal(epoch_of(RIAD_SEGMENT_DATA, old.segment), 1);
    assert_int_equal(epoch_of(RIAD_SEGMENT_DATA, new.segment), 2);
    assert_int_equal(riad_log_sync(f.log), 0);
    assert_false(riad_log_is_open_segment(f.log, old.segment));
    assert_int_equal(riad_segments_new(f.directory.fd, f.keys, &f.epochs, &segments), 0);
    run = fixture_run(before, &birth, &old);
    assert_int_equal(riad_segments_read(segments, &run, 0, BULK, read), 0);
    run = fixture_run(after, &birth, &new);
    assert_int_equal(riad_segments_read(segments, &run, 0, BULK, read), 0);
    assert_memory_equal(read, data, BULK);
}

/* Who has left appends what looks like the next change behind the end of the epoch: a segment of
 * its own, in the last term. Gives its bytes; the file stays. */
static uint8_t *forge(uint64_t *ret_segment, size_t *ret_start, size_t *ret_size)
{
    const struct riad_log_config config = {
        .workspace_fd = f.directory.fd, .keys = former, .term = 1, .end = ends[0].end
    };
    struct riad_log *log = NULL;
    struct riad_end end;
    uint64_t start;

    assert_int_equal(riad_log_open(&config, &log), 0);
    assert_int_equal(riad_log_append(log, NULL, "forged", 6, &end, &start), 0);
    riad_log_free(log);
    *ret_segment = end.segment;
    *ret_start = start;
    return fixture_load(RIAD_SEGMENT_LOG, end.segment, ret_size);
}

static void write_at(uint64_t segment, uint64_t offset, const uint8_t *data, size_t size)
{
    _cleanup_close_ int fd = fixture_open_file(RIAD_SEGMENT_LOG, segment, O_WRONLY);

    assert_int_equal(riad_pwrite_all(fd, data, size, offset), 0);
}

static void a_change_of_an_ended_epoch_is_refused(void **state)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    uint64_t segment;
    size_t start, size;

    (void)state;
    fixture_open(0);
    fixture_append(3);
    turn(2);
    fixture_close_log(); /* nothing is in the new epoch yet */
    bytes = forge(&segment, &start, &size);
    fixture_unlink(RIAD_SEGMENT_LOG, segment);
    write_at(ends[0].end.segment, ends[0].end.offset, bytes + start, size - start);
    assert_int_equal(fixture_replay(NULL), -EUCLEAN);
    assert_non_null(strstr(f.result.damage, "forgery"));
    assert_int_equal(f.read.count, 3);
    fixture_assert_prefix();
    f.epochs.count = 0; /* who is not told believes it */
    assert_int_equal(fixture_replay(NULL), 0);
    assert_int_equal(f.read.count, 4);
    assert_int_equal(riad_replay_find(f.directory.fd, f.keys, &f.history, &f.epochs,
                             &f.read.ends[3], f.read.starts[3]),
            0);
    f.epochs.count = 1;
    assert_int_equal(riad_replay_find(f.directory.fd, f.keys, &f.history, &f.epochs,
                             &f.read.ends[3], f.read.starts[3]),
            -ENOENT);
}

/* Somewhere behind the end it proves nothing: it was not torn off, as it never counted. */
static void a_change_of_an_ended_epoch_is_no_torn_tail(void **state)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    uint64_t segment;
    size_t start, size;

    (void)state;
    fixture_open(0);
    fixture_append(3);
    turn(2);
    fixture_close_log();
    bytes = forge(&segment, &start, &size);
    fixture_unlink(RIAD_SEGMENT_LOG, segment);
    write_at(ends[0].end.segment, ends[0].end.offset + 100, bytes + start, size - start);
    fixture_assert_replays(3);
    assert_int_equal(f.result.dropped, 0);
    f.epochs.count = 0;
    fixture_assert_replays(3);
    assert_int_equal(f.result.dropped, 4);
}

static void a_change_of_an_ended_epoch_is_refused_in_a_new_segment(void **state)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct riad_segment_header header;
    uint64_t segment;
    size_t start, size;

    (void)state;
    fixture_open(0);
    fixture_append(3);
    turn(2);
    fixture_append(1);
    fixture_close_log();
    bytes = forge(&segment, &start, &size);
    fixture_unlink(RIAD_SEGMENT_LOG, segment);
    assert_int_equal(riad_segment_header_read(f.directory.fd, f.keys, RIAD_SEGMENT_LOG,
                             fixture_last()->segment, &header),
            0);
    write_at(fixture_last()->segment, header.size, bytes + start, size - start);
    assert_int_equal(fixture_replay(NULL), -EUCLEAN);
    assert_non_null(strstr(f.result.damage, "forgery"));
    assert_int_equal(f.read.count, 3);
}

/* A segment of an ended epoch, younger than all, which says that it follows the end: it must not
 * push out those that truly do. */
static void a_segment_of_an_ended_epoch_counts_for_nothing(void **state)
{
    uint64_t segment;
    size_t start, size;

    (void)state;
    fixture_open(0);
    fixture_append(3);
    turn(2);
    fixture_append(4);
    fixture_close_log();
    free(forge(&segment, &start, &size));
    assert_true(segment > fixture_last()->segment);
    fixture_assert_replays(7);
    assert_int_equal(fixture_replay(fixture_last()), 0);
    assert_int_equal(riad_replay_find(f.directory.fd, f.keys, &f.history, &f.epochs, fixture_last(),
                             f.written.starts[6]),
            0);
    f.epochs.count = 0;
    assert_int_equal(fixture_replay(NULL), 0);
    assert_int_equal(f.read.count, 4); /* three, and the forged one */
}

static void the_log_must_pass_through_the_end(void **state)
{
    const struct riad_end first = { 0 };

    (void)state;
    fixture_open(0);
    fixture_append(3);
    turn(2);
    fixture_append(2);
    fixture_close_log();
    ends[0].end.chain.bytes[0] ^= 1;
    assert_int_equal(fixture_replay(NULL), -EUCLEAN);
    assert_non_null(strstr(f.result.damage, "epoch 1 ended"));
    assert_int_equal(f.read.count, 2);
    ends[0].end.chain.bytes[0] ^= 1;
    assert_int_equal(fixture_replay(&first), 0);
    ends[0].end.sequence.number = 6; /* the log ends before it */
    assert_int_equal(fixture_replay(NULL), -EUCLEAN);
    assert_non_null(strstr(f.result.damage, "change 6"));
}

/* What was written under keys that are not here is not taken for a tail that was torn off. */
static void without_the_new_key_nothing_is_given_up(void **state)
{
    struct riad_keys *all = f.keys;

    (void)state;
    fixture_open(0);
    fixture_append(3);
    turn(2);
    fixture_append(2);
    fixture_close_log();
    f.keys = former;
    f.epochs.count = 0;
    assert_int_equal(fixture_replay(NULL), -EUCLEAN);
    assert_non_null(strstr(f.result.damage, "epoch 2"));
    f.keys = all;
}

static void a_log_that_failed_does_not_turn(void **state)
{
    uint64_t segment = 7;

    (void)state;
    fixture_open(0);
    fixture_append(1);
    riad_log_stop(f.log);
    assert_int_equal(riad_log_turn(f.log, &segment), -EROFS);
    assert_int_equal(segment, 7);
    assert_int_equal(fixture_try_append(NULL, "late"), -EROFS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                what_follows_is_of_the_next_epoch, epochs_setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(
                a_log_without_changes_can_turn, epochs_setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(
                payloads_of_before_are_sealed_again, epochs_setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(data_segments_end_too, epochs_setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(
                a_change_of_an_ended_epoch_is_refused, epochs_setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(
                a_change_of_an_ended_epoch_is_no_torn_tail, epochs_setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(a_change_of_an_ended_epoch_is_refused_in_a_new_segment,
                epochs_setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(
                a_segment_of_an_ended_epoch_counts_for_nothing, epochs_setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(
                the_log_must_pass_through_the_end, epochs_setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(
                without_the_new_key_nothing_is_given_up, epochs_setup, epochs_teardown),
        cmocka_unit_test_setup_teardown(
                a_log_that_failed_does_not_turn, epochs_setup, epochs_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
