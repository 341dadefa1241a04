#include <stdio.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "control_priv.h"
#include "host_priv.h"

static json_t *pack_requests(const struct riad_session *session)
{
    struct riad_session_counters counters;
    json_t *object = json_object();

    riad_session_count(session, &counters);
    for (unsigned i = 0; object && i < RIAD_OPCODES_MAX; i++) {
        const char *name = riad_session_opcode_name(i);

        if (name && counters.requests[i] > 0) {
            json_object_set_new(object, name, json_integer((json_int_t)counters.requests[i]));
        }
    }
    return object;
}

static const char *state_name(enum riad_workspace_state state)
{
    static const char *const names[] = { [RIAD_WORKSPACE_RUNNING] = "running",
        [RIAD_WORKSPACE_READ_ONLY] = "read-only",
        [RIAD_WORKSPACE_SUPERSEDED] = "superseded" };

    return names[state];
}

static json_t *pack_log(const struct riad_workspace_status *status)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "appends",
            (json_int_t)status->log.appends, "append_bytes", (json_int_t)status->log.append_bytes,
            "ships", (json_int_t)status->log.ships, "bulk_writes",
            (json_int_t)status->log.bulk_writes, "bulk_bytes", (json_int_t)status->log.bulk_bytes,
            "syncs", (json_int_t)status->log.syncs, "segments", (json_int_t)status->log.segments,
            "index_commits", (json_int_t)status->commits, "replayed_changes",
            (json_int_t)status->replayed_changes, "checkpoints", (json_int_t)status->checkpoints,
            "unsynced_bytes", (json_int_t)status->unsynced_bytes);
}

/* null: all calls come back. */
static json_t *pack_stalled(const struct riad_workspace_status *status)
{
    const struct riad_stall *stall = &status->stall;

    if (stall->calls == 0) {
        return json_null();
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:i}", "where",
            status->stalled_locally ? "local state" : "store", "call", stall->call, "file",
            stall->file, "seconds", (json_int_t)stall->seconds, "calls", (int)stall->calls);
}

/* Soft limits, and since when usage is above them. */
static json_t *pack_soft(const struct riad_workspace_status *status)
{
    const struct riad_limit *limit = &status->limit;

    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "bytes_limit",
            (json_int_t)(limit->blocks_soft * RIAD_BLOCK_SIZE), "bytes_grace_seconds",
            (json_int_t)limit->grace_blocks, "bytes_over_since",
            (json_int_t)status->blocks_over_since, "inodes_limit", (json_int_t)limit->inodes_soft,
            "inodes_grace_seconds", (json_int_t)limit->grace_inodes, "inodes_over_since",
            (json_int_t)status->inodes_over_since);
}

/* Passes the object through. */
static json_t *add_expiry(struct riad_host *host, const struct riad_mount *mount, json_t *object)
{
    struct riad_catalog_expiry expiry;

    pthread_mutex_lock(&host->lock);
    expiry = mount->expiry;
    pthread_mutex_unlock(&host->lock);
    if (object) {
        json_object_set_new(object, "expires", json_integer((json_int_t)expiry.expires));
        json_object_set_new(object, "grace_seconds", json_integer(expiry.grace));
        if (host->site) {
            json_object_set_new(object, "owner", json_integer(mount->owner));
        }
    }
    return object;
}

