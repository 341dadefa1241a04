/* riadd's worker: its start, its main loop, its end. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/memory.h"
#include "riad/monitor.h"
#include "riad/sandbox.h"
#include "riad/thread.h"

#include "site_host_priv.h"

/* The node's key signs in the monitor. */
static int sign_by_monitor(
        void *context, const void *data, size_t size, uint8_t ret[RIAD_SIGNATURE_SIZE])
{
    struct riad_site_host *site = context;
    struct riad_service_request request = { .operation = RIAD_SERVICE_SIGN,
        .size = (uint32_t)size };
    struct riad_service_reply reply;
    int r;

    if (size > RIAD_SERVICE_SIGN_MAX) {
        return -EMSGSIZE;
    }
    r = riad_service_call(site->service, &request, data, &reply, NULL);
    if (r == 0) {
        memcpy(ret, reply.signature, RIAD_SIGNATURE_SIZE);
    }
    return r;
}

static int ask_self(struct riad_site_host *site, struct riad_site_node *ret)
{
    const struct riad_service_request request = { .operation = RIAD_SERVICE_SELF };
    struct riad_service_reply reply;
    int r = riad_service_call(site->service, &request, NULL, &reply, NULL);

    if (r == 0) {
        *ret = reply.self;
    }
    return r;
}

static int open_node(
        struct riad_site_host *site, const char *config_path, struct riad_reason *reason)
{
    struct riad_site_node self;
    int r = ask_self(site, &self), code;

    if (r < 0) {
        return riad_explain(reason, r, "the monitor does not answer: %s", strerror(-r));
    }
    code = riad_node_open(config_path, &self, &site->node, reason);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    site->keys = (struct riad_keypair){ .wrap_key = self.wrap_key,
        .sign_key = self.sign_key,
        .sign = sign_by_monitor,
        .context = site };
    r = riad_signers_new(NULL, 0, &site->signers);
    if (r < 0) {
        return riad_explain(reason, r, "cannot start: %s", strerror(-r));
    }
    pthread_mutex_lock(&site->lock);
    code = riad_site_host_refresh(site, reason);
    pthread_mutex_unlock(&site->lock);
    return code;
}

/* State and store are the node's: the host borrows them. */
static int prepare_host(struct riad_site_host *site, struct riad_reason *reason)
{
    struct riad_host *host = &site->host;
    int r;

    site->host_config = (struct riad_host_config){ .store_path = site->node.config.store,
        .allow_other = true,
        .lock_idle_seconds = site->node.config.lock_idle_seconds };
    host->config = &site->host_config;
    host->site = site;
    host->state = site->node.state;
    host->state.node = site->node.self.id;
    host->unlocked.store = site->node.store;
    host->mounts = calloc(RIAD_SITE_MOUNTS_MAX, sizeof *host->mounts);
    host->mount_count = RIAD_SITE_MOUNTS_MAX;
    r = host->mounts ? riad_host_prepare(host) : -ENOMEM;
    return r < 0 ? riad_explain(reason, r, "cannot start: %s", strerror(-r)) : RIAD_EXIT_DONE;
}

static int say_ready(struct riad_site_host *site)
{
    const struct riad_service_request request = { .operation = RIAD_SERVICE_READY };
    struct riad_service_reply reply;

    return riad_service_call(site->service, &request, NULL, &reply, NULL);
}

/* The monitor died: nobody is left who could unmount. All is made durable; the kernel ends the
 * connections with this process. */
static void sync_all(struct riad_host *host)
{
    for (size_t i = 0; i < host->mount_count; i++) {
        if (riad_host_hold(host, &host->mounts[i])) {
            int r = riad_workspace_sync(host->mounts[i].workspace);

            if (r < 0) {
                riad_diag(RIAD_ERROR, "%s: not everything could be made durable: %s",
                        host->mounts[i].source, strerror(-r));
            }
            riad_host_unhold(host, &host->mounts[i]);
        }
    }
}

/* What can change while mounts run; a file that is not right changes nothing. */
static void reload_config(struct riad_site_host *site)
{
    struct riad_config *now = &site->node.config, fresh;
    struct riad_reason reason;
    char *admins;

    if (riad_config_load(now->path, &fresh, &reason) < 0) {
        riad_diag(RIAD_ERROR, "riadd: nothing was changed: %s", reason.text);
        return;
    }
    site->host.lock_idle_seconds = fresh.lock_idle_seconds;
    pthread_mutex_lock(&site->lock);
    now->lock_idle_seconds = fresh.lock_idle_seconds;
    now->lock_logout = fresh.lock_logout;
    now->no_enrol = fresh.no_enrol;
    now->home_bytes = fresh.home_bytes;
    now->home_inodes = fresh.home_inodes;
    now->users_make_projects = fresh.users_make_projects;
    now->project_bytes = fresh.project_bytes;
    now->project_inodes = fresh.project_inodes;
    admins = now->admins;
    now->admins = fresh.admins;
    fresh.admins = admins; /* to be freed */
    pthread_mutex_unlock(&site->lock);
    riad_config_done(&fresh);
    riad_diag(RIAD_WARNING, "riadd: took over lock-idle, lock-logout and the policy from %s",
            now->path);
}

