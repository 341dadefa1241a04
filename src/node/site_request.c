/* What everybody can ask riadd's worker, each for herself; root can ask for all. Files of users and
 * workspaces travel as hexadecimal digits: who opens and signs them is the client, with keys that
 * never come here (K4). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"

#include "control_priv.h"
#include "site_host_priv.h"

typedef json_t *(*answer_function)(struct riad_site_host *site, uid_t uid, const json_t *request);

static json_t *refuse(int code, const char *sentence)
{
    return riad_control_failure(code, sentence);
}

static json_t *pack_binding(const struct riad_site_host *site)
{
    const struct riad_store_binding *binding = &site->node.store.binding;

    return json_pack("{s:o, s:o}", "store",
            riad_control_hex(&binding->store, sizeof binding->store), "json",
            riad_control_hex(&binding->json, sizeof binding->json));
}

/* --- what somebody needs to know before she enrols --- */

static json_t *answer_site(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    char node[RIAD_NODE_NAME_MAX + 1];
    bool enrolled, closed;

    (void)request;
    pthread_mutex_lock(&site->lock);
    memcpy(node, site->node.self.name, sizeof node);
    closed = site->node.config.no_enrol;
    enrolled = riad_catalog_find_uid(&site->catalog, uid) != NULL;
    pthread_mutex_unlock(&site->lock);
    return json_pack("{s:b, s:o, s:s, s:b, s:b}", "ok", 1, "binding", pack_binding(site), "node",
            node, "enrolled", enrolled, "may_enrol", uid == 0 || !closed);
}

/* --- enrolling --- */

/* What somebody sent to become a user, verified. */
struct enrolment {
    uint8_t *user_file, *roster, *wrap;
    size_t user_size, roster_size, wrap_size;
    struct riad_catalog_user user;
    struct riad_catalog_workspace home;
};

static void enrolment_done(struct enrolment *enrolment)
{
    free(enrolment->user_file);
    free(enrolment->roster);
    free(enrolment->wrap);
}

/* Her file: signed by the key that it names, and under the account's name. */
static int check_user(const struct riad_site_host *site, uid_t uid, struct enrolment *enrolment)
{
    const struct riad_store_binding *binding = &site->node.store.binding;
    char name[RIAD_USER_NAME_MAX + 1];
    struct riad_user user;
    gid_t gid;
    int r = riad_site_account(uid, name, &gid);

    if (r == 0) {
        r = riad_user_peek(binding, enrolment->user_file, enrolment->user_size, NULL, &user);
    }
    if (r == 0) {
        r = riad_user_verify(
                binding, enrolment->user_file, enrolment->user_size, &user.sign_key, &user);
    }
    if (r < 0) {
        return r;
    }
    if (strcmp(user.name, name) != 0) {
        return -EPERM;
    }
    enrolment->user = (struct riad_catalog_user){ .id = user.id,
        .uid = uid,
        .generation = user.generation,
        .wrap_key = user.wrap_key,
        .sign_key = user.sign_key };
    memcpy(enrolment->user.name, name, sizeof name);
    return 0;
}

int riad_site_check_first(const struct riad_site_host *site, enum riad_workspace_kind kind,
        const struct riad_id *workspace, const struct riad_catalog_user *user, const void *bytes,
        size_t size, const void *wrap, size_t wrap_size, struct riad_roster *ret)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    const struct riad_member *member;
    int r = riad_roster_parse(
            &site->node.store.binding, workspace, &user->sign_key, bytes, size, &roster);

    if (r < 0) {
        return r;
    }
    member = riad_roster_find(&roster, &user->id);
    if (roster.kind != kind || roster.entries != 1 || !member ||
            memcmp(&member->wrap_key, &user->wrap_key, sizeof user->wrap_key) != 0 ||
            memcmp(&member->sign_key, &user->sign_key, sizeof user->sign_key) != 0) {
        return -EBADMSG;
    }
    r = riad_roster_check_wrap(member, wrap, wrap_size);
    if (r < 0) {
        return r;
    }
    *ret = roster;
    roster = (struct riad_roster){ 0 };
    return 0;
}

