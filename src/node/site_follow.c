/* What other nodes write into the catalog is followed, and what is used of limits is looked at,
 * also when nobody asks for anything. */
#include <time.h>

#include "riad/error.h"
#include "riad/thread.h"

#include "site_host_priv.h"

enum { EVERY_SECONDS = 5 };

/* False: it is to end. */
static bool wait_a_while(struct riad_site_host *site)
{
    struct timespec until = { 0 };
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += EVERY_SECONDS;
    pthread_mutex_lock(&site->follower_lock);
    while (!site->follower_ends && r == 0) {
        r = pthread_cond_timedwait(&site->follower_wake, &site->follower_lock, &until);
    }
    r = site->follower_ends ? -ECANCELED : 0;
    pthread_mutex_unlock(&site->follower_lock);
    return r == 0;
}

/* Whoever asks for something is told why the catalog cannot be had; here it is tried again. */
static void look(struct riad_site_host *site)
{
    struct riad_reason reason = { "" };

    pthread_mutex_lock(&site->lock);
    if (riad_site_host_refresh(site, &reason) == RIAD_EXIT_DONE) {
        riad_site_watch_subjects(site);
    }
    pthread_mutex_unlock(&site->lock);
}

static void *follow(void *argument)
{
    struct riad_site_host *site = argument;

    while (wait_a_while(site)) {
        if (riad_host_count(&site->host) > 0) {
            look(site);
        }
    }
    return NULL;
}

int riad_site_follower_start(struct riad_site_host *site, pthread_t *ret)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&site->follower_lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&site->follower_wake, &attributes);
    pthread_condattr_destroy(&attributes);
    return riad_thread_start("riad-follow", follow, site, ret);
}

void riad_site_follower_end(struct riad_site_host *site, pthread_t follower)
{
    pthread_mutex_lock(&site->follower_lock);
    site->follower_ends = true;
    pthread_cond_signal(&site->follower_wake);
    pthread_mutex_unlock(&site->follower_lock);
    pthread_join(follower, NULL);
}
