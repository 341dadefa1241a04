/* What recovery does with a log and an index that do not fit each other (L3, L4). */
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

static struct riad_mark mark_of(void)
{
    struct riad_mark mark;

    assert_int_equal(riad_mark_read(fixture.state_fd, &mark), 0);
    return mark;
}

static void cut(const char *path, off_t size)
{
    int fd = openat(fixture.workspace_fd, path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

static void forget_index(void)
{
    assert_int_equal(riad_index_discard(fixture.state_path), 0);
}

/* Opening is refused for damage, with a reason, and claims nothing. */
static void assert_refused(void)
{
    struct riad_workspace *workspace = NULL;
    unsigned before = count_files(&fixture, "term");

    assert_int_equal(fixture_try_open(&fixture, &workspace), -EUCLEAN);
    assert_null(workspace);
    assert_true(strlen(fixture.reason.text) > 20);
    assert_int_equal(count_files(&fixture, "term"), before);
}

/* Makes "durable", synced, and "fleeting", in the log and in the index, then dies. */
static int die_with_an_unsynced_change(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    int r = fixture_try_open(of, &workspace);

    if (r >= 0) {
        r = riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "durable", 0755, &row);
    }
    if (r >= 0) {
        r = riad_workspace_sync(workspace);
    }
    if (r >= 0) {
        r = riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "fleeting", 0755, &row);
    }
    if (r >= 0) {
        r = riad_log_ship(workspace->log);
    }
    if (r >= 0) {
        r = riad_workspace_lock(workspace);
        r = r < 0 ? r : riad_index_commit(workspace->index);
    }
    return r < 0;
}

static void an_index_ahead_of_the_log_is_discarded(void **state)
{
    struct riad_workspace *workspace;
    struct riad_mark mark;
    char path[32];

    (void)state;
    run_and_die(&fixture, die_with_an_unsynced_change);
    mark = mark_of();
    assert_int_equal(mark.end.sequence.number, 2);
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    cut(path, (off_t)mark.end.offset);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "durable"), 0);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "fleeting"), -ENOENT);
    make_directory(workspace, RIAD_ROOT_INODE, "fleeting");
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static int die_with_three_unsynced_changes(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    char name[8];
    int r = fixture_try_open(of, &workspace);

    for (int i = 0; i < 3 && r >= 0; i++) {
        snprintf(name, sizeof name, "d%d", i);
        r = riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, name, 0755, &row);
    }
    if (r >= 0) {
        r = riad_log_ship(workspace->log);
    }
    if (r >= 0) {
        r = riad_workspace_lock(workspace);
        r = r < 0 ? r : riad_index_commit(workspace->index);
    }
    return r < 0;
}

/* A power cut kept the index and the last change of the log, but tore one before it. Were the index
 * believed, the next term would vouch for a log that nobody can read. */
static void an_index_behind_a_tear_is_discarded(void **state)
{
    struct riad_workspace *workspace;
    struct riad_workspace_status status;
    struct rows before, after;
    char path[32];

    (void)state;
    run_and_die(&fixture, die_with_three_unsynced_changes);
    assert_int_equal(mark_of().end.sequence.number, 1);
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    /* Behind the mark lie three changes of about the same size. */
    flip(&fixture, path,
            (off_t)mark_of().end.offset +
                    (size_at(&fixture, path) - (off_t)mark_of().end.offset) / 2);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "d0"), 0);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "d1"), -ENOENT);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "d2"), -ENOENT);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_non_null(strstr(status.event, "power"));
    make_directory(workspace, RIAD_ROOT_INODE, "d2");
    before = rows_of(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    fixture_close(workspace);
}

static void a_torn_tail_is_the_end_of_the_log(void **state)
{
    struct riad_workspace *workspace;
    char path[32];

    (void)state;
    run_and_die(&fixture, die_with_an_unsynced_change);
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    cut(path, size_at(&fixture, path) - 5);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "durable"), 0);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "fleeting"), -ENOENT);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void make_garden(void)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    populate(workspace, "one");
    fixture_close(workspace);
}

