/* Layer catalog, private. Entries of a site's list of nodes (FORMAT 3.6). */
#ifndef RIAD_SITE_PRIV_H
#define RIAD_SITE_PRIV_H

#include "riad/bytes.h"
#include "riad/site.h"

enum { RIAD_SITE_NODES_MAX = 4096 };

enum riad_site_entry_kind {
    RIAD_SITE_CREATE = 1,
    RIAD_SITE_NODE_ADD,
    RIAD_SITE_NODE_REMOVE,
};

struct riad_site_entry {
    uint64_t number;
    struct riad_hash previous;
    struct timespec time;
    enum riad_site_entry_kind kind;
    struct riad_id root_user;   /* create */
    struct riad_site_node node; /* create, node add; of a node remove only id and until */
};

/* The body of an envelope. */
void riad_site_entry_encode(const struct riad_site_entry *entry, struct riad_writer *writer);
int riad_site_entry_decode(
        const uint8_t *body, size_t size, struct riad_site_entry *ret) RIAD_MUST_CHECK;
/* Does to *site what the entry says, its place in the chain apart. On an error *site is as it was.
 * -EEXIST, -ENOENT, -EINVAL, -EBUSY as in riad/site.h; -ENOMEM. */
int riad_site_take(struct riad_site *site, const struct riad_site_entry *entry) RIAD_MUST_CHECK;
/* Applies the entry that follows to *site; hash: of its envelope. On an error the site is thrown
 * away. -EBADMSG, -EPROTONOSUPPORT, -ENOMEM. */
int riad_site_apply(struct riad_site *site, const uint8_t *body, size_t size,
        const struct riad_hash *hash) RIAD_MUST_CHECK;

#endif
