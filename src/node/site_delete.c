/* Deleting a workspace of a site for ever: it is closed here, its wraps go, the catalog says so,
 * and then its files go. Another node that has it open closes it when it next looks at the catalog.
 */
#include <stdio.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/erase.h"
#include "riad/error.h"
#include "riad/events.h"

#include "control_priv.h"
#include "site_host_priv.h"

struct deletion {
    uid_t uid;
    bool admin;
    const char *name, *confirm; /* of the request */
    struct riad_id id;
};

static bool is_manager(
        const struct riad_catalog_workspace *entry, const struct riad_catalog_user *user)
{
    const struct riad_catalog_member *member =
            user ? riad_catalog_find_member(entry, &user->id) : NULL;

    return member && member->role == RIAD_ROLE_MANAGER;
}

/* (lock) Of a project an admin, or one of its managers; of a home an admin, once its user is
 * disabled: a slip in a name does not take a person's home. One that is deleted already may be
 * named by its id: what was cut short is done again. */
static int find(struct riad_site_host *site, struct deletion *deletion)
{
    const struct riad_catalog_workspace *entry = riad_site_find_workspace(site, deletion->name);
    const struct riad_catalog_user *owner =
            entry ? riad_catalog_find_user(&site->catalog, &entry->owner) : NULL;
    const char *name = !entry                             ? ""
                       : entry->kind == RIAD_KIND_PROJECT ? entry->name
                       : owner                            ? owner->name
                                                          : "";

    if (!entry ||
            (!deletion->admin && !is_manager(entry, riad_site_host_user(site, deletion->uid)))) {
        return entry ? -EPERM : -ENOENT;
    }
    if (entry->kind == RIAD_KIND_HOME && owner && !owner->disabled) {
        return -EBUSY;
    }
    deletion->id = entry->id;
    return strcmp(deletion->confirm, name) == 0 ? 0 : -EINVAL;
}

static const char *explain(int error)
{
    switch (error) {
    case -ENOENT:
        return "the site has no such workspace";
    case -EPERM:
        return "only its managers and admins can delete a project, only admins a home";
    case -EBUSY:
        return "its user is active: a home can be deleted when the user is disabled";
    case -EINVAL:
        return "that is not its name: nothing was deleted";
    default:
        return strerror(-error);
    }
}

/* NULL: it is not open here any more. Else the reply that says why it is. */
static json_t *close_here(struct riad_site_host *site, const struct riad_id *id)
{
    struct riad_mount *mount = riad_site_hold(site, id);
    json_t *request, *reply;

    if (!mount) {
        return NULL;
    }
    request = json_pack("{s:s}", "directory", mount->directory);
    riad_host_unhold(&site->host, mount);
    reply = riad_host_request(&site->host, 0, "unmount", request);
    json_decref(request);
    if (json_is_true(json_object_get(reply, "ok"))) {
        json_decref(reply);
        return NULL;
    }
    return reply;
}

/* (lock) From the first step on there is no way back; each can be done again. */
static int erase(struct riad_site_host *site, const struct deletion *deletion)
{
    const struct riad_store *store = &site->node.store;
    int r = riad_erase_keys(store, &deletion->id);

    if (r == 0) {
        r = riad_catalog_delete_workspace(store, &site->keys, &site->catalog, &deletion->id);
        r = r == -ENOENT ? 0 : r; /* deleted before, and cut short */
    }
    r = r < 0 ? r : riad_mark_catalog(store, &site->node.state, &site->catalog);
    if (r == 0) {
        riad_host_apply_catalog(&site->host, &site->catalog); /* whoever was faster is out, too */
    }
    return r;
}

/* Finds it, or erases it, with the catalog of now. False: *ret_failure says why not. */
static bool with_catalog(struct riad_site_host *site, struct deletion *deletion,
        int (*act)(struct riad_site_host *site, struct deletion *deletion), json_t **ret_failure)
{
    int r;

    if (!riad_site_begin(site, ret_failure)) {
        return false;
    }
    r = act(site, deletion);
    pthread_mutex_unlock(&site->lock);
    if (r < 0) {
        *ret_failure =
                riad_control_failure(r == -EINVAL ? RIAD_EXIT_USAGE : riad_exit_of(r), explain(r));
    }
    return r == 0;
}

/* (lock) What the names mean may have changed meanwhile. */
static int find_and_erase(struct riad_site_host *site, struct deletion *deletion)
{
    struct riad_id id = deletion->id;
    int r = find(site, deletion);

    if (r == 0 && !riad_id_equal(&id, &deletion->id)) {
        r = -ENOENT;
    }
    return r < 0 ? r : erase(site, deletion);
}

static json_t *finish(struct riad_site_host *site, const struct deletion *deletion)
{
    int r = riad_erase_files(&site->node.store, &deletion->id, NULL, NULL);

    r = r < 0 ? r : riad_state_forget(&site->node.state, "ws", &deletion->id);
    return json_pack("{s:b, s:o, s:s}", "ok", 1, "id",
            riad_control_hex(&deletion->id, sizeof deletion->id), "warning",
            r < 0 ? strerror(-r) : "");
}

json_t *riad_site_delete_workspace(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    struct deletion deletion = { .uid = uid,
        .admin = riad_site_is_admin(site, uid),
        .name = json_string_value(json_object_get(request, "workspace")),
        .confirm = json_string_value(json_object_get(request, "confirm")) };
    json_t *failure;

    if (!deletion.name || !deletion.confirm) {
        return riad_control_failure(RIAD_EXIT_USAGE, "a deletion has workspace and confirm");
    }
    if (!with_catalog(site, &deletion, find, &failure)) {
        return failure;
    }
    failure = close_here(site, &deletion.id);
    if (failure || !with_catalog(site, &deletion, find_and_erase, &failure)) {
        return failure;
    }
    riad_events_record(&site->node.state, "workspace-deleted", &site->node.store.binding.store,
            &deletion.id, "its keys are erased, by uid %u", uid);
    return finish(site, &deletion);
}