static int check_home(const struct riad_site_host *site, struct enrolment *enrolment)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    const struct riad_catalog_user *user = &enrolment->user;
    int r = riad_site_check_first(site, RIAD_KIND_HOME, &enrolment->home.id, user,
            enrolment->roster, enrolment->roster_size, enrolment->wrap, enrolment->wrap_size,
            &roster);

    if (r < 0) {
        return r;
    }
    enrolment->home.kind = RIAD_KIND_HOME;
    enrolment->home.owner = user->id;
    return 0;
}

/* (lock) The catalog's batch comes last: what it does not name is nobody's. */
static int publish(struct riad_site_host *site, const struct enrolment *enrolment)
{
    const struct riad_store *store = &site->node.store;
    int r;

    if (riad_catalog_find_uid(&site->catalog, enrolment->user.uid) ||
            riad_catalog_find_user(&site->catalog, &enrolment->user.id)) {
        return -EEXIST;
    }
    r = riad_user_publish(store, &enrolment->user.id, enrolment->user_file, enrolment->user_size,
            RIAD_PUBLISH_NEW);
    if (r == 0) {
        r = riad_roster_publish(store, &enrolment->home.id, &enrolment->user.id, enrolment->wrap,
                enrolment->wrap_size, enrolment->roster, enrolment->roster_size);
    }
    if (r == 0) {
        r = riad_catalog_enrol(
                store, &site->keys, &site->catalog, &enrolment->user, &enrolment->home);
    }
    return r < 0 ? r : riad_mark_catalog(store, &site->node.state, &site->catalog);
}

/* (lock) The policy of now. */
static bool is_open(const struct riad_site_host *site, struct enrolment *enrolment)
{
    const struct riad_config *policy = &site->node.config;

    enrolment->home.limit = riad_site_new_limit(site, policy->home_bytes, policy->home_inodes);
    return enrolment->user.uid == 0 || !policy->no_enrol;
}

static json_t *enrol(struct riad_site_host *site, struct enrolment *enrolment)
{
    json_t *failure;
    int r;

    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    r = is_open(site, enrolment) ? publish(site, enrolment) : -EPERM;
    pthread_mutex_unlock(&site->lock);
    if (r == -EEXIST) {
        return refuse(RIAD_EXIT_FAILED, "you are a user of this site already, or an account of "
                                        "your name or number was: ask an admin");
    }
    if (r == -EPERM) {
        return refuse(RIAD_EXIT_NOT_PERMITTED,
                "users of this site cannot enrol themselves: ask an admin");
    }
    if (r < 0) {
        return refuse(riad_exit_of(r), strerror(-r));
    }
    riad_events_record(&site->node.state, "user-enrolled", &site->node.store.binding.store,
            &enrolment->home.id, "uid %u", enrolment->user.uid);
    return json_pack("{s:b}", "ok", 1);
}

static json_t *answer_enrol(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    _cleanup_(enrolment_done) struct enrolment enrolment = { 0 };
    const char *home = json_string_value(json_object_get(request, "workspace"));
    int r;

    r = riad_control_get_bytes(request, "user", &enrolment.user_file, &enrolment.user_size);
    r = r < 0 ? r
              : riad_control_get_bytes(
                        request, "roster", &enrolment.roster, &enrolment.roster_size);
    r = r < 0 ? r : riad_control_get_bytes(request, "wrap", &enrolment.wrap, &enrolment.wrap_size);
    if (r < 0 || !home || riad_hex_decode(home, &enrolment.home.id, sizeof enrolment.home.id) < 0) {
        return refuse(RIAD_EXIT_USAGE, "an enrolment has user, workspace, roster and wrap");
    }
    r = check_user(site, uid, &enrolment);
    if (r == 0) {
        r = check_home(site, &enrolment);
    }
    if (r == -ENOENT) {
        return refuse(RIAD_EXIT_NOT_PERMITTED, "you have no account on this machine");
    }
    return r < 0 ? refuse(riad_exit_of(r), "the files of the new user are not right")
                 : enrol(site, &enrolment);
}

