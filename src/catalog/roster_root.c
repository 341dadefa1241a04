/* The root keys of a workspace, of each epoch, and what they open (K2). */
#include <endian.h>

#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/roster.h"

#include "label_priv.h"
#include "roster_priv.h"

/* K2: no AEAD here commits to its key, the signed roster does. */
static int check_commitment(const struct riad_id *workspace, const struct riad_hash *expected,
        const struct riad_secret *root)
{
    struct riad_hash commitment;
    int r;

    r = riad_keys_commitment(workspace, root, &commitment);
    if (r < 0) {
        return r;
    }
    return riad_equal_constant_time(&commitment, expected, sizeof commitment) ? 0 : -EBADMSG;
}

int riad_roster_check_root(const struct riad_roster *roster, const struct riad_secret *root)
{
    return check_commitment(&roster->workspace, &roster->commitment, root);
}

/* What the root key of the epoch before is bound to; also what its key is made for. */
struct previous_scope {
    uint8_t workspace[sizeof(struct riad_id)];
    uint32_t epoch; /* little-endian */
};
_Static_assert(sizeof(struct previous_scope) == 20, "as it is written: no padding");

static struct previous_scope scope_of(const struct riad_id *workspace, uint32_t epoch)
{
    struct previous_scope scope = { .epoch = htole32(epoch) };

    memcpy(scope.workspace, workspace->bytes, sizeof scope.workspace);
    return scope;
}

static int derive_previous_key(const struct previous_scope *scope, const struct riad_secret *root,
        struct riad_secret **ret)
{
    const struct riad_piece info[] = { RIAD_PIECE_LABEL("riad/v1/previous-root"),
        RIAD_PIECE_OF(scope->epoch) };

    return riad_hkdf(
            root, scope->workspace, sizeof scope->workspace, info, 2, RIAD_AEAD_KEY_SIZE, ret);
}

/* One root key seals one: the nonce is never used again (K5). */
static const uint8_t nonce[12];

int riad_previous_seal(const struct riad_id *workspace, uint32_t epoch,
        const struct riad_secret *root, const struct riad_secret *previous,
        uint8_t ret[RIAD_SEALED_ROOT_SIZE])
{
    const struct previous_scope scope = scope_of(workspace, epoch);
    _cleanup_secret_ struct riad_secret *key = NULL;
    int r;

    if (riad_secret_size(previous) != RIAD_ROOT_SIZE) {
        return -EINVAL;
    }
    r = derive_previous_key(&scope, root, &key);
    if (r < 0) {
        return r;
    }
    return riad_aead_seal_nonce(key, nonce, &scope, sizeof scope, riad_secret_peek(previous),
            RIAD_ROOT_SIZE, ret, ret + RIAD_ROOT_SIZE);
}

int riad_previous_open(const struct riad_id *workspace, uint32_t epoch,
        const struct riad_secret *root, const uint8_t sealed[RIAD_SEALED_ROOT_SIZE],
        struct riad_secret **ret)
{
    const struct previous_scope scope = scope_of(workspace, epoch);
    _cleanup_secret_ struct riad_secret *key = NULL;
    _cleanup_secret_ struct riad_secret *previous = NULL;
    int r;

    r = derive_previous_key(&scope, root, &key);
    if (r < 0) {
        return r;
    }
    r = riad_secret_new(RIAD_ROOT_SIZE, &previous);
    if (r < 0) {
        return r;
    }
    r = riad_aead_open_nonce(key, nonce, &scope, sizeof scope, sealed, RIAD_ROOT_SIZE,
            sealed + RIAD_ROOT_SIZE, riad_secret_bytes(previous));
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(previous);
    return 0;
}

int riad_roster_open_root(const struct riad_id *store, const struct riad_roster *roster,
        const struct riad_keypair *keys, const void *wrap, size_t size, struct riad_secret **ret)
{
    const struct riad_wrap_scope scope = { *store, roster->workspace, roster->epoch };
    _cleanup_secret_ struct riad_secret *root = NULL;
    int r;

    r = riad_wrap_open(&scope, keys, wrap, size, &root);
    if (r < 0) {
        return r;
    }
    r = riad_roster_check_root(roster, root);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(root);
    return 0;
}

/* The root key of the epoch before this one, checked. */
static int open_previous(const struct riad_roster *roster, uint32_t epoch,
        const struct riad_secret *root, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *previous = NULL;
    int r;

    r = riad_previous_open(
            &roster->workspace, epoch, root, roster->epochs[epoch - 1].sealed_previous, &previous);
    if (r < 0) {
        return r;
    }
    r = check_commitment(&roster->workspace, &roster->epochs[epoch - 2].commitment, previous);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(previous);
    return 0;
}

/* Back from the present epoch's, which is taken over. */
static int collect_roots(
        const struct riad_roster *roster, struct riad_secret *present, struct riad_secret *roots)
{
    _cleanup_secret_ struct riad_secret *root = present;
    uint32_t epoch = roster->epoch;

    for (;;) {
        struct riad_secret *previous;
        int r;

        memcpy(riad_secret_bytes(roots) + (epoch - 1) * RIAD_ROOT_SIZE, riad_secret_peek(root),
                RIAD_ROOT_SIZE);
        if (epoch == 1) {
            return 0;
        }
        r = open_previous(roster, epoch--, root, &previous);
        if (r < 0) {
            return r;
        }
        riad_secret_free(root);
        root = previous;
    }
}

int riad_roster_open_roots(const struct riad_id *store, const struct riad_roster *roster,
        const struct riad_keypair *keys, const void *wrap, size_t size,
        struct riad_secret **ret_roots)
{
    _cleanup_secret_ struct riad_secret *roots = NULL;
    struct riad_secret *present;
    int r;

    r = riad_secret_new((size_t)roster->epoch * RIAD_ROOT_SIZE, &roots);
    if (r < 0) {
        return r;
    }
    r = riad_roster_open_root(store, roster, keys, wrap, size, &present);
    if (r < 0) {
        return r;
    }
    r = collect_roots(roster, present, roots);
    if (r < 0) {
        return r;
    }
    *ret_roots = riad_take_pointer(roots);
    return 0;
}

int riad_roster_unlock(const struct riad_store *store, const struct riad_roster *roster,
        const struct riad_id *user, const struct riad_keypair *keys, struct riad_keys **ret)
{
    const struct riad_member *member = riad_roster_find(roster, user);
    _cleanup_secret_ struct riad_secret *root = NULL;
    _cleanup_free_ uint8_t *wrap = NULL;
    size_t size;
    int r;

    if (!member || memcmp(&member->wrap_key, &keys->wrap_key, sizeof keys->wrap_key) != 0) {
        return -ENOKEY;
    }
    if (roster->epoch > 1) {
        return -EPROTONOSUPPORT;
    }
    r = riad_roster_read_wrap(store, roster, member, &wrap, &size);
    if (r < 0) {
        return r;
    }
    r = riad_roster_open_root(&store->binding.store, roster, keys, wrap, size, &root);
    if (r < 0) {
        return r;
    }
    return riad_keys_new(&roster->workspace, roster->epoch, root, ret);
}

int riad_roster_name(const struct riad_roster *roster, const struct riad_keys *keys, char ret[256])
{
    return riad_label_open(
            riad_keys_label(keys), roster->sealed_name, roster->sealed_name_size, ret);
}
