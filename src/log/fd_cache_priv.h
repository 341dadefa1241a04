/* Open segments for reading: at most 64 descriptors are kept; one in use is never closed under its
 * user. Thread-safe with a lock of its own that is not held while a file is opened or closed. */
#ifndef RIAD_FD_CACHE_PRIV_H
#define RIAD_FD_CACHE_PRIV_H

#include "segment_priv.h"

struct riad_fd_cache;

/* A descriptor in use. */
struct riad_fd_use {
    int fd;
    int slot; /* -1: not cached, closed on release */
};

int riad_fd_cache_new(int workspace_fd, struct riad_fd_cache **ret) RIAD_MUST_CHECK;
/* Nothing may be in use. */
void riad_fd_cache_free(struct riad_fd_cache *cache);
/* Opens log/<segment>, else data/<segment>. -ENOENT, -EBADMSG if it is no file, other errno of the
 * store. */
int riad_fd_cache_acquire(
        struct riad_fd_cache *cache, uint64_t segment, struct riad_fd_use *ret) RIAD_MUST_CHECK;
/* Since it was made. */
void riad_fd_cache_count(struct riad_fd_cache *cache, struct riad_hits *ret);
void riad_fd_cache_release(struct riad_fd_cache *cache, const struct riad_fd_use *use);
/* The next acquire opens the file anew. */
void riad_fd_cache_forget(struct riad_fd_cache *cache, uint64_t segment);

RIAD_DEFINE_CLEANUP(struct riad_fd_cache, riad_fd_cache_free);

#endif
