#include "roster_fixture.h"

static void what_was_made_is_read(void **state)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    struct riad_hash zeros = { 0 };

    (void)state;
    assert_int_equal(load(&roster), 0);
    assert_memory_equal(&roster.workspace, &workspace, sizeof workspace);
    assert_int_equal(roster.kind, RIAD_KIND_HOME);
    assert_int_equal(roster.epoch, 1);
    assert_int_equal(roster.entries, 1);
    assert_false(riad_hash_equal(&roster.head, &zeros));
    assert_int_equal(roster.member_count, 1);
    assert_memory_equal(&roster.members[0].user, &fixture.user.id, sizeof workspace);
    assert_int_equal(roster.members[0].role, RIAD_ROLE_MANAGER);
    assert_memory_equal(&roster.members[0].wrap_key, &fixture.keys.wrap_key, 32);
    assert_memory_equal(&roster.members[0].sign_key, &fixture.keys.sign_key, 32);
}

static void the_directories_are_there(void **state)
{
    static const char *const names[] = { "wrap", "term", "log", "data", "ckpt", "dead" };
    struct stat st;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(fstatat(workspace_fd, names[i], &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_equal(st.st_mode & 0777, 0700);
    }
}

static void unlocking_gives_the_workspaces_keys(void **state)
{
    _cleanup_(riad_keys_freep) struct riad_keys *first = NULL;
    _cleanup_(riad_keys_freep) struct riad_keys *second = NULL;
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    uint8_t a[32], b[32];

    (void)state;
    assert_int_equal(load(&roster), 0);
    assert_int_equal(
            riad_roster_unlock(&fixture.store, &roster, &fixture.user.id, &fixture.keys, &first),
            0);
    assert_int_equal(
            riad_roster_unlock(&fixture.store, &roster, &fixture.user.id, &fixture.keys, &second),
            0);
    assert_memory_equal(riad_keys_workspace(first), &workspace, sizeof workspace);
    assert_int_equal(riad_keys_epoch(first), 1);
    assert_int_equal(riad_keys_stream(first, RIAD_PURPOSE_DATA, &workspace, 1, a), 0);
    assert_int_equal(riad_keys_stream(second, RIAD_PURPOSE_DATA, &workspace, 1, b), 0);
    assert_memory_equal(a, b, sizeof a);
}

static void assert_name_kept(const char *text, size_t sealed_size)
{
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    char name[256];

    assert_int_equal(riad_roster_create(&fixture.store, RIAD_KIND_PROJECT, text, &fixture.user,
                             &fixture.keys, &workspace),
            0);
    assert_int_equal(load(&roster), 0);
    assert_int_equal(roster.kind, RIAD_KIND_PROJECT);
    assert_int_equal(roster.sealed_name_size, sealed_size);
    assert_int_equal(
            riad_roster_unlock(&fixture.store, &roster, &fixture.user.id, &fixture.keys, &keys), 0);
    assert_int_equal(riad_roster_name(&roster, keys, name), 0);
    assert_string_equal(name, text);
    for (size_t i = 0; i < roster.sealed_name_size; i++) {
        roster.sealed_name[i] ^= 0x10;
        assert_int_equal(riad_roster_name(&roster, keys, name), -EBADMSG);
        roster.sealed_name[i] ^= 0x10;
    }
}

/* Sealed names tell 64-byte steps, not lengths. */
static void names_are_kept_and_padded(void **state)
{
    char text[258];
    struct riad_id id = { 0 };

    (void)state;
    memset(text, 'x', sizeof text);
    text[257] = '\0';
    assert_name_kept("a", 80);
    assert_name_kept(text + 257 - 61, 80);
    assert_name_kept(text + 257 - 62, 144);
    assert_name_kept(text + 257 - 255, 336);
    assert_int_equal(riad_roster_create(&fixture.store, RIAD_KIND_HOME, text + 257 - 256,
                             &fixture.user, &fixture.keys, &id),
            -EINVAL);
    assert_int_equal(riad_roster_create(
                             &fixture.store, RIAD_KIND_HOME, "", &fixture.user, &fixture.keys, &id),
            -EINVAL);
    assert_int_equal(
            riad_roster_create(&fixture.store, 3, "x", &fixture.user, &fixture.keys, &id), -EINVAL);
}

static void every_damage_to_the_roster_is_refused(void **state)
{
    (void)state;
    assert_every_damage_refused(workspace_fd, "roster", open_as_owner);
}

static void every_damage_to_a_wrap_is_refused(void **state)
{
    (void)state;
    assert_every_damage_refused(workspace_fd, wrap_path, open_as_owner);
}

/* The right root for the right member, and yet not the file that the owner signed for. */
static void a_wrap_made_anew_is_refused(void **state)
{
    const struct riad_wrap_scope scope = { fixture.store.binding.store, workspace, 1 };
    _cleanup_bytes_ struct bytes wrap = read_bytes(workspace_fd, wrap_path);
    _cleanup_secret_ struct riad_secret *root = NULL;

    (void)state;
    assert_int_equal(riad_wrap_open(&scope, &fixture.keys, wrap.data, wrap.size, &root), 0);
    assert_int_equal(riad_wrap_seal(&scope, &fixture.keys.wrap_key, root, wrap.data), 0);
    write_bytes(workspace_fd, wrap_path, wrap.data, wrap.size);
    assert_int_equal(open_as_owner(), -EBADMSG);
}

static void swapped_wraps_are_refused(void **state)
{
    _cleanup_bytes_ struct bytes wrap = read_bytes(workspace_fd, wrap_path);
    struct riad_id first = workspace, other;
    _cleanup_close_ int fd = -1;

    (void)state;
    assert_int_equal(riad_roster_create(&fixture.store, RIAD_KIND_HOME, "other", &fixture.user,
                             &fixture.keys, &other),
            0);
    fd = riad_store_open_workspace(&fixture.store, &other);
    assert_true(fd >= 0);
    write_bytes(fd, wrap_path, wrap.data, wrap.size);
    workspace = other;
    assert_int_equal(open_as_owner(), -EBADMSG);
    assert_int_equal(unlinkat(fd, wrap_path, 0), 0);
    assert_int_equal(open_as_owner(), -EUCLEAN);
    workspace = first;
    assert_int_equal(open_as_owner(), 0);
}

static void swapped_rosters_are_refused(void **state)
{
    _cleanup_bytes_ struct bytes roster = read_bytes(workspace_fd, "roster");
    _cleanup_close_ int fd = -1;
    struct riad_id other;

    (void)state;
    assert_int_equal(riad_roster_create(&fixture.store, RIAD_KIND_HOME, "other", &fixture.user,
                             &fixture.keys, &other),
            0);
    fd = riad_store_open_workspace(&fixture.store, &other);
    assert_true(fd >= 0);
    write_bytes(fd, "roster", roster.data, roster.size);
    workspace = other;
    assert_int_equal(open_as_owner(), -EBADMSG);
}

static void another_stores_workspace_is_refused(void **state)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    struct riad_store other;
    char from[FIXTURE_PATH], to[FIXTURE_PATH], name[RIAD_ID_NAME_SIZE];

    (void)state;
    make_store("other", &other);
    riad_id_name(&workspace, name);
    store_path("store/ws", from);
    store_path("other/ws", to);
    assert_int_equal(rmdir(to), 0);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(
            riad_roster_load(&other, &workspace, &fixture.keys.sign_key, &roster), -EBADMSG);
    assert_int_equal(load(&roster), -ENOENT);
    riad_store_close(&other);
}

static void others_keys_open_nothing(void **state)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    _cleanup_secret_ struct riad_secret *code = NULL;
    struct riad_user other;
    struct riad_keypair keys;

    (void)state;
    make_user(&fixture.store, &other, &keys, &code);
    assert_int_equal(open_as(&other.id, &keys), -ENOKEY);
    assert_int_equal(open_as(&fixture.user.id, &keys), -ENOKEY);
    assert_int_equal(
            riad_roster_load(&fixture.store, &workspace, &keys.sign_key, &roster), -EBADMSG);
    riad_keypair_done(&keys);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_made_is_read),
        TEST(the_directories_are_there),
        TEST(unlocking_gives_the_workspaces_keys),
        TEST(names_are_kept_and_padded),
        TEST(every_damage_to_the_roster_is_refused),
        TEST(every_damage_to_a_wrap_is_refused),
        TEST(a_wrap_made_anew_is_refused),
        TEST(swapped_wraps_are_refused),
        TEST(swapped_rosters_are_refused),
        TEST(another_stores_workspace_is_refused),
        TEST(others_keys_open_nothing),
    };

    return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
