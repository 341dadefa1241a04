#ifndef RIAD_STREAM_PRIV_H
#define RIAD_STREAM_PRIV_H

#include "riad/stream.h"

/* From here on a stream is replaced when its segment allows: far before its counters are spent
 * (K5). */
#define RIAD_STREAM_ROTATE ((uint64_t)1 << 31)

/* Counters taken so far. Thread-safe. */
uint64_t riad_stream_used(struct riad_stream *stream);
/* The epoch that it seals under. Thread-safe. */
uint32_t riad_stream_epoch(const struct riad_stream *stream);

#endif
