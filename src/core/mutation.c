/* The one lock, and the way of a change: limits, log, index. */
#include "riad/patience.h"

#include "lifecycle_priv.h"

enum { RENEW_ATTEMPTS = 60, RENEW_PAUSE_MS = 500 };

void riad_workspace_unlock(struct riad_workspace *workspace)
{
    pthread_mutex_unlock(&workspace->mutation);
}

static int check_state(const struct riad_workspace *workspace)
{
    switch (workspace->state) {
    case RIAD_WORKSPACE_RUNNING:
        return 0;
    case RIAD_WORKSPACE_READ_ONLY:
        return -EROFS;
    default:
        return -ESTALE;
    }
}

static int check_state_unlocked(struct riad_workspace *workspace)
{
    int r;

    pthread_mutex_lock(&workspace->mutation);
    r = check_state(workspace);
    pthread_mutex_unlock(&workspace->mutation);
    return r;
}

/* Whoever finds the spool nearly full ships it: the store is slower than those who write. */
static int wait_for_spool(struct riad_workspace *workspace)
{
    if (riad_log_unshipped(workspace->log) < RIAD_SHIP_FULL) {
        return 0;
    }
    return riad_is_patient() ? riad_log_ship(workspace->log) : RIAD_WOULD_WAIT;
}

/* L5. */
static int wait_for_room(struct riad_workspace *workspace)
{
    while (workspace->background &&
            riad_log_unsynced(workspace->log) > atomic_load(&workspace->unsynced_bound)) {
        int r = riad_is_patient() ? check_state_unlocked(workspace) : RIAD_WOULD_WAIT;

        if (r < 0) {
            return r;
        }
        riad_background_wait_synced(workspace);
    }
    return wait_for_spool(workspace);
}

/* O2: a lapsed owner answers nobody until it has looked for a higher term. A store that does not
 * answer is asked for half a minute. */
static int renew(struct riad_workspace *workspace)
{
    int r = 0;

    for (int i = 0; i < RENEW_ATTEMPTS; i++) {
        r = riad_lease_renew(workspace);
        if (r >= 0 || r == -ESTALE) {
            return r;
        }
        riad_sleep_ms(RENEW_PAUSE_MS);
    }
    return -EIO;
}

/* 0: the lock is held; 1: it was let go, and the lease renewed. reading: a read-only workspace will
 * do, and has no lease to keep. */
static int enter(struct riad_workspace *workspace, bool reading)
{
    bool leased;
    int r;

    pthread_mutex_lock(&workspace->mutation);
    r = check_state(workspace);
    leased = r >= 0;
    r = reading && r == -EROFS ? 0 : r;
    if (r >= 0 && (!leased || riad_clock_boottime() < workspace->lease_until)) {
        r = riad_index_ready(workspace->index); /* what is cached is of a torn batch otherwise */
        if (r < 0) {
            pthread_mutex_unlock(&workspace->mutation);
        }
        return r;
    }
    pthread_mutex_unlock(&workspace->mutation);
    if (r >= 0) {
        r = riad_is_patient() ? renew(workspace) : RIAD_WOULD_WAIT;
    }
    return r < 0 ? r : 1;
}

int riad_workspace_lock(struct riad_workspace *workspace)
{
    int r;

    do {
        r = enter(workspace, true);
    } while (r > 0);
    return r;
}

int riad_mutation_allow(struct riad_workspace *workspace, const struct riad_caller *caller)
{
    if (!caller) {
        return 0;
    }
    if (workspace->protected) {
        return -EROFS;
    }
    return riad_members_standing(workspace, caller->uid) < RIAD_STANDING_WRITER ? -EACCES : 0;
}

int riad_mutation_begin(struct riad_workspace *workspace, const struct riad_caller *caller)
{
    int r = wait_for_room(workspace);

    if (r < 0) {
        return r;
    }
    do {
        r = enter(workspace, false);
    } while (r > 0);
    if (r < 0) {
        return r;
    }
    r = riad_mutation_allow(workspace, caller);
    if (r < 0) {
        riad_workspace_unlock(workspace);
        return r;
    }
    workspace->exempt = !caller || (caller->uid == 0 && !caller->written_back);
    riad_change_begin(&workspace->change, riad_clock_now(), caller ? caller->request : 0);
    return 0;
}

int riad_mutation_refused(struct riad_workspace *workspace, int error)
{
    if (riad_log_writable(workspace->log) < 0) {
        riad_workspace_freeze(workspace, "the log takes no more changes", error);
    }
    return error;
}

static int append(struct riad_workspace *workspace, const struct riad_payload *payload,
        struct riad_end *ret_end, uint64_t *ret_start)
{
    struct riad_place place;
    int r;

    riad_log_require(workspace->log, workspace->change.features);
    r = riad_log_place(workspace->log, payload ? payload->size : 0, &place);
    if (r < 0) {
        return riad_mutation_refused(workspace, r);
    }
    riad_change_place_extents(&workspace->change, &place);
    riad_writer_reset(&workspace->content);
    r = riad_change_content(&workspace->change, &workspace->content);
    if (r < 0) {
        return r;
    }
    r = riad_log_append(workspace->log, payload, workspace->content.data, workspace->content.size,
            ret_end, ret_start);
    return r < 0 ? riad_mutation_refused(workspace, r) : 0;
}

static int apply(struct riad_workspace *workspace, const struct riad_end *end, uint64_t start)
{
    struct riad_reader operations;
    int r;

    riad_reader_init(
            &operations, workspace->change.operations.data, workspace->change.operations.size);
    r = riad_index_apply(workspace->index, &operations, end, start);
    if (r >= 0 && riad_index_pending(workspace->index) >= RIAD_BATCH_MAX) {
        r = riad_index_commit(workspace->index);
        workspace->commits++;
    }
    return r;
}

/* Once each time the spool passes the mark: the thread goes on until it is well below. */
static void ship_if_due(struct riad_workspace *workspace)
{
    bool due = riad_log_unshipped(workspace->log) >= RIAD_SHIP_SIZE;

    if (due && !workspace->ship_asked) {
        riad_background_ship(workspace);
    }
    workspace->ship_asked = due;
}

int riad_mutation_record(struct riad_workspace *workspace, const struct riad_payload *payload)
{
    struct riad_end end;
    uint64_t start;
    int r = append(workspace, payload, &end, &start);

    if (r < 0) {
        return r;
    }
    r = apply(workspace, &end, start);
    if (r < 0) {
        riad_workspace_freeze(workspace, "the index failed", r);
        return -EIO;
    }
    if (riad_index_pending(workspace->index) == 1) {
        riad_background_changed(workspace);
    }
    ship_if_due(workspace);
    return 0;
}

int riad_mutation_commit(struct riad_workspace *workspace, const struct riad_payload *payload)
{
    int r = riad_mutation_record(workspace, payload);

    if (r == 0) {
        riad_limits_follow(workspace);
    }
    return r;
}

unsigned riad_bulk_begin(struct riad_workspace *workspace)
{
    for (;;) {
        unsigned epoch = atomic_load(&workspace->bulk_epoch);

        atomic_fetch_add(&workspace->bulk_writers[epoch & 1], 1);
        if (atomic_load(&workspace->bulk_epoch) == epoch) {
            return epoch;
        }
        /* The epoch was turned in between: this entry may have been overlooked. */
        atomic_fetch_sub(&workspace->bulk_writers[epoch & 1], 1);
    }
}

void riad_bulk_end(struct riad_workspace *workspace, unsigned ticket)
{
    atomic_fetch_sub(&workspace->bulk_writers[ticket & 1], 1);
}
