/* Changes to a roster as a manager drafts them, and as a node publishes them. */
#include "draft_fixture.h"

static void a_member_who_is_added_opens_the_workspace(void **state)
{
    struct riad_hash before = roster.head;
    const struct riad_member *member;

    (void)state;
    assert_int_equal(open_as(&other.id, &other_keys), -ENOKEY);
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
    assert_int_equal(roster.entries, 2);
    assert_int_equal(roster.member_count, 2);
    assert_true(riad_roster_passed(&roster, 1, &before));
    member = riad_roster_find(&roster, &other.id);
    assert_int_equal(member->role, RIAD_ROLE_READER);
    assert_memory_equal(&member->sign_key, &other.sign_key, sizeof member->sign_key);
    assert_int_equal(open_as(&other.id, &other_keys), 0);
    assert_int_equal(open_as_owner(), 0);
}

static int set_role(
        const struct riad_id *user, enum riad_role role, const struct riad_keypair *keys)
{
    _cleanup_(riad_writer_done) struct riad_writer changed = { 0 };
    int r = riad_roster_draft_role(
            &fixture.store.binding, &roster, file.data, file.size, user, role, keys, &changed);

    if (r < 0) {
        assert_null(changed.data);
        return r;
    }
    assert_int_equal(
            riad_roster_replace(&fixture.store, &workspace, changed.data, changed.size), 0);
    reload();
    return 0;
}

/* What opened it before does so still: a change that is cut short keeps nobody out. */
static void another_role_keeps_the_wrap(void **state)
{
    struct riad_hash wrap;

    (void)state;
    assert_int_equal(set_role(&other.id, RIAD_ROLE_WRITER, &fixture.keys), -ENOENT);
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
    wrap = riad_roster_find(&roster, &other.id)->wrap_hash;
    assert_int_equal(set_role(&other.id, RIAD_ROLE_WRITER, &other_keys), -EPERM);
    assert_int_equal(set_role(&other.id, 0, &fixture.keys), -EINVAL);
    assert_int_equal(set_role(&other.id, 4, &fixture.keys), -EINVAL);
    assert_int_equal(set_role(&fixture.user.id, RIAD_ROLE_WRITER, &fixture.keys), -EBUSY);
    assert_int_equal(set_role(&other.id, RIAD_ROLE_MANAGER, &fixture.keys), 0);
    assert_int_equal(riad_roster_find(&roster, &other.id)->role, RIAD_ROLE_MANAGER);
    assert_memory_equal(&riad_roster_find(&roster, &other.id)->wrap_hash, &wrap, sizeof wrap);
    assert_int_equal(open_as(&other.id, &other_keys), 0);
    assert_int_equal(set_role(&fixture.user.id, RIAD_ROLE_READER, &other_keys), 0);
    assert_int_equal(set_role(&other.id, RIAD_ROLE_READER, &other_keys), -EBUSY);
}

static void roles_have_names(void **state)
{
    enum riad_role role = RIAD_ROLE_READER;

    (void)state;
    assert_int_equal(riad_role_parse("manager", &role), 0);
    assert_int_equal(role, RIAD_ROLE_MANAGER);
    assert_int_equal(riad_role_parse("Writer", &role), -EINVAL);
    assert_int_equal(riad_role_parse("", &role), -EINVAL);
    assert_int_equal(role, RIAD_ROLE_MANAGER);
    assert_string_equal(riad_role_name(RIAD_ROLE_READER), "reader");
    assert_string_equal(riad_role_name(0), "");
    assert_string_equal(riad_role_name(4), "");
}

