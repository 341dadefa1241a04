#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "event_queue_priv.h"

enum { MINUTE = 60 };

struct riad_event_queue {
    int wake;             /* constant */
    pthread_mutex_t lock; /* guards all below; innermost */
    struct riad_queued_event items[RIAD_EVENTS_PER_MINUTE];
    size_t first, count;
    uint64_t minute; /* when it began */
    size_t put;      /* in it */
    uint64_t dropped;
    struct riad_queued_event last;
};

int riad_event_queue_new(struct riad_event_queue **ret)
{
    struct riad_event_queue *queue = calloc(1, sizeof *queue);

    if (!queue) {
        return -ENOMEM;
    }
    queue->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (queue->wake < 0) {
        free(queue);
        return -errno;
    }
    pthread_mutex_init(&queue->lock, NULL);
    *ret = queue;
    return 0;
}

void riad_event_queue_free(struct riad_event_queue *queue)
{
    if (queue) {
        riad_close_fd(&queue->wake);
        pthread_mutex_destroy(&queue->lock);
        free(queue);
    }
}

int riad_event_queue_fd(const struct riad_event_queue *queue)
{
    return queue->wake;
}

void riad_event_queue_wake(struct riad_event_queue *queue)
{
    eventfd_write(queue->wake, 1);
}

/* Counts the event; false: it is not to be queued. */
static bool admit(
        struct riad_event_queue *queue, const struct riad_queued_event *event, uint64_t now)
{
    if (now - queue->minute >= MINUTE) {
        queue->minute = now;
        queue->put = 0;
        memset(&queue->last, 0, sizeof queue->last);
    }
    if (memcmp(event, &queue->last, sizeof *event) == 0) {
        return false;
    }
    queue->last = *event;
    if (queue->put == RIAD_EVENTS_PER_MINUTE || queue->count == RIAD_EVENTS_PER_MINUTE) {
        queue->dropped++;
        return false;
    }
    queue->put++;
    return true;
}

void riad_event_queue_put(struct riad_event_queue *queue, const struct riad_id *workspace,
        const char *kind, const char *text, uint64_t now)
{
    struct riad_queued_event event;

    memset(&event, 0, sizeof event);
    event.workspace = *workspace;
    snprintf(event.kind, sizeof event.kind, "%s", kind);
    snprintf(event.text, sizeof event.text, "%s", text);
    pthread_mutex_lock(&queue->lock);
    if (admit(queue, &event, now)) {
        queue->items[(queue->first + queue->count++) % RIAD_EVENTS_PER_MINUTE] = event;
    }
    pthread_mutex_unlock(&queue->lock);
    riad_event_queue_wake(queue);
}

bool riad_event_queue_take(
        struct riad_event_queue *queue, struct riad_queued_event *ret, uint64_t *ret_dropped)
{
    eventfd_t ignored;
    bool taken;

    (void)eventfd_read(queue->wake, &ignored); /* before looking: what comes later wakes again */
    pthread_mutex_lock(&queue->lock);
    taken = queue->count > 0;
    if (taken) {
        *ret = queue->items[queue->first];
        queue->first = (queue->first + 1) % RIAD_EVENTS_PER_MINUTE;
        queue->count--;
    } else {
        *ret_dropped = queue->dropped;
        queue->dropped = 0;
    }
    pthread_mutex_unlock(&queue->lock);
    return taken;
}
