/* What workspaces say reaches the trail: queued by any thread, written by the main one. */
#include <string.h>
#include <time.h>

#include "riad/events.h"

#include "host_priv.h"
#include "site_host_priv.h"

static uint64_t seconds(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec + 60; /* the first minute has begun */
}

void riad_host_queue_event(
        struct riad_host *host, const struct riad_id *workspace, const char *kind, const char *text)
{
    riad_event_queue_put(host->events, workspace, kind, text, seconds());
}

void riad_host_hear(void *context, const char *text)
{
    const struct riad_mount *mount = context;

    riad_host_queue_event(mount->host, &mount->id, "problem", text);
}

void riad_host_hear_limit(void *context, const char *text)
{
    const struct riad_mount *mount = context;

    riad_host_queue_event(mount->host, &mount->id, "limit", text);
}

void riad_host_record(struct riad_host *host)
{
    const struct riad_id *store = &host->unlocked.store.binding.store;
    struct riad_queued_event event;
    uint64_t dropped = 0;

    while (riad_event_queue_take(host->events, &event, &dropped)) {
        riad_events_record(&host->state, event.kind, store,
                riad_id_is_zero(&event.workspace) ? NULL : &event.workspace, "%s", event.text);
        if (host->site && strcmp(event.kind, "limit") == 0) {
            riad_site_tell_limit(host->site, &event.workspace, event.text);
        }
    }
    if (dropped > 0) {
        riad_events_record(&host->state, "problem", store, NULL,
                "%llu more events in a minute: they are not recorded", (unsigned long long)dropped);
    }
}
