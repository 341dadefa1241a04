/* Layer catalog. The catalog: workspaces and limits, as chained, signed batches (FORMAT 3.5, O3).
 */
#ifndef RIAD_CATALOG_H
#define RIAD_CATALOG_H

#include "riad/chain.h"
#include "riad/roster.h"

/* Limits as set, in bytes and counts; 0 = none. */
struct riad_catalog_limit {
    uint64_t bytes_soft, bytes_hard, inodes_soft, inodes_hard;
    uint32_t grace_bytes, grace_inodes;
};

/* No soft one is above its hard one. */
bool riad_catalog_is_limit(const struct riad_catalog_limit *limit);
/* Makes one of it, where a hard one was given that the soft one was not meant for. */
void riad_catalog_lower_soft(struct riad_catalog_limit *limit);

/* From `expires` on a workspace can be read only; `grace` seconds later it is locked, and kept: no
 * time deletes anything. expires: seconds since 1970; 0: never. */
struct riad_catalog_expiry {
    uint64_t expires;
    uint32_t grace;
};

enum riad_expiry_state { RIAD_EXPIRY_LIVE, RIAD_EXPIRY_GRACE, RIAD_EXPIRY_LOCKED };

struct riad_catalog_member {
    struct riad_id user;
    enum riad_role role;
};

enum { RIAD_PROJECT_NAME_MAX = 64 };

/* The last change of an epoch, and the last segment that records of it, or of older ones, may lie
 * in: what a later one is sealed with has its number in the roster. */
struct riad_catalog_epoch_end {
    uint32_t epoch, term;
    uint64_t number, segment;
    struct riad_hash chain;
};

/* Of the workspace's terms that this key signed, those up to this number count; 0: none. */
struct riad_catalog_term_bound {
    struct riad_public_key key;
    uint32_t last;
};

/* A copy of the struct borrows the lists: they are the catalog's, until it is changed. */
struct riad_catalog_workspace {
    struct riad_id id;
    enum riad_workspace_kind kind;
    bool deleted;
    struct riad_id owner;
    struct riad_catalog_limit limit; /* the last one set */
    struct riad_catalog_expiry expiry;
    char name[RIAD_PROJECT_NAME_MAX + 1]; /* a project's, in clear; "": none */
    /* The state of the roster that was registered last: one that did not pass through it (0
     * entries: none was) is older, or another. */
    uint64_t roster_entries;
    struct riad_hash roster_head;
    struct riad_catalog_member *members; /* of it, ids ascending */
    size_t member_count;
    struct riad_catalog_epoch_end *epoch_ends; /* epochs ascending */
    size_t epoch_end_count;
    struct riad_catalog_term_bound *term_bounds; /* a key once */
    size_t term_bound_count;
};

enum { RIAD_USER_NAME_MAX = 64 };

/* A user of a site. The name is the account's, and a uid that was given to another account since is
 * not its user: whoever asks by uid compares the name as well. */
struct riad_catalog_user {
    struct riad_id id;
    uint32_t uid;
    char name[RIAD_USER_NAME_MAX + 1];
    bool disabled;
    uint32_t generation; /* of the keys */
    struct riad_public_key wrap_key, sign_key;
};

/* Whom a limit is on that spans workspaces. */
enum riad_catalog_subject_kind { RIAD_CATALOG_USER = 2, RIAD_CATALOG_GROUP };
/* What one workspace may use of it. */
struct riad_catalog_grant {
    struct riad_id workspace;
    uint64_t bytes, inodes;
};
/* Since when more was granted than a soft limit: seconds since 1970; 0: it is not. */
struct riad_catalog_clock {
    uint64_t bytes_over_since, inodes_over_since;
};
/* A uid or gid with a limit, or one that had. */
struct riad_catalog_subject {
    enum riad_catalog_subject_kind kind;
    uint32_t id;
    struct riad_catalog_limit limit;   /* all 0: none any more */
    struct riad_catalog_grant *grants; /* a workspace once */
    size_t grant_count;
    struct riad_catalog_clock clock;
};

