/* Signed objects of the store (FORMAT 3): header, body, signature block. */
#ifndef RIAD_ENVELOPE_H
#define RIAD_ENVELOPE_H

#include "riad/bytes.h"
#include "riad/keypair.h"

enum { RIAD_ENVELOPE_BODY_MAX = 1 << 20, RIAD_ENVELOPE_MAX = (1 << 20) + 512 };

enum riad_envelope_type {
    RIAD_ENVELOPE_USER,
    RIAD_ENVELOPE_ROSTER,
    RIAD_ENVELOPE_TERM,
    RIAD_ENVELOPE_CATALOG,
    RIAD_ENVELOPE_SITE
};

/* Which store an object belongs to; in every envelope. */
struct riad_store_binding {
    struct riad_id store;
    struct riad_hash json; /* SHA-256 of riad.json */
};

/* Appends a complete signed envelope of the body to out. -EINVAL for a body above the maximum;
 * out->error; -ENOMEM, -EIO. On failure out holds what it held. */
int riad_envelope_sign(enum riad_envelope_type type, const struct riad_store_binding *binding,
        const struct riad_keypair *signer, const void *body, size_t size,
        struct riad_writer *out) RIAD_MUST_CHECK;
/* Verifies everything: magic, versions, binding, label, key id, signature, no trailing bytes.
 * *ret_body borrows from data. -EBADMSG, -EPROTONOSUPPORT (newer format, suite or unknown incompat
 * bit), -ESTALE never. */
int riad_envelope_verify(enum riad_envelope_type type, const struct riad_store_binding *binding,
        const struct riad_public_key *signer, const void *data, size_t size,
        const uint8_t **ret_body, size_t *ret_size) RIAD_MUST_CHECK;
/* Whose signature counts for numbered objects: a key, and the first number that it may not sign. */
struct riad_signer {
    struct riad_public_key key;
    uint64_t until;
};
/* The key signs all there will ever be. */
static inline struct riad_signer riad_signer_always(const struct riad_public_key *key)
{
    return (struct riad_signer){ *key, UINT64_MAX };
}
/* As riad_envelope_verify, of the object with that number, by whichever of the signers it names.
 * -EBADMSG: none of them, or not with this number. */
int riad_envelope_verify_by(enum riad_envelope_type type, const struct riad_store_binding *binding,
        const struct riad_signer *signers, size_t count, uint64_t number, const void *data,
        size_t size, const uint8_t **ret_body, size_t *ret_size) RIAD_MUST_CHECK;
/* Reads the body without trusting it, for the one case in which the signer's key is found inside
 * (user files before unlocking). Everything but the signature and key id is checked; the caller
 * must verify later. */
int riad_envelope_peek(enum riad_envelope_type type, const struct riad_store_binding *binding,
        const void *data, size_t size, const uint8_t **ret_body, size_t *ret_size) RIAD_MUST_CHECK;

#endif
