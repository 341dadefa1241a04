#include "riad/keypair.h"

#include <openssl/evp.h>

#include "riad/digest.h"
#include "riad/error.h"

#include "algorithms_priv.h"
#include "keypair_priv.h"

enum { SECRET_SIZE = 2 * RIAD_PRIVATE_KEY_SIZE };

void riad_free_pkey(EVP_PKEY **key)
{
    EVP_PKEY_free(*key);
}

static void free_digest(EVP_MD_CTX **context)
{
    EVP_MD_CTX_free(*context);
}

int riad_load_private(const char *type, const uint8_t bytes[RIAD_PRIVATE_KEY_SIZE], EVP_PKEY **ret)
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key_ex(NULL, type, NULL, bytes, RIAD_PRIVATE_KEY_SIZE);

    if (!key) {
        return riad_openssl_error();
    }
    *ret = key;
    return 0;
}

int riad_load_public(const char *type, const struct riad_public_key *bytes, EVP_PKEY **ret)
{
    EVP_PKEY *key =
            EVP_PKEY_new_raw_public_key_ex(NULL, type, NULL, bytes->bytes, sizeof bytes->bytes);

    if (!key) {
        return riad_openssl_error();
    }
    *ret = key;
    return 0;
}

int riad_public_half(EVP_PKEY *key, struct riad_public_key *ret)
{
    struct riad_public_key half;
    size_t size = sizeof half.bytes;

    if (EVP_PKEY_get_raw_public_key(key, half.bytes, &size) != 1 || size != sizeof half.bytes) {
        return riad_openssl_error();
    }
    *ret = half;
    return 0;
}

static int recompute(
        const char *type, const uint8_t private[RIAD_PRIVATE_KEY_SIZE], struct riad_public_key *ret)
{
    _cleanup_(riad_free_pkey) EVP_PKEY *key = NULL;
    int r;

    r = riad_load_private(type, private, &key);
    if (r < 0) {
        return r;
    }
    return riad_public_half(key, ret);
}

int riad_keypair_generate(struct riad_keypair *ret)
{
    _cleanup_secret_ struct riad_secret *secret = NULL;
    int r;

    r = riad_secret_new_random(SECRET_SIZE, &secret);
    if (r < 0) {
        return r;
    }
    r = riad_keypair_from_secret(secret, ret);
    if (r < 0) {
        return r;
    }
    (void)riad_take_pointer(secret); /* ret has it now */
    return 0;
}

int riad_keypair_from_secret(struct riad_secret *secret, struct riad_keypair *ret)
{
    struct riad_keypair keypair = { .secret = secret };
    int r;

    if (riad_secret_size(secret) != SECRET_SIZE) {
        return -EINVAL;
    }
    r = recompute(RIAD_WRAP_TYPE, riad_wrap_private(&keypair), &keypair.wrap_key);
    if (r < 0) {
        return r;
    }
    r = recompute(RIAD_SIGN_TYPE, riad_sign_private(&keypair), &keypair.sign_key);
    if (r < 0) {
        return r;
    }
    *ret = keypair;
    return 0;
}

void riad_keypair_done(struct riad_keypair *keypair)
{
    riad_secret_free(keypair->secret);
    *keypair = (struct riad_keypair){ 0 };
}

int riad_key_id(const struct riad_public_key *key, struct riad_hash *ret)
{
    const struct riad_piece pieces[] = {
        RIAD_PIECE_LABEL("riad/v1/key-id"),
        RIAD_PIECE_OF(key->bytes),
    };

    return riad_sha256(pieces, 2, ret);
}

int riad_sign(const struct riad_keypair *keypair, const void *data, size_t size,
        uint8_t ret[RIAD_SIGNATURE_SIZE])
{
    _cleanup_(riad_free_pkey) EVP_PKEY *key = NULL;
    _cleanup_(free_digest) EVP_MD_CTX *context = NULL;
    uint8_t signature[RIAD_SIGNATURE_SIZE];
    size_t signature_size = sizeof signature;
    int r;

    if (!keypair->secret) {
        return keypair->sign ? keypair->sign(keypair->context, data, size, ret) : -EINVAL;
    }
    r = riad_load_private(RIAD_SIGN_TYPE, riad_sign_private(keypair), &key);
    if (r < 0) {
        return r;
    }
    context = EVP_MD_CTX_new();
    if (!context || EVP_DigestSignInit_ex(context, NULL, NULL, NULL, NULL, key, NULL) != 1 ||
            EVP_DigestSign(context, signature, &signature_size, data, size) != 1 ||
            signature_size != sizeof signature) {
        return riad_openssl_error();
    }
    memcpy(ret, signature, sizeof signature);
    return 0;
}

int riad_verify(const struct riad_public_key *key, const void *data, size_t size,
        const uint8_t signature[RIAD_SIGNATURE_SIZE])
{
    _cleanup_(riad_free_pkey) EVP_PKEY *public = NULL;
    _cleanup_(free_digest) EVP_MD_CTX *context = NULL;
    int r;

    r = riad_load_public(RIAD_SIGN_TYPE, key, &public);
    if (r < 0) {
        return r;
    }
    context = EVP_MD_CTX_new();
    if (!context || EVP_DigestVerifyInit_ex(context, NULL, NULL, NULL, NULL, public, NULL) != 1) {
        return riad_openssl_error();
    }
    if (EVP_DigestVerify(context, signature, RIAD_SIGNATURE_SIZE, data, size) != 1) {
        (void)riad_openssl_error();
        return -EBADMSG;
    }
    return 0;
}
