/* The running host, shared by its main loop and its control requests. */
#ifndef RIAD_HOST_PRIV_H
#define RIAD_HOST_PRIV_H

#include <pthread.h>

#include "riad/host.h"
#include "riad/members.h"
#include "riad/usage.h"

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
    const struct riad_mount_service *service; /* that mounted it; NULL: itself */
    uint32_t owner;                           /* uid: whose it is, where many are served */
    bool shared;                              /* its members are asked, not the owner */
    void *site;                               /* what a site's worker has with it */
    const char *progress; /* what of its opening a terminal shows just now; NULL: nothing */
    bool told;            /* the trail says that it is mounted */

    /* The main thread's, while it is running: before, it is who opens it. */
    bool locking;      /* it is being unmounted: its grace is over, or nobody used it */
    bool session_seen; /* somebody whose it is was logged in */
    uint64_t idle_uses, idle_since; /* when there was the last use, of so many */
    struct riad_usage_entry looked; /* what it used when that was looked at last */

    struct riad_catalog_expiry expiry;   /* host->lock */
    enum riad_expiry_state expiry_state; /* host->lock */
    enum riad_mount_phase phase;         /* host->lock */
    int result;                          /* host->lock: of the closing */
    unsigned waiters;                    /* host->lock: that wait for the closing */
    unsigned users; /* host->lock: control requests that use workspace or session just now */
};

enum { RIAD_HOST_WAITING_MAX = 8 };

struct riad_host {
    const struct riad_host_config *config;
    _Atomic uint64_t lock_idle_seconds; /* the config's, until riadd reads its file again */
    struct riad_state state;
    struct riad_unlocked unlocked; /* its keypair is wiped once every workspace is open (K4) */
    struct riad_public_key signer;
    struct riad_control *control;
    struct riad_event_queue *events;
    struct riad_usage_queue *usage; /* what workspaces use, to be remembered */
    struct riad_runner *runner;     /* of the jobs of all workspaces */
    struct riad_reactor *reactor;   /* of the requests to all */
    struct riad_site_host *site;    /* of riadd's worker; NULL: one person's */
    struct riad_host_mount *wanted; /* what to mount; names and directories owned */
    struct riad_mount *mounts;      /* as many */
    size_t wanted_count;
    size_t mount_count;   /* of them opened, or being opened */
    pthread_mutex_t lock; /* guards phases and users of mounts; never held during work. What a
                             mount has besides belongs to who opens or closes it, and to all while
                             it is running */
    pthread_cond_t changed;
    int64_t usage_due;   /* main thread: when to look what they use; riad_control_now */
    uint64_t trimmed_at; /* main thread: of riad_memory_trim */
    bool stopping;       /* main thread: a signal asked for the end */
    bool reload;         /* main thread: a signal asked for the configuration to be read again */
    unsigned waiting;    /* lock: control requests that wait for the store */
    unsigned closers;    /* lock: threads that close mounts */
};

/* --- the life of a host, for those who have another start (riadd's worker) --- */
/* A descriptor of the signals that ask for the end, and, if wanted, of SIGCHLD; before threads
 * start. */
int riad_host_block_signals(bool children);
void riad_host_allow_descriptors(void);
/* Locks, runner, reactor, queue; and away with them. */
int riad_host_prepare(struct riad_host *host) RIAD_MUST_CHECK;
void riad_host_release(struct riad_host *host);
/* Main thread: sleeps until something happens, and does what it asks for; how many mounts there
 * are. */
size_t riad_host_wait(struct riad_host *host, int signals);
/* An exit code in a few words, for the trail: what a reason says has names and paths in it. Static.
 */
const char *riad_host_meaning(int code);
/* Mounts that are there: opening, running or closing. */
size_t riad_host_count(struct riad_host *host);
bool riad_host_stopping(const struct riad_host *host);
void riad_host_unmount_all(struct riad_host *host);

/* Keeps workspace and session of a running mount alive; false: it does not run. */
/* host_clean.c: what the cleaner knows, an object; and the answer to who asks it for all the space
 * there is to be had (held). New references. */
