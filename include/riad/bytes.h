/* Bounded cursors for the one canonical encoding (FORMAT 1): little-endian, fixed width,
 * length-prefixed.
 *
 * Errors stick: after the first failure every further call does nothing (reads give zero or empty),
 * and the cursor's `error` says why. So a codec is written straight down and checked once, at its
 * end. No locks; one thread per cursor. */
#ifndef RIAD_BYTES_H
#define RIAD_BYTES_H

#include "riad/types.h"

/* Writes into a caller's buffer, or into an own growing one. error: 0, -ENOBUFS (caller's buffer
 * full, or over `limit`), -ENOMEM, -EINVAL (a time that riad_get_time would refuse). A zeroed
 * writer has room for nothing. */
struct riad_writer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t limit; /* an own buffer never grows past this */
    bool owned;
    int error;
};

/* Uses `capacity` bytes at data; frees nothing. */
void riad_writer_init_fixed(struct riad_writer *writer, void *data, size_t capacity);
/* Grows on the heap up to limit bytes; the first `reserve` are allocated lazily at the first write.
 */
void riad_writer_init_growing(struct riad_writer *writer, size_t reserve, size_t limit);
/* Frees an own buffer and empties the writer; for _cleanup_. Also right on a zeroed struct. */
void riad_writer_done(struct riad_writer *writer);
/* Empties without freeing, error cleared: reuse. */
void riad_writer_reset(struct riad_writer *writer);

void riad_put_u8(struct riad_writer *writer, uint8_t value);
void riad_put_u16(struct riad_writer *writer, uint16_t value);
void riad_put_u32(struct riad_writer *writer, uint32_t value);
void riad_put_u64(struct riad_writer *writer, uint64_t value);
void riad_put_bytes(struct riad_writer *writer, const void *data, size_t size);
/* size must fit the prefix, else error becomes -ENOBUFS. */
void riad_put_b16(struct riad_writer *writer, const void *data, size_t size);
void riad_put_b32(struct riad_writer *writer, const void *data, size_t size);
void riad_put_time(struct riad_writer *writer, struct timespec value);
void riad_put_id(struct riad_writer *writer, const struct riad_id *id);
void riad_put_hash(struct riad_writer *writer, const struct riad_hash *hash);
void riad_put_end(struct riad_writer *writer, const struct riad_end *end);
void riad_put_zeros(struct riad_writer *writer, size_t count);
/* An extensions block that holds this one only. */
void riad_put_extension(struct riad_writer *writer, uint16_t tag, const void *value, size_t size);

/* Reads from borrowed bytes. error: 0 or -EBADMSG. */
struct riad_reader {
    const uint8_t *data;
    size_t left;
    int error;
};

void riad_reader_init(struct riad_reader *reader, const void *data, size_t size);
uint8_t riad_get_u8(struct riad_reader *reader);
uint16_t riad_get_u16(struct riad_reader *reader);
uint32_t riad_get_u32(struct riad_reader *reader);
uint64_t riad_get_u64(struct riad_reader *reader);
/* Copies exactly size bytes to ret (zeros on failure). */
void riad_get_bytes(struct riad_reader *reader, void *ret, size_t size);
/* Borrow from the reader's bytes; valid as long as they are. NULL and 0 on failure, or when longer
 * than max. */
const uint8_t *riad_get_span(struct riad_reader *reader, size_t size);
const uint8_t *riad_get_b16(struct riad_reader *reader, size_t max, size_t *ret_size);
const uint8_t *riad_get_b32(struct riad_reader *reader, size_t max, size_t *ret_size);
/* Refuses nanoseconds above 999,999,999. */
struct timespec riad_get_time(struct riad_reader *reader);
void riad_get_id(struct riad_reader *reader, struct riad_id *ret);
void riad_get_hash(struct riad_reader *reader, struct riad_hash *ret);
void riad_get_end(struct riad_reader *reader, struct riad_end *ret);
/* Refuses unless the next count bytes are all zero. */
void riad_get_zeros(struct riad_reader *reader, size_t count);
/* Reads an extensions block: unknown tags below 0x8000 are skipped, others and any disorder are
 * refused (FORMAT 1). */
void riad_get_extensions(struct riad_reader *reader);
/* The same, and the value of one that is known, below 0x8000: borrowed; NULL and 0 if it is not
 * there. An empty value is not NULL. */
const uint8_t *riad_get_extension(struct riad_reader *reader, uint16_t tag, size_t *ret_size);
/* Marks the reader failed, for a value the caller refuses. */
void riad_reader_refuse(struct riad_reader *reader);
/* 0 if nothing failed and no byte is left, else -EBADMSG. */
int riad_reader_finish(const struct riad_reader *reader) RIAD_MUST_CHECK;

/* Hexadecimal names. ret has room for 2 * size + 1. Parsing takes exactly 2 * size lower-case
 * digits, else -EINVAL. */
void riad_hex_encode(const void *data, size_t size, char *ret);
int riad_hex_decode(const char *text, void *ret, size_t size) RIAD_MUST_CHECK;

#endif
