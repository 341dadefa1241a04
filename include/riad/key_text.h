/* Layer catalog. Public keys as people copy them: base32 with a checksum against errors of copying.
 * Nothing here is secret; that a key is the right one is for the person to see to. */
#ifndef RIAD_KEY_TEXT_H
#define RIAD_KEY_TEXT_H

#include "riad/base32.h"
#include "riad/site.h"

enum {
    RIAD_KEY_TEXT_SIZE = RIAD_BASE32_SIZE(35),  /* 56 characters and a zero */
    RIAD_NODE_TEXT_SIZE = RIAD_BASE32_SIZE(85), /* 136 characters and a zero */
    RIAD_FINGERPRINT_SIZE = 20                  /* AAAA-BBBB-CCCC-DDDD and a zero */
};

/* The key and the first 3 bytes of SHA-256("riad/v1/key-text" || key). */
int riad_key_text(const struct riad_public_key *key, char ret[RIAD_KEY_TEXT_SIZE]) RIAD_MUST_CHECK;
/* -EINVAL: no key, or miscopied. */
int riad_key_text_parse(const char *text, struct riad_public_key *ret) RIAD_MUST_CHECK;
/* What a node must tell to be added to a site: id, wrap key, sign key, and the first 5 bytes of
 * SHA-256("riad/v1/node-text" || these). */
int riad_node_text(
        const struct riad_site_node *node, char ret[RIAD_NODE_TEXT_SIZE]) RIAD_MUST_CHECK;
/* Fills id and keys; the rest is zeroed. -EINVAL. */
int riad_node_text_parse(const char *text, struct riad_site_node *ret) RIAD_MUST_CHECK;
/* For two people to compare by voice: the first 10 bytes of SHA-256("riad/v1/fingerprint" || key).
 */
int riad_key_fingerprint(
        const struct riad_public_key *key, char ret[RIAD_FINGERPRINT_SIZE]) RIAD_MUST_CHECK;

#endif
