/* Mounts with sync or dirsync: what a request changed is durable before its reply. The kernel does
 * that for WRITE alone (it sends FSYNC), and leaves the rest to the file system. */
#ifndef RIAD_SETTLE_PRIV_H
#define RIAD_SETTLE_PRIV_H

#include "riad/types.h"

struct riad_session;

/* Which requests change names, and which change anything else that WRITE does not. */
bool riad_settle_is_due(bool synchronous, bool directory_synchronous, uint32_t opcode);
/* Whether riad_settle will wait for the store: no work for an impatient thread. */
bool riad_settle_waits(const struct riad_session *session, uint32_t opcode);
/* Before the reply to a request that succeeded. 0 at once where nothing is due; -EIO, -ESTALE: the
 * change is there, but not known durable. */
int riad_settle(const struct riad_session *session, uint32_t opcode) RIAD_MUST_CHECK;

#endif
