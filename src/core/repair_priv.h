/* One salvage, shared by repair*.c. */
#ifndef RIAD_REPAIR_PRIV_H
#define RIAD_REPAIR_PRIV_H

#include "riad/defects.h"
#include "riad/repair.h"

#include "fsck_priv.h"

struct riad_repair {
    struct riad_fsck fsck;      /* config, keys, history, mark, where to report */
    struct riad_opening source; /* the rows to begin with; index NULL: none */
    struct riad_opening work;   /* the same as they are mended, in an index of their own */
    char path[2048];            /* of that */
    struct riad_end base;       /* the history goes on behind this; zeros: from its beginning */
    uint64_t after;             /* changes up to this number are in the rows to begin with */
    bool whole;                 /* nothing is missing in these */
    struct riad_log *log;       /* of the term to come */
    struct riad_change change;
    struct riad_writer content;
    struct riad_end end; /* of the last change of the new term */
    uint64_t start;
    uint64_t first_segment;  /* of the new term */
    uint64_t lost_and_found; /* its inode; 0: not looked for */
    struct riad_repair_result result;
};

/* repair_base.c. Chooses the rows to begin with, and opens them as source. *ret_needed: the
 * history has to be mended; else source is not opened. */
int riad_repair_begin(struct riad_repair *repair, bool *ret_needed) RIAD_MUST_CHECK;
/* Opens the log of the new term, writes the source's rows as a checkpoint of its first change, and
 * copies them to work. */
int riad_repair_load(struct riad_repair *repair) RIAD_MUST_CHECK;

/* repair_log.c. A change to the rows and to the log of the new term, made of repair->change:
 * riad_repair_change, then operations, then riad_repair_emit. 1: it is made; 0: it contradicts the
 * rows, nothing was done. */
void riad_repair_change(struct riad_repair *repair);
int riad_repair_emit(struct riad_repair *repair) RIAD_MUST_CHECK;
/* To the log alone. */
int riad_repair_append(struct riad_repair *repair) RIAD_MUST_CHECK;
/* To both, with the content of a change of before. 1 or 0 as riad_repair_emit. */
int riad_repair_repeat(
        struct riad_repair *repair, const uint8_t *content, size_t size) RIAD_MUST_CHECK;
/* Makes all of it durable, and the history. */
int riad_repair_claim(struct riad_repair *repair) RIAD_MUST_CHECK;

/* repair_salvage.c. Changes behind the base. */
int riad_repair_salvage(struct riad_repair *repair) RIAD_MUST_CHECK;

/* repair_tree.c. Mends what does not fit in the rows. */
int riad_repair_tree(struct riad_repair *repair) RIAD_MUST_CHECK;
/* repair_orphan.c. A row for an inode that had none: in the root, made now. It is the root
 * directory's owner's, or, where that is root, config->root_uid's. */
struct riad_inode riad_repair_new_inode(
        const struct riad_repair *repair, uint64_t inode, uint32_t mode);
/* Gives an inode a name in /lost+found. */
int riad_repair_attach(struct riad_repair *repair, const struct riad_inode *inode) RIAD_MUST_CHECK;
/* repair_tear.c. Covers the holes of a file by extents that cannot be read. */
int riad_repair_tear(struct riad_repair *repair, const struct riad_inode *inode) RIAD_MUST_CHECK;

/* repair_store.c. Opens the workspace, which takes the keys, and gives up what of checkpoints and
 * log is not needed behind two new checkpoints. */
int riad_repair_store(struct riad_repair *repair) RIAD_MUST_CHECK;

#endif
