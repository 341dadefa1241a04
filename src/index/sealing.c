#include <assert.h>
#include <errno.h>

#include "riad/bytes.h"
#include "riad/keys.h"

#include "row_priv.h"
#include "sealing_priv.h"

enum { VERSION = 1 };

void riad_sealing_init(
        struct riad_sealing *sealing, const struct riad_siv *siv, const char *label, uint64_t inode)
{
    struct riad_writer out;

    riad_writer_init_fixed(&out, sealing->label, sizeof sealing->label - RIAD_SIV_SIZE);
    riad_put_bytes(&out, label, strlen(label));
    riad_put_u64(&out, inode);
    riad_put_u32(&out, RIAD_GENERATION);
    assert(out.error == 0); /* labels are constants of this file */
    sealing->siv = siv;
    sealing->size = out.size;
}

void riad_sealing_bind(struct riad_sealing *sealing, const uint8_t name[RIAD_SIV_SIZE])
{
    memcpy(sealing->label + sealing->size, name, RIAD_SIV_SIZE);
    sealing->size += RIAD_SIV_SIZE;
}

void riad_sealing_dentry(
        struct riad_sealing *sealing, const struct riad_keys *keys, uint64_t parent)
{
    riad_sealing_init(sealing, riad_keys_name(keys), "riad/v1/index-dentry", parent);
}

void riad_sealing_symlink(
        struct riad_sealing *sealing, const struct riad_keys *keys, uint64_t inode)
{
    riad_sealing_init(sealing, riad_keys_name(keys), "riad/v1/index-symlink", inode);
}

void riad_sealing_xattr_name(
        struct riad_sealing *sealing, const struct riad_keys *keys, uint64_t inode)
{
    riad_sealing_init(sealing, riad_keys_xattr(keys), "riad/v1/index-xattr-name", inode);
}

void riad_sealing_xattr_value(struct riad_sealing *sealing, const struct riad_keys *keys,
        uint64_t inode, const uint8_t *sealed_name)
{
    riad_sealing_init(sealing, riad_keys_xattr(keys), "riad/v1/index-xattr-value", inode);
    riad_sealing_bind(sealing, sealed_name);
}

static size_t padded_size(size_t size)
{
    size += RIAD_TEXT_HEADER_SIZE;
    return (size + RIAD_TEXT_STEP - 1) / RIAD_TEXT_STEP * RIAD_TEXT_STEP;
}

int riad_seal_text(const struct riad_sealing *sealing, const void *text, size_t size, uint8_t *ret,
        size_t *ret_size)
{
    uint8_t plain[RIAD_PADDED_TEXT_MAX];
    size_t padded = padded_size(size);
    size_t used = RIAD_TEXT_HEADER_SIZE + size;
    int r;

    if (size > RIAD_SYMLINK_MAX) {
        return -ENAMETOOLONG;
    }
    plain[0] = VERSION;
    plain[1] = (uint8_t)size;
    plain[2] = (uint8_t)(size >> 8);
    memcpy(plain + RIAD_TEXT_HEADER_SIZE, text, size);
    memset(plain + used, 0, padded - used);
    r = riad_siv_seal(sealing->siv, sealing->label, sealing->size, plain, padded, ret);
    if (r < 0) {
        return r;
    }
    *ret_size = RIAD_SIV_SIZE + padded;
    return 0;
}

/* Errors of opening that mean "not what riad wrote" become -EUCLEAN. */
static int open_sealed(
        const struct riad_sealing *sealing, const uint8_t *sealed, size_t sealed_size, uint8_t *ret)
{
    int r = riad_siv_open(sealing->siv, sealing->label, sealing->size, sealed, sealed_size, ret);

    return r == -EBADMSG || r == -EINVAL ? -EUCLEAN : r;
}

int riad_open_text(const struct riad_sealing *sealing, const uint8_t *sealed, size_t sealed_size,
        size_t max, char *ret, size_t *ret_size)
{
    uint8_t plain[RIAD_PADDED_TEXT_MAX];
    size_t size;
    int r;

    if (sealed_size <= RIAD_SIV_SIZE || sealed_size > RIAD_SEALED_TEXT_MAX) {
        return -EUCLEAN;
    }
    r = open_sealed(sealing, sealed, sealed_size, plain);
    if (r < 0) {
        return r;
    }
    size = plain[1] | (size_t)plain[2] << 8;
    if (plain[0] != VERSION || size > max || padded_size(size) != sealed_size - RIAD_SIV_SIZE) {
        return -EUCLEAN;
    }
    if (!riad_text_is_valid(plain + RIAD_TEXT_HEADER_SIZE, size, max)) {
        return -EUCLEAN;
    }
    memcpy(ret, plain + RIAD_TEXT_HEADER_SIZE, size);
    ret[size] = '\0';
    *ret_size = size;
    return 0;
}

int riad_seal_value(const struct riad_sealing *sealing, const void *value, size_t size,
        uint8_t **ret, size_t *ret_size)
{
    _cleanup_free_ uint8_t *plain = malloc(size + 1);
    _cleanup_free_ uint8_t *sealed = malloc(RIAD_SIV_SIZE + size + 1);
    int r;

    if (!plain || !sealed) {
        return -ENOMEM;
    }
    plain[0] = VERSION;
    if (size > 0) {
        memcpy(plain + 1, value, size);
    }
    r = riad_siv_seal(sealing->siv, sealing->label, sealing->size, plain, size + 1, sealed);
    if (r < 0) {
        return r;
    }
    *ret = riad_take_pointer(sealed);
    *ret_size = RIAD_SIV_SIZE + size + 1;
    return 0;
}

int riad_open_value(const struct riad_sealing *sealing, const uint8_t *sealed, size_t sealed_size,
        uint8_t **ret, size_t *ret_size)
{
    _cleanup_free_ uint8_t *plain = NULL;
    size_t size;
    int r;

    if (sealed_size <= RIAD_SIV_SIZE || sealed_size > RIAD_SIV_SIZE + 1 + RIAD_XATTR_VALUE_MAX) {
        return -EUCLEAN;
    }
    size = sealed_size - RIAD_SIV_SIZE;
    plain = malloc(size + 1);
    if (!plain) {
        return -ENOMEM;
    }
    r = open_sealed(sealing, sealed, sealed_size, plain);
    if (r < 0) {
        return r;
    }
    if (plain[0] != VERSION) {
        return -EUCLEAN;
    }
    memmove(plain, plain + 1, size - 1);
    plain[size - 1] = '\0';
    *ret = riad_take_pointer(plain);
    *ret_size = size - 1;
    return 0;
}
