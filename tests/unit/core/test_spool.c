/* Changes that were acknowledged and are not in the store yet (P1, P3, O2). */
#include "faults.h"
#include "torn.h"

static struct fixture other;

static int setup_both(void **state)
{
    setup(state);
    make_other_node(&fixture, &other);
    return 0;
}

static int teardown_both(void **state)
{
    close(other.state_fd);
    return teardown(state);
}

/* "synced" is durable; "acknowledged", with a file in it, is not. Nothing was shipped by itself. */
static int die_with_a_spool(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    int r = fixture_try_open(of, &workspace);

    if (r >= 0) {
        riad_background_stop(workspace);
        r = riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "synced", 0755, &row);
    }
    r = r < 0 ? r : riad_workspace_sync(workspace);
    r = r < 0 ? r : riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "acknowledged", 0755, &row);
    r = r < 0 ? r : riad_mknod(workspace, &alice, row.inode, "file", S_IFREG | 0644, 0, &row);
    r = r < 0 ? r : fill(workspace, row.inode, 0, 'x', SMALL);
    if (r >= 0 && riad_log_unshipped(workspace->log) == 0) {
        return 1;
    }
    r = r < 0 ? r : riad_workspace_lock(workspace);
    return (r < 0 ? r : riad_index_commit(workspace->index)) < 0;
}

static void assert_all_there(struct riad_workspace *workspace)
{
    uint64_t folder = inode_of(workspace, RIAD_ROOT_INODE, "acknowledged");

    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "synced"), 0);
    assert_filled(workspace, inode_of(workspace, folder, "file"), 0, 'x', SMALL);
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
    for (enum memory memory = MEMORY_KEPT; memory < MEMORY_LOST; memory++) {
        struct riad_workspace *workspace;

        run_and_die(&fixture, die_with_a_spool);
        remember(memory);
        workspace = fixture_open(&fixture);
        assert_all_there(workspace);
        fixture_close(workspace);
        fixture_assert_sound(&fixture);
        fixture_forget(&fixture);
        workspace = fixture_open(&fixture);
        assert_all_there(workspace);
        fixture_close(workspace);
        teardown_both(state);
        setup_both(state);
    }
}

static void a_check_sees_what_was_acknowledged(void **state)
{
    struct riad_workspace *workspace;

    (void)state;
    run_and_die(&fixture, die_with_a_spool);
    fixture_assert_sound(&fixture);
    workspace = fixture_open(&fixture);
    assert_all_there(workspace);
    fixture_close(workspace);
}

static void a_reader_sees_what_was_acknowledged(void **state)
{
    struct riad_workspace *workspace;

    (void)state;
    run_and_die(&fixture, die_with_a_spool);
    fixture.read_only = true;
    workspace = fixture_open(&fixture);
    assert_all_there(workspace);
    fixture_close(workspace);
}

