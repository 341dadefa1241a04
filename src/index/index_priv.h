/* The inside of an index. All fields are guarded by the workspace's mutation lock, but for those
 * marked. */
#ifndef RIAD_INDEX_PRIV_H
#define RIAD_INDEX_PRIV_H

#include "riad/index.h"
#include "riad/keys.h"

#include "database_priv.h"
#include "sealing_priv.h"
#include "statements_priv.h"
#include "tree_priv.h"

enum {
    RIAD_CACHED_INODES = 4096, /* a power of two */
    RIAD_CACHED_SEGMENTS = 64, /* a power of two */
    RIAD_CACHED_NAMES = 256,   /* a power of two */
    RIAD_CACHED_NAME_MAX = 61, /* fits two steps of padding */
    RIAD_YOUNG_FILES = 32,     /* a power of two */
    RIAD_YOUNG_EXTENTS = 8,    /* of one of them */
    RIAD_END_SIZE = 60,
    /* Removed inodes with more extents become garbage (L8). */
    RIAD_REMOVE_EXTENTS_MAX = 256,
};

/* One row of the write-back cache: rows reach SQLite when they are pushed out or the batch
 * commits, so an inode that changes with every operation is written once a batch. */
struct riad_cached_inode {
    struct riad_inode row;
    bool full;
    bool dirty;
    bool listed; /* its slot is in `listed` */
};

struct riad_inode_cache {
    struct riad_cached_inode slots[RIAD_CACHED_INODES]; /* by the low bits of the number */
    uint16_t listed[RIAD_CACHED_INODES]; /* slots that were made dirty since the last flush */
    size_t count;
};

/* A file that was made a moment ago: all its extents are here, SQLite has some of them. */
struct riad_young_file {
    uint64_t inode; /* 0: empty */
    unsigned count;
    unsigned dirty; /* bits: SQLite has not got it, or an older one of the same offset */
    bool stored;    /* SQLite may have extents of it */
    struct riad_extent extents[RIAD_YOUNG_EXTENTS]; /* by offset */
};

/* What an extent covers of a file, and in which segment its bytes are. */
struct riad_span {
    uint64_t offset;
    uint64_t length;
    uint64_t segment;
};

/* Changes of segments' live bytes that SQLite has not been told yet. */
struct riad_segment_delta {
    uint64_t segment; /* 0: empty */
    int64_t bytes;
};

struct riad_kept_owner {
    struct riad_owner owner;
    bool dirty;
};

/* All owners that have or had anything. */
struct riad_owners {
    struct riad_kept_owner *items; /* in the order in which they came */
    size_t count;
    uint32_t *slots;   /* by hash: 1 + the item's number, 0: empty */
    size_t slot_count; /* a power of two */
    bool loaded;       /* SQLite's are here */
    bool dirty;        /* some are */
};

struct riad_cached_name {
    uint64_t parent; /* 0: empty */
    size_t size;
    size_t sealed_size;
    char name[RIAD_CACHED_NAME_MAX];
    uint8_t sealed[RIAD_SIV_SIZE + 2 * RIAD_TEXT_STEP];
};

struct riad_index {
    const struct riad_keys *keys; /* borrowed, constant */
    char *path;                   /* of the database; constant */
    sqlite3 *database;
    sqlite3 *checkpointer; /* any thread: opened with SQLite's own mutex; constant */
    sqlite3_stmt *statements[RIAD_STATEMENT_COUNT];

    struct riad_snapshot_header current;
    struct riad_snapshot_header committed; /* as the last commit left it */
    struct riad_inode_cache cache;
    struct riad_cached_name names[RIAD_CACHED_NAMES];
    struct riad_segment_delta deltas[RIAD_CACHED_SEGMENTS];
    struct riad_young_file young[RIAD_YOUNG_FILES]; /* by the low bits of the inode's number */
    struct riad_owners owners;
    struct riad_tree tree;
    struct riad_index_counters counters;
    bool strays; /* there are extents of numbers never given out: damage. Then no file is young */

    /* The changes of the open batch: (end, start, b32 operations) each. A refused change is undone
     * by rolling the batch back and applying these again: a savepoint would cost every change. */
    struct riad_writer batch;
    uint32_t pending;
    bool open;         /* a transaction is */
    bool changed;      /* something is to be written at commit */
    bool unrecorded;   /* the batch holds writes that are not in `batch`: commit before the next
                          change */
    bool unrepeatable; /* the same, and they are not made anew by whoever looks again */
    bool torn; /* SQLite failed half way, for want of memory or space: what is open of the batch is
                  to be made anew */
    bool broken; /* it cannot: memory and database may differ for ever */

    uint64_t wal_pages; /* after the last commit */
    uint64_t wal_limit; /* commit checkpoints itself when wal_pages gets there */
};

static inline sqlite3_stmt *riad_index_statement(struct riad_index *index, enum riad_statement id)
{
    return index->statements[id];
}

/* batch.c: opens the batch transaction if none is; makes what a failure took of it anew. -EIO on a
 * broken index. */
int riad_index_begin(struct riad_index *index) RIAD_MUST_CHECK;
/* Rolls the batch back to the last commit: rows, memory and all. */
void riad_index_rollback(struct riad_index *index);
/* Passes an error of a write on; any but -EBADMSG tears the batch. */
int riad_index_fail(struct riad_index *index, int error);
/* Writes out the caches: before queries that read tables they shadow. */
int riad_index_flush(struct riad_index *index) RIAD_MUST_CHECK;

