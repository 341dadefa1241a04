#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"

#include "slot_priv.h"

#define LABEL "riad/v1/slot"
enum { KDF_SCRYPT = 1, KDF_NONE = 2, SCRYPT_R = 8, SCRYPT_P = 1, SCRYPT_P_MAX = 4 };
enum { AAD_MAX = 384 };

const char *riad_slot_name(enum riad_slot_kind kind)
{
    static const char *const names[] = { [RIAD_SLOT_PASSPHRASE] = "passphrase",
        [RIAD_SLOT_RECOVERY] = "recovery code",
        [RIAD_SLOT_KEY_FILE] = "key file" };

    return names[kind];
}

/* From kind to nonce: what the seal is bound to. */
static void encode_header(const struct riad_slot *slot, struct riad_writer *writer)
{
    riad_put_u8(writer, (uint8_t)slot->kind);
    riad_put_u8(writer, 0);
    riad_put_u32(writer, slot->generation);
    riad_put_time(writer, slot->created);
    riad_put_u8(writer, slot->kdf);
    riad_put_u8(writer, slot->log_n);
    riad_put_u32(writer, slot->r);
    riad_put_u32(writer, slot->p);
    riad_put_b16(writer, slot->salt, sizeof slot->salt);
    riad_put_bytes(writer, slot->commitment, sizeof slot->commitment);
    riad_put_bytes(writer, slot->nonce, sizeof slot->nonce);
}

void riad_slot_encode(const struct riad_slot *slot, struct riad_writer *writer)
{
    encode_header(slot, writer);
    riad_put_b16(writer, slot->sealed, sizeof slot->sealed);
}

/* K1: the parameters come from hostile storage; they must neither weaken the guess nor exhaust the
 * reader. */
static bool parameters_fit(const struct riad_slot *slot)
{
    if (slot->kind == RIAD_SLOT_PASSPHRASE) {
        return slot->kdf == KDF_SCRYPT && slot->log_n >= RIAD_SCRYPT_LOG_N_MIN &&
               slot->log_n <= RIAD_SCRYPT_LOG_N_MAX && slot->r == SCRYPT_R && slot->p >= 1 &&
               slot->p <= SCRYPT_P_MAX;
    }
    return (slot->kind == RIAD_SLOT_RECOVERY || slot->kind == RIAD_SLOT_KEY_FILE) &&
           slot->kdf == KDF_NONE && slot->log_n == 0 && slot->r == 0 && slot->p == 0;
}

static void get_exact_b16(struct riad_reader *reader, uint8_t *ret, size_t size)
{
    size_t n;
    const uint8_t *bytes = riad_get_b16(reader, size, &n);

    if (!bytes || n != size) {
        riad_reader_refuse(reader);
        return;
    }
    memcpy(ret, bytes, size);
}

void riad_slot_decode(struct riad_reader *reader, struct riad_slot *ret)
{
    struct riad_slot slot = { 0 };

    slot.kind = riad_get_u8(reader);
    riad_get_zeros(reader, 1);
    slot.generation = riad_get_u32(reader);
    slot.created = riad_get_time(reader);
    slot.kdf = riad_get_u8(reader);
    slot.log_n = riad_get_u8(reader);
    slot.r = riad_get_u32(reader);
    slot.p = riad_get_u32(reader);
    get_exact_b16(reader, slot.salt, sizeof slot.salt);
    riad_get_bytes(reader, slot.commitment, sizeof slot.commitment);
    riad_get_bytes(reader, slot.nonce, sizeof slot.nonce);
    get_exact_b16(reader, slot.sealed, sizeof slot.sealed);
    if (slot.generation == 0 || !parameters_fit(&slot)) {
        riad_reader_refuse(reader);
    }
    *ret = slot;
}

static int stretch(
        const struct riad_slot *slot, const struct riad_secret *secret, struct riad_secret **ret)
{
    if (slot->kdf == KDF_SCRYPT) {
        return riad_scrypt(secret, slot->salt, sizeof slot->salt, slot->log_n, slot->r, slot->p,
                RIAD_SLOT_SECRET_SIZE, ret);
    }
    if (riad_secret_size(secret) != RIAD_SLOT_SECRET_SIZE) {
        return -ENOKEY;
    }
    return riad_secret_new_copy(riad_secret_peek(secret), RIAD_SLOT_SECRET_SIZE, ret);
}

/* The sealing key, and the commitment that ends guessing several secrets by one ciphertext (GCM
 * commits to no key). */
static int derive(const struct riad_slot *slot, const struct riad_user *user,
        const struct riad_id *store, const struct riad_secret *secret, struct riad_secret **ret_key,
        uint8_t ret_commitment[32])
{
    const uint8_t kind = (uint8_t)slot->kind;
    const struct riad_piece info[] = { RIAD_PIECE_LABEL(LABEL), RIAD_PIECE_OF(*store),
        RIAD_PIECE_OF(user->id), RIAD_PIECE_OF(kind) };
    _cleanup_secret_ struct riad_secret *stretched = NULL;
    _cleanup_secret_ struct riad_secret *out = NULL;
    int r;

    r = stretch(slot, secret, &stretched);
    if (r < 0) {
        return r;
    }
    r = riad_hkdf(stretched, slot->salt, sizeof slot->salt, info, 4,
            RIAD_AEAD_KEY_SIZE + sizeof slot->commitment, &out);
    if (r < 0) {
        return r;
    }
    memcpy(ret_commitment, riad_secret_peek(out) + RIAD_AEAD_KEY_SIZE, sizeof slot->commitment);
    riad_secret_truncate(out, RIAD_AEAD_KEY_SIZE);
    *ret_key = riad_take_pointer(out);
    return 0;
}

