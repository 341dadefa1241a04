/* RFC 9180, base mode, one message, for DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Names
 * as in the RFC. */
#include <openssl/evp.h>

#include "riad/aead.h"
#include "riad/digest.h"
#include "riad/error.h"

#include "algorithms_priv.h"
#include "digest_priv.h"
#include "hpke_priv.h"
#include "keypair_priv.h"

enum { NONCE_SIZE = 12, HASH_SIZE = RIAD_PRK_SIZE };

/* KEM 0x0020; and KEM 0x0020, KDF 0x0001, AEAD 0x0002. */
static const struct riad_piece kem_suite = RIAD_PIECE_LABEL("KEM\x00\x20");
static const struct riad_piece hpke_suite = RIAD_PIECE_LABEL("HPKE\x00\x20\x00\x01\x00\x02");

/* What both sides derive; lies in a riad_secret. Bytes only: a secret is not aligned. */
struct schedule {
    uint8_t dh[RIAD_PRIVATE_KEY_SIZE];
    uint8_t eae_prk[HASH_SIZE];
    uint8_t shared_secret[HASH_SIZE];
    uint8_t secret[HASH_SIZE];
    uint8_t nonce[NONCE_SIZE];
};

/* The two sides' public halves and the caller's info; borrowed. */
struct parties {
    const uint8_t *enc;
    const struct riad_public_key *recipient;
    struct riad_piece info;
};

static int labeled_extract(struct riad_piece salt, struct riad_piece suite, struct riad_piece label,
        struct riad_piece ikm, uint8_t ret[HASH_SIZE])
{
    const struct riad_piece pieces[] = { RIAD_PIECE_LABEL("HPKE-v1"), suite, label, ikm };

    return riad_hkdf_extract(salt.data, salt.size, pieces, 4, ret);
}

static int labeled_expand(const uint8_t prk[HASH_SIZE], struct riad_piece suite,
        struct riad_piece label, struct riad_piece info, struct riad_buffer ret)
{
    const uint8_t length[] = { (uint8_t)(ret.size >> 8), (uint8_t)ret.size };
    const struct riad_piece pieces[] = {
        RIAD_PIECE_OF(length),
        RIAD_PIECE_LABEL("HPKE-v1"),
        suite,
        label,
        info,
    };

    return riad_hkdf_expand(prk, pieces, 5, ret.data, ret.size);
}

/* -EBADMSG if the shared secret is all zero: the other side's key is of low order. */
static int agree(EVP_PKEY *private, EVP_PKEY *public, uint8_t ret[RIAD_PRIVATE_KEY_SIZE])
{
    static const uint8_t zeros[RIAD_PRIVATE_KEY_SIZE];
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, private, NULL);
    size_t size = RIAD_PRIVATE_KEY_SIZE;
    bool ready, derived;

    ready = context && EVP_PKEY_derive_init(context) == 1 &&
            EVP_PKEY_derive_set_peer(context, public) == 1;
    derived = ready && EVP_PKEY_derive(context, ret, &size) == 1;
    EVP_PKEY_CTX_free(context);
    if (!ready) {
        return riad_openssl_error();
    }
    /* OpenSSL refuses by itself; the RFC asks its user to, so no version is trusted with it. */
    if (!derived || size != RIAD_PRIVATE_KEY_SIZE ||
            riad_equal_constant_time(ret, zeros, sizeof zeros)) {
        (void)riad_openssl_error();
        return -EBADMSG;
    }
    return 0;
}

/* ExtractAndExpand: schedule->dh to schedule->shared_secret. */
static int extract_and_expand(struct schedule *schedule, const struct parties *parties)
{
    const struct riad_piece none = { NULL, 0 };
    uint8_t kem_context[RIAD_HPKE_ENC_SIZE + RIAD_PUBLIC_KEY_SIZE];
    int r;

    memcpy(kem_context, parties->enc, RIAD_HPKE_ENC_SIZE);
    memcpy(kem_context + RIAD_HPKE_ENC_SIZE, parties->recipient->bytes, RIAD_PUBLIC_KEY_SIZE);
    r = labeled_extract(none, kem_suite, RIAD_PIECE_LABEL("eae_prk"), RIAD_PIECE_OF(schedule->dh),
            schedule->eae_prk);
    if (r < 0) {
        return r;
    }
    return labeled_expand(schedule->eae_prk, kem_suite, RIAD_PIECE_LABEL("shared_secret"),
            RIAD_PIECE_OF(kem_context),
            (struct riad_buffer){ schedule->shared_secret, sizeof schedule->shared_secret });
}

enum { CONTEXT_SIZE = 1 + 2 * HASH_SIZE };

/* mode_base (0), psk_id_hash of an empty id, info_hash. */
static int make_context(struct riad_piece info, uint8_t ret[CONTEXT_SIZE])
{
    const struct riad_piece none = { NULL, 0 };
    int r;

    ret[0] = 0;
    r = labeled_extract(none, hpke_suite, RIAD_PIECE_LABEL("psk_id_hash"), none, ret + 1);
    if (r < 0) {
        return r;
    }
    return labeled_extract(
            none, hpke_suite, RIAD_PIECE_LABEL("info_hash"), info, ret + 1 + HASH_SIZE);
}

/* KeySchedule: schedule->shared_secret to the key and the nonce of the first message. */
static int derive_key(
        struct schedule *schedule, struct riad_piece info, struct riad_secret **ret_key)
{
    _cleanup_secret_ struct riad_secret *key = NULL;
    const struct riad_piece none = { NULL, 0 };
    uint8_t context[CONTEXT_SIZE];
    int r;

