/* The open workspace as core's files share it. */
#ifndef RIAD_WORKSPACE_PRIV_H
#define RIAD_WORKSPACE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "riad/filesystem.h"
#include "riad/grants.h"
#include "riad/mark.h"
#include "riad/members.h"

struct riad_references; /* references_priv.h: how many the kernel holds, by inode */
struct riad_background; /* background.c: threads */

/* What the upkeep of an open workspace remembers from round to round. */
struct riad_upkeep {
    /* The upkeep thread's. */
    bool cleaned;               /* leftovers of older terms are gone */
    uint64_t wal_commits;       /* commits when the WAL was last folded in */
    uint64_t dead_segments[64]; /* closed and dead before bulk_epoch was last turned */
    size_t dead_count;
    struct riad_cleaner *cleaner;   /* cleaner.c; NULL: it had nothing to do yet */
    struct riad_history_look *look; /* verify_history.c; NULL: none is under way */
    bool beat_failing;              /* the beat thread's */
    uint64_t beat_commits;          /* commits when it last looked; the beat thread's */
    /* Guarded by checkpointing. */
    uint64_t log_bytes_found;  /* behind the newest checkpoint, when opened */
    uint64_t log_bytes_done;   /* of found and appended: what the newest checkpoint has in it */
    uint64_t checkpoint_bytes; /* of the newest */
    uint64_t cut_below;        /* of log segments below only what extents refer to is needed (L6) */
};

/* What was told of one resource since usage was last well below it (limits.c). */
struct riad_limit_watch {
    unsigned told; /* bits */
    bool refused;  /* something was, by the hard limit or an old soft one */
};

/* Whom the workspace is for (riad/members.h). */
struct riad_members {
    pthread_mutex_t applying; /* one riad_members_apply at a time; taken before all others */
    pthread_rwlock_t lock;    /* guards the rest, but for asking `guarded`; taken after all others,
                                 and to change it with mutation */
    struct riad_member_standing *list; /* sorted by uid */
    size_t count;
    _Atomic bool guarded;
};

struct riad_workspace {
    /* Fixed between open and close. */
    int workspace_fd;
    int state_fd;
    struct riad_store_calls *store_calls; /* of workspace_fd and what is opened there */
    int lock_fd;
    int mark_fd;
    char *name;
    char *state_path;
    struct riad_keys *keys;
    struct riad_segments *segments;
    struct riad_log *log;
    struct riad_store_binding binding;
    struct riad_signers *signers; /* borrowed */
    struct riad_id workspace_id;
    struct riad_id node;
    struct riad_hash roster_head;
    uint32_t term;
    uint32_t lease_seconds;
    bool read_only_open;
    bool clean;
    int (*raise_grant)(void *context, enum riad_subject subject, uint32_t id,
            const struct riad_usage *needed); /* NULL: grants never grow */
    void *raise_context;
    struct riad_background *background; /* NULL before the threads start and after they ended */

    pthread_mutex_t beat; /* guards beat_count, and serialises the heartbeat's writing */
    uint64_t beat_count;
    pthread_mutex_t marking;       /* guards mark */
    struct riad_mark mark;         /* the last one written */
    pthread_mutex_t checkpointing; /* one checkpoint at a time */
    struct riad_upkeep upkeep;
    _Atomic uint32_t open_epoch;      /* checkpoints of older ones are not believed (K2) */
    _Atomic uint64_t unsynced_bound;  /* L5, bytes */
    _Atomic unsigned bulk_epoch;      /* riad_bulk_begin */
    _Atomic uint64_t bulk_writers[2]; /* by the parity of the epoch that they began in */
    struct riad_members members;      /* has locks of its own */

    pthread_mutex_t telling;           /* guards told */
    struct riad_workspace_status told; /* the last status that was whole */

