#include "rows.h"

static struct fixture fixture;

static int setup(void **state)
{
    (void)state;
    fixture_make(&fixture);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_remove(&fixture);
    return 0;
}

static struct riad_workspace_status status_of(struct riad_workspace *workspace)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    return status;
}

static void an_empty_history_begins_with_a_root(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status = status_of(workspace);
    struct riad_inode root = attributes(workspace, RIAD_ROOT_INODE);

    (void)state;
    assert_int_equal(root.mode, S_IFDIR | 0755);
    assert_int_equal(root.nlink, 2);
    assert_int_equal(root.uid, 1000);
    assert_int_equal(root.parent, RIAD_ROOT_INODE);
    assert_int_equal(root.next_cookie, RIAD_FIRST_COOKIE);
    assert_int_equal(status.state, RIAD_WORKSPACE_RUNNING);
    assert_int_equal(status.term, 1);
    assert_int_equal(status.end.sequence.number, 1);
    assert_int_equal(status.usage.inodes, 1);
    assert_int_equal(status.usage.blocks, 1);
    assert_string_equal(riad_workspace_name(workspace), "garden");
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void rows_survive_closing_and_opening(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct rows before, after;

    (void)state;
    populate(workspace, "one");
    before = rows_of(workspace);
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    assert_int_equal(status_of(workspace).term, 2);
    assert_int_equal(status_of(workspace).replayed_changes, 0);
    assert_filled(workspace, inode_of(workspace, inode_of(workspace, 1, "one"), "again"), 1000, 'L',
            4096);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void a_lost_index_is_rebuilt_from_the_log(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct rows before, after;

    (void)state;
    populate(workspace, "one");
    before = rows_of(workspace);
    fixture_close(workspace);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    assert_true(status_of(workspace).replayed_changes > 40);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static int change_without_closing(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    uint32_t done = 0;
    char name[32];
    int r = fixture_try_open(of, &workspace);

    for (int i = 0; i < 700 && r >= 0; i++) {
        snprintf(name, sizeof name, "f%d", i);
        r = riad_mknod(workspace, &alice, RIAD_ROOT_INODE, name, S_IFREG | 0600, 0, &row);
        if (r >= 0) {
            r = riad_write(workspace, &alice, row.inode, 0, (const uint8_t *)name, 8, &done);
        }
    }
    return r < 0;
}

/* P1: 1401 changes are acknowledged; some were never committed to the index. */
static void what_was_acknowledged_survives_a_kill(void **state)
{
    struct riad_workspace *workspace;
    char name[32];

    (void)state;
    run_and_die(&fixture, change_without_closing);
    workspace = fixture_open(&fixture);
    for (int i = 0; i < 700; i++) {
        char data[8] = "";
        uint32_t done = 0;
        uint64_t inode;

        snprintf(name, sizeof name, "f%d", i);
        inode = inode_of(workspace, RIAD_ROOT_INODE, name);
        assert_int_equal(riad_read(workspace, inode, 0, 8, (uint8_t *)data, &done), 0);
        assert_int_equal(done, 8);
        assert_string_equal(data, name);
    }
    assert_int_equal(status_of(workspace).usage.inodes, 701);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static int leave_an_orphan(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    int r = fixture_try_open(of, &workspace);

    if (r >= 0) {
        r = riad_mknod(workspace, &alice, RIAD_ROOT_INODE, "x", S_IFREG | 0600, 0, &row);
    }
    if (r >= 0) {
        r = riad_unlink(workspace, &alice, RIAD_ROOT_INODE, "x");
    }
    return r < 0 || riad_getattr(workspace, row.inode, &row) < 0;
}

/* A file without a name, and one that got its name in time. */
static int leave_tmpfiles(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    int r = fixture_try_open(of, &workspace);

    if (r >= 0) {
        r = riad_tmpfile(workspace, &alice, RIAD_ROOT_INODE, 0600, true, &row);
    }
    if (r >= 0) {
        r = riad_tmpfile(workspace, &alice, RIAD_ROOT_INODE, 0600, true, &row);
    }
    if (r >= 0) {
        r = riad_link(workspace, &alice, row.inode, RIAD_ROOT_INODE, "kept", &row);
    }
    return r < 0;
}

static void a_tmpfile_is_freed_after_a_crash_unless_linked(void **state)
{
    struct riad_workspace *workspace;

    (void)state;
    run_and_die(&fixture, leave_tmpfiles);
    workspace = fixture_open(&fixture);
    assert_int_equal(status_of(workspace).usage.inodes, 2);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "kept"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void an_open_unlinked_file_is_freed_at_the_next_opening(void **state)
{
    struct riad_workspace *workspace;

    (void)state;
    run_and_die(&fixture, leave_an_orphan);
    workspace = fixture_open(&fixture);
    assert_int_equal(status_of(workspace).usage.inodes, 1);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void a_sync_leaves_nothing_unsynced_and_moves_the_mark(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status;
    struct riad_mark mark;

    (void)state;
    populate(workspace, "one");
    assert_int_equal(riad_workspace_sync(workspace), 0);
    status = status_of(workspace);
    assert_int_equal(status.unsynced_bytes, 0);
    assert_memory_equal(&status.synced.chain, &status.end.chain, sizeof status.end.chain);
    assert_int_equal(riad_mark_read(fixture.state_fd, &mark), 0);
    assert_memory_equal(&mark.end.chain, &status.end.chain, sizeof status.end.chain);
    fixture_close(workspace);
}

/* P3. */
static void the_background_syncs_within_seconds(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status = { .unsynced_bytes = 1 };

    (void)state;
    make_directory(workspace, RIAD_ROOT_INODE, "d");
    for (int i = 0; i < 50 && status.unsynced_bytes > 0; i++) {
        riad_sleep_ms(100);
        status = status_of(workspace);
    }
    assert_int_equal(status.unsynced_bytes, 0);
    assert_int_equal(status.synced.sequence.number, 2);
    fixture_close(workspace);
}

static void checkpoints_hold_the_rows_and_two_are_kept(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status;
    struct rows before, after;

    (void)state;
    for (int i = 0; i < 3; i++) {
        char name[8];

        snprintf(name, sizeof name, "p%d", i);
        populate(workspace, name);
        assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    }
    assert_int_equal(status_of(workspace).checkpoints, 3);
    assert_int_equal(count_files(&fixture, "ckpt"), 2);
    make_directory(workspace, RIAD_ROOT_INODE, "behind");
    before = rows_of(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    status = status_of(workspace);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    /* "behind", and inodes whose last names went: what closing did after the checkpoint. */
    assert_in_range(status.replayed_changes, 1, 5);
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* A checkpoint without anything behind it: the index knows no start of its last change. */
static void a_checkpoint_at_the_end_of_the_log_suffices(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct rows before, after;

    (void)state;
    make_directory(workspace, RIAD_ROOT_INODE, "d");
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    before = rows_of(workspace);
    fixture_close(workspace);
    fixture_forget(&fixture);
    for (int i = 0; i < 2; i++) {
        workspace = fixture_open(&fixture);
        assert_int_equal(status_of(workspace).replayed_changes, 0);
        after = rows_of(workspace);
        assert_same_rows(&before, &after);
        fixture_close(workspace);
    }
    fixture_assert_sound(&fixture);
}

static void dead_data_segments_are_unlinked(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    uint64_t large = make_file(workspace, RIAD_ROOT_INODE, "large");
    uint64_t kept = make_file(workspace, RIAD_ROOT_INODE, "kept");

    (void)state;
    write_fill(workspace, large, 0, 'x', 3 << 20);
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    write_fill(workspace, kept, 0, 'k', 1 << 20);
    assert_int_equal(count_files(&fixture, "data"), 2);
    assert_int_equal(riad_unlink(workspace, &alice, RIAD_ROOT_INODE, "large"), 0);
    for (int i = 0; i < 150 && count_files(&fixture, "data") > 1; i++) {
        riad_sleep_ms(100);
    }
    assert_int_equal(count_files(&fixture, "data"), 1);
    assert_filled(workspace, kept, 0, 'k', 1 << 20);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    assert_filled(workspace, inode_of(workspace, RIAD_ROOT_INODE, "kept"), 0, 'k', 1 << 20);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* The segment of a payload that has no extent yet does not die with the others in it. */
static void a_segment_lives_while_somebody_writes_bulk(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    uint64_t large = make_file(workspace, RIAD_ROOT_INODE, "large");
    unsigned ticket;

    (void)state;
    write_fill(workspace, large, 0, 'x', 1 << 20);
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    ticket = riad_bulk_begin(workspace);
    assert_int_equal(riad_unlink(workspace, &alice, RIAD_ROOT_INODE, "large"), 0);
    riad_sleep_ms(7000);
    assert_int_equal(count_files(&fixture, "data"), 1);
    riad_bulk_end(workspace, ticket);
    for (int i = 0; i < 100 && count_files(&fixture, "data") > 0; i++) {
        riad_sleep_ms(100);
    }
    assert_int_equal(count_files(&fixture, "data"), 0);
    fixture_close(workspace);
}

static int die_before_the_change(struct fixture *of)
{
    static const uint8_t bytes[200000] = { 1 };
    const struct riad_birth birth = { .inode = 2, .generation = 1 };
    struct riad_workspace *workspace = NULL;
    struct riad_payload *payload = NULL;
    struct riad_place place;
    int r = fixture_try_open(of, &workspace);

    if (r >= 0) {
        r = riad_log_seal(workspace->log, true, &birth, 1 << 16, bytes, sizeof bytes, &payload);
    }
    if (r >= 0) {
        r = riad_log_write_bulk(workspace->log, payload, 2, &place);
    }
    return r < 0;
}

static void wait_for_files(const char *folder, unsigned count)
{
    for (int i = 0; i < 100 && count_files(&fixture, folder) != count; i++) {
        riad_sleep_ms(100);
    }
    assert_int_equal(count_files(&fixture, folder), count);
}

static void segments_that_nothing_ever_named_are_removed(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    uint64_t kept = make_file(workspace, RIAD_ROOT_INODE, "kept");

    (void)state;
    write_fill(workspace, kept, 0, 'k', 1 << 20);
    fixture_close(workspace);
    run_and_die(&fixture, die_before_the_change);
    assert_int_equal(count_files(&fixture, "data"), 2);
    for (int i = 0; i < 2; i++) { /* moved away at the first opening, unlinked at the second */
        workspace = fixture_open(&fixture);
        wait_for_files("data", 1);
        wait_for_files("dead", i == 0);
        assert_filled(workspace, kept, 0, 'k', 1 << 20);
        fixture_close(workspace);
    }
    fixture_assert_sound(&fixture);
}

static void reading_only_changes_nothing(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct rows before, after;
    struct riad_inode row;
    uint32_t done;

    (void)state;
    populate(workspace, "one");
    before = rows_of(workspace);
    fixture_close(workspace);
    fixture.read_only = true;
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    assert_int_equal(status_of(workspace).state, RIAD_WORKSPACE_READ_ONLY);
    assert_int_equal(riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "d", 0755, &row), -EROFS);
    assert_int_equal(riad_write(workspace, &alice,
                             inode_of(workspace, inode_of(workspace, 1, "one"), "large"), 0,
                             (const uint8_t *)&row, sizeof row, &done),
            -EROFS);
    assert_int_equal(riad_workspace_sync(workspace), 0);
    assert_int_equal(riad_workspace_checkpoint(workspace), -EROFS);
    fixture_close(workspace);
    assert_int_equal(count_files(&fixture, "term"), 2); /* one term and its heartbeat */
}

static void a_limit_binds_at_once_and_may_lie_below_usage(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_limit limit = { .inodes = 3 };
    struct riad_inode row;

    (void)state;
    make_directory(workspace, RIAD_ROOT_INODE, "a");
    make_directory(workspace, RIAD_ROOT_INODE, "b");
    riad_workspace_set_limit(workspace, &limit);
    assert_int_equal(riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "c", 0755, &row), -EDQUOT);
    limit.inodes = 1;
    riad_workspace_set_limit(workspace, &limit);
    assert_int_equal(riad_rmdir(workspace, &alice, RIAD_ROOT_INODE, "b"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* P6. */
static void a_full_store_refuses_growth_and_takes_deletions(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_inode row;

    (void)state;
    make_directory(workspace, RIAD_ROOT_INODE, "a");
    for (int i = 0; i < 20; i++) {
        int r;

        assert_int_equal(riad_workspace_lock(workspace), 0);
        workspace->store_blocks_free = workspace->store_reserve;
        riad_workspace_unlock(workspace);
        r = riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "b", 0755, &row);
        if (r == -ENOSPC) {
            break; /* else the background measured the store in between */
        }
        assert_int_equal(r, 0);
        assert_int_equal(riad_rmdir(workspace, &alice, RIAD_ROOT_INODE, "b"), 0);
        assert_true(i < 19);
    }
    assert_int_equal(riad_rmdir(workspace, &alice, RIAD_ROOT_INODE, "a"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_history_begins_with_a_root, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_survive_closing_and_opening, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_index_is_rebuilt_from_the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_acknowledged_survives_a_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(
                an_open_unlinked_file_is_freed_at_the_next_opening, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_tmpfile_is_freed_after_a_crash_unless_linked, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_sync_leaves_nothing_unsynced_and_moves_the_mark, setup, teardown),
        cmocka_unit_test_setup_teardown(the_background_syncs_within_seconds, setup, teardown),
        cmocka_unit_test_setup_teardown(
                checkpoints_hold_the_rows_and_two_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_checkpoint_at_the_end_of_the_log_suffices, setup, teardown),
        cmocka_unit_test_setup_teardown(dead_data_segments_are_unlinked, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_segment_lives_while_somebody_writes_bulk, setup, teardown),
        cmocka_unit_test_setup_teardown(
                segments_that_nothing_ever_named_are_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(reading_only_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_limit_binds_at_once_and_may_lie_below_usage, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_full_store_refuses_growth_and_takes_deletions, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