static json_t *pack_mount(const struct riad_host *host, const struct riad_mount *mount)
{
    struct riad_workspace_status status;
    char id[2 * sizeof mount->id + 1];
    int r = riad_workspace_status(mount->workspace, &status);

    if (r < 0) {
        return json_pack("{s:s, s:s}", "directory", mount->directory, "error", strerror(-r));
    }
    riad_hex_encode(&mount->id, sizeof mount->id, id);
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, "
                     "s:s, s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
            "workspace", riad_workspace_name(mount->workspace), "id", id, "directory",
            mount->directory, "store", host->config->store_path, "state", state_name(status.state),
            "transport", riad_session_transport(mount->session), "pid", (int)getpid(), "term",
            (json_int_t)status.term, "bytes_used",
            (json_int_t)(status.usage.blocks * RIAD_BLOCK_SIZE), "bytes_limit",
            (json_int_t)(status.limit.blocks * RIAD_BLOCK_SIZE), "inodes_used",
            (json_int_t)status.usage.inodes, "inodes_limit", (json_int_t)status.limit.inodes,
            "changes", (json_int_t)status.end.sequence.number, "changes_durable",
            (json_int_t)status.synced.sequence.number, "inodes_referenced",
            (json_int_t)status.references, "event", status.event, "lock_idle_seconds",
            (json_int_t)host->lock_idle_seconds, "epoch", (json_int_t)status.epoch, "log",
            pack_log(&status), "cleaning", riad_host_pack_cleaning(&status), "requests",
            pack_requests(mount->session), "counters",
            riad_host_pack_counters(mount->session, &status), "soft", pack_soft(&status), "stalled",
            pack_stalled(&status), "scrub", riad_host_pack_scrub(&status));
}

/* Keeps workspace and session alive while a request uses them. */
bool riad_host_hold(struct riad_host *host, struct riad_mount *mount)
{
    bool running;

    pthread_mutex_lock(&host->lock);
    running = mount->phase == RIAD_MOUNT_RUNNING;
    mount->users += running;
    pthread_mutex_unlock(&host->lock);
    return running;
}

void riad_host_unhold(struct riad_host *host, struct riad_mount *mount)
{
    pthread_mutex_lock(&host->lock);
    mount->users--;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* One person's process is asked by nobody else than that one and root. (held) */
static bool may_use(const struct riad_host *host, const struct riad_mount *mount, uid_t uid,
        enum riad_standing least)
{
    if (!host->site || uid == 0) {
        return true;
    }
    return mount->shared ? riad_members_standing(mount->workspace, uid) >= least
                         : uid == mount->owner;
}

/* The mount a request names by "directory", held; NULL if none that the client may use so. */
static struct riad_mount *hold_named(
        struct riad_host *host, uid_t uid, const json_t *request, enum riad_standing least)
{
    const char *directory = json_string_value(json_object_get(request, "directory"));

    for (size_t i = 0; directory && i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (!riad_host_hold(host, mount)) {
            continue;
        }
        if (may_use(host, mount, uid, least) && strcmp(mount->directory, directory) == 0) {
            return mount;
        }
        riad_host_unhold(host, mount);
    }
    return NULL;
}

static json_t *answer_status(struct riad_host *host, uid_t uid, const json_t *request)
{
    json_t *list = json_array();

    (void)request;
    for (size_t i = 0; list && i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (!riad_host_hold(host, mount)) {
            continue;
        }
        if (may_use(host, mount, uid, RIAD_STANDING_READER)) {
            json_array_append_new(list, add_expiry(host, mount, pack_mount(host, mount)));
        }
        riad_host_unhold(host, mount);
    }
    return json_pack("{s:b, s:o}", "ok", 1, "mounts", list);
}

static void count_waiter(struct riad_host *host, struct riad_mount *mount, int change)
{
    pthread_mutex_lock(&host->lock);
    mount->waiters += (unsigned)change;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* Waits until the main loop closed the mount: unmount returns when everything is durable. */
static int wait_closed(struct riad_host *host, struct riad_mount *mount)
{
    int r;

    pthread_mutex_lock(&host->lock);
    while (mount->phase != RIAD_MOUNT_CLOSED) {
        pthread_cond_wait(&host->changed, &host->lock);
    }
    r = mount->result;
    mount->waiters--;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
    return r;
}

/* By force it is taken away from whoever uses it: what they had acknowledged is made durable when
 * the mount is closed. */
static int unmount(struct riad_mount *mount, const json_t *request)
{
    bool force = json_is_true(json_object_get(request, "force"));
    bool lazy = force || json_is_true(json_object_get(request, "lazy"));
    int r = force ? riad_session_abort(mount->session) : 0;

    return r < 0 ? r : riad_session_unmount(mount->session, lazy);
}

static json_t *answer_unmount(struct riad_host *host, uid_t uid, const json_t *request)
{
    struct riad_mount *mount = hold_named(host, uid, request, RIAD_STANDING_WRITER);
    int r;

    if (!mount) {
        return riad_control_failure(RIAD_EXIT_NOT_MOUNTED, "nothing is mounted there");
    }
    count_waiter(host, mount, 1);
    r = unmount(mount, request);
    riad_host_unhold(host, mount);
    if (r < 0) {
        count_waiter(host, mount, -1);
    }
    if (r == -EBUSY) {
        return riad_control_failure(RIAD_EXIT_FAILED,
                "it is in use: close what is open there, or use --lazy or --force");
    }
    if (r == -ENOTSUP) {
        return riad_control_failure(RIAD_EXIT_FAILED,
                "only root can do that where /sys/fs/fuse/connections is not mounted: --lazy "
                "detaches it");
    }
    r = r < 0 ? r : wait_closed(host, mount);
    if (r < 0) {
        return riad_control_failure(RIAD_EXIT_FAILED, strerror(-r));
    }
    return json_pack("{s:b}", "ok", 1);
}

static json_t *reply_sync(int r)
{
    return r < 0 ? riad_control_failure(RIAD_EXIT_FAILED, strerror(-r))
                 : json_pack("{s:b}", "ok", 1);
}

static json_t *sync_all(struct riad_host *host, uid_t uid)
{
    int result = 0;

    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];
        int r = 0;

        if (!riad_host_hold(host, mount)) {
            continue;
        }
        if (may_use(host, mount, uid, RIAD_STANDING_READER)) {
            r = riad_workspace_sync(mount->workspace);
        }
        riad_host_unhold(host, mount);
        result = r < 0 ? r : result;
    }
    return reply_sync(result);
}

