/* Layer node. Control sockets: of a mount process, for the same uid (or root) only, and of riadd,
 * for everybody. One JSON object a line each way, bounded (docs/CONTROL.md). */
#ifndef RIAD_CONTROL_H
#define RIAD_CONTROL_H

#include <jansson.h>

#include "riad/state.h"

struct riad_control;

/* Called for each request on the client's thread; uid: the client's, from the kernel. Returns a new
 * JSON reply object. */
typedef json_t *(*riad_control_handler)(
        void *context, uid_t uid, const char *operation, const json_t *request);
/* Listens on STATE/run/<pid>.sock (0600), serves on a thread of its own; requests at most 320 KiB,
 * 5 s per client, one slow client does not stall another. */
int riad_control_start(const struct riad_state *state, riad_control_handler handler, void *context,
        struct riad_control **ret) RIAD_MUST_CHECK;
/* The same on a socket that listens already, for everybody: each uid has places of its own, and all
 * but root together a bound. fd: taken over, also on failure. */
int riad_control_start_public(int fd, riad_control_handler handler, void *context,
        struct riad_control **ret) RIAD_MUST_CHECK;
/* A listening socket at the path, in place of one that is there; fd or negative errno. */
int riad_control_listen(const char *path, mode_t mode) RIAD_MUST_CHECK;
/* Stops and removes the socket. */
void riad_control_stop(struct riad_control *control);

/* Client: sends {"version":1,"op":operation, ...arguments} to the socket of a process and waits up
 * to timeout_ms for the reply (a new reference). Replies are
 * {"ok":true,...} or {"ok":false,"error":"sentence","exit":N}. -ECONNREFUSED no such process,
 * -ETIMEDOUT. arguments may be NULL. */
int riad_control_call(const struct riad_state *state, int pid, const char *operation,
        json_t *arguments, int timeout_ms, json_t **ret) RIAD_MUST_CHECK;
/* The same to a socket by its path. */
int riad_control_call_path(const char *path, const char *operation, json_t *arguments,
        int timeout_ms, json_t **ret) RIAD_MUST_CHECK;
/* Waits for one reply on a connection on which something else was sent. As riad_control_call. */
int riad_control_read_reply(int fd, int timeout_ms, json_t **ret) RIAD_MUST_CHECK;
/* The same where lines come before it, which are heard one by one, as long as that takes. fd: taken
 * over. -ECONNRESET: the other end is gone, and has not answered. */
int riad_control_read_lines(int fd, void (*hear)(void *context, const json_t *line), void *context,
        json_t **ret) RIAD_MUST_CHECK;
/* Connects to it; fd or negative errno (-ECONNREFUSED: nobody listens, or there is none). */
int riad_control_connect(const char *path) RIAD_MUST_CHECK;
/* Bytes as messages have them: lower-case hexadecimal digits. NULL if memory is short. */
json_t *riad_control_hex(const void *data, size_t size);
/* The bytes of a member, at least one, on the heap. -EBADMSG: it is not there, or no digits. */
int riad_control_get_bytes(
        const json_t *object, const char *name, uint8_t **ret, size_t *ret_size) RIAD_MUST_CHECK;
/* Pids with a live socket under STATE/run; stale sockets are removed. Heap. */
int riad_control_list(
        const struct riad_state *state, int **ret_pids, size_t *ret_count) RIAD_MUST_CHECK;

#endif
