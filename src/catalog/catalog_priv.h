/* Layer catalog, private. Batches of catalog entries (FORMAT 3.5). */
#ifndef RIAD_CATALOG_PRIV_H
#define RIAD_CATALOG_PRIV_H

#include "riad/bytes.h"
#include "riad/catalog.h"

enum {
    RIAD_CATALOG_ENTRIES_MAX = 4096,
    RIAD_CATALOG_WORKSPACES_MAX = 1 << 20,
    RIAD_CATALOG_USERS_MAX = 1 << 20,
    RIAD_CATALOG_MEMBERS_MAX = 4096,
    RIAD_CATALOG_SUBJECTS_MAX = 1 << 20,
    RIAD_CATALOG_BOUNDS_MAX = 4096 /* of a workspace: as many as there are nodes ever */
};

enum riad_catalog_entry_kind {
    RIAD_CATALOG_ENTRY_WORKSPACE = 1,
    RIAD_CATALOG_ENTRY_LIMIT,
    RIAD_CATALOG_ENTRY_EXPIRY,
    RIAD_CATALOG_ENTRY_USER,
    RIAD_CATALOG_ENTRY_ROSTER,
    RIAD_CATALOG_ENTRY_NAME,
    RIAD_CATALOG_ENTRY_EPOCH_END,
    RIAD_CATALOG_ENTRY_TERM_BOUND,
    RIAD_CATALOG_ENTRY_GRANT,
    RIAD_CATALOG_ENTRY_CLOCK
};

/* What a command adds: a workspace with its limit and expiry, for a project its name, limits of
 * some, or of those to come, another expiry, a roster's state, that a workspace is deleted, an
 * epoch's end, or bounds of terms. */
enum riad_catalog_addition_kind {
    RIAD_CATALOG_ADD_WORKSPACE,
    RIAD_CATALOG_ADD_LIMITS,
    RIAD_CATALOG_ADD_DEFAULT_LIMIT,
    RIAD_CATALOG_ADD_EXPIRY,
    RIAD_CATALOG_ADD_DELETION,
    RIAD_CATALOG_ADD_PROJECT,
    RIAD_CATALOG_ADD_ROSTER,
    RIAD_CATALOG_ADD_ENROLMENT,
    RIAD_CATALOG_ADD_USER_CHANGE,
    RIAD_CATALOG_ADD_EPOCH_END,
    RIAD_CATALOG_ADD_TERM_BOUNDS,
    RIAD_CATALOG_ADD_SUBJECTS,
    RIAD_CATALOG_ADD_GRANTS
};

struct riad_catalog_addition {
    /* NULL: an enrolment without, a user's change, bounds, limits. Of the default only the limit.
     * An epoch's end is the only one of its epoch_ends. */
    const struct riad_catalog_workspace *workspace;
    enum riad_catalog_addition_kind kind;
    const struct riad_catalog_user *user; /* enrolment, user's change */
    /* bounds: each workspace once */
    const struct riad_public_key *node;
    const struct riad_catalog_bound *bounds;
    size_t bound_count;
    const struct riad_catalog_limit_setting *limits; /* limits */
    size_t limit_count;
    const struct riad_catalog_subject *subjects; /* subjects; of grants the only one */
    size_t subject_count;
    uint64_t subject_changes; /* grants: what they were reckoned by */
};

/* Appends it as one batch, if there is anything to append. As the commands of riad/catalog.h. */
int riad_catalog_add(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_addition *addition) RIAD_MUST_CHECK;

/* What precedes a batch's entries. */
struct riad_catalog_batch {
    uint64_t first_number;
    struct riad_hash previous;
    struct timespec time;
    uint32_t count;
};

void riad_catalog_batch_encode(const struct riad_catalog_batch *batch, struct riad_writer *writer);
/* An entry around its body. */
void riad_catalog_put_entry(enum riad_catalog_entry_kind kind, const struct riad_writer *body,
        struct riad_writer *writer);
void riad_catalog_put_user_entry(const struct riad_catalog_user *user, struct riad_writer *writer);
int riad_catalog_apply_user(struct riad_catalog *catalog, struct riad_reader *body) RIAD_MUST_CHECK;
/* Another active user has its uid or name. */
bool riad_catalog_user_collides(
        const struct riad_catalog *catalog, const struct riad_catalog_user *user);
/* The state, owner and kind of a workspace; not its limit. */
void riad_catalog_put_workspace_entry(
        const struct riad_catalog_workspace *workspace, struct riad_writer *writer);
/* NULL: of all that will be made. */
void riad_catalog_put_limit_entry(const struct riad_id *workspace,
        const struct riad_catalog_limit *limit, struct riad_writer *writer);
int riad_catalog_apply_limit(
        struct riad_catalog *catalog, struct riad_reader *body) RIAD_MUST_CHECK;
/* Of an addition of limits: whether all can be set (-ENOENT); these. */
int riad_catalog_check_limits(const struct riad_catalog *catalog,
        const struct riad_catalog_addition *addition) RIAD_MUST_CHECK;
void riad_catalog_put_limits(
        const struct riad_catalog_addition *addition, struct riad_writer *writer);

