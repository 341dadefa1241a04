/* Extents: ranges, replacement, live bytes of segments, and removed inodes freed in slices (L8). */
#include "index/fixture.h"

static void put(struct fixture *f, const struct riad_extent *row)
{
    riad_change_put_extent(fixture_begin(f), row);
    fixture_apply(f);
}

static void put_file(struct fixture *f, uint64_t inode)
{
    struct riad_inode row = make_inode(inode, S_IFREG);

    riad_change_put_inode(fixture_begin(f), &row);
    fixture_apply(f);
}

static void remove_file(struct fixture *f, uint64_t inode)
{
    riad_change_remove_inode(fixture_begin(f), inode);
    fixture_apply(f);
}

/* Offsets of the extents that touch the range, as one string. */
static void assert_touched(
        struct fixture *f, uint64_t from, uint64_t to, size_t stop, const char *expected)
{
    struct extent_list *list = calloc(1, sizeof *list);
    char text[256] = "";
    size_t used = 0;

    assert_non_null(list);
    list->stop = stop;
    assert_int_equal(riad_index_extents(f->index, 5, from, to, gather_extent, list), 0);
    for (size_t i = 0; i < list->count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%d", i > 0 ? " " : "",
                (int)(list->rows[i].offset / UNIT));
    }
    assert_string_equal(text, expected);
    free(list);
}

static void ranges(void **state)
{
    struct fixture *f = *state;
    const struct riad_extent rows[] = { make_extent(5, 10 * UNIT, 2 * UNIT, 9, 0),
        make_unwritten(5, 12 * UNIT, 3 * UNIT), make_extent(5, 20 * UNIT, 1, 10, 0),
        make_extent(4, 0, UNIT, 9, 0), make_extent(6, 0, UNIT, 9, 0) };
    uint64_t count;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        put(f, &rows[i]);
    }
    assert_touched(f, 0, UINT64_MAX, 0, "10 12 20");
    assert_touched(f, 0, 10 * UNIT, 0, "");
    assert_touched(f, 0, 10 * UNIT + 1, 0, "10");
    assert_touched(f, 11 * UNIT, 11 * UNIT + 1, 0, "10");
    assert_touched(f, 12 * UNIT - 1, 12 * UNIT + 1, 0, "10 12");
    assert_touched(f, 12 * UNIT, 13 * UNIT, 0, "12");
    assert_touched(f, 15 * UNIT, 20 * UNIT, 0, "");
    assert_touched(f, 15 * UNIT - 1, 20 * UNIT + 1, 0, "12 20");
    assert_touched(f, 20 * UNIT + 1, UINT64_MAX, 0, "");
    assert_touched(f, 5, 5, 0, "");
    assert_touched(f, UINT64_MAX - 1, UINT64_MAX, 0, "");
    assert_touched(f, 0, UINT64_MAX, 2, "10 12");
    assert_int_equal(
            riad_index_count_extents(f->index, 5, 12 * UNIT, 20 * UNIT, UINT64_MAX, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(riad_index_count_extents(f->index, 5, 0, UINT64_MAX, 2, &count), 0);
    assert_int_equal(count, 2);
}

static void rows_come_back_as_they_were(void **state)
{
    struct fixture *f = *state;
    struct extent_list *list = calloc(1, sizeof *list);
    struct riad_extent whole = make_extent(5, 0, UNIT * RIAD_RUN_RECORDS_MAX, UINT64_MAX, 77);
    struct riad_extent part = make_extent(5, UNIT * 100, UNIT * 3, (uint64_t)1 << 63, 1);
    struct riad_extent unwritten = make_unwritten(5, UNIT * 200, RIAD_FILE_SIZE_MAX - UNIT * 200);

    assert_non_null(list);
    part.skip = 17;
    part.length = 4711;
    put(f, &whole);
    put(f, &part);
    put(f, &unwritten);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(riad_index_extents(f->index, 5, 0, UINT64_MAX, gather_extent, list), 0);
    assert_int_equal(list->count, 3);
    assert_extent_equal(&list->rows[0], &whole);
    assert_extent_equal(&list->rows[1], &part);
    assert_extent_equal(&list->rows[2], &unwritten);
    free(list);
}

static void clearing_goes_by_offset(void **state)
{
    struct fixture *f = *state;
    const struct riad_extent rows[] = { make_extent(5, 0, 2 * UNIT, 9, 0),
        make_extent(5, 2 * UNIT, UNIT, 9, 0), make_extent(5, 3 * UNIT, UNIT, 9, 0) };

    for (size_t i = 0; i < 3; i++) {
        put(f, &rows[i]);
    }
    riad_change_clear_extents(fixture_begin(f), 5, 1, 3 * UNIT);
    riad_change_clear_extents(&f->change, 5, 7, 7);
    fixture_apply(f);
    assert_touched(f, 0, UINT64_MAX, 0, "0 3");
    riad_change_clear_extents(fixture_begin(f), 5, 0, UINT64_MAX);
    fixture_apply(f);
    assert_touched(f, 0, UINT64_MAX, 0, "");
}

static void assert_live(struct fixture *f, uint64_t segment, uint64_t expected)
{
    uint64_t bytes = 0;

    assert_int_equal(riad_index_segment_live(f->index, segment, &bytes), 0);
    assert_int_equal(bytes, expected);
}

static void assert_dead(struct fixture *f, const uint64_t *expected, size_t expected_count)
{
    uint64_t segments[8];
    size_t count = 99;

    assert_int_equal(riad_index_dead_segments(f->index, segments, 8, &count), 0);
    assert_int_equal(count, expected_count);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(segments[i], expected[i]);
    }
}

