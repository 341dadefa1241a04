/* Layer catalog. The site of a store that many people and nodes share: the list of nodes, signed by
 * the site root, whose private half only a recovery code opens (FORMAT 3.6, K3). Nodes sign the
 * catalog. Nothing here is thread-safe. */
#ifndef RIAD_SITE_H
#define RIAD_SITE_H

#include "riad/catalog.h"

enum { RIAD_NODE_NAME_MAX = 64 };

struct riad_site_node {
    struct riad_id id;
    char name[RIAD_NODE_NAME_MAX + 1];
    struct riad_public_key wrap_key, sign_key;
    struct timespec added;
    bool removed;
    struct riad_chain_end until; /* removed: what it signed counts in the catalog up to here */
};

struct riad_site {
    struct riad_public_key root; /* the trust anchor that verified it */
    struct riad_id root_user;    /* whose user file holds its private half */
    struct riad_site_node *nodes;
    size_t node_count;
    struct riad_chain_ends ends;
};

/* Letters, digits, dots, dashes and underscores, 1 to 64 of them: host names are. */
bool riad_site_is_node_name(const char *name);

/* Writes the first entry: the root and its first node. *node needs id, name and keys. -EEXIST the
 * store has a site; -EROFS; -EINVAL a name that is none. */
int riad_site_create(const struct riad_store *store, const struct riad_user *root,
        const struct riad_keypair *root_keys, const struct riad_site_node *node) RIAD_MUST_CHECK;
/* Reads and verifies all entries. root: the trust anchor, from this node's configuration, never
 * from the store. -EBADMSG; -ENOENT there is none; -EUCLEAN an entry is missing before others;
 * -EPROTONOSUPPORT. */
int riad_site_load(const struct riad_store *store, const struct riad_public_key *root,
        struct riad_site *ret) RIAD_MUST_CHECK;
void riad_site_done(struct riad_site *site);
/* Each catches up and appends one entry; *site is brought up to date, on error it is untouched. As
 * riad_site_load, and -EROFS; -EINVAL a name that is none; -EEXIST the id, the key or the name (of
 * a node not removed) is taken, or the list is full; -EAGAIN others were faster a thousand times.
 */
int riad_site_add_node(const struct riad_store *store, const struct riad_keypair *root_keys,
        struct riad_site *site, const struct riad_site_node *node) RIAD_MUST_CHECK;
/* until: the catalog's last end, as the node left it. A node can be removed again with a later one:
 * it signed more meanwhile. -ENOENT no such node; -EINVAL an earlier end; -EBUSY it is the last one
 * left. */
int riad_site_remove_node(const struct riad_store *store, const struct riad_keypair *root_keys,
        struct riad_site *site, const struct riad_id *node,
        const struct riad_chain_end *until) RIAD_MUST_CHECK;
/* The node of that name that was not removed, or else the last removed one; NULL. Borrowed. */
const struct riad_site_node *riad_site_find(const struct riad_site *site, const char *name);
/* The node that has this key and was not removed; NULL. Borrowed. */
const struct riad_site_node *riad_site_find_key(
        const struct riad_site *site, const struct riad_public_key *sign_key);
/* The keys of all nodes, heap, node_count of them. bounded: what removed ones sign counts in the
 * catalog up to where they ended; else for ever. */
int riad_site_signers(
        const struct riad_site *site, bool bounded, struct riad_signer **ret) RIAD_MUST_CHECK;
/* The catalog, signed by the site's nodes, of which removed ones count to where they ended. As
 * riad_catalog_load; -EBADMSG also if its history is not the one in which a node was removed. */
int riad_site_load_catalog(const struct riad_store *store, const struct riad_site *site,
        struct riad_catalog *ret) RIAD_MUST_CHECK;
/* riad_chain_check_mark with `site-mark` of the store's local state. */
int riad_site_check_mark(const struct riad_site *site, int state_fd) RIAD_MUST_CHECK;

#endif
