#include "riad/replay.h"

#include "log/fixture.h"

static const struct riad_epoch_ends no_epochs;

/* Replays once without and once with a mark on every change's end that might still be there. */
static void assert_prefix_or_damage(const char *what, size_t position)
{
    size_t got;
    int r = fixture_replay(NULL);

    if (r != 0 && r != -EUCLEAN) {
        fail_msg("%s %zu: %d", what, position, r);
    }
    assert_true(r == 0 || f.result.damage[0] != '\0');
    fixture_assert_prefix();
    got = f.read.count;
    r = fixture_replay(fixture_last());
    fixture_assert_prefix();
    assert_int_equal(f.read.count, got);
    if (got < f.written.count) {
        assert_int_equal(r, -EUCLEAN); /* P5: below the mark nothing may be missing */
    }
}

static void every_flipped_byte_is_seen(void **state)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count, kept = 0, damaged = 0;

    (void)state;
    fixture_write_history();
    assert_int_equal(riad_segment_list(f.directory.fd, RIAD_SEGMENT_LOG, &ids, &count), 0);
    assert_true(count >= 3);
    for (size_t i = 0; i < count; i++) {
        _cleanup_close_ int fd = fixture_open_file(RIAD_SEGMENT_LOG, ids[i], O_RDWR);
        size_t size;
        _cleanup_free_ uint8_t *data = fixture_load(RIAD_SEGMENT_LOG, ids[i], &size);

        for (size_t k = 0; k < size; k++) {
            uint8_t flipped = data[k] ^ (uint8_t)(1 << k % 8);

            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)k), 1);
            assert_prefix_or_damage("flip at", k);
            assert_int_not_equal(f.read.count, f.written.count); /* no byte is without a meaning */
            assert_int_equal(pwrite(fd, &data[k], 1, (off_t)k), 1);
            kept += f.result.damage[0] == '\0';
            damaged += f.result.damage[0] != '\0';
        }
    }
    assert_int_equal(kept, 0); /* the mark was on the last change */
    assert_true(damaged > 0);
    fixture_assert_replays(f.written.count);
}

static void a_tail_torn_anywhere_is_an_end(void **state)
{
    _cleanup_free_ uint8_t *data = NULL;
    uint64_t last;
    size_t size;

    (void)state;
    fixture_write_history();
    last = fixture_last()->segment;
    data = fixture_load(RIAD_SEGMENT_LOG, last, &size);
    for (size_t cut = size; cut-- > 0;) {
        size_t expected = 0;

        fixture_store(RIAD_SEGMENT_LOG, last, data, cut);
        while (expected < f.written.count && (f.written.ends[expected].segment != last ||
                                                     f.written.ends[expected].offset <= cut)) {
            expected++;
        }
        fixture_assert_replays(expected);
        assert_int_equal(fixture_replay(fixture_last()), -EUCLEAN);
    }
    fixture_unlink(RIAD_SEGMENT_LOG, last);
    assert_int_equal(fixture_replay(fixture_last()), -EUCLEAN);
}

/* Junk behind the end is a torn write, unless a later change is in it. */
static void junk_behind_the_end_is_ignored_but_later_changes_are_not(void **state)
{
    _cleanup_free_ uint8_t *data = NULL, *junk = NULL;
    uint64_t last;
    size_t size, cut;

    (void)state;
    fixture_open(0);
    fixture_append(10);
    last = fixture_last()->segment;
    data = fixture_load(RIAD_SEGMENT_LOG, last, &size);
    junk = malloc(size + 100000);
    assert_non_null(junk);
    memcpy(junk, data, size);
    fixture_fill(junk + size, 100000, 77);
    for (int i = 0; i < 1000; i++) {
        memcpy(junk + size + 100 * i, "RIAR\x01\x01\x01\x01", 8);
    }
    memcpy(junk + size + 50001, data + f.written.starts[4], 300); /* an old change, copied */
    fixture_store(RIAD_SEGMENT_LOG, last, junk, size + 100000);
    fixture_assert_replays(10);
    cut = f.written.starts[9];
    memcpy(junk + size + 70003, data + cut,
            size - cut); /* the tenth, far behind where it should be */
    junk[cut + 70] ^= 1;
    fixture_store(RIAD_SEGMENT_LOG, last, junk, size + 100000);
    assert_int_equal(fixture_replay(NULL), 0); /* nothing was synced: a torn tail looks like that */
    assert_int_equal(f.read.count, 9);
    assert_int_equal(f.result.dropped, 10);
    fixture_assert_prefix();
    assert_int_equal(fixture_replay(fixture_last()), -EUCLEAN); /* but not if it was (L4) */
}

/* P3, L4: the changes say themselves up to where the log was durable. A change that is damaged
 * below that is damage for a reader without any mark; one past it is the torn tail of a power cut.
 */
