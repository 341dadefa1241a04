/* Changes of a project's members. A manager signs them in her own process; here they are verified,
 * published, and take effect where the project is open: on this node, and nowhere else, as one node
 * owns an open workspace. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"
#include "riad/key_text.h"

#include "control_priv.h"
#include "site_host_priv.h"

/* One request, and what it comes to. */
struct member_change {
    uid_t uid; /* whose it is */
    struct riad_id id;
    struct riad_hash previous; /* the head that the new entries go on from */
    uint8_t *entries;
    size_t entries_size;
    uint8_t *data; /* the new roster */
    size_t size;
    const json_t *wraps;
    struct riad_roster before, after;
    struct riad_member_standing *standings; /* after it */
    size_t standing_count;
};

static void change_done(struct member_change *change)
{
    free(change->entries);
    free(change->data);
    free(change->standings);
    riad_roster_done(&change->before);
    riad_roster_done(&change->after);
}

static int parse_change(const json_t *request, struct member_change *ret)
{
    const char *id = json_string_value(json_object_get(request, "workspace"));
    const char *previous = json_string_value(json_object_get(request, "previous"));
    int r = id && previous ? riad_hex_decode(id, &ret->id, sizeof ret->id) : -EINVAL;

    ret->wraps = json_object_get(request, "wraps");
    r = r < 0 ? r : riad_hex_decode(previous, &ret->previous, sizeof ret->previous);
    return r < 0 ? r
                 : riad_control_get_bytes(request, "entries", &ret->entries, &ret->entries_size);
}

/* --- verifying --- */

static bool is_manager(const struct riad_roster *roster, const struct riad_catalog_user *user)
{
    const struct riad_member *member = user ? riad_roster_find(roster, &user->id) : NULL;

    return member && member->role == RIAD_ROLE_MANAGER && riad_site_is_still(user, member);
}

/* What is there, and the entries that go on from it. */
static int join(struct member_change *change, const uint8_t *data, size_t size)
{
    change->data = malloc(size + change->entries_size + 1);
    if (!change->data) {
        return -ENOMEM;
    }
    memcpy(change->data, data, size);
    memcpy(change->data + size, change->entries, change->entries_size);
    change->size = size + change->entries_size;
    return 0;
}

/* (lock) */
static int read_both(const struct riad_site_host *site, const struct riad_catalog_workspace *entry,
        struct member_change *change)
{
    const struct riad_catalog_user *owner = riad_catalog_find_user(&site->catalog, &entry->owner);
    _cleanup_free_ uint8_t *data = NULL;
    size_t size = 0;
    int r = owner ? riad_site_read_roster(
                            site, entry, &owner->sign_key, &change->before, &data, &size)
                  : -ENOENT;

    if (r < 0) {
        return r;
    }
    if (!is_manager(&change->before, riad_site_host_user(site, change->uid))) {
        return -EPERM;
    }
    if (!riad_hash_equal(&change->previous, &change->before.head)) {
        return -EAGAIN; /* somebody else was faster */
    }
    r = join(change, data, size);
    r = r < 0 ? r
              : riad_roster_parse(&site->node.store.binding, &change->id, &owner->sign_key,
                        change->data, change->size, &change->after);
    return r == 0 && change->after.entries == change->before.entries ? -EBADMSG : r;
}

/* The wrap that was sent along for a user. -EBADMSG: none was. */
static int get_wrap(
        const json_t *wraps, const struct riad_id *user, uint8_t **ret, size_t *ret_size)
{
    const json_t *item;
    size_t i;

    json_array_foreach(wraps, i, item)
    {
        const char *text = json_string_value(json_object_get(item, "user"));
        struct riad_id id;

        if (text && riad_hex_decode(text, &id, sizeof id) == 0 && riad_id_equal(&id, user)) {
            return riad_control_get_bytes(item, "wrap", ret, ret_size);
        }
    }
    return -EBADMSG;
}

