#include <linux/fuse.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "riad/error.h"

#include "listings_priv.h"
#include "stale_priv.h"

enum { SLOTS = 256 };

struct slot {
    uint64_t directory; /* 0: free */
    uint64_t cookie;
    struct riad_listing_end end;
};

struct riad_listings {
    int device;
    struct riad_stale *stale; /* of its own: the session's may wait for the store */
    pthread_mutex_t lock;     /* guards slots */
    struct slot slots[SLOTS];
};

static uint32_t page_size(void)
{
    return (uint32_t)sysconf(_SC_PAGESIZE);
}

void riad_listings_drop_now(struct riad_listings *listings, uint64_t directory)
{
    riad_stale_tell(listings->device, directory, 0, 0);
}

int riad_listings_new(int device, struct riad_listings **ret)
{
    struct riad_listings *listings = calloc(1, sizeof *listings);
    int r = listings ? riad_stale_new(device, &listings->stale) : -ENOMEM;

    if (r < 0) {
        free(listings);
        return r;
    }
    listings->device = device;
    pthread_mutex_init(&listings->lock, NULL);
    *ret = listings;
    return 0;
}

void riad_listings_free(struct riad_listings *listings)
{
    if (!listings) {
        return;
    }
    riad_stale_free(listings->stale);
    pthread_mutex_destroy(&listings->lock);
    free(listings);
}

static struct slot *slot_of(struct riad_listings *listings, uint64_t directory, uint64_t cookie)
{
    uint64_t mixed = (directory * 31 + cookie) * UINT64_C(0x9e3779b97f4a7c15);

    return &listings->slots[(mixed >> 32) % SLOTS];
}

struct riad_listing_end riad_listings_find(
        struct riad_listings *listings, uint64_t directory, uint64_t cookie)
{
    struct riad_listing_end end = { .known = cookie == 0 };
    struct slot *slot = slot_of(listings, directory, cookie);

    pthread_mutex_lock(&listings->lock);
    if (cookie != 0 && slot->directory == directory && slot->cookie == cookie) {
        end = slot->end;
    }
    pthread_mutex_unlock(&listings->lock);
    return end;
}

void riad_listings_note(struct riad_listings *listings, uint64_t directory, uint64_t cookie,
        struct riad_listing_end end)
{
    struct slot *slot = slot_of(listings, directory, cookie);

    pthread_mutex_lock(&listings->lock);
    *slot = (struct slot){ directory, cookie, end };
    pthread_mutex_unlock(&listings->lock);
}

/* An entry that does not fit begins the next page. */
void riad_listing_add(struct riad_listing_end *end, size_t name_size)
{
    uint32_t size = (uint32_t)FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + name_size);

    end->used = end->used + size > page_size() ? size : end->used + size;
}

bool riad_listing_misleads(struct riad_listing_end end)
{
    return !end.known || end.used == page_size();
}

void riad_listings_drop(struct riad_listings *listings, uint64_t directory)
{
    riad_stale_drop(listings->stale, directory, 0, 0);
}
