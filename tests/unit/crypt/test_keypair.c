#include <errno.h>

#include "riad/digest.h"
#include "riad/keypair.h"

#include "crypt/vectors.h"

#define _cleanup_keypair_ _cleanup_(riad_keypair_done)

/* RFC 8032, 7.1, tests 1 to 3. */
static const struct {
    const char *seed;
    const char *public;
    const char *message;
    const char *signature;
} vectors[] = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39"
            "701cf9b46bd25bf5f0595bbe24655141438e7a100b" },
    { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f36"
            "13d0f11d8c387b2eaeb4302aeeb00d291612bb0c00" },
    { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f7"
            "60984dc6594a7c15e9716ed28dc027beceea1ec40a" },
};

/* RFC 9180, A.1.1: the ephemeral pair. */
#define X25519_PRIVATE "52c4a758a802cd8b936eceea314432798d5baf2d7e9235dc084ab1b9cfa2f736"
#define X25519_PUBLIC "37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431"

static void load(const char *seed, struct riad_keypair *ret)
{
    uint8_t halves[64];

    from_hex(X25519_PRIVATE, halves);
    from_hex(seed, halves + 32);
    assert_int_equal(riad_keypair_from_secret(secret_from(halves, sizeof halves), ret), 0);
}

static void ed25519_vectors(void **state)
{
    uint8_t message[2], signature[RIAD_SIGNATURE_SIZE];

    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        _cleanup_keypair_ struct riad_keypair pair = { 0 };
        size_t size = from_hex(vectors[i].message, message);

        load(vectors[i].seed, &pair);
        assert_hex(pair.sign_key.bytes, vectors[i].public);
        assert_hex(pair.wrap_key.bytes, X25519_PUBLIC);
        assert_int_equal(riad_sign(&pair, message, size, signature), 0);
        assert_hex(signature, vectors[i].signature);
        assert_int_equal(riad_verify(&pair.sign_key, message, size, signature), 0);
    }
}

static void every_changed_bit_is_refused(void **state)
{
    _cleanup_keypair_ struct riad_keypair pair = { 0 };
    uint8_t message[] = "a message", signature[RIAD_SIGNATURE_SIZE];
    struct riad_public_key key;

    (void)state;
    load(vectors[0].seed, &pair);
    key = pair.sign_key;
    assert_int_equal(riad_sign(&pair, message, sizeof message, signature), 0);
    for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(riad_verify(&key, message, sizeof message, signature), -EBADMSG);
        signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof message; bit++) {
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(riad_verify(&key, message, sizeof message, signature), -EBADMSG);
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof key.bytes; bit++) {
        key.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(riad_verify(&key, message, sizeof message, signature), -EBADMSG);
        key.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(riad_verify(&key, message, sizeof message - 1, signature), -EBADMSG);
    assert_int_equal(riad_verify(&key, message, sizeof message, signature), 0);
}

static void generated_pairs_differ_and_reload(void **state)
{
    _cleanup_keypair_ struct riad_keypair a = { 0 };
    _cleanup_keypair_ struct riad_keypair b = { 0 };
    _cleanup_keypair_ struct riad_keypair again = { 0 };

    (void)state;
    assert_int_equal(riad_keypair_generate(&a), 0);
    assert_int_equal(riad_keypair_generate(&b), 0);
    assert_memory_not_equal(a.wrap_key.bytes, b.wrap_key.bytes, 32);
    assert_memory_not_equal(a.sign_key.bytes, b.sign_key.bytes, 32);
    assert_memory_not_equal(a.sign_key.bytes, a.wrap_key.bytes, 32);
    assert_int_equal(
            riad_keypair_from_secret(secret_from(riad_secret_peek(a.secret), 64), &again), 0);
    assert_memory_equal(again.wrap_key.bytes, a.wrap_key.bytes, 32);
    assert_memory_equal(again.sign_key.bytes, a.sign_key.bytes, 32);
}

static void a_secret_of_another_size_stays_the_callers(void **state)
{
    _cleanup_secret_ struct riad_secret *odd = secret_counting(63, 0);
    struct riad_keypair pair = { 0 };

    (void)state;
    assert_int_equal(riad_keypair_from_secret(odd, &pair), -EINVAL);
    assert_null(pair.secret);
    assert_int_equal(riad_secret_size(odd), 63);
    riad_keypair_done(&pair);
}

static void key_id_is_labelled(void **state)
{
    struct riad_public_key key;
    struct riad_hash id;

    (void)state;
    count_up(key.bytes, sizeof key.bytes, 0);
    assert_int_equal(riad_key_id(&key, &id), 0);
    assert_hex(id.bytes, "37b1515789e3c2a803661ce78c1f5d0bdc07d189d4ea81abfc93936ecf5c7f34");
}

static int sign_elsewhere(
        void *context, const void *data, size_t size, uint8_t ret[RIAD_SIGNATURE_SIZE])
{
    return riad_sign(context, data, size, ret);
}

/* A pair whose private halves another process has. */
static void signing_can_be_elsewhere(void **state)
{
    struct riad_keypair keys, remote;
    uint8_t signature[RIAD_SIGNATURE_SIZE];

    (void)state;
    assert_int_equal(riad_keypair_generate(&keys), 0);
    remote = (struct riad_keypair){ .sign_key = keys.sign_key };
    assert_int_equal(riad_sign(&remote, "message", 7, signature), -EINVAL);
    remote.sign = sign_elsewhere;
    remote.context = &keys;
    assert_int_equal(riad_sign(&remote, "message", 7, signature), 0);
    assert_int_equal(riad_verify(&keys.sign_key, "message", 7, signature), 0);
    riad_keypair_done(&keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ed25519_vectors),
        cmocka_unit_test(every_changed_bit_is_refused),
        cmocka_unit_test(generated_pairs_differ_and_reload),
        cmocka_unit_test(a_secret_of_another_size_stays_the_callers),
        cmocka_unit_test(key_id_is_labelled),
        cmocka_unit_test(signing_can_be_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