static void assert_damage_at(size_t number, int expected, size_t count, uint64_t dropped)
{
    _cleanup_free_ uint8_t *data = NULL;
    uint64_t segment = f.written.ends[number].segment;
    size_t size;

    data = fixture_load(RIAD_SEGMENT_LOG, segment, &size);
    data[f.written.starts[number] + 70] ^= 1;
    fixture_store(RIAD_SEGMENT_LOG, segment, data, size);
    assert_int_equal(fixture_replay(NULL), expected);
    assert_int_equal(f.read.count, count);
    assert_int_equal(f.result.dropped, dropped);
    fixture_assert_prefix();
    data[f.written.starts[number] + 70] ^= 1;
    fixture_store(RIAD_SEGMENT_LOG, segment, data, size);
}

static void changes_say_what_was_durable(void **state)
{
    static const uint64_t sizes[] = { 0, RIAD_CHANGE_LENGTH_MAX + 1200 };

    (void)state;
    for (size_t i = 0; i < 2; i++) { /* in one segment, and in many */
        if (i > 0) {
            fixture_teardown(state);
            fixture_setup(state);
        }
        fixture_open(sizes[i]);
        fixture_append(5);
        assert_int_equal(riad_log_sync(f.log), 0);
        fixture_append(5);
        for (size_t number = 0; number < 5; number++) {
            assert_damage_at(number, -EUCLEAN, number, 0);
        }
        for (size_t number = 5; number < 10; number++) {
            assert_damage_at(number, 0, number, number < 9 ? 10 : 0);
        }
        fixture_assert_replays(10);
    }
}

/* O1: what an owner wrote after it was superseded is no part of the history, wherever it wrote it.
 */
static void a_zombie_is_ignored(void **state)
{
    struct riad_log *zombie;
    struct riad_end end, bound;
    uint64_t start;
    size_t count;

    (void)state;
    fixture_open(RIAD_CHANGE_LENGTH_MAX + 1200);
    fixture_append(4);
    bound = *fixture_last();
    zombie = f.log;
    f.log = NULL;
    fixture_open_term(&bound, 0, 0);
    fixture_append(4);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(riad_log_append(zombie, NULL, "from the dead", 13, &end, &start), 0);
    }
    assert_true(end.segment > bound.segment);
    assert_true(riad_segment_term(end.segment) == 1);
    count = f.written.count;
    fixture_assert_replays(count);
    assert_int_equal(
            fixture_replay(&end), -EUCLEAN); /* a zombie's mark does not lie on the history */
    assert_int_equal(
            riad_replay_find(f.directory.fd, f.keys, &f.history, &no_epochs, &end, start), -ENOENT);
    riad_log_free(zombie);
}

static void missing_segments_are_damage(void **state)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count;

    (void)state;
    fixture_write_history();
    assert_int_equal(riad_segment_list(f.directory.fd, RIAD_SEGMENT_LOG, &ids, &count), 0);
    for (size_t i = 0; i < count; i++) {
        size_t size;
        _cleanup_free_ uint8_t *data = fixture_load(RIAD_SEGMENT_LOG, ids[i], &size);

        fixture_unlink(RIAD_SEGMENT_LOG, ids[i]);
        assert_int_equal(fixture_replay(fixture_last()), -EUCLEAN);
        if (i + 1 < count) {
            assert_int_equal(fixture_replay(NULL), -EUCLEAN);
        }
        fixture_store(RIAD_SEGMENT_LOG, ids[i], data, size);
    }
    fixture_assert_replays(f.written.count);
}

/* A record or a file in another's place does not verify. */
static void moved_records_and_files_are_refused(void **state)
{
    _cleanup_free_ uint8_t *data = NULL;
    uint64_t last;
    size_t size, record;

    (void)state;
    fixture_open(0);
    fixture_append(6);
    last = fixture_last()->segment;
    data = fixture_load(RIAD_SEGMENT_LOG, last, &size);
    record = f.written.ends[2].offset - f.written.starts[2];
    assert_int_equal(record, f.written.ends[3].offset - f.written.starts[3]);
    for (size_t i = 0; i < 5; i++) { /* neighbours swapped */
        _cleanup_free_ uint8_t *copy = malloc(size);

        assert_non_null(copy);
        memcpy(copy, data, size);
        memcpy(copy + f.written.starts[i], data + f.written.starts[i + 1], record);
        memcpy(copy + f.written.starts[i + 1], data + f.written.starts[i], record);
        fixture_store(RIAD_SEGMENT_LOG, last, copy, size);
        assert_int_equal(fixture_replay(NULL), -EUCLEAN);
        assert_int_equal(f.read.count, i);
        memcpy(copy + f.written.starts[i + 1], data + f.written.starts[i + 1],
                record); /* doubled */
        fixture_store(RIAD_SEGMENT_LOG, last, copy, size);
        assert_int_equal(fixture_replay(NULL), -EUCLEAN);
    }
    fixture_store(RIAD_SEGMENT_LOG, last, data, size);
    fixture_store(RIAD_SEGMENT_LOG, last + 1, data, size); /* a copy under another name */
    fixture_assert_replays(6);
    fixture_unlink(RIAD_SEGMENT_LOG, last);
    assert_int_equal(fixture_replay(fixture_last()), -EUCLEAN);
    assert_int_equal(f.read.count, 0);
}

