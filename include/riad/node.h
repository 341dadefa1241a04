/* Layer node. A node of a site: its key, its configuration, and the site's store as it sees it.
 * Not thread-safe. */
#ifndef RIAD_NODE_H
#define RIAD_NODE_H

#include "riad/config.h"
#include "riad/site.h"
#include "riad/state.h"

/* A new key pair and node id in a new file: `RIAN`, u32 1, id, the 64 secret bytes, SHA-256 of
 * "riad/v1/node-key" and all that; mode 0600, synced. *ret: id and public keys. -EEXIST. */
int riad_node_key_create(const char *path, struct riad_site_node *ret) RIAD_MUST_CHECK;
/* *ret gets id and public keys, *ret_keys, unless NULL, the pair. -ENOENT; -EPERM others may read
 * it; -EBADMSG. */
int riad_node_key_load(const char *path, struct riad_site_node *ret,
        struct riad_keypair *ret_keys) RIAD_MUST_CHECK;

struct riad_node {
    struct riad_config config;
    struct riad_state state;
    struct riad_store store;
    struct riad_site site; /* verified with the configured root, no older than seen before (K6) */
    struct riad_site_node self; /* id and keys of this node; the name if it is of the site */
    bool member;                /* the site lists it, and has not removed it */
};

/* Reads the configuration, opens state and store, and verifies the site. As root, with a `user` in
 * the configuration, this process becomes that one, for good. Private halves are not
 * kept. self: who this node is, for a process that may not read its key; NULL: the key says. Exit
 * code (enum riad_exit) and, if it is not 0, the reason. */
int riad_node_open(const char *config_path, const struct riad_site_node *self,
        struct riad_node *ret, struct riad_reason *ret_reason);
/* Reads the site's list again, if it has grown; *ret_grown says so. As above. */
int riad_node_refresh(struct riad_node *node, bool *ret_grown, struct riad_reason *ret_reason);
void riad_node_close(struct riad_node *node);
/* The site's catalog of now, no older than this node has seen. Exit code and reason; refusals are
 * recorded in the trail. */
int riad_node_load_catalog(
        const struct riad_node *node, struct riad_catalog *ret, struct riad_reason *ret_reason);
/* Takes the site's list as it is now for seen; for who added to it. */
int riad_node_mark_site(const struct riad_node *node) RIAD_MUST_CHECK;

#endif
