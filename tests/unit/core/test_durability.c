/* Failing stores, and many threads against the background's. */
#include <pthread.h>

#include "faults.h"
#include "rows.h"

static struct fixture fixture;

static int setup(void **state)
{
    (void)state;
    faults_install();
    fixture_make(&fixture);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    faults_remove();
    fixture_remove(&fixture);
    return 0;
}

static enum riad_workspace_state state_of(struct riad_workspace *workspace)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    return status.state;
}

/* L1: what the kernel has thrown away is not made durable by asking again. */
static void a_failed_sync_turns_the_workspace_read_only(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_inode row;

    (void)state;
    make_directory(workspace, RIAD_ROOT_INODE, "a");
    faults_fail_from(FAULT_FDATASYNC, 1, EIO);
    assert_int_equal(riad_workspace_sync(workspace), -EIO);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_workspace_sync(workspace), -EIO);
    assert_int_equal(state_of(workspace), RIAD_WORKSPACE_READ_ONLY);
    assert_int_equal(riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "b", 0755, &row), -EROFS);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "a"), 0);
    assert_int_equal(riad_workspace_close(workspace), -EIO);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "a"), 0);
    make_directory(workspace, RIAD_ROOT_INODE, "b");
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* Room cannot be reserved, and others took it when "a" had been made. */
static struct riad_workspace *fill_store(void)
{
    struct riad_workspace *workspace;

    faults.unreserved = EOPNOTSUPP;
    workspace = fixture_open(&fixture);
    riad_background_stop(workspace);
    make_directory(workspace, RIAD_ROOT_INODE, "a");
    faults_fail_from(FAULT_PWRITE, 1, ENOSPC);
    return workspace;
}

/* Nothing that was acknowledged is lost, and it goes on when there is room. */
static void a_full_store_that_reserves_nothing_is_waited_for(void **state)
{
    struct riad_workspace_status status;
    struct riad_workspace *workspace = fill_store();

    (void)state;
    assert_int_equal(riad_workspace_sync(workspace), -ENOSPC);
    make_directory(workspace, RIAD_ROOT_INODE, "b");
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_int_equal(status.state, RIAD_WORKSPACE_RUNNING);
    assert_non_null(strstr(status.event, "the store is full"));
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_workspace_sync(workspace), 0);
    make_directory(workspace, RIAD_ROOT_INODE, "c");
    assert_int_equal(riad_background_start(workspace, NULL), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "a"), 0);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "b"), 0);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "c"), 0);
    fixture_close(workspace);
}

/* It stays in the spool, and the next opening on this node brings it. */
static void what_a_full_store_did_not_take_is_not_lost(void **state)
{
    struct riad_workspace *workspace = fill_store();

    (void)state;
    assert_int_equal(riad_workspace_close(workspace), -ENOSPC);
    faults_fail(FAULT_NONE, 0, 0);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "a"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void a_failed_append_changes_nothing(void **state)
{
    struct riad_workspace *workspace;
    struct riad_inode row;
    struct rows before, after;

    (void)state;
    faults.unreserved = EPERM;
    workspace = fixture_open(&fixture);
    make_directory(workspace, RIAD_ROOT_INODE, "a");
    before = rows_of(workspace);
    faults_fail_from(FAULT_PWRITE, 1, ENOSPC);
    assert_int_equal(riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "b", 0755, &row), -ENOSPC);
    faults_fail_from(FAULT_PWRITEV, 1, EIO); /* header and change of a new segment */
    assert_int_equal(riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "b", 0755, &row), -EIO);
    faults_fail(FAULT_NONE, 0, 0);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    make_directory(workspace, RIAD_ROOT_INODE, "b");
    before = rows_of(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    fixture_close(workspace);
}

