/* Hashes, HKDF, HMAC, scrypt and random bytes: the key-derivation half of the cipher suite (FORMAT
 * 1). All thread-safe. */
#ifndef RIAD_DIGEST_H
#define RIAD_DIGEST_H

#include "riad/secret.h"

/* One piece of a concatenation. */
struct riad_piece {
    const void *data;
    size_t size;
};
#define RIAD_PIECE_LABEL(text) ((struct riad_piece){ (text), sizeof(text) - 1 })
#define RIAD_PIECE_OF(object) ((struct riad_piece){ &(object), sizeof(object) })

/* SHA-256 of the pieces, one after another. -ENOMEM, -EIO (OpenSSL failed). */
int riad_sha256(
        const struct riad_piece *pieces, size_t count, struct riad_hash *ret) RIAD_MUST_CHECK;
/* SHA-256(label || data): how everything that is named by its hash is (F8). */
int riad_sha256_labelled(
        const char *label, const void *data, size_t size, struct riad_hash *ret) RIAD_MUST_CHECK;
/* HMAC-SHA256; key of any size. */
int riad_hmac(const struct riad_secret *key, const struct riad_piece *pieces, size_t count,
        struct riad_hash *ret) RIAD_MUST_CHECK;
/* RFC 5869 with SHA-256; info is the concatenation of the pieces (at most 512 bytes in at most 8
 * pieces, else -EINVAL). *ret is a new secret of size bytes. */
int riad_hkdf(const struct riad_secret *ikm, const void *salt, size_t salt_size,
        const struct riad_piece *info, size_t count, size_t size,
        struct riad_secret **ret) RIAD_MUST_CHECK;

/* Bounds on stored scrypt parameters: they come from hostile storage (K1). */
enum { RIAD_SCRYPT_LOG_N_MIN = 15, RIAD_SCRYPT_LOG_N_MAX = 20 };
/* The cost of what is sealed under a passphrase. Only builds that run tests are cheap: these unlock
 * some thousand times. `riad --version` tells them. */
#ifdef RIAD_CHEAP_SCRYPT
enum { RIAD_SCRYPT_LOG_N_DEFAULT = RIAD_SCRYPT_LOG_N_MIN };
#else
enum { RIAD_SCRYPT_LOG_N_DEFAULT = 17 };
#endif
/* RFC 7914. -ERANGE outside log_n 15..20, r = 8, p 1..4; -ENOMEM. Takes about 0.3 s and 128 MiB at
 * the default. */
int riad_scrypt(const struct riad_secret *passphrase, const void *salt, size_t salt_size,
        unsigned log_n, uint32_t r, uint32_t p, size_t size,
        struct riad_secret **ret) RIAD_MUST_CHECK;
/* From the kernel (getrandom). */
int riad_random(void *ret, size_t size) RIAD_MUST_CHECK;
int riad_random_id(struct riad_id *ret) RIAD_MUST_CHECK;

#endif
