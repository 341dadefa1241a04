#include "riad/envelope.h"

#include <assert.h>
#include <limits.h>

#include "riad/digest.h"
#include "riad/error.h"

enum {
    FORMAT = 1,
    SUITE = 1,
    ALGORITHM_ED25519 = 1,
    INCOMPAT_KNOWN = 0, /* F2: no bit is defined yet */
    MAGIC_SIZE = 4,
    LABEL_MAX = 64,
};

static const struct kind {
    char magic[MAGIC_SIZE + 1];
    const char *label;
} kinds[] = {
    [RIAD_ENVELOPE_USER] = { "RIAU", "riad/v1/user" },
    [RIAD_ENVELOPE_ROSTER] = { "RIAO", "riad/v1/roster" },
    [RIAD_ENVELOPE_TERM] = { "RIAT", "riad/v1/term" },
    [RIAD_ENVELOPE_CATALOG] = { "RIAC", "riad/v1/catalog" },
    [RIAD_ENVELOPE_SITE] = { "RIAS", "riad/v1/site" },
};

/* A decoded envelope; spans borrow from its bytes. */
struct envelope {
    const uint8_t *body;
    size_t body_size;
    size_t signed_size; /* header and body */
    struct riad_hash key_id;
    const uint8_t *signature;
};

static const struct kind *kind_of(enum riad_envelope_type type)
{
    assert((size_t)type < sizeof kinds / sizeof *kinds);
    return &kinds[type];
}

/* *ret, to be freed, is what a signature covers: label, zero byte, header and body. */
static int make_message(
        const char *label, const void *data, size_t size, uint8_t **ret, size_t *ret_size)
{
    size_t prefix = strlen(label) + 1;
    uint8_t *message = malloc(prefix + size);

    if (!message) {
        return -ENOMEM;
    }
    memcpy(message, label, prefix);
    memcpy(message + prefix, data, size);
    *ret = message;
    *ret_size = prefix + size;
    return 0;
}

static void put_header(struct riad_writer *out, const struct kind *kind,
        const struct riad_store_binding *binding, size_t size)
{
    riad_put_bytes(out, kind->magic, MAGIC_SIZE);
    riad_put_u8(out, FORMAT);
    riad_put_u8(out, SUITE);
    riad_put_u16(out, 0);
    riad_put_u32(out, 0); /* compat */
    riad_put_u32(out, 0); /* ro_compat */
    riad_put_u32(out, 0); /* incompat */
    riad_put_id(out, &binding->store);
    riad_put_hash(out, &binding->json);
    riad_put_u32(out, (uint32_t)size);
}

/* Signs what out holds from start on and appends the signature block. */
static int put_signature(
        struct riad_writer *out, size_t start, const char *label, const struct riad_keypair *signer)
{
    _cleanup_free_ uint8_t *message = NULL;
    uint8_t signature[RIAD_SIGNATURE_SIZE];
    struct riad_hash key_id;
    size_t size;
    int r;

    if (out->error < 0) {
        return out->error;
    }
    r = make_message(label, out->data + start, out->size - start, &message, &size);
    if (r < 0) {
        return r;
    }
    r = riad_sign(signer, message, size, signature);
    if (r < 0) {
        return r;
    }
    r = riad_key_id(&signer->sign_key, &key_id);
    if (r < 0) {
        return r;
    }
    riad_put_u16(out, ALGORITHM_ED25519);
    riad_put_hash(out, &key_id);
    riad_put_b16(out, label, strlen(label));
    riad_put_b16(out, signature, sizeof signature);
    return out->error;
}

int riad_envelope_sign(enum riad_envelope_type type, const struct riad_store_binding *binding,
        const struct riad_keypair *signer, const void *body, size_t size, struct riad_writer *out)
{
    const struct kind *kind = kind_of(type);
    size_t start = out->size;
    int r;

    if (size > RIAD_ENVELOPE_BODY_MAX) {
        return -EINVAL;
    }
    put_header(out, kind, binding, size);
    riad_put_bytes(out, body, size);
    r = put_signature(out, start, kind->label, signer);
    if (r < 0) {
        out->size = start;
    }
    return r;
}

/* The first eight bytes. A number above ours means a newer riad wrote it; zero was never one. */
static int get_version(struct riad_reader *reader, const struct kind *kind)
{
    const uint8_t *magic = riad_get_span(reader, MAGIC_SIZE);
    uint8_t format, suite;

    if (!magic || memcmp(magic, kind->magic, MAGIC_SIZE) != 0) {
        return -EBADMSG;
    }
    format = riad_get_u8(reader);
    suite = riad_get_u8(reader);
    if (reader->error < 0 || format == 0 || suite == 0) {
        return -EBADMSG;
    }
    if (format > FORMAT || suite > SUITE) {
        return -EPROTONOSUPPORT;
    }
    riad_get_zeros(reader, 2);
    return reader->error;
}

