#include "fixture.h"

static int user_directory;
static char user_name[64];

static int setup(void **state)
{
    if (fixture_setup(state) < 0) {
        return -1;
    }
    user_directory = openat(fixture.store.fd, "user", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    riad_id_name(&fixture.user.id, user_name);
    return user_directory < 0 ? -1 : 0;
}

static int teardown(void **state)
{
    close(user_directory);
    return fixture_teardown(state);
}

static void set_passphrase(struct riad_user *user, const char *text)
{
    _cleanup_secret_ struct riad_secret *passphrase = secret_of(text);

    assert_int_equal(riad_user_set_slot_cost(user, &fixture.store, &fixture.keys,
                             RIAD_SLOT_PASSPHRASE, passphrase, FIXTURE_LOG_N),
            0);
}

static void save(const struct riad_user *user)
{
    assert_int_equal(riad_user_save(user, &fixture.store, &fixture.keys), 0);
}

/* Loads and unlocks from the store's file; on failure nothing may be given out. */
static int open_with(
        const struct riad_store *store, enum riad_slot_kind kind, const struct riad_secret *secret)
{
    struct riad_keypair keys = { 0 };
    struct riad_user user;
    int r = riad_user_load(store, &fixture.user.id, &user);

    if (r == 0) {
        r = riad_user_unlock(store, &user, kind, secret, &keys);
    }
    assert_true((r == 0) == (keys.secret != NULL));
    if (r == 0) {
        assert_true(riad_secret_equal(keys.secret, fixture.keys.secret));
        assert_memory_equal(&keys.wrap_key, &fixture.keys.wrap_key, sizeof keys.wrap_key);
        assert_memory_equal(&keys.sign_key, &fixture.keys.sign_key, sizeof keys.sign_key);
    }
    riad_keypair_done(&keys);
    return r;
}

static int open_with_code(void)
{
    return open_with(&fixture.store, RIAD_SLOT_RECOVERY, fixture.code);
}

static int open_with_passphrase(const char *text)
{
    _cleanup_secret_ struct riad_secret *passphrase = secret_of(text);

    return open_with(&fixture.store, RIAD_SLOT_PASSPHRASE, passphrase);
}

static void assert_same_user(const struct riad_user *a, const struct riad_user *b)
{
    assert_memory_equal(&a->id, &b->id, sizeof a->id);
    assert_int_equal(a->created.tv_sec, b->created.tv_sec);
    assert_int_equal(a->created.tv_nsec, b->created.tv_nsec);
    assert_int_equal(a->generation, b->generation);
    assert_memory_equal(&a->wrap_key, &b->wrap_key, sizeof a->wrap_key);
    assert_memory_equal(&a->sign_key, &b->sign_key, sizeof a->sign_key);
    assert_string_equal(a->name, b->name);
    assert_int_equal(a->slot_count, b->slot_count);
    for (size_t i = 0; i < a->slot_count; i++) {
        assert_int_equal(a->slots[i].kind, b->slots[i].kind);
        assert_int_equal(a->slots[i].generation, b->slots[i].generation);
        assert_int_equal(a->slots[i].log_n, b->slots[i].log_n);
        assert_memory_equal(a->slots[i].salt, b->slots[i].salt, 32);
        assert_memory_equal(a->slots[i].commitment, b->slots[i].commitment, 32);
        assert_memory_equal(a->slots[i].nonce, b->slots[i].nonce, 12);
        assert_memory_equal(a->slots[i].sealed, b->slots[i].sealed, 80);
    }
}

static void every_kind_of_slot_opens(void **state)
{
    _cleanup_secret_ struct riad_secret *key_file = NULL;
    struct riad_user user = fixture.user, loaded;

    (void)state;
    assert_int_equal(riad_secret_new_random(32, &key_file), 0);
    strcpy(user.name, "alice");
    set_passphrase(&user, "correct horse");
    assert_int_equal(
            riad_user_set_slot(&user, &fixture.store, &fixture.keys, RIAD_SLOT_KEY_FILE, key_file),
            0);
    save(&user);
    assert_int_equal(riad_user_load(&fixture.store, &user.id, &loaded), 0);
    assert_int_equal(loaded.slot_count, 3);
    assert_same_user(&user, &loaded);
    assert_int_equal(open_with_passphrase("correct horse"), 0);
    assert_int_equal(open_with_code(), 0);
    assert_int_equal(open_with(&fixture.store, RIAD_SLOT_KEY_FILE, key_file), 0);
}

static void a_wrong_secret_opens_nothing(void **state)
{
    _cleanup_secret_ struct riad_secret *other = NULL;
    struct riad_user user = fixture.user;

    (void)state;
    assert_int_equal(riad_secret_new_random(32, &other), 0);
    set_passphrase(&user, "correct horse");
    save(&user);
    assert_int_equal(open_with_passphrase("correct hors"), -ENOKEY);
    assert_int_equal(open_with_passphrase("correct horse\n"), -ENOKEY);
    assert_int_equal(open_with(&fixture.store, RIAD_SLOT_RECOVERY, other), -ENOKEY);
    assert_int_equal(open_with(&fixture.store, RIAD_SLOT_KEY_FILE, fixture.code), -ENOKEY);
    assert_int_equal(open_with(&fixture.store, RIAD_SLOT_PASSPHRASE, fixture.code), -ENOKEY);
    riad_secret_truncate(other, 16);
    assert_int_equal(open_with(&fixture.store, RIAD_SLOT_RECOVERY, other), -ENOKEY);
}

/* K1: fresh salt, nonce and generation; the slot before it is gone. */
static void a_new_passphrase_replaces_the_old(void **state)
{
    struct riad_user user = fixture.user;
    struct riad_slot before;

    (void)state;
    set_passphrase(&user, "first");
    before = user.slots[1];
    set_passphrase(&user, "second");
    save(&user);
    assert_int_equal(user.slot_count, 2);
    assert_int_equal(before.generation, 1);
    assert_int_equal(user.slots[1].generation, 2);
    assert_memory_not_equal(user.slots[1].salt, before.salt, 32);
    assert_memory_not_equal(user.slots[1].nonce, before.nonce, 12);
    assert_int_equal(open_with_passphrase("second"), 0);
    assert_int_equal(open_with_passphrase("first"), -ENOKEY);
    assert_int_equal(open_with_code(), 0);
}

/* What docs/SECURITY.md says of old copies: the file of then opens with the secret of then, and
 * with no other. */
static void an_older_file_opens_with_the_older_secret_only(void **state)
{
    _cleanup_bytes_ struct bytes older = { 0 };
    struct riad_user user = fixture.user;

    (void)state;
    set_passphrase(&user, "first");
    save(&user);
    older = read_bytes(user_directory, user_name);
    set_passphrase(&user, "second");
    save(&user);
    write_bytes(user_directory, user_name, older.data, older.size);
    assert_int_equal(open_with_passphrase("second"), -ENOKEY);
    assert_int_equal(open_with_passphrase("first"), 0);
}

/* Of what users get; in scripts/test the build with sanitizers is that one. */
static void the_default_cost_is_two_to_the_seventeen(void **state)
{
#ifdef RIAD_CHEAP_SCRYPT
    const uint8_t cost = 15;
#else
    const uint8_t cost = 17;
#endif
    _cleanup_secret_ struct riad_secret *passphrase = secret_of("correct horse");
    struct riad_user user = fixture.user;

    (void)state;
    assert_int_equal(riad_user_set_slot(&user, &fixture.store, &fixture.keys, RIAD_SLOT_PASSPHRASE,
                             passphrase),
            0);
    assert_int_equal(user.slots[1].kdf, 1);
    assert_int_equal(user.slots[1].log_n, cost);
    assert_int_equal(user.slots[1].r, 8);
    assert_int_equal(user.slots[1].p, 1);
}

static void every_damage_is_refused(void **state)
{
    struct riad_user user = fixture.user;

    (void)state;
    set_passphrase(&user, "correct horse");
    save(&user);
    assert_every_damage_refused(user_directory, user_name, open_with_code);
}

/* The same with the passphrase, at some places of its slot and around it: each costs a scrypt. */
static void damage_is_refused_to_a_passphrase_too(void **state)
{
    _cleanup_bytes_ struct bytes whole = { 0 };
    struct riad_user user = fixture.user;

    (void)state;
    set_passphrase(&user, "correct horse");
    save(&user);
    whole = read_bytes(user_directory, user_name);
    for (size_t i = 13; i < whole.size; i += 29) {
        int r;

        whole.data[i] ^= 4;
        write_bytes(user_directory, user_name, whole.data, whole.size);
        whole.data[i] ^= 4;
        r = open_with_passphrase("correct horse");
        if (!is_typed(r)) {
            fail_msg("damage at byte %zu gave %d", i, r);
        }
    }
}

/* A file that is well-formed and signed, so that only the decoder can refuse what the slot says. */
static int load_with_slot(const struct riad_slot *slot)
{
    struct riad_user user = fixture.user, loaded = { 0 };

    user.slots[1] = *slot;
    user.slot_count = 2;
    save(&user);
    return riad_user_load(&fixture.store, &user.id, &loaded);
}

/* K1: neither a weakened nor an exhausting parameter is tried at all. */
static void scrypt_parameters_out_of_bounds_are_refused(void **state)
{
    static const struct {
        uint8_t kdf, log_n;
        uint32_t r, p;
        int error;
    } cases[] = {
        { 1, 15, 8, 1, 0 },
        { 1, 20, 8, 4, 0 },
        { 1, 14, 8, 1, -EBADMSG },
        { 1, 0, 8, 1, -EBADMSG },
        { 1, 21, 8, 1, -EBADMSG },
        { 1, 255, 8, 1, -EBADMSG },
        { 1, 17, 0, 1, -EBADMSG },
        { 1, 17, 1, 1, -EBADMSG },
        { 1, 17, 9, 1, -EBADMSG },
        { 1, 17, UINT32_MAX, 1, -EBADMSG },
        { 1, 17, 8, 0, -EBADMSG },
        { 1, 17, 8, 5, -EBADMSG },
        { 1, 17, 8, UINT32_MAX, -EBADMSG },
        { 2, 0, 0, 0, -EBADMSG },
        { 2, 17, 8, 1, -EBADMSG },
        { 0, 17, 8, 1, -EBADMSG },
        { 3, 17, 8, 1, -EBADMSG },
    };
    struct riad_user user = fixture.user;

    (void)state;
    set_passphrase(&user, "correct horse");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct riad_slot slot = user.slots[1];

        slot.kdf = cases[i].kdf;
        slot.log_n = cases[i].log_n;
        slot.r = cases[i].r;
        slot.p = cases[i].p;
        assert_int_equal(load_with_slot(&slot), cases[i].error);
    }
}

