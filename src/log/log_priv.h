/* The appending end of a log, shared by log.c (the log segment), log_open.c, log_seal.c,
 * log_turn.c, log_files.c (files that are being written), log_bulk.c (data segments) and
 * log_sync.c.
 *
 * Two locks: the workspace's mutation lock, which is the caller's, and the log's own `lock`, which
 * guards bookkeeping only: it is never held during a system call on a file. */
#ifndef RIAD_LOG_PRIV_H
#define RIAD_LOG_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "riad/log.h"
#include "riad/spool.h"

#include "segment_priv.h"

enum {
    RIAD_BULK_SLOTS = 6,                   /* slot 0 is everybody's, */
    RIAD_MOVED_SLOT = RIAD_BULK_SLOTS - 1, /* the last one the cleaner's, the others belong to an
                                              owner each */
    RIAD_OWNERS = 16,                      /* writers remembered */
    RIAD_BULK_IDLE = 64,        /* writes after which an owner's slot may be taken from it */
    RIAD_OWNER_BYTES = 8 << 20, /* written in sequence: worth segments of one's own */
};

/* A segment that this log has created. Once retired it is never appended to again (L1); it is
 * closed when nothing of it is left to sync. */
struct riad_log_file {
    struct riad_log_file *next;      /* lock: list of all */
    struct riad_log_file *next_sync; /* the running sync's own */
    uint64_t segment;                /* immutable */
    enum riad_segment_kind kind;     /* immutable */
    int fd;                          /* immutable */
    uint64_t size;  /* lock; bytes given away. A log segment's also under mutation: its valid length
                     */
    uint64_t dirty; /* lock; bytes written and not synced */
    uint64_t syncing; /* lock; of those, what the running sync covers */
    unsigned pins;    /* lock; writers and syncs at work on fd */
    bool retired;     /* lock */
    bool used;        /* lock; something that was reported written lies in it */
    bool synced;      /* lock; once: what it begins with is durable */
    bool whole;       /* lock; retired, and nothing of it is left in the spool */
    bool spooled;     /* immutable once it is appended to: what is appended goes to the spool */
    uint64_t zeros;   /* the running sync's own; up to here there are, or were, zeros */
    _Atomic uint64_t reserved; /* the store has room for it up to here; 0: was not asked */
};

struct riad_bulk_slot {
    uint64_t owner;
    struct riad_log_file *file; /* NULL: none yet */
    uint64_t used;              /* clock */
    bool opening;               /* a thread creates its file; wait on `changed` */
};

struct riad_owner {
    uint64_t inode;
    uint64_t bytes;
    uint64_t used;
};

struct riad_log {
    struct riad_log_config config; /* immutable, but for `end`, which is not used after opening */
    int directories[2];            /* immutable: log/ and data/ */
    atomic_bool stopped;
    atomic_bool failed;           /* a sync failed: for ever */
    atomic_uint_fast64_t ordinal; /* the last one given away */

    _Atomic uint32_t features; /* written under mutation */

    /* (mutation) */
    struct riad_log_file
            *current; /* NULL: the next append creates one, `header` is sealed for it */
    bool outgrown;    /* it cannot take what comes next: features that its header does not name */
    uint64_t next_segment;
    struct riad_writer header;
    struct riad_writer change; /* reused by every append */

    struct riad_spool *spool;       /* immutable; NULL: none */
    struct riad_log_file *shipping; /* lock; the segment that is spooled, until it is retired */

    pthread_mutex_t lock;
    pthread_cond_t changed;          /* a sync ended, a slot's file was opened */
    struct riad_stream *stream;      /* lock; the log segment's */
    struct riad_stream *bulk_stream; /* lock */
    uint32_t epoch;  /* of what is appended; written under mutation and lock, read under either */
    uint64_t turned; /* lock; the last segment id of before the last turn; 0: there was none */
    struct riad_log_file *files; /* lock */
    struct riad_end end;         /* written under mutation and lock, read under either */
    uint64_t start;              /* as end */
    struct riad_end synced_end;  /* lock */
    _Atomic uint64_t durable;    /* number of synced_end: read under the mutation lock alone */
    uint64_t synced_start;       /* lock */
    uint64_t unsynced;           /* lock */
    bool new_names[2];           /* lock; files created since the directory was synced */
    bool syncing;                /* lock */
    uint64_t synced_at;          /* the running sync's own; ns of riad_now_ns */
    uint64_t rounds_begun;       /* lock; full syncs */
    uint64_t rounds_done;        /* lock */
    struct riad_bulk_slot slots[RIAD_BULK_SLOTS]; /* lock */
    struct riad_owner owners[RIAD_OWNERS];        /* lock */
    uint64_t clock;                               /* lock; bulk writes */
    struct riad_log_counters counters;            /* lock */
};

/* The last id that was given away. Thread-safe. */
uint64_t riad_log_last_segment_id(struct riad_log *log);
/* (lock) Ends appending to all data segments. The result, linked by next, is for
 * riad_log_files_close. */
struct riad_log_file *riad_log_end_bulk(struct riad_log *log);
/* Creates an empty segment file and lists it. No lock held. */
int riad_log_file_create(struct riad_log *log, enum riad_segment_kind kind, uint64_t segment,
        struct riad_log_file **ret) RIAD_MUST_CHECK;
/* (lock) Counts bytes as written to the file. */
void riad_log_file_wrote(struct riad_log *log, struct riad_log_file *file, uint64_t size);
/* (lock) If the file is retired, idle and has nothing to sync, takes it off the list: the caller
 * passes it to riad_log_file_close once the lock is released. Else NULL. */
struct riad_log_file *riad_log_file_collect(struct riad_log *log, struct riad_log_file *file);
/* Closes a collected file and unlinks it if nothing refers to it. NULL is fine. No lock held. */
void riad_log_file_close(struct riad_log *log, struct riad_log_file *file);
/* All of a list, linked by next. */
void riad_log_files_close(struct riad_log *log, struct riad_log_file *files);
/* (mutation) Whether what is appended to the new segment can be spooled: begins the spool for it
 * (file->spooled) if so. -ENOSPC. */
int riad_log_spool_begin(struct riad_log *log, struct riad_log_file *file) RIAD_MUST_CHECK;
/* (mutation) Puts the records, size bytes, behind what the current segment has; ships first if the
 * spool is full. -ENOSPC: the store has no room; nothing was put. */
int riad_log_spool_append(
        struct riad_log *log, struct iovec *pieces, int count, size_t size) RIAD_MUST_CHECK;
/* For who syncs the file, before that; now: riad_now_ns. Where syncs of little follow each other,
 * writes zeros behind what was shipped, so that the next ones need not make the file grow. */
void riad_log_write_zeros(struct riad_log *log, struct riad_log_file *file, uint64_t now);
/* Makes durable what earlier owners left in the page cache of this node: a new segment's header
 * will vouch for all before it (L1). */
int riad_log_settle(struct riad_log *log) RIAD_MUST_CHECK;

#endif
