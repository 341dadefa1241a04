/* The running host, shared by its main loop and its control requests. */
#ifndef RIAD_HOST_PRIV_H
#define RIAD_HOST_PRIV_H

#include <pthread.h>

#include "riad/host.h"

#include "event_queue_priv.h"

enum riad_mount_phase {
    RIAD_MOUNT_EMPTY,
    RIAD_MOUNT_OPENING,
    RIAD_MOUNT_RUNNING,
    RIAD_MOUNT_CLOSING,
    RIAD_MOUNT_CLOSED
};

struct riad_mount {
    /* Fixed while running. */
    struct riad_host *host;
    const char *directory;
    char *source;
    struct riad_id id;
    struct riad_workspace *workspace;
    struct riad_session *session;
    bool told; /* the trail says that it is mounted */

    bool locking; /* it is being unmounted: its grace is over, or nobody used it; main thread */
    uint64_t idle_uses, idle_since; /* when there was the last use, of so many; main thread */

    struct riad_catalog_expiry expiry;   /* host->lock */
    enum riad_expiry_state expiry_state; /* host->lock */
    enum riad_mount_phase phase;         /* host->lock */
    int result;                          /* host->lock: of the closing */
    unsigned users; /* host->lock: control requests that use workspace or session just now */
};

enum { RIAD_HOST_WAITING_MAX = 8 };

struct riad_host {
    const struct riad_host_config *config;
    struct riad_state state;
    struct riad_unlocked unlocked; /* its keypair is wiped once every workspace is open (K4) */
    struct riad_public_key signer;
    struct riad_control *control;
    struct riad_event_queue *events;
    struct riad_runner *runner;     /* of the jobs of all workspaces */
    struct riad_reactor *reactor;   /* of the requests to all */
    struct riad_host_mount *wanted; /* what to mount; names and directories owned */
    struct riad_mount *mounts;      /* as many */
    size_t wanted_count;
    size_t mount_count;   /* of them opened, or being opened */
    pthread_mutex_t lock; /* guards phases and users of mounts; never held during work. What a
                             mount has besides belongs to who opens or closes it, and to all while
                             it is running */
    pthread_cond_t changed;
    unsigned waiting; /* lock: control requests that wait for the store */
    unsigned closers; /* lock: threads that close mounts */
};

/* Handler of the control socket. */
json_t *riad_host_request(void *host, uid_t uid, const char *operation, const json_t *request);
/* Fills wanted and mounts from the configuration: as named, or every workspace of the catalog. Exit
 * code and reason. */
int riad_host_plan(struct riad_host *host, struct riad_reason *ret_reason);
void riad_host_plan_done(struct riad_host *host);
/* The limit of the catalog as core takes it. */
struct riad_limit riad_host_limit(const struct riad_catalog_limit *limit);
/* Hears a workspace's event; context: its mount. Any thread, never waits. */
void riad_host_hear(void *context, const char *text);
/* Records what workspaces said, in the trail. */
void riad_host_record(struct riad_host *host);
/* host_expiry.c. By the clock of now. */
enum riad_expiry_state riad_host_expiry_state(const struct riad_catalog_expiry *expiry);
/* Before a workspace is opened: RIAD_EXIT_LOCKED and a reason if its grace is over. */
int riad_host_admit(const char *name, const struct riad_catalog_workspace *entry,
        struct riad_mount *mount, struct riad_reason *ret_reason);
/* Protects an open workspace or no longer, as its expiry says, and records when that turns. The
 * caller keeps it open. */
enum riad_expiry_state riad_host_apply_expiry(struct riad_host *host, struct riad_mount *mount);
/* Main thread: applies all expiries, and unmounts what is to be locked. */
void riad_host_expire(struct riad_host *host);
/* Milliseconds until that is due again; -1: never. */
int riad_host_expiry_wait(struct riad_host *host);
/* host_idle.c. Main thread: locks what nobody used for as long as the configuration says.
 * Milliseconds until it wants to look again; -1: never. */
int riad_host_lock_idle(struct riad_host *host);
/* Opens, mounts and starts one mount; returns an exit code and the reason. */
int riad_host_open_mount(struct riad_host *host, const struct riad_host_mount *wanted,
        struct riad_mount *mount, struct riad_reason *ret_reason);
/* Unmounts, whoever is there: files that are open stay usable until they are closed, and what was
 * acknowledged is made durable. */
void riad_host_detach(struct riad_mount *mount);
bool riad_host_is_running(struct riad_host *host, const struct riad_mount *mount);
/* Has an ended session closed by a thread of its own: a store that hangs holds up nobody else. */
void riad_host_begin_close(struct riad_host *host, struct riad_mount *mount);
/* Until no such thread is left. */
void riad_host_wait_closers(struct riad_host *host);
/* The session ended: waits for control requests on it, closes the workspace, makes all durable. */
void riad_host_close_mount(struct riad_host *host, struct riad_mount *mount);

#endif
