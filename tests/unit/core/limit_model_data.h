/* The model of limits: what is in inodes, and whose they are. */
#ifndef RIAD_TESTS_CORE_LIMIT_MODEL_DATA_H
#define RIAD_TESTS_CORE_LIMIT_MODEL_DATA_H

#include "limit_model.h"

/* Bytes up to the first block that is one too many. */
static inline uint32_t model_room(
        const struct model *model, int inode, uint32_t offset, uint32_t size)
{
    uint64_t left = model_left(model->block_limit, model_blocks(model));
    uint64_t owners = model_blocks_left(model, model_user(model->inodes[inode].uid));
    uint64_t groups = model_blocks_left(model, model_group(model->inodes[inode].gid));

    left = owners < left ? owners : left;
    left = groups < left ? groups : left;
    for (uint32_t at = offset; at < offset + size; at = (at / MODEL_BLOCK + 1) * MODEL_BLOCK) {
        if (model_is_hole(&model->inodes[inode], at / MODEL_BLOCK) && left-- == 0) {
            return at - offset;
        }
    }
    return size;
}

static inline void model_grow(struct model_inode *inode, uint32_t end)
{
    inode->size = end > inode->size ? end : inode->size;
}

static inline int model_write(struct model *model, int inode, uint32_t offset, uint32_t size)
{
    uint32_t fits = model_room(model, inode, offset, size);
    struct model_inode *after = model_edit(model, inode);
    int r;

    if (fits == 0) {
        return -EDQUOT;
    }
    memset(after->bytes + offset, MODEL_WRITTEN, fits);
    model_grow(after, offset + fits);
    r = model_settle(model, inode);
    return r < 0 ? r : (int)fits;
}

static inline int model_truncate(struct model *model, int inode, uint32_t size)
{
    struct model_inode *after = model_edit(model, inode);

    if (size <= after->size) {
        memset(after->bytes + size, MODEL_HOLE, MODEL_BYTES - size);
    }
    after->size = size;
    return model_settle(model, inode);
}

/* Of whole blocks what is a hole; bytes that are there stay. */
static inline int model_allocate(
        struct model *model, int inode, uint32_t offset, uint32_t size, bool keep_size)
{
    struct model_inode *after = model_edit(model, inode);
    uint32_t from = offset / MODEL_BLOCK * MODEL_BLOCK;
    uint32_t to = (offset + size + MODEL_BLOCK - 1) / MODEL_BLOCK * MODEL_BLOCK;

    for (uint32_t i = from; i < to; i++) {
        after->bytes[i] = after->bytes[i] == MODEL_HOLE ? MODEL_SET_ASIDE : after->bytes[i];
    }
    if (!keep_size) {
        model_grow(after, offset + size);
    }
    return model_settle(model, inode);
}

/* what: MODEL_HOLE punches, MODEL_SET_ASIDE zeroes. */
static inline int model_clear(struct model *model, int inode, uint32_t offset, uint32_t size,
        uint8_t what, bool keep_size)
{
    struct model_inode *after = model_edit(model, inode);

    memset(after->bytes + offset, what, size);
    if (!keep_size) {
        model_grow(after, offset + size);
    }
    return model_settle(model, inode);
}

/* Ends with the source. Of what is not written there, a hole comes. *ret: bytes. */
static inline int model_clone(struct model *model, int from, uint32_t from_offset, int to,
        uint32_t to_offset, uint32_t size, uint32_t *ret)
{
    struct model_inode *after = model_edit(model, to);
    const struct model_inode *source = &model->inodes[from];
    uint32_t left = source->size > from_offset ? source->size - from_offset : 0;

    if (from == to && from_offset < to_offset + size && to_offset < from_offset + size) {
        return -EINVAL;
    }
    *ret = size < left ? size : left;
    for (uint32_t i = 0; i < *ret; i++) {
        bool written = source->bytes[from_offset + i] == MODEL_WRITTEN;

        after->bytes[to_offset + i] = written ? MODEL_WRITTEN : MODEL_HOLE;
    }
    if (*ret > 0) {
        model_grow(after, to_offset + *ret);
    }
    return model_settle(model, to);
}

/* The charge moves with it; that of the workspace stays. */
static inline int model_give(struct model *model, int inode, uint32_t uid, uint32_t gid)
{
    struct model_inode *given = &model->inodes[inode];
    uint64_t blocks = model->charges[inode];

    if ((given->uid != uid && !model_suits(model, model_user(uid), blocks, 1)) ||
            (given->gid != gid && !model_suits(model, model_group(gid), blocks, 1))) {
        return -EDQUOT;
    }
    given->uid = uid;
    given->gid = gid;
    return 0;
}

/* bytes: of name and value; 0 removes. */
static inline int model_attribute(struct model *model, int inode, int attribute, uint32_t bytes)
{
    struct model_inode *after = model_edit(model, inode);

    if (bytes == 0 && after->attributes[attribute] == 0) {
        return -EINVAL;
    }
    after->attributes[attribute] = bytes;
    return model_settle(model, inode);
}

#endif
