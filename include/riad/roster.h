/* Layer catalog. A workspace's roster and wraps: who its members are, and its root key for each
 * (FORMAT 3.2, 3.3, K2). */
#ifndef RIAD_ROSTER_H
#define RIAD_ROSTER_H

#include "riad/user.h"

enum riad_workspace_kind { RIAD_KIND_HOME = 1, RIAD_KIND_PROJECT };
enum riad_role { RIAD_ROLE_MANAGER = 1, RIAD_ROLE_WRITER, RIAD_ROLE_READER };
/* Each member becomes an entry of an access control list, which has at most 511. A roster with more
 * is read, and no member is added to it. */
enum { RIAD_ROSTER_MEMBERS_MAX = 500 };

/* "manager", "writer", "reader"; "" for what is no role. Static. */
const char *riad_role_name(enum riad_role role);
/* -EINVAL. */
int riad_role_parse(const char *name, enum riad_role *ret) RIAD_MUST_CHECK;

enum { RIAD_GROUP_NAME_MAX = 64 };

struct riad_member {
    struct riad_id user;
    enum riad_role role;
    char group[RIAD_GROUP_NAME_MAX +
               1]; /* the accounts' one that makes her a member; "": herself */
    struct riad_public_key wrap_key, sign_key;
    struct riad_hash wrap_hash;
};

/* A workspace has another root key from each epoch on. */
enum { RIAD_ROSTER_EPOCHS_MAX = 64, RIAD_SEALED_ROOT_SIZE = 48 };
struct riad_roster_epoch {
    struct riad_hash commitment;                    /* to its root key */
    uint8_t sealed_previous[RIAD_SEALED_ROOT_SIZE]; /* the one before, under it; 1: zeros */
};