/* Opening fails at every single call to the store, and works when the store does. */
static void opening_survives_a_failure_at_any_call(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct rows before, after;
    int r = -EIO;

    (void)state;
    populate(workspace, "one");
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    make_directory(workspace, RIAD_ROOT_INODE, "behind");
    before = rows_of(workspace);
    fixture_close(workspace);
    for (unsigned call = 1; r < 0 && call < 2000; call += call < 100 ? 1 : 17) {
        fixture_forget(&fixture);
        faults_fail_from(FAULT_ANY, call, EIO);
        workspace = NULL;
        r = fixture_try_open(&fixture, &workspace);
        if (r < 0) {
            assert_true(strlen(fixture.reason.text) > 0);
        }
        faults_fail(FAULT_NONE, 0, 0);
    }
    if (r >= 0) {
        r = riad_workspace_close(workspace); /* the background may have met a failure */
    }
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void a_checkpoint_that_fails_leaves_no_trace(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    int r = 0;

    (void)state;
    populate(workspace, "one");
    assert_int_equal(riad_workspace_sync(workspace), 0);
    faults_fail(FAULT_LINKAT, 1, EIO);
    r = riad_workspace_checkpoint(workspace);
    if (r == 0) {
        faults_fail(FAULT_RENAMEAT, 1, EIO); /* however it is published */
        r = riad_workspace_checkpoint(workspace);
    }
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(r, -EIO);
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

enum { THREADS = 4, ROUNDS = 150 };

struct gardener {
    struct riad_workspace *workspace;
    int number;
    int result;
    pthread_t thread;
};

static int dig(struct gardener *gardener, uint64_t folder, int round)
{
    static const uint8_t bytes[100000] = { 1, 2, 3 };
    struct riad_workspace *workspace = gardener->workspace;
    struct riad_inode row;
    uint8_t back[16];
    uint32_t done = 0;
    char name[32];
    int r;

    snprintf(name, sizeof name, "f%d", round);
    r = riad_mknod(workspace, &alice, folder, name, S_IFREG | 0600, 0, &row);
    if (r >= 0) {
        r = riad_write(workspace, &alice, row.inode, 0, bytes,
                round % 3 ? 5000 : (uint32_t)sizeof bytes, &done);
    }
    if (r >= 0 && round % 16 == 0) {
        r = riad_fsync(workspace, row.inode);
    }
    if (r >= 0) {
        r = riad_read(workspace, row.inode, 0, sizeof back, back, &done);
    }
    if (r >= 0 && (done != sizeof back || memcmp(back, bytes, sizeof back) != 0)) {
        return -EBADMSG;
    }
    if (r >= 0 && round % 2) {
        r = riad_unlink(workspace, &alice, folder, name);
    }
    riad_forget(workspace, row.inode, 1);
    return r;
}

static void *garden(void *argument)
{
    struct gardener *gardener = argument;
    struct riad_inode folder;
    char name[32];

    snprintf(name, sizeof name, "g%d", gardener->number);
    gardener->result =
            riad_mkdir(gardener->workspace, &alice, RIAD_ROOT_INODE, name, 0755, &folder);
    for (int i = 0; i < ROUNDS && gardener->result >= 0; i++) {
        gardener->result = dig(gardener, folder.inode, i);
    }
    return NULL;
}

static void threads_and_background_get_on(void **state)
{
    struct gardener gardeners[THREADS];
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status;
    struct rows before, after;

    (void)state;
    for (int i = 0; i < THREADS; i++) {
        gardeners[i] = (struct gardener){ .workspace = workspace, .number = i };
        assert_int_equal(pthread_create(&gardeners[i].thread, NULL, garden, &gardeners[i]), 0);
    }
    for (int i = 0; i < 10; i++) {
        assert_int_equal(riad_workspace_checkpoint(workspace), 0);
        assert_int_equal(riad_workspace_status(workspace, &status), 0);
        riad_sleep_ms(20);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(gardeners[i].thread, NULL), 0);
        assert_int_equal(gardeners[i].result, 0);
    }
    riad_sleep_ms(2500); /* upkeep has its turn */
    before = rows_of(workspace);
    assert_int_equal(before.usage.inodes, 1 + THREADS * (1 + ROUNDS / 2));
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    fixture_close(workspace);
}

/* L5. */
static void writers_wait_for_the_store(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status;
    uint64_t file = make_file(workspace, RIAD_ROOT_INODE, "f");

    (void)state;
    for (int i = 0; i < 40; i++) {
        atomic_store(&workspace->unsynced_bound, (uint64_t)2 << 20);
        write_fill(workspace, file, (uint64_t)i << 20, 'x', 1 << 20);
        assert_int_equal(riad_workspace_status(workspace, &status), 0);
        assert_true(status.unsynced_bytes <= (uint64_t)4 << 20);
    }
    fixture_close(workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                a_failed_sync_turns_the_workspace_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_full_store_that_reserves_nothing_is_waited_for, setup, teardown),
        cmocka_unit_test_setup_teardown(
                what_a_full_store_did_not_take_is_not_lost, setup, teardown),
        cmocka_unit_test_setup_teardown(a_failed_append_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(opening_survives_a_failure_at_any_call, setup, teardown),
        cmocka_unit_test_setup_teardown(a_checkpoint_that_fails_leaves_no_trace, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_and_background_get_on, setup, teardown),
        cmocka_unit_test_setup_teardown(writers_wait_for_the_store, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
