/* Plain values that several layers exchange. They own nothing and have no behaviour but comparison.
 */
#ifndef RIAD_TYPES_H
#define RIAD_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

/* Every result is checked: a forgotten errno is a lost promise. */
#define RIAD_MUST_CHECK __attribute__((warn_unused_result))

/* A random 128-bit id: store, workspace, user, node, stream. */
struct riad_id {
    uint8_t bytes[16];
};

/* A SHA-256 digest. */
struct riad_hash {
    uint8_t bytes[32];
};

/* How often a cache had what was asked for. */
struct riad_hits {
    uint64_t hits, misses;
};

/* The name of one change: numbers grow by one across terms (L2). */
struct riad_sequence {
    uint32_t term;
    uint64_t number;
};

/* A place in a workspace's history: the file offset just behind a change, and that change's
 * identity. All zero: empty history. */
struct riad_end {
    uint64_t segment;
    uint64_t offset;
    struct riad_sequence sequence;
    struct riad_hash chain;
};

/* Of nothing: no store, workspace or user has it. */
static inline bool riad_id_is_zero(const struct riad_id *id)
{
    static const struct riad_id zero;

    return memcmp(id, &zero, sizeof zero) == 0;
}

static inline bool riad_id_equal(const struct riad_id *a, const struct riad_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static inline bool riad_hash_equal(const struct riad_hash *a, const struct riad_hash *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

#endif
