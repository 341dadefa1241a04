/* AES-256-SIV (RFC 5297): deterministic sealing of names, symlink targets and xattrs in the index
 * (K5), and of workspace names.
 *
 * Plaintext is never empty (OpenSSL 3.0 fails silently there): callers prefix a version byte. An
 * associated-data item is never empty. Thread-safe: a riad_siv never changes once made; each
 * message works on a copy of its key schedule (1.2 us, 2.7 us for setting up the key), which is
 * wiped with the message. */
#ifndef RIAD_SIV_H
#define RIAD_SIV_H

#include "riad/secret.h"

enum { RIAD_SIV_SIZE = 16, RIAD_SIV_KEY_SIZE = 64 };

struct riad_siv;

/* Takes a copy of the 64-byte key. -EINVAL for another size. */
int riad_siv_new(const struct riad_secret *key, struct riad_siv **ret) RIAD_MUST_CHECK;
/* Wipes the keys; NULL is fine. */
void riad_siv_free(struct riad_siv *siv);
/* ret gets 16 bytes of SIV and size bytes of ciphertext. One associated-data item, 1 byte to 1 MiB;
 * size 1..1 MiB; -EINVAL outside. ret may not overlap plain. -ENOMEM, -EIO. */
int riad_siv_seal(const struct riad_siv *siv, const void *aad, size_t aad_size, const void *plain,
        size_t size, uint8_t *ret) RIAD_MUST_CHECK;
/* sealed_size counts the SIV; ret gets sealed_size - 16 bytes and may not overlap sealed. -EBADMSG
 * if not authentic, too short or too long: ret is wiped then. -EINVAL for aad_size as above.
 * -ENOMEM, -EIO. */
int riad_siv_open(const struct riad_siv *siv, const void *aad, size_t aad_size,
        const uint8_t *sealed, size_t sealed_size, uint8_t *ret) RIAD_MUST_CHECK;

RIAD_DEFINE_CLEANUP(struct riad_siv, riad_siv_free);

#endif
