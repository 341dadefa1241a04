/* Codecs of row images: written straight down, the cursors keep the first error. */
#include <errno.h>

#include "row_priv.h"

void riad_inode_encode(const struct riad_inode *row, struct riad_writer *out)
{
    riad_put_u64(out, row->inode);
    riad_put_u32(out, row->generation);
    riad_put_u32(out, row->mode);
    riad_put_u32(out, row->nlink);
    riad_put_u32(out, row->uid);
    riad_put_u32(out, row->gid);
    riad_put_u32(out, row->flags);
    riad_put_u64(out, row->rdev);
    riad_put_u64(out, row->size);
    riad_put_u64(out, row->blocks);
    riad_put_time(out, row->atime);
    riad_put_time(out, row->mtime);
    riad_put_time(out, row->ctime);
    riad_put_time(out, row->btime);
    riad_put_u64(out, row->parent);
    riad_put_u64(out, row->next_cookie);
    riad_put_u64(out, row->version);
    riad_put_u64(out, row->birth);
    riad_put_u64(out, row->truncate_mark);
    riad_put_u32(out, row->xattr_bytes);
    riad_put_u32(out, 0);
}

static void get_inode(struct riad_reader *reader, struct riad_inode *ret)
{
    ret->inode = riad_get_u64(reader);
    ret->generation = riad_get_u32(reader);
    ret->mode = riad_get_u32(reader);
    ret->nlink = riad_get_u32(reader);
    ret->uid = riad_get_u32(reader);
    ret->gid = riad_get_u32(reader);
    ret->flags = riad_get_u32(reader);
    ret->rdev = riad_get_u64(reader);
    ret->size = riad_get_u64(reader);
    ret->blocks = riad_get_u64(reader);
    ret->atime = riad_get_time(reader);
    ret->mtime = riad_get_time(reader);
    ret->ctime = riad_get_time(reader);
    ret->btime = riad_get_time(reader);
    ret->parent = riad_get_u64(reader);
    ret->next_cookie = riad_get_u64(reader);
    ret->version = riad_get_u64(reader);
    ret->birth = riad_get_u64(reader);
    ret->truncate_mark = riad_get_u64(reader);
    ret->xattr_bytes = riad_get_u32(reader);
    riad_get_zeros(reader, 4);
}

int riad_inode_decode(const uint8_t *data, size_t size, struct riad_inode *ret)
{
    struct riad_inode row = { 0 };
    struct riad_reader reader;

    riad_reader_init(&reader, data, size);
    get_inode(&reader, &row);
    if (riad_reader_finish(&reader) < 0 || !riad_inode_is_valid(&row)) {
        return -EBADMSG;
    }
    *ret = row;
    return 0;
}

void riad_extent_encode(const struct riad_extent *row, struct riad_writer *out)
{
    riad_put_u64(out, row->inode);
    riad_put_u64(out, row->offset);
    riad_put_u64(out, row->length);
    riad_put_u8(out, (uint8_t)row->kind);
    riad_put_u8(out, row->unit_shift);
    riad_put_u16(out, 0);
    riad_put_u32(out, row->skip);
    riad_put_u64(out, row->segment);
    riad_put_u64(out, row->position);
    riad_put_u32(out, row->run_length);
    riad_put_u64(out, row->born.inode);
    riad_put_u32(out, row->born.generation);
    riad_put_u64(out, row->born.offset);
    riad_put_u64(out, row->birth);
    riad_put_b16(out, row->tags, (size_t)row->tag_count * RIAD_TAG_SIZE);
}

static void get_tags(struct riad_reader *reader, struct riad_extent *ret)
{
    size_t size;
    const uint8_t *tags = riad_get_b16(reader, sizeof ret->tags, &size);

    if (size % RIAD_TAG_SIZE != 0) {
        riad_reader_refuse(reader);
    }
    ret->tag_count = (uint16_t)(size / RIAD_TAG_SIZE);
    if (size > 0) {
        memcpy(ret->tags, tags, size);
    }
}

/* Leaves the tags behind the last one as they are: clearing a kilobyte for each row costs. */
static void get_extent(struct riad_reader *reader, struct riad_extent *ret)
{
    ret->inode = riad_get_u64(reader);
    ret->offset = riad_get_u64(reader);
    ret->length = riad_get_u64(reader);
    ret->kind = (enum riad_extent_kind)riad_get_u8(reader);
    ret->unit_shift = riad_get_u8(reader);
    riad_get_zeros(reader, 2);
    ret->skip = riad_get_u32(reader);
    ret->segment = riad_get_u64(reader);
    ret->position = riad_get_u64(reader);
    ret->run_length = riad_get_u32(reader);
    ret->born.inode = riad_get_u64(reader);
    ret->born.generation = riad_get_u32(reader);
    ret->born.offset = riad_get_u64(reader);
    ret->birth = riad_get_u64(reader);
    get_tags(reader, ret);
}

int riad_extent_decode(const uint8_t *data, size_t size, struct riad_extent *ret)
{
    struct riad_reader reader;

    riad_reader_init(&reader, data, size);
    get_extent(&reader, ret);
    if (riad_reader_finish(&reader) < 0 || !riad_extent_is_valid(ret, false)) {
        return -EBADMSG;
    }
    return 0;
}
