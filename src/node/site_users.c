/* A site's users as riadd's worker tells of them, and lets root disable them. */
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"
#include "riad/key_text.h"

#include "control_priv.h"
#include "site_host_priv.h"

static json_t *pack_user(const struct riad_catalog_user *user)
{
    char fingerprint[RIAD_FINGERPRINT_SIZE] = "";
    int r = riad_key_fingerprint(&user->sign_key, fingerprint);

    return json_pack("{s:s, s:I, s:o, s:s, s:b, s:o, s:o}", "user", user->name, "uid",
            (json_int_t)user->uid, "id", riad_control_hex(&user->id, sizeof user->id),
            "fingerprint", r < 0 ? "" : fingerprint, "disabled", user->disabled, "wrap_key",
            riad_control_hex(&user->wrap_key, sizeof user->wrap_key), "sign_key",
            riad_control_hex(&user->sign_key, sizeof user->sign_key));
}

json_t *riad_site_list_users(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    json_t *failure, *list;

    (void)uid;
    (void)request;
    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    list = json_array();
    for (size_t i = 0; i < site->catalog.user_count; i++) {
        json_array_append_new(list, pack_user(&site->catalog.users[i]));
    }
    pthread_mutex_unlock(&site->lock);
    return json_pack("{s:b, s:o}", "ok", 1, "users", list);
}

/* (lock) */
static int set_disabled(
        struct riad_site_host *site, const char *name, bool disabled, uint32_t *ret_uid)
{
    const struct riad_catalog_user *found = riad_catalog_find_user_name(&site->catalog, name);
    struct riad_catalog_user user;
    int r;

    if (!found) {
        return -ENOENT;
    }
    user = *found;
    user.disabled = disabled;
    r = riad_catalog_change_user(&site->node.store, &site->keys, &site->catalog, &user);
    if (r == 0) {
        r = riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);
    }
    *ret_uid = user.uid;
    return r;
}

json_t *riad_site_set_user(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "user"));
    const json_t *disabled = json_object_get(request, "disabled");
    json_t *failure;
    uint32_t whose = 0;
    int r;

    if (!riad_site_is_admin(site, uid)) {
        return riad_control_failure(RIAD_EXIT_NOT_PERMITTED, "only admins can do that");
    }
    if (!name || !json_is_boolean(disabled)) {
        return riad_control_failure(RIAD_EXIT_USAGE, "a change of a user has user and disabled");
    }
    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    r = set_disabled(site, name, json_is_true(disabled), &whose);
    pthread_mutex_unlock(&site->lock);
    if (r < 0) {
        return riad_control_failure(
                riad_exit_of(r), r == -ENOENT   ? "the site has no such user"
                                 : r == -EEXIST ? "another user has that name or number now"
                                                : strerror(-r));
    }
    riad_site_update_members(site);
    riad_events_record(&site->node.state, json_is_true(disabled) ? "user-disabled" : "user-enabled",
            &site->node.store.binding.store, NULL, "uid %u", whose);
    if (json_is_true(disabled)) {
        riad_site_lock_user(site, whose);
    }
    return json_pack("{s:b}", "ok", 1);
}

/* A copy of the active users: who is in a group is asked without the lock. */
static int copy_users(
        struct riad_site_host *site, struct riad_catalog_user **ret, size_t *ret_count)
{
    struct riad_catalog_user *copy;
    size_t count = 0;

    pthread_mutex_lock(&site->lock);
    copy = calloc(site->catalog.user_count + 1, sizeof *copy);
    for (size_t i = 0; copy && i < site->catalog.user_count; i++) {
        if (!site->catalog.users[i].disabled) {
            copy[count++] = site->catalog.users[i];
        }
    }
    pthread_mutex_unlock(&site->lock);
    *ret = copy;
    *ret_count = count;
    return copy ? 0 : -ENOMEM;
}

json_t *riad_site_list_group(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    const char *group = json_string_value(json_object_get(request, "group"));
    _cleanup_free_ struct riad_catalog_user *users = NULL;
    size_t count = 0;
    json_t *list;

    (void)uid;
    if (!group || !riad_catalog_is_user_name(group)) {
        return riad_control_failure(RIAD_EXIT_USAGE, "a group has a name");
    }
    if (copy_users(site, &users, &count) < 0) {
        return riad_control_failure(RIAD_EXIT_FAILED, "no memory");
    }
    list = json_array();
    for (size_t i = 0; i < count; i++) {
        if (riad_site_in_group(users[i].uid, group)) {
            json_array_append_new(list, pack_user(&users[i]));
        }
    }
    return json_pack("{s:b, s:o}", "ok", 1, "users", list);
}
