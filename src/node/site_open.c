/* Workspaces that were unlocked: opened, and mounted by the monitor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"
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
        .commitment = mount->commitment,
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
        free(mount->directory);
        free(mount);
    }
}

/* --- what is to be opened --- */

/* All that a grant leads to, copied out of the catalog. */
struct target {
    struct riad_catalog_workspace entry;
    struct riad_catalog_user user, owner;
    gid_t gid; /* the owner's */
    uint32_t owner_uid;
    struct riad_keys *keys;
    struct riad_hash roster_head;
    char name[256];
};

static int find_entry(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct target *ret, struct riad_reason *reason)
{
    const struct riad_catalog_user *user = riad_site_host_user(site, grant->uid), *owner;
    const struct riad_catalog_workspace *entry =
            riad_catalog_find(&site->catalog, &grant->workspace);

    if (!user) {
        return riad_reason_set(reason, RIAD_EXIT_NOT_PERMITTED,
                "uid %u is no user of this site: `riad user enroll`", grant->uid);
    }
    owner = entry ? riad_catalog_find_user(&site->catalog, &entry->owner) : NULL;
    if (!entry || entry->deleted || !owner) {
        return riad_reason_set(reason, RIAD_EXIT_FAILED, "the site has no such workspace");
    }
    if (owner->disabled) {
        return riad_reason_set(
                reason, RIAD_EXIT_NOT_PERMITTED, "its owner is disabled at this site");
    }
    ret->entry = *entry;
    ret->user = *user;
    ret->owner = *owner;
    return RIAD_EXIT_DONE;
}

static int look_up(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct target *ret, struct riad_reason *reason)
{
    int code;

    pthread_mutex_lock(&site->lock);
    code = riad_site_host_refresh(site, reason);
    if (code == RIAD_EXIT_DONE) {
        code = find_entry(site, grant, ret, reason);
    }
    pthread_mutex_unlock(&site->lock);
    return code;
}

/* K2: who has the root key that the roster commits to has been a member; and is one still. */
static int check_grant(const struct riad_key_grant *grant, const struct riad_roster *roster,
        const struct target *target, struct riad_reason *reason)
{
    const struct riad_member *member = riad_roster_find(roster, &target->user.id);

    if (!member ||
            memcmp(&member->sign_key, &target->user.sign_key, sizeof member->sign_key) != 0) {
        return riad_reason_set(
                reason, RIAD_EXIT_NOT_PERMITTED, "you are no member of this workspace");
    }
    if (grant->epoch != roster->epoch || !riad_equal_constant_time(&grant->commitment,
                                                 &roster->commitment, sizeof roster->commitment)) {
        return riad_reason_set(reason, RIAD_EXIT_WRONG_SECRET, "this is not the workspace's key");
    }
    return RIAD_EXIT_DONE;
}

static int take_keys(const struct riad_key_grant *grant, const struct riad_roster *roster,
        struct target *target, struct riad_reason *reason)
{
    _cleanup_secret_ struct riad_secret *subkeys = NULL;
    int r = riad_secret_new_copy(grant->subkeys, sizeof grant->subkeys, &subkeys);

    if (r == 0) {
        r = riad_keys_from_subkeys(&grant->workspace, grant->epoch, subkeys, &target->keys);
    }
    if (r == 0) {
        r = riad_roster_name(roster, target->keys, target->name);
        if (r < 0) {
            riad_keys_free(target->keys);
            target->keys = NULL;
        }
    }
    return r < 0 ? riad_reason_set(reason, riad_exit_of(r),
                           "the workspace's keys cannot be used: %s", strerror(-r))
                 : RIAD_EXIT_DONE;
}

static int unlock(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct target *target, struct riad_reason *reason)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    int r = riad_roster_load(
            &site->node.store, &grant->workspace, &target->owner.sign_key, &roster);
    int code;

    if (r < 0) {
        riad_events_record(&site->node.state, "refused", &site->node.store.binding.store,
                &grant->workspace, "the roster is damaged or was tampered with (%s)", strerror(-r));
        return riad_reason_set(reason, riad_exit_of(r),
                "the list of members is damaged or was tampered with (%s)", strerror(-r));
    }
    code = check_grant(grant, &roster, target, reason);
    if (code == RIAD_EXIT_DONE) {
        target->roster_head = roster.head;
        code = take_keys(grant, &roster, target, reason);
    }
    return code;
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
        const struct riad_key_grant *grant, const struct target *target)
{
    struct riad_site_mount *own = calloc(1, sizeof *own);

    if (!own) {
        return NULL;
    }
    own->site = site;
    own->workspace = grant->workspace;
    own->commitment = grant->commitment;
    own->kind = target->entry.kind;
    snprintf(own->name, sizeof own->name, "%s", target->owner.name);
    own->directory = riad_config_home(&site->node.config, own->name);
    own->service =
            (struct riad_mount_service){ service_mount, service_unmount, service_abort, own };
    if (!own->directory) {
        free(own);
        return NULL;
    }
    return own;
}

