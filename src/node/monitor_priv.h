/* The monitor of riadd, as its files share it. */
#ifndef RIAD_MONITOR_PRIV_H
#define RIAD_MONITOR_PRIV_H

#include <pthread.h>
#include <sys/types.h>

#include "riad/control.h"
#include "riad/monitor.h"
#include "riad/node.h"

#include "service_priv.h"

/* Keys that somebody gave: until their workspace is mounted, and while it is. */
struct riad_given_key {
    struct riad_secret *bytes; /* a struct riad_key_grant */
    uid_t uid;                 /* who gave it */
    struct riad_id workspace;
    struct riad_hash identity;
    bool repeat;   /* a new worker is to have it */
    char *path;    /* where it is mounted; NULL: not (yet) */
    int64_t given; /* CLOCK_MONOTONIC ms */
};

struct riad_monitor {
    struct riad_config config;
    struct riad_site_node self;
    struct riad_keypair keys; /* the node's */
    uid_t uid;                /* of the worker, and of its mounts */
    gid_t gid;
    int program_fd;                 /* what the worker runs */
    bool other_user;                /* uid is not ours */
    struct riad_control *unlocking; /* serves the socket for keys */
    int run_fd;                     /* locked: one riadd a directory */
    int control_fd;                 /* listens; each worker gets it */
    pthread_mutex_t lock;           /* guards what follows */
    int keys_fd;                    /* to the worker; -1: none runs */
    struct riad_given_key *grants;
    size_t grant_count;
    /* main thread and the service's */
    int service_fd;
    pid_t worker;
    void (*ready)(void *context);
    void *context;
    /* service thread */
    int64_t hook_minute; /* when it began, seconds of CLOCK_MONOTONIC */
    unsigned hook_runs;  /* in it */
    bool served;         /* a worker was ready; service thread, read when that has ended */
};

/* monitor_mount.c. A descriptor of a new connection that is mounted there, or negative errno:
 * -EPERM the directory is not root's (or ours) alone; -EBUSY something else is mounted on it. */
int riad_monitor_mount(
        const struct riad_monitor *monitor, const char *path, const char *source) RIAD_MUST_CHECK;
/* What is mounted there is a riad's: 0, -EBUSY. */
int riad_monitor_unmount(const char *path, bool lazy) RIAD_MUST_CHECK;
/* Takes it away from whoever uses it; it stays mounted. */
int riad_monitor_abort(const char *path) RIAD_MUST_CHECK;

/* monitor_keys.c. Serves the socket on which keys are given. */
int riad_monitor_listen_keys(struct riad_monitor *monitor) RIAD_MUST_CHECK;
/* Hands all keys of what was mounted to a new worker; the others are forgotten. */
void riad_monitor_repeat_keys(struct riad_monitor *monitor);
/* (not locked) The grant's mount; *path: taken over, also on failure. -ENOENT: nobody gave it. */
int riad_monitor_mounted(struct riad_monitor *monitor, const struct riad_service_request *request,
        char *path) RIAD_MUST_CHECK;
/* (not locked) The mount of the workspace has this grant's keys now: the earlier grant goes.
 * -ENOENT: nobody gave it, or nothing is mounted. */
int riad_monitor_rotated(
        struct riad_monitor *monitor, const struct riad_service_request *request) RIAD_MUST_CHECK;
/* Forgets what was mounted there. -ENOENT: nothing was. */
int riad_monitor_forget(struct riad_monitor *monitor, const char *path) RIAD_MUST_CHECK;
/* Whether it was mounted there by us. */
bool riad_monitor_is_mounted(struct riad_monitor *monitor, const char *path);
/* Unmounts what a worker left, and keeps the keys. */
void riad_monitor_detach_all(struct riad_monitor *monitor);
void riad_monitor_forget_all(struct riad_monitor *monitor);

/* monitor_hook.c. Starts the program that hears of limits, if there is one, as the worker's user.
 * -EBUSY: it was started too often. */
int riad_monitor_tell_limit(struct riad_monitor *monitor,
        const struct riad_service_request *request, const uint8_t *text,
        size_t size) RIAD_MUST_CHECK;

/* monitor_service.c. A thread: answers the worker until it is gone. argument: the monitor. */
void *riad_monitor_serve(void *argument);

#endif
