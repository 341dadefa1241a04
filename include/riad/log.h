/* Layer log. The appending end of one workspace's log: sealed payloads and changes into append-only
 * segments (L1, L2).
 *
 * Locks: the functions marked (mutation) are called with the workspace's mutation lock held, which
 * serialises them; the others are thread-safe by themselves. Lock order: mutation, then the log's
 * own. No lock is held during fdatasync. */
#ifndef RIAD_LOG_H
#define RIAD_LOG_H

#include "riad/segments.h"
#include "riad/spool.h"
#include "riad/stream.h"

struct riad_log;

struct riad_log_config {
    int workspace_fd; /* STORE/ws/<id>; borrowed, outlives the log */
    const struct riad_keys *keys;
    uint32_t term;
    struct riad_end end; /* where the history ends: the new segment's predecessor */
    uint64_t start; /* where the last change of that history begins, for riad_log_synced; 0 = not
                       known */
    uint64_t log_segment_size;  /* roll when reached; 0 = 64 MiB */
    uint64_t data_segment_size; /* 0 = 128 MiB */
    /* Where appends are gathered until they are shipped; NULL: each is written to the store at
     * once. So they are too where there is no room for a spool, or where the store's file system
     * cannot reserve room (fallocate), as then a full store would show too late (L5). Read by
     * riad_log_open only. */
    const struct riad_spool_home *spool;
    /* The segment of `end` may be gone or damaged (fsck --repair): where its header cannot be read,
     * the log says that its reader must know all features there are. */
    bool salvaging;
};

/* Creates no segment until the first append, log/ and data/ if they are missing. Syncs what the
 * term that wrote `end` may have left in this node's page cache: the history is durable when this
 * returns (riad_log_synced). -EPROTONOSUPPORT: a newer riad wrote features that allow reading only
 * (F2). */
int riad_log_open(const struct riad_log_config *config, struct riad_log **ret) RIAD_MUST_CHECK;
/* Does not sync: call riad_log_sync first. Payloads may outlive it. */
void riad_log_free(struct riad_log *log);

/* Sealed data records, not yet at a place. */
struct riad_payload {
    uint8_t *bytes; /* the records, one after another */
    size_t size;
    size_t room; /* of bytes, where records are added one by one */
    uint32_t unit;
    uint32_t length; /* data bytes */
    uint32_t count;
    uint8_t *tags; /* count x 16 */
    struct riad_stream *stream;
};
/* Seals data as records of unit bytes (a power of two, 4096..65536; at most 64 records). bulk: with
 * a data segment's stream, else the log's. Outside all locks: so riad_log_turn may come between
 * this and the change that names the payload, and the data then has to be sealed again
 * (riad_log_is_stale). The payload is the caller's to free. */
int riad_log_seal(struct riad_log *log, bool bulk, const struct riad_birth *birth, uint32_t unit,
        const void *data, uint32_t length, struct riad_payload **ret) RIAD_MUST_CHECK;
/* An empty payload of records that need not continue each other, for what is moved to data segments
 * (L7): room for that many bytes of sealed records, filled with riad_payload_add. Its unit, length
 * and tags say nothing. */
int riad_payload_new(struct riad_log *log, size_t room, struct riad_payload **ret) RIAD_MUST_CHECK;
/* Seals one more record of 1..65,536 bytes behind those that are there. *ret_offset: where it
 * begins in the payload. -ENOSPC: there is no room. One thread per payload. */
int riad_payload_add(struct riad_payload *payload, const struct riad_birth *birth, const void *data,
        uint32_t length, size_t *ret_offset, uint8_t ret_tag[RIAD_TAG_SIZE]) RIAD_MUST_CHECK;
void riad_payload_free(struct riad_payload *payload);
RIAD_DEFINE_CLEANUP(struct riad_payload, riad_payload_free);
/* (mutation) Whether the payload was sealed under an epoch that has ended since: no change may name
 * it any more, wherever it was written to. */
bool riad_log_is_stale(struct riad_log *log, const struct riad_payload *payload);

/* The owner of payloads that a cleaner moves: what is as old as they are is likely to live on. */
#define RIAD_MOVED UINT64_MAX

/* Where records lie. */
struct riad_place {
    uint64_t segment;
    uint64_t position;
};
/* Appends a bulk payload to a data segment (rolling it when full, after a failure: L1). Not under
 * the mutation lock. owner: the inode; payloads of one inode written in sequence are kept in one
 * segment where possible, and those of RIAD_MOVED in segments of their own. -ENOSPC, -EIO: nothing
 * refers to what was written. -EAGAIN: the payload is stale (riad_log_is_stale). */
int riad_log_write_bulk(struct riad_log *log, const struct riad_payload *payload, uint64_t owner,
        struct riad_place *ret) RIAD_MUST_CHECK;

