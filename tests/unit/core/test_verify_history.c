/* riad_workspace_scrub: the log and the checkpoints. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "riad/sysops.h"

#include "lifecycle_priv.h"
#include "scrubbing.h"

enum {
    VALUE = 60000,
    CHANGES = 130, /* with such values: 7.8 MB of log */
    RATE = 2 << 20,
};

static struct fixture fixture;

static int setup(void **state)
{
    (void)state;
    fixture_make(&fixture);
    fixture.clean = true;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    riad_sys = &riad_sysops_real;
    fixture_remove(&fixture);
    return 0;
}

static void write_history(struct riad_workspace *workspace, const char *name)
{
    uint64_t inode = make_file(workspace, RIAD_ROOT_INODE, name);
    static uint8_t value[VALUE];

    for (int i = 0; i < CHANGES; i++) {
        assert_int_equal(riad_random(value, sizeof value), 0);
        assert_int_equal(
                riad_setxattr(workspace, &alice, inode, "user.x", value, sizeof value, 0), 0);
    }
    assert_int_equal(riad_workspace_sync(workspace), 0);
}

/* What a lost index would be made from, though nothing reads it now. */
static void the_history_is_read_too(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status;
    struct riad_scrubbing found;
    char path[32];

    (void)state;
    write_fill(workspace, make_file(workspace, RIAD_ROOT_INODE, "rose"), 0, 'a', 3 << 20);
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    make_directory(workspace, RIAD_ROOT_INODE, "e");
    make_directory(workspace, RIAD_ROOT_INODE, "f");
    assert_int_equal(riad_workspace_sync(workspace), 0);
    found = scrub(workspace, 0);
    assert_int_equal(found.history_damaged, 0);
    assert_int_equal(found.checkpoints, 1);
    assert_int_equal(found.changes, 2);
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    flip(&fixture, path, size_at(&fixture, path) - 20);
    found = scrub(workspace, 0);
    assert_int_equal(found.history_damaged, 1);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_non_null(strstr(status.event, "scrub: the log ends with change"));
    flip(&fixture, path, size_at(&fixture, path) - 20);
    newest_path(&fixture, RIAD_SEGMENT_CHECKPOINT, path);
    flip(&fixture, path, size_at(&fixture, path) / 2);
    found = scrub(workspace, 0);
    assert_int_equal(found.history_damaged, 1);
    assert_int_equal(found.damaged, 0);
    assert_true(found.changes > 2); /* from the very first one */
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_non_null(strstr(status.event, "scrub: the checkpoint ckpt/"));
    fixture_close(workspace);
}

static bool is_there(const char *path)
{
    return faccessat(fixture.workspace_fd, path, F_OK, 0) == 0;
}

static void hasten(struct riad_workspace *workspace)
{
    riad_background_upkeep(workspace);
    riad_sleep_ms(20);
}

/* The thread that reads it is the one that cleans: what is dead leaves the store meanwhile, the log
 * is cut below what is read, and none of that is damage. */
static void others_do_not_wait_for_it(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_scrubbing found;
    char data[32], log[32];

    (void)state;
    write_fill(workspace, make_file(workspace, RIAD_ROOT_INODE, "rose"), 0, 'a', 3 << 20);
    write_history(workspace, "tulip");
    newest_path(&fixture, RIAD_SEGMENT_DATA, data);
    newest_path(&fixture, RIAD_SEGMENT_LOG, log);
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    assert_int_equal(riad_unlink(workspace, &alice, RIAD_ROOT_INODE, "rose"), 0);
    write_history(workspace, "lily");
    riad_workspace_scrub(workspace, RATE);
    while (scrubbing_of(workspace).history_bytes == 0) {
        hasten(workspace);
    }
    while (is_there(data)) {
        hasten(workspace);
        assert_true(scrubbing_of(workspace).running);
    }
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    make_directory(workspace, RIAD_ROOT_INODE, "d");
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    assert_true(scrubbing_of(workspace).running);
    riad_workspace_clean(workspace);
    while (is_there(log)) {
        hasten(workspace);
    }
    while (scrubbing_of(workspace).running) {
        hasten(workspace);
    }
    found = scrubbing_of(workspace);
    assert_int_equal(found.damaged, 0);
    assert_int_equal(found.history_damaged, 0);
    fixture_close(workspace);
}

static void the_rate_is_a_bound_here_too(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_scrubbing found;
    uint64_t begun;

    (void)state;
    write_history(workspace, "tulip");
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    write_history(workspace, "lily");
    begun = riad_clock_boottime();
    riad_workspace_scrub(workspace, RATE);
    do {
        hasten(workspace);
        found = scrubbing_of(workspace);
        assert_true(found.history_bytes <=
                    (milliseconds_since(begun) * RATE / 1000) + (RIAD_XATTR_VALUE_MAX * 20));
    } while (found.running);
    assert_int_equal(found.history_damaged, 0);
    assert_int_equal(found.checkpoints, 1);
    assert_true(found.changes > CHANGES && found.changes < CHANGES + 10);
    assert_true(found.history_bytes > (uint64_t)CHANGES * VALUE);
    fixture_close(workspace);
}

static struct riad_sysops failing;
static int failures;

static int fail_checkpoints(int dirfd, const char *path, int flags, mode_t mode)
{
    if (strncmp(path, "ckpt/", 5) == 0 && failures > 0) {
        failures--;
        errno = EMFILE;
        return -1;
    }
    return riad_sysops_real.openat(dirfd, path, flags, mode);
}

/* What fails for another reason than damage is tried again: nothing is counted twice, or as lost.
 */
static void what_fails_for_now_is_tried_again(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_scrubbing found;

    (void)state;
    write_fill(workspace, make_file(workspace, RIAD_ROOT_INODE, "rose"), 0, 'a', 3 << 20);
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    failing = riad_sysops_real;
    failing.openat = fail_checkpoints;
    failures = 2;
    riad_sys = &failing;
    riad_workspace_scrub(workspace, 0);
    while (scrubbing_of(workspace).running) {
        hasten(workspace);
    }
    found = scrubbing_of(workspace);
    assert_int_equal(failures, 0);
    assert_int_equal(found.checkpoints, 1);
    assert_int_equal(found.history_damaged, 0);
    assert_int_equal(found.files, 1);
    assert_int_equal(found.bytes, 3 << 20);
    fixture_close(workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_history_is_read_too, setup, teardown),
        cmocka_unit_test_setup_teardown(others_do_not_wait_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rate_is_a_bound_here_too, setup, teardown),
        cmocka_unit_test_setup_teardown(what_fails_for_now_is_tried_again, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
