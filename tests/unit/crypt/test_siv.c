#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "riad/siv.h"

#include "crypt/vectors.h"

#define _cleanup_siv_ _cleanup_(riad_siv_freep)
#define AAD "riad/v1/label", 13

/* Key 0..63, plaintext byte i = 7 i + 3. From Python cryptography's AESSIV and, alike, from an
 * implementation of RFC 5297 over AES-ECB that was checked with the RFC's own vector A.1 (its
 * vectors are for shorter keys). */
static const struct {
    size_t size;
    const char *sealed;
} vectors[] = {
    { 1, "6f1fb03652e901927fbdf012856a1315f8" },
    { 15, "879c63f8377db0b8c54b6d98d02d891b10fa58325e3c1752ab1377e8b20f4c" },
    { 16, "c8b7b8c4c335cc1a89024d725ef7a019f4922a5fc5a202d6ecb828c6c33cdb44" },
    { 17, "77bba6f2ad4ef06ac6629209731f61deb38d30d94395b18d4e7728cd57b4a697cc" },
    { 100, "266ed12c570a575f5ea97bbf2f3ccc57ffc79cb654ba5f21557fb2d4ddd2df7c1b1d8ab2db58a21f384601"
           "28ddc4de78775e00c0e32543c905957a2074ecb820cc0f1b174a25790976ea8b305bcbb4b03d9ee67782696"
           "95855cf9d9cfab1797591c1202b9e081e7f50c55f54827fe10ce4570bde" },
};

enum { VECTORS = sizeof vectors / sizeof *vectors };

static void make_plain(uint8_t *ret, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ret[i] = (uint8_t)(7 * i + 3);
    }
}

static struct riad_siv *siv_counting(unsigned first)
{
    _cleanup_secret_ struct riad_secret *key = secret_counting(RIAD_SIV_KEY_SIZE, first);
    struct riad_siv *siv;

    assert_int_equal(riad_siv_new(key, &siv), 0);
    return siv;
}

/* Twice over with one riad_siv: a context that was not started afresh would give other bytes. */
static void vectors_match_message_after_message(void **state)
{
    _cleanup_siv_ struct riad_siv *siv = siv_counting(0);
    uint8_t plain[100], sealed[116], opened[100];

    (void)state;
    make_plain(plain, sizeof plain);
    for (size_t i = 0; i < 2 * (size_t)VECTORS; i++) {
        size_t size = vectors[i % VECTORS].size;

        assert_int_equal(riad_siv_seal(siv, AAD, plain, size, sealed), 0);
        assert_hex(sealed, vectors[i % VECTORS].sealed);
        memset(opened, 0, sizeof opened);
        assert_int_equal(riad_siv_open(siv, AAD, sealed, size + RIAD_SIV_SIZE, opened), 0);
        assert_memory_equal(opened, plain, size);
    }
}

static void every_changed_bit_is_refused_and_wiped(void **state)
{
    static const uint8_t zeros[17];
    _cleanup_siv_ struct riad_siv *siv = siv_counting(0);
    uint8_t sealed[33], opened[17];

    (void)state;
    from_hex(vectors[3].sealed, sealed);
    for (size_t bit = 0; bit < 8 * sizeof sealed; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(opened, 0xee, sizeof opened);
        assert_int_equal(riad_siv_open(siv, AAD, sealed, sizeof sealed, opened), -EBADMSG);
        assert_memory_equal(opened, zeros, sizeof zeros);
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        /* A refusal leaves nothing behind that spoils the next message. */
        assert_int_equal(riad_siv_open(siv, AAD, sealed, sizeof sealed, opened), 0);
    }
}

static void other_data_keys_and_lengths_are_refused(void **state)
{
    _cleanup_siv_ struct riad_siv *siv = siv_counting(0);
    _cleanup_siv_ struct riad_siv *other = siv_counting(1);
    uint8_t sealed[33], opened[33];

    (void)state;
    from_hex(vectors[3].sealed, sealed);
    assert_int_equal(riad_siv_open(other, AAD, sealed, 33, opened), -EBADMSG);
    assert_int_equal(riad_siv_open(siv, "riad/v1/labe", 12, sealed, 33, opened), -EBADMSG);
    assert_int_equal(riad_siv_open(siv, "riad/v1/labeL", 13, sealed, 33, opened), -EBADMSG);
    for (size_t size = 0; size < 33; size++) {
        assert_int_equal(riad_siv_open(siv, AAD, sealed, size, opened), -EBADMSG);
    }
    assert_int_equal(riad_siv_open(siv, AAD, sealed, SIZE_MAX, opened), -EBADMSG);
    assert_int_equal(riad_siv_open(siv, AAD, sealed, 33, opened), 0);
}

