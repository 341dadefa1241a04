/* Opening and closing. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/thread.h"

#include "cleaner_priv.h"
#include "lifecycle_priv.h"
#include "references_priv.h"
#include "verify_priv.h"

static int duplicate(int fd, int *ret)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0) {
        return -errno;
    }
    *ret = copy;
    return 0;
}

static int init_locks(struct riad_workspace *workspace)
{
    pthread_mutex_t *locks[] = { &workspace->beat, &workspace->marking, &workspace->telling,
        &workspace->checkpointing };
    int r = riad_spinning_lock_init(&workspace->mutation);

    for (size_t i = 0; i < sizeof locks / sizeof locks[0] && r >= 0; i++) {
        r = -pthread_mutex_init(locks[i], NULL);
    }
    if (r >= 0) {
        r = riad_members_init(&workspace->members);
    }
    return r < 0 ? r : riad_condition_init(&workspace->orphan_freed);
}

static void close_fds(struct riad_workspace *workspace)
{
    riad_close_fd(&workspace->workspace_fd);
    riad_close_fd(&workspace->state_fd);
    riad_close_fd(&workspace->mark_fd);
    if (workspace->store_calls) {
        riad_store_calls_end(workspace->store_calls);
    }
    free(workspace->store_calls);
    riad_close_fd(&workspace->lock_fd); /* last: now another process may open the workspace */
}

static void destroy(struct riad_workspace *workspace)
{
    if (workspace->index) {
        riad_index_close(workspace->index);
    }
    if (workspace->log) {
        riad_log_free(workspace->log);
    }
    riad_segments_freep(&workspace->segments);
    riad_cleaner_free(workspace->upkeep.cleaner);
    riad_history_look_free(workspace->upkeep.look);
    free(workspace->grants);
    riad_references_free(workspace->references);
    riad_members_done(&workspace->members);
    riad_change_done(&workspace->change);
    riad_writer_done(&workspace->content);
    riad_keys_freep(&workspace->keys);
    close_fds(workspace);
    free(workspace->name);
    free(workspace->state_path);
    free(workspace);
}

static void copy_values(
        struct riad_workspace *workspace, const struct riad_workspace_config *config)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(config);

    atomic_init(&workspace->open_epoch, riad_epoch_open(&epochs));
    workspace->binding = config->binding;
    workspace->signers = config->signers;
    workspace->workspace_id = *riad_keys_workspace(config->keys);
    workspace->node = config->node;
    workspace->roster_head = config->roster_head;
    workspace->limit = config->limit;
    workspace->lease_seconds = config->lease_seconds ? config->lease_seconds : RIAD_LEASE_SECONDS;
    workspace->read_only_open = config->read_only;
    workspace->clean = config->clean;
    workspace->raise_grant = config->raise_grant;
    workspace->raise_context = config->raise_context;
    workspace->hear = config->event;
    workspace->hear_limit = config->limit_event;
    workspace->hear_context = config->event_context;
    atomic_init(&workspace->unsynced_bound, (uint64_t)64 << 20);
    riad_writer_init_growing(&workspace->content, 4096, RIAD_CHANGE_BODY_MAX);
}

/* What is opened there is counted from here on. */
static int open_directories(
        struct riad_workspace *workspace, const struct riad_workspace_config *config)
{
    int r = duplicate(config->workspace_fd, &workspace->workspace_fd);

    if (r >= 0) {
        r = duplicate(config->state_fd, &workspace->state_fd);
    }
    if (r >= 0) {
        workspace->store_calls = calloc(1, sizeof *workspace->store_calls);
        r = workspace->store_calls ? 0 : -ENOMEM;
    }
    if (r >= 0) {
        riad_store_calls_begin(workspace->workspace_fd, workspace->store_calls);
    }
    return r;
}

/* Everything that needs neither store nor state. */
static int fill(struct riad_workspace *workspace, const struct riad_workspace_config *config)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(config);
    int r = init_locks(workspace);

    if (r < 0) {
        return r;
    }
    copy_values(workspace, config);
    workspace->name = strdup(config->name);
    workspace->state_path = strdup(config->state_path);
    if (!workspace->name || !workspace->state_path) {
        return -ENOMEM;
    }
    r = open_directories(workspace, config);
    if (r >= 0) {
        r = riad_references_new(&workspace->references);
    }
    if (r >= 0) {
        r = riad_segments_new(
                workspace->workspace_fd, workspace->keys, &epochs, &workspace->segments);
    }
    return r;
}

