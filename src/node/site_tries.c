/* Tries to unlock, by uid: who tries in vain again and again has to wait longer and longer. It
 * slows down a program that guesses by asking riadd; who keeps a copy of a user's file can guess
 * without (docs/SECURITY.md). */
#include <stdlib.h>

#include "control_priv.h"
#include "site_host_priv.h"

enum {
    FREE_TRIES = 20, /* many sessions may unlock at once */
    WAIT_FIRST_MS = 1000,
    WAIT_MAX_MS = 60000,
    FORGET_MS = 600000,
    TABLE_MAX = 1024
};

struct riad_site_try {
    uid_t uid;
    unsigned count;
    int64_t last; /* CLOCK_MONOTONIC ms */
};

/* (tries_lock) The uid's entry; a new one in place of the oldest if there is no more room. */
static struct riad_site_try *find(struct riad_site_host *site, uid_t uid)
{
    struct riad_site_try *oldest = NULL, *grown;

    for (size_t i = 0; i < site->try_count; i++) {
        if (site->tries[i].uid == uid) {
            return &site->tries[i];
        }
        if (!oldest || site->tries[i].last < oldest->last) {
            oldest = &site->tries[i];
        }
    }
    grown = site->try_count < TABLE_MAX
                    ? reallocarray(site->tries, site->try_count + 1, sizeof *grown)
                    : NULL;
    if (grown) {
        site->tries = grown;
        oldest = &grown[site->try_count++];
    }
    if (oldest) {
        *oldest = (struct riad_site_try){ .uid = uid };
    }
    return oldest;
}

static int64_t wait_after(unsigned count)
{
    int64_t wait = WAIT_FIRST_MS;

    if (count < FREE_TRIES) {
        return 0;
    }
    for (unsigned i = FREE_TRIES; i < count && wait < WAIT_MAX_MS; i++) {
        wait *= 2;
    }
    return wait < WAIT_MAX_MS ? wait : WAIT_MAX_MS;
}

int64_t riad_site_try(struct riad_site_host *site, uid_t uid)
{
    int64_t now = riad_control_now(), left = 0;
    struct riad_site_try *entry;

    pthread_mutex_lock(&site->tries_lock);
    entry = find(site, uid);
    if (entry && now - entry->last > FORGET_MS) {
        entry->count = 0;
    }
    if (entry) {
        left = entry->last + wait_after(entry->count) - now;
        left = entry->count < FREE_TRIES || left < 0 ? 0 : left;
    }
    if (entry && left == 0) {
        entry->count++;
        entry->last = now;
    }
    pthread_mutex_unlock(&site->tries_lock);
    return left;
}

void riad_site_tried_well(struct riad_site_host *site, uid_t uid)
{
    pthread_mutex_lock(&site->tries_lock);
    for (size_t i = 0; i < site->try_count; i++) {
        if (site->tries[i].uid == uid) {
            site->tries[i].count = 0;
        }
    }
    pthread_mutex_unlock(&site->tries_lock);
}
