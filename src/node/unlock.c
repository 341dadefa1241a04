#include <fcntl.h>
#include <stdio.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"
#include "riad/host.h"

int riad_exit_of(int error)
{
    switch (-error) {
    case 0:
        return RIAD_EXIT_DONE;
    case ENOKEY:
        return RIAD_EXIT_WRONG_SECRET;
    case EMEDIUMTYPE:
        return RIAD_EXIT_NOT_A_STORE;
    case EPROTONOSUPPORT:
        return RIAD_EXIT_TOO_NEW;
    case EBUSY:
        return RIAD_EXIT_OWNED;
    case EUCLEAN:
    case EBADMSG:
    case ESTALE:
        return RIAD_EXIT_DAMAGED;
    case EDQUOT:
        return RIAD_EXIT_OVER_LIMIT;
    case EPERM:
        return RIAD_EXIT_NOT_PERMITTED;
    default:
        return RIAD_EXIT_FAILED;
    }
}

static int open_store(const char *path, struct riad_store *ret, struct riad_reason *reason)
{
    int r = riad_store_open(path, ret);

    if (r == -EMEDIUMTYPE || r == -ENOENT || r == -ENOTDIR) {
        return riad_explain(reason, -EMEDIUMTYPE,
                "%s is not a riad store: make one with `riad init %s`", path, path);
    }
    if (r == -EPROTONOSUPPORT) {
        return riad_explain(reason, r,
                "the store %s has a newer format than this riad (%s) reads: use a newer riad", path,
                RIAD_VERSION);
    }
    if (r < 0) {
        return riad_explain(reason, r, "cannot open the store %s: %s", path, strerror(-r));
    }
    if (ret->site) {
        return riad_explain(reason, -EOPNOTSUPP,
                "%s is a site's store, which its nodes open: on one of them this command may go "
                "without naming it; else it is for a person's own store",
                path);
    }
    return RIAD_EXIT_DONE;
}

/* Reasons of unlocking name the store's path, which is no secret, and no workspace. */
static void record_unlock(const struct riad_state *state, const struct riad_unlocked *unlocked,
        enum riad_slot_kind kind, int code, const struct riad_reason *reason)
{
    const struct riad_id *store = &unlocked->store.binding.store;

    if (unlocked->store.fd < 0) {
        return; /* no store, and nothing of it was tried */
    }
    if (code == RIAD_EXIT_DONE) {
        riad_events_record(state, "unlocked", store, NULL, "with the %s", riad_slot_name(kind));
    } else {
        riad_events_record(state, code == RIAD_EXIT_DAMAGED ? "refused" : "unlock-failed", store,
                NULL, "%s", reason->text);
    }
}

/* A personal store has exactly one user. */
static int load_user(const char *path, struct riad_unlocked *unlocked, struct riad_reason *reason)
{
    _cleanup_free_ struct riad_id *ids = NULL;
    size_t count;
    int r = riad_store_list_users(&unlocked->store, &ids, &count);

    if (r == 0 && count != 1) {
        return riad_explain(reason, -EUCLEAN,
                "the store %s has %zu user files where a personal store has one", path, count);
    }
    if (r == 0) {
        r = riad_user_load(&unlocked->store, &ids[0], &unlocked->user);
    }
    if (r < 0) {
        return riad_explain(reason, r,
                "the user file of the store %s cannot be read (%s): restore it from a backup", path,
                strerror(-r));
    }
    return RIAD_EXIT_DONE;
}

static int open_slot(const char *path, enum riad_slot_kind kind, const struct riad_secret *secret,
        struct riad_unlocked *unlocked, struct riad_reason *reason)
{
    int r = riad_user_unlock(&unlocked->store, &unlocked->user, kind, secret, &unlocked->keypair);
    struct riad_signer owner;

    if (r == -ENOKEY) {
        return riad_explain(reason, r, "wrong %s for the store %s", riad_slot_name(kind), path);
    }
    if (r < 0) {
        return riad_explain(reason, r,
                "the user file of the store %s was tampered with or is damaged (%s)", path,
                strerror(-r));
    }
    owner = riad_signer_always(&unlocked->keypair.sign_key);
    r = riad_signers_new(&owner, 1, &unlocked->signers);
    return r < 0 ? riad_explain(reason, r, "cannot open %s: %s", path, strerror(-r))
                 : RIAD_EXIT_DONE;
}

/* On -ESTALE another process may have added a batch, and marked it, since ours was loaded: looks
 * again, and believes that. */
int riad_mark_catalog(const struct riad_store *store, const struct riad_state *state,
        struct riad_catalog *catalog)
{
    struct riad_catalog newer = { 0 };
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = riad_state_directory(state, "store", &store->binding.store, &path);
    int r = fd < 0 ? fd : riad_catalog_check_mark(catalog, fd);

    if (r == -ESTALE) {
        r = riad_catalog_load(store, catalog->signers, catalog->signer_count, &newer);
        if (r < 0) {
            return r;
        }
        riad_catalog_done(catalog);
        *catalog = newer;
        r = riad_catalog_check_mark(catalog, fd);
    }
    return r;
}

