/* A person's or node's key pairs: X25519 receives wraps, Ed25519 signs. Signatures and HPKE (FORMAT
 * 3, 3.3). Thread-safe. */
#ifndef RIAD_KEYPAIR_H
#define RIAD_KEYPAIR_H

#include "riad/secret.h"

enum { RIAD_PUBLIC_KEY_SIZE = 32, RIAD_SIGNATURE_SIZE = 64, RIAD_HPKE_ENC_SIZE = 32 };

struct riad_public_key {
    uint8_t bytes[RIAD_PUBLIC_KEY_SIZE];
};

/* Private halves and their recomputed public ones. The secret holds X25519 private (32) and Ed25519
 * seed (32). */
struct riad_keypair {
    struct riad_secret *secret; /* NULL: another process has it, and signs when asked to */
    struct riad_public_key wrap_key;
    struct riad_public_key sign_key;
    int (*sign)(void *context, const void *data, size_t size, uint8_t ret[RIAD_SIGNATURE_SIZE]);
    void *context; /* of sign, which is set where the secret is not; any thread */
};

int riad_keypair_generate(struct riad_keypair *ret) RIAD_MUST_CHECK;
/* Takes over the 64-byte secret and recomputes the public halves; on failure the secret stays the
 * caller's. */
int riad_keypair_from_secret(struct riad_secret *secret, struct riad_keypair *ret) RIAD_MUST_CHECK;
void riad_keypair_done(struct riad_keypair *keypair);

/* SHA-256("riad/v1/key-id" || public key). */
int riad_key_id(const struct riad_public_key *key, struct riad_hash *ret) RIAD_MUST_CHECK;
int riad_sign(const struct riad_keypair *keypair, const void *data, size_t size,
        uint8_t ret[RIAD_SIGNATURE_SIZE]) RIAD_MUST_CHECK;
/* -EBADMSG if the signature is not this key's. */
int riad_verify(const struct riad_public_key *key, const void *data, size_t size,
        const uint8_t signature[RIAD_SIGNATURE_SIZE]) RIAD_MUST_CHECK;

/* RFC 9180 base mode, single message. ret_cipher gets size + 16 bytes. */
int riad_hpke_seal(const struct riad_public_key *recipient, const void *info, size_t info_size,
        const void *aad, size_t aad_size, const struct riad_secret *plain,
        uint8_t ret_enc[RIAD_HPKE_ENC_SIZE], uint8_t *ret_cipher) RIAD_MUST_CHECK;
/* *ret is a new secret of cipher_size - 16 bytes. -EBADMSG: not for this key or not authentic (also
 * for an all-zero shared secret). */
int riad_hpke_open(const struct riad_keypair *recipient, const uint8_t enc[RIAD_HPKE_ENC_SIZE],
        const void *info, size_t info_size, const void *aad, size_t aad_size, const uint8_t *cipher,
        size_t cipher_size, struct riad_secret **ret) RIAD_MUST_CHECK;

#endif