static void a_log_that_ends_below_the_mark_is_refused(void **state)
{
    char path[32];

    (void)state;
    make_garden();
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    cut(path, size_at(&fixture, path) - 1);
    forget_index();
    assert_refused();
    assert_non_null(strstr(fixture.reason.text, "synced"));
}

/* L4 at first contact: a term that was closed says its last change; one that was not may have been
 * torn anywhere past the last change that others call durable. */
static void without_a_mark_the_end_of_the_term_tells(void **state)
{
    struct riad_workspace *workspace;
    char path[32];

    (void)state;
    make_garden();
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    cut(path, size_at(&fixture, path) - 1);
    fixture_forget(&fixture);
    assert_refused();
    assert_non_null(strstr(fixture.reason.text, "synced"));
    assert_int_equal(unlinkat(fixture.workspace_fd, "term/00000001.beat", 0), 0);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "one"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void damage_below_the_mark_is_refused_until_it_is_mended(void **state)
{
    struct riad_workspace *workspace;
    struct rows before, after;
    char path[32];

    (void)state;
    workspace = fixture_open(&fixture);
    for (int i = 0; i < 50; i++) { /* changes only: damaged data would be found when it is read */
        char name[8];

        snprintf(name, sizeof name, "d%d", i);
        make_directory(workspace, RIAD_ROOT_INODE, name);
    }
    before = rows_of(workspace);
    fixture_close(workspace);
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    forget_index();
    flip(&fixture, path, size_at(&fixture, path) / 2);
    assert_refused();
    flip(&fixture, path, size_at(&fixture, path) / 2);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* The index has all that was durable: files can be read, nothing can be changed, somebody is told.
 */
static void with_a_whole_index_a_damaged_end_can_still_be_read(void **state)
{
    struct riad_workspace *workspace;
    struct riad_workspace_status status;
    struct riad_inode row;
    struct rows before, after;
    unsigned terms;
    char path[32];

    (void)state;
    workspace = fixture_open(&fixture);
    populate(workspace, "one");
    before = rows_of(workspace);
    fixture_close(workspace);
    terms = count_files(&fixture, "term");
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    flip(&fixture, path, size_at(&fixture, path) - 30);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_int_equal(status.state, RIAD_WORKSPACE_READ_ONLY);
    assert_true(strlen(status.event) > 0);
    assert_filled(
            workspace, inode_of(workspace, inode_of(workspace, 1, "one"), "large"), 0, 'L', 100000);
    assert_int_equal(riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "d", 0755, &row), -EROFS);
    fixture_close(workspace);
    assert_int_equal(count_files(&fixture, "term"), terms);
}

static void a_broken_index_is_made_anew(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct rows before, after;
    int fd;

    (void)state;
    populate(workspace, "one");
    before = rows_of(workspace);
    fixture_close(workspace);
    fd = openat(fixture.state_fd, "index.db", O_WRONLY | O_TRUNC);
    assert_int_equal(write(fd, "this is no database, whatever its name says", 43), 43);
    close(fd);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* Authentic rows of another moment in the index: the log's changes contradict them. */
static void an_index_that_contradicts_the_log_is_made_anew(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_end end;
    struct riad_index *index = NULL;
    struct riad_keys *keys = NULL;
    struct riad_change change = { 0 };
    struct riad_workspace_status status;
    struct rows before, after;
    uint64_t start;

    (void)state;
    riad_forget(workspace, make_directory(workspace, RIAD_ROOT_INODE, "early"), 1);
    assert_int_equal(riad_workspace_lock(workspace), 0);
    riad_index_end(workspace->index, &end, &start);
    riad_workspace_unlock(workspace);
    assert_int_equal(riad_rmdir(workspace, &alice, RIAD_ROOT_INODE, "early"), 0);
    make_directory(workspace, RIAD_ROOT_INODE, "late");
    before = rows_of(workspace);
    fixture_close(workspace);
    /* An index at "early" that lacks the directory's entry, which the next change removes. */
    forget_index();
    assert_int_equal(riad_keys_new(&fixture.workspace, 1, fixture.root, &keys), 0);
    assert_int_equal(riad_index_open(fixture.state_path, keys, &index), 0);
    riad_change_begin(&change, (struct timespec){ 0 }, 0);
    riad_change_put_workspace(&change, 2);
    assert_int_equal(riad_index_load(index, change.operations.data, change.operations.size), 0);
    assert_int_equal(riad_index_set_end(index, &end, start), 0);
    assert_int_equal(riad_index_commit(index), 0);
    riad_index_close(index);
    riad_change_done(&change);
    riad_keys_free(keys);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_true(status.replayed_changes >= 4);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void a_log_without_terms_is_refused(void **state)
{
    (void)state;
    make_garden();
    assert_int_equal(unlinkat(fixture.workspace_fd, "term/00000001", 0), 0);
    assert_int_equal(unlinkat(fixture.workspace_fd, "term/00000001.beat", 0), 0);
    assert_refused();
    fixture_forget(&fixture);
    assert_refused();
}

static void an_emptied_store_is_refused_where_it_was_known(void **state)
{
    char path[32];

    (void)state;
    make_garden();
    assert_int_equal(unlinkat(fixture.workspace_fd, "term/00000001", 0), 0);
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    assert_int_equal(unlinkat(fixture.workspace_fd, path, 0), 0);
    forget_index();
    assert_refused();
}

static void a_damaged_checkpoint_gives_way_to_the_one_before(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status;
    struct rows before, after;
    char path[32];

    (void)state;
    populate(workspace, "one");
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    populate(workspace, "two");
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    before = rows_of(workspace);
    fixture_close(workspace);
    newest_path(&fixture, RIAD_SEGMENT_CHECKPOINT, path);
    flip(&fixture, path, size_at(&fixture, path) - 40);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_in_range(status.replayed_changes, 40, 200);
    fixture_close(workspace);
}

static uint64_t told_done, told_total;
static unsigned told;

static void note_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    assert_ptr_equal(context, &fixture);
    if (strstr(what, "log")) {
        assert_true(done >= told_done && done <= total);
        told_done = done;
        told_total = total;
        told++;
    }
}

static void progress_ends_at_its_total(void **state)
{
    struct riad_workspace_config config;
    struct riad_workspace *workspace = NULL;

    (void)state;
    make_garden();
    fixture_forget(&fixture);
    fixture_configure(&fixture, &config);
    config.progress = note_progress;
    config.progress_context = &fixture;
    assert_int_equal(riad_workspace_open(&config, &workspace, &fixture.reason), 0);
    assert_true(told > 0);
    assert_true(told_total > 0);
    assert_int_equal(told_done, told_total);
    fixture_close(workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_index_ahead_of_the_log_is_discarded, setup, teardown),
        cmocka_unit_test_setup_teardown(an_index_behind_a_tear_is_discarded, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_tail_is_the_end_of_the_log, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_that_ends_below_the_mark_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_mark_the_end_of_the_term_tells, setup, teardown),
        cmocka_unit_test_setup_teardown(
                damage_below_the_mark_is_refused_until_it_is_mended, setup, teardown),
        cmocka_unit_test_setup_teardown(
                with_a_whole_index_a_damaged_end_can_still_be_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_index_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(
                an_index_that_contradicts_the_log_is_made_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_without_terms_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(
                an_emptied_store_is_refused_where_it_was_known, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_damaged_checkpoint_gives_way_to_the_one_before, setup, teardown),
        cmocka_unit_test_setup_teardown(progress_ends_at_its_total, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
