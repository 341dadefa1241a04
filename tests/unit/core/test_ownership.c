/* Who may open a workspace, who waits, and what becomes of an owner that was taken for dead (O1,
 * O2). */
#include "rows.h"

static struct fixture fixture, other;

static int setup(void **state)
{
    (void)state;
    fixture_make(&fixture);
    make_other_node(&fixture, &other);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(other.state_fd);
    fixture_remove(&fixture);
    return 0;
}

static int expect_busy(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    uint64_t begun = riad_clock_boottime();

    return fixture_try_open(of, &workspace) != -EBUSY || workspace ||
           milliseconds_since(begun) > 1000 || !of->reason.text[0];
}

static void a_second_process_is_refused_at_once(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    (void)state;
    assert_int_equal(expect_busy(&fixture), 0);
    run_and_die(&fixture, expect_busy);
    fixture_close(workspace);
    fixture_close(fixture_open(&fixture));
}

static void another_node_is_refused_while_the_owner_lives(void **state)
{
    struct riad_workspace *workspace;
    struct riad_workspace *second = NULL;

    (void)state;
    fixture.lease_seconds = other.lease_seconds = 1;
    workspace = fixture_open(&fixture);
    assert_int_equal(fixture_try_open(&other, &second), -EBUSY);
    assert_non_null(strstr(other.reason.text, "another machine"));
    make_directory(workspace, RIAD_ROOT_INODE, "still-mine");
    assert_int_equal(riad_workspace_sync(workspace), 0);
    fixture_close(workspace);
}

static void after_a_clean_close_nobody_waits(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    uint64_t begun;

    (void)state;
    make_directory(workspace, RIAD_ROOT_INODE, "d");
    fixture_close(workspace);
    begun = riad_clock_boottime();
    workspace = fixture_open(&other);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "d"), 0);
    make_directory(workspace, RIAD_ROOT_INODE, "e");
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "e"), 0);
    assert_true(milliseconds_since(begun) < 5000);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static int die_as_owner(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    int r = fixture_try_open(of, &workspace);

    if (r >= 0) {
        r = riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "d", 0755, &row);
    }
    if (r >= 0) {
        r = riad_log_ship(workspace->log);
    }
    return r < 0;
}

static void the_same_node_does_not_wait_after_a_kill(void **state)
{
    uint64_t begun = riad_clock_boottime();
    struct riad_workspace *workspace;

    (void)state;
    run_and_die(&fixture, die_as_owner);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "d"), 0);
    assert_true(milliseconds_since(begun) < 5000);
    fixture_close(workspace);
}

static unsigned told;

static void note_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    (void)context;
    if (strstr(what, "wait")) {
        assert_true(done <= total);
        told++;
    }
}

static void another_node_takes_over_after_the_lease(void **state)
{
    struct riad_workspace_config config;
    struct riad_workspace *workspace = NULL;
    uint64_t begun;

    (void)state;
    fixture.lease_seconds = other.lease_seconds = 1;
    run_and_die(&fixture, die_as_owner);
    fixture_configure(&other, &config);
    config.progress = note_progress;
    begun = riad_clock_boottime();
    assert_int_equal(riad_workspace_open(&config, &workspace, &other.reason), 0);
    assert_in_range(milliseconds_since(begun), 1000, 8000);
    assert_true(told > 0);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "d"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&other);
}

static int ready[2], resume[2];

/* Owns until told, while its parent lets another node take over; then nothing may be acknowledged.
 */
static int own_and_sleep(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_workspace_status status;
    struct riad_inode row;
    char byte = 0;

    if (fixture_try_open(of, &workspace) < 0) {
        return 1;
    }
    if (write(ready[1], &byte, 1) != 1 || read(resume[0], &byte, 1) != 1) {
        return 2;
    }
    if (riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "mine", 0755, &row) != -ESTALE) {
        return 3;
    }
    if (riad_workspace_sync(workspace) != -ESTALE ||
            riad_getattr(workspace, RIAD_ROOT_INODE, &row) != -ESTALE) {
        return 4;
    }
    if (riad_workspace_status(workspace, &status) < 0 ||
            status.state != RIAD_WORKSPACE_SUPERSEDED || !status.event[0]) {
        return 5;
    }
    return riad_workspace_close(workspace) != -ESTALE ? 6 : 0;
}

static void a_superseded_owner_gets_estale(void **state)
{
    struct riad_workspace *workspace;
    char byte = 0;
    pid_t child;

    (void)state;
    fixture.lease_seconds = other.lease_seconds = 1;
    assert_int_equal(pipe(ready), 0);
    assert_int_equal(pipe(resume), 0);
    child = run_in_child(&fixture, own_and_sleep);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGSTOP), 0);
    workspace = fixture_open(&other);
    make_directory(workspace, RIAD_ROOT_INODE, "theirs");
    assert_int_equal(write(resume[1], &byte, 1), 1);
    assert_int_equal(kill(child, SIGCONT), 0);
    wait_for(child);
    assert_int_equal(riad_workspace_sync(workspace), 0);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "theirs"), 0);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "mine"), -ENOENT);
    fixture_close(workspace);
    fixture_assert_sound(&other);
    /* The first node comes back: its index and mark are of the same history. */
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "theirs"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    for (int i = 0; i < 2; i++) {
        close(ready[i]);
        close(resume[i]);
    }
}

static void a_lapsed_owner_renews_and_goes_on(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    (void)state;
    assert_int_equal(riad_workspace_lock(workspace), 0);
    workspace->lease_until = 0;
    riad_workspace_unlock(workspace);
    make_directory(workspace, RIAD_ROOT_INODE, "d");
    assert_int_equal(riad_workspace_lock(workspace), 0);
    assert_true(workspace->lease_until > riad_clock_boottime());
    riad_workspace_unlock(workspace);
    fixture_close(workspace);
}

static void the_heartbeat_moves_and_is_closed(void **state)
{
    struct riad_workspace *workspace;
    struct riad_beat first, second;
    struct riad_keys *keys = NULL;

    (void)state;
    fixture.lease_seconds = 1;
    assert_int_equal(riad_keys_new(&fixture.workspace, 1, fixture.root, &keys), 0);
    workspace = fixture_open(&fixture);
    assert_int_equal(riad_beat_read(fixture.workspace_fd, keys, 1, &first), 0);
    assert_false(first.closed);
    riad_sleep_ms(800);
    assert_int_equal(riad_beat_read(fixture.workspace_fd, keys, 1, &second), 0);
    assert_true(second.count > first.count);
    fixture_close(workspace);
    assert_int_equal(riad_beat_read(fixture.workspace_fd, keys, 1, &second), 0);
    assert_true(second.closed);
    riad_keys_free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_second_process_is_refused_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(
                another_node_is_refused_while_the_owner_lives, setup, teardown),
        cmocka_unit_test_setup_teardown(after_a_clean_close_nobody_waits, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_node_does_not_wait_after_a_kill, setup, teardown),
        cmocka_unit_test_setup_teardown(another_node_takes_over_after_the_lease, setup, teardown),
        cmocka_unit_test_setup_teardown(a_superseded_owner_gets_estale, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lapsed_owner_renews_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(the_heartbeat_moves_and_is_closed, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
