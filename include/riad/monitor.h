/* Layer node. riadd: a monitor, which may be root, and its worker, which need not be (K4).
 *
 * The monitor has the node's key, mounts, takes the keys of workspaces from who unlocks them, and
 * starts a worker again that has died. The worker parses all that comes from storage, sockets and
 * the kernel, and has the subkeys of what is unlocked, nothing else. */
#ifndef RIAD_MONITOR_H
#define RIAD_MONITOR_H

#include "riad/config.h"

/* The descriptors that a worker is started with. */
enum { RIAD_WORKER_SERVICE_FD = 3, RIAD_WORKER_KEYS_FD, RIAD_WORKER_CONTROL_FD };

/* What the socket for keys takes: one message a connection, this and the workspace's root keys, of
 * 32 bytes each, of all epochs to the present one, epoch 1 first. The magic says what for.
 *
 * To open it: answered by a JSON line as those of the control socket are, with "directory" if it
 * went well. To check it, or check and repair it: JSON lines as long as that takes, each with
 * "step" (of riad_checking_names) and "finding"; "progress", "done" and "total"; or "result", the
 * numbers of a step that is done. The last one has "ok", and, where that is true, "exit": whether
 * all is whole (0) or not (15). Who goes away before ends it. */
#define RIAD_UNLOCK_MAGIC "RIAK"
#define RIAD_CHECK_MAGIC "RIAC"
#define RIAD_REPAIR_MAGIC "RIAR"
enum { RIAD_UNLOCK_VERSION = 1, RIAD_UNLOCK_ROOT_SIZE = 32 };
struct riad_unlock_request {
    uint8_t magic[4];
    uint32_t version;
    struct riad_id workspace;
    uint32_t epoch; /* the present one: as many root keys follow */
};

/* Runs until SIGTERM or SIGINT; then all mounts are durable and gone. program: the file to be run
 * as the worker, with --worker CONFIG. ready is called once when users can come. Exit code (enum
 * riad_exit) and, if it is not 0, the reason, which is empty where the worker has told it. */
int riad_monitor_run(const char *config_path, const char *program, void (*ready)(void *context),
        void *context, struct riad_reason *ret_reason);
/* The worker: returns when its monitor or SIGTERM says so. As above. */
int riad_worker_run(const char *config_path, struct riad_reason *ret_reason);

#endif
