#include "catalog_fixture.h"

static struct riad_catalog_user user_of(uint8_t number, uint32_t uid, const char *name)
{
    struct riad_catalog_user user = { .id = { { number } },
        .uid = uid,
        .generation = 1,
        .wrap_key = fixture.keys.wrap_key,
        .sign_key = fixture.keys.sign_key };

    snprintf(user.name, sizeof user.name, "%s", name);
    return user;
}

static int enrol(struct riad_catalog *catalog, uint8_t number, uint32_t uid, const char *name)
{
    const struct riad_catalog_user user = user_of(number, uid, name);
    const struct riad_catalog_workspace home = { .id = { { (uint8_t)(number + 100) } },
        .kind = RIAD_KIND_HOME,
        .owner = user.id,
        .limit = { .bytes_hard = number } };

    return riad_catalog_enrol(&fixture.store, &fixture.keys, catalog, &user, &home);
}

static int change(
        struct riad_catalog *catalog, uint8_t number, uint32_t uid, const char *name, bool disabled)
{
    struct riad_catalog_user user = user_of(number, uid, name);

    user.disabled = disabled;
    return riad_catalog_change_user(&fixture.store, &fixture.keys, catalog, &user);
}

static void users_are_found(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog again = { 0 };
    const struct riad_catalog_user *found;
    const struct riad_id second = id_of(2), home = id_of(101);

    (void)state;
    assert_int_equal(enrol(&catalog, 1, 1001, "ann"), 0);
    assert_int_equal(enrol(&catalog, 2, 1002, "bob"), 0);
    assert_int_equal(load(&again), 0);
    assert_int_equal(again.user_count, 2);
    assert_memory_equal(again.users, catalog.users, 2 * sizeof *again.users);
    found = riad_catalog_find_uid(&again, 1001);
    assert_string_equal(found->name, "ann");
    assert_memory_equal(&found->sign_key, &fixture.keys.sign_key, sizeof found->sign_key);
    assert_ptr_equal(
            riad_catalog_find_user_name(&again, "bob"), riad_catalog_find_uid(&again, 1002));
    assert_ptr_equal(riad_catalog_find_user(&again, &second), riad_catalog_find_uid(&again, 1002));
    assert_null(riad_catalog_find_uid(&again, 1003));
    assert_null(riad_catalog_find_user_name(&again, "an"));
    assert_true(riad_catalog_find(&again, &home)->limit.bytes_hard == 1);
    assert_int_equal(again.ends.count, 2); /* a user and her home are one batch */
}

static void two_do_not_share_a_uid_or_name(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(enrol(&catalog, 1, 1001, "ann"), 0);
    assert_int_equal(enrol(&catalog, 1, 1002, "bob"), -EEXIST);
    assert_int_equal(enrol(&catalog, 2, 1001, "bob"), -EEXIST);
    assert_int_equal(enrol(&catalog, 2, 1002, "ann"), -EEXIST);
    assert_int_equal(enrol(&catalog, 2, 1002, "bob"), 0);
    assert_int_equal(change(&catalog, 2, 1001, "bob", false), -EEXIST);
    assert_int_equal(change(&catalog, 3, 1003, "eve", false), -ENOENT);
    assert_int_equal(catalog.user_count, 2);
}

/* The uid is free for another account; the first one's user comes back only where that is free. */
static void disabled_users_leave_uid_and_name(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(enrol(&catalog, 1, 1001, "ann"), 0);
    assert_int_equal(change(&catalog, 1, 1001, "ann", true), 0);
    assert_null(riad_catalog_find_uid(&catalog, 1001));
    assert_true(riad_catalog_find_user_name(&catalog, "ann")->disabled);
    assert_int_equal(enrol(&catalog, 2, 1001, "ann"), 0);
    assert_false(riad_catalog_find_user_name(&catalog, "ann")->disabled);
    assert_int_equal(change(&catalog, 1, 1001, "ann", false), -EEXIST);
    assert_int_equal(change(&catalog, 2, 1001, "ann", true), 0);
    assert_int_equal(change(&catalog, 1, 1001, "ann", false), 0);
    assert_int_equal(try_load(), 0);
}

static void names_are_accounts(void **state)
{
    static const char *const bad[] = { "", "a b", "a/b", "a:b", ".a", "-a", "a\n", "\x7f" };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    char longest[RIAD_USER_NAME_MAX + 1];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(enrol(&catalog, 1, 1001, bad[i]), -EINVAL);
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(enrol(&catalog, 1, 1001, longest), 0);
    assert_int_equal(enrol(&catalog, 2, 1002, "j\xc3\xb6rg.m@site"), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(users_are_found),
        TEST(two_do_not_share_a_uid_or_name),
        TEST(disabled_users_leave_uid_and_name),
        TEST(names_are_accounts),
    };

    return cmocka_run_group_tests_name("catalog_user", tests, NULL, NULL);
}
