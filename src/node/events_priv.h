/* The form of a line of the trail, shared by who writes and who reads it. */
#ifndef RIAD_EVENTS_PRIV_H
#define RIAD_EVENTS_PRIV_H

#include "riad/events.h"

#define RIAD_EVENTS_FILE "events"

enum { RIAD_EVENT_LINE_MAX = 2048 }; /* with its newline */

/* Opens STATE/events with these flags besides those that keep other things than files out. fd or
 * negative errno; -EMEDIUMTYPE. */
int riad_events_open(const struct riad_state *state, int flags) RIAD_MUST_CHECK;
/* size: without the newline. */
int riad_event_hash(const char *line, size_t size, struct riad_hash *ret) RIAD_MUST_CHECK;
/* The object of a line, checked: number, previous, time and event are there; new reference. NULL:
 * it is none. */
json_t *riad_event_parse(
        const char *line, size_t size, uint64_t *ret_number, struct riad_hash *ret_previous);

#endif
