/* P3: which payloads a change is judged by, and until when they must be there. */
#include "riad/replay.h"

#include "torn.h"

static int count_extent(void *context, const struct riad_extent *extent)
{
    (void)extent;
    ++*(unsigned *)context;
    return 0;
}

/* One run that grows by a change each; the first is synced. */
static int die_growing(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    unsigned extents = 0;
    int r = fixture_try_open(of, &workspace);

    if (r >= 0) {
        riad_background_stop(workspace);
        r = riad_mknod(workspace, &alice, RIAD_ROOT_INODE, "run", S_IFREG | 0644, 0, &row);
    }
    for (size_t i = 0; i < WRITES && r >= 0; i++) {
        r = fill(workspace, row.inode, i * CHUNK, 'a' + (int)i, CHUNK);
        r = r < 0 ? r : note(workspace, row.inode, i * CHUNK, &plan->writes[i]);
        r = r < 0 || i > 0 ? r : riad_workspace_sync(workspace);
    }
    r = r < 0 ? r : riad_log_ship(workspace->log);
    r = r < 0 ? r : riad_workspace_lock(workspace);
    if (r >= 0) {
        r = riad_index_extents(
                workspace->index, row.inode, 0, WRITES * CHUNK, count_extent, &extents);
        r = r < 0 ? r : riad_index_commit(workspace->index);
        riad_workspace_unlock(workspace);
    }
    return r < 0 || extents != 1;
}

static void assert_run(struct riad_workspace *workspace, size_t first, size_t count)
{
    uint64_t inode = inode_of(workspace, RIAD_ROOT_INODE, "run");

    assert_int_equal(attributes(workspace, inode).size, count * CHUNK);
    for (size_t i = first; i < count; i++) {
        assert_filled(workspace, inode, i * CHUNK, 'a' + (int)i, CHUNK);
    }
}

/* A row that grows names records of earlier changes again. */
static void a_run_that_grew_is_judged_by_what_was_added(void **state)
{
    for (size_t k = 0; k < WRITES; k++) {
        for (enum memory memory = MEMORY_KEPT; memory < MEMORIES; memory++) {
            struct riad_workspace *workspace;
            struct written chunk;

            run_and_die(&fixture, die_growing);
            chunk = plan->writes[k];
            assert_int_equal(chunk.position, plan->writes[0].position);
            chunk.position += k > 0 ? (off_t)plan->writes[k - 1].size : 0;
            chunk.size = plan->writes[0].size;
            lose_a_page(&chunk);
            remember(memory);
            workspace = fixture_open(&fixture);
            assert_run(workspace, k == 0, k == 0 ? WRITES : k);
            if (k == 0) {
                assert_unreadable(workspace, "run", CHUNK / 2);
            }
            fixture_close(workspace);
            teardown(state);
            setup(state);
        }
    }
}

/* A clone and a cut of a synced file, both unsynced. */
static int die_sharing(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    uint64_t inodes[WRITES], done = 0;
    int r = make_old_files(of, &workspace, inodes);

    r = r < 0 ? r : note(workspace, inodes[0], 0, &plan->writes[0]);
    r = r < 0 ? r : fill(workspace, inodes[0], 8192, 'n', 4096);
    r = r < 0 ? r
              : riad_mknod(workspace, &alice, RIAD_ROOT_INODE, "clone", S_IFREG | 0644, 0, &row);
    r = r < 0 ? r
              : riad_copy_range(workspace, &alice, inodes[0], 0, row.inode, 0, plan->size, &done);
    r = r < 0 ? r : riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "later", 0755, &row);
    return (r < 0 || done == 0 ? -EIO : commit_index(workspace)) < 0;
}

