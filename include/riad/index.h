/* Layer index. The SQLite index of one workspace: rows, looked up and changed through prepared
 * statements; the engine behind core.
 *
 * The index is trusted like the node's root and never read from the store (K5); names, symlink
 * targets and xattrs in it are sealed with AES-256-SIV all the same, with (table, inode,
 * generation, attribute) as associated data, names padded to 32 bytes (F5).
 *
 * Locks: every function below is called with the workspace's mutation lock held, or by one thread
 * before the workspace is open, but for those marked (any thread). One connection reads and writes
 * inside one open batch transaction; riad_index_commit ends it. SQLite: WAL, locking NORMAL,
 * synchronous NORMAL, wal_autocheckpoint off: riad_index_wal_checkpoint runs on a connection of its
 * own.
 *
 * Inode rows and live bytes are written back: SQLite sees them when the batch commits. Where SQLite
 * fails half way, for want of memory or room, the batch is torn: each later call first applies its
 * changes, which are kept in memory, again, and gives the error as long as that fails. Where it
 * holds what is no change, the index is broken then: every later call gives -EIO, nothing more is
 * committed, and closing and opening it gives the last committed batch.
 *
 * Errors: -ENOENT no such row; -EIO SQLite failed; -EUCLEAN the database is not what this riad
 * wrote (then: discard and rebuild); -ENOSPC its disk is full. */
#ifndef RIAD_INDEX_H
#define RIAD_INDEX_H

#include "riad/change.h"

struct riad_index;

/* Opens or creates `index.db` in the state directory (path of it; mode 0600). keys are borrowed. An
 * index of another schema version, workspace or epoch, or one that fails a quick structural check,
 * gives -EUCLEAN. */
int riad_index_open(const char *state_path, const struct riad_keys *keys,
        struct riad_index **ret) RIAD_MUST_CHECK;
/* Commits and closes; removes nothing. */
void riad_index_close(struct riad_index *index);
/* Removes index.db and its -wal and -shm. */
int riad_index_discard(const char *state_path) RIAD_MUST_CHECK;

/* Applies an encoded change's operations (riad_change.operations or what riad_change_parse gave) in
 * the open batch transaction, all or none, and records end and start as the last change. Usage,
 * next inode, segment live bytes are derived here and nowhere else. -EBADMSG: not decodable, or
 * contradicts the rows (a row to be removed is missing, a dentry name taken, extents overlap, an
 * inode number in `garbage` is used again, a workspace put): nothing was applied. (No savepoint:
 * the batch is rolled back and its earlier changes, kept in memory, are applied again.) The batch
 * may be committed here too, between two changes, when its record grows over 1 MiB or it holds
 * writes that are no changes. */
int riad_index_apply(struct riad_index *index, const struct riad_reader *operations,
        const struct riad_end *end, uint64_t start) RIAD_MUST_CHECK;
/* For checkpoints being loaded into an empty index: like apply, without end. operations are whole
 * ones. After any error the index is broken: discard it. */
int riad_index_load(
        struct riad_index *index, const uint8_t *operations, size_t size) RIAD_MUST_CHECK;
int riad_index_set_end(
        struct riad_index *index, const struct riad_end *end, uint64_t start) RIAD_MUST_CHECK;
/* Commits the batch, if one is open (reads open one too), and begins the next lazily. -ENOSPC may
 * leave it open: try again. When the WAL is over 256 MiB, it is moved into the database here. */
int riad_index_commit(struct riad_index *index) RIAD_MUST_CHECK;
/* 0: it has all that was applied, what is answered from memory (usage, cached rows) too. Else mends
 * what a failure took of the batch; an error as long as there is no memory or room for that, -EIO
 * for good where it is broken. */
int riad_index_ready(struct riad_index *index) RIAD_MUST_CHECK;
/* Changes applied since the last commit. */
uint32_t riad_index_pending(const struct riad_index *index);
/* The last change applied; all zero for an empty index. */
void riad_index_end(const struct riad_index *index, struct riad_end *ret_end, uint64_t *ret_start);

struct riad_usage {
    uint64_t blocks; /* of RIAD_BLOCK_SIZE */
    uint64_t inodes;
};
/* Sum over the inodes, kept as changes are applied (P7); no query. */
void riad_index_usage(const struct riad_index *index, struct riad_usage *ret);
/* Since it was opened. */
struct riad_index_counters {
    uint64_t commits;         /* transactions that wrote something */
    struct riad_hits inodes;  /* rows of inodes, */
    struct riad_hits names;   /* sealed names, */
    struct riad_hits extents; /* extents of files made a moment ago; misses: of all others, too */
};
void riad_index_count(const struct riad_index *index, struct riad_index_counters *ret);
/* What inodes of one owner or group add up to in this workspace, and since when that is above a
 * soft limit (by resource: blocks, inodes). Of the workspace itself, id 0, the clocks alone. */
