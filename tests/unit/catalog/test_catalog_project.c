/* Names of projects and registered states of rosters (FORMAT 3.5, kinds 5 and 6). */
#include "project_fixture.h"

static int reserve(struct riad_catalog *catalog, uint8_t number, const char *name)
{
    const struct riad_catalog_workspace project = project_of(number, name);

    return riad_catalog_reserve(&fixture.store, &fixture.keys, catalog, &project);
}

static int delete_workspace(struct riad_catalog *catalog, uint8_t number)
{
    const struct riad_id id = id_of(number);

    return riad_catalog_delete_workspace(&fixture.store, &fixture.keys, catalog, &id);
}

static int set_roster(
        struct riad_catalog *catalog, uint8_t number, uint64_t entries, const char *text)
{
    struct riad_member members[MEMBERS_MAX];
    const struct riad_roster roster = { .entries = entries,
        .head = { { (uint8_t)entries, 7 } },
        .members = members,
        .member_count = parse_members(text, members) };
    const struct riad_id id = id_of(number);

    return riad_catalog_set_roster(&fixture.store, &fixture.keys, catalog, &id, &roster);
}

/* What find_member says of 'a', 'b' ...: their roles; '-' for no member. */
static void assert_roles(const struct riad_catalog *catalog, uint8_t number, const char *expected)
{
    const struct riad_id id = id_of(number);
    const struct riad_catalog_workspace *found = riad_catalog_find(catalog, &id);
    size_t members = 0;

    assert_non_null(found);
    for (size_t i = 0; expected[i]; i++) {
        const struct riad_id user = id_of((uint8_t)('a' + i));
        const struct riad_catalog_member *member = riad_catalog_find_member(found, &user);

        assert_int_equal(expected[i], roles[member ? member->role : 0]);
        members += member != NULL;
    }
    assert_int_equal(found->member_count, members);
}

static void assert_same_workspace(
        const struct riad_catalog_workspace *a, const struct riad_catalog_workspace *b)
{
    assert_memory_equal(&a->id, &b->id, sizeof a->id);
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->deleted, b->deleted);
    assert_memory_equal(&a->owner, &b->owner, sizeof a->owner);
    assert_memory_equal(&a->limit, &b->limit, sizeof a->limit);
    assert_true(a->expiry.expires == b->expiry.expires && a->expiry.grace == b->expiry.grace);
    assert_string_equal(a->name, b->name);
    assert_true(a->roster_entries == b->roster_entries);
    assert_memory_equal(&a->roster_head, &b->roster_head, sizeof a->roster_head);
    assert_int_equal(a->member_count, b->member_count);
    for (size_t i = 0; i < a->member_count; i++) {
        assert_memory_equal(&a->members[i].user, &b->members[i].user, sizeof(struct riad_id));
        assert_int_equal(a->members[i].role, b->members[i].role);
    }
}

static void assert_reads_the_same(const struct riad_catalog *catalog)
{
    _cleanup_catalog_ struct riad_catalog again = { 0 };

    assert_int_equal(load(&again), 0);
    assert_int_equal(again.workspace_count, catalog->workspace_count);
    assert_int_equal(again.ends.count, catalog->ends.count);
    for (size_t i = 0; i < again.workspace_count; i++) {
        assert_same_workspace(&again.workspaces[i], &catalog->workspaces[i]);
    }
}

static void a_reserved_project_is_found_by_its_name(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    struct riad_catalog_workspace project = project_of(1, "atlas");
    const struct riad_catalog_workspace *found;

    (void)state;
    project.kind = RIAD_KIND_HOME; /* not asked */
    project.expiry = (struct riad_catalog_expiry){ 1000, 10 };
    assert_int_equal(add(&catalog, 9, 5), 0);
    assert_int_equal(riad_catalog_reserve(&fixture.store, &fixture.keys, &catalog, &project), 0);
    assert_int_equal(reserve(&catalog, 2, "borealis"), 0);
    assert_int_equal(catalog.ends.count, 3);
    assert_int_equal(riad_chain_last(&catalog.ends).next_number, 2 + 4 + 3);
    found = riad_catalog_find_project(&catalog, "atlas");
    assert_non_null(found);
    project.kind = RIAD_KIND_PROJECT;
    assert_same_workspace(found, &project);
    assert_int_equal(found->roster_entries, 0);
    assert_memory_equal(riad_catalog_find_project(&catalog, "borealis")->id.bytes, "\2", 2);
    assert_null(riad_catalog_find_project(&catalog, "atla"));
    assert_null(riad_catalog_find_project(&catalog, "")); /* 9 has none */
    assert_reads_the_same(&catalog);
}

