/* AES-256-GCM as riad uses it: one key per stream, nonce = four zero bytes and a counter
 * (FORMAT 4.1).
 *
 * Thread-safe: each thread keeps one cipher context of its own per direction, with the schedule of
 * the last key it used until its next call or its end; keys are plain values the caller guards. */
#ifndef RIAD_AEAD_H
#define RIAD_AEAD_H

#include "riad/secret.h"

enum { RIAD_TAG_SIZE = 16, RIAD_AEAD_KEY_SIZE = 32 };

/* A borrowed piece of memory. */
struct riad_buffer {
    void *data;
    size_t size;
};

/* The input pieces are encrypted one after another into ret, which may equal the only input piece
 * but overlap no other way. ret has room for the sum of sizes. The caller guarantees that (key,
 * counter) was never used before (K5). -EINVAL for a piece or aad above 2 GiB, -ENOMEM, -EIO. */
int riad_aead_seal(const uint8_t key[RIAD_AEAD_KEY_SIZE], uint64_t counter, const void *aad,
        size_t aad_size, const struct riad_buffer *pieces, size_t count, uint8_t *ret,
        uint8_t ret_tag[RIAD_TAG_SIZE]) RIAD_MUST_CHECK;
/* Decrypts ciphertext into the pieces, in order; the sum of their sizes is the ciphertext's size.
 * -EBADMSG if not authentic: then the pieces hold garbage that must not be used. The only piece may
 * be the ciphertext itself. -EINVAL, -ENOMEM, -EIO as above. */
int riad_aead_open(const uint8_t key[RIAD_AEAD_KEY_SIZE], uint64_t counter, const void *aad,
        size_t aad_size, const uint8_t *ciphertext, const uint8_t tag[RIAD_TAG_SIZE],
        const struct riad_buffer *pieces, size_t count) RIAD_MUST_CHECK;
/* The same with a free 12-byte nonce, for key slots and wraps, whose key is used once. The key has
 * 32 bytes, else -EINVAL. ret may equal the input. If not authentic, ret is wiped. */
int riad_aead_seal_nonce(const struct riad_secret *key, const uint8_t nonce[12], const void *aad,
        size_t aad_size, const void *plain, size_t size, uint8_t *ret,
        uint8_t ret_tag[RIAD_TAG_SIZE]) RIAD_MUST_CHECK;
int riad_aead_open_nonce(const struct riad_secret *key, const uint8_t nonce[12], const void *aad,
        size_t aad_size, const void *cipher, size_t size, const uint8_t tag[RIAD_TAG_SIZE],
        uint8_t *ret) RIAD_MUST_CHECK;

#endif
