/* What a site's worker knows of site and catalog. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "control_priv.h"
#include "site_host_priv.h"

enum { ACCOUNT_MAX = 16 << 10, GROUP_MAX = 1 << 20, GROUPS_MAX = 65536 };

int riad_site_account(uid_t uid, char ret_name[RIAD_USER_NAME_MAX + 1], gid_t *ret_gid)
{
    _cleanup_free_ char *buffer = malloc(ACCOUNT_MAX);
    struct passwd entry, *found = NULL;

    if (!buffer) {
        return -ENOMEM;
    }
    if (getpwuid_r(uid, &entry, buffer, ACCOUNT_MAX, &found) != 0 || !found ||
            !riad_catalog_is_user_name(found->pw_name)) {
        return -ENOENT;
    }
    snprintf(ret_name, RIAD_USER_NAME_MAX + 1, "%s", found->pw_name);
    *ret_gid = found->pw_gid;
    return 0;
}

/* The group's id. -ENOENT. */
static int find_group(const char *name, gid_t *ret)
{
    _cleanup_free_ char *buffer = malloc(GROUP_MAX);
    struct group entry, *found = NULL;

    if (!buffer) {
        return -ENOMEM;
    }
    if (getgrnam_r(name, &entry, buffer, GROUP_MAX, &found) != 0 || !found) {
        return -ENOENT;
    }
    *ret = found->gr_gid;
    return 0;
}

static bool is_in_group(uid_t uid, gid_t wanted)
{
    _cleanup_free_ gid_t *groups = calloc(GROUPS_MAX, sizeof *groups);
    char name[RIAD_USER_NAME_MAX + 1];
    int count = GROUPS_MAX;
    gid_t gid;

    if (!groups || riad_site_account(uid, name, &gid) < 0 ||
            getgrouplist(name, gid, groups, &count) < 0) {
        return false;
    }
    for (int i = 0; i < count; i++) {
        if (groups[i] == wanted) {
            return true;
        }
    }
    return false;
}

bool riad_site_in_group(uid_t uid, const char *group)
{
    gid_t gid;

    return find_group(group, &gid) == 0 && is_in_group(uid, gid);
}

bool riad_site_is_admin(struct riad_site_host *site, uid_t uid)
{
    _cleanup_free_ char *group = NULL;

    if (uid == 0) {
        return true;
    }
    pthread_mutex_lock(&site->lock);
    group = site->node.config.admins ? strdup(site->node.config.admins) : NULL;
    pthread_mutex_unlock(&site->lock);
    return group && riad_site_in_group(uid, group);
}

bool riad_site_has_account(const struct riad_catalog_user *user, gid_t *ret_gid)
{
    char name[RIAD_USER_NAME_MAX + 1];

    return riad_site_account(user->uid, name, ret_gid) == 0 && strcmp(name, user->name) == 0;
}

const struct riad_catalog_user *riad_site_host_user(const struct riad_site_host *site, uid_t uid)
{
    const struct riad_catalog_user *user = riad_catalog_find_uid(&site->catalog, uid);
    gid_t gid;

    return user && riad_site_has_account(user, &gid) ? user : NULL;
}

/* Also those of removed nodes, whose terms the histories of workspaces are made of; how far those
 * count is said by workspace (site_terms.c). */
static int take_signers(struct riad_site_host *site)
{
    _cleanup_free_ struct riad_signer *signers = NULL;
    int r = riad_site_signers(&site->node.site, false, &signers);

    return r < 0 ? r : riad_signers_replace(site->signers, signers, site->node.site.node_count);
}

/* The site's nodes changed, or this is the first time. */
static int reload(struct riad_site_host *site, struct riad_reason *reason)
{
    struct riad_catalog catalog;
    int code = riad_node_load_catalog(&site->node, &catalog, reason), r;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    r = take_signers(site);
    if (r < 0) {
        riad_catalog_done(&catalog);
        snprintf(reason->text, sizeof reason->text, "%s", strerror(-r));
        return riad_exit_of(r);
    }
    riad_catalog_done(&site->catalog);
    site->catalog = catalog;
    site->nodes_changed = true;
    return RIAD_EXIT_DONE;
}

/* Another node may have set a limit. */
static void apply(struct riad_site_host *site)
{
    uint64_t number = riad_chain_last(&site->catalog.ends).next_number;

    if (number != site->applied) {
        riad_host_apply_catalog(&site->host, &site->catalog);
        site->members_due = true;
        if (site->host.events) {
            riad_event_queue_wake(site->host.events);
        }
        site->applied = number;
    }
    if (site->catalog.subject_changes != site->shares_applied) {
        site->shares_applied = site->catalog.subject_changes;
        riad_site_follow_all_grants(site); /* what it reads of others is for the next time */
    }
}

static int refresh(struct riad_site_host *site, struct riad_reason *ret_reason)
{
    bool grown = false;
    int code = riad_node_refresh(&site->node, &grown, ret_reason), r;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (!site->node.member) {
        snprintf(ret_reason->text, sizeof ret_reason->text,
                "this machine is no node of the site: it was removed, or not added yet (`riad "
                "node add` on a node)");
        return RIAD_EXIT_NOT_PERMITTED;
    }
    r = grown || site->catalog.signer_count == 0
                ? -EAGAIN
                : riad_catalog_catch_up(&site->node.store, &site->catalog);
    if (r == 0) {
        r = riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);
    }
    return r == 0 ? RIAD_EXIT_DONE : reload(site, ret_reason);
}

int riad_site_host_refresh(struct riad_site_host *site, struct riad_reason *ret_reason)
{
    int code = refresh(site, ret_reason);

    if (code == RIAD_EXIT_DONE && site->nodes_changed) {
        site->nodes_changed = false;
        riad_site_bound_terms(site);
        riad_site_update_signers(site);
    }
    if (code == RIAD_EXIT_DONE) {
        apply(site);
    }
    return code;
}

bool riad_site_begin(struct riad_site_host *site, json_t **ret_failure)
{
    struct riad_reason reason = { "" };
    int code;

    pthread_mutex_lock(&site->lock);
    code = riad_site_host_refresh(site, &reason);
    if (code == RIAD_EXIT_DONE) {
        return true;
    }
    pthread_mutex_unlock(&site->lock);
    *ret_failure = riad_control_failure(code, reason.text);
    return false;
}
