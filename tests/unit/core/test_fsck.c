#include "riad/repair.h"

#include "rows.h"

static struct fixture fixture;
static char findings[8192];

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

static void collect(void *context, const char *finding)
{
    (void)context;
    strncat(findings, finding, sizeof findings - strlen(findings) - 2);
    strcat(findings, "\n");
}

static struct riad_fsck_result check(void)
{
    struct riad_workspace_config config;
    struct riad_fsck_result result = { 0 };
    int r;

    findings[0] = 0;
    fixture_configure(&fixture, &config);
    r = riad_fsck_run(&config, collect, NULL, &result, &fixture.reason);
    if (r < 0) {
        fail_msg("fsck: %s: %s", strerror(-r), fixture.reason.text);
    }
    assert_int_equal(result.findings > 0, findings[0] != 0);
    return result;
}

static void assert_found(const char *what)
{
    struct riad_fsck_result result = check();

    if (result.findings == 0 || !strstr(findings, what)) {
        fail_msg(
                "expected a finding with \"%s\", got %d: %s", what, (int)result.findings, findings);
    }
}

/* Two checkpoints, several terms, log and data. */
static void make_garden(void)
{
    for (int i = 0; i < 2; i++) {
        struct riad_workspace *workspace = fixture_open(&fixture);

        populate(workspace, i == 0 ? "one" : "two");
        assert_int_equal(riad_workspace_checkpoint(workspace), 0);
        fixture_close(workspace);
    }
}

static void a_sound_workspace_has_no_findings(void **state)
{
    struct riad_workspace *workspace;
    struct riad_fsck_result result;
    struct riad_usage usage;

    (void)state;
    make_garden();
    workspace = fixture_open(&fixture);
    usage = usage_of(workspace);
    fixture_close(workspace);
    result = check();
    assert_int_equal(result.findings, 0);
    assert_int_equal(result.inodes, usage.inodes);
    assert_int_equal(result.blocks, usage.blocks);
    assert_int_equal(result.checkpoints, 2);
    assert_true(result.changes > 150);
    assert_true(result.records > result.changes + 100);
    assert_true(result.bytes > 5000000);
}

static void it_leaves_nothing_behind(void **state)
{
    struct stat st;
    unsigned terms;

    (void)state;
    make_garden();
    terms = count_files(&fixture, "term");
    assert_int_equal(check().findings, 0);
    assert_int_equal(fstatat(fixture.state_fd, "fsck", &st, 0), -1);
    assert_int_equal(count_files(&fixture, "term"), terms);
}

static void flip_in_each(enum riad_segment_kind kind, unsigned least)
{
    uint64_t *ids = NULL;
    size_t count = 0;

    assert_int_equal(riad_segment_list(fixture.workspace_fd, kind, &ids, &count), 0);
    assert_true(count >= least);
    for (size_t i = 0; i < count; i++) {
        char path[32];
        off_t size;

        riad_segment_path(kind, ids[i], path);
        size = size_at(&fixture, path);
        for (int part = 0; part < 4; part++) {
            off_t offset = part == 0 ? 20 : size * part / 4;

            flip(&fixture, path, offset);
            assert_found(path + (kind == RIAD_SEGMENT_LOG ? 4 : 0));
            flip(&fixture, path, offset);
        }
    }
    free(ids);
}

static void a_flipped_byte_is_found_in_every_segment(void **state)
{
    (void)state;
    make_garden();
    flip_in_each(RIAD_SEGMENT_LOG, 2);
    flip_in_each(RIAD_SEGMENT_DATA, 2);
    flip_in_each(RIAD_SEGMENT_CHECKPOINT, 2);
    assert_int_equal(check().findings, 0);
}

static void a_missing_data_segment_is_found(void **state)
{
    char path[32];

    (void)state;
    make_garden();
    newest_path(&fixture, RIAD_SEGMENT_DATA, path);
    assert_int_equal(unlinkat(fixture.workspace_fd, path, 0), 0);
    assert_found(path);
}

static void a_log_that_ends_below_the_mark_is_found(void **state)
{
    char path[32];
    int fd;

    (void)state;
    make_garden();
    newest_path(&fixture, RIAD_SEGMENT_LOG, path);
    fd = openat(fixture.workspace_fd, path, O_WRONLY);
    assert_int_equal(ftruncate(fd, size_at(&fixture, path) - 10), 0);
    close(fd);
    assert_found("was synced");
}

/* Rows in the local index that no change of the log made. */
static void a_local_index_that_differs_is_found(void **state)
{
    struct riad_index *index = NULL;
    struct riad_keys *keys = NULL;
    struct riad_change change = { 0 };
    struct riad_inode root;
    struct riad_end end;
    uint64_t start;

    (void)state;
    make_garden();
    assert_int_equal(riad_keys_new(&fixture.workspace, 1, fixture.root, &keys), 0);
    assert_int_equal(riad_index_open(fixture.state_path, keys, &index), 0);
    riad_index_end(index, &end, &start);
    assert_int_equal(riad_index_get_inode(index, RIAD_ROOT_INODE, &root), 0);
    root.mode = S_IFDIR | 0777;
    riad_change_begin(&change, (struct timespec){ 0 }, 0);
    riad_change_put_inode(&change, &root);
    {
        struct riad_reader operations;

        riad_reader_init(&operations, change.operations.data, change.operations.size);
        assert_int_equal(riad_index_apply(index, &operations, &end, start), 0);
    }
    riad_index_close(index);
    riad_change_done(&change);
    riad_keys_free(keys);
    assert_found("differs");
    assert_int_equal(riad_index_discard(fixture.state_path), 0);
    assert_int_equal(check().findings, 0);
}

