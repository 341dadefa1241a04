/* What the log layer's sources share about segment files. */
#ifndef RIAD_SEGMENT_PRIV_H
#define RIAD_SEGMENT_PRIV_H

#include "riad/segments.h"
#include "riad/stream.h"

#include "record_priv.h"

enum {
    /* Of the header record that this riad writes: 101 bytes of plaintext in 64-byte steps. */
    RIAD_SEGMENT_HEADER_SIZE = RIAD_RECORD_OVERHEAD + 128,
};

static inline uint64_t riad_segment_id(uint32_t term, uint32_t ordinal)
{
    return (uint64_t)term << 32 | ordinal;
}

bool riad_end_equal(const struct riad_end *a, const struct riad_end *b);

/* Which subkey seals the header of a segment of this kind (FORMAT 5). */
enum riad_purpose riad_segment_purpose(enum riad_segment_kind kind);
/* Seals the header record; must be the stream's first record (counter 0). header->size is not read.
 */
int riad_segment_header_seal(struct riad_stream *stream, const struct riad_segment_header *header,
        struct riad_writer *out) RIAD_MUST_CHECK;
/* Opens a regular file for reading, at a path below dirfd: whatever the store put there, this does
 * not hang. -ENOENT, -EBADMSG if it is no regular file. Returns the descriptor. */
int riad_segment_open_path(int dirfd, const char *path) RIAD_MUST_CHECK;
/* Opens a segment of a kind. */
int riad_segment_open(
        int workspace_fd, enum riad_segment_kind kind, uint64_t segment) RIAD_MUST_CHECK;
/* Reads and verifies the header of an open segment; *ret_stream is the stream that sealed it (may
 * be NULL). */
int riad_segment_header_get(int fd, struct riad_key_cache *cache, enum riad_segment_kind kind,
        uint64_t segment, struct riad_segment_header *ret,
        struct riad_id *ret_stream) RIAD_MUST_CHECK;
/* The epoch that an open segment says it is sealed under, without any key: whole, but not verified.
 * -EBADMSG, -EPROTONOSUPPORT. */
int riad_segment_header_epoch(
        int fd, const struct riad_id *workspace, uint32_t *ret) RIAD_MUST_CHECK;

#endif
