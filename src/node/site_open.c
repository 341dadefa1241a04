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
        pthread_mutex_destroy(&mount->changing);
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
    struct riad_member_standing *standings; /* of a project */
    size_t standing_count;
    char name[256];
};

static bool is_project(const struct target *target)
{
    return target->entry.kind == RIAD_KIND_PROJECT;
}

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
    if (owner->disabled && entry->kind == RIAD_KIND_HOME) {
        return riad_reason_set(
                reason, RIAD_EXIT_NOT_PERMITTED, "its owner is disabled at this site");
    }
    ret->entry = *entry;
    ret->entry.members = NULL; /* the catalog's */
    ret->entry.member_count = 0;
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

/* (lock) The file is ahead of the catalog if a change of the members was cut short. */
static int register_roster(struct riad_site_host *site, const struct riad_roster *roster,
        const struct riad_catalog_workspace *entry)
{
    int r = 0;

    if (roster->entries > entry->roster_entries) {
        r = riad_catalog_set_roster(
                &site->node.store, &site->keys, &site->catalog, &roster->workspace, roster);
        r = r < 0 ? r : riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);
    }
    return r;
}

static int take_members(struct riad_site_host *site, const struct riad_roster *roster,
        struct target *target, struct riad_reason *reason)
{
    const struct riad_catalog_workspace *entry;
    int r;

    pthread_mutex_lock(&site->lock);
    r = register_roster(site, roster, &target->entry);
    entry = r == 0 ? riad_catalog_find(&site->catalog, &roster->workspace) : NULL;
    if (entry) {
        r = riad_site_standings(site, entry, &target->standings, &target->standing_count);
    }
    pthread_mutex_unlock(&site->lock);
    return r < 0 ? riad_reason_set(
                           reason, riad_exit_of(r), "its members cannot be read: %s", strerror(-r))
                 : RIAD_EXIT_DONE;
}

static int unlock(struct riad_site_host *site, const struct riad_key_grant *grant,
        struct target *target, struct riad_reason *reason)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size;
    int r = riad_site_read_roster(
            site, &target->entry, &target->owner.sign_key, &roster, &bytes, &size);
    int code;

    if (r < 0) {
        return riad_reason_set(reason, riad_exit_of(r),
                r == -ESTALE ? "the list of members is older than what the site has seen: the "
                               "store was rolled back"
                             : "the list of members is damaged or was tampered with (%s)",
                strerror(-r));
    }
    code = check_grant(grant, &roster, target, reason);
    if (code == RIAD_EXIT_DONE) {
        target->roster_head = roster.head;
        code = take_keys(grant, &roster, target, reason);
    }
    if (code == RIAD_EXIT_DONE && is_project(target)) {
        code = take_members(site, &roster, target, reason);
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

static const char *name_of(const struct target *target)
{
    return is_project(target) ? target->entry.name : target->owner.name;
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
    pthread_mutex_init(&own->changing, NULL);
    snprintf(own->name, sizeof own->name, "%s", name_of(target));
    own->directory = riad_config_place(&site->node.config, own->kind, own->name);
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
        .label = name_of(target),
        .id = grant->workspace,
        .roster_head = target->roster_head,
        .entry = &target->entry,
        .keys = target->keys,
        .term_signer = &site->keys,
        .signers = site->signers,
        .uid = is_project(target) ? 0 : target->owner.uid,
        .gid = is_project(target) ? 0 : target->gid,
        .standings = target->standings,
        .standing_count = target->standing_count };
    int code;

    target->keys = NULL;
    if (!own) {
        riad_keys_free(opening.keys);
        return riad_reason_set(reason, RIAD_EXIT_FAILED, "no memory");
    }
    mount->site = own;
    mount->owner = target->owner.uid;
    mount->shared = is_project(target);
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
    *ret_directory = riad_config_place(&site->node.config, target->entry.kind, name_of(target));
    return *ret_directory ? RIAD_EXIT_DONE : riad_reason_set(reason, RIAD_EXIT_FAILED, "no memory");
}

int riad_site_open(struct riad_site_host *site, const struct riad_key_grant *grant,
        char **ret_directory, struct riad_reason *ret_reason)
{
    struct target target = { 0 };
    char name[RIAD_USER_NAME_MAX + 1];
    int code = look_up(site, grant, &target, ret_reason);

    if (code == RIAD_EXIT_DONE && !is_project(&target) &&
            (riad_site_account(target.owner.uid, name, &target.gid) < 0 ||
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
    free(target.standings);
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