/* In a slot that is ours. */
static int open_in(struct riad_site_host *site, struct riad_mount *mount,
        const struct riad_key_grant *grant, struct target *target, struct riad_reason *reason)
{
    struct riad_site_mount *own = make_site_mount(site, grant, target);
    struct riad_opening opening = { .name = target->name,
        .label = target->owner.name,
        .id = grant->workspace,
        .roster_head = target->roster_head,
        .entry = &target->entry,
        .keys = target->keys,
        .term_signer = &site->keys,
        .signers = site->signers,
        .uid = target->owner.uid,
        .gid = target->gid };
    int code;

    target->keys = NULL;
    if (!own) {
        riad_keys_free(opening.keys);
        return riad_reason_set(reason, RIAD_EXIT_FAILED, "no memory");
    }
    mount->site = own;
    mount->owner = target->owner.uid;
    opening.directory = own->directory;
    opening.service = &own->service;
    code = riad_host_open(&site->host, mount, &opening, reason);
    if (code != RIAD_EXIT_DONE) {
        riad_host_abandon(&site->host, mount);
    }
    return code;
}

static int open_target(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct target *target, char **ret_directory, struct riad_reason *reason)
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
    *ret_directory = riad_config_home(&site->node.config, target->owner.name);
    return *ret_directory ? RIAD_EXIT_DONE : riad_reason_set(reason, RIAD_EXIT_FAILED, "no memory");
}

int riad_site_open(struct riad_site_host *site, const struct riad_key_grant *grant,
        char **ret_directory, struct riad_reason *ret_reason)
{
    struct target target = { 0 };
    char name[RIAD_USER_NAME_MAX + 1];
    int code = look_up(site, grant, &target, ret_reason);

    if (code == RIAD_EXIT_DONE && (riad_site_account(target.owner.uid, name, &target.gid) < 0 ||
                                          strcmp(name, target.owner.name) != 0)) {
        code = riad_reason_set(
                ret_reason, RIAD_EXIT_NOT_PERMITTED, "its owner has no account here");
    }
    if (code == RIAD_EXIT_DONE) {
        code = unlock(site, grant, &target, ret_reason);
    }
    if (code == RIAD_EXIT_DONE) {
        code = open_target(site, grant, &target, ret_directory, ret_reason);
    }
    riad_keys_free(target.keys);
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
            if (mount->owner == uid) {
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

/* --- grants as they come --- */

struct arrival {
    struct riad_site_host *site;
    struct riad_secret *grant;
    int client; /* who waits for the answer; -1: nobody */
};

static void reply(int client, int code, const char *directory, const char *sentence)
{
    json_t *object = code == RIAD_EXIT_DONE
                             ? json_pack("{s:b, s:s}", "ok", 1, "directory", directory)
                             : riad_control_failure(code, sentence);
    int r = object ? riad_control_send(client, riad_control_now() + RIAD_CONTROL_CLIENT_MS, object)
                   : 0;

    (void)r; /* who does not wait for the answer finds it mounted */
    json_decref(object);
}

static void leave(struct riad_site_host *site)
{
    pthread_mutex_lock(&site->openings_lock);
    site->openings--;
    pthread_cond_broadcast(&site->openings_changed);
    pthread_mutex_unlock(&site->openings_lock);
}

static void *open_main(void *argument)
{
    struct arrival arrival = *(struct arrival *)argument;
    _cleanup_free_ char *directory = NULL;
    struct riad_reason reason = { "" };
    int code;

    free(argument);
    code = riad_site_open(
            arrival.site, (const void *)riad_secret_peek(arrival.grant), &directory, &reason);
    riad_secret_free(arrival.grant);
    if (arrival.client >= 0) {
        reply(arrival.client, code, directory, reason.text);
        close(arrival.client);
    }
    leave(arrival.site);
    return NULL;
}

/* At most so many at once: each takes memory and the store's time, and the others wait in the
 * socket. */
static void begin(struct riad_site_host *site, struct arrival *arrival)
{
    pthread_mutex_lock(&site->openings_lock);
    while (site->openings == RIAD_SITE_OPENINGS_MAX) {
        pthread_cond_wait(&site->openings_changed, &site->openings_lock);
    }
    site->openings++;
    pthread_mutex_unlock(&site->openings_lock);
    if (riad_thread_start("riad-open", open_main, arrival, NULL) < 0) {
        open_main(arrival);
    }
}

/* 0: one was taken. */
static int take_grant(struct riad_site_host *site)
{
    struct arrival *arrival = calloc(1, sizeof *arrival);
    int r = arrival ? riad_secret_new(sizeof(struct riad_key_grant), &arrival->grant) : -ENOMEM;
    ssize_t n = 0;

    if (r == 0) {
        arrival->site = site;
        n = riad_service_receive(site->keys_fd, riad_secret_bytes(arrival->grant),
                sizeof(struct riad_key_grant), &arrival->client);
    }
    if (n == sizeof(struct riad_key_grant)) {
        begin(site, arrival);
        return 0;
    }
    if (arrival) {
        riad_secret_free(arrival->grant);
        free(arrival);
    }
    return r < 0 ? r : -EPIPE;
}

void *riad_site_take_keys(void *argument)
{
    struct riad_site_host *site = argument;

    while (take_grant(site) == 0) {
    }
    return NULL;
}
