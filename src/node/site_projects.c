/* Projects: an admin, or a user where the policy lets her, reserves a name with limits for a
 * manager; the manager makes its key, in her own process, and the roster that she is the first of.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/events.h"

#include "control_priv.h"
#include "site_host_priv.h"

static int get_count(const json_t *request, const char *name, uint64_t *ret)
{
    const json_t *value = json_object_get(request, name);

    if (!value) {
        return 0;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        return -EINVAL;
    }
    *ret = (uint64_t)json_integer_value(value);
    return 0;
}

int riad_site_get_expiry(const json_t *request, struct riad_catalog_expiry *expiry)
{
    uint64_t grace = expiry->grace;
    int r = get_count(request, "expires", &expiry->expires);

    r = r < 0 ? r : get_count(request, "grace_seconds", &grace);
    if (r < 0 || grace > UINT32_MAX) {
        return -EINVAL;
    }
    expiry->grace = (uint32_t)grace;
    return 0;
}

/* --- reserving --- */

struct reservation {
    uid_t uid; /* who asks */
    bool admin;
    const char *manager; /* NULL: who asks */
    const json_t *request;
    struct riad_catalog_workspace entry;
};

static int parse_reservation(const json_t *request, struct reservation *ret)
{
    const char *name = json_string_value(json_object_get(request, "name"));
    int r = name && riad_catalog_is_user_name(name) ? 0 : -EINVAL;

    if (r == 0) {
        snprintf(ret->entry.name, sizeof ret->entry.name, "%s", name);
        ret->manager = json_string_value(json_object_get(request, "manager"));
        ret->request = request;
        r = riad_site_get_limit(request, &ret->entry.limit);
    }
    if (r == 0) {
        r = riad_site_get_expiry(request, &ret->entry.expiry);
    }
    ret->entry.kind = RIAD_KIND_PROJECT;
    return r == 0 ? riad_random_id(&ret->entry.id) : r;
}

/* (lock) What an admin does not name is as the default says. */
static int limit_as_asked(const struct riad_site_host *site, struct reservation *reservation)
{
    struct riad_catalog_limit *limit = &reservation->entry.limit;
    int r;

    *limit = site->catalog.default_limit;
    r = riad_site_get_limit(reservation->request, limit);
    if (!json_object_get(reservation->request, "soft")) {
        riad_catalog_lower_soft(limit);
    }
    return r < 0 || riad_catalog_is_limit(limit) ? r : -ERANGE;
}

/* (lock) Users make projects for themselves, as large as the policy says. */
static int admit(const struct riad_site_host *site, struct reservation *reservation)
{
    const struct riad_config *policy = &site->node.config;

    if (reservation->admin) {
        return limit_as_asked(site, reservation);
    }
    if (!policy->users_make_projects || reservation->manager) {
        return -EPERM;
    }
    reservation->entry.limit =
            riad_site_new_limit(site, policy->project_bytes, policy->project_inodes);
    return 0;
}

/* (lock) */
static int reserve(struct riad_site_host *site, struct reservation *reservation)
{
    const struct riad_catalog_user *manager =
            reservation->manager ? riad_catalog_find_user_name(&site->catalog, reservation->manager)
                                 : riad_site_host_user(site, reservation->uid);
    int r = admit(site, reservation);

    if (r == 0 && (!manager || manager->disabled)) {
        r = -ENOENT;
    }
    if (r < 0) {
        return r;
    }
    reservation->entry.owner = manager->id;
    r = riad_catalog_reserve(&site->node.store, &site->keys, &site->catalog, &reservation->entry);
    return r < 0 ? r : riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);
}

static const char *explain_reservation(int error, bool named)
{
    switch (error) {
    case -EPERM:
        return "admins make projects here: ask one";
    case -ENOENT:
        return named ? "the manager is no active user of this site"
                     : "you are no user of this site: name a --manager, or `riad user enroll`";
    case -EEXIST:
        return "the site has a project of that name already";
    case -ERANGE:
        return "its soft limit would be above the hard one: give both, or others";
    default:
        return strerror(-error);
    }
}

