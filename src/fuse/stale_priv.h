/* Pages of the kernel's that riad does not have, or has otherwise.
 *
 * What a program stored through a shared map reaches riad when the kernel writes it back, and may
 * be refused then (no room, expired, immutable). The kernel remembers the error for msync and
 * fsync, but keeps the pages, clean: they would read as if they were stored, until memory is
 * short. So it is told to drop them; the next reader gets what riad has.
 *
 * Whoever tells it waits until the pages are written back, that is for the reply to the very
 * request: it has to be a thread of its own. */
#ifndef RIAD_STALE_PRIV_H
#define RIAD_STALE_PRIV_H

#include <sys/types.h>

#include "riad/types.h"

struct riad_stale;

/* device: /dev/fuse, borrowed. -ENOMEM. */
int riad_stale_new(int device, struct riad_stale **ret) RIAD_MUST_CHECK;
/* Tells of all that is left, then ends the thread; after the transport's threads, before the device
 * is closed. NULL is allowed. */
void riad_stale_free(struct riad_stale *stale);
/* Has the kernel drop the pages that hold any of these bytes (length 0: to the end), soon; pages of
 * them that were stored since are written back before. Any thread; takes no time. Nothing happens
 * if thousands are to be dropped already, or memory is out: the pages then stay until the kernel
 * lets them go. */
void riad_stale_drop(struct riad_stale *stale, uint64_t inode, uint64_t offset, uint64_t length);

/* As an offset: no pages, the attributes and access lists alone. */
#define RIAD_STALE_ATTRIBUTES UINT64_MAX
/* The message itself, at once: FUSE_NOTIFY_INVAL_INODE (linux/fuse.h). length 0: to the end.
 * Waits for the pages' locks, and for their being written back. That the kernel does not know the
 * inode, or is gone, is no error: there is no copy then either. */
void riad_stale_tell(int device, uint64_t inode, uint64_t offset, uint64_t length);
/* Has the kernel look up every name again before it uses it: FUSE_NOTIFY_INC_EPOCH. Before Linux
 * 6.16 nothing happens: names go on naming what they do. */
void riad_stale_names(int device);

#endif
