/* Epochs: another root key for those who are members, and the older ones back from it (FORMAT 3.2,
 * K2). */
#include "epoch_fixture.h"

static int open_name(uint32_t epoch, const struct riad_secret *secret, char ret[256])
{
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;

    assert_int_equal(riad_keys_new(&workspace, epoch, secret, &keys), 0);
    return riad_roster_name(&roster, keys, ret);
}

static void a_new_epoch_has_another_root_key(void **state)
{
    const struct riad_hash before = roster.head, commitment = roster.commitment;
    const struct riad_hash wrap = roster.members[0].wrap_hash;
    _cleanup_secret_ struct riad_secret *opened = NULL;
    char name[256];

    (void)state;
    assert_int_equal(turn(&fixture.keys), 0);
    assert_int_equal(roster.epoch, 2);
    assert_int_equal(roster.entries, 2);
    assert_true(riad_roster_passed(&roster, 1, &before));
    assert_false(riad_hash_equal(&roster.commitment, &commitment));
    assert_true(riad_hash_equal(&roster.epochs[0].commitment, &commitment));
    assert_true(riad_hash_equal(&roster.epochs[1].commitment, &roster.commitment));
    assert_false(riad_hash_equal(&roster.members[0].wrap_hash, &wrap));
    assert_false(riad_secret_equal(known[0], known[1]));
    assert_int_equal(open_present(&fixture.user.id, &fixture.keys, &opened), 0);
    assert_true(riad_secret_equal(opened, known[1]));
    assert_int_equal(open_name(2, known[1], name), 0);
    assert_string_equal(name, "home");
    assert_int_equal(open_name(1, known[0], name), -EBADMSG);
    assert_int_equal(open_name(1, known[1], name), -EBADMSG);
}

static void roots_of_all_epochs_open(void **state)
{
    (void)state;
    assert_opens_all(&fixture.user.id, &fixture.keys);
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
    assert_int_equal(turn(&fixture.keys), 0);
    assert_int_equal(turn(&fixture.keys), 0);
    assert_int_equal(roster.epoch, 3);
    assert_int_equal(roster.member_count, 2);
    assert_int_equal(riad_roster_find(&roster, &other.id)->role, RIAD_ROLE_READER);
    assert_opens_all(&fixture.user.id, &fixture.keys);
    assert_opens_all(&other.id, &other_keys);
    assert_int_equal(try_open_all(&other.id, &fixture.keys), -EBADMSG);
}

/* Before struct riad_keys has room for more: better nothing than half a workspace. */
static void unlocking_refuses_more_than_one_epoch(void **state)
{
    (void)state;
    assert_int_equal(open_as_owner(), 0);
    assert_int_equal(turn(&fixture.keys), 0);
    assert_int_equal(open_as_owner(), -EPROTONOSUPPORT);
    assert_int_equal(open_as(&other.id, &other_keys), -ENOKEY);
}

static void wraps_are_in_the_order_of_members(void **state)
{
    _cleanup_(riad_writer_done) struct riad_writer changed = { 0 };
    _cleanup_(riad_roster_done) struct riad_roster parsed = { 0 };
    _cleanup_secret_ struct riad_secret *drafted = NULL;

    (void)state;
    assert_int_equal(put(&other, RIAD_ROLE_WRITER, &fixture.keys), 0);
    assert_memory_equal(&roster.members[1].user, &other.id, sizeof other.id);
    assert_int_equal(draft(root, &fixture.keys, &changed, &drafted), 0);
    assert_memory_equal(changed.data, file.data, file.size);
    assert_int_equal(parse(&changed, &parsed), 0);
    for (size_t i = 0; i < 2; i++) {
        const struct riad_member *member = riad_roster_find(&parsed, &roster.members[i].user);

        assert_int_equal(riad_roster_check_wrap(member, wraps[i], RIAD_WRAP_SIZE), 0);
        assert_int_equal(riad_roster_check_wrap(member, wraps[1 - i], RIAD_WRAP_SIZE), -EBADMSG);
    }
}

/* The removal and the epoch in one file, as they go out. */
static void remove_and_turn(void)
{
    _cleanup_(riad_writer_done) struct riad_writer removed = { 0 };
    _cleanup_(riad_writer_done) struct riad_writer changed = { 0 };
    struct riad_secret *drafted = NULL;

    assert_int_equal(riad_roster_draft_remove(&fixture.store.binding, &roster, file.data, file.size,
                             &other.id, &fixture.keys, &removed),
            0);
    forget_roster();
    assert_int_equal(parse(&removed, &roster), 0);
    file = (struct bytes){ removed.data, removed.size };
    removed = (struct riad_writer){ 0 };
    assert_int_equal(draft(root, &fixture.keys, &changed, &drafted), 0);
    publish(&changed);
    riad_secret_free(root);
    root = drafted;
    known[roster.epoch - 1] = copy_of(root);
}

static int open_wrap(uint32_t epoch, const struct bytes *wrap, struct riad_secret **ret)
{
    const struct riad_wrap_scope scope = { fixture.store.binding.store, workspace, epoch };

    return riad_wrap_open(&scope, &other_keys, wrap->data, wrap->size, ret);
}

