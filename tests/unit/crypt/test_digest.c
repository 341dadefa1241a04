#include <errno.h>

#include "riad/digest.h"

#include "crypt/vectors.h"
#include "digest_priv.h"

static void sha256_of_pieces(void **state)
{
    const struct riad_piece pieces[] = { RIAD_PIECE_LABEL("a"), { NULL, 0 },
        RIAD_PIECE_LABEL("bc") };
    struct riad_hash hash;

    (void)state;
    assert_int_equal(riad_sha256(NULL, 0, &hash), 0);
    assert_hex(hash.bytes, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_int_equal(riad_sha256(pieces, 3, &hash), 0);
    assert_hex(hash.bytes, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231, cases 2 and 6. */
static void hmac_vectors(void **state)
{
    const struct riad_piece two[] = { RIAD_PIECE_LABEL("what do ya want "),
        RIAD_PIECE_LABEL("for nothing?") };
    const struct riad_piece six =
            RIAD_PIECE_LABEL("Test Using Larger Than Block-Size Key - Hash Key First");
    _cleanup_secret_ struct riad_secret *jefe = secret_from("Jefe", 4);
    _cleanup_secret_ struct riad_secret *large = NULL;
    struct riad_hash hash;

    (void)state;
    assert_int_equal(riad_hmac(jefe, two, 2, &hash), 0);
    assert_hex(hash.bytes, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_int_equal(riad_secret_new(131, &large), 0);
    memset(riad_secret_bytes(large), 0xaa, 131);
    assert_int_equal(riad_hmac(large, &six, 1, &hash), 0);
    assert_hex(hash.bytes, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

static void assert_hkdf(struct riad_secret *ikm, struct riad_piece salt,
        const struct riad_piece *info, size_t count, const char *expected)
{
    _cleanup_secret_ struct riad_secret *okm = NULL;
    size_t size = strlen(expected) / 2;

    assert_int_equal(riad_hkdf(ikm, salt.data, salt.size, info, count, size, &okm), 0);
    assert_int_equal(riad_secret_size(okm), size);
    assert_hex(riad_secret_peek(okm), expected);
}

/* RFC 5869, A.1 to A.3; the info in one piece and in two. */
static void hkdf_vectors(void **state)
{
    uint8_t salt[80], info[80];
    const struct riad_piece halves[] = { { info, 33 }, { info + 33, 47 } };
    _cleanup_secret_ struct riad_secret *short_ikm =
            secret_from_hex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b");
    _cleanup_secret_ struct riad_secret *long_ikm = secret_counting(80, 0);

    (void)state;
    count_up(salt, sizeof salt, 0);
    count_up(info, sizeof info, 0xf0);
    assert_hkdf(short_ikm, (struct riad_piece){ salt, 13 }, &(struct riad_piece){ info, 10 }, 1,
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
    count_up(salt, sizeof salt, 0x60);
    count_up(info, sizeof info, 0xb0);
    assert_hkdf(long_ikm, (struct riad_piece){ salt, 80 }, halves, 2,
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41"
            "c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
    assert_hkdf(short_ikm, (struct riad_piece){ NULL, 0 }, NULL, 0,
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

static void hkdf_refuses_what_is_too_long(void **state)
{
    uint8_t info[513] = { 0 };
    const struct riad_piece longest[] = { { info, 500 }, { info, 12 } };
    const struct riad_piece longer[] = { { info, 500 }, { info, 13 } };
    const struct riad_piece wrapping[] = { { info, SIZE_MAX }, { info, 2 } };
    const struct riad_piece many[9] = { { info, 1 } };
    _cleanup_secret_ struct riad_secret *ikm = secret_from("k", 1);
    _cleanup_secret_ struct riad_secret *okm = NULL;

    (void)state;
    assert_int_equal(riad_hkdf(ikm, NULL, 0, longer, 2, 32, &okm), -EINVAL);
    assert_int_equal(riad_hkdf(ikm, NULL, 0, wrapping, 2, 32, &okm), -EINVAL);
    assert_int_equal(riad_hkdf(ikm, NULL, 0, many, 9, 32, &okm), -EINVAL);
    assert_int_equal(riad_hkdf(ikm, NULL, 0, NULL, 0, 0, &okm), -EINVAL);
    assert_null(okm);
    assert_int_equal(riad_hkdf(ikm, NULL, 0, longest, 2, 4096, &okm), 0);
}

/* Computed with hashlib.scrypt of Python: the vectors of RFC 7914 lie outside the bounds. */
static void scrypt_vectors(void **state)
{
    static const char battery[] = "correct horse battery staple";
    _cleanup_secret_ struct riad_secret *passphrase = secret_from(battery, sizeof battery - 1);
    _cleanup_secret_ struct riad_secret *umlaut = secret_from("p\xc3\xa4ss", 5);
    _cleanup_secret_ struct riad_secret *one = NULL;
    _cleanup_secret_ struct riad_secret *two = NULL;
    uint8_t salt[32];

    (void)state;
    count_up(salt, sizeof salt, 0);
    assert_int_equal(riad_scrypt(passphrase, salt, sizeof salt, 15, 8, 1, 64, &one), 0);
    assert_hex(riad_secret_peek(one),
            "450fa69545f7a2062c718965069c38be27c1789f5e8cf9b00acb95fdcc54c43d58206d6c274c37a22d6fd9"
            "b83afadda2dbd022bc20f9d343562568bb59773e13");
    assert_int_equal(riad_scrypt(umlaut, "NaCl", 4, 15, 8, 2, 32, &two), 0);
    assert_hex(riad_secret_peek(two),
            "0621cb71a64709922eb20005cb0a2fee0797dc35ffb7feb7cb15bdbda5de4c3b");
}

static void scrypt_refuses_hostile_parameters(void **state)
{
    static const struct {
        unsigned log_n;
        uint32_t r;
        uint32_t p;
    } bad[] = { { 14, 8, 1 }, { 21, 8, 1 }, { 0, 8, 1 }, { 64, 8, 1 }, { 271, 8, 1 }, { 15, 7, 1 },
        { 15, 9, 1 }, { 15, 0, 1 }, { 15, 1u << 30, 1 }, { 15, 8, 0 }, { 15, 8, 5 },
        { 15, 8, UINT32_MAX } };
    _cleanup_secret_ struct riad_secret *passphrase = secret_from("p", 1);
    struct riad_secret *key = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(
                riad_scrypt(passphrase, "salt", 4, bad[i].log_n, bad[i].r, bad[i].p, 32, &key),
                -ERANGE);
    }
    assert_int_equal(riad_scrypt(passphrase, "salt", 4, 15, 8, 1, 0, &key), -EINVAL);
    assert_null(key);
}

static void scrypt_default_fits_the_memory_bound(void **state)
{
    _cleanup_secret_ struct riad_secret *passphrase = secret_from("p", 1);
    _cleanup_secret_ struct riad_secret *key = NULL;

    (void)state;
    assert_int_equal(
            riad_scrypt(passphrase, "salt", 4, RIAD_SCRYPT_LOG_N_DEFAULT, 8, 1, 32, &key), 0);
}

static void random_bytes_fill_the_whole_buffer(void **state)
{
    uint8_t seen[1000] = { 0 };
    struct riad_id a, b;

    (void)state;
    for (int round = 0; round < 8; round++) {
        uint8_t bytes[sizeof seen];

        memset(bytes, 0, sizeof bytes);
        assert_int_equal(riad_random(bytes, sizeof bytes), 0);
        for (size_t i = 0; i < sizeof seen; i++) {
            seen[i] |= bytes[i];
        }
    }
    for (size_t i = 0; i < sizeof seen; i++) {
        assert_int_not_equal(seen[i], 0);
    }
    assert_int_equal(riad_random_id(&a), 0);
    assert_int_equal(riad_random_id(&b), 0);
    assert_false(riad_id_equal(&a, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_of_pieces),
        cmocka_unit_test(hmac_vectors),
        cmocka_unit_test(hkdf_vectors),
        cmocka_unit_test(hkdf_refuses_what_is_too_long),
        cmocka_unit_test(scrypt_vectors),
        cmocka_unit_test(scrypt_refuses_hostile_parameters),
        cmocka_unit_test(scrypt_default_fits_the_memory_bound),
        cmocka_unit_test(random_bytes_fill_the_whole_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