static void roles_change_and_members_go(void **state)
{
    (void)state;
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
    assert_int_equal(put(&other, RIAD_ROLE_MANAGER, &fixture.keys), 0);
    assert_int_equal(roster.member_count, 2);
    assert_int_equal(open_as(&other.id, &other_keys), 0);
    /* She manages: also those who made her a manager. */
    assert_int_equal(put(&fixture.user, RIAD_ROLE_WRITER, &other_keys), 0);
    assert_int_equal(open_as_owner(), 0);
    assert_int_equal(put(&fixture.user, RIAD_ROLE_MANAGER, &fixture.keys), -EPERM);
    assert_int_equal(take_out(&fixture.user.id, &other_keys), 0);
    assert_int_equal(roster.entries, 5);
    assert_int_equal(roster.member_count, 1);
    assert_int_equal(open_as_owner(), -ENOKEY);
    assert_int_equal(open_as(&other.id, &other_keys), 0);
}

/* Whatever hash the caller has put there. */
static void each_draft_has_a_wrap_of_its_own(void **state)
{
    _cleanup_(riad_writer_done) struct riad_writer one = { 0 };
    _cleanup_(riad_writer_done) struct riad_writer two = { 0 };
    _cleanup_(riad_roster_done) struct riad_roster parsed = { 0 };
    uint8_t first[RIAD_WRAP_SIZE], second[RIAD_WRAP_SIZE];
    struct riad_member member = member_of(&other, RIAD_ROLE_WRITER);

    (void)state;
    member.wrap_hash.bytes[0] = 9;
    assert_int_equal(riad_roster_draft_put(&fixture.store.binding, &roster, file.data, file.size,
                             &member, root, &fixture.keys, &one, first),
            0);
    assert_int_equal(riad_roster_draft_put(&fixture.store.binding, &roster, file.data, file.size,
                             &member, root, &fixture.keys, &two, second),
            0);
    assert_memory_not_equal(first, second, sizeof first);
    assert_memory_equal(one.data, file.data, file.size);
    assert_int_equal(riad_roster_parse(&fixture.store.binding, &workspace, &fixture.keys.sign_key,
                             two.data, two.size, &parsed),
            0);
    assert_int_equal(
            riad_roster_check_wrap(riad_roster_find(&parsed, &other.id), second, sizeof second), 0);
    assert_int_equal(
            riad_roster_check_wrap(riad_roster_find(&parsed, &other.id), first, sizeof first),
            -EBADMSG);
    /* The store is as it was: drafts are only drafts. */
    assert_int_equal(open_as(&other.id, &other_keys), -ENOKEY);
}

static void only_managers_draft(void **state)
{
    _cleanup_(riad_keypair_done) struct riad_keypair nobody = { 0 };
    struct riad_user stranger;

    (void)state;
    assert_int_equal(riad_user_create(&stranger, &nobody), 0);
    assert_int_equal(put(&stranger, RIAD_ROLE_READER, &nobody), -EPERM);
    assert_int_equal(take_out(&fixture.user.id, &nobody), -EPERM);
    assert_int_equal(put(&other, RIAD_ROLE_WRITER, &fixture.keys), 0);
    assert_int_equal(put(&stranger, RIAD_ROLE_READER, &other_keys), -EPERM);
    assert_int_equal(put(&other, RIAD_ROLE_MANAGER, &other_keys), -EPERM);
    assert_int_equal(take_out(&other.id, &other_keys), -EPERM);
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
    assert_int_equal(put(&stranger, RIAD_ROLE_READER, &other_keys), -EPERM);
    assert_int_equal(put(&other, RIAD_ROLE_MANAGER, &fixture.keys), 0);
    assert_int_equal(put(&stranger, RIAD_ROLE_READER, &other_keys), 0);
    assert_int_equal(roster.member_count, 3);
}

static void a_manager_is_left(void **state)
{
    (void)state;
    assert_int_equal(put(&other, RIAD_ROLE_WRITER, &fixture.keys), 0);
    assert_int_equal(put(&fixture.user, RIAD_ROLE_READER, &fixture.keys), -EBUSY);
    assert_int_equal(put(&fixture.user, RIAD_ROLE_WRITER, &fixture.keys), -EBUSY);
    assert_int_equal(take_out(&fixture.user.id, &fixture.keys), -EBUSY);
    assert_int_equal(put(&fixture.user, RIAD_ROLE_MANAGER, &fixture.keys), 0);
    assert_int_equal(put(&other, RIAD_ROLE_MANAGER, &fixture.keys), 0);
    assert_int_equal(take_out(&fixture.user.id, &fixture.keys), 0);
    assert_int_equal(take_out(&other.id, &other_keys), -EBUSY);
}

