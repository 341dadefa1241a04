/* P7: limits hold to the block and to the inode, and never stop what lowers the usage. */
#include <errno.h>
#include <linux/falloc.h>

#include "riad/patience.h"
#include "riad/thread.h"

#include "operations.h"

static int try_write(
        struct bench *bench, uint64_t file, uint64_t offset, uint32_t size, uint32_t *ret_size)
{
    uint8_t *data = calloc(1, size);
    int r = riad_write(bench->workspace, &alice, file, offset, data, size, ret_size);

    free(data);
    return r;
}

static void small_writes_stop_at_the_block(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint32_t size = 0;

    bench_limit(bench, 10, 0);
    assert_int_equal(try_write(bench, file, 100, 65000, &size), 0);
    assert_int_equal(size, 9 * 4096 - 100);
    assert_int_equal(usage_of(bench->workspace).blocks, 10);
    assert_int_equal(try_write(bench, file, 9 * 4096, 1, &size), -EDQUOT);
    assert_int_equal(attributes(bench->workspace, file).size, 9 * 4096);
    assert_int_equal(try_write(bench, file, 0, 9 * 4096, &size), 0); /* over what is there */
    assert_int_equal(size, 9 * 4096);
    assert_int_equal(try_write(bench, file, 8 * 4096 + 1, 10000, &size), 0);
    assert_int_equal(size, 4095);
    assert_int_equal(usage_of(bench->workspace).blocks, 10);
    assert_int_equal(tally_of(bench->workspace, file).blocks.blocks, 9);
}

static void bulk_writes_stop_at_the_block(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint32_t size = 0;

    bench_limit(bench, 101, 0);
    assert_int_equal(try_write(bench, file, 0, 1 << 20, &size), 0);
    assert_int_equal(size, 100 * 4096);
    assert_int_equal(try_write(bench, file, 1 << 20, 1 << 20, &size), -EDQUOT);
    assert_int_equal(try_write(bench, file, 0, 100 * 4096, &size), 0);
    assert_int_equal(usage_of(bench->workspace).blocks, 101);
    /* So little fits that it becomes a small write. */
    assert_int_equal(set_size(bench->workspace, file, 90 * 4096), 0);
    assert_int_equal(try_write(bench, file, 90 * 4096, 1 << 20, &size), 0);
    assert_int_equal(size, 10 * 4096);
    assert_int_equal(usage_of(bench->workspace).blocks, 101);
}

/* Blocks that are there already cost nothing: the write reaches over them to the first too many. */
static void gaps_are_what_is_charged(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint32_t size = 0;

    write_fill(bench->workspace, file, 4 * 4096, 'a', 2 * 4096);
    write_fill(bench->workspace, file, 9 * 4096 + 5, 'a', 1);
    bench_limit(bench, 1 + 3 + 5, 0);
    assert_int_equal(try_write(bench, file, 2 * 4096 + 1, 60000, &size), 0);
    assert_int_equal(size, 10 * 4096 - 2 * 4096 - 1); /* 2, 3, 6, 7, 8 are new; 10 is too many */
    assert_int_equal(usage_of(bench->workspace).blocks, 9);
}

static void inodes_are_counted(void **state)
{
    struct bench *bench = *state;
    struct riad_inode row;
    uint64_t file;

    bench_limit(bench, 0, 3);
    file = make_file(bench->workspace, 1, "a");
    make_directory(bench->workspace, 1, "b");
    assert_int_equal(riad_mknod(bench->workspace, &alice, 1, "c", S_IFREG, 0, &row), -EDQUOT);
    assert_int_equal(riad_mkdir(bench->workspace, &alice, 1, "c", 0755, &row), -EDQUOT);
    assert_int_equal(riad_symlink(bench->workspace, &alice, 1, "c", "t", &row), -EDQUOT);
    assert_int_equal(look_up(bench->workspace, 1, "c"), -ENOENT);
    assert_int_equal(riad_link(bench->workspace, &alice, file, 1, "c", &row), 0);
    riad_forget(bench->workspace, file, 1);
    assert_int_equal(riad_rmdir(bench->workspace, &alice, 1, "b"), 0);
    /* Removed, but still held: counted. */
    assert_int_equal(riad_mknod(bench->workspace, &alice, 1, "d", S_IFREG, 0, &row), -EDQUOT);
    riad_forget(bench->workspace, file + 1, 1);
    assert_int_equal(riad_mknod(bench->workspace, &alice, 1, "d", S_IFREG, 0, &row), 0);
    assert_int_equal(usage_of(bench->workspace).inodes, 3);
}

