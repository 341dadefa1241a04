/* Entries of epochs that somebody signed who has a manager's keys, and sealed root keys. */
#include "epoch_fixture.h"

static void skip_an_epoch(struct riad_roster_entry *entry)
{
    entry->epoch++;
}

static void repeat_the_epoch(struct riad_roster_entry *entry)
{
    entry->epoch--;
}

static void go_to_epoch_0(struct riad_roster_entry *entry)
{
    entry->epoch = 0;
}

static void leave_the_first_out(struct riad_roster_entry *entry)
{
    entry->wraps[0] = entry->wraps[1];
    entry->wrap_count = 1;
}

static void leave_the_last_out(struct riad_roster_entry *entry)
{
    entry->wrap_count = 1;
}

static void leave_all_out(struct riad_roster_entry *entry)
{
    entry->wrap_count = 0;
}

static void add_a_stranger(struct riad_roster_entry *entry)
{
    memset(entry->wraps[2].user.bytes, 0xff, sizeof entry->wraps[2].user.bytes);
    entry->wrap_count = 3;
}

static void replace_by_a_stranger(struct riad_roster_entry *entry)
{
    entry->wraps[0].user.bytes[15] ^= 3;
}

static void turn_around(struct riad_roster_entry *entry)
{
    struct riad_roster_wrap first = entry->wraps[0];

    entry->wraps[0] = entry->wraps[1];
    entry->wraps[1] = first;
}

static void name_one_twice(struct riad_roster_entry *entry)
{
    entry->wraps[1].user = entry->wraps[0].user;
}

static void cut_the_name(struct riad_roster_entry *entry)
{
    entry->sealed_name_size = 79;
}

static void forged_epochs_are_refused(void **state)
{
    static void (*const spoils[])(struct riad_roster_entry *) = { skip_an_epoch, repeat_the_epoch,
        go_to_epoch_0, leave_the_first_out, leave_the_last_out, leave_all_out, add_a_stranger,
        replace_by_a_stranger, turn_around, name_one_twice, cut_the_name };

    (void)state;
    assert_int_equal(put(&other, RIAD_ROLE_WRITER, &fixture.keys), 0);
    assert_int_equal(try_entry(NULL, &fixture.keys), 0);
    assert_int_equal(try_entry(NULL, &other_keys), -EBADMSG);
    for (size_t i = 0; i < sizeof spoils / sizeof *spoils; i++) {
        if (try_entry(spoils[i], &fixture.keys) != -EBADMSG) {
            fail_msg("forgery %zu was taken", i);
        }
    }
    assert_int_equal(turn(&fixture.keys), 0);
    assert_int_equal(try_entry(repeat_the_epoch, &fixture.keys), -EBADMSG);
    assert_int_equal(try_entry(NULL, &fixture.keys), 0);
}

static void a_chain_does_not_begin_with_an_epoch(void **state)
{
    _cleanup_(riad_roster_entry_done) struct riad_roster_entry entry = { 0 };
    _cleanup_(riad_writer_done) struct riad_writer only = { 0 };
    _cleanup_(riad_roster_done) struct riad_roster parsed = { 0 };
    struct riad_hash hash;

    (void)state;
    make_entry(&entry);
    entry.number = 0;
    entry.previous = (struct riad_hash){ 0 };
    riad_writer_init_growing(&only, 1024, RIAD_ROSTER_FILE_MAX);
    assert_int_equal(
            riad_roster_entry_sign(&entry, &fixture.store.binding, &fixture.keys, &only, &hash), 0);
    assert_int_equal(parse(&only, &parsed), -EBADMSG);
}

/* Every cut of a right body, one byte more, and lengths inside it that are not its own. */
static void other_encodings_are_refused(void **state)
{
    enum { EPOCH = 69, SEALED_ROOT = EPOCH + 4 + 32 + 2 + 80, COUNT = SEALED_ROOT + 2 + 48 };
    _cleanup_(riad_roster_entry_done) struct riad_roster_entry entry = { 0 };
    _cleanup_(riad_roster_entry_done) struct riad_roster_entry decoded = { 0 };
    struct riad_writer writer;
    uint8_t body[512] = { 0 };

    (void)state;
    make_entry(&entry);
    riad_writer_init_fixed(&writer, body, sizeof body);
    riad_roster_entry_encode(&entry, &writer);
    assert_int_equal(writer.error, 0);
    for (size_t size = 0; size <= writer.size + 1; size++) {
        if (size != writer.size) {
            assert_int_equal(riad_roster_entry_decode(body, size, &decoded), -EBADMSG);
            assert_null(decoded.wraps);
        }
    }
    assert_int_equal(body[EPOCH], 2);
    assert_int_equal(body[SEALED_ROOT], 48);
    assert_int_equal(body[COUNT], 1);
    for (unsigned i = 0; i < 256; i++) {
        body[SEALED_ROOT] = (uint8_t)i;
        assert_int_equal(riad_roster_entry_decode(body, writer.size, &decoded) == 0, i == 48);
        riad_roster_entry_done(&decoded);
        body[SEALED_ROOT] = 48;
        body[COUNT] = (uint8_t)i;
        assert_int_equal(riad_roster_entry_decode(body, writer.size, &decoded) == 0, i == 1);
        riad_roster_entry_done(&decoded);
        body[COUNT] = 1;
        body[EPOCH] = (uint8_t)i;
        assert_int_equal(
                riad_roster_entry_decode(body, writer.size, &decoded) == 0, i >= 2 && i <= 64);
        riad_roster_entry_done(&decoded);
        body[EPOCH] = 2;
    }
    body[COUNT + 3] = 0x10; /* 2^28 of them */
    assert_int_equal(riad_roster_entry_decode(body, writer.size, &decoded), -EBADMSG);
}