/* (mutation) Where the payload of the next change will lie: rolls the log segment first if `size`
 * and a change do not fit. */
int riad_log_place(struct riad_log *log, size_t size, struct riad_place *ret) RIAD_MUST_CHECK;
/* (mutation) The changes from here on need a reader that knows these features: a segment whose
 * header does not say so is ended. The log's segments, and those of later terms, go on saying so
 * (F2). */
void riad_log_require(struct riad_log *log, uint32_t features);
/* The features that were ever required. Thread-safe. */
uint32_t riad_log_features(const struct riad_log *log);
/* (mutation) Number the next change will have: the birth of what it makes. */
uint64_t riad_log_next_number(const struct riad_log *log);
/* (mutation) Seals and appends payload (NULL = none; its place is what riad_log_place said) and a
 * change of content with one write. content is the change's body behind sequence and previous hash,
 * which the log adds. After an error nothing was appended, and if a write failed the segment is
 * closed for ever (L1); *ret_end and *ret_start say where the change ends and begins. -EAGAIN: the
 * payload is stale (riad_log_is_stale). */
int riad_log_append(struct riad_log *log, const struct riad_payload *payload, const void *content,
        size_t size, struct riad_end *ret_end, uint64_t *ret_start) RIAD_MUST_CHECK;

/* (mutation) Ends the log segment, as if it were full: the next append begins one, with a stream of
 * the keys' epoch, which is made here. -EIO, -EROFS: what the segment had in the spool did not get
 * to the store. -ENOSPC, -EDQUOT: it is full, and the segment goes on. */
int riad_log_roll(struct riad_log *log) RIAD_MUST_CHECK;
/* (mutation) A new epoch has been added to the keys: from here on all is sealed under it. The log
 * segment and the data segments that are open for appending end as when they are full, and no
 * payload of the epoch before is taken any more. What the spool holds goes to the store first, as
 * at every change of segments. *ret_segment: all that was sealed before lies in segments up to this
 * one, all that comes in later ones. -EROFS, -EIO, -ENOMEM: then the log takes no more appends at
 * all, and nothing is lost. */
int riad_log_turn(struct riad_log *log, uint64_t *ret_segment) RIAD_MUST_CHECK;

/* Writes what the spool holds to the store. -ENOSPC, -EDQUOT: the store, which cannot reserve room,
 * is full; the bytes stay in the spool: try again. Another failure ends the log as one of
 * riad_log_sync does; the bytes stay there for the next opening. Thread-safe, not under the
 * mutation lock. 0 without a spool. */
int riad_log_ship(struct riad_log *log) RIAD_MUST_CHECK;
/* Bytes that wait to be shipped. Thread-safe. */
uint64_t riad_log_unshipped(const struct riad_log *log);
/* Makes everything durable that was appended, and every bulk payload that was written, before the
 * call: data segments, then the log, then the directories of new files. One sync serves all that
 * wait. -ENOSPC, -EDQUOT: as riad_log_ship says, and nothing has failed. After a failed sync the
 * log refuses appends with -EROFS for ever, and this returns -EIO. */
int riad_log_sync(struct riad_log *log) RIAD_MUST_CHECK;
/* Syncs dirty data segments only, so that a later fsync is short. For the background thread. */
int riad_log_sync_data(struct riad_log *log) RIAD_MUST_CHECK;
/* The last position known durable, with the start of its last change. */
void riad_log_synced(struct riad_log *log, struct riad_end *ret_end, uint64_t *ret_start);
/* Bytes written and not synced, log and data together (L5). */
uint64_t riad_log_unsynced(struct riad_log *log);
/* -EROFS once it was stopped, or something did not get to the store and never will: no append is
 * taken any more. Any thread. */
int riad_log_writable(struct riad_log *log) RIAD_MUST_CHECK;
/* (mutation) Refuses all further appends with -EROFS. */
void riad_log_stop(struct riad_log *log);
/* A fresh segment id of this term, for a checkpoint: greater than all before, of older terms too.
 * Thread-safe. */
uint64_t riad_log_new_segment_id(struct riad_log *log);
/* The data segments that are open for appending: not to be unlinked. */
bool riad_log_is_open_segment(struct riad_log *log, uint64_t segment);
/* Ends appending to an open data segment, unless somebody is writing to it just now: so that one
 * with nothing live in it can go (riad_log_is_open_segment is false once it is synced).
 * Thread-safe. */
void riad_log_end_segment(struct riad_log *log, uint64_t segment);

struct riad_log_counters {
    uint64_t appends, append_bytes, bulk_writes, bulk_bytes, syncs, segments;
    uint64_t records; /* data records, with changes and in bulk */
    uint64_t ships;   /* writes of the log to the store; without a spool each append is one */
};
void riad_log_count(struct riad_log *log, struct riad_log_counters *ret);

#endif
