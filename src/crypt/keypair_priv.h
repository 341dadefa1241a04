/* The OpenSSL side of key pairs, for signatures and HPKE. */
#ifndef RIAD_KEYPAIR_PRIV_H
#define RIAD_KEYPAIR_PRIV_H

#include <openssl/evp.h>

#include "riad/keypair.h"

#define RIAD_WRAP_TYPE "X25519"
#define RIAD_SIGN_TYPE "ED25519"

enum { RIAD_PRIVATE_KEY_SIZE = 32 };

/* FORMAT 3.1: X25519 private, then Ed25519 seed. Borrowed. */
static inline const uint8_t *riad_wrap_private(const struct riad_keypair *keypair)
{
    return riad_secret_peek(keypair->secret);
}

static inline const uint8_t *riad_sign_private(const struct riad_keypair *keypair)
{
    return riad_secret_peek(keypair->secret) + RIAD_PRIVATE_KEY_SIZE;
}

void riad_free_pkey(EVP_PKEY **key);
/* *ret is a new key; free it with EVP_PKEY_free. -ENOMEM, -EIO. */
int riad_load_private(const char *type, const uint8_t bytes[RIAD_PRIVATE_KEY_SIZE],
        EVP_PKEY **ret) RIAD_MUST_CHECK;
int riad_load_public(
        const char *type, const struct riad_public_key *bytes, EVP_PKEY **ret) RIAD_MUST_CHECK;
int riad_public_half(EVP_PKEY *key, struct riad_public_key *ret) RIAD_MUST_CHECK;

#endif
