#include <pthread.h>

#include "riad/error.h"
#include "riad/patience.h"
#include "riad/sysops.h"

#include "fd_cache_priv.h"

enum { SLOTS = 64 };

struct slot {
    uint64_t segment;
    uint64_t used; /* clock of the last acquire; 0: empty */
    unsigned users;
    bool forgotten; /* not found any more; closed by its last user */
    int fd;
};

struct riad_fd_cache {
    int workspace_fd; /* immutable */
    pthread_mutex_t lock;
    struct slot slots[SLOTS]; /* lock */
    uint64_t clock;           /* lock */
    struct riad_hits hits;    /* lock */
};

int riad_fd_cache_new(int workspace_fd, struct riad_fd_cache **ret)
{
    struct riad_fd_cache *cache = calloc(1, sizeof *cache);

    if (!cache) {
        return -ENOMEM;
    }
    cache->workspace_fd = workspace_fd;
    pthread_mutex_init(&cache->lock, NULL);
    *ret = cache;
    return 0;
}

/* Nothing was written through these descriptors: closing cannot lose anything. */
static void close_quietly(int fd)
{
    if (fd >= 0) {
        (void)riad_sys->close(fd);
    }
}

void riad_fd_cache_free(struct riad_fd_cache *cache)
{
    for (int i = 0; i < SLOTS; i++) {
        if (cache->slots[i].used > 0) {
            close_quietly(cache->slots[i].fd);
        }
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}

/* (lock) */
static int find_slot(const struct riad_fd_cache *cache, uint64_t segment)
{
    for (int i = 0; i < SLOTS; i++) {
        const struct slot *slot = &cache->slots[i];

        if (slot->used > 0 && slot->segment == segment && !slot->forgotten) {
            return i;
        }
    }
    return -1;
}

/* (lock) The least recently used slot that nobody uses; -1 if all are in use. */
static int find_victim(const struct riad_fd_cache *cache)
{
    int victim = -1;

    for (int i = 0; i < SLOTS; i++) {
        const struct slot *slot = &cache->slots[i];

        if (slot->users == 0 && (victim < 0 || slot->used < cache->slots[victim].used)) {
            victim = i;
        }
    }
    return victim;
}

/* (lock) */
static bool use_cached(struct riad_fd_cache *cache, uint64_t segment, struct riad_fd_use *ret)
{
    int i = find_slot(cache, segment);

    if (i < 0) {
        return false;
    }
    cache->slots[i].users++;
    cache->slots[i].used = ++cache->clock;
    *ret = (struct riad_fd_use){ cache->slots[i].fd, i };
    return true;
}

/* (lock) Puts an opened file into a slot; returns the descriptor to be closed, or -1. */
static int install(struct riad_fd_cache *cache, uint64_t segment, int fd, struct riad_fd_use *ret)
{
    int i, old;

    if (use_cached(cache, segment, ret)) {
        return fd; /* another thread was faster */
    }
    i = find_victim(cache);
    *ret = (struct riad_fd_use){ fd, i };
    if (i < 0) {
        return -1;
    }
    old = cache->slots[i].used > 0 ? cache->slots[i].fd : -1;
    cache->slots[i] = (struct slot){ segment, ++cache->clock, 1, false, fd };
    return old;
}

int riad_fd_cache_acquire(struct riad_fd_cache *cache, uint64_t segment, struct riad_fd_use *ret)
{
    bool patient = riad_is_patient(), hit;
    int fd;

    pthread_mutex_lock(&cache->lock);
    hit = use_cached(cache, segment, ret);
    cache->hits.hits += hit;
    cache->hits.misses += !hit && patient;
    pthread_mutex_unlock(&cache->lock);
    if (hit) {
        return 0;
    }
    if (!patient) {
        return RIAD_WOULD_WAIT; /* a patient thread comes back for it */
    }
    fd = riad_segment_open(cache->workspace_fd, RIAD_SEGMENT_LOG, segment);
    if (fd == -ENOENT) {
        fd = riad_segment_open(cache->workspace_fd, RIAD_SEGMENT_DATA, segment);
    }
    if (fd < 0) {
        return fd;
    }
    pthread_mutex_lock(&cache->lock);
    fd = install(cache, segment, fd, ret);
    pthread_mutex_unlock(&cache->lock);
    close_quietly(fd);
    return 0;
}

void riad_fd_cache_count(struct riad_fd_cache *cache, struct riad_hits *ret)
{
    pthread_mutex_lock(&cache->lock);
    *ret = cache->hits;
    pthread_mutex_unlock(&cache->lock);
}

void riad_fd_cache_release(struct riad_fd_cache *cache, const struct riad_fd_use *use)
{
    struct slot *slot;
    int fd = -1;

    if (use->slot < 0) {
        close_quietly(use->fd);
        return;
    }
    pthread_mutex_lock(&cache->lock);
    slot = &cache->slots[use->slot];
    slot->users--;
    if (slot->users == 0 && slot->forgotten) {
        fd = slot->fd;
        *slot = (struct slot){ 0 };
    }
    pthread_mutex_unlock(&cache->lock);
    close_quietly(fd);
}

void riad_fd_cache_forget(struct riad_fd_cache *cache, uint64_t segment)
{
    int fd = -1;
    int i;

    pthread_mutex_lock(&cache->lock);
    i = find_slot(cache, segment);
    if (i >= 0) {
        cache->slots[i].forgotten = true;
        if (cache->slots[i].users == 0) {
            fd = cache->slots[i].fd;
            cache->slots[i] = (struct slot){ 0 };
        }
    }
    pthread_mutex_unlock(&cache->lock);
    close_quietly(fd);
}
