#include <pthread.h>
#include <stdlib.h>

#include "riad/error.h"
#include "riad/thread.h"

#include "pool_priv.h"

enum { IDLE_SECONDS = 5 };

struct riad_pool {
    struct riad_pool_config config;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t work;
    pthread_cond_t left;
    unsigned threads;
    unsigned idle;
    unsigned first, count; /* of items, a circle */
    bool ended;
    void *items[];
};

int riad_pool_new(const struct riad_pool_config *config, struct riad_pool **ret)
{
    struct riad_pool *pool = calloc(1, sizeof *pool + config->capacity * sizeof pool->items[0]);
    int r;

    if (!pool) {
        return -ENOMEM;
    }
    r = riad_condition_init(&pool->work);
    if (r < 0) {
        free(pool);
        return r;
    }
    pool->config = *config;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->left, NULL);
    *ret = pool;
    return 0;
}

/* (lock) False: time to leave. */
static bool await_work(struct riad_pool *pool)
{
    struct timespec until;
    int r = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += IDLE_SECONDS;
    pool->idle++;
    while (pool->count == 0 && !pool->ended && r == 0) {
        r = pthread_cond_timedwait(&pool->work, &pool->lock, &until);
    }
    pool->idle--;
    return pool->count > 0;
}

/* (lock) */
static void *take(struct riad_pool *pool)
{
    void *item = pool->items[pool->first];

    pool->first = (pool->first + 1) % pool->config.capacity;
    pool->count--;
    return item;
}

static void *run(void *argument)
{
    struct riad_pool *pool = argument;

    pthread_mutex_lock(&pool->lock);
    while (await_work(pool)) {
        void *item = take(pool);

        pthread_mutex_unlock(&pool->lock);
        pool->config.work(pool->config.context, item);
        pthread_mutex_lock(&pool->lock);
    }
    pool->threads--;
    pthread_cond_signal(&pool->left);
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

/* (lock) Where none can be started, others take the work. */
static void start_thread(struct riad_pool *pool)
{
    int r = riad_thread_start("riad-fuse-slow", run, pool, NULL);

    pool->threads += r >= 0;
}

int riad_pool_put(struct riad_pool *pool, void *item)
{
    int r = 0;

    pthread_mutex_lock(&pool->lock);
    if (pool->idle <= pool->count && pool->threads < pool->config.threads) {
        start_thread(pool);
    }
    if (pool->threads == 0 || pool->count == pool->config.capacity) {
        r = -EAGAIN;
    } else {
        pool->items[(pool->first + pool->count++) % pool->config.capacity] = item;
        pthread_cond_signal(&pool->work);
    }
    pthread_mutex_unlock(&pool->lock);
    return r;
}

/* Detached threads touch the pool until they let the lock go for the last time. */
void riad_pool_free(struct riad_pool *pool)
{
    if (!pool) {
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->ended = true;
    pthread_cond_broadcast(&pool->work);
    while (pool->threads > 0) {
        pthread_cond_wait(&pool->left, &pool->lock);
    }
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_destroy(&pool->left);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}