/* --- unlocking: what a user needs to open her keys and her workspaces' --- */

/* Her roster and wrap, into the object that says which workspace it is. */
static int pack_keys(struct riad_site_host *site, const struct riad_catalog_user *user,
        const struct riad_catalog_workspace *entry, json_t *object)
{
    const struct riad_catalog_user *owner = riad_catalog_find_user(&site->catalog, &entry->owner);
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    _cleanup_free_ uint8_t *bytes = NULL, *wrap = NULL;
    const struct riad_member *member = NULL;
    size_t size = 0, wrap_size = 0;
    int r = owner ? riad_site_read_roster(site, entry, &owner->sign_key, &roster, &bytes, &size)
                  : -EBADMSG;

    if (r == 0) {
        member = riad_roster_find(&roster, &user->id);
        r = member && riad_site_is_still(user, member)
                    ? riad_roster_read_wrap(&site->node.store, &roster, member, &wrap, &wrap_size)
                    : -ENOKEY;
    }
    if (r < 0) {
        return r;
    }
    json_object_set_new(object, "owner_key", riad_control_hex(&owner->sign_key, 32));
    json_object_set_new(object, "head", riad_control_hex(&roster.head, sizeof roster.head));
    json_object_set_new(object, "roster", riad_control_hex(bytes, size));
    json_object_set_new(object, "wrap", riad_control_hex(wrap, wrap_size));
    return 0;
}

/* A project that nobody has made yet has no keys. NULL: it is not hers any more, as she has left
 * the group that she was a member for. */
static json_t *pack_workspace(struct riad_site_host *site, const struct riad_catalog_user *user,
        const struct riad_catalog_workspace *entry)
{
    bool home = entry->kind == RIAD_KIND_HOME;
    json_t *object =
            json_pack("{s:o, s:s, s:s, s:b}", "id", riad_control_hex(&entry->id, sizeof entry->id),
                    "kind", home ? "home" : "project", "workspace", home ? user->name : entry->name,
                    "reserved", !home && entry->roster_entries == 0);
    int r = home || entry->roster_entries > 0 ? pack_keys(site, user, entry, object) : 0;

    if (r == -ENOKEY) {
        json_decref(object);
        return NULL;
    }
    if (r < 0) {
        json_object_set_new(object, "error", json_string(strerror(-r)));
    }
    return object;
}

/* (lock) */
static json_t *pack_own(struct riad_site_host *site, const struct riad_catalog_user *user)
{
    _cleanup_free_ uint8_t *file = NULL;
    json_t *list = json_array();
    size_t size;
    int r = riad_user_read(&site->node.store, &user->id, &file, &size);

    for (size_t i = 0; r == 0 && i < site->catalog.workspace_count; i++) {
        const struct riad_catalog_workspace *entry = &site->catalog.workspaces[i];
        json_t *object = riad_site_is_hers(entry, user) ? pack_workspace(site, user, entry) : NULL;

        if (object) {
            json_array_append_new(list, object);
        }
    }
    if (r < 0) {
        json_decref(list);
        return refuse(riad_exit_of(r), "your user file cannot be read from the store");
    }
    return json_pack("{s:b, s:o, s:o, s:o, s:o, s:o}", "ok", 1, "binding", pack_binding(site), "id",
            riad_control_hex(&user->id, sizeof user->id), "key",
            riad_control_hex(&user->sign_key, sizeof user->sign_key), "user",
            riad_control_hex(file, size), "workspaces", list);
}

