/* Files without a name (O_TMPFILE): their life, and the one name that makes a file of them. */
#include <errno.h>

#include "operations.h"

static uint64_t make_tmpfile(struct bench *bench, uint64_t parent, bool linkable)
{
    struct riad_inode row;

    assert_int_equal(riad_tmpfile(bench->workspace, &alice, parent, 0640, linkable, &row), 0);
    assert_int_equal(row.mode, S_IFREG | 0640);
    assert_int_equal(row.nlink, 0);
    return row.inode;
}

/* O_TMPFILE: charged like every file, gone with its last reference. */
static void a_tmpfile_lives_while_it_is_held(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_tmpfile(bench, 1, true);
    struct riad_inode root = attributes(bench->workspace, 1), row;

    write_fill(bench->workspace, file, 0, 'a', 5000);
    assert_filled(bench->workspace, file, 0, 'a', 5000);
    assert_int_equal(usage_of(bench->workspace).inodes, 2);
    assert_int_equal(usage_of(bench->workspace).blocks, 3);
    row = attributes(bench->workspace, 1);
    assert_memory_equal(&row.mtime, &root.mtime, sizeof row.mtime); /* no entry came */
    riad_forget(bench->workspace, file, 1);
    assert_int_equal(riad_getattr(bench->workspace, file, &row), -ENOENT);
    assert_int_equal(usage_of(bench->workspace).inodes, 1);
    assert_int_equal(usage_of(bench->workspace).blocks, 1);
    bench_limit(bench, 0, 1);
    assert_int_equal(riad_tmpfile(bench->workspace, &alice, 1, 0640, true, &row), -EDQUOT);
    assert_int_equal(riad_tmpfile(bench->workspace, &alice, 4711, 0640, true, &row), -ENOENT);
}

static void a_tmpfile_takes_the_group_of_a_setgid_directory(void **state)
{
    struct bench *bench = *state;
    struct riad_inode values = { .mode = 02755, .gid = 77 }, row;
    uint64_t directory = make_directory(bench->workspace, 1, "d");

    assert_int_equal(riad_setattr(bench->workspace, &alice, directory, RIAD_SET_MODE | RIAD_SET_GID,
                             &values, &row),
            0);
    assert_int_equal(attributes(bench->workspace, make_tmpfile(bench, directory, true)).gid, 77);
}

/* Only what never had a name may get its first one. */
static void a_tmpfile_is_linked_once_and_then_a_file(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    uint64_t file = make_tmpfile(bench, 1, true);
    uint64_t sealed = make_tmpfile(bench, 1, false);
    struct riad_inode row;

    assert_int_equal(
            riad_link(bench->workspace, &alice, sealed, directory, "never", &row), -ENOENT);
    assert_int_equal(riad_link(bench->workspace, &alice, file, directory, "first", &row), 0);
    assert_int_equal(row.nlink, 1);
    assert_int_equal(row.parent, directory);
    assert_int_equal(riad_link(bench->workspace, &alice, file, 1, "second", &row), 0);
    assert_int_equal(row.nlink, 2);
    assert_int_equal(row.parent, directory);
    assert_int_equal(riad_unlink(bench->workspace, &alice, directory, "first"), 0);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "second"), 0);
    assert_int_equal(attributes(bench->workspace, file).nlink, 0);
    assert_int_equal(riad_link(bench->workspace, &alice, file, directory, "again", &row), -ENOENT);
}

static void a_linked_tmpfile_stays_and_another_goes_at_the_next_open(void **state)
{
    struct bench *bench = *state;
    uint64_t linked = make_tmpfile(bench, 1, true);
    uint64_t lost = make_tmpfile(bench, 1, true);
    struct riad_inode row;

    write_fill(bench->workspace, linked, 0, 'a', 100);
    assert_int_equal(riad_link(bench->workspace, &alice, linked, 1, "name", &row), 0);
    bench_reopen(bench);
    assert_filled(bench->workspace, inode_of(bench->workspace, 1, "name"), 0, 'a', 100);
    assert_int_equal(riad_getattr(bench->workspace, lost, &row), -ENOENT);
    assert_int_equal(usage_of(bench->workspace).inodes, 2);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

/* The kernel asks for "." of what it no longer holds, which may come before its FORGET. */
static void what_has_no_name_is_not_found_by_number(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");

    assert_int_equal(look_up(bench->workspace, file, "."), 0);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    assert_int_equal(look_up(bench->workspace, file, "."), -ESTALE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(a_tmpfile_lives_while_it_is_held),
        BENCH(a_tmpfile_takes_the_group_of_a_setgid_directory),
        BENCH(a_tmpfile_is_linked_once_and_then_a_file),
        BENCH(what_has_no_name_is_not_found_by_number),
        BENCH(a_linked_tmpfile_stays_and_another_goes_at_the_next_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
