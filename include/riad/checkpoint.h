/* Layer log. Checkpoint files: sealed frames of row images (L6, FORMAT 7). Knows no rows:
 * operations are bytes. One thread per object. */
#ifndef RIAD_CHECKPOINT_H
#define RIAD_CHECKPOINT_H

#include "riad/segments.h"

struct riad_checkpoint_manifest {
    struct riad_end end;
    uint32_t epoch; /* that the checkpoint is sealed under; written as it is, not as given */
    struct riad_hash roster_head;
    struct timespec time;
    uint64_t next_inode;
    uint64_t inodes;
    uint64_t blocks;
    uint32_t features; /* the header's: what a reader of the rows must know */
};

struct riad_checkpoint_writer;
/* Starts `ckpt/.tmp-<segment>`. */
int riad_checkpoint_create(int workspace_fd, const struct riad_keys *keys, uint64_t segment,
        const struct riad_checkpoint_manifest *manifest,
        struct riad_checkpoint_writer **ret) RIAD_MUST_CHECK;
/* Adds one encoded operation (kind, flags, b32); frames of up to 1 MiB are compressed, sealed and
 * written as they fill. */
int riad_checkpoint_add(
        struct riad_checkpoint_writer *writer, const void *operation, size_t size) RIAD_MUST_CHECK;
/* Writes the final frame, syncs, reads everything back and verifies it, then publishes
 * ckpt/<segment> (L6). */
int riad_checkpoint_finish(
        struct riad_checkpoint_writer *writer, uint64_t *ret_bytes) RIAD_MUST_CHECK;
/* Frees; removes the temporary file if not finished. */
void riad_checkpoint_writer_free(struct riad_checkpoint_writer *writer);
RIAD_DEFINE_CLEANUP(struct riad_checkpoint_writer, riad_checkpoint_writer_free);

/* Called with each frame's raw operations (whole ones, as encoded); borrowed. */
typedef int (*riad_checkpoint_function)(void *context, const uint8_t *operations, size_t size);
/* Reads ckpt/<segment>. apply may be NULL (manifest only; then only frame 0 is read). -EBADMSG if
 * it is not whole and authentic: what apply was given before must be discarded. */
int riad_checkpoint_read(int workspace_fd, const struct riad_keys *keys, uint64_t segment,
        struct riad_checkpoint_manifest *ret, riad_checkpoint_function apply,
        void *context) RIAD_MUST_CHECK;

/* The same, piece by piece. The file stays open, though it be unlinked. One thread per object. */
struct riad_checkpoint_reader;
/* Opens ckpt/<segment>. -ENOENT; -EBADMSG: its beginning is not authentic; other errno. */
int riad_checkpoint_open(int workspace_fd, const struct riad_keys *keys, uint64_t segment,
        struct riad_checkpoint_manifest *ret_manifest,
        struct riad_checkpoint_reader **ret) RIAD_MUST_CHECK;
/* 1 and the next frame's operations, borrowed until the next call; 0: there are no more, and the
 * whole of it is authentic. -EBADMSG and other errno as above; -EIO may be tried again. */
int riad_checkpoint_next(struct riad_checkpoint_reader *reader, const uint8_t **ret_operations,
        size_t *ret_size) RIAD_MUST_CHECK;
/* May be NULL. */
void riad_checkpoint_reader_free(struct riad_checkpoint_reader *reader);
RIAD_DEFINE_CLEANUP(struct riad_checkpoint_reader, riad_checkpoint_reader_free);

#endif