static void live_bytes_and_dead_segments(void **state)
{
    static const uint64_t dead[] = { 9, 10 };
    struct fixture *f = *state;
    struct riad_extent row = make_extent(5, 0, 2 * UNIT, 9, 0);
    struct riad_extent clone = make_extent(6, 0, 2 * UNIT, 9, 0);
    struct riad_extent log = make_extent(7, 0, UNIT, f->end.segment, 0);
    uint64_t bytes;

    put_file(f, 7);
    put(f, &row);
    put(f, &clone);
    put(f, &log);
    assert_live(f, 9, 4 * UNIT);
    assert_live(f, f->end.segment, UNIT);
    assert_dead(f, NULL, 0);
    row = make_extent(5, 0, UNIT, 10, 0); /* in place of the first */
    put(f, &row);
    assert_live(f, 9, 2 * UNIT);
    assert_live(f, 10, UNIT);
    riad_change_clear_extents(fixture_begin(f), 6, 0, UINT64_MAX);
    riad_change_clear_extents(&f->change, 5, 0, UINT64_MAX);
    fixture_apply(f);
    remove_file(f, 7);
    assert_live(f, f->end.segment, 0);
    assert_dead(f, dead, 2); /* the log segment is none of them */
    assert_int_equal(riad_index_drop_segment(f->index, 9), 0);
    assert_dead(f, dead + 1, 1);
    fixture_close(f);
    fixture_open(f);
    assert_dead(f, dead + 1, 1);
    assert_int_equal(riad_index_segment_live(f->index, 9, &bytes), -ENOENT);
}

/* Many more segments than deltas are kept for. */
static void many_segments(void **state)
{
    struct fixture *f = *state;

    for (uint64_t i = 0; i < 500; i++) {
        struct riad_extent row = make_extent(5, i * UNIT, UNIT, 1000 + i % 250, i);

        put(f, &row);
    }
    for (uint64_t i = 0; i < 250; i++) {
        assert_live(f, 1000 + i, 2 * UNIT);
    }
}

static void plant_big(struct fixture *f, uint64_t inode, uint64_t extents)
{
    put_file(f, inode);
    fixture_begin(f);
    for (uint64_t i = 0; i < extents; i++) {
        struct riad_extent row = make_extent(inode, i * UNIT, UNIT, 9, i * UNIT);

        riad_change_put_extent(&f->change, &row);
    }
    fixture_apply(f);
}

static void small_files_are_freed_at_once(void **state)
{
    static const uint64_t dead[] = { 9 };
    struct fixture *f = *state;
    bool more = true;

    plant_big(f, 5, 256);
    remove_file(f, 5);
    assert_int_equal(count_extents(f, 5), 0);
    assert_dead(f, dead, 1);
    assert_int_equal(riad_index_reap(f->index, 10, &more), 0);
    assert_false(more);
}

static void big_files_are_freed_in_slices(void **state)
{
    static const uint64_t dead[] = { 9 };
    struct fixture *f = *state;
    bool more = false;
    int slices = 1;

    plant_big(f, 5, 257);
    plant_big(f, 6, 700);
    remove_file(f, 5);
    remove_file(f, 6);
    assert_usage(f, 0, 0);
    assert_live(f, 9, 957 * UNIT);
    assert_int_equal(riad_index_reap(f->index, 100, &more), 0);
    assert_true(more);
    assert_live(f, 9, 857 * UNIT);
    fixture_close(f); /* it goes on after a restart */
    fixture_open(f);
    while (more) {
        assert_dead(f, NULL, 0);
        assert_int_equal(riad_index_reap(f->index, 100, &more), 0);
        slices++;
    }
    assert_int_equal(slices, 10);
    assert_dead(f, dead, 1);
    assert_int_equal(count_extents(f, 5) + count_extents(f, 6), 0);
}

/* An old inode's extents must not show in a new file. */
static void numbers_of_garbage_are_not_used_again(void **state)
{
    struct fixture *f = *state;
    struct riad_inode row = make_inode(5, S_IFREG);
    bool more;

    plant_big(f, 5, 300);
    remove_file(f, 5);
    riad_change_put_inode(fixture_begin(f), &row);
    assert_int_equal(fixture_try(f), -EBADMSG);
    assert_int_equal(riad_index_reap(f->index, UINT32_MAX, &more), 0);
    riad_change_put_inode(fixture_begin(f), &row);
    fixture_apply(f);
    assert_int_equal(count_extents(f, 5), 0);
}

/* A refused change rolls the batch back: what was reaped and dropped before it stays so. */
static void refusals_keep_what_is_no_change(void **state)
{
    struct fixture *f = *state;
    bool more;

    plant_big(f, 5, 300);
    remove_file(f, 5);
    assert_int_equal(riad_index_reap(f->index, UINT32_MAX, &more), 0);
    assert_int_equal(riad_index_drop_segment(f->index, 9), 0);
    riad_change_remove_inode(fixture_begin(f), 5);
    assert_int_equal(fixture_try(f), -EBADMSG);
    assert_int_equal(count_extents(f, 5), 0);
    assert_dead(f, NULL, 0);
    assert_int_equal(riad_index_reap(f->index, UINT32_MAX, &more), 0);
    assert_false(more);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(ranges),
        TEST(rows_come_back_as_they_were),
        TEST(clearing_goes_by_offset),
        TEST(live_bytes_and_dead_segments),
        TEST(many_segments),
        TEST(small_files_are_freed_at_once),
        TEST(big_files_are_freed_in_slices),
        TEST(numbers_of_garbage_are_not_used_again),
        TEST(refusals_keep_what_is_no_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
