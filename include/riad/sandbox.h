/* Layer node. What a process gives up before it meets what is hostile. */
#ifndef RIAD_SANDBOX_H
#define RIAD_SANDBOX_H

#include <sys/types.h>

#include "riad/types.h"

struct riad_account {
    uid_t uid;
    gid_t gid;
};

/* -ENOENT: no such account. */
int riad_account_find(const char *name, struct riad_account *ret) RIAD_MUST_CHECK;
/* Becomes that account for good, with its one group and no capabilities. Before threads start.
 * -EPERM: we are not root. */
int riad_account_become(const struct riad_account *account) RIAD_MUST_CHECK;
/* For good, for all threads, and for what they start: no new privileges; no running of programs, no
 * mounting, tracing, modules, clocks, users and the like; no sockets but AF_UNIX. What is refused
 * gives EPERM. Before threads start. */
int riad_sandbox_enter(void) RIAD_MUST_CHECK;

#endif