/* The machine was booted again: what the spool's pages hold is not to be trusted. */
static void a_power_cut_takes_what_was_not_synced(void **state)
{
    struct riad_workspace *workspace;

    (void)state;
    run_and_die(&fixture, die_with_a_spool);
    fixture.boot.bytes[0] ^= 1;
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "synced"), 0);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "acknowledged"), -ENOENT);
    make_directory(workspace, RIAD_ROOT_INODE, "acknowledged");
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void a_spool_that_comes_too_late_is_kept_aside(void **state)
{
    struct riad_workspace *workspace;
    struct riad_workspace_status status;

    (void)state;
    fixture.lease_seconds = other.lease_seconds = 1;
    run_and_die(&fixture, die_with_a_spool);
    workspace = fixture_open(&other);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "acknowledged"), -ENOENT);
    make_directory(workspace, RIAD_ROOT_INODE, "others");
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "acknowledged"), -ENOENT);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "others"), 0);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_non_null(strstr(status.event, "too late"));
    assert_int_equal(faccessat(fixture.state_fd, "spool.0000000100000001", F_OK, 0), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void remember_finding(void *context, const char *finding)
{
    snprintf(context, sizeof(struct riad_reason), "%s", finding);
}

static void a_check_says_that_a_spool_came_too_late(void **state)
{
    struct riad_workspace_config config;
    struct riad_fsck_result result;
    struct riad_reason finding = { "" };
    struct riad_workspace *workspace;

    (void)state;
    fixture.lease_seconds = other.lease_seconds = 1;
    run_and_die(&fixture, die_with_a_spool);
    workspace = fixture_open(&other);
    make_directory(workspace, RIAD_ROOT_INODE, "others");
    fixture_close(workspace);
    fixture_configure(&fixture, &config);
    assert_int_equal(
            riad_fsck_run(&config, remember_finding, &finding, &result, &fixture.reason), 0);
    assert_int_equal(result.findings, 1);
    assert_non_null(strstr(finding.text, "too late"));
    fixture_assert_sound(&fixture);
}

/* Small data that no cache of the kernel holds is read from the store, so it has to get there. */
static void what_waits_in_the_spool_can_be_read(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    uint64_t inode = make_file(workspace, RIAD_ROOT_INODE, "f");

    (void)state;
    riad_background_stop(workspace);
    write_fill(workspace, inode, 0, 'a', SMALL);
    assert_true(riad_log_unshipped(workspace->log) > SMALL);
    assert_filled(workspace, inode, 0, 'a', SMALL);
    fixture_close(workspace);
}

static void a_store_that_fails_stops_the_writing_and_loses_nothing(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status;

    (void)state;
    riad_background_stop(workspace);
    make_directory(workspace, RIAD_ROOT_INODE, "a");
    faults_install();
    faults_fail_from(FAULT_PWRITE, 1, EIO);
    assert_int_equal(riad_workspace_sync(workspace), -EIO);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_int_equal(status.state, RIAD_WORKSPACE_READ_ONLY);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "a"), 0);
    assert_int_equal(riad_workspace_close(workspace), -EIO);
    faults_remove();
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "a"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* Opening is refused as long as the store does not take them, and loses nothing by it. */
static void a_store_that_refuses_the_spool_refuses_the_opening(void **state)
{
    struct riad_workspace *workspace = NULL;

    (void)state;
    run_and_die(&fixture, die_with_a_spool);
    faults_install();
    faults_fail_from(FAULT_PWRITE, 1, ENOSPC);
    assert_int_equal(fixture_try_open(&fixture, &workspace), -ENOSPC);
    assert_non_null(strstr(fixture.reason.text, "spool"));
    faults_remove();
    workspace = fixture_open(&fixture);
    assert_all_there(workspace);
    fixture_close(workspace);
}

/* Many more bytes than the spool holds, with nobody who ships but the writers. */
static void writers_ship_a_full_spool_themselves(void **state)
{
    enum { FILES = 200, SIZE = 60000 };
    struct riad_workspace *workspace = fixture_open(&fixture);
    char name[16];

    (void)state;
    riad_background_stop(workspace);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%d", i);
        write_fill(workspace, make_file(workspace, RIAD_ROOT_INODE, name), 0, 'a' + i % 26, SIZE);
        assert_true(riad_log_unshipped(workspace->log) <= RIAD_SPOOL_SIZE);
    }
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%d", i);
        assert_filled(workspace, inode_of(workspace, RIAD_ROOT_INODE, name), 0, 'a' + i % 26, SIZE);
    }
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

#define SPOOL(function) cmocka_unit_test_setup_teardown(function, setup_both, teardown_both)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPOOL(what_was_acknowledged_survives_a_kill),
        SPOOL(a_check_sees_what_was_acknowledged),
        SPOOL(a_reader_sees_what_was_acknowledged),
        SPOOL(a_power_cut_takes_what_was_not_synced),
        SPOOL(a_spool_that_comes_too_late_is_kept_aside),
        SPOOL(a_check_says_that_a_spool_came_too_late),
        SPOOL(what_waits_in_the_spool_can_be_read),
        SPOOL(a_store_that_fails_stops_the_writing_and_loses_nothing),
        SPOOL(a_store_that_refuses_the_spool_refuses_the_opening),
        SPOOL(writers_ship_a_full_spool_themselves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
