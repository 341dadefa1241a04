/* Layer core. One open workspace: a log, its index, its limit and its owner's term. File-system
 * semantics without FUSE and without root.
 *
 * All functions are thread-safe unless they say otherwise; each takes the workspace's one mutation
 * lock for microseconds and never during store reads, syncs or sealing. Lock order: mutation, log,
 * segments. */
#ifndef RIAD_WORKSPACE_H
#define RIAD_WORKSPACE_H

#include "riad/index.h"
#include "riad/runner.h"
#include "riad/segments.h"
#include "riad/stall.h"
#include "riad/store_calls.h"
#include "riad/term.h"

struct riad_workspace;

/* Limits on usage; 0 = none (P7). A hard one is never passed. A soft one may be, until the grace of
 * its resource has passed since: then it holds as a hard one does, until usage is below it again.
 */
struct riad_limit {
    uint64_t blocks; /* of RIAD_BLOCK_SIZE, rounded down from bytes */
    uint64_t inodes;
    uint64_t blocks_soft, inodes_soft;
    uint32_t grace_blocks, grace_inodes; /* seconds; 0 = RIAD_GRACE_SECONDS */
};
enum { RIAD_GRACE_SECONDS = 7 * 24 * 3600 };

/* One sentence for a person: what happened, to which thing, what to do. Filled when a function that
 * takes one fails. */
struct riad_reason {
    char text[384];
};
/* Fills it, unless it is NULL, and returns `result`: an error, or an exit code. */
int riad_reason_set(struct riad_reason *reason, int result, const char *format, ...)
        __attribute__((format(printf, 3, 4))) RIAD_MUST_CHECK;

struct riad_workspace_config {
    int workspace_fd;       /* STORE/ws/<id>; duplicated */
    int state_fd;           /* the workspace's directory in the local state, exists; duplicated */
    const char *state_path; /* the same directory by path, for SQLite */
    const char *name;       /* for messages and events */
    struct riad_store_binding binding;
    struct riad_signers *signers;           /* verify terms (K3); borrowed, outlive the workspace */
    const struct riad_keypair *term_signer; /* signs this term; used during open only */
    struct riad_keys *keys;                 /* taken over, also on failure */
    /* Where the epochs before the current one ended, as the roster says; borrowed while the
     * function runs that is given this. Of those that are left out nothing is checked. */
    const struct riad_epoch_end *epoch_ends;
    size_t epoch_end_count;
    struct riad_id node;
    struct riad_id boot;
    struct riad_hash roster_head;
    struct riad_limit limit;
    uint32_t root_uid, root_gid, root_mode; /* of the root directory, when it is made */
    bool read_only; /* changes nothing, claims no term; for fsck of a workspace nobody owns */
    uint32_t lease_seconds; /* 0 = 20: after that long without a heartbeat seen, another node may
                               take over */
    bool clean; /* make room in the store from what is dead, and seal under the current key what is
                   sealed under those before, in the background (L7) */
    struct riad_runner *runner; /* of the workspace's jobs; borrowed until it is closed; NULL:
                                   threads of its own */
    void (*progress)(
            void *context, const char *what, uint64_t done, uint64_t total); /* NULL: silent */
    void *progress_context;
    /* NULL, or what tells a check or a repair (riad/fsck.h, riad/repair.h) that nobody wants it any
     * more: it ends with -ECANCELED. Looked at where progress is told. */
    const _Atomic bool *stop;
    /* Hears each event, which has no names in it, under the mutation lock: it must not wait. NULL
     */
    void (*event)(void *context, const char *text);
    /* The same with what was passed of a limit. NULL */
    void (*limit_event)(void *context, const char *text);
    void *event_context; /* of both */
    /* Somebody needs more than her grant (riad/grants.h) lets in: it should add up to `needed`.
     * Called without locks by a thread that may wait; several may at once. 0: the grant is
     * enough now. -EDQUOT: there is not so much; what there was is granted. NULL: never is */
    int (*raise_grant)(
            void *context, enum riad_subject subject, uint32_t id, const struct riad_usage *needed);
    void *raise_context;
};

/* Becomes the owner (O1, O2), recovers (L3, L4: index, else checkpoint and log, through the same
 * apply), claims a term, starts the background jobs (batch commit, sync, heartbeat,
 * checkpoints). -EBUSY another process or node owns it; -EUCLEAN damage or records missing below
 * the mark (nothing was changed); -EBADMSG; -ENOSPC; -EPROTONOSUPPORT. */
int riad_workspace_open(const struct riad_workspace_config *config, struct riad_workspace **ret,
        struct riad_reason *ret_reason) RIAD_MUST_CHECK;
/* Makes everything durable, frees orphans, commits the index, closes the term's heartbeat, frees.
 * The result is that of the durability (0 or -EIO ...); memory is freed in any case. No other call
 * may be running. */
int riad_workspace_close(struct riad_workspace *workspace) RIAD_MUST_CHECK;
/* fsync of the whole workspace: log, data segments, then the lease is checked again (O2). */
int riad_workspace_sync(struct riad_workspace *workspace) RIAD_MUST_CHECK;
/* A new limit takes effect with the next operation; may lie below the usage. */
void riad_workspace_set_limit(struct riad_workspace *workspace, const struct riad_limit *limit);
/* Refuses all changes by callers (-EROFS) from now on, or no more: for a workspace that expired.
 * What riad itself has to finish goes on. */