struct riad_owner {
    enum riad_subject subject;
    uint32_t id;
    struct riad_usage usage;
    uint64_t over_since[2];
};
/* Zeros of one who has nothing. No query, but for the first time. */
int riad_index_owner(struct riad_index *index, enum riad_subject subject, uint32_t id,
        struct riad_owner *ret) RIAD_MUST_CHECK;
/* Each that has something, in no order; function as in riad_index_list. */
typedef int (*riad_index_owner_function)(void *context, const struct riad_owner *owner);
int riad_index_owners(struct riad_index *index, enum riad_subject subject,
        riad_index_owner_function function, void *context) RIAD_MUST_CHECK;
uint64_t riad_index_next_inode(const struct riad_index *index);

int riad_index_get_inode(
        struct riad_index *index, uint64_t inode, struct riad_inode *ret) RIAD_MUST_CHECK;
/* By name; name need not be terminated. -ENOENT. */
int riad_index_lookup(struct riad_index *index, uint64_t parent, const char *name, size_t size,
        struct riad_dentry *ret) RIAD_MUST_CHECK;
/* True (1) if the directory has any entry, 0 if none. */
int riad_index_has_entries(struct riad_index *index, uint64_t parent) RIAD_MUST_CHECK;
/* The dentry of a directory in its parent, for ".." of reconnects and messages. */
int riad_index_dentry_of(struct riad_index *index, uint64_t parent, uint64_t inode,
        struct riad_dentry *ret) RIAD_MUST_CHECK;
/* Entries of parent with cookie > after, ascending by cookie, each with its inode's row (one range
 * scan joined with inodes). function returns 0 to go on, 1 to stop, or a negative error, which is
 * passed on. It must not call the index. */
typedef int (*riad_index_entry_function)(
        void *context, const struct riad_dentry *dentry, const struct riad_inode *inode);
int riad_index_list(struct riad_index *index, uint64_t parent, uint64_t after,
        riad_index_entry_function function, void *context) RIAD_MUST_CHECK;
/* Extents of the inode that touch [from, to), ascending, the first possibly beginning before
 * `from`; the same rules for function. */
typedef int (*riad_index_extent_function)(void *context, const struct riad_extent *extent);
int riad_index_extents(struct riad_index *index, uint64_t inode, uint64_t from, uint64_t to,
        riad_index_extent_function function, void *context) RIAD_MUST_CHECK;
/* Number of extents with offset in [from, to), counting no further than max. */
int riad_index_count_extents(struct riad_index *index, uint64_t inode, uint64_t from, uint64_t to,
        uint64_t max, uint64_t *ret) RIAD_MUST_CHECK;
/* Value onto the heap (the caller frees; one zero byte follows). -ENODATA. */
int riad_index_get_xattr(struct riad_index *index, const struct riad_inode *inode, const char *name,
        uint8_t **ret_value, size_t *ret_size) RIAD_MUST_CHECK;
/* Names, each zero-terminated, one after another, sorted by when they were made; heap. */
int riad_index_list_xattrs(struct riad_index *index, const struct riad_inode *inode,
        char **ret_names, size_t *ret_size) RIAD_MUST_CHECK;
/* Zero-terminated target, heap. */
int riad_index_get_symlink(
        struct riad_index *index, const struct riad_inode *inode, char **ret) RIAD_MUST_CHECK;
/* Up to max inodes with nlink 0 and inode > after (orphans), or with a truncate mark. */
int riad_index_orphans(struct riad_index *index, uint64_t after, uint64_t *ret_inodes, size_t max,
        size_t *ret_count) RIAD_MUST_CHECK;
int riad_index_truncate_marks(struct riad_index *index, uint64_t after, uint64_t *ret_inodes,
        size_t max, size_t *ret_count) RIAD_MUST_CHECK;
/* Up to max inodes with xattrs and inode > after, ascending. Each is found by itself: what it costs
 * depends on max alone, not on how many inodes there are, or xattrs of one. */
int riad_index_xattr_inodes(struct riad_index *index, uint64_t after, uint64_t *ret_inodes,
        size_t max, size_t *ret_count) RIAD_MUST_CHECK;
/* The first regular file behind an inode number, of those that the last commit has. -ENOENT: there
 * is none. */
int riad_index_next_file(
        struct riad_index *index, uint64_t after, uint64_t *ret_inode) RIAD_MUST_CHECK;
/* L8: extents of removed inodes are freed in slices after the change: frees up to max rows;
 * *ret_more says whether some are left. Derived, never logged. */
