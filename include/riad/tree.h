/* Layer index. What each directory holds in all: its own charge and that of everything below it,
 * without a walk.
 *
 * What counts where. An inode that has a name counts at its home: a directory at itself, everything
 * else at the directory of its first link (`parent` of its row), wherever its other links are, and
 * wherever that first link went meanwhile; where that directory was removed, at the root directory.
 * What has no name (O_TMPFILE, unlinked but open) counts nowhere here. So the root's sums are the
 * workspace's usage (riad_index_usage) less what has no name.
 *
 * Derived as changes are applied, never logged: each change touches the rows of one or two
 * directories, however deep they lie, and so does the renaming of a directory, however big. What a
 * directory got is handed up to its parent later (riad_index_fold), by whoever has time or wants to
 * know. Until then it is pending, and the sums of the directories above lack it.
 *
 * Locks and errors as in riad/index.h. */
#ifndef RIAD_TREE_H
#define RIAD_TREE_H

#include "riad/index.h"

struct riad_tree_usage {
    uint64_t blocks;      /* of RIAD_BLOCK_SIZE, as st_blocks counts */
    uint64_t inodes;      /* all of them, */
    uint64_t directories; /* and those that are directories; each counts itself */
};

/* Hands up some of what is pending, in at most max steps of some microseconds each. *ret_more: some
 * is left. Each directory between what is pending and the root is handed up once, after all below
 * it, also where a chain of 50,000 of them changed at once. What is handed up is not recorded in
 * the batch and need not be: a rollback makes it pending again. */
int riad_index_fold(struct riad_index *index, uint32_t max, bool *ret_more) RIAD_MUST_CHECK;
/* How many rounds of folding have ended. When it went up by two, everything that was pending before
 * has reached the root, whatever was changed meanwhile. */
uint64_t riad_index_folds(const struct riad_index *index);
/* Directories whose changes are pending; 0: all sums are exact. */
uint64_t riad_index_unfolded(const struct riad_index *index);

/* The sums of a directory as far as they are handed up. -ENOTDIR; -ENOENT it was removed. */
int riad_index_tree_usage(
        struct riad_index *index, uint64_t inode, struct riad_tree_usage *ret) RIAD_MUST_CHECK;
/* The first entry of parent with cookie > after that is a directory, without a look at the entries
 * that are none. -ENODATA: no more. */
int riad_index_next_directory(struct riad_index *index, uint64_t parent, uint64_t after,
        struct riad_dentry *ret) RIAD_MUST_CHECK;

/* The part of riad_snapshot_check that is about sums: each directory's against a recount. For an
 * index whose other rows are known to be right. */
int riad_snapshot_check_tree(struct riad_snapshot *snapshot, riad_index_report_function report,
        void *context, uint64_t *ret_findings) RIAD_MUST_CHECK;

#endif
