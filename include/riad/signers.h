/* Layer crypt. Whose signatures count for objects of a store, as they are read later and again: a
 * person's key, or a site's nodes, which come and go (K3). Thread-safe. */
#ifndef RIAD_SIGNERS_H
#define RIAD_SIGNERS_H

#include "riad/envelope.h"

struct riad_signers;

/* A set with these; copied. */
int riad_signers_new(
        const struct riad_signer *items, size_t count, struct riad_signers **ret) RIAD_MUST_CHECK;
void riad_signers_free(struct riad_signers *signers);
/* Puts these in place of all. */
int riad_signers_replace(struct riad_signers *signers, const struct riad_signer *items,
        size_t count) RIAD_MUST_CHECK;
/* Called, at most once in two seconds, when an object names a key that is not in the set: it may
 * have come since. It replaces the set's items. It may read from the store. Set once, before the
 * set is shared. */
void riad_signers_on_unknown(struct riad_signers *signers,
        void (*refresh)(void *context, struct riad_signers *signers), void *context);
/* As riad_envelope_verify_by with the set's items of now. */
int riad_signers_verify(struct riad_signers *signers, enum riad_envelope_type type,
        const struct riad_store_binding *binding, uint64_t number, const void *data, size_t size,
        const uint8_t **ret_body, size_t *ret_size) RIAD_MUST_CHECK;

RIAD_DEFINE_CLEANUP(struct riad_signers, riad_signers_free);

#endif