void riad_workspace_protect(struct riad_workspace *workspace, bool protect);
/* Writes a checkpoint now (L6), whatever the log's growth. */
int riad_workspace_checkpoint(struct riad_workspace *workspace) RIAD_MUST_CHECK;
/* Asks the cleaner for all the space that is to be had, at once and whatever others do: returns at
 * once, riad_workspace_status tells how it goes. Nothing without riad_workspace_config.clean. */
void riad_workspace_clean(struct riad_workspace *workspace);
/* Verifies with the key all that files hold, in the background, at most `rate` bytes a second (0:
 * no bound) beside whoever uses them: begins anew. What cannot be read is an event each;
 * riad_workspace_status tells how it goes. Only of a workspace that is open for writing, and not
 * over its closing. */
void riad_workspace_scrub(struct riad_workspace *workspace, uint64_t rate);
/* Begins the next epoch (K2): every change that is appended from its return on is sealed under
 * these subkeys, payload and all, those that are under way too. The caller wipes them. *ret_end is
 * where the one before has ended: its last change is durable. The workspace knows of it from now
 * on, as of those it was opened with. The term goes on. Checkpoints of before are not believed
 * any more: call riad_workspace_checkpoint. For threads that may wait. -EINVAL: not the epoch after
 * the current one, or no subkeys. -EALREADY: it is the current one already; where the one before
 * ended is not said again. -ENOSPC: RIAD_EPOCHS_MAX. -ENOMEM: nothing has changed. -EROFS, -ESTALE
 * as a change; if another node takes over just now, the end is no part of its history. -EIO: the
 * workspace turned read-only, as the log could not go on or the end not be made durable. */
int riad_workspace_rotate(struct riad_workspace *workspace, uint32_t epoch,
        const struct riad_secret *subkeys, struct riad_epoch_end *ret_end) RIAD_MUST_CHECK;

enum riad_workspace_state {
    RIAD_WORKSPACE_RUNNING,
    RIAD_WORKSPACE_READ_ONLY, /* a failed sync or index, damage that reading tolerates, protected */
    RIAD_WORKSPACE_SUPERSEDED, /* a higher term exists: every operation gives -ESTALE */
};

/* What the cleaner knows (L7). */
struct riad_cleaning {
    bool asked;            /* riad_workspace_clean, and it is not done */
    uint64_t moved_bytes;  /* since the workspace was opened, as sealed */
    uint64_t store_bytes;  /* of log and data segments, when it last looked; 0: it has not. But for
                              those  that are being written */
    uint64_t live_bytes;   /* of that what files refer to */
    uint64_t old_bytes;    /* and what of these may be sealed under keys of epochs before */
    uint64_t old_segments; /* files that may have such records, live or dead, or changes */
    uint64_t surveyed_before; /* last_segment_before of the status, when that was counted */
    uint64_t own_changes;     /* changes that the cleaner made, since the workspace was opened */
};

enum { RIAD_SCRUB_TOLD = 64 };
/* What riad_workspace_scrub does, or did last. */
struct riad_scrubbing {
    bool running;
    uint64_t rate;
    uint64_t bytes, files;            /* verified */
    uint64_t total;                   /* about what there is: the usage when it began */
    uint64_t damaged;                 /* files that cannot be read whole, */
    uint64_t inodes[RIAD_SCRUB_TOLD]; /* and the first of these */
    uint64_t checkpoints, changes;    /* verified, when all files were; */
    uint64_t history_bytes;           /* and their bytes */
    uint64_t history_damaged;         /* checkpoints that are not authentic, and the log if so */
    uint64_t began, ended;            /* seconds since 1970; 0: not yet */
    /* Where it is. */
    bool files_done;
    uint64_t inode, offset;
    uint64_t careful; /* up to here it reads in small steps */
    bool file_damaged;
};

struct riad_workspace_status {
    enum riad_workspace_state state;
    struct riad_usage usage;
    struct riad_limit limit;
    uint64_t blocks_over_since, inodes_over_since; /* seconds since 1970, when usage passed the soft
                                                      limit; 0: it is not above it */
    uint64_t store_blocks_free;                    /* of the store's file system */
    struct riad_end end;
    struct riad_end synced;
    uint64_t unsynced_bytes;
    uint32_t term;
    uint32_t epoch;               /* that changes are sealed under */
    uint64_t last_segment_before; /* the last one that records of epochs before that may lie in:
                                     for the end of one that was not registered when it ended */
    uint64_t references;          /* inodes the kernel holds */
    uint64_t commits, replayed_changes, checkpoints;
    struct riad_log_counters log;
    struct riad_index_counters index;
    struct riad_segments_counters segments;
    uint64_t store_calls[RIAD_CALL_KINDS]; /* since it was opened: of the workspace's directory in
                                              the store, not of the local state */
    struct riad_cleaning cleaning;
    struct riad_scrubbing scrubbing;
    struct riad_stall
            stall; /* calls of the store, or else of the local state, that do not come back */
    bool stalled_locally; /* of the local state */
    char event[160];      /* the last event, empty if none */
};
/* Does not wait for storage: where a call that has not come back for two seconds may keep the
 * mutation lock, all but `stall` is as it was told last. */
int riad_workspace_status(
        struct riad_workspace *workspace, struct riad_workspace_status *ret) RIAD_MUST_CHECK;
const char *riad_workspace_name(const struct riad_workspace *workspace);

#endif
