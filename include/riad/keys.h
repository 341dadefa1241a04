/* The purpose subkeys of one unlocked workspace (FORMAT 4, K4): all that a worker ever holds. Of
 * consecutive epochs (K2): what is sealed from now on is sealed under the last one's. */
#ifndef RIAD_KEYS_H
#define RIAD_KEYS_H

#include "riad/aead.h"
#include "riad/siv.h"

enum riad_purpose { RIAD_PURPOSE_CHANGE, RIAD_PURPOSE_DATA, RIAD_PURPOSE_CHECKPOINT };

struct riad_keys;

enum { RIAD_SUBKEYS_SIZE = 320, RIAD_EPOCHS_MAX = 64 };
/* The subkeys of one epoch, from its root key (32 bytes, else -EINVAL; the caller wipes it): what a
 * process that is not to see the root is given (K4). */
int riad_subkeys_derive(const struct riad_id *workspace, uint32_t epoch,
        const struct riad_secret *root, struct riad_secret **ret) RIAD_MUST_CHECK;
/* -EINVAL: not of that size, or epoch 0. The caller wipes them. */
int riad_keys_from_subkeys(const struct riad_id *workspace, uint32_t epoch,
        const struct riad_secret *subkeys, struct riad_keys **ret) RIAD_MUST_CHECK;
/* Adds the next epoch: riad_keys_epoch + 1, else -EINVAL, as for subkeys of another size (the
 * caller wipes them). From its return on it is the current one. -ENOSPC: RIAD_EPOCHS_MAX are held.
 * One caller at a time; all others may go on reading meanwhile. */
int riad_keys_add(
        struct riad_keys *keys, uint32_t epoch, const struct riad_secret *subkeys) RIAD_MUST_CHECK;
/* riad_subkeys_derive and riad_keys_from_subkeys in one. */
int riad_keys_new(const struct riad_id *workspace, uint32_t epoch, const struct riad_secret *root,
        struct riad_keys **ret) RIAD_MUST_CHECK;
void riad_keys_free(struct riad_keys *keys);
const struct riad_id *riad_keys_workspace(const struct riad_keys *keys);
/* The current epoch: the one for new streams, the highest held. Thread-safe, as all that follows.
 */
uint32_t riad_keys_epoch(const struct riad_keys *keys);
/* The lowest one held. */
uint32_t riad_keys_first_epoch(const struct riad_keys *keys);
/* The key of a stream (FORMAT 4.1). Derived at each call, about 3 us: callers cache it. -ENOKEY for
 * an epoch not held. */
int riad_keys_stream(const struct riad_keys *keys, enum riad_purpose purpose,
        const struct riad_id *stream, uint32_t epoch,
        uint8_t ret[RIAD_AEAD_KEY_SIZE]) RIAD_MUST_CHECK;
/* Borrowed, live as long as keys. Of the first epoch held: the local index seals under them, and is
 * used on as epochs are added. */
const struct riad_siv *riad_keys_name(const struct riad_keys *keys);
const struct riad_siv *riad_keys_xattr(const struct riad_keys *keys);
/* Of the current epoch. */
const struct riad_siv *riad_keys_label(const struct riad_keys *keys);
const struct riad_secret *riad_keys_beat(const struct riad_keys *keys);
/* Of any epoch; NULL: not held. */
const struct riad_secret *riad_keys_beat_of(const struct riad_keys *keys, uint32_t epoch);
/* HKDF(root, workspace, "riad/v1/commit", 32): the commitment in the signed roster (K2). */
int riad_keys_commitment(const struct riad_id *workspace, const struct riad_secret *root,
        struct riad_hash *ret) RIAD_MUST_CHECK;

RIAD_DEFINE_CLEANUP(struct riad_keys, riad_keys_free);

#endif
