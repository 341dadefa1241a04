/* AES-256-SIV (RFC 5297): deterministic sealing of names, symlink targets and xattrs in the index (K5), and of workspace names.
 *
 * Plaintext is never empty (OpenSSL 3.0 fails silently there): callers prefix a version byte. An associated-data item is never empty.
 * Thread-safe: each thread keeps its own contexts; a key is set up once per thread and remembered by its address and serial. */
#ifndef RIAD_SIV_H
#define RIAD_SIV_H

#include "riad/secret.h"

enum { RIAD_SIV_SIZE = 16, RIAD_SIV_KEY_SIZE = 64 };

struct riad_siv;

/* Takes a copy of the 64-byte key. -EINVAL for another size. */
int riad_siv_new(const struct riad_secret *key, struct riad_siv **ret) RIAD_MUST_CHECK;
void riad_siv_free(struct riad_siv *siv);
/* ret gets 16 bytes of SIV and size bytes of ciphertext. One associated-data item. size 1..1 MiB. */
int riad_siv_seal(const struct riad_siv *siv, const void *aad, size_t aad_size, const void *plain, size_t size,
        uint8_t *ret) RIAD_MUST_CHECK;
/* sealed_size counts the SIV; ret gets sealed_size - 16 bytes. -EBADMSG if not authentic or too short. */
int riad_siv_open(const struct riad_siv *siv, const void *aad, size_t aad_size, const uint8_t *sealed,
        size_t sealed_size, uint8_t *ret) RIAD_MUST_CHECK;

RIAD_DEFINE_CLEANUP(struct riad_siv, riad_siv_free);

#endif