static int allocate(const struct riad_workspace_config *config, struct riad_workspace **ret)
{
    struct riad_workspace *workspace = calloc(1, sizeof *workspace);
    int r;

    if (!workspace) {
        riad_keys_free(config->keys);
        return -ENOMEM;
    }
    workspace->keys = config->keys;
    workspace->workspace_fd = workspace->state_fd = -1;
    workspace->lock_fd = workspace->mark_fd = -1;
    r = fill(workspace, config);
    if (r < 0) {
        destroy(workspace);
        return r;
    }
    *ret = workspace;
    return 0;
}

/* The history up to here is durable and bound by our term. */
static int begin_mark(struct riad_workspace *workspace)
{
    int r = riad_mark_open(workspace->state_fd);

    if (r < 0) {
        return r;
    }
    workspace->mark_fd = r;
    riad_index_end(workspace->index, &workspace->mark.end, &workspace->mark.start);
    return workspace->mark.end.sequence.number == 0
                   ? 0
                   : riad_mark_write(workspace->mark_fd, &workspace->mark);
}

/* There is always a log, but this one was stopped before it took anything. */
static int begin_reading(struct riad_workspace *workspace, struct riad_opening *opening)
{
    struct riad_log_config log = {
        .workspace_fd = workspace->workspace_fd,
        .keys = workspace->keys,
    };
    const struct riad_history *history = &opening->history;
    int r;

    workspace->read_only_open = true;
    workspace->state = RIAD_WORKSPACE_READ_ONLY;
    workspace->term = history->count > 0 ? history->terms[history->count - 1].number : 1;
    log.term = workspace->term;
    r = riad_log_open(&log, &workspace->log);
    if (r < 0) {
        return r;
    }
    riad_log_stop(workspace->log);
    if (opening->tolerated) {
        riad_workspace_event_unlocked(workspace, "read-only: %s; run riad fsck",
                opening->damage[0] ? opening->damage : "the log is damaged");
    }
    riad_store_measure(workspace);
    return 0;
}

static int make_root(struct riad_workspace *workspace, const struct riad_workspace_config *config)
{
    struct riad_inode root = {
        .inode = RIAD_ROOT_INODE,
        .generation = 1,
        .mode = S_IFDIR | (config->root_mode & 07777),
        .nlink = 2,
        .uid = config->root_uid,
        .gid = config->root_gid,
        .blocks = 1,
        .parent = RIAD_ROOT_INODE,
        .next_cookie = RIAD_FIRST_COOKIE,
        .version = 1,
        .birth = 1,
        .truncate_mark = RIAD_NO_TRUNCATE_MARK,
    };
    int r = riad_mutation_begin(workspace, NULL);

    if (r < 0) {
        return r;
    }
    root.atime = root.mtime = root.ctime = root.btime = riad_mutation_time(workspace);
    riad_change_put_inode(&workspace->change, &root);
    r = riad_mutation_commit(workspace, NULL);
    riad_mutation_end(workspace);
    return r < 0 ? r : riad_workspace_sync(workspace);
}

static int ship(void *context)
{
    return riad_log_ship(context);
}

/* What those who had changes that are not there any more should know. */
static void tell_losses(struct riad_workspace *workspace, const struct riad_opening *opening)
{
    struct riad_reason late;

    if (riad_recover_spool_late(opening, &late)) {
        riad_workspace_event_unlocked(workspace, "%s", late.text);
    }
    if (opening->dropped > 0) {
        riad_workspace_event_unlocked(workspace,
                "changes %llu to %llu were not durable yet when the power failed, and are gone",
                (unsigned long long)workspace->mark.end.sequence.number + 1,
                (unsigned long long)opening->dropped);
    }
}

static int begin_writing(struct riad_workspace *workspace, struct riad_opening *opening)
{
    int r = begin_mark(workspace);

    if (r >= 0) {
        r = riad_lease_renew(workspace);
    }
    if (r >= 0) {
        r = riad_checkpoint_measure(workspace, &opening->history);
    }
    if (r < 0) {
        return r;
    }
    tell_losses(workspace, opening);
    riad_segments_on_missing(workspace->segments, ship, workspace->log);
    riad_store_measure(workspace);
    r = workspace->mark.end.sequence.number == 0 ? make_root(workspace, opening->config) : 0;
    return r < 0 ? r : riad_background_start(workspace, opening->config->runner);
}

/* Which segments records of the epochs before may lie in. Where an end was not registered, as the
 * process died before it could be, the terms tell, if later than the true one. */
