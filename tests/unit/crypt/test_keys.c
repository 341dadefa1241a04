#include <errno.h>

#include "riad/error.h"
#include "riad/keys.h"

#include "crypt/vectors.h"

/* Computed by an independent program (Python cryptography) from FORMAT 4.1: root 0.., workspace
 * 0x40.., stream 0x60... */
enum { EPOCH = 0x01020304 };

struct fixture {
    struct riad_id workspace;
    struct riad_id stream;
    struct riad_secret *root;
    struct riad_keys *keys;
};

static int set_up(void **state)
{
    static struct fixture f;

    count_up(&f.workspace, sizeof f.workspace, 0x40);
    count_up(&f.stream, sizeof f.stream, 0x60);
    f.root = secret_counting(32, 0);
    assert_int_equal(riad_keys_new(&f.workspace, EPOCH, f.root, &f.keys), 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    riad_keys_free(f->keys);
    riad_secret_free(f->root);
    return 0;
}

static void stream_keys(void **state)
{
    static const char *const expected[] = {
        [RIAD_PURPOSE_CHANGE] = "e83a8420c63c6fa7df1ef11bcee1b8a8bcc033ca24da3905ac3f8d0263e8c785",
        [RIAD_PURPOSE_DATA] = "66ec7c1c7ebb0d44a3013bc13552a85fe28b7c899e327cef5e2c184946f59026",
        [RIAD_PURPOSE_CHECKPOINT] =
                "cff1891138c22e31147dd4391086e512114d039a3e791bb2def34661e130e896",
    };
    struct fixture *f = *state;
    uint8_t key[RIAD_AEAD_KEY_SIZE];

    for (int i = RIAD_PURPOSE_CHANGE; i <= RIAD_PURPOSE_CHECKPOINT; i++) {
        assert_int_equal(
                riad_keys_stream(f->keys, (enum riad_purpose)i, &f->stream, EPOCH, key), 0);
        assert_hex(key, expected[i]);
    }
}

static void unknown_epochs_and_purposes_are_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t key[RIAD_AEAD_KEY_SIZE] = { 7 };

    assert_int_equal(
            riad_keys_stream(f->keys, RIAD_PURPOSE_DATA, &f->stream, EPOCH - 1, key), -ENOKEY);
    assert_int_equal(
            riad_keys_stream(f->keys, RIAD_PURPOSE_DATA, &f->stream, EPOCH + 1, key), -ENOKEY);
    assert_int_equal(
            riad_keys_stream(f->keys, (enum riad_purpose)3, &f->stream, EPOCH, key), -EINVAL);
    assert_int_equal(key[0], 7);
}

static void assert_seals(const struct riad_siv *siv, const char *expected)
{
    uint8_t sealed[22];

    assert_int_equal(riad_siv_seal(siv, "aad", 3, "\001hello", 6, sealed), 0);
    assert_hex(sealed, expected);
}

static void the_other_purposes(void **state)
{
    struct fixture *f = *state;

    assert_seals(riad_keys_name(f->keys), "159435b1dba3e2166ff0e572d2fc568928bc8a87310c");
    assert_seals(riad_keys_xattr(f->keys), "5d1eda27447fc09b2c8bea022e3d46746bbfc77035ca");
    assert_seals(riad_keys_label(f->keys), "0a8ca4112948fa28f04dfc10476e8fed37b86c12a05e");
    assert_int_equal(riad_secret_size(riad_keys_beat(f->keys)), 32);
    assert_hex(riad_secret_peek(riad_keys_beat(f->keys)),
            "ae590faaee515c226bd8bd4beb42b4fa0a5f4d8d7742b69a3b9adfb2bdde97bb");
    assert_int_equal(riad_keys_epoch(f->keys), EPOCH);
    assert_true(riad_id_equal(riad_keys_workspace(f->keys), &f->workspace));
}

static void the_commitment(void **state)
{
    struct fixture *f = *state;
    struct riad_hash commitment;

    assert_int_equal(riad_keys_commitment(&f->workspace, f->root, &commitment), 0);
    assert_hex(
            commitment.bytes, "641bd9eec282b9c6420ceff30063df14c29543e3200877d05380eed8cef578ce");
}

/* What travels to another process opens the same. */
static void subkeys_are_enough(void **state)
{
    struct fixture *f = *state;
    _cleanup_secret_ struct riad_secret *subkeys = NULL;
    _cleanup_(riad_keys_freep) struct riad_keys *again = NULL;
    uint8_t one[RIAD_AEAD_KEY_SIZE], other[RIAD_AEAD_KEY_SIZE], sealed[RIAD_SIV_SIZE + 4], plain[4];

    assert_int_equal(riad_subkeys_derive(&f->workspace, EPOCH, f->root, &subkeys), 0);
    assert_int_equal(riad_keys_from_subkeys(&f->workspace, EPOCH, subkeys, &again), 0);
    assert_int_equal(riad_keys_epoch(again), EPOCH);
    for (enum riad_purpose i = RIAD_PURPOSE_CHANGE; i <= RIAD_PURPOSE_CHECKPOINT; i++) {
        assert_int_equal(riad_keys_stream(f->keys, i, &f->stream, EPOCH, one), 0);
        assert_int_equal(riad_keys_stream(again, i, &f->stream, EPOCH, other), 0);
        assert_memory_equal(one, other, sizeof one);
    }
    assert_true(riad_secret_equal(riad_keys_beat(f->keys), riad_keys_beat(again)));
    assert_int_equal(riad_siv_seal(riad_keys_name(f->keys), "a", 1, "name", 4, sealed), 0);
    assert_int_equal(riad_siv_open(riad_keys_name(again), "a", 1, sealed, sizeof sealed, plain), 0);
    assert_int_equal(riad_siv_seal(riad_keys_label(f->keys), "a", 1, "name", 4, sealed), 0);
    assert_int_equal(
            riad_siv_open(riad_keys_name(again), "a", 1, sealed, sizeof sealed, plain), -EBADMSG);
    assert_int_equal(
            riad_siv_open(riad_keys_label(again), "a", 1, sealed, sizeof sealed, plain), 0);
    riad_keys_free(again);
    again = NULL;
    assert_int_equal(riad_keys_from_subkeys(&f->workspace, 0, subkeys, &again), -EINVAL);
    riad_secret_truncate(subkeys, RIAD_SUBKEYS_SIZE - 1);
    assert_int_equal(riad_keys_from_subkeys(&f->workspace, EPOCH, subkeys, &again), -EINVAL);
}