/* Feature bits and the store. compat and ro_compat bits do not change how an envelope reads. */
static int get_binding(struct riad_reader *reader, const struct riad_store_binding *binding)
{
    struct riad_store_binding found;
    uint32_t incompat;

    (void)riad_get_u32(reader);
    (void)riad_get_u32(reader);
    incompat = riad_get_u32(reader);
    riad_get_id(reader, &found.store);
    riad_get_hash(reader, &found.json);
    if (reader->error < 0) {
        return reader->error;
    }
    if ((incompat & ~(uint32_t)INCOMPAT_KNOWN) != 0) {
        return -EPROTONOSUPPORT;
    }
    if (!riad_id_equal(&found.store, &binding->store) ||
            !riad_hash_equal(&found.json, &binding->json)) {
        return -EBADMSG;
    }
    return 0;
}

static int get_signature(
        struct riad_reader *reader, const struct kind *kind, struct envelope *envelope)
{
    size_t label_size, signature_size;
    uint16_t algorithm = riad_get_u16(reader);
    const uint8_t *label;

    riad_get_hash(reader, &envelope->key_id);
    label = riad_get_b16(reader, LABEL_MAX, &label_size);
    envelope->signature = riad_get_b16(reader, RIAD_SIGNATURE_SIZE, &signature_size);
    if (riad_reader_finish(reader) < 0 || algorithm != ALGORITHM_ED25519 ||
            signature_size != RIAD_SIGNATURE_SIZE || label_size != strlen(kind->label) ||
            memcmp(label, kind->label, label_size) != 0) {
        return -EBADMSG;
    }
    return 0;
}

/* Everything but the key id and the signature's value. */
static int decode(enum riad_envelope_type type, const struct riad_store_binding *binding,
        const void *data, size_t size, struct envelope *ret)
{
    struct envelope envelope;
    struct riad_reader reader;
    int r;

    riad_reader_init(&reader, data, size);
    r = get_version(&reader, kind_of(type));
    if (r < 0) {
        return r;
    }
    r = get_binding(&reader, binding);
    if (r < 0) {
        return r;
    }
    envelope.body = riad_get_b32(&reader, RIAD_ENVELOPE_BODY_MAX, &envelope.body_size);
    if (reader.error < 0) {
        return reader.error;
    }
    envelope.signed_size = size - reader.left;
    r = get_signature(&reader, kind_of(type), &envelope);
    if (r < 0) {
        return r;
    }
    *ret = envelope;
    return 0;
}

/* The index of the signer whose key the envelope names, if it may sign that number. */
static int find_signer(const struct envelope *envelope, const struct riad_signer *signers,
        size_t count, uint64_t number)
{
    for (size_t i = 0; i < count && i < INT_MAX; i++) {
        struct riad_hash key_id;
        int r = riad_key_id(&signers[i].key, &key_id);

        if (r < 0) {
            return r;
        }
        if (number < signers[i].until && riad_hash_equal(&key_id, &envelope->key_id)) {
            return (int)i;
        }
    }
    return -EBADMSG;
}

static int check_signature(const char *label, const void *data, const struct envelope *envelope,
        const struct riad_public_key *signer)
{
    _cleanup_free_ uint8_t *message = NULL;
    size_t size;
    int r;

    r = make_message(label, data, envelope->signed_size, &message, &size);
    if (r < 0) {
        return r;
    }
    return riad_verify(signer, message, size, envelope->signature);
}

int riad_envelope_verify(enum riad_envelope_type type, const struct riad_store_binding *binding,
        const struct riad_public_key *signer, const void *data, size_t size,
        const uint8_t **ret_body, size_t *ret_size)
{
    const struct riad_signer only = riad_signer_always(signer);

    return riad_envelope_verify_by(type, binding, &only, 1, 0, data, size, ret_body, ret_size);
}

int riad_envelope_verify_by(enum riad_envelope_type type, const struct riad_store_binding *binding,
        const struct riad_signer *signers, size_t count, uint64_t number, const void *data,
        size_t size, const uint8_t **ret_body, size_t *ret_size)
{
    struct envelope envelope;
    int found, r;

    r = decode(type, binding, data, size, &envelope);
    if (r < 0) {
        return r;
    }
    found = find_signer(&envelope, signers, count, number);
    if (found < 0) {
        return found;
    }
    r = check_signature(kind_of(type)->label, data, &envelope, &signers[found].key);
    if (r < 0) {
        return r;
    }
    *ret_body = envelope.body;
    *ret_size = envelope.body_size;
    return 0;
}

int riad_envelope_peek(enum riad_envelope_type type, const struct riad_store_binding *binding,
        const void *data, size_t size, const uint8_t **ret_body, size_t *ret_size)
{
    struct envelope envelope;
    int r;

    r = decode(type, binding, data, size, &envelope);
    if (r < 0) {
        return r;
    }
    *ret_body = envelope.body;
    *ret_size = envelope.body_size;
    return 0;
}
