/* The log is cut before two checkpoints (L6), what epochs before have left is sealed anew, and a
 * process may die at any call of it. */
#include "cleaner.h"

static size_t unlink_unused(struct riad_workspace *workspace)
{
    size_t count = 0;

    assert_int_equal(riad_cleaner_unlink(workspace, &count), 0);
    return count;
}

/* Everything that can go has gone: one log segment is left, and the data. */
static void clean_all(struct riad_workspace *workspace)
{
    assert_int_equal(riad_cleaner_roll(workspace), 0);
    assert_int_equal(move_all(workspace), 0);
    unlink_unused(workspace);
}

static void nothing_goes_without_two_checkpoints(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    unsigned files;

    (void)state;
    plant_garden(workspace);
    assert_int_equal(move_all(workspace), 0);
    files = count_files(&fixture, "log");
    assert_int_equal(unlink_unused(workspace), 0);
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    assert_int_equal(unlink_unused(workspace), 0);
    assert_int_equal(count_files(&fixture, "log"), files);
    fixture_close(workspace);
}

/* A segment with something live in it stays, with the checkpoints far ahead. */
static void what_is_live_keeps_its_segment(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    (void)state;
    plant_garden(workspace);
    assert_int_equal(riad_cleaner_roll(workspace), 0);
    assert_int_equal(unlink_unused(workspace), 0);
    assert_int_equal(count_files(&fixture, "log"), 2);
    assert_garden(workspace);
    assert_int_equal(move_all(workspace), 0);
    assert_int_equal(unlink_unused(workspace), 1);
    assert_int_equal(count_files(&fixture, "log"), 1);
    assert_garden(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void a_cut_log_is_opened_and_checked(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct rows before, after;

    (void)state;
    plant_garden(workspace);
    clean_all(workspace);
    grow(workspace, 5, 3000, 20000, 50);
    make_directory(workspace, RIAD_ROOT_INODE, "behind");
    before = rows_of(workspace);
    fixture_close(workspace);
    for (int i = 0; i < 3; i++) {
        fixture_assert_sound(&fixture);
        fixture_forget(&fixture);
        fixture_assert_sound(&fixture);
        workspace = fixture_open(&fixture);
        after = rows_of(workspace);
        assert_same_rows(&before, &after);
        assert_garden(workspace);
        fixture_close(workspace);
    }
}

/* L7: what freed a segment is durable before it goes. */
static void nothing_goes_that_a_power_cut_could_bring_back(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    size_t count = 0;
    unsigned files;

    (void)state;
    plant_garden(workspace);
    assert_int_equal(riad_cleaner_roll(workspace), 0);
    riad_background_stop(workspace);
    assert_int_equal(move_all(workspace), 0);
    files = count_files(&fixture, "log");
    faults_fail_from(FAULT_FDATASYNC, 1, EIO);
    assert_int_equal(riad_cleaner_unlink(workspace, &count), -EIO);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(count_files(&fixture, "log"), files);
    assert_int_equal(riad_workspace_close(workspace), -EIO);
    workspace = fixture_open(&fixture);
    assert_garden(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* Ends the log segment, behind what was changed. */
static void roll(struct riad_workspace *workspace)
{
    assert_int_equal(riad_mutation_begin(workspace, NULL), 0);
    assert_int_equal(riad_log_roll(workspace->log), 0);
    assert_int_equal(riad_mutation_commit(workspace, NULL), 0);
    riad_mutation_end(workspace);
}

/* L6: the older checkpoint, and the log since it, are there for that. */
static void a_damaged_checkpoint_has_a_second(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    char path[32];

    (void)state;
    plant_garden(workspace);
    clean_all(workspace);
    make_directory(workspace, RIAD_ROOT_INODE, "behind");
    roll(workspace);
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    unlink_unused(workspace);
    fixture_close(workspace);
    fixture_forget(&fixture);
    newest_path(&fixture, RIAD_SEGMENT_CHECKPOINT, path);
    flip(&fixture, path, size_at(&fixture, path) / 2);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "behind"), 0);
    assert_garden(workspace);
    fixture_close(workspace);
}

/* Without any checkpoint a cut log is of no use: that is said, and nothing is changed. */
static void a_cut_log_without_checkpoints_is_refused(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;

    (void)state;
    plant_garden(workspace);
    clean_all(workspace);
    fixture_close(workspace);
    fixture_forget(&fixture);
    assert_int_equal(
            riad_segment_list(fixture.workspace_fd, RIAD_SEGMENT_CHECKPOINT, &ids, &count), 0);
    for (size_t i = 0; i < count; i++) {
        char path[32];

        riad_segment_path(RIAD_SEGMENT_CHECKPOINT, ids[i], path);
        assert_int_equal(unlinkat(fixture.workspace_fd, path, 0), 0);
    }
    assert_refused(-EUCLEAN, "is missing");
}

/* The state of a node that was away: its index's last change is in no segment any more. */
static void a_node_that_was_away_begins_anew(void **state)
{
    struct fixture other;
    struct riad_workspace *workspace = fixture_open(&fixture);

    (void)state;
    plant_garden(workspace);
    fixture_close(workspace);
    make_other_node(&fixture, &other);
    workspace = fixture_open(&other); /* rows of a replay, and of a checkpoint in the next round */
    fixture_close(workspace);
    for (int i = 0; i < 2; i++) {
        workspace = fixture_open(&fixture);
        grow(workspace, 6, 0, 30000, 60U + (unsigned)i);
        clean_all(workspace);
        fixture_close(workspace);
        fixture_assert_sound(&other);
        workspace = fixture_open(&other);
        assert_garden(workspace);
        fixture_close(workspace);
    }
    close(other.state_fd);
}

/* Nothing is left of the epochs before but what former members may have copied. */
static void all_is_sealed_under_the_new_key(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    unsigned files;

    (void)state;
    plant_garden(workspace);
    rotate(workspace, 2);
    grow(workspace, 7, 0, 20000, 70);
    assert_int_equal(riad_workspace_sync(workspace), 0);
    assert_int_equal(oldest_epoch(&files), 1);
    clean_all(workspace);
    fixture_close(workspace);
    assert_int_equal(oldest_epoch(&files), 2);
    assert_true(files >= 4);
    fixture_forget(&fixture);
    fixture.first_epoch = 2; /* the key of before is not needed */
    workspace = fixture_open(&fixture);
    assert_garden(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void wait_until_sealed(struct riad_workspace *workspace)
{
    struct riad_workspace_status status = status_of(workspace);

    for (int i = 0; i < 600 && (status.cleaning.surveyed_before != status.last_segment_before ||
                                       status.cleaning.old_segments > 0);
            i++) {
        riad_sleep_ms(50);
        status = status_of(workspace);
    }
    assert_int_equal(status.cleaning.surveyed_before, status.last_segment_before);
    assert_int_equal(status.cleaning.old_segments, 0);
    assert_int_equal(status.cleaning.old_bytes, 0);
}

/* By itself, in the background, whoever writes meanwhile; what a workspace that was closed left is
 * done by the next opening. */
static void it_happens_by_itself(void **state)
{
    struct riad_workspace *workspace;
    unsigned files;

    (void)state;
    fixture.clean = true;
    workspace = fixture_open(&fixture);
    plant_garden(workspace);
    rotate(workspace, 2);
    for (unsigned i = 0; i < 20; i++) {
        grow(workspace, i % 12, 0, 10000, 80 + i);
    }
    wait_until_sealed(workspace);
    assert_true(status_of(workspace).cleaning.moved_bytes > 2000000);
    assert_int_equal(oldest_epoch(&files), 2);
    rotate(workspace, 3);
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    wait_until_sealed(workspace);
    assert_int_equal(oldest_epoch(&files), 3);
    assert_garden(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* Files that were overwritten again and again, deleted ones, small and large. */
static void dead_bytes_are_given_back(void **state)
{
    struct riad_workspace *workspace;
    struct riad_workspace_status status;

    (void)state;
    fixture.clean = true;
    workspace = fixture_open(&fixture);
    plant_garden(workspace);
    for (unsigned i = 0; i < 30; i++) {
        grow(workspace, 16, 0, 1100000, i);
        grow(workspace, i % 12, 0, 60000, i);
    }
    riad_workspace_clean(workspace);
    do {
        riad_sleep_ms(50);
        status = status_of(workspace);
    } while (status.cleaning.asked);
    assert_true(status.cleaning.store_bytes < status.cleaning.live_bytes * 11 / 10 + (5 << 20));
    assert_true(status.cleaning.store_bytes < 12 << 20);
    assert_int_equal(count_files(&fixture, "log"), 1);
    assert_garden(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static unsigned dies_at;

/* The whole of it, up to a call. */
static int clean_until_death(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    size_t count;
    int r = fixture_try_open(of, &workspace);

    if (r < 0) {
        return 1;
    }
    riad_background_stop(workspace);
    faults.deadly = true;
    faults_fail_from(FAULT_ANY, dies_at, 0);
    r = riad_cleaner_roll(workspace);
    r = r < 0 ? r : move_all(workspace);
    r = r < 0 ? r : riad_cleaner_unlink(workspace, &count);
    riad_retire_round(workspace);
    riad_retire_round(workspace);
    return r < 0 ? 2 : 0;
}

static int end_of(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

/* P1: nothing is lost, wherever it dies, with the local state or without. */
static void it_may_die_at_any_call(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    int ended = FAULTS_DEAD;
    unsigned deaths = 0;

    (void)state;
    plant_garden(workspace);
    rotate(workspace, 2);
    fixture_close(workspace);
    for (dies_at = 1; ended == FAULTS_DEAD; dies_at += 1 + dies_at / 16) {
        ended = end_of(run_in_child(&fixture, clean_until_death));
        assert_true(ended == FAULTS_DEAD || ended == 0);
        deaths += ended == FAULTS_DEAD;
        if (dies_at % 3 == 0) {
            fixture_forget(&fixture);
        }
        workspace = fixture_open(&fixture);
        assert_garden(workspace);
        grow(workspace, dies_at % 12, 0, 3000,
                dies_at); /* so that there is always something to do */
        grow(workspace, 13, 0, 100000, dies_at);
        fixture_close(workspace);
    }
    assert_true(deaths > 30);
    fixture_assert_sound(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GARDEN(nothing_goes_without_two_checkpoints),
        GARDEN(what_is_live_keeps_its_segment),
        GARDEN(a_cut_log_is_opened_and_checked),
        GARDEN(nothing_goes_that_a_power_cut_could_bring_back),
        GARDEN(a_damaged_checkpoint_has_a_second),
        GARDEN(a_cut_log_without_checkpoints_is_refused),
        GARDEN(a_node_that_was_away_begins_anew),
        GARDEN(all_is_sealed_under_the_new_key),
        GARDEN(it_happens_by_itself),
        GARDEN(dead_bytes_are_given_back),
        GARDEN(it_may_die_at_any_call),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