/* meta.c: the one row of meta. */
int riad_meta_create(sqlite3 *database, const struct riad_keys *keys) RIAD_MUST_CHECK;
/* -EUCLEAN if it is not of this workspace and epoch. */
int riad_meta_read(sqlite3 *database, const struct riad_keys *keys,
        struct riad_snapshot_header *ret) RIAD_MUST_CHECK;
int riad_meta_write(struct riad_index *index) RIAD_MUST_CHECK;

/* inode_cache.c. *ret is borrowed until the next call. -ENOENT. */
int riad_cache_get(
        struct riad_index *index, uint64_t inode, const struct riad_inode **ret) RIAD_MUST_CHECK;
int riad_cache_put(struct riad_index *index, const struct riad_inode *row) RIAD_MUST_CHECK;
int riad_cache_remove(struct riad_index *index, uint64_t inode) RIAD_MUST_CHECK;
int riad_cache_flush(struct riad_index *index) RIAD_MUST_CHECK;
void riad_cache_clear(struct riad_index *index);

/* young_files.c. When the index is opened: looks for strays. */
int riad_young_start(struct riad_index *index) RIAD_MUST_CHECK;
/* Begins with a file whose number was never given out. */
int riad_young_begin(struct riad_index *index, uint64_t inode) RIAD_MUST_CHECK;
/* NULL if SQLite has the file's extents. Borrowed until the next call with an index. */
struct riad_young_file *riad_young_find(struct riad_index *index, uint64_t inode);
/* 0; or 1: the file has too many by this one, and is none of these any more. *ret_old is what the
 * extent replaces, untouched if nothing. -EBADMSG: it overlaps another. */
int riad_young_put(struct riad_index *index, struct riad_young_file *file,
        const struct riad_extent *row, struct riad_span *ret_old) RIAD_MUST_CHECK;
/* Takes the extents out that begin in [from, to). What SQLite has of them, the caller removes. */
void riad_young_take(struct riad_young_file *file, uint64_t from, uint64_t to,
        struct riad_span ret[RIAD_YOUNG_EXTENTS], unsigned *ret_count);
/* As riad_index_extents and riad_index_count_extents. */
int riad_young_list(const struct riad_young_file *file, uint64_t from, uint64_t to,
        riad_index_extent_function function, void *context) RIAD_MUST_CHECK;
uint64_t riad_young_count(const struct riad_young_file *file, uint64_t from, uint64_t to);
/* The file is removed, and its extents are. */
void riad_young_forget(struct riad_index *index, uint64_t inode);
/* Before a commit: SQLite gets what it has not got. */
int riad_young_flush(struct riad_index *index) RIAD_MUST_CHECK;
/* After a rollback. */
void riad_young_clear(struct riad_index *index);

/* owners.c. Where an inode's row becomes another: before NULL: there was none, after NULL: it is
 * removed. */
int riad_owners_change(struct riad_index *index, const struct riad_inode *before,
        const struct riad_inode *after) RIAD_MUST_CHECK;
int riad_owners_add(struct riad_index *index, enum riad_subject subject, uint32_t id,
        int64_t inodes, int64_t blocks) RIAD_MUST_CHECK;
int riad_owners_set_clock(struct riad_index *index, const struct riad_clock *clock) RIAD_MUST_CHECK;
/* Before a commit. */
int riad_owners_flush(struct riad_index *index) RIAD_MUST_CHECK;
/* Forgets all: after a rollback, and when the index is closed. */
void riad_owners_done(struct riad_owners *owners);

/* name_cache.c: the sealed name of a dentry. size is 1..RIAD_NAME_MAX. */
int riad_index_seal_name(struct riad_index *index, uint64_t parent, const char *name, size_t size,
        uint8_t ret[RIAD_SEALED_NAME_MAX], size_t *ret_size) RIAD_MUST_CHECK;

/* segment_live.c: counts live bytes of a segment; segment 0 (unwritten) counts nowhere. */
int riad_live_add(struct riad_index *index, uint64_t segment, int64_t bytes) RIAD_MUST_CHECK;
int riad_live_flush(struct riad_index *index) RIAD_MUST_CHECK;
/* Says that it is a log segment. */
int riad_live_mark_log(struct riad_index *index, uint64_t segment) RIAD_MUST_CHECK;

/* apply_extent.c. */
int riad_apply_extent_put(struct riad_index *index, const struct riad_extent *row) RIAD_MUST_CHECK;
int riad_apply_extent_clear(
        struct riad_index *index, uint64_t inode, uint64_t from, uint64_t to) RIAD_MUST_CHECK;
/* Frees the extents of a removed inode, or makes it garbage if they are many. */
int riad_apply_extent_remove(struct riad_index *index, uint64_t inode) RIAD_MUST_CHECK;

/* apply_attribute.c: xattrs and symlink targets. */
int riad_apply_xattr_put(
        struct riad_index *index, const struct riad_operation *operation) RIAD_MUST_CHECK;
int riad_apply_xattr_remove(
        struct riad_index *index, const struct riad_operation *operation) RIAD_MUST_CHECK;
int riad_apply_symlink_put(
        struct riad_index *index, const struct riad_operation *operation) RIAD_MUST_CHECK;
int riad_apply_attributes_remove(struct riad_index *index, uint64_t inode) RIAD_MUST_CHECK;

/* apply.c: applies operations, leaving what came before a refused one. loading: from a checkpoint.
 */
int riad_apply_operations(
        struct riad_index *index, struct riad_reader operations, bool loading) RIAD_MUST_CHECK;

static inline uint64_t riad_clamp_offset(uint64_t offset)
{
    return offset > INT64_MAX ? INT64_MAX : offset;
}

#endif