static int encode_aad(const struct riad_slot *slot, const struct riad_user *user,
        const struct riad_id *store, struct riad_writer *writer)
{
    riad_put_bytes(writer, LABEL, sizeof LABEL - 1);
    riad_put_id(writer, store);
    riad_put_id(writer, &user->id);
    riad_put_u32(writer, user->generation);
    riad_put_bytes(writer, user->wrap_key.bytes, sizeof user->wrap_key.bytes);
    riad_put_bytes(writer, user->sign_key.bytes, sizeof user->sign_key.bytes);
    encode_header(slot, writer);
    return writer->error;
}

static int start_slot(
        enum riad_slot_kind kind, uint32_t generation, unsigned log_n, struct riad_slot *ret)
{
    bool passphrase = kind == RIAD_SLOT_PASSPHRASE;
    struct riad_slot slot = {
        .kind = kind,
        .generation = generation,
        .kdf = passphrase ? KDF_SCRYPT : KDF_NONE,
        .log_n = passphrase ? (uint8_t)log_n : 0,
        .r = passphrase ? SCRYPT_R : 0,
        .p = passphrase ? SCRYPT_P : 0,
    };
    int r;

    if (log_n > UINT8_MAX || !parameters_fit(&slot)) {
        return -ERANGE;
    }
    if (clock_gettime(CLOCK_REALTIME, &slot.created) < 0) {
        return -errno;
    }
    r = riad_random(slot.salt, sizeof slot.salt);
    if (r < 0) {
        return r;
    }
    r = riad_random(slot.nonce, sizeof slot.nonce);
    if (r < 0) {
        return r;
    }
    *ret = slot;
    return 0;
}

int riad_slot_seal(const struct riad_user *user, const struct riad_id *store,
        const struct riad_keypair *keys, enum riad_slot_kind kind, uint32_t generation,
        const struct riad_secret *secret, unsigned log_n, struct riad_slot *ret)
{
    _cleanup_secret_ struct riad_secret *key = NULL;
    struct riad_slot slot;
    struct riad_writer aad;
    uint8_t bytes[AAD_MAX];
    int r;

    if (kind != RIAD_SLOT_PASSPHRASE && riad_secret_size(secret) != RIAD_SLOT_SECRET_SIZE) {
        return -EINVAL;
    }
    r = start_slot(kind, generation, log_n, &slot);
    if (r < 0) {
        return r;
    }
    r = derive(&slot, user, store, secret, &key, slot.commitment);
    if (r < 0) {
        return r;
    }
    riad_writer_init_fixed(&aad, bytes, sizeof bytes);
    r = encode_aad(&slot, user, store, &aad);
    if (r < 0) {
        return r;
    }
    r = riad_aead_seal_nonce(key, slot.nonce, aad.data, aad.size, riad_secret_peek(keys->secret),
            RIAD_KEYPAIR_SECRET_SIZE, slot.sealed, slot.sealed + RIAD_KEYPAIR_SECRET_SIZE);
    if (r < 0) {
        return r;
    }
    *ret = slot;
    return 0;
}

static int open_sealed(const struct riad_slot *slot, const struct riad_secret *key,
        const struct riad_writer *aad, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *opened = NULL;
    int r;

    r = riad_secret_new(RIAD_KEYPAIR_SECRET_SIZE, &opened);
    if (r < 0) {
        return r;
    }
    r = riad_aead_open_nonce(key, slot->nonce, aad->data, aad->size, slot->sealed,
            RIAD_KEYPAIR_SECRET_SIZE, slot->sealed + RIAD_KEYPAIR_SECRET_SIZE,
            riad_secret_bytes(opened));
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(opened);
    return 0;
}

int riad_slot_open(const struct riad_slot *slot, const struct riad_user *user,
        const struct riad_id *store, const struct riad_secret *secret, struct riad_secret **ret)
{
    _cleanup_secret_ struct riad_secret *key = NULL;
    uint8_t commitment[sizeof slot->commitment];
    struct riad_writer aad;
    uint8_t bytes[AAD_MAX];
    int r;

    r = derive(slot, user, store, secret, &key, commitment);
    if (r < 0) {
        return r;
    }
    if (!riad_equal_constant_time(commitment, slot->commitment, sizeof commitment)) {
        return -ENOKEY;
    }
    riad_writer_init_fixed(&aad, bytes, sizeof bytes);
    r = encode_aad(slot, user, store, &aad);
    if (r < 0) {
        return r;
    }
    return open_sealed(slot, key, &aad, ret);
}
