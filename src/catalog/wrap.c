/* Wrap files: a workspace's root key for one member and epoch (FORMAT 3.3, K2). */
#include <inttypes.h>
#include <stdio.h>

#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"

#include "object_priv.h"
#include "roster_priv.h"

#define LABEL "riad/v1/wrap"
enum {
    FORMAT = 1,
    SUITE = 1,
    HEADER_SIZE = 68, /* what HPKE takes as AAD */
    INFO_MAX = 128,
    KEM_X25519_SHA256 = 0x0020,
    KDF_HKDF_SHA256 = 0x0001,
    AEAD_AES256_GCM = 0x0002,
    CIPHERTEXT_SIZE = RIAD_ROOT_SIZE + RIAD_TAG_SIZE,
};

static const uint8_t magic[4] = { 'R', 'I', 'A', 'W' };

void riad_wrap_name(const struct riad_id *member, uint32_t epoch, char ret[RIAD_WRAP_NAME_SIZE])
{
    char name[RIAD_ID_NAME_SIZE];

    riad_id_name(member, name);
    snprintf(ret, RIAD_WRAP_NAME_SIZE, "%s-%08" PRIx32, name, epoch);
}

int riad_wrap_hash(const void *data, size_t size, struct riad_hash *ret)
{
    return riad_sha256_labelled(LABEL, data, size, ret);
}

static void encode_info(const struct riad_wrap_scope *scope, const struct riad_hash *recipient,
        struct riad_writer *writer)
{
    riad_put_bytes(writer, LABEL, sizeof LABEL - 1);
    riad_put_id(writer, &scope->store);
    riad_put_id(writer, &scope->workspace);
    riad_put_u32(writer, scope->epoch);
    riad_put_hash(writer, recipient);
}

static void encode_header(const struct riad_wrap_scope *scope, const struct riad_hash *recipient,
        struct riad_writer *writer)
{
    riad_put_bytes(writer, magic, sizeof magic);
    riad_put_u8(writer, FORMAT);
    riad_put_u8(writer, SUITE);
    riad_put_u16(writer, 0);
    riad_put_id(writer, &scope->workspace);
    riad_put_u32(writer, scope->epoch);
    riad_put_u16(writer, KEM_X25519_SHA256);
    riad_put_u16(writer, KDF_HKDF_SHA256);
    riad_put_u16(writer, AEAD_AES256_GCM);
    riad_put_u16(writer, 0);
    riad_put_hash(writer, recipient);
}

/* A wrap's header and HPKE info follow from its scope and recipient: they are computed, never
 * believed. */
struct binding {
    uint8_t header[HEADER_SIZE];
    uint8_t info[INFO_MAX];
    size_t info_size;
};

static int make_binding(const struct riad_wrap_scope *scope,
        const struct riad_public_key *recipient, struct binding *ret)
{
    struct riad_writer header, info;
    struct riad_hash key_id;
    int r;

    r = riad_key_id(recipient, &key_id);
    if (r < 0) {
        return r;
    }
    riad_writer_init_fixed(&header, ret->header, sizeof ret->header);
    encode_header(scope, &key_id, &header);
    riad_writer_init_fixed(&info, ret->info, sizeof ret->info);
    encode_info(scope, &key_id, &info);
    ret->info_size = info.size;
    return header.error < 0 ? header.error : info.error;
}

int riad_wrap_seal(const struct riad_wrap_scope *scope, const struct riad_public_key *recipient,
        const struct riad_secret *root, uint8_t ret[RIAD_WRAP_SIZE])
{
    uint8_t enc[RIAD_HPKE_ENC_SIZE], cipher[CIPHERTEXT_SIZE];
    struct riad_writer writer;
    struct binding binding;
    int r;

    if (riad_secret_size(root) != RIAD_ROOT_SIZE) {
        return -EINVAL;
    }
    r = make_binding(scope, recipient, &binding);
    if (r < 0) {
        return r;
    }
    r = riad_hpke_seal(recipient, binding.info, binding.info_size, binding.header,
            sizeof binding.header, root, enc, cipher);
    if (r < 0) {
        return r;
    }
    riad_writer_init_fixed(&writer, ret, RIAD_WRAP_SIZE);
    riad_put_bytes(&writer, binding.header, sizeof binding.header);
    riad_put_b16(&writer, enc, sizeof enc);
    riad_put_b16(&writer, cipher, sizeof cipher);
    return writer.error;
}

/* The magic is right and the format or suite is one that this riad does not know. */
static bool is_newer(const uint8_t *data, size_t size)
{
    return size > sizeof magic + 1 && memcmp(data, magic, sizeof magic) == 0 &&
           (data[4] > FORMAT || data[5] > SUITE);
}

int riad_wrap_open(const struct riad_wrap_scope *scope, const struct riad_keypair *recipient,
        const uint8_t *data, size_t size, struct riad_secret **ret)
{
    const uint8_t *header, *enc, *cipher;
    size_t enc_size, cipher_size;
    struct riad_reader reader;
    struct binding binding;
    int r;

    r = make_binding(scope, &recipient->wrap_key, &binding);
    if (r < 0) {
        return r;
    }
    if (is_newer(data, size)) {
        return -EPROTONOSUPPORT;
    }
    riad_reader_init(&reader, data, size);
    header = riad_get_span(&reader, sizeof binding.header);
    enc = riad_get_b16(&reader, RIAD_HPKE_ENC_SIZE, &enc_size);
    cipher = riad_get_b16(&reader, CIPHERTEXT_SIZE, &cipher_size);
    r = riad_reader_finish(&reader);
    if (r < 0) {
        return r;
    }
    if (memcmp(header, binding.header, sizeof binding.header) != 0 ||
            enc_size != RIAD_HPKE_ENC_SIZE || cipher_size != CIPHERTEXT_SIZE) {
        return -EBADMSG;
    }
    return riad_hpke_open(recipient, enc, binding.info, binding.info_size, binding.header,
            sizeof binding.header, cipher, cipher_size, ret);
}
