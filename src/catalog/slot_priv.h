/* Layer catalog, private. One key slot of a user file (FORMAT 3.1, K1). */
#ifndef RIAD_SLOT_PRIV_H
#define RIAD_SLOT_PRIV_H

#include "riad/bytes.h"
#include "riad/user.h"

enum { RIAD_SLOT_SECRET_SIZE = 32, RIAD_KEYPAIR_SECRET_SIZE = 64 };

void riad_slot_encode(const struct riad_slot *slot, struct riad_writer *writer);
/* Refuses (the reader's error) whatever riad_slot_seal would not write, scrypt parameters out of
 * bounds among it. */
void riad_slot_decode(struct riad_reader *reader, struct riad_slot *ret);

/* Makes a slot of the kind for the user's keys. log_n counts for passphrases only. -EINVAL a secret
 * of a wrong size, -ERANGE log_n. */
int riad_slot_seal(const struct riad_user *user, const struct riad_id *store,
        const struct riad_keypair *keys, enum riad_slot_kind kind, uint32_t generation,
        const struct riad_secret *secret, unsigned log_n, struct riad_slot *ret) RIAD_MUST_CHECK;
/* *ret: the private halves, not yet compared with the user's public ones. -ENOKEY the secret does
 * not fit, -EBADMSG it fits and the slot is not authentic. */
int riad_slot_open(const struct riad_slot *slot, const struct riad_user *user,
        const struct riad_id *store, const struct riad_secret *secret,
        struct riad_secret **ret) RIAD_MUST_CHECK;

/* riad_user_set_slot with another scrypt cost than the default: tests cannot wait for that one. */
int riad_user_set_slot_cost(struct riad_user *user, const struct riad_store *store,
        const struct riad_keypair *keys, enum riad_slot_kind kind, const struct riad_secret *secret,
        unsigned log_n) RIAD_MUST_CHECK;

#endif
