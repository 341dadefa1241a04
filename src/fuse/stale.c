#include <linux/fuse.h>
#include <stdlib.h>
#include <unistd.h>

#include "riad/error.h"

#include "pool_priv.h"
#include "raw_abi_priv.h"
#include "stale_priv.h"

enum { DROPS_MAX = 4096 };

struct riad_stale {
    int device;
    struct riad_pool *pool; /* of one thread, while there is something to drop */
};

struct pages {
    uint64_t inode, offset, length;
};

struct notification {
    struct fuse_out_header header;
    struct fuse_notify_inval_inode_out body;
};

void riad_stale_tell(int device, uint64_t inode, uint64_t offset, uint64_t length)
{
    struct notification notification = {
        .header = { .len = sizeof notification, .error = FUSE_NOTIFY_INVAL_INODE },
        .body = { .ino = inode, .off = (int64_t)offset, .len = (int64_t)length },
    };
    ssize_t n = write(device, &notification, sizeof notification);

    (void)n;
}

void riad_stale_names(int device)
{
    const struct fuse_out_header header = { .len = sizeof header,
        .error = RIAD_FUSE_NOTIFY_INC_EPOCH };
    ssize_t n = write(device, &header, sizeof header);

    (void)n;
}

static void drop(void *context, void *item)
{
    const struct riad_stale *stale = context;
    struct pages *pages = item;

    riad_stale_tell(stale->device, pages->inode, pages->offset, pages->length);
    free(pages);
}

int riad_stale_new(int device, struct riad_stale **ret)
{
    struct riad_stale *stale = calloc(1, sizeof *stale);
    struct riad_pool_config pool = {
        .threads = 1, .capacity = DROPS_MAX, .work = drop, .context = stale
    };
    int r = stale ? riad_pool_new(&pool, &stale->pool) : -ENOMEM;

    if (r < 0) {
        free(stale);
        return r;
    }
    stale->device = device;
    *ret = stale;
    return 0;
}

void riad_stale_free(struct riad_stale *stale)
{
    if (stale) {
        riad_pool_free(stale->pool);
        free(stale);
    }
}

void riad_stale_drop(struct riad_stale *stale, uint64_t inode, uint64_t offset, uint64_t length)
{
    struct pages *pages = calloc(1, sizeof *pages);

    if (!pages) {
        return;
    }
    *pages = (struct pages){ inode, offset, length };
    if (riad_pool_put(stale->pool, pages) < 0) {
        free(pages);
    }
}