static void slots_that_no_writer_makes_are_refused(void **state)
{
    struct riad_slot slot = fixture.user.slots[0];
    struct riad_user user = fixture.user, loaded;

    (void)state;
    assert_int_equal(load_with_slot(&slot), 0);
    slot.kind = 0;
    assert_int_equal(load_with_slot(&slot), -EBADMSG);
    slot.kind = 4;
    assert_int_equal(load_with_slot(&slot), -EBADMSG);
    slot = fixture.user.slots[0];
    slot.generation = 0;
    assert_int_equal(load_with_slot(&slot), -EBADMSG);
    slot = fixture.user.slots[0];
    slot.log_n = 15;
    assert_int_equal(load_with_slot(&slot), -EBADMSG);
    user.generation = 0;
    save(&user);
    assert_int_equal(riad_user_load(&fixture.store, &user.id, &loaded), -EBADMSG);
    user = fixture.user;
    user.slot_count = 0;
    assert_int_equal(riad_user_save(&user, &fixture.store, &fixture.keys), -EINVAL);
}

static void a_set_of_slots_has_its_bounds(void **state)
{
    _cleanup_secret_ struct riad_secret *passphrase = secret_of("x");
    _cleanup_secret_ struct riad_secret *bits = NULL;
    struct riad_user user = fixture.user;

    (void)state;
    assert_int_equal(riad_secret_new_random(31, &bits), 0);
    assert_int_equal(
            riad_user_set_slot(&user, &fixture.store, &fixture.keys, RIAD_SLOT_KEY_FILE, bits),
            -EINVAL);
    assert_int_equal(riad_user_set_slot_cost(&user, &fixture.store, &fixture.keys,
                             RIAD_SLOT_PASSPHRASE, passphrase, 14),
            -ERANGE);
    assert_int_equal(riad_user_set_slot_cost(&user, &fixture.store, &fixture.keys,
                             RIAD_SLOT_PASSPHRASE, passphrase, 256 + 17),
            -ERANGE);
    assert_int_equal(user.slot_count, 1);
    for (user.slot_count = 0; user.slot_count < RIAD_SLOTS_MAX; user.slot_count++) {
        user.slots[user.slot_count] = fixture.user.slots[0];
    }
    assert_int_equal(riad_user_set_slot_cost(&user, &fixture.store, &fixture.keys,
                             RIAD_SLOT_PASSPHRASE, passphrase, FIXTURE_LOG_N),
            -E2BIG);
    user.slots[0].generation = UINT32_MAX;
    assert_int_equal(riad_user_set_slot(&user, &fixture.store, &fixture.keys, RIAD_SLOT_RECOVERY,
                             fixture.code),
            -EOVERFLOW);
}

