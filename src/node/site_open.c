/* Workspaces that were unlocked: opened, and mounted by the monitor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/events.h"
#include "riad/thread.h"

#include "control_priv.h"
#include "site_host_priv.h"

/* --- the mount service: the monitor, by the worker's end of the channel --- */

static int service_mount(void *context, const char *mountpoint, const char *source)
{
    const struct riad_site_mount *mount = context;
    struct riad_service_request request = { .operation = RIAD_SERVICE_MOUNT,
        .workspace = mount->workspace,
        .identity = mount->identity,
        .kind = mount->kind };
    struct riad_service_reply reply;
    int fd = -1, r;

    (void)mountpoint; /* the monitor knows where by itself */
    (void)source;
    snprintf(request.name, sizeof request.name, "%s", mount->name);
    r = riad_service_call(mount->site->service, &request, NULL, &reply, &fd);
    return r < 0 ? r : fd < 0 ? -EIO : fd;
}

static int service_unmount(void *context, const char *mountpoint, bool lazy)
{
    const struct riad_site_mount *mount = context;
    struct riad_service_request request = { .operation = RIAD_SERVICE_UNMOUNT, .lazy = lazy };
    struct riad_service_reply reply;

    snprintf(request.path, sizeof request.path, "%s", mountpoint);
    return riad_service_call(mount->site->service, &request, NULL, &reply, NULL);
}

static int service_abort(void *context, const char *mountpoint)
{
    const struct riad_site_mount *mount = context;
    struct riad_service_request request = { .operation = RIAD_SERVICE_ABORT };
    struct riad_service_reply reply;

    snprintf(request.path, sizeof request.path, "%s", mountpoint);
    return riad_service_call(mount->site->service, &request, NULL, &reply, NULL);
}

static void site_mount_free(struct riad_site_mount *mount)
{
    if (mount) {
        pthread_mutex_destroy(&mount->changing);
        riad_site_signing_done(&mount->signing);
        free(mount->members);
        free(mount->directory);
        free(mount);
    }
}

/* --- slots --- */

/* (host lock) The workspace's slot in use; NULL. */
static struct riad_mount *find_slot(struct riad_host *host, const struct riad_id *workspace)
{
    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (mount->phase != RIAD_MOUNT_EMPTY && riad_id_equal(&mount->id, workspace)) {
            return mount;
        }
    }
    return NULL;
}

/* A free slot, which is ours now, or the one in which it runs. While somebody else opens or closes
 * it, this waits. NULL: there are too many. */
static struct riad_mount *take_slot(struct riad_host *host, const struct riad_id *workspace)
{
    struct riad_mount *mount;

    pthread_mutex_lock(&host->lock);
    while ((mount = find_slot(host, workspace)) && mount->phase != RIAD_MOUNT_RUNNING) {
        pthread_cond_wait(&host->changed, &host->lock);
    }
    for (size_t i = 0; !mount && i < host->mount_count; i++) {
        if (host->mounts[i].phase == RIAD_MOUNT_EMPTY && host->mounts[i].users == 0) {
            mount = &host->mounts[i];
            *mount = (struct riad_mount){
                .host = host, .id = *workspace, .phase = RIAD_MOUNT_OPENING
            };
        }
    }
    pthread_mutex_unlock(&host->lock);
    return mount;
}

struct riad_mount *riad_site_hold(struct riad_site_host *site, const struct riad_id *workspace)
{
    struct riad_host *host = &site->host;
    struct riad_mount *mount;

    pthread_mutex_lock(&host->lock);
    mount = find_slot(host, workspace);
    if (mount && mount->phase == RIAD_MOUNT_RUNNING) {
        mount->users++;
    } else {
        mount = NULL;
    }
    pthread_mutex_unlock(&host->lock);
    return mount;
}

static void free_slot(struct riad_host *host, struct riad_mount *mount)
{
    site_mount_free(mount->site);
    free(mount->source);
    pthread_mutex_lock(&host->lock);
    mount->site = NULL;
    mount->source = NULL;
    mount->expiry = (struct riad_catalog_expiry){ 0 };
    mount->phase = RIAD_MOUNT_EMPTY;
    pthread_cond_broadcast(&host->changed);
    pthread_mutex_unlock(&host->lock);
}

/* The monitor forgets the key, also where somebody else has unmounted it. */
void riad_site_closed(struct riad_mount *mount)
{
    struct riad_site_mount *own = mount->site;
    int r = service_unmount(own, own->directory, true);

    (void)r; /* it is gone already, in the usual case */
    free_slot(mount->host, mount);
}

