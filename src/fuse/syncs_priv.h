/* fsync by many at once: one thread syncs, and answers all who asked before its round began. The
 * others' threads are free meanwhile: on a slow store a dozen syncs would take all of them, and
 * every other program would wait as well. */
#ifndef RIAD_SYNCS_PRIV_H
#define RIAD_SYNCS_PRIV_H

#include "riad/workspace.h"

#include "fuse_priv.h"

struct riad_syncs;

/* workspace: borrowed. -ENOMEM. */
int riad_syncs_new(struct riad_workspace *workspace, struct riad_syncs **ret) RIAD_MUST_CHECK;
/* After the transport's threads have ended. NULL is allowed. */
void riad_syncs_free(struct riad_syncs *syncs);
/* Sees to it that the calling transport thread's request is answered when everything before it is
 * durable, or was not to be made so (-EIO, -EROFS, -ESTALE): by a thread that syncs already, or by
 * this one, which then goes on for as long as others ask. An impatient thread never syncs: it
 * replies RIAD_WOULD_WAIT. */
void riad_syncs_ask(struct riad_syncs *syncs, fuse_req_t request);

#endif
