/* Limits of users and groups, as admins set and everybody sees them. */
#include <stdio.h>
#include <string.h>

#include "riad/error.h"
#include "riad/events.h"
#include "riad/grants.h"

#include "control_priv.h"
#include "site_host_priv.h"

enum { SUBJECTS_MAX = 4096 }; /* of one request */

static bool get_number(const json_t *object, const char *key, uint64_t most, uint64_t *ret)
{
    const json_t *value = json_object_get(object, key);

    if (!value) {
        return true;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            (uint64_t)json_integer_value(value) > most) {
        return false;
    }
    *ret = (uint64_t)json_integer_value(value);
    return true;
}

/* (lock) What is not named stays. -EINVAL. */
static int take(const struct riad_site_host *site, enum riad_catalog_subject_kind kind,
        const json_t *item, struct riad_catalog_subject *ret)
{
    const struct riad_catalog_subject *present;
    uint64_t id = UINT64_MAX;

    if (!get_number(item, "id", UINT32_MAX - 1, &id) || id == UINT64_MAX) {
        return -EINVAL;
    }
    present = riad_catalog_find_subject(&site->catalog, kind, (uint32_t)id);
    *ret = (struct riad_catalog_subject){ .kind = kind, .id = (uint32_t)id };
    if (present) {
        ret->limit = present->limit;
    }
    return riad_site_get_limit(item, &ret->limit);
}

/* (lock) */
static int set(struct riad_site_host *site, enum riad_catalog_subject_kind kind, const json_t *list)
{
    size_t count = json_array_size(list);
    struct riad_catalog_subject *subjects = calloc(count + 1, sizeof *subjects);
    int r = subjects ? 0 : -ENOMEM;

    for (size_t i = 0; i < count && r == 0; i++) {
        r = take(site, kind, json_array_get(list, i), &subjects[i]);
    }
    if (r == 0) {
        r = riad_catalog_set_subjects(
                &site->node.store, &site->keys, &site->catalog, subjects, count);
    }
    if (r == 0) {
        r = riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);
    }
    if (r == 0) {
        site->shares_applied = site->catalog.subject_changes;
        riad_site_follow_all_grants(site);
    }
    free(subjects);
    return r;
}

/* 0: neither. */
static enum riad_catalog_subject_kind kind_of(const json_t *request)
{
    const char *kind = json_string_value(json_object_get(request, "kind"));

    return !kind                        ? 0
           : strcmp(kind, "user") == 0  ? RIAD_CATALOG_USER
           : strcmp(kind, "group") == 0 ? RIAD_CATALOG_GROUP
                                        : 0;
}

static void record(struct riad_site_host *site, const char *kind, const json_t *list, uid_t uid)
{
    const struct riad_id *store = &site->node.store.binding.store;
    const json_t *item;
    size_t i;

    if (json_array_size(list) > 16) {
        riad_events_record(&site->node.state, "limit-set", store, NULL, "of %zu %ss, by uid %u",
                json_array_size(list), kind, uid);
        return;
    }
    json_array_foreach(list, i, item)
    {
        const struct riad_catalog_subject *now = riad_catalog_find_subject(&site->catalog,
                strcmp(kind, "user") == 0 ? RIAD_CATALOG_USER : RIAD_CATALOG_GROUP,
                (uint32_t)json_integer_value(json_object_get(item, "id")));

        riad_events_record(&site->node.state, "limit-set", store, NULL,
                "of %s %lld: bytes: %llu, inodes: %llu (0: none), by uid %u", kind,
                (long long)json_integer_value(json_object_get(item, "id")),
                now ? (unsigned long long)now->limit.bytes_hard : 0,
                now ? (unsigned long long)now->limit.inodes_hard : 0, uid);
    }
}

json_t *riad_site_set_subjects(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    const json_t *list = json_object_get(request, "subjects");
    enum riad_catalog_subject_kind kind = kind_of(request);
    json_t *failure;
    int r;

    if (!riad_site_is_admin(site, uid)) {
        return riad_control_failure(RIAD_EXIT_NOT_PERMITTED, "only admins set limits at a site");
    }
    if (kind == 0 || json_array_size(list) == 0 || json_array_size(list) > SUBJECTS_MAX) {
        return riad_control_failure(RIAD_EXIT_USAGE,
                "limits have kind (user, group), and subjects: each an id, and what is set");
    }
    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    r = set(site, kind, list);
    if (r == 0) {
        record(site, json_string_value(json_object_get(request, "kind")), list, uid);
    }
    pthread_mutex_unlock(&site->lock);
    return r == 0 ? json_pack("{s:b}", "ok", 1)
                  : riad_control_failure(r == -EINVAL ? RIAD_EXIT_USAGE : riad_exit_of(r),
                            r == -EINVAL ? "a limit is no number, or soft above hard"
                                         : strerror(-r));
}

