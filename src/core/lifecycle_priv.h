/* What the files of a workspace's lifecycle share: opening, recovery, ownership, durability,
 * threads. Not for the file operations. */
#ifndef RIAD_LIFECYCLE_PRIV_H
#define RIAD_LIFECYCLE_PRIV_H

#include "riad/checkpoint.h"
#include "riad/error.h"
#include "riad/runner.h"
#include "riad/spool.h"

#include "workspace_priv.h"

enum {
    RIAD_BATCH_MAX = 4096, /* changes in a batch; then it is committed inline */
    RIAD_LEASE_SECONDS = 20,
    RIAD_KEPT_CHECKPOINTS = 2, /* L6 */
    RIAD_SHIP_SIZE = 1 << 20,  /* of what the spool holds: shipped when it has so much, */
    RIAD_SHIP_FULL = RIAD_SPOOL_SIZE / 4 * 3, /* and when so much, writers wait */
};
#define RIAD_CHECKPOINT_GROWTH ((uint64_t)64 << 20) /* L6 */
#define RIAD_SECOND_NS ((uint64_t)1000000000)

/* CLOCK_BOOTTIME in ns: goes on during suspend, as the others' clocks do (O2). */
uint64_t riad_clock_boottime(void);
struct timespec riad_clock_now(void);
void riad_sleep_ms(uint64_t milliseconds);

