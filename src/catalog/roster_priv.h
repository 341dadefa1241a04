/* Layer catalog, private. Roster entries and wrap files (FORMAT 3.2, 3.3). */
#ifndef RIAD_ROSTER_PRIV_H
#define RIAD_ROSTER_PRIV_H

#include "riad/bytes.h"
#include "riad/roster.h"

#define RIAD_ROSTER_NAME "roster"
#define RIAD_WRAPS_NAME "wrap"
enum {
    RIAD_ROSTER_FILE_MAX = 16 << 20,
    RIAD_MEMBERS_MAX = 4096,
    RIAD_SEALED_NAME_MAX =
            336, /* 16 bytes of SIV; version byte, length and 255 bytes padded to 64 */
};

enum riad_roster_entry_kind {
    RIAD_ROSTER_CREATE = 1,
    RIAD_ROSTER_MEMBER_PUT,
    RIAD_ROSTER_MEMBER_REMOVE,
    RIAD_ROSTER_EPOCH,
};

/* A member's part in an epoch. */
struct riad_roster_wrap {
    struct riad_id user;
    struct riad_hash hash; /* of the wrap */
};

struct riad_roster_entry {
    struct riad_id workspace;
    uint64_t number;
    struct riad_hash previous;
    struct timespec time;
    enum riad_roster_entry_kind kind;
    /* create */
    enum riad_workspace_kind workspace_kind;
    /* create, epoch */
    uint32_t epoch;
    struct riad_hash commitment;
    uint8_t sealed_name[RIAD_SEALED_NAME_MAX];
    size_t sealed_name_size;
    /* create, member put; of a member remove only the user */
    struct riad_member member;
    /* epoch */
    uint8_t sealed_previous[RIAD_SEALED_ROOT_SIZE];
    struct riad_roster_wrap *wraps; /* the entry's own, ids ascending */
    size_t wrap_count;
};

void riad_roster_entry_done(struct riad_roster_entry *entry);

/* The body of an envelope. */
void riad_roster_entry_encode(const struct riad_roster_entry *entry, struct riad_writer *writer);
/* The caller frees *ret. -EBADMSG, -ENOMEM. */
int riad_roster_entry_decode(
        const uint8_t *body, size_t size, struct riad_roster_entry *ret) RIAD_MUST_CHECK;
/* Appends the signed entry with its length; *ret_hash is what the next entry names as previous. */
int riad_roster_entry_sign(const struct riad_roster_entry *entry,
        const struct riad_store_binding *binding, const struct riad_keypair *keys,
        struct riad_writer *file, struct riad_hash *ret_hash) RIAD_MUST_CHECK;
int riad_roster_entry_hash(
        const void *envelope, size_t size, struct riad_hash *ret) RIAD_MUST_CHECK;

/* member: one of the roster's. */
bool riad_roster_is_last_manager(
        const struct riad_roster *roster, const struct riad_member *member);
/* Seals the workspace's name into an entry whose workspace and epoch are set. -EINVAL. */
int riad_roster_seal_name(const struct riad_secret *root, const char *name,
        struct riad_roster_entry *entry) RIAD_MUST_CHECK;
/* -EBADMSG: not the present epoch's root key, to which the roster commits. */
int riad_roster_check_root(
        const struct riad_roster *roster, const struct riad_secret *root) RIAD_MUST_CHECK;

/* The root key of the epoch before this one, sealed under this one's. */
int riad_previous_seal(const struct riad_id *workspace, uint32_t epoch,
        const struct riad_secret *root, const struct riad_secret *previous,
        uint8_t ret[RIAD_SEALED_ROOT_SIZE]) RIAD_MUST_CHECK;
/* -EBADMSG. */
int riad_previous_open(const struct riad_id *workspace, uint32_t epoch,
        const struct riad_secret *root, const uint8_t sealed[RIAD_SEALED_ROOT_SIZE],
        struct riad_secret **ret) RIAD_MUST_CHECK;

/* What a wrap is bound to besides its recipient. */
struct riad_wrap_scope {
    struct riad_id store;
    struct riad_id workspace;
    uint32_t epoch;
};

enum { RIAD_ROOT_SIZE = 32, RIAD_WRAP_NAME_SIZE = 42 };

/* The file's name in wrap/. */
void riad_wrap_name(const struct riad_id *member, uint32_t epoch, char ret[RIAD_WRAP_NAME_SIZE]);
int riad_wrap_seal(const struct riad_wrap_scope *scope, const struct riad_public_key *recipient,
        const struct riad_secret *root, uint8_t ret[RIAD_WRAP_SIZE]) RIAD_MUST_CHECK;
/* -EBADMSG, -EPROTONOSUPPORT (newer format or suite). */
int riad_wrap_open(const struct riad_wrap_scope *scope, const struct riad_keypair *recipient,
        const uint8_t *data, size_t size, struct riad_secret **ret) RIAD_MUST_CHECK;
int riad_wrap_hash(const void *data, size_t size, struct riad_hash *ret) RIAD_MUST_CHECK;

#endif