/* --- what there is --- */

/* What one uses: in the workspaces that are open here what is there, in the others what is granted:
 * what is locked was granted what it uses. */
struct tally {
    json_t *list; /* an object by id, of those with a limit or anything used */
};

static json_t *item_of(struct tally *tally, uint32_t id)
{
    char key[16];
    json_t *item;

    snprintf(key, sizeof key, "%u", id);
    item = json_object_get(tally->list, key);
    if (!item) {
        item = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:{}}", "id", (json_int_t)id,
                "bytes_used", (json_int_t)0, "inodes_used", (json_int_t)0, "bytes_elsewhere",
                (json_int_t)0, "inodes_elsewhere", (json_int_t)0, "bytes_limit", (json_int_t)0,
                "inodes_limit", (json_int_t)0, "soft");
        json_object_set_new(tally->list, key, item);
    }
    return item;
}

static void plus(json_t *item, const char *key, uint64_t more)
{
    json_object_set_new(item, key,
            json_integer(json_integer_value(json_object_get(item, key)) + (json_int_t)more));
}

static int add_owner(void *context, const struct riad_owner *owner)
{
    json_t *item = item_of(context, owner->id);

    plus(item, "bytes_used", owner->usage.blocks * RIAD_BLOCK_SIZE);
    plus(item, "inodes_used", owner->usage.inodes);
    return 0;
}

static void add_open(
        struct riad_site_host *site, enum riad_catalog_subject_kind kind, struct tally *tally)
{
    struct riad_host *host = &site->host;

    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];
        int r;

        if (riad_host_hold(host, mount)) {
            r = riad_workspace_owners(mount->workspace, (enum riad_subject)kind, add_owner, tally);
            (void)r; /* what cannot be read now is not in the sum */
            riad_host_unhold(host, mount);
        }
    }
}

/* (lock) */
static void add_limit(
        struct riad_site_host *site, const struct riad_catalog_subject *subject, json_t *item)
{
    const struct riad_catalog_limit *limit = &subject->limit;

    json_object_set_new(item, "bytes_limit", json_integer((json_int_t)limit->bytes_hard));
    json_object_set_new(item, "inodes_limit", json_integer((json_int_t)limit->inodes_hard));
    json_object_set_new(item, "soft",
            json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "bytes_limit",
                    (json_int_t)limit->bytes_soft, "bytes_grace_seconds",
                    (json_int_t)limit->grace_bytes, "bytes_over_since",
                    (json_int_t)subject->clock.bytes_over_since, "inodes_limit",
                    (json_int_t)limit->inodes_soft, "inodes_grace_seconds",
                    (json_int_t)limit->grace_inodes, "inodes_over_since",
                    (json_int_t)subject->clock.inodes_over_since));
    for (size_t i = 0; i < subject->grant_count; i++) {
        struct riad_mount *mount = riad_site_hold(site, &subject->grants[i].workspace);

        if (mount) {
            riad_host_unhold(&site->host, mount);
        } else {
            plus(item, "bytes_elsewhere", subject->grants[i].bytes);
            plus(item, "bytes_used", subject->grants[i].bytes);
            plus(item, "inodes_elsewhere", subject->grants[i].inodes);
            plus(item, "inodes_used", subject->grants[i].inodes);
        }
    }
}

/* Of admins all, else one's own. */
static json_t *select_items(const struct tally *tally, bool all, uint32_t id)
{
    json_t *list = json_array(), *item;
    const char *key;

    json_object_foreach(tally->list, key, item)
    {
        if (all || json_integer_value(json_object_get(item, "id")) == (json_int_t)id) {
            json_array_append(list, item);
        }
    }
    return list;
}

json_t *riad_site_list_subjects(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    enum riad_catalog_subject_kind kind = kind_of(request);
    struct tally tally = { json_object() };
    bool all = riad_site_is_admin(site, uid);
    json_t *failure = NULL, *list;

    if (kind == 0 || !tally.list || (kind == RIAD_CATALOG_GROUP && !all)) {
        json_decref(tally.list);
        return kind == 0 ? riad_control_failure(RIAD_EXIT_USAGE, "kind is user or group")
                         : riad_control_failure(RIAD_EXIT_NOT_PERMITTED, "groups are for admins");
    }
    if (!riad_site_begin(site, &failure)) {
        json_decref(tally.list);
        return failure;
    }
    add_open(site, kind, &tally);
    for (size_t i = 0; i < site->catalog.subject_count; i++) {
        const struct riad_catalog_subject *subject = &site->catalog.subjects[i];

        if (subject->kind == kind) {
            add_limit(site, subject, item_of(&tally, subject->id));
        }
    }
    pthread_mutex_unlock(&site->lock);
    list = select_items(&tally, all, uid);
    json_decref(tally.list);
    return json_pack("{s:b, s:o}", "ok", 1, "subjects", list);
}
