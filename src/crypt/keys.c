#include "riad/keys.h"

#include <endian.h>
#include <stdatomic.h>

#include "riad/digest.h"
#include "riad/error.h"

#include "digest_priv.h"

enum { ROOT_SIZE = 32, STREAM_PURPOSES = RIAD_PURPOSE_CHECKPOINT + 1, SUITE = 1 };

/* Immutable once it is published. */
struct epoch {
    struct riad_secret *stream_roots[STREAM_PURPOSES]; /* by enum riad_purpose */
    struct riad_secret *beat;
    struct riad_siv *label;
    struct riad_siv *name; /* of the first epoch only, as xattr */
    struct riad_siv *xattr;
};

struct riad_keys {
    struct riad_id workspace; /* immutable, as first */
    uint32_t first;
    _Atomic uint32_t current;            /* stored when its slot is whole: readers need no lock */
    struct epoch slots[RIAD_EPOCHS_MAX]; /* of first, first + 1 ... */
};

/* The subkeys one after the other, as they travel from the process that has the root (K4). */
static const struct subkey {
    const char *purpose;
    size_t size;
} subkeys[] = {
    [RIAD_PURPOSE_CHANGE] = { "change", RIAD_AEAD_KEY_SIZE },
    [RIAD_PURPOSE_DATA] = { "data", RIAD_AEAD_KEY_SIZE },
    [RIAD_PURPOSE_CHECKPOINT] = { "checkpoint", RIAD_AEAD_KEY_SIZE },
    { "beat", sizeof(struct riad_hash) },
    { "name", RIAD_SIV_KEY_SIZE },
    { "xattr", RIAD_SIV_KEY_SIZE },
    { "label", RIAD_SIV_KEY_SIZE },
};
enum {
    SUBKEYS = sizeof subkeys / sizeof *subkeys,
    SUBKEY_BEAT = STREAM_PURPOSES,
    SUBKEY_NAME,
    SUBKEY_XATTR,
    SUBKEY_LABEL
};
_Static_assert(4 * 32 + 3 * RIAD_SIV_KEY_SIZE == RIAD_SUBKEYS_SIZE, "all of them");

/* FORMAT 4.1: HKDF(root, workspace, "riad/v1/" purpose || u32 epoch, size). */
static int derive_subkey(const struct riad_id *workspace, uint32_t number,
        const struct riad_secret *root, const struct subkey *subkey, uint8_t *ret)
{
    const struct riad_key_span salt = { workspace->bytes, sizeof workspace->bytes };
    const uint32_t epoch = htole32(number);
    const struct riad_piece info[] = {
        RIAD_PIECE_LABEL("riad/v1/"),
        { subkey->purpose, strlen(subkey->purpose) },
        RIAD_PIECE_OF(epoch),
    };

    return riad_hkdf_raw(root, salt, info, 3, ret, subkey->size);
}

int riad_subkeys_derive(const struct riad_id *workspace, uint32_t epoch,
        const struct riad_secret *root, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *all = NULL;
    uint8_t *next;
    int r;

    if (riad_secret_size(root) != ROOT_SIZE) {
        return -EINVAL;
    }
    r = riad_secret_new(RIAD_SUBKEYS_SIZE, &all);
    if (r < 0) {
        return r;
    }
    next = riad_secret_bytes(all);
    for (size_t i = 0; i < SUBKEYS; i++) {
        r = derive_subkey(workspace, epoch, root, &subkeys[i], next);
        if (r < 0) {
            return r;
        }
        next += subkeys[i].size;
    }
    *ret = riad_take_pointer(all);
    return 0;
}

static int take_siv(const uint8_t *bytes, struct riad_siv **ret)
{
    _cleanup_secret_ struct riad_secret *key = NULL;
    int r;

    r = riad_secret_new_copy(bytes, RIAD_SIV_KEY_SIZE, &key);
    if (r < 0) {
        return r;
    }
    return riad_siv_new(key, ret);
}

static int take_subkey(
        struct epoch *epoch, const struct subkey *subkey, size_t number, const uint8_t *bytes)
{
    switch (number) {
    case SUBKEY_BEAT:
        return riad_secret_new_copy(bytes, subkey->size, &epoch->beat);
    case SUBKEY_NAME:
        return take_siv(bytes, &epoch->name);
    case SUBKEY_XATTR:
        return take_siv(bytes, &epoch->xattr);
    case SUBKEY_LABEL:
        return take_siv(bytes, &epoch->label);
    default:
        return riad_secret_new_copy(bytes, subkey->size, &epoch->stream_roots[number]);
    }
}

static void drop(struct epoch *epoch)
{
    for (size_t i = 0; i < STREAM_PURPOSES; i++) {
        riad_secret_free(epoch->stream_roots[i]);
    }
    riad_secret_free(epoch->beat);
    riad_siv_free(epoch->label);
    riad_siv_free(epoch->name);
    riad_siv_free(epoch->xattr);
    *epoch = (struct epoch){ 0 };
}

/* Nobody can ask for a later epoch's keys of names and xattrs. */
static bool is_wanted(size_t number, bool first)
{
    return first || (number != SUBKEY_NAME && number != SUBKEY_XATTR);
}

