#include "riad/key_text.h"

#include <stdio.h>

#include "riad/bytes.h"
#include "riad/digest.h"
#include "riad/error.h"

enum {
    KEY_SIZE = RIAD_PUBLIC_KEY_SIZE,
    KEY_SUM = 3,
    NODE_SIZE = sizeof(struct riad_id) + 2 * RIAD_PUBLIC_KEY_SIZE,
    NODE_SUM = 5,
    FINGERPRINT_BYTES = 10,
    TEXT_MAX = 512
};
_Static_assert(KEY_SIZE + KEY_SUM == 35 && NODE_SIZE + NODE_SUM == 85, "texts of these sizes");

/* data has room for the checksum behind its size bytes. */
static int show(const char *label, uint8_t *data, size_t size, size_t sum_size, char *ret)
{
    struct riad_hash hash;
    int r = riad_sha256_labelled(label, data, size, &hash);

    if (r < 0) {
        return r;
    }
    memcpy(data + size, hash.bytes, sum_size);
    riad_base32_encode(data, size + sum_size, ret);
    return 0;
}

static int parse(const char *label, const char *text, uint8_t *ret, size_t size, size_t sum_size)
{
    struct riad_hash hash;
    int r = riad_base32_decode(text, strnlen(text, TEXT_MAX), ret, size + sum_size);

    if (r < 0) {
        return r;
    }
    r = riad_sha256_labelled(label, ret, size, &hash);
    if (r < 0) {
        return r;
    }
    return memcmp(ret + size, hash.bytes, sum_size) == 0 ? 0 : -EINVAL;
}

int riad_key_text(const struct riad_public_key *key, char ret[RIAD_KEY_TEXT_SIZE])
{
    uint8_t data[KEY_SIZE + KEY_SUM];

    memcpy(data, key->bytes, KEY_SIZE);
    return show("riad/v1/key-text", data, KEY_SIZE, KEY_SUM, ret);
}

int riad_key_text_parse(const char *text, struct riad_public_key *ret)
{
    uint8_t data[KEY_SIZE + KEY_SUM];
    int r = parse("riad/v1/key-text", text, data, KEY_SIZE, KEY_SUM);

    if (r == 0) {
        memcpy(ret->bytes, data, KEY_SIZE);
    }
    return r;
}

int riad_node_text(const struct riad_site_node *node, char ret[RIAD_NODE_TEXT_SIZE])
{
    uint8_t data[NODE_SIZE + NODE_SUM];
    struct riad_writer writer;

    riad_writer_init_fixed(&writer, data, NODE_SIZE);
    riad_put_id(&writer, &node->id);
    riad_put_bytes(&writer, node->wrap_key.bytes, KEY_SIZE);
    riad_put_bytes(&writer, node->sign_key.bytes, KEY_SIZE);
    return writer.error < 0 ? writer.error
                            : show("riad/v1/node-text", data, NODE_SIZE, NODE_SUM, ret);
}

int riad_node_text_parse(const char *text, struct riad_site_node *ret)
{
    uint8_t data[NODE_SIZE + NODE_SUM];
    struct riad_site_node node = { 0 };
    struct riad_reader reader;
    int r = parse("riad/v1/node-text", text, data, NODE_SIZE, NODE_SUM);

    if (r < 0) {
        return r;
    }
    riad_reader_init(&reader, data, NODE_SIZE);
    riad_get_id(&reader, &node.id);
    riad_get_bytes(&reader, node.wrap_key.bytes, KEY_SIZE);
    riad_get_bytes(&reader, node.sign_key.bytes, KEY_SIZE);
    r = riad_reader_finish(&reader);
    if (r < 0) {
        return r;
    }
    *ret = node;
    return 0;
}

int riad_key_fingerprint(const struct riad_public_key *key, char ret[RIAD_FINGERPRINT_SIZE])
{
    char digits[RIAD_BASE32_SIZE(FINGERPRINT_BYTES)];
    struct riad_hash hash;
    int r = riad_sha256_labelled("riad/v1/fingerprint", key->bytes, KEY_SIZE, &hash);

    if (r < 0) {
        return r;
    }
    riad_base32_encode(hash.bytes, FINGERPRINT_BYTES, digits);
    snprintf(ret, RIAD_FINGERPRINT_SIZE, "%.4s-%.4s-%.4s-%.4s", digits, digits + 4, digits + 8,
            digits + 12);
    return 0;
}
