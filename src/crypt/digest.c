#include "riad/digest.h"

#include <openssl/evp.h>
#include <sys/random.h>

#include "riad/error.h"

#include "algorithms_priv.h"
#include "context_priv.h"
#include "digest_priv.h"

static void free_mac(EVP_MAC_CTX **context)
{
    EVP_MAC_CTX_free(*context);
}

int riad_sha256(const struct riad_piece *pieces, size_t count, struct riad_hash *ret)
{
    const struct riad_algorithms *algorithms = riad_algorithms();
    EVP_MD_CTX *context;
    struct riad_hash hash;
    int r = riad_thread_digest(&context);

    if (r < 0) {
        return r;
    }
    if (!algorithms || EVP_DigestInit_ex2(context, algorithms->sha256, NULL) != 1) {
        return riad_openssl_error();
    }
    for (size_t i = 0; i < count; i++) {
        if (EVP_DigestUpdate(context, pieces[i].data, pieces[i].size) != 1) {
            return riad_openssl_error();
        }
    }
    if (EVP_DigestFinal_ex(context, hash.bytes, NULL) != 1) {
        return riad_openssl_error();
    }
    *ret = hash;
    return 0;
}

int riad_sha256_labelled(const char *label, const void *data, size_t size, struct riad_hash *ret)
{
    const struct riad_piece pieces[] = { { label, strlen(label) }, { data, size } };

    return riad_sha256(pieces, 2, ret);
}

int riad_hmac_raw(struct riad_key_span key, const struct riad_piece *pieces, size_t count,
        uint8_t ret[RIAD_PRK_SIZE])
{
    const struct riad_algorithms *algorithms = riad_algorithms();
    _cleanup_(free_mac) EVP_MAC_CTX *context =
            algorithms ? EVP_MAC_CTX_dup(algorithms->hmac) : NULL;
    /* OpenSSL takes a null pointer for "keep the old key", never for an empty one. */
    const void *bytes = key.size > 0 ? key.data : "";
    size_t size;

    if (!context || EVP_MAC_init(context, bytes, key.size, NULL) != 1) {
        return riad_openssl_error();
    }
    for (size_t i = 0; i < count; i++) {
        if (EVP_MAC_update(context, pieces[i].data, pieces[i].size) != 1) {
            return riad_openssl_error();
        }
    }
    if (EVP_MAC_final(context, ret, &size, RIAD_PRK_SIZE) != 1 || size != RIAD_PRK_SIZE) {
        return riad_openssl_error();
    }
    return 0;
}

int riad_hmac(const struct riad_secret *key, const struct riad_piece *pieces, size_t count,
        struct riad_hash *ret)
{
    struct riad_key_span span = { riad_secret_peek(key), riad_secret_size(key) };
    struct riad_hash hash;
    int r;

    r = riad_hmac_raw(span, pieces, count, hash.bytes);
    if (r < 0) {
        return r;
    }
    *ret = hash;
    return 0;
}

int riad_random(void *ret, size_t size)
{
    uint8_t *next = ret;

    while (size > 0) {
        ssize_t n = getrandom(next, size, 0);

        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0) {
            next += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

int riad_random_id(struct riad_id *ret)
{
    return riad_random(ret->bytes, sizeof ret->bytes);
}
