#include <errno.h>
#include <pthread.h>

#include "riad/aead.h"

#include "crypt/vectors.h"

enum { PLAIN_SIZE = 100, SEALED_SIZE = PLAIN_SIZE + RIAD_TAG_SIZE };

/* Python cryptography's AESGCM: key 0..31, nonce = four zero bytes and the counter, "header",
 * plaintext 0..99. */
static const uint64_t counter = 0x0102030405060708;
static const char expected[] =
        "1cf9fd46662ace499d7af438922334a5ade425db4ca13f5fb17dcaab62159d3b28780d5c2cf5ed5332a8b913a8"
        "6554046de597a94ff3bc3ebf15a290c0126e72488aa2dcff09f058b171565a07ff9a821cdde57446edca593aff"
        "899944d836334673b9818831299cb50b6166d149e7ed76d6cb05";

struct fixture {
    uint8_t key[RIAD_AEAD_KEY_SIZE];
    uint8_t plain[PLAIN_SIZE];
    uint8_t sealed[SEALED_SIZE]; /* ciphertext and tag */
};

static void make(struct fixture *ret)
{
    count_up(ret->key, sizeof ret->key, 0);
    count_up(ret->plain, sizeof ret->plain, 0);
    from_hex(expected, ret->sealed);
}

static int open_fixture(const struct fixture *f, uint64_t number, const char *aad, uint8_t *ret)
{
    const struct riad_buffer piece = { ret, PLAIN_SIZE };

    return riad_aead_open(
            f->key, number, aad, strlen(aad), f->sealed, f->sealed + PLAIN_SIZE, &piece, 1);
}

/* Test case 16 of the GCM specification. */
static void gcm_vector(void **state)
{
    _cleanup_secret_ struct riad_secret *key =
            secret_from_hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    uint8_t nonce[12], aad[20], plain[60], sealed[60], tag[RIAD_TAG_SIZE];

    (void)state;
    from_hex("cafebabefacedbaddecaf888", nonce);
    from_hex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
    from_hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0"
             "e2449a6b525b16aedf5aa0de657ba637b39",
            plain);
    assert_int_equal(riad_aead_seal_nonce(key, nonce, aad, 20, plain, 60, sealed, tag), 0);
    assert_hex(sealed, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590"
                       "dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662");
    assert_hex(tag, "76fc6ece0f4e1768cddf8853bb2d551b");
    memset(plain, 0, sizeof plain);
    assert_int_equal(riad_aead_open_nonce(key, nonce, aad, 20, sealed, 60, tag, plain), 0);
    assert_hex(plain, "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c959568"
                      "09532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
}

static void pieces_are_sealed_as_one(void **state)
{
    struct fixture f;
    uint8_t sealed[PLAIN_SIZE], tag[RIAD_TAG_SIZE];

    (void)state;
    make(&f);
    for (size_t cut = 0; cut <= PLAIN_SIZE; cut++) {
        const struct riad_buffer pieces[] = { { f.plain, cut }, { NULL, 0 },
            { f.plain + cut, PLAIN_SIZE - cut } };

        assert_int_equal(riad_aead_seal(f.key, counter, "header", 6, pieces, 3, sealed, tag), 0);
        assert_memory_equal(sealed, f.sealed, PLAIN_SIZE);
        assert_memory_equal(tag, f.sealed + PLAIN_SIZE, RIAD_TAG_SIZE);
    }
}

static void pieces_are_opened_in_order(void **state)
{
    struct fixture f;

    (void)state;
    make(&f);
    for (size_t cut = 0; cut <= PLAIN_SIZE; cut++) {
        uint8_t head[PLAIN_SIZE], tail[PLAIN_SIZE];
        const struct riad_buffer pieces[] = { { head, cut }, { tail, PLAIN_SIZE - cut } };

        assert_int_equal(riad_aead_open(f.key, counter, "header", 6, f.sealed,
                                 f.sealed + PLAIN_SIZE, pieces, 2),
                0);
        assert_memory_equal(head, f.plain, cut);
        assert_memory_equal(tail, f.plain + cut, PLAIN_SIZE - cut);
    }
}

static void one_piece_works_in_place(void **state)
{
    struct fixture f;
    uint8_t buffer[PLAIN_SIZE], tag[RIAD_TAG_SIZE];
    const struct riad_buffer piece = { buffer, PLAIN_SIZE };

    (void)state;
    make(&f);
    memcpy(buffer, f.plain, PLAIN_SIZE);
    assert_int_equal(riad_aead_seal(f.key, counter, "header", 6, &piece, 1, buffer, tag), 0);
    assert_memory_equal(buffer, f.sealed, PLAIN_SIZE);
    assert_int_equal(riad_aead_open(f.key, counter, "header", 6, buffer, tag, &piece, 1), 0);
    assert_memory_equal(buffer, f.plain, PLAIN_SIZE);
}