json_t *riad_host_pack_cleaning(const struct riad_workspace_status *status);
json_t *riad_host_clean(struct riad_mount *mount, const json_t *request);
/* host_counters.c: an object, a new reference. */
json_t *riad_host_pack_counters(
        const struct riad_session *session, const struct riad_workspace_status *status);
/* host_scrub.c. */
json_t *riad_host_pack_scrub(const struct riad_workspace_status *status);
json_t *riad_host_scrub(struct riad_mount *mount, const json_t *request);
/* host_recount.c: the answer to who has it counted anew (held). A new reference. */
json_t *riad_host_recount(struct riad_mount *mount, const json_t *request);
bool riad_host_hold(struct riad_host *host, struct riad_mount *mount);
void riad_host_unhold(struct riad_host *host, struct riad_mount *mount);
/* Handler of the control socket. */
json_t *riad_host_request(void *host, uid_t uid, const char *operation, const json_t *request);
/* Fills wanted and mounts from the configuration: as named, or every workspace of the catalog. Exit
 * code and reason. */
int riad_host_plan(struct riad_host *host, struct riad_reason *ret_reason);
void riad_host_plan_done(struct riad_host *host);
/* The limit of the catalog as core takes it. */
struct riad_limit riad_host_limit(const struct riad_catalog_limit *limit);
/* An event of a workspace, or of none (zeros), on its way to the trail. Any thread, never waits. */
void riad_host_queue_event(struct riad_host *host, const struct riad_id *workspace,
        const char *kind, const char *text);
/* Hears a workspace's event; context: its mount. Any thread, never waits. */
void riad_host_hear(void *context, const char *text);
void riad_host_hear_limit(void *context, const char *text);
/* Records what workspaces said, in the trail. */
void riad_host_record(struct riad_host *host);
/* host_expiry.c. By the clock of now. */
enum riad_expiry_state riad_host_expiry_state(const struct riad_catalog_expiry *expiry);
/* Limits and expiries of running mounts, as this catalog has them. */
void riad_host_apply_catalog(struct riad_host *host, const struct riad_catalog *catalog);
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
/* host_usage.c. What was measured is remembered in the local state when this returns, with one
 * write for all who call at once; what cannot be is a warning. */
int riad_usage_queue_new(struct riad_usage_queue **ret) RIAD_MUST_CHECK;
void riad_usage_queue_free(struct riad_usage_queue *queue);
void riad_usage_queue_write(struct riad_usage_queue *queue, const struct riad_state *state,
        const struct riad_usage_entry *entries, size_t count);
/* What a mount uses that is open, before it is closed. */
void riad_host_remember(struct riad_host *host, const struct riad_mount *mount);
/* What all mounts use that run, as of now. -ENOMEM. */
int riad_host_measure(struct riad_host *host, struct riad_usage_list *ret) RIAD_MUST_CHECK;
/* Main thread: does so for all that changed, once a minute. Milliseconds until it wants to look
 * again; -1: never. */
int riad_host_follow_usage(struct riad_host *host);
/* What is to be opened, when its keys are there. All but keys is borrowed. */
struct riad_opening {
    const char *name;      /* of the workspace */
    const char *label;     /* of the mount's source, riad:LABEL */
    const char *directory; /* lives as long as the mount */
    struct riad_id id;
    struct riad_hash roster_head;
    const struct riad_catalog_workspace *entry;
    struct riad_keys *keys; /* taken over, also on failure */
    const struct riad_keypair *term_signer;
    struct riad_signers *signers;
    uint32_t uid, gid; /* of a new root directory */
    const struct riad_epoch_end *epoch_ends;
    size_t epoch_end_count;
    const struct riad_member_standing *standings; /* who may do what; NULL: the modes decide */
    size_t standing_count;
    const struct riad_mount_service *service; /* NULL; lives as long as the mount */
};
/* Opens, mounts and starts it in the slot; exit code and the reason. After a failure the slot has
 * what riad_host_abandon takes away. */
int riad_host_open(struct riad_host *host, struct riad_mount *mount,
        const struct riad_opening *opening, struct riad_reason *ret_reason);
/* After a failed opening. */
void riad_host_abandon(struct riad_host *host, struct riad_mount *mount);
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
