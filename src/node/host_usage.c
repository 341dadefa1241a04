/* What mounts use is remembered for the time when they are closed: when that happens, and once a
 * minute if it changed. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/usage.h"

#include "control_priv.h"
#include "host_priv.h"

enum { LOOK_MS = 60000 };

/* Entries that wait to be written, by whoever comes first for all that came meanwhile: many
 * workspaces that are closed at once are few writes. */
struct riad_usage_queue {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct riad_usage_entry *entries; /* lock */
    size_t count;                     /* lock */
    uint64_t added, written;          /* lock */
    bool writing;                     /* lock */
};

int riad_usage_queue_new(struct riad_usage_queue **ret)
{
    struct riad_usage_queue *queue = calloc(1, sizeof *queue);

    if (!queue) {
        return -ENOMEM;
    }
    pthread_mutex_init(&queue->lock, NULL);
    pthread_cond_init(&queue->changed, NULL);
    *ret = queue;
    return 0;
}

void riad_usage_queue_free(struct riad_usage_queue *queue)
{
    if (queue) {
        pthread_cond_destroy(&queue->changed);
        pthread_mutex_destroy(&queue->lock);
        free(queue->entries);
        free(queue);
    }
}

/* (lock) */
static int put(struct riad_usage_queue *queue, const struct riad_usage_entry *entries, size_t count)
{
    struct riad_usage_entry *grown =
            reallocarray(queue->entries, queue->count + count, sizeof *grown);

    if (!grown) {
        return -ENOMEM;
    }
    memcpy(grown + queue->count, entries, count * sizeof *entries);
    queue->entries = grown;
    queue->count += count;
    queue->added += count;
    return 0;
}

/* (lock, which is let go meanwhile) All that waits. */
static void write_queue(struct riad_usage_queue *queue, const struct riad_state *state)
{
    _cleanup_free_ struct riad_usage_entry *entries = queue->entries;
    size_t count = queue->count;
    uint64_t upto = queue->added;
    int r;

    queue->entries = NULL;
    queue->count = 0;
    queue->writing = true;
    pthread_mutex_unlock(&queue->lock);
    r = riad_usage_remember(state, entries, count);
    if (r < 0) {
        riad_diag(RIAD_WARNING, "what workspaces use cannot be remembered in %s: %s", state->path,
                strerror(-r));
    }
    pthread_mutex_lock(&queue->lock);
    queue->writing = false;
    queue->written = upto;
    pthread_cond_broadcast(&queue->changed);
}

void riad_usage_queue_write(struct riad_usage_queue *queue, const struct riad_state *state,
        const struct riad_usage_entry *entries, size_t count)
{
    uint64_t ticket;

    pthread_mutex_lock(&queue->lock);
    if (put(queue, entries, count) == 0) {
        ticket = queue->added;
        while (queue->written < ticket) {
            if (queue->writing) {
                pthread_cond_wait(&queue->changed, &queue->lock);
            } else {
                write_queue(queue, state);
            }
        }
    }
    pthread_mutex_unlock(&queue->lock);
}

/* What an open workspace uses now. */
static int measure(
        const struct riad_host *host, const struct riad_mount *mount, struct riad_usage_entry *ret)
{
    struct riad_workspace_status status;
    int r = riad_workspace_status(mount->workspace, &status);

    if (r < 0) {
        return r;
    }
    *ret = (struct riad_usage_entry){ .store = host->unlocked.store.binding.store,
        .workspace = mount->id,
        .bytes = status.usage.blocks * RIAD_BLOCK_SIZE,
        .inodes = status.usage.inodes,
        .bytes_over_since = status.blocks_over_since,
        .inodes_over_since = status.inodes_over_since,
        .when = (uint64_t)time(NULL) };
    return 0;
}

void riad_host_remember(struct riad_host *host, const struct riad_mount *mount)
{
    struct riad_usage_entry entry;

    if (measure(host, mount, &entry) == 0) {
        riad_usage_queue_write(host->usage, &host->state, &entry, 1);
    }
}

int riad_host_measure(struct riad_host *host, struct riad_usage_list *ret)
{
    struct riad_usage_list list = { calloc(host->mount_count + 1, sizeof *list.entries), 0 };

    if (!list.entries) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (riad_host_hold(host, mount)) {
            list.count += measure(host, mount, &list.entries[list.count]) == 0;
            riad_host_unhold(host, mount);
        }
    }
    riad_usage_tidy(&list);
    *ret = list;
    return 0;
}

static bool is_same(const struct riad_usage_entry *a, const struct riad_usage_entry *b)
{
    return a->bytes == b->bytes && a->inodes == b->inodes &&
           a->bytes_over_since == b->bytes_over_since &&
           a->inodes_over_since == b->inodes_over_since;
}

/* Whether it changed since it was looked at last. */
static bool look(struct riad_host *host, struct riad_mount *mount, struct riad_usage_entry *ret)
{
    bool changed = false;

    if (!riad_host_hold(host, mount)) {
        return false;
    }
    if (measure(host, mount, ret) == 0) {
        changed = mount->looked.when == 0 || !is_same(&mount->looked, ret);
        mount->looked = *ret;
    }
    riad_host_unhold(host, mount);
    return changed;
}

int riad_host_follow_usage(struct riad_host *host)
{
    int64_t now = riad_control_now(), left = host->usage_due - now;
    _cleanup_free_ struct riad_usage_entry *entries = NULL;
    size_t count = 0;

    if (riad_host_count(host) == 0) {
        return -1;
    }
    if (host->usage_due > 0 && left > 0) {
        return (int)left;
    }
    host->usage_due = now + LOOK_MS;
    entries = calloc(host->mount_count + 1, sizeof *entries);
    for (size_t i = 0; entries && i < host->mount_count; i++) {
        count += look(host, &host->mounts[i], &entries[count]);
    }
    if (count > 0) {
        riad_usage_queue_write(host->usage, &host->state, entries, count);
    }
    return LOOK_MS;
}
