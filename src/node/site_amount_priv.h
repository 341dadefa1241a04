/* Arithmetic of grants: what a workspace is granted of the limit of a user or group. */
#ifndef RIAD_SITE_AMOUNT_PRIV_H
#define RIAD_SITE_AMOUNT_PRIV_H

#include "riad/catalog.h"
#include "riad/index.h"

enum {
    CHUNK_BYTES = 64 << 20, /* more than is needed, as long as there is much: so seldom anew */
    CHUNK_INODES = 1024,
};

/* Bytes and inodes, as the catalog counts. */
struct amount {
    uint64_t bytes, inodes;
};

static inline struct amount amount_of(const struct riad_usage *usage)
{
    return (struct amount){ usage->blocks * RIAD_BLOCK_SIZE, usage->inodes };
}

static inline bool is_limited(const struct riad_catalog_subject *subject)
{
    return subject->limit.bytes_hard > 0 || subject->limit.inodes_hard > 0;
}

static inline uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Of what is left of a limit, what there is until the next mark that is told of: more is granted
 * only to who needs it, and so asks. */
static inline uint64_t until_mark(uint64_t left, uint64_t hard)
{
    return left > hard / 5 ? left - hard / 5 : left > hard / 20 ? left - hard / 20 : left;
}

/* What it becomes: all that is wanted and some more, as long as there is so much. */
static inline uint64_t grown(
        uint64_t granted, uint64_t wanted, uint64_t left, uint64_t limit, uint64_t chunk)
{
    uint64_t more = wanted > granted ? wanted - granted : 0;
    uint64_t spare = smaller(smaller(chunk, left / 4), until_mark(left, limit));

    return more == 0 ? granted : granted + smaller(left, larger(more, spare));
}

static inline struct amount grow(const struct riad_catalog_limit *limit, struct amount granted,
        struct amount wanted, struct amount left)
{
    return (struct amount){ grown(granted.bytes, wanted.bytes, left.bytes, limit->bytes_hard,
                                    CHUNK_BYTES),
        grown(granted.inodes, wanted.inodes, left.inodes, limit->inodes_hard, CHUNK_INODES) };
}

/* What has no limit is not wanted. */
static inline struct amount wanted_of(
        const struct riad_catalog_subject *subject, const struct riad_usage *needed)
{
    struct amount wanted = amount_of(needed);

    return (struct amount){ subject->limit.bytes_hard > 0 ? wanted.bytes : 0,
        subject->limit.inodes_hard > 0 ? wanted.inodes : 0 };
}

static inline bool covers(struct amount granted, struct amount wanted)
{
    return granted.bytes >= wanted.bytes && granted.inodes >= wanted.inodes;
}

#endif