static void another_workspaces_log_is_refused(void **state)
{
    struct riad_id other = { { 9 } };
    struct riad_keys *own = f.keys;

    (void)state;
    fixture_open(0);
    fixture_append(3);
    fixture_close_log();
    f.keys = fixture_keys(&other);
    assert_int_equal(
            fixture_replay(NULL), 0); /* to these keys it is junk: nothing of it is believed */
    assert_int_equal(f.read.count, 0);
    assert_int_equal(fixture_replay(fixture_last()), -EUCLEAN);
    riad_keys_free(f.keys);
    f.keys = own;
    fixture_assert_replays(3);
}

static void replay_goes_on_from_a_position(void **state)
{
    (void)state;
    fixture_write_history();
    for (size_t i = 0; i < f.written.count; i++) {
        struct riad_replay replay = { .workspace_fd = f.directory.fd,
            .keys = f.keys,
            .history = &f.history,
            .from = f.written.ends[i],
            .mark = f.written.ends[f.written.count / 2],
            .apply = fixture_remember,
            .context = &f.read };

        f.read.count = 0;
        assert_int_equal(riad_replay_run(&replay, &f.result), 0);
        assert_int_equal(f.read.count, f.written.count - 1 - i);
        assert_true(riad_end_equal(&f.result.end, fixture_last()));
        replay.from.chain.bytes[0] ^= 1;
        f.read.count = 0;
        assert_int_equal(riad_replay_run(&replay, &f.result),
                i + 1 < f.written.count || i == f.written.count / 2 ? -EUCLEAN : 0);
        assert_int_equal(f.read.count, 0);
    }
}

/* L3 */
static void positions_are_found_or_not(void **state)
{
    static const struct riad_end empty;

    (void)state;
    fixture_write_history();
    assert_int_equal(
            riad_replay_find(f.directory.fd, f.keys, &f.history, &no_epochs, &empty, 0), 0);
    for (size_t i = 0; i < f.written.count; i++) {
        struct riad_end end = f.written.ends[i];
        uint64_t start = f.written.starts[i];

        assert_int_equal(
                riad_replay_find(f.directory.fd, f.keys, &f.history, &no_epochs, &end, start), 0);
        end.chain.bytes[5] ^= 4;
        assert_int_equal(
                riad_replay_find(f.directory.fd, f.keys, &f.history, &no_epochs, &end, start),
                -ENOENT);
        end = f.written.ends[i];
        end.sequence.number++;
        assert_int_equal(
                riad_replay_find(f.directory.fd, f.keys, &f.history, &no_epochs, &end, start),
                -ENOENT);
        end = f.written.ends[i];
        end.offset += 64;
        assert_int_equal(
                riad_replay_find(f.directory.fd, f.keys, &f.history, &no_epochs, &end, start),
                -ENOENT);
        end = f.written.ends[i];
        end.segment += 7;
        assert_int_equal(
                riad_replay_find(f.directory.fd, f.keys, &f.history, &no_epochs, &end, start),
                -ENOENT);
    }
    assert_int_equal(riad_replay_find(f.directory.fd, f.keys, &f.history, &no_epochs,
                             fixture_last(), fixture_last()->offset),
            -ENOENT);
}

static int refuse(void *context, const uint8_t *content, size_t size, const struct riad_end *end,
        uint64_t start, bool settled)
{
    (void)content;
    (void)size;
    (void)end;
    (void)start;
    (void)settled;
    return *(int *)context;
}

static void what_apply_says_stops_the_replay(void **state)
{
    int error = -ENOSPC;
    struct riad_replay replay = { .workspace_fd = f.directory.fd,
        .keys = f.keys,
        .history = &f.history,
        .apply = refuse,
        .context = &error };

    (void)state;
    fixture_write_history();
    assert_int_equal(riad_replay_run(&replay, &f.result), -ENOSPC);
    error = -EBADMSG;
    assert_int_equal(riad_replay_run(&replay, &f.result), -EUCLEAN);
    assert_int_equal(f.result.changes, 0);
    error = 0;
    for (unsigned i = 1; i < 30; i++) { /* the store fails, whichever call */
        faults_fail(FAULT_ANY, i, EIO);
        assert_in_range(-riad_replay_run(&replay, &f.result), 0, 4095);
        assert_true(f.result.damage[0] == '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                every_flipped_byte_is_seen, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                a_tail_torn_anywhere_is_an_end, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(junk_behind_the_end_is_ignored_but_later_changes_are_not,
                fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                changes_say_what_was_durable, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_zombie_is_ignored, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                missing_segments_are_damage, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                moved_records_and_files_are_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                another_workspaces_log_is_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                replay_goes_on_from_a_position, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                positions_are_found_or_not, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                what_apply_says_stops_the_replay, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
