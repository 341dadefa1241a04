#include <pthread.h>
#include <stdlib.h>

#include "riad/error.h"

#include "reactor_priv.h"

struct riad_reactor {
    struct riad_crew *crew; /* fixed */
    pthread_mutex_t lock;   /* guards ring; held while it is made */
    struct riad_ring *ring;
};

int riad_reactor_new(struct riad_reactor **ret)
{
    struct riad_reactor *reactor = calloc(1, sizeof *reactor);
    int r = reactor ? riad_crew_new(&reactor->crew) : -ENOMEM;

    if (r < 0) {
        free(reactor);
        return r;
    }
    pthread_mutex_init(&reactor->lock, NULL);
    *ret = reactor;
    return 0;
}

void riad_reactor_free(struct riad_reactor *reactor)
{
    if (!reactor) {
        return;
    }
    riad_ring_free(reactor->ring);
    riad_crew_free(reactor->crew);
    pthread_mutex_destroy(&reactor->lock);
    free(reactor);
}

struct riad_crew *riad_reactor_crew(const struct riad_reactor *reactor)
{
    return reactor->crew;
}

int riad_reactor_ring(struct riad_reactor *reactor, unsigned threads, struct riad_ring **ret)
{
    int r = 0;

    pthread_mutex_lock(&reactor->lock);
    if (!reactor->ring) {
        r = riad_ring_new(threads, &reactor->ring);
    }
    *ret = reactor->ring;
    pthread_mutex_unlock(&reactor->lock);
    return r;
}
