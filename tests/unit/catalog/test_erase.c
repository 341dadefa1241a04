#include <sys/stat.h>

#include "riad/erase.h"

#include "fixture.h"
#include "roster_priv.h"

static struct riad_id workspace;

static int setup(void **state)
{
    if (fixture_setup(state) < 0) {
        return -1;
    }
    return riad_roster_create(
            &fixture.store, RIAD_KIND_PROJECT, "acme", &fixture.user, &fixture.keys, &workspace);
}

static void path_of(const char *below, char ret[FIXTURE_PATH])
{
    char id[RIAD_ID_NAME_SIZE];

    riad_id_name(&workspace, id);
    assert_true(snprintf(ret, FIXTURE_PATH, "ws/%s%s", id, below) < FIXTURE_PATH);
}

static bool is_there(const char *below)
{
    char path[FIXTURE_PATH];
    struct stat st;

    path_of(below, path);
    return fstatat(fixture.store.fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static void put(const char *below)
{
    char path[FIXTURE_PATH];

    path_of(below, path);
    write_bytes(fixture.store.fd, path, "bytes", 5);
}

static int unlock(void)
{
    struct riad_roster roster;
    struct riad_keys *keys = NULL;
    int r = riad_roster_load(&fixture.store, &workspace, &fixture.keys.sign_key, &roster);

    if (r < 0) {
        return r;
    }
    r = riad_roster_unlock(&fixture.store, &roster, &fixture.user.id, &fixture.keys, &keys);
    riad_keys_free(keys);
    riad_roster_done(&roster);
    return r;
}

/* A copy of the wrap's file under another name, made before: what a link or an open descriptor
 * still sees. */
static struct bytes wrap_after_erasing(void)
{
    char path[FIXTURE_PATH], name[RIAD_WRAP_NAME_SIZE], below[FIXTURE_PATH];

    riad_wrap_name(&fixture.user.id, 1, name);
    snprintf(below, sizeof below, "/wrap/%s", name);
    path_of(below, path);
    assert_int_equal(linkat(fixture.store.fd, path, fixture.store.fd, "linked", 0), 0);
    assert_int_equal(riad_erase_keys(&fixture.store, &workspace), 0);
    assert_false(is_there(below));
    return read_bytes(fixture.store.fd, "linked");
}

static void without_its_keys_nobody_opens_it(void **state)
{
    struct bytes wrap;

    (void)state;
    assert_int_equal(unlock(), 0);
    put("/wrap/.tmp-1"); /* may be a wrap that was being written */
    wrap = wrap_after_erasing();
    assert_false(is_there("/wrap/.tmp-1"));
    assert_true(is_there("/roster"));
    assert_int_equal(unlock(), -EUCLEAN);
    assert_int_equal(wrap.size, RIAD_WRAP_SIZE);
    for (size_t i = 0; i < wrap.size; i++) {
        assert_int_equal(wrap.data[i], 0);
    }
    bytes_done(&wrap);
    assert_int_equal(riad_erase_keys(&fixture.store, &workspace), 0); /* done already */
}

static void count(void *context, uint64_t removed)
{
    *(uint64_t *)context = removed;
}

static void all_its_files_go_and_no_others(void **state)
{
    char path[FIXTURE_PATH];
    uint64_t removed = 0;

    (void)state;
    put("/log/0000000100000001");
    put("/data/0000000100000002");
    path_of("/dead/00000001", path);
    assert_int_equal(mkdirat(fixture.store.fd, path, 0700), 0);
    put("/dead/00000001/0000000100000003");
    write_bytes(fixture.store.fd, "not-ours", "x", 1);
    path_of("/data/link", path);
    assert_int_equal(symlinkat("../../../user", fixture.store.fd, path), 0);
    assert_int_equal(riad_erase_files(&fixture.store, &workspace, count, &removed), 0);
    assert_int_equal(removed, 6); /* roster, wrap, three segments, link */
    assert_false(is_there(""));
    assert_int_equal(faccessat(fixture.store.fd, "not-ours", F_OK, 0), 0);
    assert_int_equal(riad_user_load(&fixture.store, &fixture.user.id, &fixture.user), 0);
    assert_int_equal(riad_erase_files(&fixture.store, &workspace, NULL, NULL), 0);
}

static void what_riad_did_not_make_is_not_dug_into(void **state)
{
    char path[FIXTURE_PATH];
    char below[64] = "/dead";

    (void)state;
    for (int i = 0; i < 6; i++) {
        strcat(below, "/d");
        path_of(below, path);
        assert_int_equal(mkdirat(fixture.store.fd, path, 0700), 0);
    }
    assert_int_equal(riad_erase_files(&fixture.store, &workspace, NULL, NULL), -ELOOP);
}

static void a_read_only_store_keeps_it(void **state)
{
    (void)state;
    fixture.store.read_only = true;
    assert_int_equal(riad_erase_keys(&fixture.store, &workspace), -EROFS);
    assert_int_equal(riad_erase_files(&fixture.store, &workspace, NULL, NULL), -EROFS);
    fixture.store.read_only = false;
    assert_int_equal(unlock(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(without_its_keys_nobody_opens_it, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(all_its_files_go_and_no_others, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                what_riad_did_not_make_is_not_dug_into, setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_read_only_store_keeps_it, setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