static void who_is_removed_opens_what_she_could_before(void **state)
{
    _cleanup_secret_ struct riad_secret *opened = NULL, *none = NULL;
    _cleanup_bytes_ struct bytes wrap = { 0 };
    char name[RIAD_WRAP_NAME_SIZE], path[64];
    struct riad_member member;

    (void)state;
    assert_int_equal(put(&other, RIAD_ROLE_WRITER, &fixture.keys), 0);
    member = *riad_roster_find(&roster, &other.id);
    riad_wrap_name(&other.id, 1, name);
    snprintf(path, sizeof path, "wrap/%s", name);
    remove_and_turn();
    assert_int_equal(roster.entries, 4);
    assert_int_equal(roster.epoch, 2);
    assert_null(riad_roster_find(&roster, &other.id));
    wrap = read_bytes(workspace_fd, path);
    assert_int_equal(open_wrap(1, &wrap, &opened), 0);
    assert_true(riad_secret_equal(opened, known[0]));
    assert_int_equal(open_wrap(2, &wrap, &none), -EBADMSG);
    assert_int_equal(riad_roster_open_root(&fixture.store.binding.store, &roster, &other_keys,
                             wrap.data, wrap.size, &none),
            -EBADMSG);
    assert_int_equal(riad_roster_open_roots(&fixture.store.binding.store, &roster, &other_keys,
                             wrap.data, wrap.size, &none),
            -EBADMSG);
    assert_null(none);
    /* There is none of hers in the new epoch. */
    assert_int_equal(
            riad_roster_read_wrap(&fixture.store, &roster, &member, &wrap.data, &wrap.size),
            -EUCLEAN);
    /* Her old root key does not open what the new one sealed. */
    assert_int_equal(
            riad_previous_open(&workspace, 2, opened, roster.epochs[1].sealed_previous, &none),
            -EBADMSG);
    /* Who comes back is given all of it. */
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
    assert_opens_all(&other.id, &other_keys);
    assert_opens_all(&fixture.user.id, &fixture.keys);
}

static void changes_in_a_later_epoch_are_of_it(void **state)
{
    struct riad_secret *present;

    (void)state;
    assert_int_equal(turn(&fixture.keys), 0);
    present = root;
    root = known[0];
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), -EBADMSG);
    root = present;
    assert_int_equal(put(&other, RIAD_ROLE_MANAGER, &fixture.keys), 0);
    assert_opens_all(&other.id, &other_keys);
    /* She turns it as well as the owner. */
    assert_int_equal(turn(&other_keys), 0);
    assert_opens_all(&fixture.user.id, &fixture.keys);
    assert_int_equal(take_out(&fixture.user.id, &other_keys), 0);
    assert_int_equal(turn(&fixture.keys), -EPERM);
    assert_int_equal(turn(&other_keys), 0);
    assert_opens_all(&other.id, &other_keys);
}

static int try_draft(const struct riad_secret *present, const struct riad_keypair *keys)
{
    _cleanup_(riad_writer_done) struct riad_writer changed = { 0 };
    _cleanup_secret_ struct riad_secret *drafted = NULL;

    return draft(present, keys, &changed, &drafted);
}

static void what_is_not_right_is_not_drafted(void **state)
{
    _cleanup_secret_ struct riad_secret *stray = NULL;

    (void)state;
    assert_int_equal(riad_secret_new_random(32, &stray), 0);
    assert_int_equal(put(&other, RIAD_ROLE_WRITER, &fixture.keys), 0);
    assert_int_equal(try_draft(root, &other_keys), -EPERM);
    assert_int_equal(try_draft(stray, &other_keys), -EPERM);
    assert_int_equal(try_draft(stray, &fixture.keys), -EBADMSG);
    assert_int_equal(try_draft(root, &fixture.keys), 0);
    assert_int_equal(turn(&fixture.keys), 0);
    assert_int_equal(try_draft(known[0], &fixture.keys), -EBADMSG);
    /* A name that does not open is not moved. */
    roster.sealed_name[20] ^= 1;
    assert_int_equal(try_draft(root, &fixture.keys), -EBADMSG);
    roster.sealed_name[20] ^= 1;
    bytes_done(&file);
    file.size = RIAD_ROSTER_FILE_MAX - 100;
    file.data = calloc(1, file.size);
    assert_non_null(file.data);
    assert_int_equal(try_draft(root, &fixture.keys), -ENOBUFS);
}

static void there_is_a_bound_of_epochs(void **state)
{
    (void)state;
    while (roster.epoch < EPOCHS) {
        assert_int_equal(turn(&fixture.keys), 0);
    }
    assert_int_equal(roster.epoch, 64);
    assert_opens_all(&fixture.user.id, &fixture.keys);
    assert_int_equal(turn(&fixture.keys), -ENOSPC);
    assert_int_equal(try_draft(root, &other_keys), -EPERM);
    assert_int_equal(try_entry(NULL, &fixture.keys), -EBADMSG);
    assert_int_equal(put(&other, RIAD_ROLE_READER, &fixture.keys), 0);
    assert_opens_all(&other.id, &other_keys);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_epoch, teardown_epoch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_epoch_has_another_root_key),
        TEST(roots_of_all_epochs_open),
        TEST(unlocking_refuses_more_than_one_epoch),
        TEST(wraps_are_in_the_order_of_members),
        TEST(who_is_removed_opens_what_she_could_before),
        TEST(changes_in_a_later_epoch_are_of_it),
        TEST(what_is_not_right_is_not_drafted),
        TEST(there_is_a_bound_of_epochs),
    };

    return cmocka_run_group_tests_name("roster_epoch", tests, NULL, NULL);
}
