/* A site's workspaces as admins see them: whose they are, their limits and usage; and setting when
 * they expire. No key is needed for any of it. */
#include <stdio.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"

#include "control_priv.h"
#include "site_host_priv.h"

/* Usage is known of what is open: elsewhere it is inside the sealed log. */
static void add_usage(const struct riad_usage_entry *usage, json_t *object)
{
    if (usage) {
        json_object_set_new(object, "open", json_true());
        json_object_set_new(object, "bytes_used", json_integer((json_int_t)usage->bytes));
        json_object_set_new(object, "inodes_used", json_integer((json_int_t)usage->inodes));
    }
}

static json_t *pack(struct riad_site_host *site, const struct riad_catalog_workspace *entry,
        const struct riad_usage_list *open)
{
    const struct riad_catalog_user *owner = riad_catalog_find_user(&site->catalog, &entry->owner);
    bool home = entry->kind == RIAD_KIND_HOME;
    char id[2 * sizeof entry->id + 1];
    json_t *object;

    riad_hex_encode(&entry->id, sizeof entry->id, id);
    object = json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:b}", "workspace",
            !home   ? entry->name
            : owner ? owner->name
                    : "",
            "id", id, "kind", home ? "home" : "project", "owner", owner ? owner->name : "",
            "reserved", !home && entry->roster_entries == 0, "members",
            (json_int_t)(home ? 1 : entry->member_count), "bytes_limit",
            (json_int_t)entry->limit.bytes_hard, "inodes_limit",
            (json_int_t)entry->limit.inodes_hard, "expires", (json_int_t)entry->expiry.expires,
            "grace_seconds", (json_int_t)entry->expiry.grace, "open", 0);
    if (object) {
        add_usage(riad_usage_find(open, &site->node.store.binding.store, &entry->id), object);
    }
    return object;
}

json_t *riad_site_list_workspaces(struct riad_site_host *site, uid_t uid)
{
    const struct riad_catalog_user *user;
    _cleanup_(riad_usage_done) struct riad_usage_list open = { 0 };
    bool all = riad_site_is_admin(site, uid);
    json_t *failure, *list;

    if (riad_host_measure(&site->host, &open) < 0) {
        return riad_control_failure(RIAD_EXIT_FAILED, "no memory");
    }
    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    list = json_array();
    user = all ? NULL : riad_site_host_user(site, uid);
    for (size_t i = 0; i < site->catalog.workspace_count; i++) {
        const struct riad_catalog_workspace *entry = &site->catalog.workspaces[i];

        if (!entry->deleted && (all || (user && riad_site_is_hers(entry, user)))) {
            json_array_append_new(list, pack(site, entry, &open));
        }
    }
    pthread_mutex_unlock(&site->lock);
    return json_pack("{s:b, s:o}", "ok", 1, "workspaces", list);
}

const struct riad_catalog_workspace *riad_site_find_workspace(
        const struct riad_site_host *site, const char *name)
{
    const struct riad_catalog_user *user = riad_catalog_find_user_name(&site->catalog, name);
    struct riad_id id;

    if (riad_hex_decode(name, &id, sizeof id) == 0) {
        return riad_catalog_find(&site->catalog, &id);
    }
    for (size_t i = 0; user && i < site->catalog.workspace_count; i++) {
        const struct riad_catalog_workspace *entry = &site->catalog.workspaces[i];

        if (entry->kind == RIAD_KIND_HOME && !entry->deleted &&
                riad_id_equal(&entry->owner, &user->id)) {
            return entry;
        }
    }
    return riad_catalog_find_project(&site->catalog, name);
}

/* What an admin changes about a workspace. */
struct admin_change {
    int (*take)(const json_t *request, struct riad_catalog_workspace *entry); /* -EINVAL */
    int (*put)(struct riad_site_host *site, const struct riad_catalog_workspace *entry);
    const char *refusal, *usage;
};

/* (lock) *ret: what holds now; its members are the catalog's. */
static int change(struct riad_site_host *site, const struct admin_change *change,
        const json_t *request, struct riad_catalog_workspace *ret)
{
    const char *name = json_string_value(json_object_get(request, "workspace"));
    const struct riad_catalog_workspace *found = name ? riad_site_find_workspace(site, name) : NULL;
    struct riad_catalog_workspace entry;
    int r;

    if (!found || found->deleted) {
        return name ? -ENOENT : -EINVAL;
    }
    entry = *found;
    r = change->take(request, &entry);
    r = r < 0 ? r : change->put(site, &entry);
    r = r < 0 ? r : riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);
    if (r == 0) {
        riad_host_apply_catalog(&site->host, &site->catalog);
        *ret = entry;
    }
    return r;
}

/* False: *ret_failure says why not. */
static bool change_as_admin(struct riad_site_host *site, uid_t uid, const json_t *request,
        const struct admin_change *what, struct riad_catalog_workspace *ret, json_t **ret_failure)
{
    int r;

    if (!riad_site_is_admin(site, uid)) {
        *ret_failure = riad_control_failure(RIAD_EXIT_NOT_PERMITTED, what->refusal);
        return false;
    }
    if (!riad_site_begin(site, ret_failure)) {
        return false;
    }
    r = change(site, what, request, ret);
    pthread_mutex_unlock(&site->lock);
    if (r < 0) {
        *ret_failure = riad_control_failure(riad_exit_of(r),
                r == -ENOENT   ? "the site has no such workspace: `riad workspace list` shows them"
                : r == -EINVAL ? what->usage
                               : strerror(-r));
    }
    return r == 0;
}

static int take_expiry(const json_t *request, struct riad_catalog_workspace *entry)
{
    return riad_site_get_expiry(request, &entry->expiry);
}

static int put_expiry(struct riad_site_host *site, const struct riad_catalog_workspace *entry)
{
    return riad_catalog_set_expiry(
            &site->node.store, &site->keys, &site->catalog, &entry->id, &entry->expiry);
}

json_t *riad_site_set_expiry(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    static const struct admin_change what = { take_expiry, put_expiry,
        "only admins say when a workspace expires at a site",
        "an expiry has workspace, expires and grace_seconds" };
    struct riad_catalog_workspace now;
    json_t *failure;

    if (!change_as_admin(site, uid, request, &what, &now, &failure)) {
        return failure;
    }
    riad_events_record(&site->node.state, "expiry-set", &site->node.store.binding.store, &now.id,
            "expires %lld, grace %u s, by uid %u", (long long)now.expiry.expires, now.expiry.grace,
            uid);
    return json_pack("{s:b, s:o, s:I, s:I}", "ok", 1, "id",
            riad_control_hex(&now.id, sizeof now.id), "expires", (json_int_t)now.expiry.expires,
            "grace_seconds", (json_int_t)now.expiry.grace);
}
