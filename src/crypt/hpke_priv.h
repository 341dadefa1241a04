/* HPKE with a given ephemeral key: for the published vectors only. Everyone else takes
 * riad_hpke_seal. */
#ifndef RIAD_HPKE_PRIV_H
#define RIAD_HPKE_PRIV_H

#include "riad/keypair.h"

/* As riad_hpke_seal; the 32-byte X25519 private key ephemeral must never be used twice. */
int riad_hpke_seal_with(const struct riad_secret *ephemeral,
        const struct riad_public_key *recipient, const void *info, size_t info_size,
        const void *aad, size_t aad_size, const struct riad_secret *plain,
        uint8_t ret_enc[RIAD_HPKE_ENC_SIZE], uint8_t *ret_cipher) RIAD_MUST_CHECK;

#endif
