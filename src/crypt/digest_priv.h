/* HMAC and the two halves of HKDF over plain buffers, for the callers in this layer whose keys live
 * elsewhere. */
#ifndef RIAD_DIGEST_PRIV_H
#define RIAD_DIGEST_PRIV_H

#include "riad/digest.h"

enum { RIAD_PRK_SIZE = 32, RIAD_HKDF_INFO_MAX = 512 };

/* Borrowed bytes of a key. */
struct riad_key_span {
    const void *data;
    size_t size;
};

/* ret may not overlap the key or the pieces. -ENOMEM, -EIO. */
int riad_hmac_raw(struct riad_key_span key, const struct riad_piece *pieces, size_t count,
        uint8_t ret[RIAD_PRK_SIZE]) RIAD_MUST_CHECK;
/* HKDF-Extract: the salt may be empty; the input key material is the concatenation of the pieces.
 * The caller wipes ret. */
int riad_hkdf_extract(const void *salt, size_t salt_size, const struct riad_piece *pieces,
        size_t count, uint8_t ret[RIAD_PRK_SIZE]) RIAD_MUST_CHECK;
/* HKDF-Expand of size bytes (at most 255 * 32); info is at most 512 bytes in at most 8 pieces, else
 * -EINVAL. */
int riad_hkdf_expand(const uint8_t prk[RIAD_PRK_SIZE], const struct riad_piece *info, size_t count,
        uint8_t *ret, size_t size) RIAD_MUST_CHECK;
/* Both, with plain bytes as result. */
int riad_hkdf_raw(const struct riad_secret *ikm, struct riad_key_span salt,
        const struct riad_piece *info, size_t count, uint8_t *ret, size_t size) RIAD_MUST_CHECK;

#endif
