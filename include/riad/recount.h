/* Layer core. Counting anew, in a workspace that is in use, what its limits are about. */
#ifndef RIAD_RECOUNT_H
#define RIAD_RECOUNT_H

#include "riad/workspace.h"

/* Counts each inode's charge and the sums over inodes in a snapshot of now: who uses the workspace
 * goes on. function is told each that is kept otherwise. repair: those are mended, charges by
 * changes of the log, sums in the index, by the difference that was found: what was used meanwhile
 * counts. *ret_found: how many. For threads that may wait; one at a time, of all workspaces.
 * -EROFS, -ESTALE as a change; -EUCLEAN the index cannot be read: unmount, and remove it. */
int riad_workspace_recount(struct riad_workspace *workspace, bool repair,
        riad_miscount_function function, void *context, uint64_t *ret_found) RIAD_MUST_CHECK;

#endif