/* A member before, with these keys. */
static bool is_known(const struct riad_roster *before, const struct riad_member *member)
{
    const struct riad_member *present = riad_roster_find(before, &member->user);

    return present && memcmp(&present->wrap_key, &member->wrap_key, sizeof member->wrap_key) == 0 &&
           memcmp(&present->sign_key, &member->sign_key, sizeof member->sign_key) == 0;
}

static bool has_new_wrap(const struct riad_roster *before, const struct riad_member *member)
{
    const struct riad_member *present = riad_roster_find(before, &member->user);

    return !present || !riad_hash_equal(&present->wrap_hash, &member->wrap_hash);
}

/* (lock) Whoever is new is a user of the site, with the keys that its nodes signed. */
static bool is_user(const struct riad_site_host *site, const struct riad_member *member)
{
    const struct riad_catalog_user *user = riad_catalog_find_user(&site->catalog, &member->user);

    return user && !user->disabled &&
           memcmp(&user->wrap_key, &member->wrap_key, sizeof user->wrap_key) == 0 &&
           memcmp(&user->sign_key, &member->sign_key, sizeof user->sign_key) == 0;
}

/* (lock) */
static int check_member(const struct riad_site_host *site, const struct member_change *change,
        const struct riad_member *member)
{
    _cleanup_free_ uint8_t *wrap = NULL;
    size_t size = 0;
    int r;

    if (!is_known(&change->before, member) && !is_user(site, member)) {
        return -EBADMSG;
    }
    if (!has_new_wrap(&change->before, member)) {
        return 0;
    }
    r = get_wrap(change->wraps, &member->user, &wrap, &size);
    return r < 0 ? r : riad_roster_check_wrap(member, wrap, size);
}

/* (lock) */
static int verify(struct riad_site_host *site, struct member_change *change)
{
    const struct riad_catalog_workspace *entry = riad_catalog_find(&site->catalog, &change->id);
    int r;

    if (!entry || entry->deleted || entry->kind != RIAD_KIND_PROJECT ||
            entry->roster_entries == 0) {
        return -ENOENT;
    }
    r = read_both(site, entry, change);
    for (size_t i = 0; r == 0 && i < change->after.member_count; i++) {
        r = check_member(site, change, &change->after.members[i]);
    }
    return r;
}

/* --- publishing --- */

/* (lock) Wraps first: a roster never names one that is not there. */
static int publish_wraps(const struct riad_site_host *site, const struct member_change *change)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < change->after.member_count; i++) {
        const struct riad_member *member = &change->after.members[i];
        _cleanup_free_ uint8_t *wrap = NULL;
        size_t size = 0;

        if (!has_new_wrap(&change->before, member)) {
            continue;
        }
        r = get_wrap(change->wraps, &member->user, &wrap, &size);
        if (r == 0) {
            r = riad_roster_publish_wrap(
                    &site->node.store, &change->id, &member->user, change->after.epoch, wrap, size);
        }
    }
    return r;
}

/* (lock) Of those who are no members any more, and all of an epoch that ended: the roster leads
 * back to its key. What cannot be erased says nothing to who has no key. */
static void erase_wraps(const struct riad_site_host *site, const struct member_change *change)
{
    for (size_t i = 0; i < change->before.member_count; i++) {
        const struct riad_member *member = &change->before.members[i];
        int r;

        if (change->after.epoch == change->before.epoch &&
                riad_roster_find(&change->after, &member->user)) {
            continue;
        }
        r = riad_roster_erase_wrap(
                &site->node.store, &change->id, &member->user, change->before.epoch);
        if (r < 0) {
            riad_events_record(&site->node.state, "wrap-kept", &site->node.store.binding.store,
                    &change->id, "the wrap of a former member cannot be removed: %s", strerror(-r));
        }
    }
}