static struct riad_secret *subkeys_of(const struct fixture *f, uint32_t epoch)
{
    _cleanup_secret_ struct riad_secret *root = secret_counting(32, epoch);
    struct riad_secret *subkeys = NULL;

    assert_int_equal(riad_subkeys_derive(&f->workspace, epoch, root, &subkeys), 0);
    return subkeys;
}

static int add(struct fixture *f, uint32_t epoch)
{
    _cleanup_secret_ struct riad_secret *subkeys = subkeys_of(f, epoch);

    return riad_keys_add(f->keys, epoch, subkeys);
}

static void an_epoch_is_added_and_the_older_ones_stay(void **state)
{
    struct fixture *f = *state;
    const struct riad_siv *name = riad_keys_name(f->keys);
    const struct riad_siv *xattr = riad_keys_xattr(f->keys);
    const struct riad_secret *beat = riad_keys_beat(f->keys);
    _cleanup_secret_ struct riad_secret *subkeys = subkeys_of(f, EPOCH + 1);
    _cleanup_(riad_keys_freep) struct riad_keys *alone = NULL;
    uint8_t before[RIAD_AEAD_KEY_SIZE], key[RIAD_AEAD_KEY_SIZE], other[RIAD_AEAD_KEY_SIZE];

    assert_int_equal(riad_keys_stream(f->keys, RIAD_PURPOSE_DATA, &f->stream, EPOCH, before), 0);
    assert_int_equal(add(f, EPOCH), -EINVAL);
    assert_int_equal(add(f, EPOCH + 2), -EINVAL);
    assert_int_equal(add(f, EPOCH + 1), 0);
    assert_int_equal(riad_keys_epoch(f->keys), EPOCH + 1);
    assert_int_equal(riad_keys_first_epoch(f->keys), EPOCH);
    assert_int_equal(riad_keys_stream(f->keys, RIAD_PURPOSE_DATA, &f->stream, EPOCH, key), 0);
    assert_memory_equal(key, before, sizeof key);
    assert_int_equal(riad_keys_from_subkeys(&f->workspace, EPOCH + 1, subkeys, &alone), 0);
    for (enum riad_purpose i = RIAD_PURPOSE_CHANGE; i <= RIAD_PURPOSE_CHECKPOINT; i++) {
        assert_int_equal(riad_keys_stream(f->keys, i, &f->stream, EPOCH + 1, key), 0);
        assert_int_equal(riad_keys_stream(alone, i, &f->stream, EPOCH + 1, other), 0);
        assert_memory_equal(key, other, sizeof key);
    }
    assert_int_equal(
            riad_keys_stream(f->keys, RIAD_PURPOSE_DATA, &f->stream, EPOCH + 2, key), -ENOKEY);
    assert_ptr_equal(riad_keys_name(f->keys), name);
    assert_ptr_equal(riad_keys_xattr(f->keys), xattr);
    assert_true(riad_secret_equal(riad_keys_beat(f->keys), riad_keys_beat(alone)));
    assert_ptr_equal(riad_keys_beat_of(f->keys, EPOCH), beat);
    assert_null(riad_keys_beat_of(f->keys, EPOCH + 2));
    assert_null(riad_keys_beat_of(f->keys, EPOCH - 1));
}

static void an_epoch_that_cannot_be_added_changes_nothing(void **state)
{
    struct fixture *f = *state;
    _cleanup_secret_ struct riad_secret *odd = secret_counting(RIAD_SUBKEYS_SIZE - 1, 0);

    assert_int_equal(riad_keys_add(f->keys, EPOCH + 1, odd), -EINVAL);
    for (uint32_t i = 1; i < RIAD_EPOCHS_MAX; i++) {
        assert_int_equal(add(f, EPOCH + i), 0);
    }
    assert_int_equal(add(f, EPOCH + RIAD_EPOCHS_MAX), -ENOSPC);
    assert_int_equal(riad_keys_epoch(f->keys), EPOCH + RIAD_EPOCHS_MAX - 1);
}

static void a_root_of_another_size_is_refused(void **state)
{
    struct fixture *f = *state;
    _cleanup_secret_ struct riad_secret *odd = secret_counting(31, 0);
    struct riad_keys *keys = NULL;

    assert_int_equal(riad_keys_new(&f->workspace, 1, odd, &keys), -EINVAL);
    assert_null(keys);
    riad_keys_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(stream_keys, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unknown_epochs_and_purposes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_other_purposes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_commitment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(subkeys_are_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
                an_epoch_is_added_and_the_older_ones_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
                an_epoch_that_cannot_be_added_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_root_of_another_size_is_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