static void nothing_but_associated_data(void **state)
{
    struct fixture f;
    uint8_t tag[RIAD_TAG_SIZE], unused;

    (void)state;
    make(&f);
    assert_int_equal(riad_aead_seal(f.key, 1, "header", 6, NULL, 0, &unused, tag), 0);
    assert_int_equal(riad_aead_open(f.key, 1, "header", 6, &unused, tag, NULL, 0), 0);
    assert_int_equal(riad_aead_open(f.key, 1, "heades", 6, &unused, tag, NULL, 0), -EBADMSG);
    assert_int_equal(riad_aead_open(f.key, 1, NULL, 0, &unused, tag, NULL, 0), -EBADMSG);
}

static void every_changed_bit_is_refused(void **state)
{
    struct fixture f;
    uint8_t plain[PLAIN_SIZE];

    (void)state;
    make(&f);
    for (size_t bit = 0; bit < 8 * (size_t)SEALED_SIZE; bit++) {
        f.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(open_fixture(&f, counter, "header", plain), -EBADMSG);
        f.sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (size_t bit = 0; bit < 8 * sizeof f.key; bit++) {
        f.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(open_fixture(&f, counter, "header", plain), -EBADMSG);
        f.key[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (int bit = 0; bit < 64; bit++) {
        assert_int_equal(
                open_fixture(&f, counter ^ (UINT64_C(1) << bit), "header", plain), -EBADMSG);
    }
    assert_int_equal(open_fixture(&f, counter, "heade", plain), -EBADMSG);
    assert_int_equal(open_fixture(&f, counter, "headeR", plain), -EBADMSG);
    assert_int_equal(open_fixture(&f, counter, "header", plain), 0);
    assert_memory_equal(plain, f.plain, PLAIN_SIZE);
}

static void refused_secrets_are_wiped(void **state)
{
    static const uint8_t zeros[PLAIN_SIZE];
    struct fixture f;
    _cleanup_secret_ struct riad_secret *key = NULL;
    _cleanup_secret_ struct riad_secret *odd = secret_from("0123456789abcdef", 16);
    uint8_t nonce[12] = { 0 }, tag[RIAD_TAG_SIZE], sealed[PLAIN_SIZE], plain[PLAIN_SIZE];

    (void)state;
    make(&f);
    key = secret_from(f.key, sizeof f.key);
    assert_int_equal(
            riad_aead_seal_nonce(key, nonce, NULL, 0, f.plain, PLAIN_SIZE, sealed, tag), 0);
    tag[15] ^= 1;
    memset(plain, 0xee, sizeof plain);
    assert_int_equal(
            riad_aead_open_nonce(key, nonce, NULL, 0, sealed, PLAIN_SIZE, tag, plain), -EBADMSG);
    assert_memory_equal(plain, zeros, sizeof zeros);
    assert_int_equal(riad_aead_seal_nonce(odd, nonce, NULL, 0, f.plain, 1, sealed, tag), -EINVAL);
    assert_int_equal(riad_aead_open_nonce(odd, nonce, NULL, 0, sealed, 1, tag, plain), -EINVAL);
}

static void sizes_beyond_int_are_refused(void **state)
{
    struct fixture f;
    uint8_t tag[RIAD_TAG_SIZE], sealed[1];
    const struct riad_buffer huge = { f.plain, (size_t)1 << 31 };
    const struct riad_buffer small = { f.plain, 1 };

    (void)state;
    make(&f);
    assert_int_equal(riad_aead_seal(f.key, 1, NULL, 0, &huge, 1, sealed, tag), -EINVAL);
    assert_int_equal(riad_aead_open(f.key, 1, NULL, 0, sealed, tag, &huge, 1), -EINVAL);
    assert_int_equal(
            riad_aead_seal(f.key, 1, "", (size_t)1 << 31, &small, 1, sealed, tag), -EINVAL);
}

/* Each thread has keys and counters of its own; returns NULL if all went well. */
static void *seal_and_open(void *argument)
{
    uint8_t key[RIAD_AEAD_KEY_SIZE], tag[RIAD_TAG_SIZE];
    uint8_t plain[1000], sealed[1000], opened[1000];
    const struct riad_buffer in = { plain, sizeof plain };
    const struct riad_buffer out = { opened, sizeof opened };

    count_up(key, sizeof key, (unsigned)(uintptr_t)argument);
    count_up(plain, sizeof plain, (unsigned)(uintptr_t)argument);
    for (uint64_t i = 0; i < 2000; i++) {
        if (riad_aead_seal(key, i, &i, sizeof i, &in, 1, sealed, tag) != 0 ||
                riad_aead_open(key, i, &i, sizeof i, sealed, tag, &out, 1) != 0 ||
                memcmp(plain, opened, sizeof plain) != 0 ||
                riad_aead_open(key, i + 1, &i, sizeof i, sealed, tag, &out, 1) != -EBADMSG) {
            return argument;
        }
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    pthread_t threads[4];
    void *failed;

    (void)state;
    for (uintptr_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, seal_and_open, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gcm_vector),
        cmocka_unit_test(pieces_are_sealed_as_one),
        cmocka_unit_test(pieces_are_opened_in_order),
        cmocka_unit_test(one_piece_works_in_place),
        cmocka_unit_test(nothing_but_associated_data),
        cmocka_unit_test(every_changed_bit_is_refused),
        cmocka_unit_test(refused_secrets_are_wiped),
        cmocka_unit_test(sizes_beyond_int_are_refused),
        cmocka_unit_test(threads_do_not_disturb_each_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