/* Nothing is left in the slot after a failure. */
static int take_all(struct epoch *epoch, const struct riad_secret *all, bool first)
{
    const uint8_t *next = riad_secret_peek(all);
    int r = riad_secret_size(all) == RIAD_SUBKEYS_SIZE ? 0 : -EINVAL;

    for (size_t i = 0; i < SUBKEYS && r == 0; i++) {
        if (is_wanted(i, first)) {
            r = take_subkey(epoch, &subkeys[i], i, next);
        }
        next += subkeys[i].size;
    }
    if (r < 0) {
        drop(epoch);
    }
    return r;
}

int riad_keys_from_subkeys(const struct riad_id *workspace, uint32_t epoch,
        const struct riad_secret *all, struct riad_keys **ret)
{
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;
    int r;

    if (epoch == 0) {
        return -EINVAL;
    }
    keys = calloc(1, sizeof *keys);
    if (!keys) {
        return -ENOMEM;
    }
    keys->workspace = *workspace;
    keys->first = epoch;
    atomic_init(&keys->current, epoch);
    r = take_all(&keys->slots[0], all, true);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(keys);
    return 0;
}

int riad_keys_add(struct riad_keys *keys, uint32_t epoch, const struct riad_secret *all)
{
    uint32_t current = riad_keys_epoch(keys);
    int r;

    if (current == UINT32_MAX || epoch != current + 1) {
        return -EINVAL;
    }
    if (epoch - keys->first >= RIAD_EPOCHS_MAX) {
        return -ENOSPC;
    }
    r = take_all(&keys->slots[epoch - keys->first], all, false);
    if (r < 0) {
        return r;
    }
    atomic_store_explicit(&keys->current, epoch, memory_order_release);
    return 0;
}

int riad_keys_new(const struct riad_id *workspace, uint32_t epoch, const struct riad_secret *root,
        struct riad_keys **ret)
{
    _cleanup_secret_ struct riad_secret *all = NULL;
    int r;

    r = riad_subkeys_derive(workspace, epoch, root, &all);
    if (r < 0) {
        return r;
    }
    return riad_keys_from_subkeys(workspace, epoch, all, ret);
}

void riad_keys_free(struct riad_keys *keys)
{
    if (!keys) {
        return;
    }
    for (size_t i = 0; i < RIAD_EPOCHS_MAX; i++) {
        drop(&keys->slots[i]);
    }
    free(keys);
}

const struct riad_id *riad_keys_workspace(const struct riad_keys *keys)
{
    return &keys->workspace;
}

uint32_t riad_keys_epoch(const struct riad_keys *keys)
{
    return atomic_load_explicit(&keys->current, memory_order_acquire);
}

uint32_t riad_keys_first_epoch(const struct riad_keys *keys)
{
    return keys->first;
}

/* NULL: not held. */
static const struct epoch *find_epoch(const struct riad_keys *keys, uint32_t epoch)
{
    return epoch >= keys->first && epoch <= riad_keys_epoch(keys)
                   ? &keys->slots[epoch - keys->first]
                   : NULL;
}

static const struct epoch *current_epoch(const struct riad_keys *keys)
{
    return &keys->slots[riad_keys_epoch(keys) - keys->first];
}

int riad_keys_stream(const struct riad_keys *keys, enum riad_purpose purpose,
        const struct riad_id *stream, uint32_t epoch, uint8_t ret[RIAD_AEAD_KEY_SIZE])
{
    const uint32_t encoded = htole32(epoch);
    const uint8_t suite = SUITE;
    const struct riad_piece info[] = {
        RIAD_PIECE_LABEL("riad/v1/stream"),
        RIAD_PIECE_OF(keys->workspace),
        RIAD_PIECE_OF(encoded),
        RIAD_PIECE_OF(suite),
    };
    const struct riad_key_span salt = { stream->bytes, sizeof stream->bytes };
    const struct epoch *held = find_epoch(keys, epoch);

    if ((size_t)purpose >= STREAM_PURPOSES) {
        return -EINVAL;
    }
    if (!held) {
        return -ENOKEY;
    }
    return riad_hkdf_raw(held->stream_roots[purpose], salt, info, 4, ret, RIAD_AEAD_KEY_SIZE);
}

const struct riad_siv *riad_keys_name(const struct riad_keys *keys)
{
    return keys->slots[0].name;
}

const struct riad_siv *riad_keys_xattr(const struct riad_keys *keys)
{
    return keys->slots[0].xattr;
}

const struct riad_siv *riad_keys_label(const struct riad_keys *keys)
{
    return current_epoch(keys)->label;
}

const struct riad_secret *riad_keys_beat(const struct riad_keys *keys)
{
    return current_epoch(keys)->beat;
}

const struct riad_secret *riad_keys_beat_of(const struct riad_keys *keys, uint32_t epoch)
{
    const struct epoch *held = find_epoch(keys, epoch);

    return held ? held->beat : NULL;
}

int riad_keys_commitment(
        const struct riad_id *workspace, const struct riad_secret *root, struct riad_hash *ret)
{
    const struct riad_piece info = RIAD_PIECE_LABEL("riad/v1/commit");
    const struct riad_key_span salt = { workspace->bytes, sizeof workspace->bytes };

    return riad_hkdf_raw(root, salt, &info, 1, ret->bytes, sizeof ret->bytes);
}
