/* Layer log. A stream: the nonce domain of one opened segment (K5, FORMAT 4.1). Sealing needs no
 * lock: counters are taken atomically. */
#ifndef RIAD_STREAM_H
#define RIAD_STREAM_H

#include "riad/bytes.h"
#include "riad/record.h"

struct riad_stream;

/* A new random stream of the keys' current epoch; for a log segment it seals changes and data, for
 * a data segment data, for a checkpoint frames. */
int riad_stream_new(const struct riad_keys *keys, struct riad_stream **ret) RIAD_MUST_CHECK;
/* Streams are counted: payloads hold theirs while a segment moves on to the next. */
struct riad_stream *riad_stream_ref(struct riad_stream *stream);
void riad_stream_unref(struct riad_stream *stream);

/* Seals one data record (header .. checksum) of n bytes, 1..65,536, into ret, which has room for
 * riad_data_record_size(n). -EOVERFLOW when the stream's 2^32 counters are spent. Thread-safe. */
int riad_stream_seal_data(struct riad_stream *stream, const struct riad_birth *birth,
        const void *data, size_t n, uint8_t *ret, uint8_t ret_tag[RIAD_TAG_SIZE]) RIAD_MUST_CHECK;
/* Seals a length-prefixed body (change, frame, segment header) with its padding; appends the whole
 * record to out. purpose names the key. */
int riad_stream_seal_body(struct riad_stream *stream, enum riad_purpose purpose,
        enum riad_record_type type, const struct riad_buffer *pieces, size_t count,
        struct riad_writer *out) RIAD_MUST_CHECK;

RIAD_DEFINE_CLEANUP(struct riad_stream, riad_stream_unref);

#endif