/* A slot's seal is bound to its user, keys and own header: it opens nowhere else, though its file
 * is signed by the right key. */
static void a_slot_opens_only_where_it_was_made(void **state)
{
    struct riad_user user = fixture.user, loaded;
    struct riad_keypair keys = { 0 };

    (void)state;
    user.slots[0].generation++;
    save(&user);
    assert_int_equal(open_with_code(), -EBADMSG);
    user = fixture.user;
    user.slots[0].created.tv_nsec ^= 1;
    save(&user);
    assert_int_equal(open_with_code(), -EBADMSG);
    user = fixture.user;
    user.generation++;
    save(&user);
    assert_int_equal(open_with_code(), -EBADMSG);
    user = fixture.user;
    user.id.bytes[0] ^= 1;
    save(&user);
    assert_int_equal(riad_user_load(&fixture.store, &user.id, &loaded), 0);
    assert_int_equal(
            riad_user_unlock(&fixture.store, &loaded, RIAD_SLOT_RECOVERY, fixture.code, &keys),
            -ENOKEY);
    assert_null(keys.secret);
}

/* K3: who edits the store can sign with a key of their own, and put its public half into the file.
 */
static void a_file_signed_by_another_key_is_refused(void **state)
{
    struct riad_user user = fixture.user, mallory;
    struct riad_keypair keys;

    (void)state;
    assert_int_equal(riad_user_create(&mallory, &keys), 0);
    assert_int_equal(riad_user_save(&user, &fixture.store, &keys), 0);
    assert_int_equal(open_with_code(), -EBADMSG);
    user.sign_key = keys.sign_key;
    assert_int_equal(riad_user_save(&user, &fixture.store, &keys), 0);
    assert_int_equal(open_with_code(), -EBADMSG);
    user = fixture.user;
    user.wrap_key = keys.wrap_key;
    save(&user);
    assert_int_equal(open_with_code(), -EBADMSG);
    riad_keypair_done(&keys);
}