    pthread_mutex_t mutation;     /* guards all below */
    uint64_t last_segment_before; /* as in struct riad_workspace_status */
    struct riad_index *index;
    struct riad_change change;  /* the one being built; its buffer is reused */
    struct riad_writer content; /* the encoded change; reused */
    struct riad_references *references;
    struct riad_limit limit;
    struct riad_grant *grants; /* by subject and id */
    size_t grant_count;
    bool exempt; /* the change that is being built is root's, or nobody's: grants do not bind it */
    bool exempt_grew;       /* mutation: such a one used more of what grants are for */
    uint64_t over_since[2]; /* by resource, as the index has it: when the soft limit was passed */
    struct riad_limit_watch watches[2]; /* by resource */
    enum riad_workspace_state state;
    uint64_t lease_until; /* CLOCK_BOOTTIME ns until which the last heartbeat speaks for us (O2) */
    uint64_t last_store_check; /* when statvfs was last asked, ns */
    uint64_t store_blocks_free;
    uint64_t store_reserve; /* blocks of it that only deleting may use (P6) */
    atomic_bool store_full; /* it had no room for what is in the spool, as was told */
    bool ship_asked;        /* the shipping thread knows that the spool has enough for it */
    uint64_t commits, replayed_changes, checkpoints;
    struct riad_cleaning cleaning;
    struct riad_scrubbing scrubbing;
    uint64_t scrub_begun;        /* ns; tells one scrub from the next */
    bool protected;              /* mutation: callers change nothing */
    uint64_t orphans;            /* inodes without a name that the kernel still held when it went */
    uint64_t orphaned_at;        /* when the last one became so, ns of CLOCK_MONOTONIC */
    pthread_cond_t orphan_freed; /* with mutation: the space of one came back */
    char event[160];
    void (*hear)(void *context, const char *text);       /* of the configuration; constant */
    void (*hear_limit)(void *context, const char *text); /* also */
    void *hear_context;
};

/* Takes the mutation lock for a reading operation. 0 with the lock held, or -ESTALE / -EIO without
 * it. */
int riad_workspace_lock(struct riad_workspace *workspace) RIAD_MUST_CHECK;
void riad_workspace_unlock(struct riad_workspace *workspace);
/* Takes the lock for a mutation, checks state and lease (O2: a lapsed owner renews first, outside
 * the lock), begins workspace->change with the present time. Waits, without the lock, while too
 * much is unsynced (L5) or the store cannot be asked about the lease. 0 with the lock held, or
 * -EROFS, -ESTALE, -EIO without it; -EACCES a caller who is no writer of a guarded workspace.
 * caller may be NULL (background work). */
int riad_mutation_begin(
        struct riad_workspace *workspace, const struct riad_caller *caller) RIAD_MUST_CHECK;
/* What of it concerns the caller: -EROFS, -EACCES. (mutation) */
int riad_mutation_allow(
        struct riad_workspace *workspace, const struct riad_caller *caller) RIAD_MUST_CHECK;
/* Would usage plus these deltas pass the limit? -EDQUOT if a positive delta would (P7), -ENOSPC if
 * the store has no room for new data. (mutation) */
int riad_mutation_charge(struct riad_workspace *workspace, const struct riad_inode *row,
        int64_t blocks_delta, int64_t inodes_delta) RIAD_MUST_CHECK;
/* grants.c. The same of the limits of the row's owner and group, unless they do not bind who asks.
 * (mutation) */
int riad_grants_charge(struct riad_workspace *workspace, const struct riad_inode *row,
        int64_t blocks, int64_t inodes) RIAD_MUST_CHECK;
/* An inode goes to another owner or group, with all that it is charged. -EDQUOT. (mutation) */
int riad_grants_move(struct riad_workspace *workspace, const struct riad_inode *before,
        const struct riad_inode *after) RIAD_MUST_CHECK;
/* Blocks that they still let in. (mutation) */
uint64_t riad_grants_room(struct riad_workspace *workspace, const struct riad_inode *row);
/* Whether this thread's operation was refused by a grant which may be raised: no shorter write
 * should be made of it yet. */
bool riad_grants_may_grow(const struct riad_workspace *workspace);
/* Is an operation that ended with *result to be tried again, as a grant was raised, or is known not
 * to be? An impatient thread gets false, and RIAD_WOULD_WAIT as result. Called without the lock. */