static void a_name_has_one_project(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog stale = { 0 };

    (void)state;
    assert_int_equal(reserve(&catalog, 1, "atlas"), 0);
    assert_int_equal(reserve(&catalog, 2, "atlas"), -EEXIST);
    assert_int_equal(reserve(&catalog, 1, "other"), -EEXIST);
    assert_int_equal(reserve(&stale, 2, "atlas"), -EEXIST);
    assert_int_equal(stale.workspace_count, 0);
    assert_int_equal(catalog.ends.count, 1);
    /* Deleted, it leaves its name, and not its id. */
    assert_int_equal(delete_workspace(&catalog, 1), 0);
    assert_null(riad_catalog_find_project(&catalog, "atlas"));
    assert_int_equal(reserve(&catalog, 1, "atlas"), -EEXIST);
    assert_int_equal(reserve(&catalog, 2, "atlas"), 0);
    assert_memory_equal(riad_catalog_find_project(&catalog, "atlas")->id.bytes, "\2", 2);
    assert_int_equal(reserve(&catalog, 3, "atlas"), -EEXIST);
    assert_reads_the_same(&catalog);
}

static void what_cannot_be_read_is_not_reserved(void **state)
{
    static const char *const bad[] = { "", "a b", "a/b", "a:b", ".a", "-a", "a\n", "\x7f" };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    struct riad_catalog_workspace project = project_of(1, "far");
    char longest[RIAD_PROJECT_NAME_MAX + 1] = "";

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(reserve(&catalog, 1, bad[i]), -EINVAL);
    }
    project.expiry.expires = INT64_MAX;
    assert_int_equal(
            riad_catalog_reserve(&fixture.store, &fixture.keys, &catalog, &project), -EINVAL);
    memset(project.name, 'x', sizeof project.name); /* no end */
    project.expiry.expires = 0;
    assert_int_equal(
            riad_catalog_reserve(&fixture.store, &fixture.keys, &catalog, &project), -EINVAL);
    memset(longest, 'x', sizeof longest - 1);
    assert_int_equal(reserve(&catalog, 1, longest), 0);
    assert_non_null(riad_catalog_find_project(&catalog, longest));
    assert_reads_the_same(&catalog);
}

static void a_registered_roster_is_replaced_by_longer_ones(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    const struct riad_id id = id_of(1);
    const struct riad_catalog_workspace *found;

    (void)state;
    assert_int_equal(reserve(&catalog, 1, "atlas"), 0);
    assert_roles(&catalog, 1, "-----");
    assert_int_equal(set_roster(&catalog, 1, 1, "ma"), 0);
    assert_roles(&catalog, 1, "m----");
    assert_int_equal(set_roster(&catalog, 1, 5, "wdmamcrbwe"), 0);
    assert_roles(&catalog, 1, "mrmww");
    found = riad_catalog_find(&catalog, &id);
    assert_int_equal(found->roster_entries, 5);
    assert_memory_equal(&found->roster_head, "\5\7", 3);
    assert_reads_the_same(&catalog);
    assert_int_equal(set_roster(&catalog, 1, 5, "ma"), -ESTALE);
    assert_int_equal(set_roster(&catalog, 1, 4, "ma"), -ESTALE);
    assert_int_equal(set_roster(&catalog, 1, 0, "ma"), -ESTALE);
    assert_roles(&catalog, 1, "mrmww");
    assert_int_equal(set_roster(&catalog, 1, 6, "mcwa"), 0);
    assert_roles(&catalog, 1, "w-m--");
    assert_int_equal(riad_chain_last(&catalog.ends).next_number, 3 + 3);
    assert_reads_the_same(&catalog);
}

/* Each addition works on a copy. */
static void members_outlast_other_additions(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 10), 0);
    assert_int_equal(reserve(&catalog, 2, "atlas"), 0);
    assert_int_equal(set_roster(&catalog, 1, 1, "ma"), 0);
    assert_int_equal(set_roster(&catalog, 2, 3, "mbwcra"), 0);
    assert_int_equal(set_limit(&catalog, 1, 11), 0);
    assert_int_equal(add(&catalog, 1, 10), -EEXIST);
    for (uint8_t i = 3; i < 40; i++) {
        assert_int_equal(add(&catalog, i, i), 0);
    }
    assert_int_equal(delete_workspace(&catalog, 1), 0);
    assert_roles(&catalog, 1, "m--");
    assert_roles(&catalog, 2, "rmw");
    assert_reads_the_same(&catalog);
}

static void a_stale_catalog_registers_nothing_older(void **state)
{
    _cleanup_catalog_ struct riad_catalog one = { 0 };
    _cleanup_catalog_ struct riad_catalog two = { 0 };

    (void)state;
    assert_int_equal(reserve(&one, 1, "atlas"), 0);
    assert_int_equal(load(&two), 0);
    assert_int_equal(set_roster(&one, 1, 3, "mawb"), 0);
    assert_int_equal(set_roster(&two, 1, 2, "ma"), -ESTALE);
    assert_roles(&two, 1, "--");
    assert_int_equal(set_roster(&two, 1, 4, "mb"), 0);
    assert_int_equal(set_roster(&one, 1, 4, "ma"), -ESTALE);
    assert_int_equal(riad_catalog_catch_up(&fixture.store, &one), 0);
    assert_roles(&one, 1, "-m");
    assert_reads_the_same(&one);
}

