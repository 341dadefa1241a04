#include "riad/keys.h"

#include <endian.h>

#include "riad/digest.h"
#include "riad/error.h"

#include "digest_priv.h"

enum { ROOT_SIZE = 32, STREAM_PURPOSES = RIAD_PURPOSE_CHECKPOINT + 1, SUITE = 1 };

/* Immutable from its making on. */
struct riad_keys {
    struct riad_id workspace;
    uint32_t epoch;
    struct riad_secret *stream_roots[STREAM_PURPOSES]; /* by enum riad_purpose */
    struct riad_secret *beat;
    struct riad_siv *name;
    struct riad_siv *xattr;
    struct riad_siv *label;
};

/* FORMAT 4.1: HKDF(root, workspace, "riad/v1/" purpose || u32 epoch, size). */
static int derive_subkey(const struct riad_keys *keys, const struct riad_secret *root,
        const char *purpose, size_t size, struct riad_secret **ret)
{
    const uint32_t epoch = htole32(keys->epoch);
    const struct riad_piece info[] = {
        RIAD_PIECE_LABEL("riad/v1/"),
        { purpose, strlen(purpose) },
        RIAD_PIECE_OF(epoch),
    };

    return riad_hkdf(root, keys->workspace.bytes, sizeof keys->workspace.bytes, info, 3, size, ret);
}

static int derive_siv(const struct riad_keys *keys, const struct riad_secret *root,
        const char *purpose, struct riad_siv **ret)
{
    _cleanup_secret_ struct riad_secret *subkey = NULL;
    int r;

    r = derive_subkey(keys, root, purpose, RIAD_SIV_KEY_SIZE, &subkey);
    if (r < 0) {
        return r;
    }
    return riad_siv_new(subkey, ret);
}

static int derive_stream_roots(struct riad_keys *keys, const struct riad_secret *root)
{
    static const char *const purposes[STREAM_PURPOSES] = {
        [RIAD_PURPOSE_CHANGE] = "change",
        [RIAD_PURPOSE_DATA] = "data",
        [RIAD_PURPOSE_CHECKPOINT] = "checkpoint",
    };
    int r;

    for (size_t i = 0; i < STREAM_PURPOSES; i++) {
        r = derive_subkey(keys, root, purposes[i], RIAD_AEAD_KEY_SIZE, &keys->stream_roots[i]);
        if (r < 0) {
            return r;
        }
    }
    return derive_subkey(keys, root, "beat", sizeof(struct riad_hash), &keys->beat);
}

static int derive_sivs(struct riad_keys *keys, const struct riad_secret *root)
{
    int r;

    r = derive_siv(keys, root, "name", &keys->name);
    if (r < 0) {
        return r;
    }
    r = derive_siv(keys, root, "xattr", &keys->xattr);
    if (r < 0) {
        return r;
    }
    return derive_siv(keys, root, "label", &keys->label);
}

int riad_keys_new(const struct riad_id *workspace, uint32_t epoch, const struct riad_secret *root,
        struct riad_keys **ret)
{
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;
    int r;

    if (riad_secret_size(root) != ROOT_SIZE) {
        return -EINVAL;
    }
    keys = calloc(1, sizeof *keys);
    if (!keys) {
        return -ENOMEM;
    }
    keys->workspace = *workspace;
    keys->epoch = epoch;
    r = derive_stream_roots(keys, root);
    if (r < 0) {
        return r;
    }
    r = derive_sivs(keys, root);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(keys);
    return 0;
}

void riad_keys_free(struct riad_keys *keys)
{
    if (!keys) {
        return;
    }
    for (size_t i = 0; i < STREAM_PURPOSES; i++) {
        riad_secret_free(keys->stream_roots[i]);
    }
    riad_secret_free(keys->beat);
    riad_siv_free(keys->name);
    riad_siv_free(keys->xattr);
    riad_siv_free(keys->label);
    free(keys);
}

const struct riad_id *riad_keys_workspace(const struct riad_keys *keys)
{
    return &keys->workspace;
}

uint32_t riad_keys_epoch(const struct riad_keys *keys)
{
    return keys->epoch;
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

    if ((size_t)purpose >= STREAM_PURPOSES) {
        return -EINVAL;
    }
    if (epoch != keys->epoch) {
        return -ENOKEY;
    }
    return riad_hkdf_raw(keys->stream_roots[purpose], salt, info, 4, ret, RIAD_AEAD_KEY_SIZE);
}

const struct riad_siv *riad_keys_name(const struct riad_keys *keys)
{
    return keys->name;
}

const struct riad_siv *riad_keys_xattr(const struct riad_keys *keys)
{
    return keys->xattr;
}

const struct riad_siv *riad_keys_label(const struct riad_keys *keys)
{
    return keys->label;
}

const struct riad_secret *riad_keys_beat(const struct riad_keys *keys)
{
    return keys->beat;
}

int riad_keys_commitment(
        const struct riad_id *workspace, const struct riad_secret *root, struct riad_hash *ret)
{
    const struct riad_piece info = RIAD_PIECE_LABEL("riad/v1/commit");
    const struct riad_key_span salt = { workspace->bytes, sizeof workspace->bytes };

    return riad_hkdf_raw(root, salt, &info, 1, ret->bytes, sizeof ret->bytes);
}