/* (lock) The catalog comes last: from then on the older roster is refused everywhere. */
static int publish(struct riad_site_host *site, struct member_change *change)
{
    const struct riad_store *store = &site->node.store;
    int r = publish_wraps(site, change);

    r = r < 0 ? r : riad_roster_replace(store, &change->id, change->data, change->size);
    r = r < 0 ? r
              : riad_catalog_set_roster(
                        store, &site->keys, &site->catalog, &change->id, &change->after);
    r = r < 0 ? r : riad_mark_catalog(store, &site->node.state, &site->catalog);
    if (r < 0) {
        return r;
    }
    erase_wraps(site, change);
    return riad_site_standings(site, change->after.members, change->after.member_count,
            &change->standings, &change->standing_count);
}

/* --- taking effect --- */

/* What the kernel has of it is forgotten twice: before the lists are brought in step, which takes
 * its time, and after it. */
static int take_effect(struct riad_mount *mount, const struct member_change *change)
{
    uint64_t changed;
    bool less;
    int r = riad_members_set(mount->workspace, change->standings, change->standing_count, &less);

    if (r < 0) {
        return r;
    }
    if (less) {
        riad_session_forget(mount->session, true);
    }
    r = riad_members_apply(mount->workspace, &changed);
    riad_session_forget(mount->session, less);
    return r;
}

/* For who looks at groups later. Without memory it looks at those of before. */
static void remember(struct riad_site_host *site, struct riad_site_mount *own,
        const struct member_change *change)
{
    struct riad_member *copy;

    pthread_mutex_lock(&site->lock);
    if (riad_site_copy_members(&change->after, &copy) == 0) {
        free(own->members);
        own->members = copy;
        own->member_count = change->after.member_count;
    }
    pthread_mutex_unlock(&site->lock);
}

static const char *name_change(const struct riad_member *before, const struct riad_member *after)
{
    return !before ? "member-added" : !after ? "member-removed" : "member-role";
}

static uint32_t uid_of(struct riad_site_host *site, const struct riad_id *user)
{
    const struct riad_catalog_user *found = riad_catalog_find_user(&site->catalog, user);

    return found ? found->uid : UINT32_MAX;
}

/* (lock) One event for each member that is another one now. */
static void record_one(struct riad_site_host *site, const struct member_change *change,
        const struct riad_member *before, const struct riad_member *after)
{
    const struct riad_member *member = before ? before : after;

    if (before && after && before->role == after->role) {
        return;
    }
    riad_events_record(&site->node.state, name_change(before, after),
            &site->node.store.binding.store, &change->id, "uid %u%s%s, by uid %u",
            uid_of(site, &member->user), after ? ": " : "",
            after ? riad_role_name(after->role) : "", change->uid);
}

static void record(struct riad_site_host *site, const struct member_change *change)
{
    const struct riad_roster *before = &change->before, *after = &change->after;

    pthread_mutex_lock(&site->lock);
    for (size_t i = 0; i < before->member_count; i++) {
        const struct riad_member *member = &before->members[i];

        record_one(site, change, member, riad_roster_find(after, &member->user));
    }
    for (size_t i = 0; i < after->member_count; i++) {
        if (!riad_roster_find(before, &after->members[i].user)) {
            record_one(site, change, NULL, &after->members[i]);
        }
    }
    pthread_mutex_unlock(&site->lock);
}

/* --- the request --- */

static const char *explain(int error)
{
    switch (error) {
    case -EPERM:
        return "only a manager of the project can do that";
    case -ENOENT:
        return "the site has no such project";
    case -EAGAIN:
        return "another manager changed the members meanwhile: try again";
    case -ESTALE:
        return "the project's list of members is older than what the site has seen: the store was "
               "rolled back";
    case -EBADMSG:
        return "the entries are not right, or not signed by a manager";
    default:
        return strerror(-error);
    }
}