/* Where the items of a list are, by their ids. */
struct riad_catalog_places {
    uint32_t *slots; /* an item's number + 1; 0: free */
    size_t size;     /* 0, or a power of two */
};

struct riad_catalog {
    struct riad_catalog_workspace *workspaces;
    size_t workspace_count;
    struct riad_catalog_places workspace_places;
    struct riad_catalog_user *users; /* of a site */
    size_t user_count;
    struct riad_catalog_places user_places;
    struct riad_catalog_subject *subjects; /* by kind and id */
    size_t subject_count;
    uint64_t subject_changes;                /* of them and their grants, since the first batch */
    struct riad_catalog_limit default_limit; /* of workspaces made from now on, as last set */
    struct riad_chain_ends ends;             /* of all batches */
    struct riad_signer *signers;             /* who may have signed them */
    size_t signer_count;
};

/* Reads and verifies all batches. A zeroed struct is an empty catalog, of a store in which whoever
 * adds the first batch is the only signer. -EBADMSG; -EUCLEAN a batch is missing before others;
 * -EPROTONOSUPPORT an entry that this riad must not skip. */
int riad_catalog_load(const struct riad_store *store, const struct riad_signer *signers,
        size_t count, struct riad_catalog *ret) RIAD_MUST_CHECK;
void riad_catalog_done(struct riad_catalog *catalog);
/* Reads on from where it stands. As riad_catalog_load; on an error it may hold part of what was
 * added. */
int riad_catalog_catch_up(
        const struct riad_store *store, struct riad_catalog *catalog) RIAD_MUST_CHECK;
/* NULL if the catalog has none of that id. Borrowed; takes as long however many there are. */
const struct riad_catalog_workspace *riad_catalog_find(
        const struct riad_catalog *catalog, const struct riad_id *workspace);
/* Each catches up, appends one batch and publishes it with link; repeats when another process was
 * faster. *catalog is brought up to date; on error it is untouched. As riad_catalog_load, and
 * -EROFS; -EEXIST the workspace is in the catalog already; -ENOENT (set_limit, set_expiry,
 * delete_workspace) it is not, or deleted; -EINVAL a limit that is none; -EAGAIN others were faster
 * a thousand times. expiry of add_workspace: NULL: never. */
int riad_catalog_add_workspace(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        enum riad_workspace_kind kind, const struct riad_id *owner,
        const struct riad_catalog_limit *limit,
        const struct riad_catalog_expiry *expiry) RIAD_MUST_CHECK;
int riad_catalog_set_limit(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_catalog_limit *limit) RIAD_MUST_CHECK;
struct riad_catalog_limit_setting {
    struct riad_id workspace;
    struct riad_catalog_limit limit;
};
/* The limits of many, in as few batches as there can be: on an error some batches may be in the
 * catalog, and *catalog has those; the same call goes on. Of a workspace that is named twice the
 * last one holds. */
int riad_catalog_set_limits(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_limit_setting *settings,
        size_t count) RIAD_MUST_CHECK;
/* What new workspaces get, of which nothing else is said. It is for those who make them: no other
 * function here looks at it. */
int riad_catalog_set_default_limit(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_limit *limit) RIAD_MUST_CHECK;
int riad_catalog_set_expiry(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_catalog_expiry *expiry) RIAD_MUST_CHECK;
int riad_catalog_delete_workspace(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace) RIAD_MUST_CHECK;
/* A site's project, of which there is no roster yet: its id, owner, limit, expiry and name, in one
 * batch. -EEXIST the id is known, or another project has the name; -EINVAL a name that is none, or
 * an expiry too far. */
int riad_catalog_reserve(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog,
        const struct riad_catalog_workspace *workspace) RIAD_MUST_CHECK;
/* Registers what a workspace's roster, verified, is now. -ENOENT as above; -ESTALE it has no more
 * entries than the one registered; -EINVAL a roster that no parser gives. That it passed through
 * the one registered is the caller's to see (riad_roster_passed). */
int riad_catalog_set_roster(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_roster *roster) RIAD_MUST_CHECK;
/* Registers where an epoch's records end. -ENOENT as above; -ESTALE this epoch's end, or a later
 * one's, is registered already; -EINVAL an epoch that is none (1..RIAD_ROSTER_EPOCHS_MAX). */