static struct riad_site_mount *make_site_mount(struct riad_site_host *site,
        const struct riad_key_grant *grant, const struct riad_site_target *target)
{
    struct riad_site_mount *own = calloc(1, sizeof *own);

    if (!own) {
        return NULL;
    }
    own->site = site;
    own->workspace = grant->workspace;
    own->identity = grant->identity;
    own->kind = target->entry.kind;
    pthread_mutex_init(&own->changing, NULL);
    snprintf(own->name, sizeof own->name, "%s", riad_site_target_name(target));
    own->directory = riad_config_place(&site->node.config, own->kind, own->name);
    own->service =
            (struct riad_mount_service){ service_mount, service_unmount, service_abort, own };
    if (!own->directory || riad_site_signing_begin(site, &own->workspace, &own->signing) < 0) {
        site_mount_free(own);
        return NULL;
    }
    return own;
}

/* In a slot that is ours. */
static int open_in(struct riad_site_host *site, struct riad_mount *mount,
        const struct riad_key_grant *grant, struct riad_site_target *target,
        struct riad_reason *reason)
{
    struct riad_site_mount *own = make_site_mount(site, grant, target);
    struct riad_opening opening = { .name = target->name,
        .label = riad_site_target_name(target),
        .id = grant->workspace,
        .roster_head = target->roster_head,
        .entry = &target->entry,
        .keys = target->keys,
        .term_signer = &site->keys,
        .signers = own ? own->signing.signers : NULL,
        .uid = target->entry.kind == RIAD_KIND_PROJECT ? 0 : target->owner.uid,
        .gid = target->entry.kind == RIAD_KIND_PROJECT ? 0 : target->gid,
        .epoch_ends = target->ends,
        .epoch_end_count = target->end_count,
        .standings = target->standings,
        .standing_count = target->standing_count };
    int code;

    target->keys = NULL;
    if (!own) {
        riad_keys_free(opening.keys);
        return riad_reason_set(reason, RIAD_EXIT_FAILED, "no memory");
    }
    own->members = riad_take_pointer(target->members);
    own->member_count = target->member_count;
    mount->site = own;
    mount->owner = target->owner.uid;
    mount->shared = target->entry.kind == RIAD_KIND_PROJECT;
    opening.directory = own->directory;
    opening.service = &own->service;
    code = riad_host_open(&site->host, mount, &opening, reason);
    if (code != RIAD_EXIT_DONE) {
        riad_host_abandon(&site->host, mount);
    }
    return code;
}

static int open_target(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct riad_site_target *target, char **ret_directory, struct riad_reason *reason)
{
    struct riad_mount *mount = take_slot(&site->host, &grant->workspace);
    int code = RIAD_EXIT_DONE;

    if (!mount) {
        return riad_reason_set(reason, RIAD_EXIT_FAILED,
                "%d workspaces are open on this node: that is "
                "all there can be",
                RIAD_SITE_MOUNTS_MAX);
    }
    if (!riad_host_is_running(&site->host, mount)) {
        code = open_in(site, mount, grant, target, reason);
        if (code != RIAD_EXIT_DONE) {
            free_slot(&site->host, mount);
            return code;
        }
        riad_event_queue_wake(site->host.events); /* the main loop has one more to watch */
    }
    code = riad_site_follow_epochs(site, mount, grant, target, reason);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    *ret_directory = riad_config_place(
            &site->node.config, target->entry.kind, riad_site_target_name(target));
    return *ret_directory ? RIAD_EXIT_DONE : riad_reason_set(reason, RIAD_EXIT_FAILED, "no memory");
}

int riad_site_open(struct riad_site_host *site, const struct riad_key_grant *grant,
        char **ret_directory, struct riad_reason *ret_reason)
{
    struct riad_site_target target = { 0 };
    int code = riad_site_find_target(site, grant, &target, ret_reason);

    if (code == RIAD_EXIT_DONE) {
        code = open_target(site, grant, &target, ret_directory, ret_reason);
    }
    riad_site_target_done(&target);
    if (code == RIAD_EXIT_DONE) {
        riad_site_tried_well(site, grant->uid);
    }
    riad_events_record(&site->node.state, code == RIAD_EXIT_DONE ? "unlocked" : "unlock-failed",
            &site->node.store.binding.store, &grant->workspace, "uid %u: %s", grant->uid,
            code == RIAD_EXIT_DONE ? "with the workspace's key" : riad_host_meaning(code));
    return code;
}

void riad_site_lock_user(struct riad_site_host *site, uid_t uid)
{
    struct riad_host *host = &site->host;

    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (riad_host_hold(host, mount)) {
            if (mount->owner == uid && !mount->shared) {
                riad_host_detach(mount);
            }
            riad_host_unhold(host, mount);
        }
    }
}

void riad_site_unmount_all(struct riad_site_host *site)
{
    struct riad_host *host = &site->host;

    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];

        if (!riad_host_hold(host, mount)) {
            continue;
        }
        if (riad_session_unmount(mount->session, false) < 0) {
            int r = riad_session_abort(mount->session);

            (void)r; /* then they keep what they have open until the process ends */
            riad_host_detach(mount);
        }
        riad_host_unhold(host, mount);
    }
}
