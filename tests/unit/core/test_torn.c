/* P3: the history ends before the first unsynced change whose payload a power cut took; what was
 * synced is damaged, or whole (P5). */
#include "torn.h"

static int overwrite(struct riad_workspace *workspace, const uint64_t inodes[WRITES])
{
    int r = 0;

    for (size_t i = 0; i < WRITES && r >= 0; i++) {
        r = fill(workspace, inodes[i], 0, 'n', plan->size);
        r = r < 0 ? r : note(workspace, inodes[i], 0, &plan->writes[i]);
    }
    return r < 0 ? r : commit_index(workspace);
}

static int die_unsynced(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    uint64_t inodes[WRITES];
    int r = make_old_files(of, &workspace, inodes);

    return (r < 0 ? r : overwrite(workspace, inodes)) < 0;
}

/* The same, but all of it is synced, and a change behind the sync says so. */
static int die_synced(struct fixture *of)
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    uint64_t inodes[WRITES];
    int r = make_old_files(of, &workspace, inodes);

    if (r >= 0) {
        r = overwrite(workspace, inodes);
    }
    if (r >= 0) {
        r = riad_workspace_sync(workspace);
    }
    if (r >= 0) {
        r = riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, "later", 0755, &row);
    }
    return (r < 0 ? r : commit_index(workspace)) < 0;
}

static void lose_all(const struct written *written)
{
    zero(written, written->position, written->position + written->size);
}

/* The file was not grown yet. Of the log this takes the changes too. */
static void lose_the_rest(const struct written *written)
{
    int fd = open_segment(written->segment);

    assert_int_equal(ftruncate(fd, written->position + written->size / 2), 0);
    close(fd);
}

typedef void (*loss)(const struct written *written);

static void assert_contents(struct riad_workspace *workspace, size_t renewed)
{
    for (size_t i = 0; i < WRITES; i++) {
        assert_filled(workspace, inode_of(workspace, RIAD_ROOT_INODE, name_of(i)), 0,
                i < renewed ? 'n' : 'o', plan->size);
    }
}

static void assert_told(struct riad_workspace *workspace, const char *what)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    if (!strstr(status.event, what)) {
        fail_msg("event: %s", status.event);
    }
}

/* The history ends before the write k, for the present and for all later openings. */
static void assert_ends_before(size_t k)
{
    struct riad_workspace *workspace;
    struct riad_workspace_status status;
    struct rows before, after;

    fixture_assert_sound(&fixture);
    workspace = fixture_open(&fixture);
    assert_told(workspace, "power");
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_int_equal(status.state, RIAD_WORKSPACE_RUNNING);
    assert_int_equal(status.end.sequence.number, plan->writes[k].number - 1);
    assert_contents(workspace, k);
    make_directory(workspace, RIAD_ROOT_INODE, "afterwards");
    before = rows_of(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    assert_contents(workspace, k);
    fixture_close(workspace);
}

static void tear_every_write(void **state, size_t size, loss lose)
{
    for (size_t k = 0; k < WRITES; k++) {
        for (enum memory memory = MEMORY_KEPT; memory < MEMORIES; memory++) {
            plan->size = size;
            run_and_die(&fixture, die_unsynced);
            lose(&plan->writes[k]);
            remember(memory);
            assert_ends_before(k);
            teardown(state);
            setup(state);
        }
    }
}

static void a_small_payload_that_lost_a_page_ends_the_history(void **state)
{
    tear_every_write(state, SMALL, lose_a_page);
}

static void a_small_payload_that_is_missing_ends_the_history(void **state)
{
    tear_every_write(state, SMALL, lose_all);
}

static void a_bulk_payload_that_lost_a_page_ends_the_history(void **state)
{
    tear_every_write(state, BULK, lose_a_page);
}

static void a_bulk_payload_that_is_missing_ends_the_history(void **state)
{
    tear_every_write(state, BULK, lose_all);
}

static void a_bulk_payload_past_the_files_end_ends_the_history(void **state)
{
    tear_every_write(state, BULK, lose_the_rest);
}

static void without_damage_all_unsynced_changes_count(void **state)
{
    static const size_t sizes[] = { SMALL, BULK };

    for (size_t i = 0; i < 2; i++) {
        for (enum memory memory = MEMORY_KEPT; memory < MEMORIES; memory++) {
            struct riad_workspace *workspace;

            plan->size = sizes[i];
            run_and_die(&fixture, die_unsynced);
            remember(memory);
            fixture_assert_sound(&fixture);
            workspace = fixture_open(&fixture);
            assert_contents(workspace, WRITES);
            fixture_close(workspace);
            teardown(state);
            setup(state);
        }
    }
}

/* P5, L4: below what a later change calls durable, damage is damage, of that file only. */
static void a_settled_payload_that_is_damaged_cuts_nothing(void **state)
{
    static const size_t sizes[] = { SMALL, BULK };

    for (size_t i = 0; i < 2 * MEMORIES; i++) {
        struct riad_workspace *workspace;
        size_t k = i % WRITES;

        plan->size = sizes[i / MEMORIES];
        run_and_die(&fixture, die_synced);
        lose_a_page(&plan->writes[k]);
        remember(i % MEMORIES);
        workspace = fixture_open(&fixture);
        assert_int_equal(look_up(workspace, RIAD_ROOT_INODE, "later"), 0);
        for (size_t other = 0; other < WRITES; other++) {
            if (other == k) {
                assert_unreadable(workspace, name_of(k), plan->size / 2);
            } else {
                assert_filled(workspace, inode_of(workspace, RIAD_ROOT_INODE, name_of(other)), 0,
                        'n', plan->size);
            }
        }
        fixture_close(workspace);
        teardown(state);
        setup(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                a_small_payload_that_lost_a_page_ends_the_history, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_small_payload_that_is_missing_ends_the_history, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_bulk_payload_that_lost_a_page_ends_the_history, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_bulk_payload_that_is_missing_ends_the_history, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_bulk_payload_past_the_files_end_ends_the_history, setup, teardown),
        cmocka_unit_test_setup_teardown(without_damage_all_unsynced_changes_count, setup, teardown),
        cmocka_unit_test_setup_teardown(
                a_settled_payload_that_is_damaged_cuts_nothing, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
