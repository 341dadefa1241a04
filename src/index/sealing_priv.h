/* Sealing of names, symlink targets and xattrs in the index (K5, F5). Deterministic: the same text
 * under the same label and inode gives the same bytes, by which rows are looked up.
 *
 * Text: 0x01, u16 length, the text, zeros to a multiple of 32 (F5). Value: 0x01, the value. */
#ifndef RIAD_SEALING_PRIV_H
#define RIAD_SEALING_PRIV_H

#include "riad/row.h"
#include "riad/siv.h"

enum {
    RIAD_TEXT_STEP = 32,
    RIAD_TEXT_HEADER_SIZE = 3,
    RIAD_SEALED_NAME_MAX = RIAD_SIV_SIZE + 288, /* 3 + 255, padded */
    RIAD_PADDED_TEXT_MAX = 4128,                /* 3 + 4095, padded */
    RIAD_SEALED_TEXT_MAX = RIAD_SIV_SIZE + RIAD_PADDED_TEXT_MAX,
};

/* What a sealed value belongs to: the associated data. */
struct riad_sealing {
    const struct riad_siv *siv;
    uint8_t label[64];
    size_t size;
};

void riad_sealing_init(struct riad_sealing *sealing, const struct riad_siv *siv, const char *label,
        uint64_t inode);
/* Binds it to a sealed name too: an xattr's value to its name. */
void riad_sealing_bind(struct riad_sealing *sealing, const uint8_t name[RIAD_SIV_SIZE]);
/* The four uses. */
struct riad_keys;
void riad_sealing_dentry(
        struct riad_sealing *sealing, const struct riad_keys *keys, uint64_t parent);
void riad_sealing_symlink(
        struct riad_sealing *sealing, const struct riad_keys *keys, uint64_t inode);
void riad_sealing_xattr_name(
        struct riad_sealing *sealing, const struct riad_keys *keys, uint64_t inode);
void riad_sealing_xattr_value(struct riad_sealing *sealing, const struct riad_keys *keys,
        uint64_t inode, const uint8_t *sealed_name);

/* ret has room for RIAD_SEALED_NAME_MAX (size at most RIAD_NAME_MAX) or RIAD_SEALED_TEXT_MAX. */
int riad_seal_text(const struct riad_sealing *sealing, const void *text, size_t size, uint8_t *ret,
        size_t *ret_size) RIAD_MUST_CHECK;
/* ret has max + 1 bytes and is zero-terminated. -EUCLEAN if it is not what riad sealed. */
int riad_open_text(const struct riad_sealing *sealing, const uint8_t *sealed, size_t sealed_size,
        size_t max, char *ret, size_t *ret_size) RIAD_MUST_CHECK;
/* Onto the heap. The opened value has one zero byte behind it. */
int riad_seal_value(const struct riad_sealing *sealing, const void *value, size_t size,
        uint8_t **ret, size_t *ret_size) RIAD_MUST_CHECK;
int riad_open_value(const struct riad_sealing *sealing, const uint8_t *sealed, size_t sealed_size,
        uint8_t **ret, size_t *ret_size) RIAD_MUST_CHECK;

#endif