bool riad_grants_awaited(struct riad_workspace *workspace, int *result);
/* limits.c. Blocks that the limits still let in to a file. (mutation) */
uint64_t riad_limits_room(struct riad_workspace *workspace, const struct riad_inode *row);
/* A write was cut short by them. (mutation) */
void riad_limits_refused(struct riad_workspace *workspace);
/* May the store take this many blocks that replace charged ones? They need new room there until the
 * old ones are reclaimed. -ENOSPC: what is left is kept for deleting (P6). (mutation) */
int riad_mutation_overwrite(struct riad_workspace *workspace, uint64_t blocks) RIAD_MUST_CHECK;
/* Encodes workspace->change, places and appends payload (NULL: none) and change, applies it to the
 * index; commits the batch when it is large. The lock stays held. An error of the log leaves the
 * rows unchanged; an error of the index after the append turns the workspace read-only, as the log
 * then knows more (-EIO). (mutation) */
int riad_mutation_commit(
        struct riad_workspace *workspace, const struct riad_payload *payload) RIAD_MUST_CHECK;
/* The same without looking at limits behind it. (mutation) */
int riad_mutation_record(
        struct riad_workspace *workspace, const struct riad_payload *payload) RIAD_MUST_CHECK;
/* Of an error of the log: passes it on; where the log takes nothing any more, the workspace is
 * read-only from now on. (mutation) */
int riad_mutation_refused(struct riad_workspace *workspace, int error);
static inline void riad_mutation_end(struct riad_workspace *workspace)
{
    riad_workspace_unlock(workspace);
}
/* Brackets what writes bulk payloads: begin before riad_log_write_bulk, end when the change that
 * refers to the payload was committed or given up. A data segment dies only when everything that
 * began while it was open for appending has ended: until then a payload in it may have no extent
 * yet. Thread-safe, no lock. */
unsigned riad_bulk_begin(struct riad_workspace *workspace);
void riad_bulk_end(struct riad_workspace *workspace, unsigned ticket);
/* Raises an event: one diagnostic line, and the status's last event. Takes no lock of its own;
 * (mutation). */
void riad_workspace_event(struct riad_workspace *workspace, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* The time of the change being built. */
static inline struct timespec riad_mutation_time(const struct riad_workspace *workspace)
{
    return workspace->change.time;
}
/* members.c: the list, as it is now; returns how many. */
size_t riad_members_copy(
        struct riad_workspace *workspace, struct riad_member_standing ret[RIAD_MEMBERS_MAX]);
/* Whether owner, mode and access lists of the inode may be set by who asks: -EPERM for the root of
 * a guarded workspace, where they are the members'. */
int riad_members_allow_rights(struct riad_workspace *workspace, uint64_t inode) RIAD_MUST_CHECK;
/* For opening and closing. */
int riad_members_init(struct riad_members *members) RIAD_MUST_CHECK;
void riad_members_done(struct riad_members *members);
/* Removes an inode without names and references: one change, and the reaping of its extents in
 * slices (L8). Called without the lock. */
int riad_orphan_free(struct riad_workspace *workspace, uint64_t inode) RIAD_MUST_CHECK;
/* Notes that an inode lost its last name while the kernel holds it. (mutation) */
void riad_orphan_made(struct riad_workspace *workspace);
/* Is an operation that ended with *result to be tried again? The space of a deleted file comes back
 * with the kernel's FORGET, which it sends when unlink(2) has returned: a program that deletes and
 * then writes would be told that there is no room, at times. So -EDQUOT is not believed while a
 * file deleted within the last half second is still held: this waits until one is freed, or the
 * half second is over, and returns true; an impatient thread gets false, and RIAD_WOULD_WAIT as
 * result. Called without the lock. */
bool riad_orphan_awaited(struct riad_workspace *workspace, int *result);
/* Finishes a truncation that was cut short (truncate mark, L8), in slices. Called without the lock.
 */
int riad_truncate_finish(struct riad_workspace *workspace, uint64_t inode) RIAD_MUST_CHECK;

#endif
