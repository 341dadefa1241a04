/* Layer log. The changes of a log that cannot be read in order any more: each that is authentic, by
 * looking through all segments (fsck --repair). What they follow is not proven: some between them
 * may be missing. One thread. */
#ifndef RIAD_SALVAGE_H
#define RIAD_SALVAGE_H

#include "riad/segments.h"
#include "riad/term.h"

struct riad_salvage;

/* Finds the changes behind number `after` that lie on the history: their term is linked, and they
 * are not past its bound. workspace_fd, keys, history and epochs are borrowed until it is freed. Of
 * two with one number the one that the next names is taken. Records of 100 bytes of memory a
 * change. -ENOMEM, errno of the store; what is damaged is passed over. */
int riad_salvage_find(int workspace_fd, const struct riad_keys *keys,
        const struct riad_history *history, const struct riad_epoch_ends *epochs, uint64_t after,
        struct riad_salvage **ret) RIAD_MUST_CHECK;
void riad_salvage_free(struct riad_salvage *salvage);
RIAD_DEFINE_CLEANUP(struct riad_salvage, riad_salvage_free);

struct riad_salvage_summary {
    uint64_t found;
    uint64_t last;    /* number of the last one found; 0: none */
    uint64_t missing; /* numbers before that and behind `after` that were not found */
};
void riad_salvage_summarize(const struct riad_salvage *salvage, struct riad_salvage_summary *ret);

/* content is the change's body behind sequence and previous hash, borrowed for the call. A negative
 * result stops. */
typedef int (*riad_salvage_function)(
        void *context, uint64_t number, const uint8_t *content, size_t size);
/* Ascending by number. What cannot be read any more by now is left out. */
int riad_salvage_each(struct riad_salvage *salvage, riad_salvage_function function,
        void *context) RIAD_MUST_CHECK;

#endif