static void directories_and_symlinks_cost_a_block(void **state)
{
    struct bench *bench = *state;
    struct riad_inode row;

    bench_limit(bench, 2, 0);
    assert_int_equal(riad_symlink(bench->workspace, &alice, 1, "a", "t", &row), 0);
    assert_int_equal(riad_symlink(bench->workspace, &alice, 1, "b", "t", &row), -EDQUOT);
    assert_int_equal(riad_mkdir(bench->workspace, &alice, 1, "b", 0755, &row), -EDQUOT);
    make_file(bench->workspace, 1, "empty");
    assert_int_equal(usage_of(bench->workspace).blocks, 2);
}

static void a_lowered_limit_lets_usage_fall(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode row;
    uint32_t size = 0;

    write_fill(bench->workspace, file, 0, 'a', 100 * 4096);
    bench_limit(bench, 10, 1);
    assert_int_equal(try_write(bench, file, 0, 100 * 4096, &size), 0);
    assert_int_equal(size, 100 * 4096);
    assert_int_equal(try_write(bench, file, 100 * 4096, 1, &size), -EDQUOT);
    assert_int_equal(set_size(bench->workspace, file, 200 * 4096), 0); /* a hole */
    assert_int_equal(riad_fallocate(bench->workspace, &alice, file,
                             FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 4096),
            0);
    assert_int_equal(try_write(bench, file, 4096, 4096, &size), -EDQUOT);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "f", 1, "g", 0), 0);
    assert_int_equal(riad_link(bench->workspace, &alice, file, 1, "h", &row), 0);
    riad_forget(bench->workspace, file, 1);
    assert_int_equal(set_size(bench->workspace, file, 5000), 0);
    assert_int_equal(usage_of(bench->workspace).blocks, 1 + 1);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "g"), 0);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "h"), 0);
    riad_forget(bench->workspace, file, 1);
    assert_int_equal(usage_of(bench->workspace).blocks, 1);
    assert_int_equal(usage_of(bench->workspace).inodes, 1);
}

static void allocation_is_all_or_nothing(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode before;
    uint32_t size = 0;

    for (uint64_t i = 0; i < 1200; i++) {
        write_fill(bench->workspace, file, i * 8192, 'c', 1);
    }
    bench_limit(bench, 1 + 2400 - 1, 0);
    before = attributes(bench->workspace, file);
    assert_int_equal(
            riad_fallocate(bench->workspace, &alice, file, 0, 0, (uint64_t)1200 * 8192), -EDQUOT);
    assert_int_equal(riad_fallocate(bench->workspace, &alice, file, FALLOC_FL_ZERO_RANGE, 0,
                             (uint64_t)1200 * 8192),
            -EDQUOT);
    assert_int_equal(attributes(bench->workspace, file).version, before.version);
    bench_limit(bench, 1 + 2400, 0);
    assert_int_equal(
            riad_fallocate(bench->workspace, &alice, file, 0, 0, (uint64_t)1200 * 8192), 0);
    assert_int_equal(usage_of(bench->workspace).blocks, 2401);
    assert_int_equal(try_write(bench, file, 0, 1 << 20, &size), 0); /* what was paid for */
    assert_int_equal(size, 1 << 20);
    assert_int_equal(try_write(bench, file, (uint64_t)2400 * 4096, 1, &size), -EDQUOT);
}

static void clones_are_charged_in_full(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"), copy = make_file(bench->workspace, 1, "g");
    uint64_t done = 0;

    write_fill(bench->workspace, file, 0, 'a', 10 * 4096);
    bench_limit(bench, 20, 0);
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, 0, copy, 0, 1 << 20, &done), -EDQUOT);
    assert_int_equal(attributes(bench->workspace, copy).size, 0);
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, 4096, copy, 0, 1 << 20, &done), 0);
    assert_int_equal(done, 9 * 4096);
    assert_int_equal(usage_of(bench->workspace).blocks, 20);
    assert_int_equal(
            riad_copy_range(bench->workspace, &alice, file, 0, copy, 0, 9 * 4096, &done), 0);
    assert_int_equal(usage_of(bench->workspace).blocks, 20);
}

