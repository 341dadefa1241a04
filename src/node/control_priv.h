/* The wire of the control socket, shared by its two ends: one JSON object and a newline each way.
 */
#ifndef RIAD_CONTROL_PRIV_H
#define RIAD_CONTROL_PRIV_H

#include <sys/un.h>

#include "riad/control.h"

enum {
    RIAD_CONTROL_LINE_MAX = 320 << 10, /* of a request: a new key for 500 members */
    RIAD_CONTROL_REPLY_MAX = 64 << 20, /* 1.5 KiB a mount */
    RIAD_CONTROL_CLIENT_MS = 5000,
    RIAD_CONTROL_CLIENTS_MAX = 16, /* of a uid */
    RIAD_CONTROL_ALL_MAX = 512     /* of all uids but root, where everybody may come */
};

/* Reads one line of at most `max` bytes before the deadline (CLOCK_MONOTONIC ms) and parses it;
 * memory grows with what came. -ETIMEDOUT, -EBADMSG, -ECONNRESET, -ENOMEM. */
int riad_control_receive(int fd, int64_t deadline, size_t max, json_t **ret) RIAD_MUST_CHECK;
/* Exactly so many bytes, without a copy anywhere else: they are secret. As above. */
int riad_control_receive_exactly(int fd, int64_t deadline, void *ret, size_t size) RIAD_MUST_CHECK;
/* A server as riad_control_start_public's that speaks another language: the descriptor is closed
 * when the handler returns. */
typedef void (*riad_control_raw_handler)(void *context, uid_t uid, int fd);
int riad_control_start_raw(int fd, riad_control_raw_handler handler, void *context,
        struct riad_control **ret) RIAD_MUST_CHECK;
int riad_control_send(int fd, int64_t deadline, const json_t *message) RIAD_MUST_CHECK;
int64_t riad_control_now(void);
/* A new reply object that says what failed; code: RIAD_EXIT_*. NULL: out of memory. */
json_t *riad_control_failure(int code, const char *sentence);
/* The peer's uid, from the kernel. */
int riad_control_peer(int fd, uid_t *ret) RIAD_MUST_CHECK;
/* Connects to or names STATE/run/<pid>.sock through /proc/self/fd, so that long paths fit. */
int riad_control_address(int run_fd, int pid, struct sockaddr_un *ret) RIAD_MUST_CHECK;

#endif
