/* Layer core. Checks a workspace that nobody has open: index against log against segments, every
 * record authentic, usage equal to the sum over the inodes. Changes nothing in the store. One
 * thread. */
#ifndef RIAD_FSCK_H
#define RIAD_FSCK_H

#include "riad/workspace.h"

struct riad_fsck_result {
    uint64_t changes, records, bytes; /* verified */
    uint64_t inodes, blocks;          /* counted */
    uint64_t checkpoints;             /* whole and consistent */
    uint64_t findings;
    /* What the findings are about, besides contents and the rows that the store adds up to. */
    bool log_damaged, checkpoint_damaged, index_damaged;
};
/* One sentence per finding, naming the store's file and offset, or inode numbers. Also called with
 * progress lines if config->progress. */
typedef void (*riad_fsck_report)(void *context, const char *finding);
/* Rebuilds the rows from the log in a temporary index beside the state, compares with the local
 * index if one is there, checks rows among themselves (riad_snapshot_check), opens every record
 * that an extent refers to, and every checkpoint. *ret is filled also when findings > 0, which is
 * not an error. -EBUSY if somebody owns the workspace, or did before the end: then what was
 * reported says nothing. -ECANCELED: config->stop. Other errors as riad_workspace_open. */
int riad_fsck_run(const struct riad_workspace_config *config, riad_fsck_report report,
        void *context, struct riad_fsck_result *ret,
        struct riad_reason *ret_reason) RIAD_MUST_CHECK;

#endif
