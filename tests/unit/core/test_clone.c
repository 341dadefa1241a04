/* copy_file_range: extents shared, not moved; each copy lives on by itself. */
#include <errno.h>

#include "operations.h"

static uint64_t copy(struct bench *bench, uint64_t from, uint64_t from_offset, uint64_t to,
        uint64_t to_offset, uint64_t length)
{
    uint64_t total = 0, done = 1;

    while (total < length && done > 0) {
        assert_int_equal(riad_copy_range(bench->workspace, &alice, from, from_offset + total, to,
                                 to_offset + total, length - total, &done),
                0);
        total += done;
    }
    return total;
}

static uint64_t bytes_written(struct bench *bench)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(bench->workspace, &status), 0);
    return status.log.append_bytes + status.log.bulk_bytes;
}

static void a_clone_moves_no_data(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"),
             other = make_file(bench->workspace, 1, "g");
    uint64_t before;

    write_fill(bench->workspace, file, 0, 'a', 8 << 20);
    before = bytes_written(bench);
    assert_int_equal(copy(bench, file, 0, other, 0, UINT32_MAX), 8 << 20);
    assert_true(bytes_written(bench) - before < 100000);
    assert_int_equal(attributes(bench->workspace, other).size, 8 << 20);
    assert_int_equal(attributes(bench->workspace, other).blocks, 2048);
    assert_int_equal(usage_of(bench->workspace).blocks, 1 + 2 * 2048);
    assert_filled(bench->workspace, other, 5 << 20, 'a', 1 << 20);
}

static void each_copy_lives_by_itself(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"),
             other = make_file(bench->workspace, 1, "g");

    write_fill(bench->workspace, file, 0, 'a', 1 << 20);
    assert_int_equal(copy(bench, file, 1000, other, 7, 500000), 500000);
    write_fill(bench->workspace, file, 0, 'b', 300000);
    write_fill(bench->workspace, other, 100000, 'c', 10);
    assert_filled(bench->workspace, other, 0, 0, 7);
    assert_filled(bench->workspace, other, 7, 'a', 99993);
    assert_filled(bench->workspace, other, 100000, 'c', 10);
    assert_filled(bench->workspace, other, 100010, 'a', 399997);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    riad_forget(bench->workspace, file, 1);
    bench_reopen(bench);
    assert_filled(bench->workspace, other, 7, 'a', 99993);
    assert_filled(bench->workspace, other, 100010, 'a', 399997);
}

static void ranges_of_one_file_must_not_overlap(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint64_t done = 0;

    write_fill(bench->workspace, file, 0, 'a', 50000);
    write_fill(bench->workspace, file, 50000, 'b', 50000);
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, 0, file, 49999, 50000, &done), -EINVAL);
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, 10, file, 0, 11, &done), -EINVAL);
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, 0, file, 50000, 50000, &done), 0);
    assert_int_equal(done, 50000);
    assert_filled(bench->workspace, file, 0, 'a', 100000);
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, 0, file, 100000, 100000, &done), 0);
    assert_filled(bench->workspace, file, 0, 'a', 200000);
}

static void holes_stay_holes(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"),
             other = make_file(bench->workspace, 1, "g");

    assert_int_equal(set_size(bench->workspace, file, (uint64_t)1 << 40), 0);
    write_fill(bench->workspace, file, 1 << 30, 'a', 4096);
    write_fill(bench->workspace, other, 0, 'x', 1 << 20);
    assert_int_equal(copy(bench, file, 0, other, 0, (uint64_t)1 << 40), (uint64_t)1 << 40);
    assert_int_equal(attributes(bench->workspace, other).blocks, 1);
    assert_int_equal(attributes(bench->workspace, other).size, (uint64_t)1 << 40);
    assert_filled(bench->workspace, other, 0, 0, 1 << 20);
    assert_filled(bench->workspace, other, 1 << 30, 'a', 4096);
}

/* L8: one change holds some hundred rows, the rest is the caller's to ask for. */
static void many_extents_are_copied_in_steps(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"),
             other = make_file(bench->workspace, 1, "g");
    uint64_t done = 0, end = (uint64_t)600 * 5000;

    for (uint64_t i = 0; i < 600; i++) {
        write_fill(bench->workspace, file, i * 5000, (int)i, 100);
        write_fill(bench->workspace, other, i * 5000 + 50, 'x', 100);
    }
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, 0, other, 0, UINT32_MAX, &done), 0);
    assert_true(done > 0 && done < end);
    assert_int_equal(copy(bench, file, done, other, done, UINT32_MAX), 599 * 5000 + 100 - done);
    for (uint64_t i = 0; i < 599; i++) {
        assert_filled(bench->workspace, other, i * 5000, (int)i, 100);
        assert_filled(bench->workspace, other, i * 5000 + 100, 0, 4900);
    }
    assert_filled(bench->workspace, other, 599 * 5000 + 100, 'x', 50);
    assert_int_equal(attributes(bench->workspace, other).size, 599 * 5000 + 150);
}

/* Copied piece by piece, a run is one row again. */
static void pieces_of_a_run_grow_together(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"),
             other = make_file(bench->workspace, 1, "g");

    write_fill(bench->workspace, file, 0, 'a', 1 << 20);
    assert_int_equal(tally_of(bench->workspace, file).extents, 1);
    for (uint64_t i = 0; i < 8; i++) {
        assert_int_equal(copy(bench, file, i << 17, other, i << 17, 1 << 17), 1 << 17);
    }
    assert_int_equal(tally_of(bench->workspace, other).extents, 1);
    assert_filled(bench->workspace, other, 0, 'a', 1 << 20);
}

static void what_cannot_be_copied(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"), done = 7;

    write_fill(bench->workspace, file, 0, 'a', 10);
    assert_int_equal(riad_copy_range(bench->workspace, &alice, file, 0, 1, 0, 10, &done), -EISDIR);
    assert_int_equal(riad_copy_range(bench->workspace, &alice, 1, 0, file, 0, 10, &done), -EISDIR);
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, 4711, 0, file, 0, 10, &done), -ENOENT);
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, 0, file, RIAD_FILE_SIZE_MAX, 10, &done),
            -EFBIG);
    assert_int_equal(done, 7);
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, UINT64_MAX, file, 100, 10, &done), 0);
    assert_int_equal(done, 0);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(a_clone_moves_no_data),
        BENCH(each_copy_lives_by_itself),
        BENCH(ranges_of_one_file_must_not_overlap),
        BENCH(holes_stay_holes),
        BENCH(many_extents_are_copied_in_steps),
        BENCH(pieces_of_a_run_grow_together),
        BENCH(what_cannot_be_copied),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
