/* L8: what touches thousands of extents is done in slices, and looks done at once. */
#include <errno.h>
#include <linux/falloc.h>

#include "operations.h"

/* Extents with gaps: `count` of one byte each, a block apart. */
static void write_comb(struct riad_workspace *workspace, uint64_t file, unsigned count)
{
    for (uint64_t i = 0; i < count; i++) {
        write_fill(workspace, file, i * 2 * RIAD_BLOCK_SIZE, 'c', 1);
    }
}

/* The truncation as it stands when its slices have not been done, and the file grown again. */
static void truncate_unfinished(
        struct riad_workspace *workspace, uint64_t inode, uint64_t size, uint64_t grown)
{
    const struct riad_survey none = { 0 };
    struct riad_inode row;

    assert_int_equal(riad_mutation_begin(workspace, NULL), 0);
    assert_int_equal(riad_index_get_inode(workspace->index, inode, &row), 0);
    assert_int_equal(riad_truncate(workspace, &row, size, &none), 0);
    assert_int_equal(riad_truncate(workspace, &row, grown, &none), 0);
    riad_put_row(workspace, &row);
    assert_int_equal(riad_mutation_commit(workspace, NULL), 0);
    riad_mutation_end(workspace);
    assert_int_equal(row.truncate_mark, size);
}

static void a_truncation_in_slices_ends_complete(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");

    write_comb(bench->workspace, file, 2500);
    assert_int_equal(attributes(bench->workspace, file).blocks, 2500);
    assert_int_equal(set_size(bench->workspace, file, 10 * 2 * RIAD_BLOCK_SIZE + 1), 0);
    assert_int_equal(attributes(bench->workspace, file).blocks, 11);
    assert_int_equal(attributes(bench->workspace, file).truncate_mark, RIAD_NO_TRUNCATE_MARK);
    assert_int_equal(tally_of(bench->workspace, file).extents, 11);
    assert_int_equal(usage_of(bench->workspace).blocks, 1 + 11);
}

static void what_lies_behind_a_mark_is_gone_at_once(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"), other, found, done;

    write_comb(bench->workspace, file, 1500);
    write_fill(bench->workspace, file, 4, 'c', 2);
    write_fill(bench->workspace, file, 100, 'c', 2);
    truncate_unfinished(bench->workspace, file, 5, 1 << 20);
    assert_int_equal(usage_of(bench->workspace).blocks, 1 + 1);
    assert_int_equal(tally_of(bench->workspace, file).extents, 3 + 1499);
    assert_filled(bench->workspace, file, 5, 0, (1 << 20) - 5);
    assert_int_equal(riad_seek(bench->workspace, file, RIAD_BLOCK_SIZE, SEEK_DATA, &found), -ENXIO);
    assert_int_equal(riad_seek(bench->workspace, file, 5, SEEK_DATA, &found), 0);
    assert_int_equal(found, 5);
    assert_int_equal(riad_seek(bench->workspace, file, 4, SEEK_HOLE, &found), 0);
    assert_int_equal(found, RIAD_BLOCK_SIZE);
    other = make_file(bench->workspace, 1, "g");
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, 0, other, 0, 1 << 20, &done), 0);
    assert_int_equal(done, 1 << 20);
    assert_int_equal(attributes(bench->workspace, other).blocks, 1);
    assert_filled(bench->workspace, other, 5, 0, (1 << 20) - 5);
    /* Below the mark all goes on as ever; behind it the truncation is finished first. */
    write_fill(bench->workspace, file, 0, 'n', 5);
    assert_int_not_equal(attributes(bench->workspace, file).truncate_mark, RIAD_NO_TRUNCATE_MARK);
    assert_int_equal(riad_fallocate(bench->workspace, &alice, file,
                             FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 5),
            0);
    assert_int_equal(
            attributes(bench->workspace, file).blocks, 0); /* what is dead holds no block */
    write_fill(bench->workspace, file, 0, 'n', 5);
    assert_int_equal(attributes(bench->workspace, file).blocks, 1);
    assert_int_not_equal(attributes(bench->workspace, file).truncate_mark, RIAD_NO_TRUNCATE_MARK);
    write_fill(bench->workspace, file, 9000, 'n', 5);
    assert_int_equal(attributes(bench->workspace, file).truncate_mark, RIAD_NO_TRUNCATE_MARK);
    assert_filled(bench->workspace, file, 9005, 0, 100000);
    assert_int_equal(attributes(bench->workspace, file).blocks, 2);
    assert_int_equal(tally_of(bench->workspace, file).blocks.blocks, 2);
}