/* What the verified chain of entries adds up to. */
struct riad_roster {
    struct riad_id workspace;
    enum riad_workspace_kind kind;
    uint32_t epoch; /* the present one, of which are commitment, name and wraps */
    struct riad_hash commitment;
    struct riad_roster_epoch *epochs; /* `epoch` many, epoch 1 first */
    struct riad_hash head;            /* hash of the last entry */
    uint64_t entries;
    struct riad_hash *heads; /* `entries` many: the hash of each entry */
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
/* A workspace as its owner drafts it: for a node to publish. */
enum { RIAD_WRAP_SIZE = 152 };
struct riad_workspace_draft {
    struct riad_id id;
    struct riad_secret *root;
    uint8_t wrap[RIAD_WRAP_SIZE];
    struct riad_writer roster; /* the file */
};
/* As riad_roster_create, and nothing is written. id: the workspace's; NULL: a random one. */
int riad_roster_draft(const struct riad_store_binding *binding, const struct riad_id *id,
        enum riad_workspace_kind kind, const char *name, const struct riad_user *owner,
        const struct riad_keypair *keys, struct riad_workspace_draft *ret) RIAD_MUST_CHECK;
void riad_workspace_draft_done(struct riad_workspace_draft *draft);
/* Makes ws/<id> of a draft's files, which were verified; of epoch 1. Takes over what an attempt
 * that was cut short has left, a wrap included; so one at a time for an id. -EEXIST it has a roster
 * already; -EROFS. */
int riad_roster_publish(const struct riad_store *store, const struct riad_id *workspace,
        const struct riad_id *owner, const void *wrap, size_t wrap_size, const void *roster,
        size_t roster_size) RIAD_MUST_CHECK;
/* The bytes of a workspace's roster, on the heap. -ENOENT, -EBADMSG. */
int riad_roster_read(const struct riad_store *store, const struct riad_id *workspace,
        uint8_t **ret_data, size_t *ret_size) RIAD_MUST_CHECK;
/* The file's bytes, verified: the first entry by the owner's key, each other one by one who is a
 * manager then; there always is one. As riad_roster_load. */
int riad_roster_parse(const struct riad_store_binding *binding, const struct riad_id *workspace,
        const struct riad_public_key *owner, const void *data, size_t size,
        struct riad_roster *ret) RIAD_MUST_CHECK;
/* Whether its chain has at least so many entries and that was the head then; of 0 entries always.
 * Else it is an older roster than the one of which that is known, or another one. */
bool riad_roster_passed(
        const struct riad_roster *roster, uint64_t entries, const struct riad_hash *head);
/* Drafts of a change, for a node to publish: *ret_file, which the caller frees, becomes the file's
 * bytes, from which *roster was parsed, and one signed entry. -EPERM the keys are not a manager's;
 * -EBUSY no manager would be left; -ENOBUFS the file would be too long.
 * put: adds the member, or replaces the one of that id: another role, group, other keys. Makes her
 * a new wrap of the root key; member->wrap_hash is ignored. -EBADMSG root is not this workspace's;
 * -E2BIG there are RIAD_ROSTER_MEMBERS_MAX members; -EINVAL no role, or a group that is no name
 * (riad_catalog_is_user_name). */
int riad_roster_draft_put(const struct riad_store_binding *binding,
        const struct riad_roster *roster, const void *data, size_t size,
        const struct riad_member *member, const struct riad_secret *root,
        const struct riad_keypair *keys, struct riad_writer *ret_file,
        uint8_t ret_wrap[RIAD_WRAP_SIZE]) RIAD_MUST_CHECK;
/* Another role for a member, whose wrap and group stay. -ENOENT no member; -EINVAL no role. */
int riad_roster_draft_role(const struct riad_store_binding *binding,
        const struct riad_roster *roster, const void *data, size_t size, const struct riad_id *user,
        enum riad_role role, const struct riad_keypair *keys,
        struct riad_writer *ret_file) RIAD_MUST_CHECK;
/* -ENOENT no member. */
int riad_roster_draft_remove(const struct riad_store_binding *binding,
        const struct riad_roster *roster, const void *data, size_t size, const struct riad_id *user,
        const struct riad_keypair *keys, struct riad_writer *ret_file) RIAD_MUST_CHECK;
/* A new root key, wrapped for each who is a member now: a new epoch. root: the present one. To put
 * a member out, draft her removal, parse that, and draft the epoch on top of it: both entries go
 * out together. ret_wraps: on the heap, in the order of roster->members. -ENOSPC there were
 * RIAD_ROSTER_EPOCHS_MAX; -EBADMSG root is not this workspace's, or does not open its name. */
int riad_roster_draft_epoch(const struct riad_store_binding *binding,
        const struct riad_roster *roster, const void *data, size_t size,
        const struct riad_secret *root, const struct riad_keypair *keys,
        struct riad_writer *ret_file, struct riad_secret **ret_root,
        uint8_t (**ret_wraps)[RIAD_WRAP_SIZE]) RIAD_MUST_CHECK;
/* Publish what was drafted and verified, over what is there; the wrap comes before the roster that
 * names it. -EROFS; -ENOENT there is no such workspace. */
int riad_roster_publish_wrap(const struct riad_store *store, const struct riad_id *workspace,
        const struct riad_id *user, uint32_t epoch, const void *wrap, size_t size) RIAD_MUST_CHECK;
int riad_roster_replace(const struct riad_store *store, const struct riad_id *workspace,
        const void *data, size_t size) RIAD_MUST_CHECK;
/* Removes a wrap, if there is one. -EROFS. */
int riad_roster_erase_wrap(const struct riad_store *store, const struct riad_id *workspace,
        const struct riad_id *user, uint32_t epoch) RIAD_MUST_CHECK;
/* NULL: no member. Borrowed. */
struct riad_member *riad_roster_find(const struct riad_roster *roster, const struct riad_id *user);
/* -EBADMSG: not the wrap whose hash the roster has. */
int riad_roster_check_wrap(
        const struct riad_member *member, const void *wrap, size_t size) RIAD_MUST_CHECK;
/* A member's wrap of the present epoch, its hash checked; heap. -EUCLEAN it is missing; -EBADMSG.
 */
int riad_roster_read_wrap(const struct riad_store *store, const struct riad_roster *roster,
        const struct riad_member *member, uint8_t **ret_data, size_t *ret_size) RIAD_MUST_CHECK;
/* The present epoch's root key from a wrap, checked against the commitment. store: its id.
 * -EBADMSG. */
int riad_roster_open_root(const struct riad_id *store, const struct riad_roster *roster,
        const struct riad_keypair *keys, const void *wrap, size_t size,
        struct riad_secret **ret) RIAD_MUST_CHECK;
/* The root keys of all epochs, epoch 1 first, 32 bytes each: the present one from the wrap, each
 * other one as the next has it sealed, all checked against their commitments. -EBADMSG. */
int riad_roster_open_roots(const struct riad_id *store, const struct riad_roster *roster,
        const struct riad_keypair *keys, const void *wrap, size_t size,
        struct riad_secret **ret_roots) RIAD_MUST_CHECK;
/* Reads and verifies all entries with the owner's key, as riad_roster_parse. -EBADMSG, -ENOENT,
 * -EPROTONOSUPPORT. A chain cut at its end verifies: whoever holds a later head (a term, the
 * catalog) must compare: riad_roster_passed. */
int riad_roster_load(const struct riad_store *store, const struct riad_id *workspace,
        const struct riad_public_key *signer, struct riad_roster *ret) RIAD_MUST_CHECK;
void riad_roster_done(struct riad_roster *roster);
/* Unwraps the member's root key of the roster's epoch, checks wrap hash and commitment, derives the
 * subkeys; the root is wiped. -ENOKEY not a member; -EBADMSG; -EUCLEAN the wrap is missing;
 * -EPROTONOSUPPORT an epoch after the first: struct riad_keys holds one. */
int riad_roster_unlock(const struct riad_store *store, const struct riad_roster *roster,
        const struct riad_id *user, const struct riad_keypair *keys,
        struct riad_keys **ret) RIAD_MUST_CHECK;
/* Opens the workspace's name; keys: of the present epoch. */
int riad_roster_name(const struct riad_roster *roster, const struct riad_keys *keys,
        char ret[256]) RIAD_MUST_CHECK;

#endif