/* OpenSSL 3.0 seals an empty text to sixteen zero bytes and says that all went well. */
static void empty_items_are_refused(void **state)
{
    _cleanup_siv_ struct riad_siv *siv = siv_counting(0);
    uint8_t sealed[33];

    (void)state;
    assert_int_equal(riad_siv_seal(siv, AAD, "x", 0, sealed), -EINVAL);
    assert_int_equal(riad_siv_seal(siv, "", 0, "x", 1, sealed), -EINVAL);
    assert_int_equal(riad_siv_seal(siv, AAD, "x", (1 << 20) + 1, sealed), -EINVAL);
    from_hex(vectors[3].sealed, sealed);
    assert_int_equal(riad_siv_open(siv, "", 0, sealed, 33, sealed), -EINVAL);
}

static void a_mebibyte_goes_through(void **state)
{
    enum { SIZE = 1 << 20 };
    _cleanup_siv_ struct riad_siv *siv = siv_counting(0);
    _cleanup_free_ uint8_t *plain = malloc(SIZE);
    _cleanup_free_ uint8_t *sealed = malloc(SIZE + RIAD_SIV_SIZE);
    _cleanup_free_ uint8_t *opened = malloc(SIZE);

    (void)state;
    assert_true(plain && sealed && opened);
    make_plain(plain, SIZE);
    assert_int_equal(riad_siv_seal(siv, AAD, plain, SIZE, sealed), 0);
    assert_int_equal(riad_siv_open(siv, AAD, sealed, SIZE + RIAD_SIV_SIZE, opened), 0);
    assert_memory_equal(opened, plain, SIZE);
}

static void keys_of_another_size_are_refused(void **state)
{
    static const size_t sizes[] = { 32, 48, 63, 65, 128 };
    struct riad_siv *siv = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        _cleanup_secret_ struct riad_secret *key = secret_counting(sizes[i], 0);

        assert_int_equal(riad_siv_new(key, &siv), -EINVAL);
    }
    assert_null(siv);
    riad_siv_free(NULL);
}

/* A new one at a freed one's address must not meet its predecessor's key. */
static void a_freed_key_is_forgotten(void **state)
{
    uint8_t first[17], sealed[17];

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        _cleanup_siv_ struct riad_siv *siv = siv_counting(i);

        assert_int_equal(riad_siv_seal(siv, AAD, "x", 1, i == 0 ? first : sealed), 0);
        assert_true(i == 0 || memcmp(first, sealed, sizeof first) != 0);
    }
}

/* Returns NULL if all went well. */
static void *seal_and_open(void *argument)
{
    const struct riad_siv *siv = argument;
    uint8_t plain[100], sealed[116], opened[100], right[116];

    make_plain(plain, sizeof plain);
    from_hex(vectors[4].sealed, right);
    for (int i = 0; i < 5000; i++) {
        if (riad_siv_seal(siv, AAD, plain, 100, sealed) != 0 || memcmp(sealed, right, 116) != 0 ||
                riad_siv_open(siv, AAD, sealed, 116, opened) != 0 ||
                memcmp(plain, opened, 100) != 0 ||
                riad_siv_open(siv, AAD, sealed, 115, opened) != -EBADMSG) {
            return argument;
        }
    }
    return NULL;
}

static void threads_share_one_key(void **state)
{
    _cleanup_siv_ struct riad_siv *siv = siv_counting(0);
    pthread_t threads[4];
    void *failed;

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, seal_and_open, siv), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_match_message_after_message),
        cmocka_unit_test(every_changed_bit_is_refused_and_wiped),
        cmocka_unit_test(other_data_keys_and_lengths_are_refused),
        cmocka_unit_test(empty_items_are_refused),
        cmocka_unit_test(a_mebibyte_goes_through),
        cmocka_unit_test(keys_of_another_size_are_refused),
        cmocka_unit_test(a_freed_key_is_forgotten),
        cmocka_unit_test(threads_share_one_key),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