static void rosters_of_nothing_or_of_no_parser_are_refused(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(set_roster(&catalog, 1, 1, "ma"), -ENOENT);
    assert_int_equal(reserve(&catalog, 1, "atlas"), 0);
    assert_int_equal(set_roster(&catalog, 2, 1, "ma"), -ENOENT);
    assert_int_equal(set_roster(&catalog, 1, 1, ""), -EINVAL);
    assert_int_equal(set_roster(&catalog, 1, 1, "warb"), -EINVAL);
    assert_int_equal(set_roster(&catalog, 1, 1, "mawbrb"), -EINVAL);
    assert_int_equal(set_roster(&catalog, 1, 1, "ma?b"), -EINVAL);
    assert_int_equal(set_roster(&catalog, 1, 1, "ma-b"), -EINVAL);
    assert_int_equal(catalog.ends.count, 1);
    assert_int_equal(delete_workspace(&catalog, 1), 0);
    assert_int_equal(set_roster(&catalog, 1, 1, "ma"), -ENOENT);
    assert_int_equal(try_load(), 0);
}

static void a_read_only_store_is_not_changed(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(reserve(&catalog, 1, "atlas"), 0);
    fixture.store.read_only = true;
    assert_int_equal(reserve(&catalog, 2, "borealis"), -EROFS);
    assert_int_equal(set_roster(&catalog, 1, 1, "ma"), -EROFS);
    assert_int_equal(catalog.ends.count, 1);
}

static void as_many_members_as_a_roster_has_are_registered(void **state)
{
    enum { COUNT = RIAD_CATALOG_MEMBERS_MAX };
    _cleanup_free_ struct riad_member *members = calloc(COUNT + 1, sizeof *members);
    struct riad_roster roster = { .entries = 1, .members = members, .member_count = COUNT + 1 };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    const struct riad_id id = id_of(1);

    (void)state;
    assert_non_null(members);
    for (int i = 0; i <= COUNT; i++) { /* descending */
        members[i].user.bytes[0] = (uint8_t)((COUNT - i) >> 8);
        members[i].user.bytes[1] = (uint8_t)(COUNT - i);
        members[i].role = i == 5 ? RIAD_ROLE_MANAGER : RIAD_ROLE_READER;
    }
    assert_int_equal(reserve(&catalog, 1, "atlas"), 0);
    assert_int_equal(riad_catalog_set_roster(&fixture.store, &fixture.keys, &catalog, &id, &roster),
            -EINVAL);
    roster.member_count = COUNT;
    assert_int_equal(
            riad_catalog_set_roster(&fixture.store, &fixture.keys, &catalog, &id, &roster), 0);
    assert_int_equal(riad_catalog_find(&catalog, &id)->member_count, COUNT);
    assert_reads_the_same(&catalog);
}

static void every_damage_is_refused(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(reserve(&catalog, 1, "atlas"), 0);
    assert_int_equal(set_roster(&catalog, 1, 2, "mawb"), 0);
    assert_every_damage_refused(catalog_fd, "0000000000000000", try_load);
    assert_every_damage_refused(catalog_fd, "0000000000000003", try_load);
}

/* From some call on everything fails, for every such call: the members are the old or the new ones,
 * and the caller's struct is untouched by an error. */
static void a_registration_that_fails_leaves_old_or_new(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    unsigned number = 0;
    int r;

    (void)state;
    assert_int_equal(reserve(&catalog, 1, "atlas"), 0);
    assert_int_equal(set_roster(&catalog, 1, 1, "ma"), 0);
    faults_install();
    do {
        uint64_t batches = catalog.ends.count;
        uint64_t entries = catalog.workspaces[0].roster_entries;

        faults_fail_from(FAULT_ANY, ++number, EIO);
        r = set_roster(&catalog, 1, entries + 1, entries % 2 ? "mawbrc" : "ma");
        faults_fail(FAULT_NONE, 0, 0);
        if (r < 0) {
            assert_int_equal(r, -EIO);
            assert_int_equal(catalog.ends.count, batches);
            assert_int_equal(catalog.workspaces[0].roster_entries, entries);
            riad_catalog_done(&catalog);
            assert_int_equal(load(&catalog), 0);
        }
        assert_true(
                catalog.workspaces[0].roster_entries == entries + (catalog.ends.count - batches));
        assert_roles(&catalog, 1, catalog.workspaces[0].roster_entries % 2 ? "m--" : "mwr");
    } while (r < 0);
    assert_true(number > 10);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_reserved_project_is_found_by_its_name),
        TEST(a_name_has_one_project),
        TEST(what_cannot_be_read_is_not_reserved),
        TEST(a_registered_roster_is_replaced_by_longer_ones),
        TEST(members_outlast_other_additions),
        TEST(a_stale_catalog_registers_nothing_older),
        TEST(rosters_of_nothing_or_of_no_parser_are_refused),
        TEST(a_read_only_store_is_not_changed),
        TEST(as_many_members_as_a_roster_has_are_registered),
        TEST(every_damage_is_refused),
        TEST(a_registration_that_fails_leaves_old_or_new),
    };

    return cmocka_run_group_tests_name("catalog_project", tests, NULL, NULL);
}
