/* Layer log. Reading segments of one workspace: a bounded cache of open files and stream keys,
 * verified positioned reads.
 *
 * Thread-safe with a lock of its own that is never held during I/O or decryption. */
#ifndef RIAD_SEGMENTS_H
#define RIAD_SEGMENTS_H

#include "riad/record.h"

struct riad_segments;

/* Where an epoch ended, as the catalog says (FORMAT 3.5): the last change that counts of those
 * sealed under it or an older one, and the last segment that records of theirs may lie in. Who left
 * with that epoch still has its keys: what is sealed under them and lies behind is a forgery. */
struct riad_epoch_end {
    uint32_t epoch;
    struct riad_end end;
    uint64_t segment; /* log and data segments alike: ids grow as segments are made */
};
struct riad_epoch_ends {
    const struct riad_epoch_end *ends; /* borrowed, in any order */
    size_t count;
};
/* Whether a change of this number may be sealed under this epoch. */
bool riad_epoch_allows(const struct riad_epoch_ends *ends, uint32_t epoch, uint64_t number);
/* Whether a record of this epoch, of whatever type, may lie in this log or data segment. A data
 * record has no number: an extent names its place and its tag, and GCM lets who has a key make
 * another record with the same tag. */
bool riad_epoch_allows_segment(
        const struct riad_epoch_ends *ends, uint32_t epoch, uint64_t segment);
/* The lowest epoch that no end is known of: what has no place in the history, as checkpoints, is
 * believed from this one on. */
uint32_t riad_epoch_open(const struct riad_epoch_ends *ends);
/* Number of the last change that must be there, as an epoch ended with it; 0: none is known. */
uint64_t riad_epoch_reach(const struct riad_epoch_ends *ends);

/* A run of data records as an extent names it (FORMAT 6.2). Borrowed values; tags has count
 * entries. */
struct riad_run {
    uint64_t segment;
    uint64_t position;
    uint32_t unit;   /* bytes: 4096 .. 65536 */
    uint32_t length; /* data bytes in all records */
    struct riad_birth birth;
    const uint8_t *tags;
    uint32_t count;
};

/* workspace_fd (STORE/ws/<id>) and keys are borrowed and outlive the result; epochs is copied.
 * -ENOSPC: more than RIAD_EPOCHS_MAX. */
int riad_segments_new(int workspace_fd, const struct riad_keys *keys,
        const struct riad_epoch_ends *epochs, struct riad_segments **ret) RIAD_MUST_CHECK;
void riad_segments_free(struct riad_segments *segments);
/* One more epoch has ended: reads that begin after this has returned know of it. One caller at a
 * time; all others may go on reading meanwhile. -ENOSPC: RIAD_EPOCHS_MAX are known. */
int riad_segments_end_epoch(
        struct riad_segments *segments, const struct riad_epoch_end *end) RIAD_MUST_CHECK;
/* Reads and decrypts bytes [from, from + size) of the run into ret. One pread for all records it
 * touches, straight into ret where a whole record fits. Retries once through a fresh file
 * descriptor before it reports damage (NFS). -EBADMSG: a record is damaged, forged, moved, missing
 * (P5) or of an epoch that had ended before its segment was made (K2); then nothing in ret may be
 * used. -EIO and other errno of the store. */
int riad_segments_read(struct riad_segments *segments, const struct riad_run *run, uint32_t from,
        uint32_t size, uint8_t *ret) RIAD_MUST_CHECK;
/* One of several reads: bytes [from, from + size) of the run, into ret. */
struct riad_part {
    struct riad_run run;
    uint32_t from, size;
    uint8_t *ret;
};
/* The same as riad_segments_read of each, in turn, with one pread for those that follow each other
 * in a segment with little between. *ret_failed: which one could not be read; those before it were.
 */
int riad_segments_read_parts(struct riad_segments *segments, const struct riad_part *parts,
        size_t count, size_t *ret_failed) RIAD_MUST_CHECK;
/* Reads ahead keyless: asks the kernel to have the run's bytes soon. Never fails. */
void riad_segments_prefetch(struct riad_segments *segments, const struct riad_run *run);
/* What is called, without locks, before a read that failed is tried once more: what is not in the
 * file yet is written there. Its failure is that of the read. Set before other threads read. */
typedef int (*riad_segments_missing)(void *context);
void riad_segments_on_missing(
        struct riad_segments *segments, riad_segments_missing function, void *context);
/* Since they were made. */
struct riad_segments_counters {
    struct riad_hits files; /* segments that were open already, */
    struct riad_hits keys;  /* keys of streams that were derived already */
};
void riad_segments_count(struct riad_segments *segments, struct riad_segments_counters *ret);
/* Forgets a segment's file descriptor, before it is unlinked. */
void riad_segments_forget(struct riad_segments *segments, uint64_t segment);

RIAD_DEFINE_CLEANUP(struct riad_segments, riad_segments_free);

/* Whether a segment is the log's or data's is told by where its file lies; helpers for names. */
enum riad_segment_kind { RIAD_SEGMENT_LOG = 1, RIAD_SEGMENT_DATA, RIAD_SEGMENT_CHECKPOINT };
/* "log/0000000100000002"; ret has 32 bytes. */
void riad_segment_path(enum riad_segment_kind kind, uint64_t segment, char ret[32]);
/* For messages: the path of the file that a log or data segment lies in; "segment 0000000100000002
 * (missing)" if there is none. ret has 48 bytes. Asks the store. */
void riad_segment_show(int workspace_fd, uint64_t segment, char ret[static 48]);
static inline uint32_t riad_segment_term(uint64_t segment)
{
    return (uint32_t)(segment >> 32);
}

/* Incompatible features of what a segment holds (F2, FORMAT 5.1). */
enum {
    RIAD_FEATURE_INODE_FLAGS = 1 << 0, /* rows of inodes with flags */
    RIAD_FEATURE_ACLS = 1 << 1,        /* xattrs that are access control lists */
    RIAD_FEATURES_KNOWN = RIAD_FEATURE_INODE_FLAGS | RIAD_FEATURE_ACLS,
};

/* The verified header record of a segment (FORMAT 5.1). */
struct riad_segment_header {
    enum riad_segment_kind kind;
    uint64_t segment;
    struct riad_end previous;
    struct timespec created;
    uint32_t features;   /* incompatible ones, all of them known */
    uint32_t epoch;      /* that it is sealed under; not for sealing */
    bool read_only_bits; /* it has ro_compat features, none of which is known; not for sealing */
    size_t size;         /* of the record: where the next one begins */
};
/* -EBADMSG, -ENOENT, -EPROTONOSUPPORT. */
int riad_segment_header_read(int workspace_fd, const struct riad_keys *keys,
        enum riad_segment_kind kind, uint64_t segment,
        struct riad_segment_header *ret) RIAD_MUST_CHECK;
/* Segment ids present under log/, data/ or ckpt/, ascending; the array is the caller's to free.
 * Names that are no segment's are ignored. */
int riad_segment_list(int workspace_fd, enum riad_segment_kind kind, uint64_t **ret_ids,
        size_t *ret_count) RIAD_MUST_CHECK;

#endif
