#include <sys/wait.h>

#include "fixture.h"

static int fd_of(const char *name)
{
    char path[FIXTURE_PATH];

    store_path(name, path);
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int open_named(const char *name, struct riad_store *ret)
{
    char path[FIXTURE_PATH];

    store_path(name, path);
    return riad_store_open(path, ret);
}

static void what_was_made_opens(void **state)
{
    struct riad_store store;
    struct stat st;

    (void)state;
    assert_int_equal(open_named("store", &store), 0);
    assert_memory_equal(&store.binding, &fixture.store.binding, sizeof store.binding);
    assert_false(store.read_only);
    assert_int_equal(fstat(store.fd, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    riad_store_close(&store);
    assert_int_equal(store.fd, -1);
}

static void riad_json_is_as_documented(void **state)
{
    _cleanup_bytes_ struct bytes json = read_bytes(fixture.store.fd, "riad.json");
    char expected[256], id[RIAD_ID_NAME_SIZE];

    (void)state;
    riad_id_name(&fixture.store.binding.store, id);
    snprintf(expected, sizeof expected,
            "{\"format\": 1, \"store\": \"%s\", \"compat\": 0, \"ro_compat\": 0, \"incompat\": 0}",
            id);
    assert_string_equal((char *)json.data, expected);
}

static void only_an_empty_directory_becomes_a_store(void **state)
{
    struct riad_store store;
    char path[FIXTURE_PATH];

    (void)state;
    store_path("store", path);
    assert_int_equal(riad_store_create(path, &store), -ENOTEMPTY);
    store_path("empty", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(riad_store_create(path, &store), 0);
    riad_store_close(&store);
    store_path("hidden", path);
    assert_int_equal(mkdir(path, 0700), 0);
    _cleanup_close_ int fd = fd_of("hidden");
    write_bytes(fd, ".hidden", "", 0);
    assert_int_equal(riad_store_create(path, &store), -ENOTEMPTY);
    store_path("missing/deeper", path);
    assert_int_equal(riad_store_create(path, &store), -ENOENT);
}

static void what_is_no_store_is_told(void **state)
{
    struct riad_store store = { .fd = -7 };

    (void)state;
    assert_int_equal(open_named("absent", &store), -EMEDIUMTYPE);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(open_named("store/user", &store), -EMEDIUMTYPE);
    assert_int_equal(open_named("store/riad.json", &store), -EMEDIUMTYPE);
    assert_int_equal(unlinkat(fixture.store.fd, "riad.json", 0), 0);
    assert_int_equal(symlinkat("/dev/zero", fixture.store.fd, "riad.json"), 0);
    assert_int_equal(open_named("store", &store), -EMEDIUMTYPE);
    assert_int_equal(store.fd, -7);
}

static int open_json(const char *json, struct riad_store *ret)
{
    write_bytes(fixture.store.fd, "riad.json", json, strlen(json));
    return open_named("store", ret);
}

#define ID "00112233445566778899aabbccddeeff"

static void versions_decide(void **state)
{
    static const char newer[] = "{\"format\": 2, \"what\": \"ever\"}";
    static const char incompat[] =
            "{\"format\":1,\"store\":\"" ID "\",\"compat\":0,\"ro_compat\":0,\"incompat\":2}";
    static const char site[] = "{\"format\":1,\"store\":\"" ID
                               "\",\"compat\":0,\"ro_compat\":0,\"incompat\":1,\"later\":[]}";
    static const char ro_compat[] =
            "{\"format\":1,\"store\":\"" ID "\",\"compat\":3,\"ro_compat\":4,\"incompat\":0}";
    struct riad_store store = { .fd = -1 };

    (void)state;
    assert_int_equal(open_json(newer, &store), -EPROTONOSUPPORT);
    assert_int_equal(open_json(incompat, &store), -EPROTONOSUPPORT);
    assert_int_equal(
            open_json(site, &store), 0); /* a member that it does not know is passed over */
    assert_true(store.site && !store.read_only);
    riad_store_close(&store);
    assert_int_equal(open_json(ro_compat, &store), 0);
    assert_true(store.read_only && !store.site);
    assert_int_equal(riad_user_save(&fixture.user, &store, &fixture.keys), -EROFS);
    riad_store_close(&store);
}

static void malformed_json_is_refused(void **state)
{
    static const char *const texts[] = { "", "{", "[]", "1", "{}", "{\"format\": 0}",
        "{\"format\": \"1\"}", "{\"format\": 1.0}", "{\"format\": -1}",
        "{\"format\": 99999999999999999999}",
        "{\"format\":1,\"store\":\"" ID "\",\"compat\":0,\"ro_compat\":0}",
        "{\"format\":1,\"store\":\"" ID "\",\"compat\":0,\"ro_compat\":0,\"incompat\":-1}",
        "{\"format\":1,\"store\":\"" ID "\",\"compat\":0,\"ro_compat\":0,\"incompat\":4294967296}",
        "{\"format\":1,\"format\":1,\"store\":\"" ID
        "\",\"compat\":0,\"ro_compat\":0,\"incompat\":0}",
        "{\"format\":1,\"store\":\"" ID "\",\"compat\":0,\"ro_compat\":0,\"incompat\":0} {}",
        "{\"format\":1,\"store\":7,\"compat\":0,\"ro_compat\":0,\"incompat\":0}",
        "{\"format\":1,\"store\":\"00\",\"compat\":0,\"ro_compat\":0,\"incompat\":0}",
        "{\"format\":1,\"store\":\"00112233445566778899AABBCCDDEEFF\",\"compat\":0,\"ro_compat\":0,"
        "\"incompat\":0}" };
    struct riad_store store;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int r = open_json(texts[i], &store);

        if (r != -EBADMSG) {
            fail_msg("%s gave %d", texts[i], r);
        }
    }
}

static void a_huge_riad_json_is_refused(void **state)
{
    _cleanup_free_ char *text = malloc(1 << 20);
    struct riad_store store;

    (void)state;
    assert_non_null(text);
    memset(text, ' ', 1 << 20);
    write_bytes(fixture.store.fd, "riad.json", text, 1 << 20);
    assert_int_equal(open_named("store", &store), -EBADMSG);
    memset(text, '[', 4096);
    write_bytes(fixture.store.fd, "riad.json", text, 4096);
    assert_int_equal(open_named("store", &store), -EBADMSG);
}

/* Its hash is in every envelope: not even a space may change. */
static void an_edited_riad_json_closes_the_store(void **state)
{
    _cleanup_bytes_ struct bytes json = read_bytes(fixture.store.fd, "riad.json");
    struct riad_store store;
    struct riad_user user;

    (void)state;
    for (size_t i = 0; i < json.size; i++) {
        int r;

        json.data[i] ^= 1;
        write_bytes(fixture.store.fd, "riad.json", json.data, json.size);
        json.data[i] ^= 1;
        r = open_named("store", &store);
        if (r == 0) {
            r = riad_user_load(&store, &fixture.user.id, &user);
            riad_store_close(&store);
        }
        assert_true(r == -EBADMSG || r == -EPROTONOSUPPORT);
    }
}

static void lists_hold_ids_only(void **state)
{
    _cleanup_free_ struct riad_id *users = NULL;
    struct riad_id *none = &fixture.user.id;
    _cleanup_close_ int fd = fd_of("store/user");
    struct riad_keypair keys;
    struct riad_user other;
    struct riad_secret *code;
    size_t count = 7;

    (void)state;
    assert_int_equal(riad_store_list_workspaces(&fixture.store, &none, &count), 0);
    assert_null(none);
    assert_int_equal(count, 0);
    make_user(&fixture.store, &other, &keys, &code);
    write_bytes(fd, "README", "", 0);
    write_bytes(fd, ".tmp-0011", "", 0);
    write_bytes(fd, "00112233445566778899AABBCCDDEEFF", "", 0);
    assert_int_equal(mkdirat(fd, ID, 0700), 0);
    assert_int_equal(riad_store_list_users(&fixture.store, &users, &count), 0);
    assert_int_equal(count, 2);
    assert_true(memcmp(&users[0], &users[1], sizeof *users) < 0);
    assert_true(riad_id_equal(&users[0], &other.id) || riad_id_equal(&users[1], &other.id));
    riad_secret_free(code);
    riad_keypair_done(&keys);
}

/* Of many that make the same store at once, one does; the others are told. */
static void one_creator_wins(void **state)
{
    enum { CREATORS = 6 };
    pid_t children[CREATORS];
    char path[FIXTURE_PATH];
    int made = 0;
    struct riad_store store;

    (void)state;
    store_path("raced", path);
    for (int i = 0; i < CREATORS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            int r = riad_store_create(path, &store);

            _exit(r == 0 ? 1 : r == -ENOTEMPTY || r == -EEXIST ? 0 : 2);
        }
    }
    for (int i = 0; i < CREATORS; i++) {
        int status;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
        made += WEXITSTATUS(status);
    }
    assert_int_equal(made, 1);
    assert_int_equal(open_named("raced", &store), 0);
    riad_store_close(&store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_made_opens, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                riad_json_is_as_documented, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                only_an_empty_directory_becomes_a_store, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(what_is_no_store_is_told, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(versions_decide, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(malformed_json_is_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                a_huge_riad_json_is_refused, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                an_edited_riad_json_closes_the_store, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(lists_hold_ids_only, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(one_creator_wins, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
