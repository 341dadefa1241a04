/* Arithmetic on the extents of one file: cutting, growing, counting blocks, and what an edit of a
 * range leaves. Pure but for the operations it appends to a change: no row is read, nothing is
 * locked. */
#ifndef RIAD_EXTENT_MAP_PRIV_H
#define RIAD_EXTENT_MAP_PRIV_H

#include "riad/change.h"

static inline uint64_t riad_extent_end(const struct riad_extent *extent)
{
    return extent->offset + extent->length;
}

static inline uint64_t riad_block_floor(uint64_t offset)
{
    return offset & ~(uint64_t)(RIAD_BLOCK_SIZE - 1);
}

/* Rounds up to a block; UINT64_MAX where that has no 64 bits. */
static inline uint64_t riad_block_ceil(uint64_t offset)
{
    uint64_t floor = riad_block_floor(offset);

    if (floor == offset) {
        return offset;
    }
    return floor > UINT64_MAX - RIAD_BLOCK_SIZE ? UINT64_MAX : floor + RIAD_BLOCK_SIZE;
}

/* The part of a valid extent in [from, to), which lies inside it and is not empty. Whole records in
 * front and behind are dropped; a birth identity moves on with them. ret may be extent. */
void riad_extent_cut(
        const struct riad_extent *extent, uint64_t from, uint64_t to, struct riad_extent *ret);
/* Joins next, which begins where extent ends, if one row can name both: their records lie one after
 * another and continue each other's birth identity, or both are unwritten. The birth becomes that
 * of next. False and unchanged if not. */
bool riad_extent_grow(struct riad_extent *extent, const struct riad_extent *next);

/* Counts the blocks that ascending byte ranges touch, each once (FORMAT 6.1). Starts zeroed. */
struct riad_block_count {
    uint64_t next; /* the first block not looked at */
    uint64_t blocks;
};
void riad_block_count_add(struct riad_block_count *count, uint64_t from, uint64_t to);

/* What the edit of [from, to) finds and leaves. Blocks are counted in the smallest window of whole
 * blocks around it: outside of it nothing changes. */
struct riad_extent_edit {
    uint64_t from, to;
    uint64_t low, high; /* the window */
    struct riad_block_count before;
    bool begins_inside;             /* some extent begins in [from, to) */
    bool margin_left, margin_right; /* something lies in [low, from), in [to, high) */
    bool has_left, has_right, has_previous;
    struct riad_extent left;     /* what an extent that begins before `from` keeps */
    struct riad_extent right;    /* what an extent that ends behind `to` keeps */
    struct riad_extent previous; /* ends exactly at `from` */
};
void riad_extent_edit_begin(struct riad_extent_edit *edit, uint64_t from, uint64_t to);
/* Is shown, ascending, each extent that touches [max(from, 1) - 1, to), and of those in [low, from)
 * and [to, high) the first. The same one twice does no harm. */
void riad_extent_edit_see(struct riad_extent_edit *edit, const struct riad_extent *extent);
/* Starts the count of what the window holds afterwards; the caller adds the new ranges, ascending,
 * then asks for the difference. */
void riad_extent_edit_after(const struct riad_extent_edit *edit, struct riad_block_count *ret);
int64_t riad_extent_edit_delta(const struct riad_extent_edit *edit, struct riad_block_count *after);
/* The difference when nothing, and when everything in [from, to) is covered. */
int64_t riad_extent_edit_cleared(const struct riad_extent_edit *edit);
int64_t riad_extent_edit_filled(const struct riad_extent_edit *edit);
/* Appends the operations that take everything in [from, to) away. */
void riad_extent_edit_clear(
        const struct riad_extent_edit *edit, uint64_t inode, struct riad_change *change);

#endif
