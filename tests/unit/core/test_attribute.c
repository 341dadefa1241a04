/* Attributes: what chmod, chown, utimes and truncate leave, and when privileges go. */
#include <errno.h>
#include <linux/falloc.h>

#include "operations.h"

static struct riad_inode set(
        struct bench *bench, uint64_t inode, uint32_t mask, const struct riad_inode *values)
{
    struct riad_inode row, again;

    assert_int_equal(riad_setattr(bench->workspace, &alice, inode, mask, values, &row), 0);
    again = attributes(bench->workspace, inode);
    assert_int_equal(again.version, row.version);
    return again;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static void chmod_keeps_the_type(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode before = attributes(bench->workspace, file), row;

    row = set(bench, file, RIAD_SET_MODE, &(struct riad_inode){ .mode = S_IFDIR | 06711 });
    assert_int_equal(row.mode, S_IFREG | 06711);
    assert_int_equal(row.version, before.version + 1);
    assert_false(same_time(row.ctime, before.ctime));
    assert_true(same_time(row.mtime, before.mtime));
}

static void chown_takes_privileges(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    struct riad_inode values = { .uid = 5, .gid = 6, .mode = 06755 }, row;

    set(bench, file, RIAD_SET_MODE, &values);
    row = set(bench, file, RIAD_SET_UID, &values);
    assert_int_equal(row.uid, 5);
    assert_int_equal(row.gid, 1000);
    assert_int_equal(row.mode, S_IFREG | 0755);
    values.mode = 06745; /* setgid where the group may not execute is a lock, not a privilege */
    set(bench, file, RIAD_SET_MODE, &values);
    row = set(bench, file, RIAD_SET_GID, &values);
    assert_int_equal(row.gid, 6);
    assert_int_equal(row.mode, S_IFREG | 02745);
    values.mode = 02755;
    set(bench, directory, RIAD_SET_MODE, &values);
    row = set(bench, directory, RIAD_SET_UID | RIAD_SET_GID, &values);
    assert_int_equal(row.mode, S_IFDIR | 02755);
}

static void writing_takes_privileges_when_asked_to(void **state)
{
    struct bench *bench = *state;
    struct riad_caller other = { .uid = 5, .gid = 5, .kill_privileges = true };
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode values = { .mode = 06755 }, row;
    uint32_t size;

    set(bench, file, RIAD_SET_MODE, &values);
    write_fill(bench->workspace, file, 0, 'a', 10);
    assert_int_equal(attributes(bench->workspace, file).mode, S_IFREG | 06755);
    assert_int_equal(
            riad_write(bench->workspace, &other, file, 0, (const uint8_t *)"b", 1, &size), 0);
    assert_int_equal(attributes(bench->workspace, file).mode, S_IFREG | 0755);
    set(bench, file, RIAD_SET_MODE, &values);
    assert_int_equal(riad_setattr(bench->workspace, &other, file, RIAD_SET_SIZE, &values, &row), 0);
    assert_int_equal(row.mode, S_IFREG | 0755);
    set(bench, file, RIAD_SET_MODE, &values);
    assert_int_equal(riad_fallocate(bench->workspace, &other, file, 0, 0, 1), 0);
    assert_int_equal(attributes(bench->workspace, file).mode, S_IFREG | 0755);
}

static bool member_of_1000(int32_t pid, uint32_t group)
{
    return pid == 42 && group == 1000;
}

/* setgid without execution for the group: it goes with a caller of another group. */
static void strangers_take_every_setgid(void **state)
{
    struct bench *bench = *state;
    struct riad_caller callers[] = {
        { .gid = 1000, .kill_privileges = true },
        { .gid = 5, .kill_privileges = true, .pid = 42, .is_member = member_of_1000 },
        { .gid = 5, .kill_privileges = true, .pid = 43, .is_member = member_of_1000 },
        { .gid = 5, .kill_privileges = true },
    };
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode values = { .mode = 06745, .gid = 7 }, row;
    uint32_t size;

    for (int i = 0; i < 4; i++) {
        uint32_t expected = S_IFREG | (i < 2 ? 02745 : 0745);

        set(bench, file, RIAD_SET_MODE, &values);
        assert_int_equal(
                riad_write(bench->workspace, &callers[i], file, 0, (const uint8_t *)"b", 1, &size),
                0);
        assert_int_equal(attributes(bench->workspace, file).mode, expected);
    }
    for (int i = 0; i < 4; i++) {
        file = make_file(bench->workspace, 1, (const char *[]){ "a", "b", "c", "d" }[i]);
        set(bench, file, RIAD_SET_MODE, &values);
        callers[i].kill_privileges = false; /* of SETATTR only with a size */
        assert_int_equal(
                riad_setattr(bench->workspace, &callers[i], file, RIAD_SET_GID, &values, &row), 0);
        assert_int_equal(row.mode, S_IFREG | (i < 2 ? 02745 : 0745));
    }
}

static void what_writing_takes_is_told(void **state)
{
    struct bench *bench = *state;
    bool killed = false;
    struct riad_caller other = { .uid = 5, .gid = 5, .kill_privileges = true, .killed = &killed };
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode values = { .mode = 02745, .gid = 5 };
    uint32_t size;

    set(bench, file, RIAD_SET_GID, &values);
    set(bench, file, RIAD_SET_MODE, &values);
    assert_int_equal(
            riad_write(bench->workspace, &other, file, 0, (const uint8_t *)"b", 1, &size), 0);
    assert_int_equal(attributes(bench->workspace, file).mode, S_IFREG | 02745);
    assert_false(killed);
    other.gid = 6;
    assert_int_equal(
            riad_write(bench->workspace, &other, file, 0, (const uint8_t *)"b", 1, &size), 0);
    assert_int_equal(attributes(bench->workspace, file).mode, S_IFREG | 0745);
    assert_true(killed);
}

static void times_are_set(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode before = attributes(bench->workspace, file), row;
    struct riad_inode values = {
        .atime = { .tv_sec = -77, .tv_nsec = 1 },
        .mtime = { .tv_sec = (time_t)1 << 40, .tv_nsec = 999999999 },
    };

    row = set(bench, file, RIAD_SET_ATIME | RIAD_SET_MTIME, &values);
    assert_true(same_time(row.atime, values.atime));
    assert_true(same_time(row.mtime, values.mtime));
    assert_true(same_time(row.btime, before.btime));
    row = set(bench, file, RIAD_SET_ATIME_NOW | RIAD_SET_MTIME_NOW, &values);
    assert_true(same_time(row.atime, row.ctime));
    assert_true(same_time(row.mtime, row.ctime));
    values.mtime.tv_nsec = 1000000000;
    assert_int_equal(
            riad_setattr(bench->workspace, &alice, file, RIAD_SET_MTIME, &values, &row), -EINVAL);
    assert_int_equal(attributes(bench->workspace, file).version, row.version);
}

static void truncate_always_sets_mtime(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode values = { .size = 100, .mtime = { .tv_sec = 3 } }, row, before;

    before = set(bench, file, RIAD_SET_SIZE, &values);
    assert_int_equal(before.size, 100);
    row = set(bench, file, RIAD_SET_SIZE, &values);
    assert_false(same_time(row.mtime, before.mtime));
    row = set(bench, file, RIAD_SET_SIZE | RIAD_SET_MTIME, &values);
    assert_int_equal(row.mtime.tv_sec, 3);
    assert_int_equal(set_size(bench->workspace, 1, 0), -EISDIR);
    assert_int_equal(riad_mknod(bench->workspace, &alice, 1, "p", S_IFIFO | 0600, 0, &row), 0);
    assert_int_equal(set_size(bench->workspace, row.inode, 0), -EINVAL);
    assert_int_equal(set_size(bench->workspace, 4711, 0), -ENOENT);
}

/* The kernel asks for nothing when chown is given -1 and -1, and before a write that takes
 * privileges. */
static void given_to_nobody(void **state)
{
    struct bench *bench = *state;
    struct riad_caller stranger = { .uid = 5, .gid = 5 };
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode values = { .mode = 06755 }, before, row;

    before = set(bench, file, RIAD_SET_MODE, &values);
    assert_int_equal(riad_setattr(bench->workspace, &stranger, file, 0, &values, &row), 0);
    assert_int_equal(row.mode, S_IFREG | 06755);
    assert_false(same_time(row.ctime, before.ctime));
    assert_true(same_time(row.mtime, before.mtime));
    row = set(bench, file, 0, &values);
    assert_int_equal(row.mode, S_IFREG | 0755);
    assert_int_equal(row.uid, before.uid);
}

/* Owner and mode as they are: within a tick of the last change nothing is logged, later ctime
 * moves. */
static void set_to_what_it_is(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode before = attributes(bench->workspace, file), row;
    uint32_t mask = RIAD_SET_UID | RIAD_SET_GID | RIAD_SET_MODE;
    const struct timespec tick = { .tv_nsec = 5000000 };
    bool early = false;

    for (int i = 0; i < 200 && !early; i++) { /* a busy machine may let a tick go by */
        before = set(bench, file, RIAD_SET_MODE, &(struct riad_inode){ .mode = 0600 + i });
        row = set(bench, file, mask, &before);
        early = row.version == before.version;
    }
    assert_true(early);
    assert_true(same_time(row.ctime, before.ctime));
    assert_int_equal(attributes(bench->workspace, file).version, before.version);
    row = set(bench, file, RIAD_SET_UID, &(struct riad_inode){ .uid = before.uid + 1 });
    assert_int_equal(row.uid, before.uid + 1);
    assert_int_equal(row.version, before.version + 1);
    assert_int_equal(nanosleep(&tick, NULL), 0);
    before = set(bench, file, mask, &row);
    assert_int_equal(before.version, row.version + 1);
    assert_false(same_time(row.ctime, before.ctime));
}

static void allocating_moves_times(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode before = attributes(bench->workspace, file), row;

    assert_int_equal(
            riad_fallocate(bench->workspace, &alice, file, FALLOC_FL_KEEP_SIZE, 0, 10000), 0);
    row = attributes(bench->workspace, file);
    assert_int_equal(row.size, 0);
    assert_false(same_time(row.mtime, before.mtime));
    assert_true(same_time(row.mtime, row.ctime));
}

static void statfs_shows_limit_and_rest(void **state)
{
    struct bench *bench = *state;
    struct riad_filesystem_size size;

    assert_int_equal(riad_statfs(bench->workspace, &size), 0);
    assert_true(size.blocks > 1);
    assert_true(size.blocks_free < size.blocks);
    bench_limit(bench, 100, 10);
    write_fill(bench->workspace, make_file(bench->workspace, 1, "f"), 0, 'a', 8192);
    assert_int_equal(riad_statfs(bench->workspace, &size), 0);
    assert_int_equal(size.blocks, 100);
    assert_int_equal(size.blocks_free, 97);
    assert_int_equal(size.blocks_available, 97);
    assert_int_equal(size.inodes, 10);
    assert_int_equal(size.inodes_free, 8);
    bench_limit(bench, 2, 1);
    assert_int_equal(riad_statfs(bench->workspace, &size), 0);
    assert_int_equal(size.blocks_free, 0);
    assert_int_equal(size.inodes_free, 0);
}

/* What is free less what is used by the limit: who asks df for the usage gets it. */
static void statfs_shows_the_usage_of_a_limit_above_the_store(void **state)
{
    const uint64_t limit = (uint64_t)1 << 50;
    struct bench *bench = *state;
    struct riad_filesystem_size size;

    bench_limit(bench, limit, 0);
    write_fill(bench->workspace, make_file(bench->workspace, 1, "f"), 0, 'a', 8192);
    assert_int_equal(riad_statfs(bench->workspace, &size), 0);
    assert_int_equal(size.blocks, limit);
    assert_int_equal(size.blocks_free, limit - 3);
    assert_in_range(size.blocks_available, 1, limit / 2);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(chmod_keeps_the_type),
        BENCH(chown_takes_privileges),
        BENCH(writing_takes_privileges_when_asked_to),
        BENCH(strangers_take_every_setgid),
        BENCH(what_writing_takes_is_told),
        BENCH(times_are_set),
        BENCH(truncate_always_sets_mtime),
        BENCH(given_to_nobody),
        BENCH(set_to_what_it_is),
        BENCH(allocating_moves_times),
        BENCH(statfs_shows_limit_and_rest),
        BENCH(statfs_shows_the_usage_of_a_limit_above_the_store),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