/* (openings_lock) */
static bool is_checking(const struct riad_site_host *site)
{
    bool found = false;

    for (size_t i = 0; i < RIAD_SITE_CHECKS_MAX; i++) {
        found = found || site->checks[i].running;
    }
    return found;
}

static void wait_openings(struct riad_site_host *site)
{
    site->checks_stop = true;
    pthread_mutex_lock(&site->openings_lock);
    while (site->openings > 0 || is_checking(site)) {
        pthread_cond_wait(&site->openings_changed, &site->openings_lock);
    }
    pthread_mutex_unlock(&site->openings_lock);
}

static int start_threads(struct riad_site_host *site, pthread_t *ret_follower, pthread_t *ret_keys)
{
    int r = riad_site_follower_start(site, ret_follower);

    if (r < 0) {
        return r;
    }
    r = riad_thread_start("riad-keys", riad_site_take_keys, site, ret_keys);
    if (r < 0) {
        riad_site_follower_end(site, *ret_follower);
    }
    return r;
}

/* Until SIGTERM, which also comes when the monitor dies. Then all is unmounted and durable. */
static int serve(struct riad_site_host *site, int signals, struct riad_reason *reason)
{
    struct riad_host *host = &site->host;
    pthread_t keys, follower;
    int r = riad_control_start_public(
            RIAD_WORKER_CONTROL_FD, riad_site_request, site, &host->control);

    if (r == 0) {
        r = start_threads(site, &follower, &keys);
    }
    if (r < 0) {
        riad_control_stop(host->control);
        return riad_explain(reason, r, "cannot serve: %s", strerror(-r));
    }
    r = say_ready(site);
    while (r == 0 && !riad_host_stopping(host)) {
        (void)riad_host_wait(host, signals);
        if (host->reload) {
            host->reload = false;
            reload_config(site);
        }
    }
    riad_site_follower_end(site, follower);
    shutdown(site->keys_fd, SHUT_RDWR);
    pthread_join(keys, NULL);
    wait_openings(site);
    if (say_ready(site) < 0) {
        sync_all(host);
        _exit(RIAD_EXIT_FAILED);
    }
    riad_site_unmount_all(site);
    while (riad_host_count(host) > 0) {
        (void)riad_host_wait(host, signals);
    }
    riad_host_wait_closers(host);
    riad_host_record(host);
    riad_control_stop(host->control);
    return RIAD_EXIT_DONE;
}

static int run(struct riad_site_host *site, int signals, const char *config_path,
        struct riad_reason *reason)
{
    int code = open_node(site, config_path, reason);

    if (code == RIAD_EXIT_DONE) {
        code = prepare_host(site, reason);
        if (code == RIAD_EXIT_DONE) {
            code = serve(site, signals, reason);
        }
        riad_host_release(&site->host);
        free(site->host.mounts);
    }
    riad_catalog_done(&site->catalog);
    riad_signers_free(site->signers);
    riad_node_close(&site->node);
    return code;
}

int riad_worker_run(const char *config_path, struct riad_reason *ret_reason)
{
    struct riad_site_host *site = calloc(1, sizeof *site);
    _cleanup_close_ int signals = riad_host_block_signals(false);
    int code, r;

    if (!site || signals < 0) {
        free(site);
        return riad_explain(ret_reason, -ENOMEM, "cannot start: %s", strerror(ENOMEM));
    }
    riad_memory_prepare();
    site->node.state.fd = site->node.store.fd = -1;
    site->keys_fd = RIAD_WORKER_KEYS_FD;
    pthread_mutex_init(&site->lock, NULL);
    pthread_mutex_init(&site->tries_lock, NULL);
    pthread_mutex_init(&site->openings_lock, NULL);
    pthread_cond_init(&site->openings_changed, NULL);
    riad_host_allow_descriptors();
    r = riad_sandbox_enter();
    if (r < 0) {
        free(site);
        return riad_explain(ret_reason, r, "cannot enter the sandbox: %s", strerror(-r));
    }
    r = riad_service_new(RIAD_WORKER_SERVICE_FD, &site->service);
    code = r < 0 ? riad_explain(ret_reason, r, "cannot start: %s", strerror(-r))
                 : run(site, signals, config_path, ret_reason);
    riad_service_free(site->service);
    free(site->tries);
    free(site->told);
    free(site);
    return code;
}