static json_t *answer_own(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    const struct riad_catalog_user *user;
    struct riad_reason reason = { "" };
    int64_t wait = riad_site_try(site, uid);
    json_t *reply;

    (void)request;
    if (wait > 0) {
        snprintf(reason.text, sizeof reason.text, "too many tries in vain: wait for %lld s",
                (long long)(wait + 999) / 1000);
        return refuse(RIAD_EXIT_FAILED, reason.text);
    }
    if (!riad_site_begin(site, &reply)) {
        return reply;
    }
    user = riad_site_host_user(site, uid);
    reply = user ? pack_own(site, user)
                 : refuse(RIAD_EXIT_NOT_PERMITTED,
                           "you are no user of this site, or disabled: `riad user enroll`");
    pthread_mutex_unlock(&site->lock);
    return reply;
}

/* A new passphrase or code: the same keys sign the file. */
static int replace_file(struct riad_site_host *site, uid_t uid, const uint8_t *bytes, size_t size)
{
    const struct riad_catalog_user *known = riad_site_host_user(site, uid);
    struct riad_user user;
    int r = known ? riad_user_verify(
                            &site->node.store.binding, bytes, size, &known->sign_key, &user)
                  : -EPERM;

    if (r < 0) {
        return r;
    }
    if (!riad_id_equal(&user.id, &known->id) || user.generation != known->generation ||
            memcmp(&user.wrap_key, &known->wrap_key, sizeof user.wrap_key) != 0 ||
            strcmp(user.name, known->name) != 0) {
        return -EBADMSG;
    }
    return riad_user_publish(&site->node.store, &known->id, bytes, size, RIAD_PUBLISH_REPLACE);
}

static json_t *answer_replace(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size;
    int r = riad_control_get_bytes(request, "user", &bytes, &size);

    if (r < 0) {
        return refuse(RIAD_EXIT_USAGE, "a change of secrets has user");
    }
    pthread_mutex_lock(&site->lock);
    r = replace_file(site, uid, bytes, size);
    pthread_mutex_unlock(&site->lock);
    if (r < 0) {
        return refuse(riad_exit_of(r), "the changed user file is not right");
    }
    riad_events_record(&site->node.state, "key-changed", &site->node.store.binding.store, NULL,
            "uid %u: a new secret opens the user's keys", uid);
    return json_pack("{s:b}", "ok", 1);
}

/* Who tried in vain says so; that is worth an event, and no more. */
static json_t *answer_failed(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    (void)request;
    riad_events_record(&site->node.state, "unlock-failed", &site->node.store.binding.store, NULL,
            "uid %u: wrong secret", uid);
    return json_pack("{s:b}", "ok", 1);
}

static json_t *answer_workspaces(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    (void)request;
    return riad_site_list_workspaces(site, uid);
}

static json_t *answer_reload(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    json_t *failure;

    (void)uid;
    (void)request;
    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    pthread_mutex_unlock(&site->lock);
    return json_pack("{s:b}", "ok", 1);
}

json_t *riad_site_request(void *context, uid_t uid, const char *operation, const json_t *request)
{
    static const struct {
        const char *operation;
        answer_function answer;
    } table[] = {
        { "site", answer_site },
        { "enrol", answer_enrol },
        { "own", answer_own },
        { "replace-user", answer_replace },
        { "unlock-failed", answer_failed },
        { "users", riad_site_list_users },
        { "group-users", riad_site_list_group },
        { "set-user", riad_site_set_user },
        { "workspaces", answer_workspaces },
        { "set-limit", riad_site_set_limits },
        { "set-limits", riad_site_set_limits },
        { "quota", riad_site_report },
        { "set-expiry", riad_site_set_expiry },
        { "set-subjects", riad_site_set_subjects },
        { "subjects", riad_site_list_subjects },
        { "reserve-project", riad_site_reserve_project },
        { "make-project", riad_site_make_project },
        { "events", riad_site_list_events },
        { "delete-workspace", riad_site_delete_workspace },
        { "members", riad_site_list_members },
        { "set-members", riad_site_set_members },
        { "reload", answer_reload },
    };
    struct riad_site_host *site = context;

    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        if (strcmp(table[i].operation, operation) == 0) {
            return table[i].answer(site, uid, request);
        }
    }
    return riad_host_request(&site->host, uid, operation, request);
}
