#include <errno.h>

#include "riad/aead.h"
#include "riad/keypair.h"

#include "crypt/vectors.h"
#include "hpke_priv.h"

#define _cleanup_keypair_ _cleanup_(riad_keypair_done)

/* The published vectors of RFC 9180 (test-vectors.json): mode 0, KEM 0x0020, KDF 0x0001, AEAD
 * 0x0002, first encryption. */
#define SK_E "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11"
#define SK_R "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d"
#define PK_R "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c"
#define ENC "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256"
#define CIPHER \
    "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a925cdad859d5b7a"
#define INFO "Ode on a Grecian Urn", 20
#define AAD "Count-0", 7
static const char plain_text[] = "Beauty is truth, truth beauty";

enum { PLAIN_SIZE = sizeof plain_text - 1, CIPHER_SIZE = PLAIN_SIZE + RIAD_TAG_SIZE };

struct sealed {
    uint8_t enc[RIAD_HPKE_ENC_SIZE];
    uint8_t cipher[CIPHER_SIZE];
};

static void make_recipient(struct riad_keypair *ret)
{
    uint8_t halves[64];

    from_hex(SK_R, halves);
    count_up(halves + 32, 32, 0);
    assert_int_equal(riad_keypair_from_secret(secret_from(halves, sizeof halves), ret), 0);
    assert_hex(ret->wrap_key.bytes, PK_R);
}

static void published(struct sealed *ret)
{
    from_hex(ENC, ret->enc);
    from_hex(CIPHER, ret->cipher);
}

static int open_sealed(const struct riad_keypair *recipient, const struct sealed *sealed)
{
    _cleanup_secret_ struct riad_secret *plain = NULL;
    int r = riad_hpke_open(recipient, sealed->enc, INFO, AAD, sealed->cipher, CIPHER_SIZE, &plain);

    if (r == 0) {
        assert_int_equal(riad_secret_size(plain), PLAIN_SIZE);
        assert_memory_equal(riad_secret_peek(plain), plain_text, PLAIN_SIZE);
    } else {
        assert_null(plain);
    }
    return r;
}

static void sealing_gives_the_published_bytes(void **state)
{
    _cleanup_secret_ struct riad_secret *ephemeral = secret_from_hex(SK_E);
    _cleanup_secret_ struct riad_secret *plain = secret_from(plain_text, PLAIN_SIZE);
    struct riad_public_key recipient;
    struct sealed sealed;

    (void)state;
    from_hex(PK_R, recipient.bytes);
    assert_int_equal(
            riad_hpke_seal_with(ephemeral, &recipient, INFO, AAD, plain, sealed.enc, sealed.cipher),
            0);
    assert_hex(sealed.enc, ENC);
    assert_hex(sealed.cipher, CIPHER);
}

static void opening_reads_the_published_bytes(void **state)
{
    _cleanup_keypair_ struct riad_keypair recipient = { 0 };
    struct sealed sealed;

    (void)state;
    make_recipient(&recipient);
    published(&sealed);
    assert_int_equal(open_sealed(&recipient, &sealed), 0);
}

static void every_sealing_is_fresh(void **state)
{
    _cleanup_keypair_ struct riad_keypair recipient = { 0 };
    _cleanup_secret_ struct riad_secret *plain = secret_from(plain_text, PLAIN_SIZE);
    struct sealed a, b;

    (void)state;
    make_recipient(&recipient);
    assert_int_equal(riad_hpke_seal(&recipient.wrap_key, INFO, AAD, plain, a.enc, a.cipher), 0);
    assert_int_equal(riad_hpke_seal(&recipient.wrap_key, INFO, AAD, plain, b.enc, b.cipher), 0);
    assert_memory_not_equal(a.enc, b.enc, sizeof a.enc);
    assert_memory_not_equal(a.cipher, b.cipher, sizeof a.cipher);
    assert_int_equal(open_sealed(&recipient, &a), 0);
    assert_int_equal(open_sealed(&recipient, &b), 0);
}

/* Not the top bit of enc: X25519 ignores it in the point, but the key schedule does not. */
static void every_changed_bit_is_refused(void **state)
{
    _cleanup_keypair_ struct riad_keypair recipient = { 0 };
    struct sealed sealed;

    (void)state;
    make_recipient(&recipient);
    published(&sealed);
    for (size_t bit = 0; bit < 8 * sizeof sealed.enc; bit++) {
        sealed.enc[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(open_sealed(&recipient, &sealed), -EBADMSG);
        sealed.enc[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof sealed.cipher; bit++) {
        sealed.cipher[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(open_sealed(&recipient, &sealed), -EBADMSG);
        sealed.cipher[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(open_sealed(&recipient, &sealed), 0);
}

static void another_recipient_info_or_aad_is_refused(void **state)
{
    _cleanup_keypair_ struct riad_keypair recipient = { 0 };
    _cleanup_keypair_ struct riad_keypair other = { 0 };
    struct riad_secret *plain = NULL;
    struct sealed sealed;

    (void)state;
    make_recipient(&recipient);
    assert_int_equal(riad_keypair_generate(&other), 0);
    published(&sealed);
    assert_int_equal(open_sealed(&other, &sealed), -EBADMSG);
    assert_int_equal(riad_hpke_open(&recipient, sealed.enc, "Ode on a Grecian Ur", 19, AAD,
                             sealed.cipher, CIPHER_SIZE, &plain),
            -EBADMSG);
    assert_int_equal(riad_hpke_open(&recipient, sealed.enc, INFO, "Count-1", 7, sealed.cipher,
                             CIPHER_SIZE, &plain),
            -EBADMSG);
    for (size_t size = 0; size < CIPHER_SIZE; size++) {
        assert_int_equal(
                riad_hpke_open(&recipient, sealed.enc, INFO, AAD, sealed.cipher, size, &plain),
                -EBADMSG);
    }
    assert_int_equal(
            riad_hpke_open(&recipient, sealed.enc, INFO, AAD, sealed.cipher, SIZE_MAX, &plain),
            -EBADMSG);
    assert_null(plain);
}

/* Points of order 1, 2 (as encodings 0 and 1) and 8: the shared secret would be zero, known to
 * everyone. */
static void low_order_points_are_refused(void **state)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    _cleanup_keypair_ struct riad_keypair recipient = { 0 };
    _cleanup_secret_ struct riad_secret *plain = secret_from(plain_text, PLAIN_SIZE);

    (void)state;
    make_recipient(&recipient);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        struct riad_public_key key;
        struct sealed sealed, made;

        published(&sealed);
        from_hex(points[i], sealed.enc);
        assert_int_equal(open_sealed(&recipient, &sealed), -EBADMSG);
        from_hex(points[i], key.bytes);
        assert_int_equal(riad_hpke_seal(&key, INFO, AAD, plain, made.enc, made.cipher), -EBADMSG);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing_gives_the_published_bytes),
        cmocka_unit_test(opening_reads_the_published_bytes),
        cmocka_unit_test(every_sealing_is_fresh),
        cmocka_unit_test(every_changed_bit_is_refused),
        cmocka_unit_test(another_recipient_info_or_aad_is_refused),
        cmocka_unit_test(low_order_points_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