static void an_open_workspace_is_not_checked(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_config config;
    struct riad_fsck_result result;

    (void)state;
    fixture_configure(&fixture, &config);
    assert_int_equal(riad_fsck_run(&config, collect, NULL, &result, &fixture.reason), -EBUSY);
    assert_true(strlen(fixture.reason.text) > 0);
    fixture_close(workspace);
}

static struct fixture other;

/* Another machine opens it, in the middle of a check, and is gone before the end. */
static void intrude(void *context, const char *what, uint64_t done, uint64_t total)
{
    struct riad_workspace *workspace;

    (void)what;
    (void)done;
    (void)total;
    if (*(bool *)context) {
        return;
    }
    *(bool *)context = true;
    workspace = fixture_open(&other);
    populate(workspace, "three");
    fixture_close(workspace);
}

static void what_another_machine_opened_meanwhile_is_not_judged(void **state)
{
    struct riad_workspace_config config;
    struct riad_fsck_result result = { 0 };
    bool intruded = false;

    (void)state;
    make_garden();
    make_other_node(&fixture, &other);
    fixture_configure(&fixture, &config);
    config.progress = intrude;
    config.progress_context = &intruded;
    assert_int_equal(riad_fsck_run(&config, collect, NULL, &result, &fixture.reason), -EBUSY);
    assert_true(intruded);
    assert_non_null(strstr(fixture.reason.text, "another machine"));
    assert_int_equal(check().findings, 0);
    close(other.state_fd);
}

/* Who asked wants it no longer when so much was told. */
static _Atomic bool stop;
static unsigned told, stop_at;

static void count_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    (void)context;
    (void)what;
    (void)done;
    (void)total;
    stop = ++told == stop_at || stop;
}

static int run_stopped(bool repair)
{
    struct riad_fsck_result checked = { .log_damaged = true };
    struct riad_workspace_config config;
    struct riad_repair_result result;

    told = 0;
    stop = false;
    fixture_configure(&fixture, &config);
    config.progress = count_progress;
    config.stop = &stop;
    return repair ? riad_repair_run(&config, &checked, NULL, NULL, &result, &fixture.reason)
                  : riad_fsck_run(&config, NULL, NULL, &checked, &fixture.reason);
}

static void who_asks_can_end_it(void **state)
{
    struct stat st;
    unsigned terms;
    int r;

    (void)state;
    make_garden();
    terms = count_files(&fixture, "term");
    for (stop_at = 1; (r = run_stopped(false)) != 0; stop_at++) {
        assert_int_equal(r, -ECANCELED);
        assert_int_equal(told, stop_at);
        assert_int_equal(fstatat(fixture.state_fd, "fsck", &st, 0), -1);
        assert_int_equal(count_files(&fixture, "term"), terms);
    }
    assert_true(stop_at > 3);
    assert_int_equal(check().findings, 0);
}

/* Ended before its term is claimed it has changed nothing; behind that the next one goes on. */
static void a_repair_that_is_ended_can_be_made_again(void **state)
{
    uint64_t *ids = NULL;
    size_t count = 0;
    char path[32];
    int r;

    (void)state;
    make_garden();
    assert_int_equal(riad_segment_list(fixture.workspace_fd, RIAD_SEGMENT_LOG, &ids, &count), 0);
    riad_segment_path(RIAD_SEGMENT_LOG, ids[0], path);
    free(ids);
    flip(&fixture, path, size_at(&fixture, path) / 2);
    newest_path(&fixture, RIAD_SEGMENT_CHECKPOINT, path);
    flip(&fixture, path, size_at(&fixture, path) / 2);
    fixture_forget(&fixture);
    for (stop_at = 1; (r = run_stopped(true)) != 0; stop_at++) {
        assert_int_equal(r, -ECANCELED);
        assert_true(check().findings > 0);
    }
    assert_true(stop_at > 2);
    assert_false(check().log_damaged);
    fixture_close(fixture_open(&fixture));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_sound_workspace_has_no_findings, setup, teardown),
        cmocka_unit_test_setup_teardown(it_leaves_nothing_behind, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flipped_byte_is_found_in_every_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(a_missing_data_segment_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_log_that_ends_below_the_mark_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_local_index_that_differs_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(an_open_workspace_is_not_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(
                what_another_machine_opened_meanwhile_is_not_judged, setup, teardown),
        cmocka_unit_test_setup_teardown(who_asks_can_end_it, setup, teardown),
        cmocka_unit_test_setup_teardown(a_repair_that_is_ended_can_be_made_again, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
