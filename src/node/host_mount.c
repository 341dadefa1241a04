#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/events.h"
#include "riad/thread.h"

#include "host_priv.h"
#include "site_host_priv.h"

/* A limit below one block must not turn into "no limit". */
static uint64_t blocks_of(uint64_t bytes)
{
    return bytes > 0 && bytes < RIAD_BLOCK_SIZE ? 1 : bytes / RIAD_BLOCK_SIZE;
}

struct riad_limit riad_host_limit(const struct riad_catalog_limit *limit)
{
    return (struct riad_limit){
        .blocks = blocks_of(limit->bytes_hard),
        .inodes = limit->inodes_hard,
        .blocks_soft = blocks_of(limit->bytes_soft),
        .inodes_soft = limit->inodes_soft,
        .grace_blocks = limit->grace_bytes,
        .grace_inodes = limit->grace_inodes,
    };
}

/* What is said next begins a line of its own. */
static void end_progress(struct riad_mount *mount)
{
    if (mount->progress) {
        fputc('\n', stderr);
        mount->progress = NULL;
    }
}

static void show_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    struct riad_mount *mount = context;

    if (mount->progress && strcmp(mount->progress, what) != 0) {
        end_progress(mount);
    }
    mount->progress = what;
    if (total > 0) {
        fprintf(stderr, "\r%s: %3.0f %%", what, 100.0 * (double)done / (double)total);
    } else {
        fprintf(stderr, "\r%s: %llu", what, (unsigned long long)done);
    }
    fflush(stderr);
}

static int find_workspace(struct riad_host *host, const char *name, struct riad_roster *ret_roster,
        struct riad_keys **ret_keys, const struct riad_catalog_workspace **ret_entry,
        struct riad_reason *reason)
{
    int r = riad_unlocked_workspace(&host->unlocked, name, ret_roster, ret_keys, ret_entry);

    if (r == -ENOENT) {
        snprintf(reason->text, sizeof reason->text,
                "no workspace `%s` in %s: `riad workspace list` shows what there is", name,
                host->config->store_path);
    } else if (r < 0) {
        snprintf(reason->text, sizeof reason->text,
                "the keys of workspace `%s` in %s were tampered with or are damaged (%s)", name,
                host->config->store_path, strerror(-r));
    }
    return riad_exit_of(r);
}

static void fill_config(const struct riad_host *host, const struct riad_opening *opening,
        struct riad_mount *mount, struct riad_workspace_config *config)
{
    *config = (struct riad_workspace_config){
        .workspace_fd = -1,
        .state_fd = -1,
        .name = opening->name,
        .binding = host->unlocked.store.binding,
        .signers = opening->signers,
        .term_signer = opening->term_signer,
        .node = host->state.node,
        .boot = host->state.boot,
        .roster_head = opening->roster_head,
        .epoch_ends = opening->epoch_ends,
        .epoch_end_count = opening->epoch_end_count,
        .limit = riad_host_limit(&opening->entry->limit),
        .root_uid = opening->uid,
        .root_gid = opening->gid,
        .root_mode = S_IFDIR | 0700,
        .clean = true,
        .runner = host->runner,
        .progress = host->config->progress ? show_progress : NULL,
        .progress_context = mount,
        .event = riad_host_hear,
        .limit_event = riad_host_hear_limit,
        .event_context = mount,
        .raise_grant = host->site ? riad_site_raise_grant : NULL,
        .raise_context = mount,
    };
}

/* Takes keys over. */
static int open_workspace(struct riad_host *host, struct riad_workspace_config *config,
        const struct riad_id *id, struct riad_keys *keys, struct riad_workspace **ret,
        struct riad_reason *reason)
{
    _cleanup_free_ char *state_path = NULL;
    _cleanup_close_ int state_fd = riad_state_directory(&host->state, "ws", id, &state_path);
    _cleanup_close_ int fd = riad_store_open_workspace(&host->unlocked.store, id);
    int r;

    if (state_fd < 0 || fd < 0) {
        riad_keys_free(keys);
        r = fd < 0 ? fd : state_fd;
        snprintf(reason->text, sizeof reason->text, "cannot open the %s of workspace `%s`: %s",
                fd < 0 ? "store directory" : "state directory", config->name, strerror(-r));
        return riad_exit_of(r);
    }
    config->workspace_fd = fd;
    config->state_fd = state_fd;
    config->state_path = state_path;
    config->keys = keys;
    return riad_exit_of(riad_workspace_open(config, ret, reason));
}