/* An epoch as a manager signs it who seals another key than the one before, or none. */
static int open_after_forged_previous(const struct riad_secret *sealed, uint8_t flip)
{
    _cleanup_secret_ struct riad_secret *next = NULL, *present = NULL, *all = NULL;
    _cleanup_(riad_roster_entry_done) struct riad_roster_entry entry = { 0 };
    _cleanup_(riad_roster_done) struct riad_roster parsed = { 0 };
    struct riad_wrap_scope scope = { fixture.store.binding.store, workspace, roster.epoch + 1 };
    uint8_t wrap[RIAD_WRAP_SIZE];
    int r;

    assert_int_equal(riad_secret_new_random(32, &next), 0);
    assert_int_equal(riad_wrap_seal(&scope, &fixture.keys.wrap_key, next, wrap), 0);
    make_entry(&entry);
    assert_int_equal(riad_wrap_hash(wrap, sizeof wrap, &entry.wraps[0].hash), 0);
    assert_int_equal(riad_keys_commitment(&workspace, next, &entry.commitment), 0);
    assert_int_equal(
            riad_previous_seal(&workspace, scope.epoch, next, sealed, entry.sealed_previous), 0);
    entry.sealed_previous[7] ^= flip;
    assert_int_equal(parse_entry(&entry, &fixture.keys, &parsed), 0);
    assert_int_equal(riad_roster_open_root(
                             &scope.store, &parsed, &fixture.keys, wrap, sizeof wrap, &present),
            0);
    assert_true(riad_secret_equal(present, next));
    r = riad_roster_open_roots(&scope.store, &parsed, &fixture.keys, wrap, sizeof wrap, &all);
    assert_true((r == 0) == (all != NULL));
    return r;
}

static void another_previous_root_than_committed_to_is_refused(void **state)
{
    _cleanup_secret_ struct riad_secret *stray = NULL;

    (void)state;
    assert_int_equal(riad_secret_new_random(32, &stray), 0);
    assert_int_equal(open_after_forged_previous(root, 0), 0);
    assert_int_equal(open_after_forged_previous(stray, 0), -EBADMSG);
    assert_int_equal(open_after_forged_previous(root, 1), -EBADMSG);
    /* Also behind one that is right, and of an older epoch. */
    assert_int_equal(turn(&fixture.keys), 0);
    assert_int_equal(open_after_forged_previous(root, 0), 0);
    assert_int_equal(open_after_forged_previous(known[0], 0), -EBADMSG);
}

/* Computed by an independent program (Python cryptography) from FORMAT 3.2. */
static void a_sealed_root_is_as_the_format_says(void **state)
{
    _cleanup_secret_ struct riad_secret *new_root = NULL, *previous = NULL, *opened = NULL;
    uint8_t bytes[48], sealed[RIAD_SEALED_ROOT_SIZE];
    char text[2 * sizeof sealed + 1];
    struct riad_id id, another;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(0x80 + i);
    }
    assert_int_equal(riad_secret_new_copy(bytes, 32, &previous), 0);
    for (size_t i = 0; i < 32; i++) {
        bytes[i] = (uint8_t)i;
    }
    assert_int_equal(riad_secret_new_copy(bytes, 32, &new_root), 0);
    for (size_t i = 0; i < sizeof id; i++) {
        id.bytes[i] = (uint8_t)(0x40 + i);
    }
    assert_int_equal(riad_previous_seal(&id, 10, new_root, previous, sealed), 0);
    riad_hex_encode(sealed, sizeof sealed, text);
    assert_string_equal(text, "e4470291b8b070ecd92ca2ee144e7216470f16c0a7f46da406ce4b5f22388abca549"
                              "7baa4852d67f389fee524fe1efc7");
    assert_int_equal(riad_previous_open(&id, 10, new_root, sealed, &opened), 0);
    assert_true(riad_secret_equal(opened, previous));
    riad_secret_free(riad_take_pointer(opened));
    another = id;
    another.bytes[0]++;
    assert_int_equal(riad_previous_open(&id, 11, new_root, sealed, &opened), -EBADMSG);
    assert_int_equal(riad_previous_open(&another, 10, new_root, sealed, &opened), -EBADMSG);
    assert_int_equal(riad_previous_open(&id, 10, previous, sealed, &opened), -EBADMSG);
    assert_null(opened);
    riad_secret_truncate(previous, 31);
    assert_int_equal(riad_previous_seal(&id, 10, new_root, previous, sealed), -EINVAL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_epoch, teardown_epoch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(forged_epochs_are_refused),
        TEST(a_chain_does_not_begin_with_an_epoch),
        TEST(other_encodings_are_refused),
        TEST(another_previous_root_than_committed_to_is_refused),
        TEST(a_sealed_root_is_as_the_format_says),
    };

    return cmocka_run_group_tests_name("roster_epoch_forged", tests, NULL, NULL);
}
