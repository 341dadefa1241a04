/* Arithmetic of grants: what a workspace is granted of the limit of a user or group. */
#ifndef RIAD_SITE_AMOUNT_PRIV_H
#define RIAD_SITE_AMOUNT_PRIV_H

#include "riad/catalog.h"
#include "riad/grants.h"
#include "riad/index.h"

enum { BYTES, INODES, RESOURCES };
enum { SCARCE = 16 }; /* when so small a part of a limit is left, nothing is spare */

/* Bytes and inodes, as the catalog counts. */
struct amount {
    uint64_t of[RESOURCES];
};

/* One resource of a subject. Limits: 0: none. */
struct bound {
    uint64_t soft, hard;
    uint32_t grace; /* seconds; not 0 */
    uint64_t since; /* when the soft limit was passed, seconds since 1970; 0: it is not */
};

static inline struct bound bound_of(const struct riad_catalog_limit *limit,
        const struct riad_catalog_clock *clock, unsigned resource)
{
    struct bound bound = resource == BYTES ? (struct bound){ limit->bytes_soft, limit->bytes_hard,
        limit->grace_bytes, clock->bytes_over_since }
                                           : (struct bound){ limit->inodes_soft, limit->inodes_hard,
                                                 limit->grace_inodes, clock->inodes_over_since };

    bound.grace = bound.grace > 0 ? bound.grace : RIAD_GRACE_SECONDS;
    return bound;
}

static inline bool is_bound(const struct bound *bound)
{
    return bound->soft > 0 || bound->hard > 0;
}

/* From when on the soft limit holds as the hard one does; 0: it is not foreseen. */
static inline uint64_t grace_end(const struct bound *bound)
{
    return bound->soft > 0 && bound->since > 0 ? bound->since + bound->grace : 0;
}

/* What may be granted in all. */
static inline uint64_t ceiling(const struct bound *bound, uint64_t now)
{
    uint64_t end = grace_end(bound);

    return end > 0 && now >= end ? bound->soft : bound->hard > 0 ? bound->hard : UINT64_MAX;
}

static inline struct amount amount_of(const struct riad_usage *usage)
{
    return (struct amount){ { usage->blocks * RIAD_BLOCK_SIZE, usage->inodes } };
}

static inline bool is_limited(const struct riad_catalog_subject *subject)
{
    const struct bound bytes = bound_of(&subject->limit, &subject->clock, BYTES);
    const struct bound inodes = bound_of(&subject->limit, &subject->clock, INODES);

    return is_bound(&bytes) || is_bound(&inodes);
}

static inline uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* Of what is left of a limit, what there is until the next mark that is told of: more is granted
 * only to who needs it, and so asks. */
static inline uint64_t until_mark(uint64_t left, uint64_t hard)
{
    return left > hard / 5 ? left - hard / 5 : left > hard / 20 ? left - hard / 20 : left;
}

/* What a grant becomes when `sum` is granted in all: all that is wanted and some more, as long as
 * there is so much. Nothing that is only spare passes a soft limit. */
static inline uint64_t grown(const struct bound *bound, unsigned resource, uint64_t granted,
        uint64_t wanted, uint64_t sum, uint64_t now)
{
    /* More than is needed, as long as there is much: so seldom anew. */
    static const uint64_t chunks[RESOURCES] = { 64 << 20, 1024 };
    uint64_t more = less(wanted, granted), left = less(ceiling(bound, now), sum);
    uint64_t soft = bound->soft > 0 && bound->since == 0 ? less(bound->soft, sum) : left;
    uint64_t room = more <= soft ? smaller(soft, left) : left;
    uint64_t spare = smaller(smaller(chunks[resource], room / 4), until_mark(left, bound->hard));

    return more == 0 ? granted : granted + smaller(left, larger(more, spare));
}

/* What has no limit is not wanted. */
static inline struct amount wanted_of(
        const struct riad_catalog_subject *subject, const struct riad_usage *needed)
{
    struct amount wanted = amount_of(needed);

    for (unsigned i = 0; i < RESOURCES; i++) {
        const struct bound bound = bound_of(&subject->limit, &subject->clock, i);

        wanted.of[i] = is_bound(&bound) ? wanted.of[i] : 0;
    }
    return wanted;
}

static inline bool covers(const struct amount *granted, const struct amount *wanted)
{
    return granted->of[BYTES] >= wanted->of[BYTES] && granted->of[INODES] >= wanted->of[INODES];
}

#endif