int riad_index_reap(struct riad_index *index, uint32_t max, bool *ret_more) RIAD_MUST_CHECK;
/* Logical bytes of the segment that extents refer to, garbage included. -ENOENT: none ever did
 * since the index was made. */
int riad_index_segment_live(
        struct riad_index *index, uint64_t segment, uint64_t *ret_bytes) RIAD_MUST_CHECK;
/* Data segments (not log segments) that no extent refers to any more and did once, at most max. A
 * log segment is known by a change that ended in it: after a checkpoint was loaded, older log
 * segments can show up here, so a caller must not take it for an error if there is no such data
 * segment. */
int riad_index_dead_segments(struct riad_index *index, uint64_t *ret_segments, size_t max,
        size_t *ret_count) RIAD_MUST_CHECK;
/* Data extents whose first record lies in the segment at or behind `from`, ascending by place,
 * garbage excluded; the same rules for function. Two that share records each come. */
int riad_index_placed(struct riad_index *index, uint64_t segment, uint64_t from,
        riad_index_extent_function function, void *context) RIAD_MUST_CHECK;
/* 1 if any extent refers to the segment, garbage included; 0 if none does. */
int riad_index_is_used(struct riad_index *index, uint64_t segment) RIAD_MUST_CHECK;
/* Forgets a segment after it was renamed away. */
int riad_index_drop_segment(struct riad_index *index, uint64_t segment) RIAD_MUST_CHECK;

/* (any thread) Moves the WAL into the database, PASSIVE, on a second connection. */
int riad_index_wal_checkpoint(struct riad_index *index) RIAD_MUST_CHECK;

/* A read snapshot on a connection of its own (L6). Take it right after riad_index_commit, with the
 * mutation lock held; read and free it on any one thread without. */
struct riad_snapshot;
int riad_snapshot_take(struct riad_index *index, struct riad_snapshot **ret) RIAD_MUST_CHECK;
void riad_snapshot_free(struct riad_snapshot *snapshot);
RIAD_DEFINE_CLEANUP(struct riad_snapshot, riad_snapshot_free);
struct riad_snapshot_header {
    struct riad_end end;
    uint64_t start;
    uint64_t next_inode;
    struct riad_usage usage;
};
void riad_snapshot_header(const struct riad_snapshot *snapshot, struct riad_snapshot_header *ret);
/* Every row as one encoded operation (FORMAT 5.3), inodes first, then dentries, symlinks, xattrs,
 * extents; a negative result of function stops. */
typedef int (*riad_snapshot_function)(void *context, const uint8_t *operation, size_t size);
int riad_snapshot_rows(struct riad_snapshot *snapshot, riad_snapshot_function function,
        void *context) RIAD_MUST_CHECK;
/* Every data extent that is not garbage, by segment and position, for fsck and scrub; function as
 * in riad_index_extents. */
int riad_snapshot_extents(struct riad_snapshot *snapshot, riad_index_extent_function function,
        void *context) RIAD_MUST_CHECK;

/* A sum, or an inode's charge, that is kept otherwise than a recount gives it. */
struct riad_miscount {
    enum riad_subject subject; /* of a sum; 0: of an inode */
    uint64_t id;               /* uid, gid, 0 of the workspace; the inode's number */
    struct riad_usage kept, counted;
};
typedef int (*riad_miscount_function)(void *context, const struct riad_miscount *miscount);
/* Counts everything that limits are about: each inode's blocks by its extents and xattrs, and the
 * sums over inodes, of the workspace and of each owner and group. A negative result of function
 * stops. */
int riad_snapshot_recount(
        struct riad_snapshot *snapshot, riad_miscount_function function, void *context);
/* Adds what a recount found to be missing, counted less kept, to a sum of now. -EINVAL one of an
 * inode.
 */
int riad_index_mend_sum(
        struct riad_index *index, const struct riad_miscount *miscount) RIAD_MUST_CHECK;

/* Consistency of the rows among themselves (fsck): usage = sum over inodes, charged blocks of each
 * inode = its extents, xattrs and type, no overlapping extents, nlink = dentries (directories: 2 +
 * subdirectories), every dentry has its inode and the type fits, every inode but the root and
 * orphans is reachable, cookies below next cookie, inodes below next inode, rows decodable and
 * sealed names authentic, the sums of directories (riad/tree.h) what a recount gives. report is
 * called with one sentence per finding (inode numbers, no names). *ret_findings counts. */
typedef void (*riad_index_report_function)(void *context, const char *finding);
int riad_snapshot_check(struct riad_snapshot *snapshot, riad_index_report_function report,
        void *context, uint64_t *ret_findings) RIAD_MUST_CHECK;

#endif