/* (changing) */
static json_t *change_members(
        struct riad_site_host *site, struct riad_mount *mount, struct member_change *change)
{
    json_t *failure;
    int r;

    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    r = verify(site, change);
    r = r < 0 ? r : publish(site, change);
    pthread_mutex_unlock(&site->lock);
    if (r < 0) {
        return riad_control_failure(riad_exit_of(r), explain(r));
    }
    record(site, change);
    remember(site, mount->site, change);
    r = take_effect(mount, change);
    return r < 0 ? json_pack("{s:b, s:s}", "ok", 1, "warning", strerror(-r))
                 : json_pack("{s:b}", "ok", 1);
}

json_t *riad_site_set_members(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    _cleanup_(change_done) struct member_change change = { .uid = uid };
    struct riad_site_mount *own;
    struct riad_mount *mount;
    json_t *reply;

    if (parse_change(request, &change) < 0) {
        return riad_control_failure(
                RIAD_EXIT_USAGE, "a change of members has workspace, previous, entries and wraps");
    }
    mount = riad_site_hold(site, &change.id);
    if (!mount) {
        return riad_control_failure(RIAD_EXIT_LOCKED,
                "members are changed where the project is open: `riad unlock` it first");
    }
    own = mount->site;
    pthread_mutex_lock(&own->changing);
    reply = change_members(site, mount, &change);
    pthread_mutex_unlock(&own->changing);
    riad_host_unhold(&site->host, mount);
    return reply;
}

/* --- listing --- */

static const char *state_of(const struct riad_catalog_user *user, const struct riad_member *member)
{
    return !user || user->disabled                                             ? "disabled"
           : member->group[0] && !riad_site_in_group(user->uid, member->group) ? "left the group"
                                                                               : "active";
}

static json_t *pack_member(const struct riad_site_host *site, const struct riad_member *member)
{
    const struct riad_catalog_user *user = riad_catalog_find_user(&site->catalog, &member->user);
    char fingerprint[RIAD_FINGERPRINT_SIZE] = "";
    int r = riad_key_fingerprint(&member->sign_key, fingerprint);

    (void)r; /* then there is none to show */
    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:s}", "user", user ? user->name : "", "id",
            riad_control_hex(&member->user, sizeof member->user), "role",
            riad_role_name(member->role), "group", member->group, "fingerprint", fingerprint,
            "state", state_of(user, member));
}

/* (lock) As the roster has them. */
static int pack_members(
        const struct riad_site_host *site, const struct riad_catalog_workspace *entry, json_t *list)
{
    const struct riad_catalog_user *owner = riad_catalog_find_user(&site->catalog, &entry->owner);
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size;
    int r = owner ? riad_site_read_roster(site, entry, &owner->sign_key, &roster, &bytes, &size)
                  : -ENOENT;

    for (size_t i = 0; r == 0 && i < roster.member_count; i++) {
        json_array_append_new(list, pack_member(site, &roster.members[i]));
    }
    return r;
}

/* (lock) Strangers hear the same of a project as of none. */
static const struct riad_catalog_workspace *find_visible(
        const struct riad_site_host *site, uid_t uid, bool admin, const json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "workspace"));
    const struct riad_catalog_workspace *entry = name ? riad_site_find_workspace(site, name) : NULL;
    const struct riad_catalog_user *user = admin ? NULL : riad_site_host_user(site, uid);

    if (!entry || entry->deleted || entry->kind != RIAD_KIND_PROJECT) {
        return NULL;
    }
    return admin || (user && riad_site_is_hers(entry, user)) ? entry : NULL;
}

json_t *riad_site_list_members(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    const struct riad_catalog_workspace *entry;
    bool admin = riad_site_is_admin(site, uid);
    json_t *failure, *list;
    int r;

    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    list = json_array();
    entry = find_visible(site, uid, admin, request);
    r = !entry ? -ENOENT : entry->roster_entries > 0 ? pack_members(site, entry, list) : 0;
    pthread_mutex_unlock(&site->lock);
    if (r < 0) {
        json_decref(list);
        return riad_control_failure(riad_exit_of(r), explain(r));
    }
    return json_pack("{s:b, s:o}", "ok", 1, "members", list);
}
