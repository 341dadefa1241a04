/* Layer node. The process behind `riad mount`: unlocks, opens one or more workspaces, mounts them,
 * serves the control socket, ends in order. What riadd will share. */
#ifndef RIAD_HOST_H
#define RIAD_HOST_H

#include "riad/catalog.h"
#include "riad/control.h"
#include "riad/session.h"

struct riad_host_mount {
    const char *workspace; /* name */
    const char *directory; /* absolute */
};

struct riad_host_config {
    const char *store_path; /* absolute */
    const struct riad_host_mount *mounts;
    size_t mount_count;
    const char *all_below; /* instead of mounts: every workspace, each on all_below/NAME, made if
                              missing; NULL */
    const char *options;   /* -o */
    const char *state_dir; /* NULL = default */
    bool allow_other, read_only;
    uint64_t lock_idle_seconds; /* locks what nobody used for so long; 0: never */
    enum riad_slot_kind secret_kind;
    const struct riad_secret *secret;
    bool progress; /* stderr is a terminal */
};

/* Runs until everything is unmounted or a signal (SIGTERM, SIGINT, SIGHUP) asks for it; then makes
 * all durable. ready is called once when every mount is usable. Returns an exit code (enum
 * riad_exit) and, if it is not 0, the reason. Called in the process that stays (after daemonising,
 * before threads). */
int riad_host_run(const struct riad_host_config *config, void (*ready)(void *context),
        void *context, struct riad_reason *ret_reason);

/* An unlocked workspace, for the host and for commands that work on a store directly (fsck,
 * workspace, quota). */
struct riad_unlocked {
    struct riad_store store;
    struct riad_user user;
    struct riad_keypair keypair;
    struct riad_signers *signers; /* the owner alone: of terms */
    struct riad_catalog catalog;
};
/* Opens the store, finds its user, unlocks, verifies and loads the catalog. Returns an exit code
 * and a reason. The trail has it, however it ends (riad/events.h). */
int riad_unlock_store(const char *store_path, enum riad_slot_kind kind,
        const struct riad_secret *secret, const struct riad_state *state, struct riad_unlocked *ret,
        struct riad_reason *ret_reason);
void riad_unlocked_done(struct riad_unlocked *unlocked);
/* Finds a live workspace by name; roster and keys are the caller's. -ENOENT. */
int riad_unlocked_workspace(const struct riad_unlocked *unlocked, const char *name,
        struct riad_roster *ret_roster, struct riad_keys **ret_keys,
        const struct riad_catalog_workspace **ret_entry) RIAD_MUST_CHECK;
/* The name of a workspace of the catalog. -ENOKEY, -EBADMSG: its roster or wrap is damaged. */
int riad_unlocked_name(const struct riad_unlocked *unlocked, const struct riad_id *workspace,
        char ret[256]) RIAD_MUST_CHECK;
/* Marks *catalog, which was just loaded or added to, as seen by this node: from then on a store
 * with an older one is refused (K6). Where another process has marked a newer one, *catalog is that
 * afterwards. As riad_catalog_load and riad_catalog_check_mark. */
int riad_mark_catalog(const struct riad_store *store, const struct riad_state *state,
        struct riad_catalog *catalog) RIAD_MUST_CHECK;
/* Why a mark (`catalog-mark`, `site-mark`) cannot be read or written, but for -ESTALE; as
 * riad_explain. */
int riad_explain_mark(struct riad_reason *ret, int error, const struct riad_state *state,
        const struct riad_store *store, const char *name);
/* The exit code for an errno of these layers. */
int riad_exit_of(int error);
/* Fills the reason, with a format and its arguments; the exit code for the errno. */
#define riad_explain(reason, error, ...) riad_exit_of(riad_reason_set(reason, error, __VA_ARGS__))

#endif