/* Turn the workspace, once, with an event. (mutation) */
void riad_workspace_freeze(struct riad_workspace *workspace, const char *why, int error);
void riad_workspace_supersede(struct riad_workspace *workspace);
/* The same for callers without the lock. */
void riad_workspace_freeze_unlocked(struct riad_workspace *workspace, const char *why, int error);
void riad_workspace_supersede_unlocked(struct riad_workspace *workspace);
void riad_workspace_event_unlocked(struct riad_workspace *workspace, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* Of a limit: as an event, but told to who hears of limits. (mutation) */
void riad_workspace_tell_limit(struct riad_workspace *workspace, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
bool riad_workspace_running(struct riad_workspace *workspace);

/* Tells how far something that takes long is. -ECANCELED: config->stop says that it is to end. */
int riad_workspace_progress(const struct riad_workspace_config *config, const char *what,
        uint64_t done, uint64_t total) RIAD_MUST_CHECK;

/* What the configuration says of epochs that ended. */
static inline struct riad_epoch_ends riad_workspace_epochs(
        const struct riad_workspace_config *config)
{
    return (struct riad_epoch_ends){ config->epoch_ends, config->epoch_end_count };
}

/* One opening: lives in riad_workspace_open or riad_fsck_run. */
struct riad_opening {
    const struct riad_workspace_config *config;
    struct riad_reason *reason;
    const struct riad_keys *keys;
    const char *index_path; /* directory of the index being filled */
    struct riad_index *index;
    struct riad_history history;
    struct riad_mark mark;  /* all zero: none */
    uint64_t closed_number; /* last change of the last term, if it was closed; else 0 */
    struct riad_beat seen;  /* of the owner before, where its lease was watched to its end */
    bool took_over;         /* the owner before may still live: look again after claiming */
    bool tolerated;         /* the log is damaged, the index whole: only reading is allowed */
    char damage[160];       /* then: of which kind */
    bool check_data;        /* fsck: open also every data record met in the log */
    uint64_t replayed;
    uint64_t bytes;               /* of log that was read */
    uint64_t dropped;             /* 0, or the last of the changes that a power cut took (P3) */
    struct riad_delivery spooled; /* what riad_recover_spool found */
    bool index_unfit;             /* the log is sound, but the index does not take its changes */
    struct riad_log *log;         /* of the term that was claimed; the opener takes it */
    uint32_t term;
};

/* ownership.c. Takes the lock of the state directory. -EBUSY. Returns the fd. */
int riad_ownership_lock(const struct riad_workspace_config *config, struct riad_reason *reason);
/* Loads the history, and waits where another node's lease may still run. -EBUSY, -EUCLEAN. */
int riad_ownership_wait(struct riad_opening *opening) RIAD_MUST_CHECK;
/* Publishes a term on top of the history, behind the index's last change, after making that
 * durable; fills opening's log and term. */
int riad_ownership_claim(struct riad_opening *opening) RIAD_MUST_CHECK;
/* The last step of that alone: claims a term behind the index's last change, which is durable.
 * -EBUSY: somebody was faster. */
int riad_ownership_publish(struct riad_opening *opening) RIAD_MUST_CHECK;

/* repair_leftovers.c. Before the log of a term is made that is claimed last (a salvage): says so in
 * the local state. first: no file of it is below that segment. */
int riad_salvage_begin(const struct riad_workspace_config *config, uint64_t first) RIAD_MUST_CHECK;
/* The term is claimed. */
void riad_salvage_end(const struct riad_workspace_config *config);
/* Unlinks what a salvage left that was killed before it claimed its term: as long as nobody else
 * did, in whose history these files would be strangers. With the state's lock. */
void riad_salvage_clear(
        const struct riad_workspace_config *config, const struct riad_history *history);

/* epoch.c. The last segment that records of epochs before this one, the keys' current one, may lie
 * in: a term has none of an older epoch than the one that was current when it began. term: the one
 * that begins now, behind the history. 0: all is of this epoch. */
uint64_t riad_epoch_segment_before(
        const struct riad_history *history, uint32_t term, uint32_t epoch);

/* lease.c. Checks for a higher term, writes the heartbeat and extends the lease. -ESTALE (the
 * workspace was turned); other errors of the store: the lease stays as it was. No lock held. */
int riad_lease_renew(struct riad_workspace *workspace) RIAD_MUST_CHECK;
/* Tells the others that nobody need wait. */
int riad_lease_end(struct riad_workspace *workspace) RIAD_MUST_CHECK;
/* Whether the running owner should renew now: less often while nothing is changed. */
bool riad_lease_due(struct riad_workspace *workspace, bool idle);
/* ns between two renewals: what half of a lease bears several times. */
uint64_t riad_lease_period(const struct riad_workspace *workspace);

/* recover.c. Opens the index at index_path and brings it to the end of the log (L3, L4). */
int riad_recover(struct riad_opening *opening) RIAD_MUST_CHECK;
/* Replays what the log has behind the index's last change. */
int riad_recover_follow(struct riad_opening *opening) RIAD_MUST_CHECK;
/* What a process of this node that was killed left in its spool goes to the log now, or is kept
 * aside where another node went on since. After riad_ownership_wait. */
int riad_recover_spool(struct riad_opening *opening) RIAD_MUST_CHECK;
/* Whether riad_recover_spool kept something aside; if so, a sentence for a person. */
bool riad_recover_spool_late(const struct riad_opening *opening, struct riad_reason *ret);
struct riad_spool_home riad_recover_spool_home(const struct riad_opening *opening);
/* Reads the mark of config's state directory; none is no error. */
int riad_recover_mark(struct riad_opening *opening) RIAD_MUST_CHECK;
/* rebuild.c. Fills an empty index from the newest checkpoint that is whole and on the history;
 * leaves it empty if there is none. */
int riad_rebuild_from_checkpoint(struct riad_opening *opening) RIAD_MUST_CHECK;
/* The same with the oldest: as much of the log is read then as there is. */
int riad_rebuild_from_oldest(struct riad_opening *opening) RIAD_MUST_CHECK;
/* Discards the index and opens an empty one. */
int riad_rebuild_empty(struct riad_opening *opening) RIAD_MUST_CHECK;
/* Loads one checkpoint into the empty index. -EBADMSG: not whole; -ENOENT: it does not count
 * (riad_checkpoint_counts); the index must be discarded. */
int riad_rebuild_load(struct riad_opening *opening, uint64_t segment) RIAD_MUST_CHECK;
/* Whether a position can lie on the history: its term is linked and it is not past its bound. */
bool riad_history_covers(const struct riad_history *history, const struct riad_end *end);
/* Whether a checkpoint may be believed: it lies on the history, and nobody who has left could have
 * made it (K2). open_epoch: the oldest epoch that has not ended. */
bool riad_checkpoint_counts(const struct riad_checkpoint_manifest *manifest,
        const struct riad_history *history, uint32_t open_epoch);
/* The manifest of the newest checkpoint that counts. -ENOENT. */
int riad_checkpoint_newest(int workspace_fd, const struct riad_keys *keys,
        const struct riad_history *history, uint32_t open_epoch,
        struct riad_checkpoint_manifest *ret, uint64_t *ret_segment) RIAD_MUST_CHECK;
/* Bytes of log files behind a position. */
int riad_log_bytes_behind(
        int workspace_fd, const struct riad_end *end, uint64_t *ret) RIAD_MUST_CHECK;

/* leftovers.c. At open and close: finishes truncations, frees inodes without names. Failures are
 * events: what is left waits for the next open. */
void riad_leftovers_free(struct riad_workspace *workspace);

/* background.c. */
/* By the threads of the runner, which is borrowed; NULL: by threads of its own. -ENOMEM, -EAGAIN.
 */
int riad_background_start(
        struct riad_workspace *workspace, struct riad_runner *runner) RIAD_MUST_CHECK;
/* Waits for the rounds that run; NULL-safe on workspace->background. */
void riad_background_stop(struct riad_workspace *workspace);
/* A batch has begun: commit it soon. */
void riad_background_changed(struct riad_workspace *workspace);
/* A round of the upkeep is wanted now. */
void riad_background_upkeep(struct riad_workspace *workspace);
/* Enough is in the spool to be worth a write to the store. */
void riad_background_ship(struct riad_workspace *workspace);
/* Too much is unsynced: begins a sync round and waits until one is done, at most 100 ms (L5). */
void riad_background_wait_synced(struct riad_workspace *workspace);
bool riad_background_stopping(struct riad_workspace *workspace);

/* limits.c. Behind a change: starts and stops the clocks of soft limits, tells of what was passed.
 * What cannot be written is tried again behind the next one. (mutation) */
void riad_limits_follow(struct riad_workspace *workspace);
/* The same if there is something to do that no caller's change brings about: a limit was set, or
 * somebody refused. Called without the lock. */
void riad_limits_round(struct riad_workspace *workspace);
/* When the workspace is opened: the clocks are those of the index; what is passed already is not
 * told.
 */
int riad_limits_begin(struct riad_workspace *workspace) RIAD_MUST_CHECK;
/* limits_largest.c. "; largest directories: inodes 17, 244, 9" for an event's text, or nothing
 * where there are none or they cannot be read. Of what was handed up the tree, and of the first 512
 * directories that are met: some milliseconds at most. (mutation) */
enum { RIAD_LARGEST_TEXT = 96 };
void riad_limits_show_largest(struct riad_workspace *workspace, enum riad_resource resource,
        char ret[static RIAD_LARGEST_TEXT]);

/* sync.c. One round of the syncing thread: data, log, mark; measures the bandwidth. */
void riad_sync_round(struct riad_workspace *workspace);
/* upkeep.c: one round each, by their threads. */
void riad_batch_round(struct riad_workspace *workspace);
/* tree.c. Hands up some of what is pending in the sums of directories (riad/tree.h); asks for
 * another round if there is more. */
void riad_tree_round(struct riad_workspace *workspace);
void riad_ship_round(struct riad_workspace *workspace);
void riad_beat_round(struct riad_workspace *workspace);
void riad_upkeep_round(struct riad_workspace *workspace);
/* verify.c. As much of what riad_workspace_scrub asked for as one round may do. */
void riad_verify_round(struct riad_workspace *workspace);
/* There will be no round any more: what was begun does not end. */
void riad_verify_stop(struct riad_workspace *workspace);
void riad_store_measure(struct riad_workspace *workspace);
/* Bytes of a data segment: on a full store its live records can be copied into half of what is kept
 * for deleting (P6). */
uint64_t riad_store_segment_size(int workspace_fd);
/* checkpoint_rows.c. L6: whether the log has grown enough. Starts counting at open with measure. */
bool riad_checkpoint_due(struct riad_workspace *workspace);
int riad_checkpoint_measure(
        struct riad_workspace *workspace, const struct riad_history *history) RIAD_MUST_CHECK;
/* The rows of a checkpoint that was just begun. snapshot NULL: there are none. workspace NULL:
 * nothing stops it; else -ECANCELED when that is being closed. */
int riad_checkpoint_add_rows(struct riad_checkpoint_writer *writer, struct riad_snapshot *snapshot,
        uint64_t next_inode, struct riad_workspace *workspace) RIAD_MUST_CHECK;
/* Removes checkpoints that are not needed, and finds out where the log that is begins
 * (upkeep.cut_below). */
int riad_checkpoint_prune(struct riad_workspace *workspace) RIAD_MUST_CHECK;
/* retire.c. Unlinks data segments that died (DESIGN L7), two rounds after they did. */
void riad_retire_round(struct riad_workspace *workspace);
/* Makes the changes that freed segments durable, and sees that a change says so; looks the term up
 * behind that. Then they may be unlinked. */
int riad_retire_vouch(struct riad_workspace *workspace) RIAD_MUST_CHECK;
/* Unlinks what older terms left in dead/, and temporary files of checkpoints. */
void riad_retire_leftovers(struct riad_workspace *workspace);
/* Moves a file into dead/<term>/ and unlinks it there. -ENOENT counts as done. */
int riad_retire_file(struct riad_workspace *workspace, enum riad_segment_kind kind,
        uint64_t segment) RIAD_MUST_CHECK;
/* The same with a log or data segment that no extent refers to, whose row goes too. What freed it
 * is synced, and the term was looked up since. */
int riad_retire_segment(struct riad_workspace *workspace, enum riad_segment_kind kind,
        uint64_t segment) RIAD_MUST_CHECK;

#endif