static void rows_that_refer_to_older_payloads_are_not_judged_by_them(void **state)
{
    for (enum memory memory = MEMORY_KEPT; memory < MEMORIES; memory++) {
        struct riad_workspace *workspace;

        plan->size = BULK;
        run_and_die(&fixture, die_sharing);
        lose_a_page(&plan->writes[0]);
        remember(memory);
        workspace = fixture_open(&fixture);
        assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "later"), 0);
        assert_unreadable(workspace, "f0", BULK / 2);
        assert_unreadable(workspace, "clone", BULK / 2);
        assert_filled(workspace, inode_of(workspace, RIAD_ROOT_INODE, "clone"), 8192, 'n', 4096);
        fixture_close(workspace);
        teardown(state);
        setup(state);
    }
}

static int note_settled(void *context, const uint8_t *content, size_t size,
        const struct riad_end *end, uint64_t start, bool settled)
{
    (void)content;
    (void)size;
    (void)start;
    if (settled) {
        *(uint64_t *)context = end->sequence.number;
    }
    return 0;
}

/* Number of the last change that is settled for a reader who has only the store. */
static uint64_t settled_number(void)
{
    struct riad_history history = { 0 };
    struct riad_keys *keys = NULL;
    struct riad_replay_result result;
    uint64_t number = 0;
    struct riad_replay replay = { .workspace_fd = fixture.workspace_fd,
        .history = &history,
        .apply = note_settled,
        .context = &number };

    assert_int_equal(riad_keys_new(&fixture.workspace, 1, fixture.root, &keys), 0);
    assert_int_equal(riad_history_load(fixture.workspace_fd, &fixture.binding, fixture.signers,
                             &fixture.workspace, &history),
            0);
    replay.keys = keys;
    assert_int_equal(riad_replay_run(&replay, &result), 0);
    riad_history_done(&history);
    riad_keys_free(keys);
    return number;
}

/* P2: a payload that went because its file did must not look like one that was torn off. */
static void a_segment_goes_only_when_the_log_settles_its_changes(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status;
    uint64_t large = make_file(workspace, RIAD_ROOT_INODE, "large");

    (void)state;
    write_fill(workspace, large, 0, 'x', 1 << 20);
    riad_forget(workspace, large, 1);
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    assert_int_equal(riad_unlink(workspace, &alice, RIAD_ROOT_INODE, "large"), 0);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_true(settled_number() < status.end.sequence.number);
    for (int i = 0; i < 150 && count_files(&fixture, "data") > 0; i++) {
        riad_sleep_ms(100);
    }
    assert_int_equal(count_files(&fixture, "data"), 0);
    assert_true(settled_number() >= status.end.sequence.number);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* Writes and removes a large file, makes another thing durable, and waits until the segment went.
 */
static int die_when_a_segment_went(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    int r = fixture_try_open(of, &workspace);

    r = r < 0 ? r
              : riad_mknod(workspace, &alice, RIAD_ROOT_INODE, "large", S_IFREG | 0644, 0, &row);
    r = r < 0 ? r : fill(workspace, row.inode, 0, 'x', BULK);
    if (r >= 0) {
        riad_forget(workspace, row.inode, 1);
        r = riad_unlink(workspace, &alice, RIAD_ROOT_INODE, "large");
    }
    r = r < 0 ? r : riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "durable", 0755, &row);
    r = r < 0 ? r : riad_workspace_sync(workspace);
    for (int i = 0; i < 200 && r >= 0 && count_files(of, "data") > 0; i++) {
        riad_sleep_ms(100);
    }
    return r < 0 || count_files(of, "data") > 0;
}

static void what_was_synced_outlives_a_segment_that_went(void **state)
{
    struct riad_workspace *workspace;

    (void)state;
    run_and_die(&fixture, die_when_a_segment_went);
    fixture_forget(&fixture);
    fixture_assert_sound(&fixture);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "large"), -ENOENT);
    assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "durable"), 0);
    fixture_close(workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                a_run_that_grew_is_judged_by_what_was_added, setup, teardown),
        cmocka_unit_test_setup_teardown(
                rows_that_refer_to_older_payloads_are_not_judged_by_them, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_segment_goes_only_when_the_log_settles_its_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(
                what_was_synced_outlives_a_segment_that_went, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
