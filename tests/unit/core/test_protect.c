/* A workspace that expired: callers change nothing, reading goes on, and so does what riad itself
 * has to finish. */
#include <errno.h>
#include <linux/falloc.h>

#include "operations.h"

static void assert_refused(struct riad_workspace *workspace, uint64_t file)
{
    const struct riad_inode values = { .mode = S_IFREG | 0600 };
    struct riad_inode row;
    uint32_t size;
    uint8_t *bulk = calloc(1, 1 << 20);

    assert_int_equal(
            riad_write(workspace, &alice, file, 0, (const uint8_t *)"x", 1, &size), -EROFS);
    assert_int_equal(riad_write(workspace, &alice, file, 0, bulk, 1 << 20, &size), -EROFS);
    free(bulk);
    assert_int_equal(set_size(workspace, file, 1), -EROFS);
    assert_int_equal(riad_setattr(workspace, &alice, file, RIAD_SET_MODE, &values, &row), -EROFS);
    assert_int_equal(
            riad_mknod(workspace, &alice, RIAD_ROOT_INODE, "n", S_IFREG | 0600, 0, &row), -EROFS);
    assert_int_equal(riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "d", 0700, &row), -EROFS);
    assert_int_equal(riad_symlink(workspace, &alice, RIAD_ROOT_INODE, "s", "t", &row), -EROFS);
    assert_int_equal(riad_unlink(workspace, &alice, RIAD_ROOT_INODE, "f"), -EROFS);
    assert_int_equal(riad_link(workspace, &alice, file, RIAD_ROOT_INODE, "l", &row), -EROFS);
    assert_int_equal(riad_fallocate(workspace, &alice, file, 0, 0, 1 << 20), -EROFS);
}

static void callers_change_nothing_until_it_is_lifted(void **state)
{
    struct bench *bench = *state;
    struct riad_workspace *workspace = bench->workspace;
    uint64_t file = make_file(workspace, RIAD_ROOT_INODE, "f");
    struct riad_workspace_status status;
    struct riad_usage before;
    uint64_t bulk;

    write_fill(workspace, file, 0, 'a', 5000);
    before = usage_of(workspace);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    bulk = status.log.bulk_bytes;
    riad_workspace_protect(workspace, true);
    assert_refused(workspace, file);
    assert_filled(workspace, file, 0, 'a', 5000);
    assert_int_equal(usage_of(workspace).blocks, before.blocks);
    assert_int_equal(usage_of(workspace).inodes, before.inodes);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_int_equal(status.state, RIAD_WORKSPACE_READ_ONLY);
    assert_int_equal(status.log.bulk_bytes, bulk); /* nothing went to the store in vain */
    assert_int_equal(riad_workspace_sync(workspace), 0);
    riad_workspace_protect(workspace, false);
    write_fill(workspace, file, 0, 'b', 5000);
    assert_filled(workspace, file, 0, 'b', 5000);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_int_equal(status.state, RIAD_WORKSPACE_RUNNING);
}

/* An open file without names goes when it is closed, as ever. */
static void what_riad_has_to_finish_goes_on(void **state)
{
    struct bench *bench = *state;
    struct riad_workspace *workspace = bench->workspace;
    uint64_t file = make_file(workspace, RIAD_ROOT_INODE, "f");

    write_fill(workspace, file, 0, 'a', 5000);
    assert_int_equal(riad_unlink(workspace, &alice, RIAD_ROOT_INODE, "f"), 0);
    riad_workspace_protect(workspace, true);
    assert_filled(workspace, file, 0, 'a', 5000);
    riad_forget(workspace, file, 1);
    assert_int_equal(usage_of(workspace).inodes, 1);
    riad_workspace_protect(workspace, false);
    bench_reopen(bench);
    assert_int_equal(usage_of(bench->workspace).inodes, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                callers_change_nothing_until_it_is_lifted, bench_setup, bench_teardown),
        cmocka_unit_test_setup_teardown(
                what_riad_has_to_finish_goes_on, bench_setup, bench_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