/* One, which waits for no other's store, or all. */
static json_t *answer_sync(struct riad_host *host, uid_t uid, const json_t *request)
{
    struct riad_mount *mount;
    int r;

    if (!json_object_get(request, "directory")) {
        return sync_all(host, uid);
    }
    mount = hold_named(host, uid, request, RIAD_STANDING_READER);
    if (!mount) {
        return riad_control_failure(RIAD_EXIT_NOT_MOUNTED, "nothing is mounted there");
    }
    r = riad_workspace_sync(mount->workspace);
    riad_host_unhold(host, mount);
    return reply_sync(r);
}

static json_t *answer_checkpoint(struct riad_host *host, uid_t uid, const json_t *request)
{
    struct riad_mount *mount = hold_named(host, uid, request, RIAD_STANDING_WRITER);
    int r;

    if (!mount) {
        return riad_control_failure(RIAD_EXIT_NOT_MOUNTED, "nothing is mounted there");
    }
    r = riad_workspace_checkpoint(mount->workspace);
    riad_host_unhold(host, mount);
    return r < 0 ? riad_control_failure(riad_exit_of(r), strerror(-r))
                 : json_pack("{s:b}", "ok", 1);
}

/* What those may ask who may write there. */
static json_t *answer_writer(struct riad_host *host, uid_t uid, const json_t *request,
        json_t *(*answer)(struct riad_mount *mount, const json_t *request))
{
    struct riad_mount *mount = hold_named(host, uid, request, RIAD_STANDING_WRITER);
    json_t *reply;

    if (!mount) {
        return riad_control_failure(RIAD_EXIT_NOT_MOUNTED, "nothing is mounted there");
    }
    reply = answer(mount, request);
    riad_host_unhold(host, mount);
    return reply;
}

static json_t *answer_clean(struct riad_host *host, uid_t uid, const json_t *request)
{
    return answer_writer(host, uid, request, riad_host_clean);
}

static json_t *answer_scrub(struct riad_host *host, uid_t uid, const json_t *request)
{
    return answer_writer(host, uid, request, riad_host_scrub);
}

static json_t *answer_recount(struct riad_host *host, uid_t uid, const json_t *request)
{
    return answer_writer(host, uid, request, riad_host_recount);
}

