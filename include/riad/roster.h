/* Layer catalog. A workspace's roster and wraps: who its members are, and its root key for each
 * (FORMAT 3.2, 3.3, K2). */
#ifndef RIAD_ROSTER_H
#define RIAD_ROSTER_H

#include "riad/user.h"

enum riad_workspace_kind { RIAD_KIND_HOME = 1, RIAD_KIND_PROJECT };
enum riad_role { RIAD_ROLE_MANAGER = 1, RIAD_ROLE_WRITER, RIAD_ROLE_READER };

struct riad_member {
    struct riad_id user;
    enum riad_role role;
    struct riad_public_key wrap_key, sign_key;
    struct riad_hash wrap_hash;
};

/* What the verified chain of entries adds up to. */
struct riad_roster {
    struct riad_id workspace;
    enum riad_workspace_kind kind;
    uint32_t epoch;
    struct riad_hash commitment;
    struct riad_hash head; /* hash of the last entry */
    uint64_t entries;
    uint8_t sealed_name[1024];
    size_t sealed_name_size;
    struct riad_member *members;
    size_t member_count;
};

/* Makes ws/<new id> with its directories, a root key, the owner's wrap and, last, the roster's
 * first entry; name 1..255 bytes. -EINVAL, -EROFS. */
int riad_roster_create(const struct riad_store *store, enum riad_workspace_kind kind,
        const char *name, const struct riad_user *owner, const struct riad_keypair *keys,
        struct riad_id *ret_workspace) RIAD_MUST_CHECK;
/* Reads and verifies all entries with the signer's key. -EBADMSG, -ENOENT, -EPROTONOSUPPORT. A
 * chain cut at its end verifies: whoever holds a later head (a term) must compare. */
int riad_roster_load(const struct riad_store *store, const struct riad_id *workspace,
        const struct riad_public_key *signer, struct riad_roster *ret) RIAD_MUST_CHECK;
void riad_roster_done(struct riad_roster *roster);
/* Unwraps the member's root key of the roster's epoch, checks wrap hash and commitment, derives the
 * subkeys; the root is wiped. -ENOKEY not a member; -EBADMSG; -EUCLEAN the wrap is missing. */
int riad_roster_unlock(const struct riad_store *store, const struct riad_roster *roster,
        const struct riad_id *user, const struct riad_keypair *keys,
        struct riad_keys **ret) RIAD_MUST_CHECK;
/* Opens the workspace's name. */
int riad_roster_name(const struct riad_roster *roster, const struct riad_keys *keys,
        char ret[256]) RIAD_MUST_CHECK;

#endif
