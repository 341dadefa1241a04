/* Events on their way from workspaces, which must not wait, to the trail, which is a file. */
#ifndef RIAD_EVENT_QUEUE_PRIV_H
#define RIAD_EVENT_QUEUE_PRIV_H

#include "riad/types.h"

enum {
    RIAD_EVENT_QUEUE_TEXT = 320,
    /* More in one minute are counted only: damage that is read over and over must not fill a disk.
     */
    RIAD_EVENTS_PER_MINUTE = 60,
};

struct riad_queued_event {
    struct riad_id workspace;
    char kind[16]; /* as in the trail */
    char text[RIAD_EVENT_QUEUE_TEXT];
};

struct riad_event_queue;

int riad_event_queue_new(struct riad_event_queue **ret) RIAD_MUST_CHECK;
void riad_event_queue_free(struct riad_event_queue *queue);
/* Readable while something may be queued. */
int riad_event_queue_fd(const struct riad_event_queue *queue);
/* Makes the fd readable, with nothing queued. */
void riad_event_queue_wake(struct riad_event_queue *queue);
/* Any thread, never waits. now: seconds of a clock that only goes forward. Said again at once, an
 * event counts once. */
void riad_event_queue_put(struct riad_event_queue *queue, const struct riad_id *workspace,
        const char *kind, const char *text, uint64_t now);
/* Takes the oldest; false: none is left, and *ret_dropped says how many were not queued since they
 * were asked for last. */
bool riad_event_queue_take(
        struct riad_event_queue *queue, struct riad_queued_event *ret, uint64_t *ret_dropped);

#endif
