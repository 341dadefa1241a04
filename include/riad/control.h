/* Layer node. The control socket of a mount process: one JSON object a line each way, the same uid
 * (or root) only, bounded (docs/CONTROL.md). */
#ifndef RIAD_CONTROL_H
#define RIAD_CONTROL_H

#include <jansson.h>

#include "riad/state.h"

struct riad_control;

/* Called for each request on the server's thread; returns a new JSON reply object. */
typedef json_t *(*riad_control_handler)(
        void *context, const char *operation, const json_t *request);
/* Listens on STATE/run/<pid>.sock (0600), serves on a thread of its own; requests at most 64 KiB, 5
 * s per client, one slow client does not stall another. */
int riad_control_start(const struct riad_state *state, riad_control_handler handler, void *context,
        struct riad_control **ret) RIAD_MUST_CHECK;
/* Stops and removes the socket. */
void riad_control_stop(struct riad_control *control);

/* Client: sends {"version":1,"op":operation, ...arguments} to the socket of a process and waits up
 * to timeout_ms for the reply (a new reference). Replies are
 * {"ok":true,...} or {"ok":false,"error":"sentence","exit":N}. -ECONNREFUSED no such process,
 * -ETIMEDOUT. arguments may be NULL. */
int riad_control_call(const struct riad_state *state, int pid, const char *operation,
        json_t *arguments, int timeout_ms, json_t **ret) RIAD_MUST_CHECK;
/* Pids with a live socket under STATE/run; stale sockets are removed. Heap. */
int riad_control_list(
        const struct riad_state *state, int **ret_pids, size_t *ret_count) RIAD_MUST_CHECK;

#endif