static void apply_entry(struct riad_host *host, struct riad_mount *mount,
        const struct riad_catalog_workspace *entry)
{
    struct riad_limit limit = riad_host_limit(&entry->limit);

    riad_workspace_set_limit(mount->workspace, &limit);
    pthread_mutex_lock(&host->lock);
    mount->expiry = entry->expiry;
    pthread_mutex_unlock(&host->lock);
    (void)riad_host_apply_expiry(host, mount);
}

void riad_host_apply_catalog(struct riad_host *host, const struct riad_catalog *catalog)
{
    bool applied = false;

    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];
        const struct riad_catalog_workspace *entry;

        if (!riad_host_hold(host, mount)) {
            continue;
        }
        entry = riad_catalog_find(catalog, &mount->id);
        if (entry && entry->deleted) {
            riad_host_detach(mount);
        } else if (entry) {
            apply_entry(host, mount, entry);
            applied = true;
        }
        riad_host_unhold(host, mount);
    }
    if (applied) {
        riad_event_queue_wake(host->events); /* the main loop looks when something expires */
    }
}

/* The catalog of now, verified with the trust anchor kept from unlocking (K3), and no older than
 * this node has seen (K6). */
static int load_catalog(struct riad_host *host, struct riad_catalog *ret)
{
    _cleanup_(riad_catalog_done) struct riad_catalog catalog = { 0 };
    const struct riad_signer owner = riad_signer_always(&host->signer);
    const struct riad_store *store = &host->unlocked.store;
    int r = riad_catalog_load(store, &owner, 1, &catalog);

    if (r == 0) {
        r = riad_mark_catalog(store, &host->state, &catalog);
    }
    if (r == 0) {
        *ret = catalog;
        catalog = (struct riad_catalog){ 0 };
    }
    return r;
}

/* The catalog changed: a limit or an expiry. */
static json_t *answer_reload(struct riad_host *host, uid_t uid, const json_t *request)
{
    struct riad_catalog catalog = { 0 };
    int r = load_catalog(host, &catalog);

    (void)request;
    (void)uid;
    if (r < 0) {
        return riad_control_failure(
                riad_exit_of(r), "the catalog cannot be read, was tampered with or rolled back");
    }
    riad_host_apply_catalog(host, &catalog);
    riad_catalog_done(&catalog);
    return json_pack("{s:b}", "ok", 1);
}

/* What waits for the store may wait for ever. It leaves places for what does not, and for taking a
 * mount away by force. */
static json_t *answer_bounded(struct riad_host *host, uid_t uid, const json_t *request,
        json_t *(*answer)(struct riad_host *host, uid_t uid, const json_t *request))
{
    json_t *reply;
    bool full;

    if (json_is_true(json_object_get(request, "force"))) {
        return answer(host, uid, request);
    }
    pthread_mutex_lock(&host->lock);
    full = host->waiting == RIAD_HOST_WAITING_MAX;
    host->waiting += !full;
    pthread_mutex_unlock(&host->lock);
    if (full) {
        return riad_control_failure(RIAD_EXIT_FAILED,
                "too many requests wait for the store already: it is slow, or does not answer");
    }
    reply = answer(host, uid, request);
    pthread_mutex_lock(&host->lock);
    host->waiting--;
    pthread_mutex_unlock(&host->lock);
    return reply;
}

json_t *riad_host_request(void *host, uid_t uid, const char *operation, const json_t *request)
{
    static const struct {
        const char *operation;
        bool waits;
        json_t *(*answer)(struct riad_host *host, uid_t uid, const json_t *request);
    } table[] = {
        { "status", false, answer_status },
        { "unmount", true, answer_unmount },
        { "sync", true, answer_sync },
        { "checkpoint", true, answer_checkpoint },
        { "clean", false, answer_clean },
        { "scrub", false, answer_scrub },
        { "recount", true, answer_recount },
        { "reload", true, answer_reload },
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].operation, operation) == 0) {
            return table[i].waits ? answer_bounded(host, uid, request, table[i].answer)
                                  : table[i].answer(host, uid, request);
        }
    }
    return riad_control_failure(RIAD_EXIT_USAGE, "unknown operation");
}
