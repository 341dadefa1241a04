/* What the values of a row may be (FORMAT 6): asked of rows that are decoded, that are about to be
 * encoded, and that SQLite gives back. */
#ifndef RIAD_ROW_PRIV_H
#define RIAD_ROW_PRIV_H

#include "riad/row.h"

enum { RIAD_GENERATION = 1, RIAD_EXTENT_FIXED_SIZE = 82 };

/* Numbers of inodes and cookies, and file offsets, are SQLite integers. */
#define RIAD_NUMBER_MAX ((uint64_t)INT64_MAX)
/* Above what any valid file can be charged, and far below where sums overflow. */
#define RIAD_BLOCKS_MAX ((uint64_t)1 << 51)

bool riad_number_is_valid(uint64_t number);
bool riad_inode_is_valid(const struct riad_inode *row);
/* unplaced: data extents of segment 0 are allowed, whose place is not known yet. */
bool riad_extent_is_valid(const struct riad_extent *row, bool unplaced);
bool riad_dentry_is_valid(const struct riad_dentry *row);
bool riad_clock_is_valid(const struct riad_clock *clock);
/* 1..max bytes without a zero byte. */
bool riad_text_is_valid(const void *text, size_t size, size_t max);

#endif
