#include "riad/aead.h"

#include <limits.h>
#include <openssl/evp.h>

#include "riad/error.h"

#include "algorithms_priv.h"
#include "context_priv.h"

enum { NONCE_SIZE = 12, COUNTER_OFFSET = 4 };

/* One call's key, nonce and associated data; everything borrowed. */
struct job {
    const uint8_t *key;
    const uint8_t *nonce;
    const void *aad;
    size_t aad_size;
};

/* FORMAT 4.1: four zero bytes, then the counter, little-endian. */
static void make_nonce(uint64_t counter, uint8_t ret[NONCE_SIZE])
{
    memset(ret, 0, COUNTER_OFFSET);
    for (int i = 0; i < 8; i++) {
        ret[COUNTER_OFFSET + i] = (uint8_t)(counter >> (8 * i));
    }
}

/* OpenSSL counts in int. */
static bool sizes_fit(size_t aad_size, const struct riad_buffer *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (pieces[i].size > INT_MAX) {
            return false;
        }
    }
    return aad_size <= INT_MAX;
}

static bool seal_pieces(EVP_CIPHER_CTX *context, const struct job *job,
        const struct riad_buffer *pieces, size_t count, uint8_t *ret)
{
    int n;

    if (job->aad_size > 0 &&
            EVP_EncryptUpdate(context, NULL, &n, job->aad, (int)job->aad_size) != 1) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        int size = (int)pieces[i].size;

        if (size > 0 &&
                (EVP_EncryptUpdate(context, ret, &n, pieces[i].data, size) != 1 || n != size)) {
            return false;
        }
        ret += size;
    }
    return EVP_EncryptFinal_ex(context, ret, &n) == 1 && n == 0;
}

static int seal(const struct job *job, const struct riad_buffer *pieces, size_t count, uint8_t *ret,
        uint8_t ret_tag[RIAD_TAG_SIZE])
{
    EVP_CIPHER_CTX *context;
    int r;

    if (!sizes_fit(job->aad_size, pieces, count)) {
        return -EINVAL;
    }
    r = riad_thread_context(RIAD_CONTEXT_GCM_SEAL, &context);
    if (r < 0) {
        return r;
    }
    if (EVP_EncryptInit_ex2(context, NULL, job->key, job->nonce, NULL) != 1 ||
            !seal_pieces(context, job, pieces, count, ret) ||
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, RIAD_TAG_SIZE, ret_tag) != 1) {
        return riad_openssl_error();
    }
    return 0;
}

static bool open_pieces(EVP_CIPHER_CTX *context, const struct job *job, const uint8_t *ciphertext,
        const struct riad_buffer *pieces, size_t count)
{
    int n;

    if (job->aad_size > 0 &&
            EVP_DecryptUpdate(context, NULL, &n, job->aad, (int)job->aad_size) != 1) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        int size = (int)pieces[i].size;

        if (size > 0 && (EVP_DecryptUpdate(context, pieces[i].data, &n, ciphertext, size) != 1 ||
                                n != size)) {
            return false;
        }
        ciphertext += size;
    }
    return true;
}

static int open_sealed(const struct job *job, const uint8_t *ciphertext,
        const uint8_t tag[RIAD_TAG_SIZE], const struct riad_buffer *pieces, size_t count)
{
    uint8_t expected[RIAD_TAG_SIZE];
    uint8_t rest[RIAD_TAG_SIZE];
    EVP_CIPHER_CTX *context;
    int r, n;

    if (!sizes_fit(job->aad_size, pieces, count)) {
        return -EINVAL;
    }
    r = riad_thread_context(RIAD_CONTEXT_GCM_OPEN, &context);
    if (r < 0) {
        return r;
    }
    memcpy(expected, tag, sizeof expected);
    if (EVP_DecryptInit_ex2(context, NULL, job->key, job->nonce, NULL) != 1 ||
            !open_pieces(context, job, ciphertext, pieces, count) ||
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, RIAD_TAG_SIZE, expected) != 1) {
        return riad_openssl_error();
    }
    if (EVP_DecryptFinal_ex(context, rest, &n) != 1) {
        (void)riad_openssl_error();
        return -EBADMSG;
    }
    return 0;
}

int riad_aead_seal(const uint8_t key[RIAD_AEAD_KEY_SIZE], uint64_t counter, const void *aad,
        size_t aad_size, const struct riad_buffer *pieces, size_t count, uint8_t *ret,
        uint8_t ret_tag[RIAD_TAG_SIZE])
{
    uint8_t nonce[NONCE_SIZE];
    const struct job job = { key, nonce, aad, aad_size };

    make_nonce(counter, nonce);
    return seal(&job, pieces, count, ret, ret_tag);
}

int riad_aead_open(const uint8_t key[RIAD_AEAD_KEY_SIZE], uint64_t counter, const void *aad,
        size_t aad_size, const uint8_t *ciphertext, const uint8_t tag[RIAD_TAG_SIZE],
        const struct riad_buffer *pieces, size_t count)
{
    uint8_t nonce[NONCE_SIZE];
    const struct job job = { key, nonce, aad, aad_size };

    make_nonce(counter, nonce);
    return open_sealed(&job, ciphertext, tag, pieces, count);
}

int riad_aead_seal_nonce(const struct riad_secret *key, const uint8_t nonce[NONCE_SIZE],
        const void *aad, size_t aad_size, const void *plain, size_t size, uint8_t *ret,
        uint8_t ret_tag[RIAD_TAG_SIZE])
{
    const struct job job = { riad_secret_peek(key), nonce, aad, aad_size };
    const struct riad_buffer piece = { (void *)plain, size };

    if (riad_secret_size(key) != RIAD_AEAD_KEY_SIZE) {
        return -EINVAL;
    }
    return seal(&job, &piece, 1, ret, ret_tag);
}

int riad_aead_open_nonce(const struct riad_secret *key, const uint8_t nonce[NONCE_SIZE],
        const void *aad, size_t aad_size, const void *cipher, size_t size,
        const uint8_t tag[RIAD_TAG_SIZE], uint8_t *ret)
{
    const struct job job = { riad_secret_peek(key), nonce, aad, aad_size };
    const struct riad_buffer piece = { ret, size };
    int r;

    if (riad_secret_size(key) != RIAD_AEAD_KEY_SIZE) {
        return -EINVAL;
    }
    r = open_sealed(&job, cipher, tag, &piece, 1);
    if (r < 0) {
        riad_wipe(ret, size);
    }
    return r;
}