/* The values of a limit, behind its subject. */
void riad_catalog_put_limit(const struct riad_catalog_limit *limit, struct riad_writer *body);
/* catalog_subject.c. A limit of a user or group; a grant; a clock. subject, size: as the entry has
 * it. */
int riad_catalog_apply_subject(struct riad_catalog *catalog, uint8_t kind, const uint8_t *subject,
        size_t size, const struct riad_catalog_limit *limit) RIAD_MUST_CHECK;
int riad_catalog_apply_grant(
        struct riad_catalog *catalog, struct riad_reader *body) RIAD_MUST_CHECK;
int riad_catalog_apply_clock(
        struct riad_catalog *catalog, struct riad_reader *body) RIAD_MUST_CHECK;
/* Of an addition of grants: whether all can be there (-ENOENT, -ESTALE); how many entries. */
int riad_catalog_check_grants(const struct riad_catalog *catalog,
        const struct riad_catalog_addition *addition) RIAD_MUST_CHECK;
uint32_t riad_catalog_count_grants(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition);
void riad_catalog_put_subjects(
        const struct riad_catalog_addition *addition, struct riad_writer *writer);
void riad_catalog_put_grants(const struct riad_catalog *catalog,
        const struct riad_catalog_addition *addition, struct riad_writer *writer);
/* Lists of its own for a copy; on a failure it holds only these. */
int riad_catalog_copy_subjects(
        const struct riad_catalog *catalog, struct riad_catalog *copy) RIAD_MUST_CHECK;
void riad_catalog_free_subjects(struct riad_catalog *catalog);

void riad_catalog_put_expiry_entry(const struct riad_id *workspace,
        const struct riad_catalog_expiry *expiry, struct riad_writer *writer);

/* Its roster_entries, roster_head and members; its name. */
void riad_catalog_put_roster_entry(
        const struct riad_catalog_workspace *workspace, struct riad_writer *writer);
void riad_catalog_put_name_entry(
        const struct riad_catalog_workspace *workspace, struct riad_writer *writer);
int riad_catalog_apply_roster(
        struct riad_catalog *catalog, struct riad_reader *body) RIAD_MUST_CHECK;
int riad_catalog_apply_name(struct riad_catalog *catalog, struct riad_reader *body) RIAD_MUST_CHECK;
void riad_catalog_put_epoch_end_entry(const struct riad_id *workspace,
        const struct riad_catalog_epoch_end *end, struct riad_writer *writer);
void riad_catalog_put_term_bound_entry(const struct riad_id *workspace,
        const struct riad_catalog_term_bound *bound, struct riad_writer *writer);
int riad_catalog_apply_epoch_end(
        struct riad_catalog *catalog, struct riad_reader *body) RIAD_MUST_CHECK;
int riad_catalog_apply_term_bound(
        struct riad_catalog *catalog, struct riad_reader *body) RIAD_MUST_CHECK;
/* Whether it can be registered; of a workspace that is there and not deleted. -ESTALE. */
int riad_catalog_check_epoch_end(const struct riad_catalog_workspace *workspace,
        const struct riad_catalog_epoch_end *end) RIAD_MUST_CHECK;
/* Of an addition of bounds: whether all can be there; how many are not yet; these. */
int riad_catalog_check_bounds(const struct riad_catalog *catalog,
        const struct riad_catalog_addition *addition) RIAD_MUST_CHECK;
uint32_t riad_catalog_count_bounds(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition);
void riad_catalog_put_bounds(const struct riad_catalog *catalog,
        const struct riad_catalog_addition *addition, struct riad_writer *writer);
/* Whether an entry may have them: ids ascend, roles are known, one is a manager. */
bool riad_catalog_are_members(const struct riad_catalog_member *members, size_t count);
bool riad_catalog_is_expiry(const struct riad_catalog_expiry *expiry);

/* A list's item `number`, the last one, becomes one that is found; those before it are. An item
 * begins with its id. stride: its size. -ENOMEM: it is not. */
int riad_catalog_places_add(struct riad_catalog_places *places, const void *items, size_t stride,
        uint32_t number) RIAD_MUST_CHECK;
/* The item of the id; NULL. */
const void *riad_catalog_places_find(const struct riad_catalog_places *places, const void *items,
        size_t stride, const struct riad_id *id);

/* Copies them into a catalog that has none. */
int riad_catalog_set_signers(struct riad_catalog *catalog, const struct riad_signer *signers,
        size_t count) RIAD_MUST_CHECK;
/* On failure *copy holds what was copied so far. */
int riad_catalog_copy(
        const struct riad_catalog *catalog, struct riad_catalog *copy) RIAD_MUST_CHECK;
/* The chain of batches; borrows the signers. */
struct riad_chain riad_catalog_chain(
        const struct riad_store *store, const struct riad_catalog *catalog);

/* Applies the body of the batch that follows to *catalog, numbers and hashes included; hash: of its
 * envelope. On an error the catalog may hold part of the batch: callers throw it away. -EBADMSG,
 * -EPROTONOSUPPORT, -ENOMEM. */
int riad_catalog_apply(struct riad_catalog *catalog, const uint8_t *body, size_t size,
        const struct riad_hash *hash) RIAD_MUST_CHECK;

#endif