int riad_explain_mark(struct riad_reason *ret, int error, const struct riad_state *state,
        const struct riad_store *store, const char *name)
{
    char id[2 * sizeof store->binding.store + 1];

    if (error != -EBADMSG) {
        return riad_explain(
                ret, error, "cannot use the state directory %s: %s", state->path, strerror(-error));
    }
    riad_hex_encode(store->binding.store.bytes, sizeof store->binding.store.bytes, id);
    return riad_explain(ret, error,
            "%s/store/%s/%s is damaged: it says how new the store was when this machine saw "
            "it last, so that an older copy is refused. If you trust the store as it is, remove "
            "that file",
            state->path, id, name);
}

static int load_catalog(const char *path, const struct riad_state *state,
        struct riad_unlocked *unlocked, struct riad_reason *reason)
{
    const struct riad_signer owner = riad_signer_always(&unlocked->keypair.sign_key);
    int r = riad_catalog_load(&unlocked->store, &owner, 1, &unlocked->catalog);

    if (r < 0) {
        return riad_explain(reason, r,
                "the catalog of the store %s was tampered with or is damaged (%s)", path,
                strerror(-r));
    }
    if (unlocked->catalog.ends.count == 0) {
        return riad_explain(reason, -EUCLEAN,
                "the store %s has no catalog: its files are missing, or `riad init` was cut short",
                path);
    }
    r = riad_mark_catalog(&unlocked->store, state, &unlocked->catalog);
    if (r == -ESTALE) {
        return riad_explain(reason, r,
                "the catalog of the store %s is older than this node has seen: the store was "
                "rolled back",
                path);
    }
    if (r < 0) {
        return riad_explain_mark(reason, r, state, &unlocked->store, "catalog-mark");
    }
    return RIAD_EXIT_DONE;
}

int riad_unlock_store(const char *store_path, enum riad_slot_kind kind,
        const struct riad_secret *secret, const struct riad_state *state, struct riad_unlocked *ret,
        struct riad_reason *ret_reason)
{
    struct riad_unlocked unlocked = { .store = { .fd = -1 } };
    int code = open_store(store_path, &unlocked.store, ret_reason);

    if (code == RIAD_EXIT_DONE) {
        code = load_user(store_path, &unlocked, ret_reason);
    }
    if (code == RIAD_EXIT_DONE) {
        code = open_slot(store_path, kind, secret, &unlocked, ret_reason);
    }
    if (code == RIAD_EXIT_DONE) {
        code = load_catalog(store_path, state, &unlocked, ret_reason);
    }
    record_unlock(state, &unlocked, kind, code, ret_reason);
    if (code != RIAD_EXIT_DONE) {
        riad_unlocked_done(&unlocked);
        return code;
    }
    *ret = unlocked;
    return RIAD_EXIT_DONE;
}

void riad_unlocked_done(struct riad_unlocked *unlocked)
{
    riad_catalog_done(&unlocked->catalog);
    riad_keypair_done(&unlocked->keypair);
    riad_signers_free(unlocked->signers);
    riad_store_close(&unlocked->store);
}

static int open_workspace_keys(const struct riad_unlocked *unlocked, const struct riad_id *id,
        struct riad_roster *ret_roster, struct riad_keys **ret_keys, char ret_name[256])
{
    struct riad_roster roster;
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;
    int r = riad_roster_load(&unlocked->store, id, &unlocked->keypair.sign_key, &roster);

    if (r < 0) {
        return r;
    }
    r = riad_roster_unlock(
            &unlocked->store, &roster, &unlocked->user.id, &unlocked->keypair, &keys);
    if (r == 0) {
        r = riad_roster_name(&roster, keys, ret_name);
    }
    if (r < 0) {
        riad_roster_done(&roster);
        return r;
    }
    *ret_roster = roster;
    *ret_keys = riad_take_pointer(keys);
    return 0;
}

int riad_unlocked_name(
        const struct riad_unlocked *unlocked, const struct riad_id *workspace, char ret[256])
{
    struct riad_roster roster;
    struct riad_keys *keys;
    int r = open_workspace_keys(unlocked, workspace, &roster, &keys, ret);

    if (r == 0) {
        riad_keys_free(keys);
        riad_roster_done(&roster);
    }
    return r;
}

int riad_unlocked_workspace(const struct riad_unlocked *unlocked, const char *name,
        struct riad_roster *ret_roster, struct riad_keys **ret_keys,
        const struct riad_catalog_workspace **ret_entry)
{
    int damaged = 0;

    for (size_t i = 0; i < unlocked->catalog.workspace_count; i++) {
        const struct riad_catalog_workspace *entry = &unlocked->catalog.workspaces[i];
        char found[256] = "";
        int r = entry->deleted
                        ? -ENOENT
                        : open_workspace_keys(unlocked, &entry->id, ret_roster, ret_keys, found);

        if (r == 0 && strcmp(found, name) == 0) {
            *ret_entry = entry;
            return 0;
        }
        if (r == 0) {
            riad_keys_free(*ret_keys);
            riad_roster_done(ret_roster);
        } else if (r != -ENOENT || !entry->deleted) {
            /* One damaged workspace must not keep its owner from the others; if the name is not
             * among those, the damage is the answer. */
            damaged = r == -ENOENT ? -EUCLEAN : r;
        }
    }
    return damaged < 0 ? damaged : -ENOENT;
}