static void a_mark_is_finished_at_the_next_open(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");

    write_comb(bench->workspace, file, 1500);
    truncate_unfinished(bench->workspace, file, 3 * RIAD_BLOCK_SIZE, 3 * RIAD_BLOCK_SIZE);
    bench_reopen(bench);
    assert_int_equal(riad_truncate_finish(bench->workspace, file), 0);
    assert_int_equal(attributes(bench->workspace, file).truncate_mark, RIAD_NO_TRUNCATE_MARK);
    assert_int_equal(tally_of(bench->workspace, file).extents, 2);
    assert_int_equal(usage_of(bench->workspace).blocks, 1 + 2);
}

/* More gaps than one change has room for. */
static void many_extents_are_allocated_in_slices(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint64_t end = (uint64_t)3500 * 2 * RIAD_BLOCK_SIZE;

    write_comb(bench->workspace, file, 3500);
    assert_int_equal(riad_fallocate(bench->workspace, &alice, file, 0, 0, end), 0);
    assert_int_equal(attributes(bench->workspace, file).blocks, 7000);
    assert_int_equal(tally_of(bench->workspace, file).blocks.blocks, 7000);
    assert_filled(bench->workspace, file, 4096 * 4000, 'c', 1);
    assert_int_equal(
            riad_fallocate(bench->workspace, &alice, file, FALLOC_FL_ZERO_RANGE, 0, end), 0);
    assert_filled(bench->workspace, file, 4096 * 4000, 0, 4096);
    assert_int_equal(attributes(bench->workspace, file).blocks, 7000);
    assert_int_equal(attributes(bench->workspace, file).size, end);
    assert_int_equal(riad_fallocate(bench->workspace, &alice, file,
                             FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1, end - 2),
            0);
    assert_int_equal(attributes(bench->workspace, file).blocks, 2);
    assert_int_equal(tally_of(bench->workspace, file).blocks.blocks, 2);
}

/* More extents in one block than a slice has: it ends where the range does all the same. */
static void a_slice_never_passes_the_range(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");

    for (uint64_t i = 0; i < 1800; i++) {
        write_fill(bench->workspace, file, 3600 - 2 * i, 'c', 1);
    }
    assert_int_equal(riad_fallocate(bench->workspace, &alice, file,
                             FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 2999),
            0);
    assert_filled(bench->workspace, file, 0, 0, 3000);
    for (uint64_t i = 3000; i < 3600; i += 2) {
        assert_filled(bench->workspace, file, i, 'c', 1);
    }
    assert_int_equal(attributes(bench->workspace, file).blocks, 1);
}

/* A file of many extents goes in slices, its usage at once. */
static void a_big_orphan_is_reaped(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");

    write_comb(bench->workspace, file, 2500);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    assert_int_equal(usage_of(bench->workspace).blocks, 1 + 2500);
    riad_forget(bench->workspace, file, 1);
    assert_int_equal(usage_of(bench->workspace).blocks, 1);
    assert_int_equal(tally_of(bench->workspace, file).extents, 0);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(a_truncation_in_slices_ends_complete),
        BENCH(what_lies_behind_a_mark_is_gone_at_once),
        BENCH(a_mark_is_finished_at_the_next_open),
        BENCH(many_extents_are_allocated_in_slices),
        BENCH(a_slice_never_passes_the_range),
        BENCH(a_big_orphan_is_reaped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
