/* The root key changes while the workspace is in use (K2): a member has left. */
#include "lifecycle_priv.h"

/* Nothing may be sealed under the epoch before once the new key is there: if the log cannot go on
 * under it, it does not go on at all. (mutation) */
static int turn(struct riad_workspace *workspace)
{
    int r = riad_log_turn(workspace->log);

    if (r < 0) {
        riad_workspace_freeze(workspace, "the log cannot go on under the next key", r);
        return -EIO;
    }
    return 0;
}

/* (mutation) */
static int rotate_locked(struct riad_workspace *workspace, uint32_t epoch,
        const struct riad_secret *subkeys, struct riad_end *ret_end)
{
    struct riad_end end;
    uint64_t start;
    int r;

    if (epoch == riad_keys_epoch(workspace->keys)) {
        return -EALREADY;
    }
    r = riad_keys_add(workspace->keys, epoch, subkeys);
    if (r == 0) {
        atomic_store(&workspace->open_epoch, epoch);
        r = turn(workspace);
    }
    if (r < 0) {
        return r;
    }
    riad_index_end(workspace->index, &end, &start);
    *ret_end = end;
    return 0;
}

int riad_workspace_rotate(struct riad_workspace *workspace, uint32_t epoch,
        const struct riad_secret *subkeys, struct riad_end *ret_end)
{
    struct riad_end end;
    int r;

    riad_ship_round(workspace); /* so that little is left to ship under the lock */
    r = riad_mutation_begin(workspace, NULL);
    if (r < 0) {
        return r;
    }
    r = rotate_locked(workspace, epoch, subkeys, &end);
    riad_mutation_end(workspace);
    if (r == 0) {
        r = riad_workspace_sync(workspace); /* what the roster names must last */
    }
    if (r < 0) {
        return r;
    }
    *ret_end = end;
    return 0;
}
