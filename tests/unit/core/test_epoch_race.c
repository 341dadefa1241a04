/* A rotation at the worst moments of a write: each is met exactly, as the write's own system call
 * makes it. */
#include "riad/sysops.h"

#include "epoch.h"

enum { PIECE = 3000, GROWN = 300000 };

static struct riad_workspace *workspace;
static struct riad_sysops table;
static bool (*awaited)(size_t size, off_t offset); /* NULL: not any more */
static struct riad_epoch_end end;

static ssize_t pwrite_and_rotate(int fd, const void *data, size_t size, off_t offset)
{
    if (awaited && awaited(size, offset)) {
        awaited = NULL;
        end = rotate(workspace, 2);
    }
    return riad_sysops_real.pwrite(fd, data, size, offset);
}

static int openat_and_rotate(int dirfd, const char *path, int flags, mode_t mode)
{
    if (awaited && (flags & O_CREAT) && awaited(SIZE_MAX, -1)) {
        awaited = NULL;
        end = rotate(workspace, 2);
    }
    return riad_sysops_real.openat(dirfd, path, flags, mode);
}

static int setup_race(void **state)
{
    setup(state);
    workspace = fixture_open(&fixture);
    riad_background_stop(workspace);
    table = riad_sysops_real;
    table.pwrite = pwrite_and_rotate;
    table.openat = openat_and_rotate;
    riad_sys = &table;
    return 0;
}

/* All is readable, and apart: now, and for who makes the rows anew. */
static int teardown_race(void **state)
{
    riad_sys = &riad_sysops_real;
    assert_null(awaited); /* the moment came */
    assert_extents_apart(workspace, &end, 1);
    fixture_close(workspace);
    assert_data_apart(1);
    fixture_assert_sound(&fixture);
    fixture_forget(&fixture);
    fixture_close(fixture_open(&fixture));
    fixture_assert_sound(&fixture);
    return teardown(state);
}

static bool is_header(size_t size, off_t offset)
{
    return size < 1000 && offset == 0;
}

static void while_a_data_segment_is_made(void **state)
{
    uint64_t inode = make_file(workspace, 1, "f");

    (void)state;
    assert_int_equal(riad_log_ship(workspace->log), 0);
    awaited = is_header;
    write_fill(workspace, inode, 0, 'b', BULK);
    assert_filled(workspace, inode, 0, 'b', BULK);
    assert_int_equal(assert_data_apart(1), 0); /* thrown away */
    assert_int_equal(assert_data_apart(2), 1);
}

static bool is_creation(size_t size, off_t offset)
{
    return size == SIZE_MAX && offset < 0;
}

/* Its header is of the new epoch, but its id was given away before. */
static void before_a_data_segment_is_made(void **state)
{
    uint64_t inode = make_file(workspace, 1, "f");

    (void)state;
    assert_int_equal(riad_log_ship(workspace->log), 0);
    awaited = is_creation;
    write_fill(workspace, inode, 0, 'b', BULK);
    assert_filled(workspace, inode, 0, 'b', BULK);
    assert_int_equal(assert_data_apart(1), 0);
    assert_int_equal(assert_data_apart(2), 1);
}

static bool is_bulk(size_t size, off_t offset)
{
    return size >= BULK && offset > 0;
}

/* The payload lies in a segment of the epoch that has ended when the change would name it. */
static void while_bulk_is_written(void **state)
{
    uint64_t inode = make_file(workspace, 1, "f");

    (void)state;
    assert_int_equal(riad_log_ship(workspace->log), 0);
    awaited = is_bulk;
    write_fill(workspace, inode, 0, 'b', BULK);
    assert_filled(workspace, inode, 0, 'b', BULK);
    assert_int_equal(assert_data_apart(1), 1);
    assert_int_equal(assert_data_apart(2), 1);
}

static bool is_gathered(size_t size, off_t offset)
{
    return size >= 256 << 10 && offset > 0;
}

/* The small extents stay. */
static void while_small_appends_are_gathered(void **state)
{
    uint64_t inode = make_file(workspace, 1, "f");

    (void)state;
    for (uint64_t at = 0; at < GROWN; at += PIECE) {
        if (at + PIECE >= 256 << 10 && at < 256 << 10) {
            assert_int_equal(riad_log_ship(workspace->log), 0);
            awaited = is_gathered;
        }
        write_fill(workspace, inode, at, 'g', PIECE);
    }
    assert_filled(workspace, inode, 0, 'g', GROWN);
    assert_true(tally_of(workspace, inode).extents > 80);
}

#define RACE(function) cmocka_unit_test_setup_teardown(function, setup_race, teardown_race)

int main(void)
{
    const struct CMUnitTest tests[] = {
        RACE(before_a_data_segment_is_made),
        RACE(while_a_data_segment_is_made),
        RACE(while_bulk_is_written),
        RACE(while_small_appends_are_gathered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