    r = make_context(info, context);
    if (r < 0) {
        return r;
    }
    r = labeled_extract(RIAD_PIECE_OF(schedule->shared_secret), hpke_suite,
            RIAD_PIECE_LABEL("secret"), none, schedule->secret);
    if (r < 0) {
        return r;
    }
    r = riad_secret_new(RIAD_AEAD_KEY_SIZE, &key);
    if (r < 0) {
        return r;
    }
    r = labeled_expand(schedule->secret, hpke_suite, RIAD_PIECE_LABEL("key"),
            RIAD_PIECE_OF(context),
            (struct riad_buffer){ riad_secret_bytes(key), RIAD_AEAD_KEY_SIZE });
    if (r < 0) {
        return r;
    }
    r = labeled_expand(schedule->secret, hpke_suite, RIAD_PIECE_LABEL("base_nonce"),
            RIAD_PIECE_OF(context),
            (struct riad_buffer){ schedule->nonce, sizeof schedule->nonce });
    if (r < 0) {
        return r;
    }
    *ret_key = riad_take_pointer(key);
    return 0;
}

/* From either side's private key and the other's public one to the message's key and nonce. */
static int set_up(EVP_PKEY *private, const struct riad_public_key *other,
        const struct parties *parties, struct riad_secret **ret_key, uint8_t ret_nonce[NONCE_SIZE])
{
    _cleanup_secret_ struct riad_secret *memory = NULL;
    _cleanup_(riad_free_pkey) EVP_PKEY *public = NULL;
    struct schedule *schedule;
    int r;

    r = riad_secret_new(sizeof *schedule, &memory);
    if (r < 0) {
        return r;
    }
    schedule = (struct schedule *)riad_secret_bytes(memory);
    r = riad_load_public(RIAD_WRAP_TYPE, other, &public);
    if (r < 0) {
        return r;
    }
    r = agree(private, public, schedule->dh);
    if (r < 0) {
        return r;
    }
    r = extract_and_expand(schedule, parties);
    if (r < 0) {
        return r;
    }
    r = derive_key(schedule, parties->info, ret_key);
    if (r < 0) {
        return r;
    }
    memcpy(ret_nonce, schedule->nonce, NONCE_SIZE);
    return 0;
}

int riad_hpke_seal_with(const struct riad_secret *ephemeral,
        const struct riad_public_key *recipient, const void *info, size_t info_size,
        const void *aad, size_t aad_size, const struct riad_secret *plain,
        uint8_t ret_enc[RIAD_HPKE_ENC_SIZE], uint8_t *ret_cipher)
{
    _cleanup_(riad_free_pkey) EVP_PKEY *private = NULL;
    _cleanup_secret_ struct riad_secret *key = NULL;
    struct riad_public_key enc;
    const struct parties parties = { enc.bytes, recipient, { info, info_size } };
    uint8_t nonce[NONCE_SIZE];
    size_t size = riad_secret_size(plain);
    int r;

    if (riad_secret_size(ephemeral) != RIAD_PRIVATE_KEY_SIZE) {
        return -EINVAL;
    }
    r = riad_load_private(RIAD_WRAP_TYPE, riad_secret_peek(ephemeral), &private);
    if (r < 0) {
        return r;
    }
    r = riad_public_half(private, &enc);
    if (r < 0) {
        return r;
    }
    r = set_up(private, recipient, &parties, &key, nonce);
    if (r < 0) {
        return r;
    }
    r = riad_aead_seal_nonce(key, nonce, aad, aad_size, riad_secret_peek(plain), size, ret_cipher,
            ret_cipher + size);
    if (r < 0) {
        return r;
    }
    memcpy(ret_enc, enc.bytes, sizeof enc.bytes);
    return 0;
}

int riad_hpke_seal(const struct riad_public_key *recipient, const void *info, size_t info_size,
        const void *aad, size_t aad_size, const struct riad_secret *plain,
        uint8_t ret_enc[RIAD_HPKE_ENC_SIZE], uint8_t *ret_cipher)
{
    _cleanup_secret_ struct riad_secret *ephemeral = NULL;
    int r;

    r = riad_secret_new_random(RIAD_PRIVATE_KEY_SIZE, &ephemeral);
    if (r < 0) {
        return r;
    }
    return riad_hpke_seal_with(
            ephemeral, recipient, info, info_size, aad, aad_size, plain, ret_enc, ret_cipher);
}

int riad_hpke_open(const struct riad_keypair *recipient, const uint8_t enc[RIAD_HPKE_ENC_SIZE],
        const void *info, size_t info_size, const void *aad, size_t aad_size, const uint8_t *cipher,
        size_t cipher_size, struct riad_secret **ret)
{
    const struct parties parties = { enc, &recipient->wrap_key, { info, info_size } };
    _cleanup_(riad_free_pkey) EVP_PKEY *private = NULL;
    _cleanup_secret_ struct riad_secret *key = NULL;
    _cleanup_secret_ struct riad_secret *plain = NULL;
    struct riad_public_key sender;
    uint8_t nonce[NONCE_SIZE];
    size_t size = cipher_size - RIAD_TAG_SIZE;
    int r;

    if (cipher_size <= RIAD_TAG_SIZE || size > RIAD_SECRET_MAX) {
        return -EBADMSG;
    }
    r = riad_load_private(RIAD_WRAP_TYPE, riad_wrap_private(recipient), &private);
    if (r < 0) {
        return r;
    }
    memcpy(sender.bytes, enc, sizeof sender.bytes);
    r = set_up(private, &sender, &parties, &key, nonce);
    if (r < 0) {
        return r;
    }
    r = riad_secret_new(size, &plain);
    if (r < 0) {
        return r;
    }
    r = riad_aead_open_nonce(
            key, nonce, aad, aad_size, cipher, size, cipher + size, riad_secret_bytes(plain));
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(plain);
    return 0;
}
