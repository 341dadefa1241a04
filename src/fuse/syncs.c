#include <pthread.h>
#include <stdlib.h>

#include "riad/patience.h"

#include "reply_priv.h"
#include "syncs_priv.h"
#include "worker_priv.h"

struct waiting {
    struct waiting *next;
    fuse_req_t request;
    struct riad_held held;
};

struct riad_syncs {
    struct riad_workspace *workspace;
    pthread_mutex_t lock; /* guards what follows */
    struct waiting *waiting;
    bool syncing; /* a thread answers whoever waits */
};

int riad_syncs_new(struct riad_workspace *workspace, struct riad_syncs **ret)
{
    struct riad_syncs *syncs = calloc(1, sizeof *syncs);

    if (!syncs) {
        return -ENOMEM;
    }
    syncs->workspace = workspace;
    pthread_mutex_init(&syncs->lock, NULL);
    *ret = syncs;
    return 0;
}

void riad_syncs_free(struct riad_syncs *syncs)
{
    if (syncs) {
        pthread_mutex_destroy(&syncs->lock);
        free(syncs);
    }
}

/* NULL: nobody waits, and this thread syncs no more. */
static struct waiting *take_all(struct riad_syncs *syncs)
{
    struct waiting *all;

    pthread_mutex_lock(&syncs->lock);
    all = syncs->waiting;
    syncs->waiting = NULL;
    syncs->syncing = all != NULL;
    pthread_mutex_unlock(&syncs->lock);
    return all;
}

static void answer_all(struct waiting *all, int result)
{
    while (all) {
        struct waiting *next = all->next;
        struct riad_worker before;

        riad_worker_resume(&all->held, &before);
        riad_reply_error(all->request, result);
        riad_worker_resumed(&before);
        free(all);
        all = next;
    }
}

/* 1: the calling thread must sync; 0: another one will. RIAD_WOULD_WAIT: nobody does, and this
 * thread must not. */
static int enlist(struct riad_syncs *syncs, struct waiting *waiting)
{
    int r;

    pthread_mutex_lock(&syncs->lock);
    r = syncs->syncing ? 0 : riad_is_patient() ? 1 : RIAD_WOULD_WAIT;
    if (r >= 0) {
        riad_worker_hold(&waiting->held);
        waiting->next = syncs->waiting;
        syncs->waiting = waiting;
        syncs->syncing = true;
    }
    pthread_mutex_unlock(&syncs->lock);
    return r;
}

void riad_syncs_ask(struct riad_syncs *syncs, fuse_req_t request)
{
    struct waiting *waiting = calloc(1, sizeof *waiting);
    int r;

    if (!waiting) {
        riad_reply_error(request, riad_workspace_sync(syncs->workspace));
        return;
    }
    waiting->request = request;
    r = enlist(syncs, waiting);
    if (r < 0) {
        free(waiting);
        riad_reply_error(request, r);
    }
    while (r > 0 && (waiting = take_all(syncs))) {
        answer_all(waiting, riad_workspace_sync(syncs->workspace));
    }
}