static int bound_epochs(struct riad_workspace *workspace, const struct riad_opening *opening)
{
    const struct riad_epoch_ends epochs = riad_workspace_epochs(opening->config);
    uint32_t epoch = riad_keys_epoch(workspace->keys);
    struct riad_epoch_end end = { .epoch = epoch - 1 };

    end.segment = workspace->last_segment_before = riad_epoch_segment_before(&opening->history,
            opening->term > 0 ? opening->term : opening->history.taken + 1, epoch);
    return riad_epoch_open(&epochs) < epoch ? riad_segments_end_epoch(workspace->segments, &end)
                                            : 0;
}

static int recover(struct riad_workspace *workspace, struct riad_opening *opening)
{
    int r = riad_ownership_wait(opening);

    if (r >= 0 && !workspace->read_only_open) {
        riad_salvage_clear(opening->config, &opening->history);
    }
    if (r >= 0) {
        r = riad_recover_spool(opening);
    }
    if (r >= 0) {
        r = riad_recover_mark(opening);
    }
    if (r >= 0) {
        r = riad_recover(opening);
    }
    if (r >= 0 && !workspace->read_only_open && !opening->tolerated) {
        r = riad_ownership_claim(opening);
    }
    if (r >= 0) {
        r = bound_epochs(workspace, opening);
    }
    workspace->term = opening->term;
    workspace->log = opening->log;
    workspace->index = opening->index;
    workspace->replayed_changes = opening->replayed;
    return r < 0 ? r : riad_limits_begin(workspace);
}

static int begin(struct riad_workspace *workspace, struct riad_opening *opening)
{
    int r;

    if (workspace->read_only_open || opening->tolerated) {
        r = begin_reading(workspace, opening);
    } else {
        r = begin_writing(workspace, opening);
    }
    return r < 0 ? riad_reason_set(opening->reason, r, "%s cannot be opened: %s", workspace->name,
                           workspace->event[0] ? workspace->event : strerror(-r))
                 : 0;
}

static int open_workspace(struct riad_workspace *workspace,
        const struct riad_workspace_config *config, struct riad_reason *reason)
{
    struct riad_workspace_config own = *config;
    struct riad_opening opening = { .config = &own,
        .reason = reason,
        .keys = workspace->keys,
        .index_path = workspace->state_path };
    int r;

    own.workspace_fd = workspace->workspace_fd; /* whose calls are counted */
    own.state_fd = workspace->state_fd;
    r = riad_ownership_lock(&own, reason);
    if (r < 0) {
        return r;
    }
    workspace->lock_fd = r;
    r = recover(workspace, &opening);
    if (r >= 0) {
        r = begin(workspace, &opening);
    }
    riad_history_done(&opening.history);
    return r;
}

int riad_workspace_open(const struct riad_workspace_config *config, struct riad_workspace **ret,
        struct riad_reason *ret_reason)
{
    struct riad_workspace *workspace = NULL;
    int r = allocate(config, &workspace);

    if (r < 0) {
        return riad_reason_set(
                ret_reason, r, "%s cannot be opened: %s", config->name, strerror(-r));
    }
    r = open_workspace(workspace, config, ret_reason);
    if (r < 0) {
        destroy(workspace);
        return r;
    }
    if (!workspace->read_only_open) {
        riad_leftovers_free(workspace);
    }
    *ret = workspace;
    return 0;
}

/* Nobody refers to anything any more: every inode without names goes. */
static void forget_references(struct riad_workspace *workspace)
{
    struct riad_references *none = NULL;
    int r = riad_references_new(&none);

    if (r < 0) {
        return; /* without memory they stay for the next opening */
    }
    pthread_mutex_lock(&workspace->mutation);
    riad_references_free(workspace->references);
    workspace->references = none;
    pthread_mutex_unlock(&workspace->mutation);
}

int riad_workspace_close(struct riad_workspace *workspace)
{
    int r = 0;

    if (!workspace->read_only_open) {
        forget_references(workspace);
        riad_leftovers_free(workspace);
        riad_background_stop(workspace);
        r = riad_workspace_sync(workspace);
    }
    if (r >= 0 && !workspace->read_only_open) {
        /* All is durable; at worst the next owner waits for a lease. */
        int ended = riad_lease_end(workspace);

        if (ended < 0) {
            riad_workspace_event_unlocked(
                    workspace, "the end of the term cannot be written: %s", strerror(-ended));
        }
    }
    destroy(workspace);
    return r;
}
