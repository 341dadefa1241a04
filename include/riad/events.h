/* Layer node. The audit trail of a local state: one JSON object a line in STATE/events, each with
 * the hash of the line before (E1), so that a line that was changed, taken out or put in shows.
 * What the end of the trail was must be kept elsewhere to see that it was cut (docs/SECURITY.md).
 * Events name stores and workspaces by id only: names are secret at rest. */
#ifndef RIAD_EVENTS_H
#define RIAD_EVENTS_H

#include <jansson.h>

#include "riad/state.h"

/* Longer texts are cut. */
enum { RIAD_EVENT_TEXT_MAX = 512 };

/* kind: of the list in docs/ADMIN.md, such as "unlocked". store, workspace: NULL where there is
 * none. text: a sentence or half of one, without names and paths. */
struct riad_event {
    const char *kind;
    const struct riad_id *store;
    const struct riad_id *workspace;
    const char *text;
};

/* Appends the event with time, uid and pid of the caller, durably. A line that a crash cut short is
 * removed first; nothing else ever is. Waits for other processes that append (flock), so never
 * under a lock. -ENOSPC and other errors of the disk; -EMEDIUMTYPE if STATE/events is no file. */
int riad_events_append(
        const struct riad_state *state, const struct riad_event *event) RIAD_MUST_CHECK;
/* Many, one after the other, with one write. */
int riad_events_append_all(const struct riad_state *state, const struct riad_event *events,
        size_t count) RIAD_MUST_CHECK;
/* The same for those who go on in any case: what could not be recorded is a warning. */
void riad_events_record(const struct riad_state *state, const char *kind,
        const struct riad_id *store, const struct riad_id *workspace, const char *format, ...)
        __attribute__((format(printf, 5, 6)));

void riad_events_record_all(
        const struct riad_state *state, const struct riad_event *events, size_t count);

/* The text in printable ASCII, `?` for all else, cut at max: nothing that is shown moves a
 * terminal. ret has max + 1 bytes; returned. */
char *riad_event_clean(const char *text, size_t max, char *ret);

struct riad_event_line {
    const json_t *object;  /* NULL: the line is no event. Borrowed */
    uint64_t number;       /* as it says */
    struct riad_hash hash; /* of this line: what the next one carries */
    bool follows;          /* the one before, or begins the trail (E1) */
};
/* A result other than 0 ends the reading. */
typedef int (*riad_events_function)(void *context, const struct riad_event_line *line);

/* All events, oldest first; a last line without its end is not one yet. 0, also if there are none;
 * what the function returned; errors of the disk; -EMEDIUMTYPE. */
int riad_events_read(const struct riad_state *state, riad_events_function function,
        void *context) RIAD_MUST_CHECK;

#endif
