/* A mount's part of a ring: its entries, and where they are. */
#include <stdlib.h>

#include "riad/error.h"

#include "ring_thread_priv.h"

unsigned riad_ring_entries(const struct riad_ring_mount *mount)
{
    return mount->ring->queues * mount->ring->depth;
}

static void init_entries(struct riad_ring_mount *mount)
{
    struct riad_ring *ring = mount->ring;

    for (unsigned i = 0; i < riad_ring_entries(mount); i++) {
        unsigned queue = i / ring->depth;

        riad_ring_entry_init(&mount->entries[i], mount->memory, i, (uint16_t)queue);
        mount->entries[i].mount = mount;
        mount->entries[i].thread = &ring->threads[queue % ring->count];
        mount->entries[i].device = mount->config.device;
    }
}

int riad_ring_attach(struct riad_ring *ring, const struct riad_ring_mount_config *config,
        struct riad_ring_mount **ret)
{
    struct riad_ring_mount *mount =
            calloc(1, sizeof *mount + ring->count * sizeof mount->orders[0]);

    if (!mount) {
        return -ENOMEM;
    }
    mount->ring = ring;
    mount->config = *config;
    pthread_mutex_init(&mount->lock, NULL);
    pthread_cond_init(&mount->changed, NULL);
    mount->entries = calloc(riad_ring_entries(mount), sizeof *mount->entries);
    if (!mount->entries || riad_ring_memory_new(riad_ring_entries(mount), &mount->memory) < 0) {
        riad_ring_detach(mount);
        return -ENOMEM;
    }
    init_entries(mount);
    *ret = mount;
    return 0;
}

void riad_ring_mount_report(struct riad_ring_mount *mount, int result, unsigned entries)
{
    pthread_mutex_lock(&mount->lock);
    mount->reports++;
    mount->alive += entries;
    mount->error = mount->error < 0 ? mount->error : result;
    pthread_cond_broadcast(&mount->changed);
    pthread_mutex_unlock(&mount->lock);
}

void riad_ring_mount_lost(struct riad_ring_mount *mount)
{
    pthread_mutex_lock(&mount->lock);
    if (--mount->alive == 0) {
        pthread_cond_broadcast(&mount->changed);
    }
    pthread_mutex_unlock(&mount->lock);
}

int riad_ring_register(struct riad_ring_mount *mount)
{
    struct riad_ring *ring = mount->ring;
    int r;

    for (unsigned i = 0; i < ring->count; i++) {
        mount->orders[i].mount = mount;
        riad_ring_thread_order(&ring->threads[i], &mount->orders[i]);
    }
    pthread_mutex_lock(&mount->lock);
    while (mount->reports < ring->count) {
        pthread_cond_wait(&mount->changed, &mount->lock);
    }
    r = mount->error;
    pthread_mutex_unlock(&mount->lock);
    return r;
}

void riad_ring_await_end(struct riad_ring_mount *mount)
{
    if (!mount) {
        return;
    }
    pthread_mutex_lock(&mount->lock);
    while (mount->alive > 0) {
        pthread_cond_wait(&mount->changed, &mount->lock);
    }
    pthread_mutex_unlock(&mount->lock);
}

void riad_ring_detach(struct riad_ring_mount *mount)
{
    if (!mount) {
        return;
    }
    riad_ring_memory_free(mount->memory, riad_ring_entries(mount));
    pthread_cond_destroy(&mount->changed);
    pthread_mutex_destroy(&mount->lock);
    free(mount->entries);
    free(mount);
}
