/* Layer fuse. The threads that answer the requests of all mounts of a process: one a processor for
 * FUSE over io_uring, a few for /dev/fuse. Mounts that nobody uses cost none. */
#ifndef RIAD_REACTOR_H
#define RIAD_REACTOR_H

#include "riad/types.h"

struct riad_reactor;

/* Threads come with the first mount. -ENOMEM, -EMFILE. */
int riad_reactor_new(struct riad_reactor **ret) RIAD_MUST_CHECK;
/* When all sessions that were given it are freed. NULL is allowed. */
void riad_reactor_free(struct riad_reactor *reactor);

#endif
