/* One check of a workspace, shared by fsck*.c. */
#ifndef RIAD_FSCK_PRIV_H
#define RIAD_FSCK_PRIV_H

#include "riad/fsck.h"

#include "lifecycle_priv.h"

/* RIAD_FSCK_PATH: room for a path in a finding, as much of it as is shown. */
enum { RIAD_FSCK_PATH = 1024, RIAD_FSCK_FINDING = RIAD_FSCK_PATH + 512 };

struct riad_fsck {
    const struct riad_workspace_config *config;
    const struct riad_keys *keys;
    riad_fsck_report report;
    void *context;
    struct riad_fsck_result result;
    struct riad_reason *reason;
    struct riad_history history; /* shared by all openings of this check */
    struct riad_mark mark;
    uint64_t closed_number;
    char path[2048];           /* of the temporary indexes */
    bool log_whole;            /* the log was read from its first change to its end, */
    struct riad_end log_end;   /* which is this */
    struct riad_reason damage; /* the last that was told of the log */
};

/* The rows of one index, whatever their order: the sum of their hashes. */
struct riad_fsck_digest {
    uint64_t words[4];
    uint64_t rows;
};

/* Nobody may own the workspace while it is checked. Returns the lock, which the caller closes;
 * fills history, mark and closed_number. -EBUSY and others, with the reason. */
int riad_fsck_enter(struct riad_fsck *fsck) RIAD_MUST_CHECK;
/* A directory for temporary indexes, whose path fsck->path is then. */
int riad_fsck_make_folder(struct riad_fsck *fsck) RIAD_MUST_CHECK;
void riad_fsck_remove_folder(struct riad_fsck *fsck);

void riad_fsck_find(struct riad_fsck *fsck, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
/* An opening that fills an index at fsck->path, or at another place. Ended with riad_fsck_end. */
void riad_fsck_begin(struct riad_fsck *fsck, const char *index_path, struct riad_reason *reason,
        struct riad_opening *ret);
void riad_fsck_end(struct riad_fsck *fsck, struct riad_opening *opening);

/* fsck_rows.c */
int riad_fsck_digest(struct riad_opening *opening, struct riad_fsck_digest *ret) RIAD_MUST_CHECK;
/* Rows among themselves. */
int riad_fsck_rows(struct riad_fsck *fsck, struct riad_opening *opening) RIAD_MUST_CHECK;
/* The index of the state directory, if there is one that fits the log. */
int riad_fsck_local(
        struct riad_fsck *fsck, const struct riad_fsck_digest *expected) RIAD_MUST_CHECK;
/* Every checkpoint, loaded and brought to the log's end. */
int riad_fsck_checkpoints(
        struct riad_fsck *fsck, const struct riad_fsck_digest *expected) RIAD_MUST_CHECK;

/* fsck_path.c. Where an inode is found, from the workspace's root: "/a/b", fit for a terminal; the
 * end of it, behind "...", where it is too long; "inode 12" if it cannot be told. */
void riad_fsck_path(struct riad_index *index, uint64_t inode, char ret[static RIAD_FSCK_PATH]);
/* The same for an entry. */
void riad_fsck_entry_path(
        struct riad_index *index, const struct riad_dentry *entry, char ret[static RIAD_FSCK_PATH]);

/* fsck_data.c. Every record that an extent refers to, and the headers of the data segments. */
int riad_fsck_data(struct riad_fsck *fsck, struct riad_opening *opening) RIAD_MUST_CHECK;

#endif
