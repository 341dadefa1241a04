/* Publishing a workspace and its wraps: what was cut short, what is there already. */
#include "faults.h"
#include "roster_fixture.h"

static int teardown_files(void **state)
{
    faults_remove();
    return teardown(state);
}

static struct riad_id next_id(void)
{
    static uint8_t number;

    return (struct riad_id){ { 0xfe, ++number } };
}

static void draft(const struct riad_id *id, struct riad_workspace_draft *ret)
{
    assert_int_equal(riad_roster_draft(&fixture.store.binding, id, RIAD_KIND_PROJECT, "atlas",
                             &fixture.user, &fixture.keys, ret),
            0);
}

static int publish(const struct riad_workspace_draft *made)
{
    return riad_roster_publish(&fixture.store, &made->id, &fixture.user.id, made->wrap,
            sizeof made->wrap, made->roster.data, made->roster.size);
}

/* Opens as the owner, with the root of this draft. */
static void assert_published(const struct riad_workspace_draft *made)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    struct riad_id before = workspace;

    workspace = made->id;
    assert_int_equal(open_as_owner(), 0);
    assert_int_equal(load(&roster), 0);
    assert_int_equal(riad_roster_check_root(&roster, made->root), 0);
    assert_int_equal(roster.kind, RIAD_KIND_PROJECT);
    workspace = before;
}

#define _cleanup_draft_ _cleanup_(riad_workspace_draft_done)

static void a_draft_is_for_the_id_that_was_reserved(void **state)
{
    _cleanup_draft_ struct riad_workspace_draft one = { 0 };
    _cleanup_draft_ struct riad_workspace_draft two = { 0 };
    _cleanup_draft_ struct riad_workspace_draft three = { 0 };
    const struct riad_id id = next_id();

    (void)state;
    draft(&id, &one);
    assert_memory_equal(&one.id, &id, sizeof id);
    assert_int_equal(publish(&one), 0);
    assert_published(&one);
    draft(NULL, &two);
    draft(NULL, &three);
    assert_memory_not_equal(&two.id, &three.id, sizeof id);
    assert_int_equal(publish(&two), 0);
    assert_published(&two);
}

/* Neither its roster nor the wrap that this names is lost. */
static void what_is_published_is_not_published_again(void **state)
{
    _cleanup_draft_ struct riad_workspace_draft one = { 0 };
    _cleanup_draft_ struct riad_workspace_draft two = { 0 };
    const struct riad_id id = next_id();

    (void)state;
    draft(&id, &one);
    draft(&id, &two);
    assert_int_equal(publish(&one), 0);
    assert_int_equal(publish(&two), -EEXIST);
    assert_int_equal(publish(&one), -EEXIST);
    assert_published(&one);
}

/* From some call on everything fails, for every such call. The next attempt, with a draft of its
 * own, succeeds unless the roster was there. */
static void what_was_cut_short_is_done_again(void **state)
{
    unsigned number = 0, replaced = 0;
    int r;

    (void)state;
    faults_install();
    do {
        _cleanup_draft_ struct riad_workspace_draft one = { 0 };
        _cleanup_draft_ struct riad_workspace_draft two = { 0 };
        const struct riad_id id = next_id();
        int again;

        draft(&id, &one);
        draft(&id, &two);
        faults_fail_from(FAULT_ANY, ++number, EIO);
        r = publish(&one);
        faults_fail(FAULT_NONE, 0, 0);
        assert_true(r == 0 || r == -EIO);
        again = publish(&two);
        assert_true(again == -EEXIST || (again == 0 && r < 0));
        assert_published(again == 0 ? &two : &one);
        replaced += again == 0;
    } while (r < 0);
    assert_true(replaced > 20);
}

