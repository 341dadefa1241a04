/* What the payloads of a checkpoint's frames hold. */
#include "riad/digest.h"
#include "riad/error.h"

#include "checkpoint_priv.h"

int riad_checkpoint_sum_add(struct riad_checkpoint_sum *sum, const void *raw, size_t size)
{
    const struct riad_hash before = sum->hash;
    const struct riad_piece pieces[] = {
        RIAD_PIECE_LABEL("riad/v1/checkpoint"),
        RIAD_PIECE_OF(before),
        { raw, size },
    };

    return riad_sha256(pieces, 3, &sum->hash);
}

size_t riad_operation_size(const uint8_t *data, size_t size)
{
    struct riad_reader reader;
    size_t body;

    riad_reader_init(&reader, data, size);
    (void)riad_get_u8(&reader);
    (void)riad_get_u8(&reader);
    (void)riad_get_b32(&reader, RIAD_FRAME_RAW_MAX - RIAD_OPERATION_PREFIX_SIZE, &body);
    return reader.error ? 0 : RIAD_OPERATION_PREFIX_SIZE + body;
}

void riad_manifest_encode(const struct riad_checkpoint_manifest *manifest, struct riad_writer *out)
{
    riad_put_end(out, &manifest->end);
    riad_put_u32(out, manifest->epoch);
    riad_put_hash(out, &manifest->roster_head);
    riad_put_time(out, manifest->time);
    riad_put_u64(out, manifest->next_inode);
    riad_put_u64(out, manifest->inodes);
    riad_put_u64(out, manifest->blocks);
    riad_put_b32(out, NULL, 0); /* extensions */
}

int riad_manifest_decode(const uint8_t *data, size_t size, struct riad_checkpoint_manifest *ret)
{
    struct riad_checkpoint_manifest manifest;
    struct riad_reader reader;
    int r;

    riad_reader_init(&reader, data, size);
    riad_get_end(&reader, &manifest.end);
    manifest.epoch = riad_get_u32(&reader);
    riad_get_hash(&reader, &manifest.roster_head);
    manifest.time = riad_get_time(&reader);
    manifest.next_inode = riad_get_u64(&reader);
    manifest.inodes = riad_get_u64(&reader);
    manifest.blocks = riad_get_u64(&reader);
    riad_get_extensions(&reader);
    r = riad_reader_finish(&reader);
    if (r < 0) {
        return r;
    }
    *ret = manifest;
    return 0;
}
