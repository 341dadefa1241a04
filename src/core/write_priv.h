/* What writes and the gathering of small ones share: data sealed, placed and named by extents. */
#ifndef RIAD_WRITE_PRIV_H
#define RIAD_WRITE_PRIV_H

#include "rows_priv.h"

enum { RIAD_SMALL_WRITE_MAX = 1 << 16 }; /* what rides in the log, as one record */

struct riad_data_write {
    const struct riad_caller *caller; /* NULL: nobody asks for anything */
    uint64_t inode;
    uint64_t offset;
    const uint8_t *data;
    uint32_t size;           /* lowered to what fits under the limit */
    struct riad_place place; /* of a bulk payload, else zero: riad_mutation_commit tells */
    bool appended;           /* set by the commit: the write began where the file ended */
};

/* Whether it goes to a data segment. */
static inline bool riad_write_is_bulk(const struct riad_data_write *write)
{
    return write->size > RIAD_SMALL_WRITE_MAX;
}

int riad_write_seal(struct riad_workspace *workspace, const struct riad_data_write *write,
        struct riad_payload **ret) RIAD_MUST_CHECK;
/* Puts the payload's extent over the range that edit has looked at: as a row of its own, or as one
 * with the run that it continues. Leaves inode rows alone. (mutation) */
void riad_write_put(struct riad_workspace *workspace, const struct riad_data_write *write,
        const struct riad_payload *payload, struct riad_extent_edit *edit);

/* After a small append: many small extents that the file now ends with become one run. What goes
 * wrong leaves the file as it is. Called without the lock. */
void riad_gather(struct riad_workspace *workspace, const struct riad_data_write *write);

#endif