static void a_wrap_is_replaced_and_erased(void **state)
{
    _cleanup_bytes_ struct bytes before = read_bytes(workspace_fd, wrap_path);
    const struct riad_id second = { { 2 } }, unknown = { { 0xff } };
    uint8_t bytes[RIAD_WRAP_SIZE] = { 1 };

    (void)state;
    assert_int_equal(riad_roster_publish_wrap(
                             &fixture.store, &workspace, &fixture.user.id, 1, bytes, sizeof bytes),
            0);
    assert_int_equal(open_as_owner(), -EBADMSG);
    assert_int_equal(riad_roster_publish_wrap(&fixture.store, &workspace, &fixture.user.id, 1,
                             before.data, before.size),
            0);
    assert_int_equal(riad_roster_publish_wrap(
                             &fixture.store, &workspace, &fixture.user.id, 2, bytes, sizeof bytes),
            0);
    assert_int_equal(
            riad_roster_publish_wrap(&fixture.store, &workspace, &second, 1, bytes, sizeof bytes),
            0);
    assert_int_equal(open_as_owner(), 0);
    assert_int_equal(riad_roster_erase_wrap(&fixture.store, &workspace, &second, 1), 0);
    assert_int_equal(riad_roster_erase_wrap(&fixture.store, &workspace, &second, 1), 0);
    assert_int_equal(riad_roster_erase_wrap(&fixture.store, &workspace, &fixture.user.id, 2), 0);
    assert_int_equal(riad_roster_erase_wrap(&fixture.store, &unknown, &second, 1), 0);
    assert_int_equal(open_as_owner(), 0); /* only what was named is gone */
    assert_int_equal(riad_roster_erase_wrap(&fixture.store, &workspace, &fixture.user.id, 1), 0);
    assert_int_equal(faccessat(workspace_fd, wrap_path, F_OK, 0), -1);
    assert_int_equal(open_as_owner(), -EUCLEAN);
}

/* It is gone when the directory is synced, also one that was unlinked before. */
static void an_erased_wrap_is_synced(void **state)
{
    (void)state;
    faults_install();
    faults_fail(FAULT_FSYNC, 1, EIO);
    assert_int_equal(riad_roster_erase_wrap(&fixture.store, &workspace, &fixture.user.id, 1), -EIO);
    faults_fail(FAULT_FSYNC, 1, EIO);
    assert_int_equal(riad_roster_erase_wrap(&fixture.store, &workspace, &fixture.user.id, 1), -EIO);
    faults_fail(FAULT_UNLINKAT, 1, EACCES);
    assert_int_equal(
            riad_roster_erase_wrap(&fixture.store, &workspace, &fixture.user.id, 1), -EACCES);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_roster_erase_wrap(&fixture.store, &workspace, &fixture.user.id, 1), 0);
}

static void a_workspace_that_is_not_there_gets_no_files(void **state)
{
    const struct riad_id unknown = { { 0xff } };

    (void)state;
    assert_int_equal(riad_roster_replace(&fixture.store, &unknown, "x", 1), -ENOENT);
    assert_int_equal(
            riad_roster_publish_wrap(&fixture.store, &unknown, &fixture.user.id, 1, "x", 1),
            -ENOENT);
}

static void a_read_only_store_is_not_changed(void **state)
{
    _cleanup_draft_ struct riad_workspace_draft made = { 0 };

    (void)state;
    draft(NULL, &made);
    fixture.store.read_only = true;
    assert_int_equal(publish(&made), -EROFS);
    assert_int_equal(riad_roster_replace(&fixture.store, &workspace, "x", 1), -EROFS);
    assert_int_equal(
            riad_roster_publish_wrap(&fixture.store, &workspace, &fixture.user.id, 1, "x", 1),
            -EROFS);
    assert_int_equal(
            riad_roster_erase_wrap(&fixture.store, &workspace, &fixture.user.id, 1), -EROFS);
    assert_int_equal(open_as_owner(), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_draft_is_for_the_id_that_was_reserved),
        TEST(what_is_published_is_not_published_again),
        TEST(what_was_cut_short_is_done_again),
        TEST(a_wrap_is_replaced_and_erased),
        TEST(an_erased_wrap_is_synced),
        TEST(a_workspace_that_is_not_there_gets_no_files),
        TEST(a_read_only_store_is_not_changed),
    };

    return cmocka_run_group_tests_name("roster_files", tests, NULL, NULL);
}
