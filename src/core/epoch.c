/* The root key changes while the workspace is in use (K2): a member has left. */
#include "lifecycle_priv.h"

uint64_t riad_epoch_segment_before(
        const struct riad_history *history, uint32_t term, uint32_t epoch)
{
    for (size_t i = history->count; i > 0; i--) {
        if (history->terms[i - 1].epoch < epoch) {
            uint32_t next = i < history->count ? history->terms[i].number : term;

            return (uint64_t)next << 32; /* ordinals are from 1 */
        }
    }
    return 0;
}

/* Nothing may be sealed under the epoch before once the new key is there: if the log cannot go on
 * under it, it does not go on at all. No change can name what is sealed under the new key before
 * reads know which segments it begins with. (mutation) */
static int turn(struct riad_workspace *workspace, struct riad_epoch_end *end)
{
    uint64_t start;
    int r = riad_log_turn(workspace->log, &end->segment);

    if (r == 0) {
        riad_index_end(workspace->index, &end->end, &start);
        workspace->last_segment_before = end->segment;
        r = riad_segments_end_epoch(workspace->segments, end);
    }
    if (r < 0) {
        riad_workspace_freeze(workspace, "the log cannot go on under the next key", r);
        return -EIO;
    }
    return 0;
}

/* (mutation) */
static int rotate_locked(struct riad_workspace *workspace, uint32_t epoch,
        const struct riad_secret *subkeys, struct riad_epoch_end *ret_end)
{
    struct riad_epoch_end end = { .epoch = epoch - 1 };
    int r;

    if (epoch == riad_keys_epoch(workspace->keys)) {
        return -EALREADY;
    }
    r = riad_keys_add(workspace->keys, epoch, subkeys);
    if (r == 0) {
        atomic_store(&workspace->open_epoch, epoch);
        r = turn(workspace, &end);
    }
    if (r < 0) {
        return r;
    }
    *ret_end = end;
    return 0;
}

int riad_workspace_rotate(struct riad_workspace *workspace, uint32_t epoch,
        const struct riad_secret *subkeys, struct riad_epoch_end *ret_end)
{
    struct riad_epoch_end end;
    int r;

    riad_ship_round(workspace); /* so that little is left to ship under the lock */
    r = riad_mutation_begin(workspace, NULL);
    if (r < 0) {
        return r;
    }
    r = rotate_locked(workspace, epoch, subkeys, &end);
    riad_mutation_end(workspace);
    if (r == 0) {
        riad_background_upkeep(workspace);  /* what was there before is to be sealed anew */
        r = riad_workspace_sync(workspace); /* what the roster names must last */
    }
    if (r < 0) {
        return r;
    }
    *ret_end = end;
    return 0;
}
