/* The rows behind riad/tree.h, and the order in which they are folded. All fields are guarded by
 * the workspace's mutation lock.
 *
 * The one invariant: a row's total is what has its home there and what the rows below it have
 * given; and each row has given some earlier total of its own. So a row that differs from what it
 * gave is pending, nothing is ever lost or counted twice, and the order of folding is a matter of
 * speed alone. Sums are modulo 2^64: a damaged row gives wrong figures, which fsck finds, and never
 * fails a change. */
#ifndef RIAD_TREE_PRIV_H
#define RIAD_TREE_PRIV_H

#include "riad/tree.h"

enum {
    RIAD_CACHED_TREES = 1024,       /* a power of two */
    RIAD_FOLD_NODES_MIN = 256,      /* a power of two */
    RIAD_FOLD_NODES_MAX = 1 << 16,  /* 1.5 MiB while so much is folded at once */
    RIAD_FOLD_NODES_KEPT = 1 << 12, /* more is given back when a round ends */
    RIAD_FOLD_FETCH = 64,           /* rows that are asked of SQLite at a time */
};

/* There is a row for each directory with a name, and for what files have for their home and was
 * removed: that hangs on the root directory. */
struct riad_tree_row {
    uint64_t inode;
    uint64_t parent; /* gets what this one has; 0: of the root */
    struct riad_tree_usage total;
    struct riad_tree_usage given; /* of it, to the parent */
    bool pending;                 /* they differ */
};

/* One row of the write-back cache. */
struct riad_tree_slot {
    struct riad_tree_row row;
    bool full;
    bool dirty;
    bool stored; /* SQLite has a row of the number */
    bool listed; /* it is in `listed` */
};

/* A round of folding: from everything that is pending paths are walked up until they meet; then
 * they are handed up in the opposite order, so that what ends in the middle of an earlier path is
 * there before that path goes on. */
struct riad_fold {
    enum { RIAD_FOLD_IDLE, RIAD_FOLD_WALK, RIAD_FOLD_GIVE } phase;
    uint64_t *nodes;   /* paths, each backwards: handed up from the end of the array */
    uint64_t *visited; /* the same as a set, open addressing; twice the room */
    size_t count, room;
    size_t path;                        /* in nodes: where the present path begins */
    uint64_t at;                        /* its next node; 0: none is under way */
    uint64_t starts[RIAD_CACHED_TREES]; /* where paths are to begin */
    size_t start_count;
    uint64_t below; /* SQLite's pending rows from here on are in this round; 0: all are */
};

struct riad_tree {
    struct riad_tree_slot slots[RIAD_CACHED_TREES]; /* by the low bits of the number */
    uint16_t listed[RIAD_CACHED_TREES]; /* slots that were made dirty since the last flush */
    size_t listed_count;
    uint64_t pending;   /* rows that are, here or in SQLite alone */
    uint64_t committed; /* the same, as the last commit left it */
    uint64_t folds;
    struct riad_fold fold;
};

/* What an inode's row counts for. */
struct riad_tree_place {
    uint64_t home;  /* 0: it counts nowhere */
    uint64_t above; /* of a directory with a name, but the root: its parent; else 0 */
    struct riad_tree_usage usage;
};

static inline bool riad_tree_usage_equal(
        const struct riad_tree_usage *a, const struct riad_tree_usage *b)
{
    return a->blocks == b->blocks && a->inodes == b->inodes && a->directories == b->directories;
}

static inline bool riad_tree_usage_none(const struct riad_tree_usage *usage)
{
    return (usage->blocks | usage->inodes | usage->directories) == 0;
}

static inline struct riad_tree_usage riad_tree_usage_less(
        const struct riad_tree_usage *a, const struct riad_tree_usage *b)
{
    return (struct riad_tree_usage){ a->blocks - b->blocks, a->inodes - b->inodes,
        a->directories - b->directories };
}

static inline void riad_tree_usage_add(
        struct riad_tree_usage *to, const struct riad_tree_usage *delta)
{
    to->blocks += delta->blocks;
    to->inodes += delta->inodes;
    to->directories += delta->directories;
}

/* tree.c. */
struct riad_tree_place riad_tree_place(const struct riad_inode *row);
/* An inode's row is replaced by another one, or made (before: nowhere), or removed (after: so). */
int riad_tree_change(struct riad_index *index, const struct riad_tree_place *before,
        const struct riad_tree_place *after) RIAD_MUST_CHECK;
/* Adds to what a directory has. 0: nothing. */
int riad_tree_add(struct riad_index *index, uint64_t inode,
        const struct riad_tree_usage *delta) RIAD_MUST_CHECK;

/* tree_rows.c. *ret is borrowed until the next call. -ENOENT. */
int riad_tree_find(
        struct riad_index *index, uint64_t inode, struct riad_tree_row **ret) RIAD_MUST_CHECK;
/* The same; makes one below the root directory if there is none. */
int riad_tree_get(
        struct riad_index *index, uint64_t inode, struct riad_tree_row **ret) RIAD_MUST_CHECK;
/* The row, which is borrowed, was changed. It is gone if nothing is left of it. */
int riad_tree_put(struct riad_index *index, struct riad_tree_row *row) RIAD_MUST_CHECK;
/* When the index is opened: counts what is pending. */
int riad_tree_start(struct riad_index *index) RIAD_MUST_CHECK;
/* Before a commit. */
int riad_tree_flush(struct riad_index *index) RIAD_MUST_CHECK;
/* After a commit. */
void riad_tree_keep(struct riad_index *index);
/* After a rollback. */
void riad_tree_clear(struct riad_index *index);

/* tree_fold.c. Gives up the round that is under way. */
void riad_fold_reset(struct riad_tree *tree);
/* When the index is closed. */
void riad_fold_done(struct riad_tree *tree);

#endif
