/* Layer core. Salvage of a workspace whose log, checkpoints or rows are damaged, for `riad fsck
 * --repair`: what can be read stays, what is lost is told by path, what has no name any more goes
 * to /lost+found. One thread. */
#ifndef RIAD_REPAIR_H
#define RIAD_REPAIR_H

#include "riad/fsck.h"

struct riad_repair_result {
    bool history_mended;  /* a term was begun that leaves out what cannot be read of the log */
    uint64_t salvaged;    /* changes behind the damage that were kept */
    uint64_t missing;     /* changes that are lost, as far as later ones tell */
    uint64_t refused;     /* operations of salvaged changes that had nothing to apply to */
    uint64_t lost_names;  /* entries whose inode is lost */
    uint64_t orphans;     /* inodes that were put into /lost+found */
    uint64_t torn_files;  /* files parts of whose contents are lost: reading these gives EIO */
    uint64_t stale_files; /* files that may hold bytes which were overwritten or cut off since */
    uint64_t told;        /* findings */
};
/* Takes the workspace over as riad_workspace_open does, and what of these knows most: the local
 * index, a checkpoint and the log behind it, the log. Changes behind a damaged place that are
 * authentic are applied as far as they fit; rows are brought to fit each other. All of that is one
 * step: a new term, whose changes are written and synced before it is claimed; before, nothing is
 * changed. Then two checkpoints are written, damaged ones and damaged parts of the log are given up
 * for them, and the local index is made anew. Damaged contents are left: reading them gives EIO.
 * What changes that are lost did is not known to anybody: names and bytes can be older than they
 * were.
 *
 * checked: what riad_fsck_run said just before: what it found whole is left as it is. report as in
 * riad_fsck_run: each finding is a sentence about a path. config needs what opening
 * needs; keys are taken over. Errors as riad_workspace_open; after one it can be tried again. */
int riad_repair_run(const struct riad_workspace_config *config,
        const struct riad_fsck_result *checked, riad_fsck_report report, void *context,
        struct riad_repair_result *ret, struct riad_reason *ret_reason) RIAD_MUST_CHECK;

#endif
