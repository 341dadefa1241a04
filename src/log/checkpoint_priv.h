/* Frames of checkpoints (L6, FORMAT 7), shared by the writer and the reader. */
#ifndef RIAD_CHECKPOINT_PRIV_H
#define RIAD_CHECKPOINT_PRIV_H

#include "riad/checkpoint.h"

#include "segment_priv.h"

enum {
    RIAD_FRAME_RAW_MAX = 1 << 20,
    RIAD_FRAME_PREFIX_SIZE = 14, /* number, last, codec, raw length, length of the payload */
    RIAD_OPERATION_PREFIX_SIZE = 6,
};
enum riad_frame_codec { RIAD_FRAME_PLAIN, RIAD_FRAME_ZSTD };

/* The raw payload of the final frame. */
struct riad_checkpoint_sum {
    uint64_t rows;
    struct riad_hash hash; /* running: over the raw payloads of the frames before it */
};

/* Takes one more raw payload into the running hash. */
int riad_checkpoint_sum_add(
        struct riad_checkpoint_sum *sum, const void *raw, size_t size) RIAD_MUST_CHECK;
/* Size of the encoded operation at data, of which size bytes are there; 0 if it is not whole. */
size_t riad_operation_size(const uint8_t *data, size_t size);
void riad_manifest_encode(const struct riad_checkpoint_manifest *manifest, struct riad_writer *out);
int riad_manifest_decode(
        const uint8_t *data, size_t size, struct riad_checkpoint_manifest *ret) RIAD_MUST_CHECK;
/* riad_checkpoint_read for a file that is open already. whole: read all frames, whether there is a
 * function or not. */
int riad_checkpoint_read_fd(int fd, const struct riad_keys *keys, uint64_t segment, bool whole,
        struct riad_checkpoint_manifest *ret, riad_checkpoint_function apply,
        void *context) RIAD_MUST_CHECK;

#endif