static void limits_hold_after_reopening(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint32_t size;

    bench_limit(bench, 5, 0);
    assert_int_equal(try_write(bench, file, 0, 1 << 20, &size), 0);
    bench_reopen(bench);
    assert_int_equal(usage_of(bench->workspace).blocks, 5);
    assert_int_equal(try_write(bench, file, 1 << 20, 1, &size), -EDQUOT);
}

/* The kernel, which says a moment after unlink(2) has returned that it has let go. */
struct late_forget {
    struct riad_workspace *workspace;
    uint64_t inode;
};

static void *forget_late(void *context)
{
    const struct late_forget *late = context;

    usleep(30000);
    riad_forget(late->workspace, late->inode, 1);
    return NULL;
}

static pthread_t delete_and_forget_late(struct late_forget *late, const char *name)
{
    pthread_t thread;

    assert_int_equal(riad_unlink(late->workspace, &alice, 1, name), 0);
    assert_int_equal(riad_thread_start("forget", forget_late, late, &thread), 0);
    return thread;
}

static int grow(struct bench *bench, uint64_t file, uint64_t source, unsigned way)
{
    const char *const name = "user.a";
    struct riad_inode row;
    uint64_t done;
    uint32_t size;

    switch (way) {
    case 0:
        return try_write(bench, file, 0, 1, &size);
    case 1:
        return try_write(bench, file, 0, 1 << 20, &size);
    case 2:
        return riad_fallocate(bench->workspace, &alice, file, 0, 0, 4096);
    case 3:
        return riad_copy_range(bench->workspace, &alice, source, 0, file, 0, 4096, &done);
    case 4:
        return riad_mkdir(bench->workspace, &alice, 1, "d", 0755, &row);
    case 5:
        return riad_symlink(bench->workspace, &alice, 1, "s", "t", &row);
    default:
        return riad_setxattr(bench->workspace, &alice, file, name, name, 6, 0);
    }
}

/* rm and then cp, in a workspace that was full. */
static void room_of_a_deleted_file_is_there_at_once(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint64_t source = make_file(bench->workspace, 1, "source");

    write_fill(bench->workspace, source, 0, 's', 4096);
    for (unsigned way = 0; way <= 6; way++) {
        uint64_t full = make_file(bench->workspace, 1, "full");
        struct late_forget late = { bench->workspace, full };
        pthread_t thread;

        bench_limit(bench, 0, 0);
        write_fill(bench->workspace, full, 0, 'a', 600 * 4096);
        bench_limit(bench, usage_of(bench->workspace).blocks, 0);
        thread = delete_and_forget_late(&late, "full");
        assert_int_equal(grow(bench, file, source, way), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(set_size(bench->workspace, file, 0), 0);
    }
}

static void room_of_an_open_file_is_not_waited_for_long(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint64_t open = make_file(bench->workspace, 1, "open");
    uint64_t start = riad_now_ns();
    uint32_t size;

    write_fill(bench->workspace, open, 0, 'a', 9 * 4096);
    bench_limit(bench, 10, 0);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "open"), 0);
    riad_set_patient(false);
    assert_int_equal(try_write(bench, file, 0, 1, &size), RIAD_WOULD_WAIT);
    riad_set_patient(true);
    assert_int_equal(try_write(bench, file, 0, 1, &size), -EDQUOT);
    assert_in_range(riad_now_ns() - start, 400000000, 5000000000);
    start = riad_now_ns();
    assert_int_equal(try_write(bench, file, 0, 1, &size), -EDQUOT);
    assert_in_range(riad_now_ns() - start, 0, 300000000);
    riad_forget(bench->workspace, open, 1);
    assert_int_equal(try_write(bench, file, 0, 1, &size), 0);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(small_writes_stop_at_the_block),
        BENCH(bulk_writes_stop_at_the_block),
        BENCH(gaps_are_what_is_charged),
        BENCH(inodes_are_counted),
        BENCH(directories_and_symlinks_cost_a_block),
        BENCH(a_lowered_limit_lets_usage_fall),
        BENCH(allocation_is_all_or_nothing),
        BENCH(clones_are_charged_in_full),
        BENCH(limits_hold_after_reopening),
        BENCH(room_of_a_deleted_file_is_there_at_once),
        BENCH(room_of_an_open_file_is_not_waited_for_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