/* The slot agrees with the file, and the file is signed: but the private halves are not those of
 * the public ones. */
static void public_keys_are_recomputed(void **state)
{
    struct riad_user user = fixture.user;

    (void)state;
    user.wrap_key.bytes[7] ^= 1;
    assert_int_equal(riad_user_set_slot(&user, &fixture.store, &fixture.keys, RIAD_SLOT_RECOVERY,
                             fixture.code),
            0);
    save(&user);
    assert_int_equal(open_with_code(), -EBADMSG);
}

static void swapped_files_are_refused(void **state)
{
    _cleanup_bytes_ struct bytes bytes = { 0 };
    _cleanup_secret_ struct riad_secret *code = NULL;
    struct riad_user other, loaded;
    struct riad_keypair keys;
    char name[RIAD_ID_NAME_SIZE];

    (void)state;
    make_user(&fixture.store, &other, &keys, &code);
    riad_id_name(&other.id, name);
    bytes = read_bytes(user_directory, name);
    write_bytes(user_directory, user_name, bytes.data, bytes.size);
    assert_int_equal(riad_user_load(&fixture.store, &fixture.user.id, &loaded), -EBADMSG);
    riad_keypair_done(&keys);
}

static void another_stores_file_is_refused(void **state)
{
    _cleanup_bytes_ struct bytes bytes = read_bytes(user_directory, user_name);
    _cleanup_close_ int fd = -1;
    struct riad_store other;
    struct riad_user loaded;

    (void)state;
    make_store("other", &other);
    fd = openat(other.fd, "user", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    write_bytes(fd, user_name, bytes.data, bytes.size);
    assert_int_equal(riad_user_load(&other, &fixture.user.id, &loaded), -EBADMSG);
    riad_store_close(&other);
}

/* Between reading and unlocking the file is exchanged: what was read without trust must not be
 * passed for what was verified. */
static void a_file_exchanged_meanwhile_is_refused(void **state)
{
    struct riad_user forged = fixture.user;
    struct riad_keypair keys = { 0 };

    (void)state;
    strcpy(forged.name, "mallory");
    assert_int_equal(
            riad_user_unlock(&fixture.store, &forged, RIAD_SLOT_RECOVERY, fixture.code, &keys),
            -EBADMSG);
    assert_null(keys.secret);
    assert_int_equal(unlinkat(user_directory, user_name, 0), 0);
    assert_int_equal(riad_user_unlock(&fixture.store, &fixture.user, RIAD_SLOT_RECOVERY,
                             fixture.code, &keys),
            -ENOENT);
    assert_null(keys.secret);
}

static void what_is_no_file_is_refused(void **state)
{
    struct riad_user loaded;

    (void)state;
    assert_int_equal(unlinkat(user_directory, user_name, 0), 0);
    assert_int_equal(riad_user_load(&fixture.store, &fixture.user.id, &loaded), -ENOENT);
    assert_int_equal(symlinkat("/dev/zero", user_directory, user_name), 0);
    assert_int_equal(riad_user_load(&fixture.store, &fixture.user.id, &loaded), -EBADMSG);
    assert_int_equal(unlinkat(user_directory, user_name, 0), 0);
    assert_int_equal(mkdirat(user_directory, user_name, 0700), 0);
    assert_int_equal(riad_user_load(&fixture.store, &fixture.user.id, &loaded), -EBADMSG);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_kind_of_slot_opens),
        TEST(a_wrong_secret_opens_nothing),
        TEST(a_new_passphrase_replaces_the_old),
        TEST(an_older_file_opens_with_the_older_secret_only),
        TEST(the_default_cost_is_two_to_the_seventeen),
        TEST(every_damage_is_refused),
        TEST(damage_is_refused_to_a_passphrase_too),
        TEST(scrypt_parameters_out_of_bounds_are_refused),
        TEST(slots_that_no_writer_makes_are_refused),
        TEST(a_set_of_slots_has_its_bounds),
        TEST(a_slot_opens_only_where_it_was_made),
        TEST(a_file_signed_by_another_key_is_refused),
        TEST(public_keys_are_recomputed),
        TEST(swapped_files_are_refused),
        TEST(another_stores_file_is_refused),
        TEST(a_file_exchanged_meanwhile_is_refused),
        TEST(what_is_no_file_is_refused),
    };

    return cmocka_run_group_tests_name("user", tests, NULL, NULL);
}
