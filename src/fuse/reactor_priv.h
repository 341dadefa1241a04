/* What mounts take from the reactor that they share. */
#ifndef RIAD_REACTOR_PRIV_H
#define RIAD_REACTOR_PRIV_H

#include "riad/reactor.h"

#include "crew_priv.h"
#include "ring_priv.h"

/* Has locks of its own. */
struct riad_crew *riad_reactor_crew(const struct riad_reactor *reactor);
/* The ring, which is made when it is first asked for, with at most so many threads. Any thread.
 * -ENOSYS, -EPERM, -ENOMEM: no io_uring for this process. */
int riad_reactor_ring(
        struct riad_reactor *reactor, unsigned threads, struct riad_ring **ret) RIAD_MUST_CHECK;

#endif