json_t *riad_site_reserve_project(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    struct reservation reservation = { .uid = uid, .admin = riad_site_is_admin(site, uid) };
    json_t *failure;
    int r = parse_reservation(request, &reservation);

    if (r < 0) {
        return riad_control_failure(RIAD_EXIT_USAGE,
                "a project has a name of 1 to 64 bytes without spaces or slashes, and limits");
    }
    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    r = reserve(site, &reservation);
    pthread_mutex_unlock(&site->lock);
    if (r < 0) {
        return riad_control_failure(
                riad_exit_of(r), explain_reservation(r, reservation.manager != NULL));
    }
    riad_events_record(&site->node.state, "project-reserved", &site->node.store.binding.store,
            &reservation.entry.id, "by uid %u", uid);
    return json_pack("{s:b, s:o}", "ok", 1, "id",
            riad_control_hex(&reservation.entry.id, sizeof reservation.entry.id));
}

/* --- making --- */

struct making {
    struct riad_id id;
    uint8_t *roster, *wrap;
    size_t roster_size, wrap_size;
};

static void making_done(struct making *making)
{
    free(making->roster);
    free(making->wrap);
}

static int parse_making(const json_t *request, struct making *ret)
{
    const char *id = json_string_value(json_object_get(request, "workspace"));
    int r = id ? riad_hex_decode(id, &ret->id, sizeof ret->id) : -EINVAL;

    r = r < 0 ? r : riad_control_get_bytes(request, "roster", &ret->roster, &ret->roster_size);
    return r < 0 ? r : riad_control_get_bytes(request, "wrap", &ret->wrap, &ret->wrap_size);
}

/* An earlier try was cut short after the roster was there: that one holds, with its wrap. */
static int adopt(const struct riad_site_host *site, const struct riad_id *id,
        const struct riad_catalog_user *user, struct riad_roster *ret)
{
    struct riad_roster roster = { 0 };
    int r = riad_roster_load(&site->node.store, id, &user->sign_key, &roster);

    if (r == 0) {
        riad_roster_done(ret);
        *ret = roster;
    }
    return r;
}

/* (lock) -EEXIST: it is made, but of the files of an earlier try. */
static int publish(struct riad_site_host *site, const struct riad_catalog_user *user,
        const struct making *making)
{
    const struct riad_store *store = &site->node.store;
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    int r = riad_site_check_first(site, RIAD_KIND_PROJECT, &making->id, user, making->roster,
            making->roster_size, making->wrap, making->wrap_size, &roster);
    int present;

    if (r < 0) {
        return r;
    }
    present = adopt(site, &making->id, user, &roster);
    r = present != -ENOENT ? present
                           : riad_roster_publish(store, &making->id, &user->id, making->wrap,
                                     making->wrap_size, making->roster, making->roster_size);
    if (r == 0) {
        r = riad_catalog_set_roster(store, &site->keys, &site->catalog, &making->id, &roster);
    }
    r = r < 0 ? r : riad_mark_catalog(store, &site->node.state, &site->catalog);
    return r < 0 ? r : present == 0 ? -EEXIST : 0;
}

/* (lock) */
static int make(struct riad_site_host *site, uid_t uid, const struct making *making)
{
    const struct riad_catalog_user *found = riad_site_host_user(site, uid);
    const struct riad_catalog_workspace *entry = riad_catalog_find(&site->catalog, &making->id);
    struct riad_catalog_user user;

    if (!found || !entry || entry->deleted || entry->kind != RIAD_KIND_PROJECT ||
            !riad_id_equal(&entry->owner, &found->id)) {
        return -EPERM;
    }
    user = *found; /* the catalog grows meanwhile */
    return entry->roster_entries > 0 ? -EEXIST : publish(site, &user, making);
}

json_t *riad_site_make_project(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    _cleanup_(making_done) struct making making = { 0 };
    json_t *failure;
    int r = parse_making(request, &making);

    if (r < 0) {
        return riad_control_failure(RIAD_EXIT_USAGE, "a project has workspace, roster and wrap");
    }
    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    r = make(site, uid, &making);
    pthread_mutex_unlock(&site->lock);
    if (r < 0) {
        return riad_control_failure(
                riad_exit_of(r), r == -EPERM    ? "no such project is reserved for you"
                                 : r == -EEXIST ? "it was made already: `riad unlock` opens it"
                                                : "the files of the new project are not right");
    }
    riad_events_record(&site->node.state, "project-made", &site->node.store.binding.store,
            &making.id, "uid %u is its manager", uid);
    return json_pack("{s:b}", "ok", 1);
}