static void what_is_not_right_is_not_drafted(void **state)
{
    struct riad_secret *right = root;
    struct riad_id nobody = { { 1 } };

    (void)state;
    assert_int_equal(put(&other, 0, &fixture.keys), -EINVAL);
    assert_int_equal(put(&other, 4, &fixture.keys), -EINVAL);
    assert_int_equal(take_out(&nobody, &fixture.keys), -ENOENT);
    assert_int_equal(take_out(&other.id, &fixture.keys), -ENOENT);
    assert_int_equal(riad_secret_new_random(32, &root), 0);
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), -EBADMSG);
    riad_secret_free(root);
    root = right;
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
}

/* Adds members, each with a key of nobody's, until there are so many. */
static void fill(size_t members)
{
    struct riad_roster_entry entry = { .kind = RIAD_ROSTER_MEMBER_PUT,
        .workspace = workspace,
        .number = roster.entries,
        .previous = roster.head,
        .member = member_of(&other, RIAD_ROLE_READER) };
    _cleanup_(riad_writer_done) struct riad_writer longer = { 0 };

    riad_writer_init_growing(&longer, file.size, RIAD_ROSTER_FILE_MAX);
    riad_put_bytes(&longer, file.data, file.size);
    for (size_t i = roster.member_count; i < members; i++) {
        entry.member.user = (struct riad_id){ { (uint8_t)(i >> 8), (uint8_t)i, 1 } };
        assert_int_equal(riad_roster_entry_sign(&entry, &fixture.store.binding, &fixture.keys,
                                 &longer, &entry.previous),
                0);
        entry.number++;
    }
    write_bytes(workspace_fd, "roster", longer.data, longer.size);
    reload();
    assert_int_equal(roster.member_count, members);
}

/* 500, as the directory's access control list has an entry for each. More are read. */
static void there_is_a_bound_of_members(void **state)
{
    struct riad_id one = { { 0, 1, 1 } }, two = { { 0, 2, 1 } };

    (void)state;
    fill(RIAD_ROSTER_MEMBERS_MAX - 1);
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
    assert_int_equal(roster.member_count, 500);
    assert_int_equal(put(&other, RIAD_ROLE_WRITER, &fixture.keys), 0);
    assert_int_equal(take_out(&one, &fixture.keys), 0);
    fill(RIAD_ROSTER_MEMBERS_MAX + 1);
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
    assert_int_equal(take_out(&other.id, &fixture.keys), 0);
    assert_int_equal(roster.member_count, 500);
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), -E2BIG);
    assert_int_equal(take_out(&two, &fixture.keys), 0);
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
}

static void a_file_that_is_full_stays(void **state)
{
    (void)state;
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
    bytes_done(&file);
    file.size = RIAD_ROSTER_FILE_MAX - 100;
    file.data = calloc(1, file.size);
    assert_non_null(file.data);
    assert_int_equal(put(&other, RIAD_ROLE_WRITER, &fixture.keys), -ENOBUFS);
    assert_int_equal(take_out(&other.id, &fixture.keys), -ENOBUFS);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_draft, teardown_draft)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_member_who_is_added_opens_the_workspace),
        TEST(another_role_keeps_the_wrap),
        TEST(roles_have_names),
        TEST(roles_change_and_members_go),
        TEST(each_draft_has_a_wrap_of_its_own),
        TEST(only_managers_draft),
        TEST(a_manager_is_left),
        TEST(what_is_not_right_is_not_drafted),
        TEST(there_is_a_bound_of_members),
        TEST(a_file_that_is_full_stays),
    };

    return cmocka_run_group_tests_name("roster_draft", tests, NULL, NULL);
}