static int mount_session(
        struct riad_host *host, struct riad_mount *mount, struct riad_reason *reason)
{
    struct riad_session_config config = { .workspace = mount->workspace,
        .mountpoint = mount->directory,
        .service = mount->service,
        .source = mount->source,
        .allow_other = host->config->allow_other,
        .read_only = host->config->read_only,
        .options = host->config->options,
        .reactor = host->reactor };
    int r = riad_session_mount(&config, &mount->session, reason);

    if (r == -EINVAL) {
        return RIAD_EXIT_USAGE;
    }
    if (r < 0) {
        return r == -EBUSY ? RIAD_EXIT_ALREADY_MOUNTED : RIAD_EXIT_NO_FUSE;
    }
    r = riad_session_start(mount->session);
    if (r < 0) {
        snprintf(reason->text, sizeof reason->text, "the kernel did not start the mount on %s: %s",
                mount->directory, strerror(-r));
    }
    return riad_exit_of(r);
}

static void set_running(struct riad_host *host, struct riad_mount *mount)
{
    pthread_mutex_lock(&host->lock);
    mount->phase = RIAD_MOUNT_RUNNING;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

bool riad_host_is_running(struct riad_host *host, const struct riad_mount *mount)
{
    bool running;

    pthread_mutex_lock(&host->lock);
    running = mount->phase == RIAD_MOUNT_RUNNING;
    pthread_mutex_unlock(&host->lock);
    return running;
}

/* The workspace is open; once it is mounted it can be asked about. */
static int start(struct riad_host *host, struct riad_mount *mount, struct riad_reason *reason)
{
    int code;

    (void)riad_host_apply_expiry(host, mount);
    code = mount_session(host, mount, reason);
    if (code == RIAD_EXIT_DONE) {
        set_running(host, mount);
        mount->told = true;
        riad_events_record(&host->state, "mounted", &host->unlocked.store.binding.store, &mount->id,
                "for reading%s", host->config->read_only ? " only" : " and writing");
    }
    return code;
}

/* Before anybody can ask for anything. Lists that cannot be brought in step keep nobody out: what a
 * member may do is looked up for each request. */
static int guard(struct riad_host *host, const struct riad_mount *mount,
        const struct riad_opening *opening, struct riad_reason *reason)
{
    uint64_t changed;
    int r = riad_members_set(mount->workspace, opening->standings, opening->standing_count, NULL);

    if (r < 0) {
        return riad_reason_set(
                reason, riad_exit_of(r), "its members cannot be set: %s", strerror(-r));
    }
    r = riad_members_apply(mount->workspace, &changed);
    if (r < 0) {
        riad_events_record(&host->state, "members-kept", &host->unlocked.store.binding.store,
                &mount->id, "access lists are not in step with the members: %s", strerror(-r));
    }
    return RIAD_EXIT_DONE;
}

int riad_host_open(struct riad_host *host, struct riad_mount *mount,
        const struct riad_opening *opening, struct riad_reason *ret_reason)
{
    struct riad_workspace_config config;
    int code;

    mount->host = host;
    mount->id = opening->id;
    mount->directory = opening->directory;
    mount->service = opening->service;
    code = riad_host_admit(opening->name, opening->entry, mount, ret_reason);
    if (code == RIAD_EXIT_DONE && asprintf(&mount->source, "riad:%s", opening->label) < 0) {
        mount->source = NULL;
        code = RIAD_EXIT_FAILED;
    }
    if (code != RIAD_EXIT_DONE) {
        riad_keys_free(opening->keys);
        return code;
    }
    fill_config(host, opening, mount, &config);
    code = open_workspace(host, &config, &mount->id, opening->keys, &mount->workspace, ret_reason);
    end_progress(mount);
    if (code == RIAD_EXIT_DONE && opening->standings) {
        code = guard(host, mount, opening, ret_reason);
    }
    if (code == RIAD_EXIT_DONE && host->site) {
        code = riad_site_prepare_grants(mount, ret_reason);
    }
    return code == RIAD_EXIT_DONE ? start(host, mount, ret_reason) : code;
}

int riad_host_open_mount(struct riad_host *host, const struct riad_host_mount *wanted,
        struct riad_mount *mount, struct riad_reason *ret_reason)
{
    struct riad_opening opening = { .name = wanted->workspace,
        .label = wanted->workspace,
        .directory = wanted->directory,
        .term_signer = &host->unlocked.keypair,
        .signers = host->unlocked.signers,
        .uid = geteuid(),
        .gid = getegid() };
    struct riad_roster roster = { 0 };
    int code = find_workspace(
            host, wanted->workspace, &roster, &opening.keys, &opening.entry, ret_reason);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    opening.id = roster.workspace;
    opening.roster_head = roster.head;
    riad_roster_done(&roster);
    return riad_host_open(host, mount, &opening, ret_reason);
}

static void record_end(struct riad_host *host, const struct riad_mount *mount, int result)
{
    riad_host_record(host);
    if (mount->told) {
        riad_events_record(&host->state, "unmounted", &host->unlocked.store.binding.store,
                &mount->id, "%s%s", result < 0 ? "not everything is durable: " : "all is durable",
                result < 0 ? strerror(-result) : "");
    }
}

void riad_host_detach(struct riad_mount *mount)
{
    if (riad_session_unmount(mount->session, false) < 0 &&
            riad_session_unmount(mount->session, true) < 0) {
        riad_diag(RIAD_ERROR, "%s: cannot unmount %s", mount->source, mount->directory);
    }
}

void riad_host_abandon(struct riad_host *host, struct riad_mount *mount)
{
    if (mount->session) {
        riad_host_detach(mount);
    }
    if (mount->workspace) {
        riad_host_close_mount(host, mount);
    }
}

void riad_host_close_mount(struct riad_host *host, struct riad_mount *mount)
{
    int r;

    pthread_mutex_lock(&host->lock);
    mount->phase = RIAD_MOUNT_CLOSING;
    pthread_cond_broadcast(&host->changed);
    while (mount->users > 0) {
        pthread_cond_wait(&host->changed, &host->lock);
    }
    pthread_mutex_unlock(&host->lock);
    riad_session_free(mount->session);
    riad_host_remember(host, mount);
    r = riad_workspace_close(mount->workspace);
    if (r < 0) {
        riad_diag(RIAD_ERROR, "%s: not everything could be made durable: %s", mount->source,
                strerror(-r));
    }
    record_end(host, mount, r);
    pthread_mutex_lock(&host->lock);
    mount->phase = RIAD_MOUNT_CLOSED;
    mount->result = r;
    mount->session = NULL;
    mount->workspace = NULL;
    pthread_cond_broadcast(&host->changed);
    while (mount->waiters > 0) { /* who waits for the result has it, before the slot is free */
        pthread_cond_wait(&host->changed, &host->lock);
    }
    pthread_mutex_unlock(&host->lock);
}

/* The last that a closer does with the host. */
static void leave(struct riad_host *host)
{
    pthread_mutex_lock(&host->lock);
    host->closers--;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

static void close_now(struct riad_host *host, struct riad_mount *mount)
{
    if (host->site) {
        riad_site_release_grants(mount);
    }
    riad_host_close_mount(host, mount);
    if (host->site) {
        riad_site_closed(mount);
    }
}

static void *close_main(void *argument)
{
    struct riad_mount *mount = argument;
    struct riad_host *host = mount->host;

    close_now(host, mount);
    riad_event_queue_wake(host->events);
    leave(host);
    return NULL;
}

void riad_host_begin_close(struct riad_host *host, struct riad_mount *mount)
{
    pthread_mutex_lock(&host->lock);
    mount->phase = RIAD_MOUNT_CLOSING;
    host->closers++;
    pthread_mutex_unlock(&host->lock);
    if (riad_thread_start("riad-close", close_main, mount, NULL) < 0) {
        close_now(host, mount);
        leave(host);
    }
}

void riad_host_wait_closers(struct riad_host *host)
{
    pthread_mutex_lock(&host->lock);
    while (host->closers > 0) {
        pthread_cond_wait(&host->changed, &host->lock);
    }
    pthread_mutex_unlock(&host->lock);
}