int riad_catalog_end_epoch(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_catalog_epoch_end *end) RIAD_MUST_CHECK;
struct riad_catalog_bound {
    struct riad_id workspace;
    uint32_t last;
};
/* Bounds the terms that a node's key signed, in these workspaces, deleted ones too. Where it is
 * bound already nothing changes. In several batches if there are many: on an error some may be in
 * the catalog, and *catalog has those; the same call goes on. -ENOENT a workspace is not in the
 * catalog; -EINVAL one is there twice; -ENOSPC it has 4096 bounds. */
int riad_catalog_bound_terms(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_public_key *node,
        const struct riad_catalog_bound *bounds, size_t count) RIAD_MUST_CHECK;
/* Limits of users and groups, in few batches; grants are not read. -EINVAL as of workspaces. */
int riad_catalog_set_subjects(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_subject *subjects,
        size_t count) RIAD_MUST_CHECK;
/* The grants of one, and its clock, in one batch, if that differs; its limit is not read. They were
 * reckoned by what *catalog says: -ESTALE: another process changed limits or grants since, which
 * the caller reads and reckons anew. -ENOENT: it has no limit, or one of the workspaces is not in
 * the catalog; -EINVAL: over 1024 of them, or a time that is none. */
int riad_catalog_set_grants(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_subject *subject) RIAD_MUST_CHECK;
/* NULL: it never had a limit. Borrowed. */
const struct riad_catalog_subject *riad_catalog_find_subject(
        const struct riad_catalog *catalog, enum riad_catalog_subject_kind kind, uint32_t id);
/* NULL: none. Borrowed. */
const struct riad_catalog_grant *riad_catalog_find_grant(
        const struct riad_catalog_subject *subject, const struct riad_id *workspace);
/* NULL: the key's terms are not bound there. Borrowed. */
const struct riad_catalog_term_bound *riad_catalog_find_bound(
        const struct riad_catalog_workspace *workspace, const struct riad_public_key *node);
/* The project of that name that is not deleted; NULL if there is none. Borrowed. */
const struct riad_catalog_workspace *riad_catalog_find_project(
        const struct riad_catalog *catalog, const char *name);
/* NULL: no member, as far as was registered. Borrowed. */
const struct riad_catalog_member *riad_catalog_find_member(
        const struct riad_catalog_workspace *workspace, const struct riad_id *user);
/* A site's: the user and the first workspace, in one batch; workspace: id, kind, owner and limit;
 * NULL: none. -EEXIST one of the ids is known, or another active user has that uid or name; -EINVAL
 * a name that is none. */
int riad_catalog_enrol(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_user *user,
        const struct riad_catalog_workspace *workspace) RIAD_MUST_CHECK;
/* Another state, name or key of a user. -ENOENT there is none; -EEXIST as above. */
int riad_catalog_change_user(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_user *user) RIAD_MUST_CHECK;
/* Of users, projects, and groups: 1 to 64 bytes, no spaces, control characters, slashes or colons;
 * no dot or dash in front. */
bool riad_catalog_is_user_name(const char *name);
/* NULL if there is none. By uid: active ones only. By name: the active one, else one disabled.
 * Borrowed. */
const struct riad_catalog_user *riad_catalog_find_user(
        const struct riad_catalog *catalog, const struct riad_id *id);
const struct riad_catalog_user *riad_catalog_find_uid(
        const struct riad_catalog *catalog, uint32_t uid);
const struct riad_catalog_user *riad_catalog_find_user_name(
        const struct riad_catalog *catalog, const char *name);
/* now: seconds since 1970. */
enum riad_expiry_state riad_catalog_expiry_state(
        const struct riad_catalog_expiry *expiry, uint64_t now);
/* riad_chain_check_mark with `catalog-mark` of the store's local state. Another process may have
 * added a batch, and marked it, since *catalog was loaded: on -ESTALE load it again and believe the
 * second answer. */
int riad_catalog_check_mark(const struct riad_catalog *catalog, int state_fd) RIAD_MUST_CHECK;

#endif
