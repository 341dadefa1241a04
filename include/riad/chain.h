/* Layer catalog. Chains of signed objects: files of one directory, each named by the number of its
 * first entry, each naming the hash of the one before. A file is published with link, so of two who
 * add at once one is first (O3, FORMAT 3.5, 3.6). */
#ifndef RIAD_CHAIN_H
#define RIAD_CHAIN_H

#include "riad/store.h"

/* Where one object of a chain ends: the number after its last entry, and its hash. Zeroed: before
 * the first. */
struct riad_chain_end {
    uint64_t next_number;
    struct riad_hash head;
};

/* A list of ends, oldest first. Zeroed: an empty chain. */
struct riad_chain_ends {
    struct riad_chain_end *items;
    size_t count;
};

/* The last end; a zeroed one of an empty chain. */
struct riad_chain_end riad_chain_last(const struct riad_chain_ends *ends);
int riad_chain_add(struct riad_chain_ends *ends, const struct riad_chain_end *end) RIAD_MUST_CHECK;
/* Whether the chain was once at this end. */
bool riad_chain_passes(const struct riad_chain_ends *ends, const struct riad_chain_end *end);

/* One of a store's chains. All is borrowed. */
struct riad_chain {
    const struct riad_store *store;
    const char *directory;
    enum riad_envelope_type type;
    const char *label; /* of the hash of an object */
    const struct riad_signer *signers;
    size_t signer_count;
};

/* Takes the body of the object that follows, and what it ends at into *ends; hash: of its
 * envelope. */
typedef int (*riad_chain_apply)(
        void *context, const uint8_t *body, size_t size, const struct riad_hash *hash);

/* Reads and verifies all that follows the last of *ends, which apply moves on. -EBADMSG; -EUCLEAN
 * an object is missing before others; what apply returns, at the first failure. */
int riad_chain_catch_up(const struct riad_chain *chain, const struct riad_chain_ends *ends,
        riad_chain_apply apply, void *context) RIAD_MUST_CHECK;
/* Signs the body and publishes it as the object that begins at this number. -EEXIST: somebody was
 * faster. */
int riad_chain_publish(const struct riad_chain *chain, const struct riad_keypair *keys,
        uint64_t first_number, const void *body, size_t size) RIAD_MUST_CHECK;

/* The newest end that this node has seen is kept in the file of that name in the store's local
 * state; -ESTALE if the chain does not pass there: it is older, or another history (K6). Else the
 * mark becomes the chain's last end; it never goes back, also with several processes. -EBADMSG the
 * mark itself is damaged: removing it makes this a first contact. */
int riad_chain_check_mark(
        const struct riad_chain_ends *ends, const char *name, int state_fd) RIAD_MUST_CHECK;

#endif
