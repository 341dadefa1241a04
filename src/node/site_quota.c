/* Admins set limits at a site: of workspaces, one or thousands, and what new ones get. No key is
 * needed for any of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"

#include "control_priv.h"
#include "site_host_priv.h"

static int get_count(const json_t *request, const char *name, uint64_t most, uint64_t *ret)
{
    const json_t *value = json_object_get(request, name);

    if (!value) {
        return 0;
    }
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            (uint64_t)json_integer_value(value) > most) {
        return -EINVAL;
    }
    *ret = (uint64_t)json_integer_value(value);
    return 0;
}

static int get_grace(const json_t *soft, const char *name, uint32_t *ret)
{
    uint64_t grace = *ret;
    int r = get_count(soft, name, UINT32_MAX, &grace);

    *ret = (uint32_t)grace;
    return r;
}

int riad_site_get_limit(const json_t *request, struct riad_catalog_limit *limit)
{
    const json_t *soft = json_object_get(request, "soft");
    int r = soft && !json_is_object(soft) ? -EINVAL : 0;

    r = r < 0 ? r : get_count(request, "bytes_limit", UINT64_MAX, &limit->bytes_hard);
    r = r < 0 ? r : get_count(request, "inodes_limit", UINT64_MAX, &limit->inodes_hard);
    r = r < 0 ? r : get_count(soft, "bytes_limit", UINT64_MAX, &limit->bytes_soft);
    r = r < 0 ? r : get_count(soft, "inodes_limit", UINT64_MAX, &limit->inodes_soft);
    r = r < 0 ? r : get_grace(soft, "bytes_grace_seconds", &limit->grace_bytes);
    return r < 0 ? r : get_grace(soft, "inodes_grace_seconds", &limit->grace_inodes);
}

struct riad_catalog_limit riad_site_new_limit(
        const struct riad_site_host *site, uint64_t bytes, uint64_t inodes)
{
    struct riad_catalog_limit limit = site->catalog.default_limit;

    limit.bytes_hard = bytes > 0 ? bytes : limit.bytes_hard;
    limit.inodes_hard = inodes > 0 ? inodes : limit.inodes_hard;
    riad_catalog_lower_soft(&limit);
    return limit;
}

/* What is asked for: a list of items, or the request is the only one. */
struct wishes {
    const json_t *list; /* NULL: the request */
    const json_t *request;
    size_t count;
    bool check; /* nothing is set */
    struct riad_catalog_limit_setting *settings;
};

static const json_t *wish(const struct wishes *wishes, size_t number)
{
    return wishes->list ? json_array_get(wishes->list, number) : wishes->request;
}

static json_t *refuse(const struct wishes *wishes, size_t number, int code, const char *sentence)
{
    json_t *failure = riad_control_failure(code, sentence);

    if (failure && wishes->list) {
        json_object_set_new(failure, "number", json_integer((json_int_t)number));
    }
    return failure;
}

/* (lock) Of one; NULL: it can be set. */
static json_t *find_one(const struct riad_site_names *names, struct wishes *wishes, size_t number)
{
    const json_t *item = wish(wishes, number);
    const char *name = json_string_value(json_object_get(item, "workspace"));
    const struct riad_catalog_workspace *found = name ? riad_site_named(names, name) : NULL;
    struct riad_catalog_limit_setting *setting = &wishes->settings[number];
    char sentence[256];

    if (!name) {
        return refuse(wishes, number, RIAD_EXIT_USAGE,
                "a limit has workspace, and bytes_limit, inodes_limit or soft");
    }
    if (!found) {
        snprintf(sentence, sizeof sentence,
                "the site has no workspace `%.100s`: `riad workspace list` shows them", name);
        return refuse(wishes, number, RIAD_EXIT_FAILED, sentence);
    }
    *setting = (struct riad_catalog_limit_setting){ found->id, found->limit };
    if (riad_site_get_limit(item, &setting->limit) < 0) {
        return refuse(wishes, number, RIAD_EXIT_USAGE, "a limit is a count, of bytes or inodes");
    }
    if (!riad_catalog_is_limit(&setting->limit)) {
        snprintf(sentence, sizeof sentence,
                "`%.100s`: the soft limit would be above the hard one: give both, or others", name);
        return refuse(wishes, number, RIAD_EXIT_USAGE, sentence);
    }
    return NULL;
}

/* (lock) All, before any is set. NULL: all can be. */
static json_t *find_all(struct riad_site_host *site, struct wishes *wishes)
{
    _cleanup_(riad_site_names_done) struct riad_site_names names = { 0 };
    json_t *failure = NULL;

    if (riad_site_list_names(site, &names) < 0) {
        return riad_control_failure(RIAD_EXIT_FAILED, "no memory");
    }
    for (size_t i = 0; !failure && i < wishes->count; i++) {
        failure = find_one(&names, wishes, i);
    }
    return failure;
}

/* (lock) */
static int take_over(struct riad_site_host *site)
{
    int r = riad_mark_catalog(&site->node.store, &site->node.state, &site->catalog);

    if (r == 0) {
        riad_host_apply_catalog(&site->host, &site->catalog);
    }
    return r;
}

static void show(const struct riad_catalog_limit *limit, uid_t uid, char ret[RIAD_EVENT_TEXT_MAX])
{
    snprintf(ret, RIAD_EVENT_TEXT_MAX,
            "bytes: %llu, inodes: %llu, soft: %llu, %llu (0: none), grace: %u s, %u s (0: 7 days), "
            "by uid %u",
            (unsigned long long)limit->bytes_hard, (unsigned long long)limit->inodes_hard,
            (unsigned long long)limit->bytes_soft, (unsigned long long)limit->inodes_soft,
            limit->grace_bytes, limit->grace_inodes, uid);
}

/* An event each. */
static void record(const struct riad_site_host *site, const struct wishes *wishes, uid_t uid)
{
    _cleanup_free_ struct riad_event *events = calloc(wishes->count + 1, sizeof *events);
    _cleanup_free_ char(*texts)[RIAD_EVENT_TEXT_MAX] = calloc(wishes->count + 1, sizeof *texts);

    if (!events || !texts) {
        return;
    }
    for (size_t i = 0; i < wishes->count; i++) {
        const struct riad_catalog_limit_setting *setting = &wishes->settings[i];

        show(&setting->limit, uid, texts[i]);
        events[i] = (struct riad_event){ "limit-set", &site->node.store.binding.store,
            &setting->workspace, texts[i] };
    }
    riad_events_record_all(&site->node.state, events, wishes->count);
}

/* (lock) NULL: it is done. */
static json_t *set(struct riad_site_host *site, struct wishes *wishes)
{
    json_t *failure = find_all(site, wishes);
    int r;

    if (failure || wishes->check) {
        return failure;
    }
    r = riad_catalog_set_limits(
            &site->node.store, &site->keys, &site->catalog, wishes->settings, wishes->count);
    r = r < 0 ? r : take_over(site);
    return r < 0 ? riad_control_failure(riad_exit_of(r), strerror(-r)) : NULL;
}

static json_t *set_wishes(struct riad_site_host *site, uid_t uid, struct wishes *wishes)
{
    json_t *failure;

    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    failure = set(site, wishes);
    pthread_mutex_unlock(&site->lock);
    if (failure) {
        return failure;
    }
    if (!wishes->check) {
        record(site, wishes, uid);
    }
    return json_pack("{s:b}", "ok", 1);
}

/* (lock) Of what will be made. */
static int set_default(
        struct riad_site_host *site, const json_t *request, struct riad_catalog_limit *ret)
{
    struct riad_catalog_limit limit = site->catalog.default_limit;
    int r = riad_site_get_limit(request, &limit);

    if (r == 0) {
        r = riad_catalog_set_default_limit(&site->node.store, &site->keys, &site->catalog, &limit);
    }
    if (r < 0) {
        return r;
    }
    *ret = limit;
    return take_over(site);
}

static json_t *set_default_limit(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    char text[RIAD_EVENT_TEXT_MAX];
    struct riad_catalog_limit limit;
    json_t *failure;
    int r;

    if (!riad_site_begin(site, &failure)) {
        return failure;
    }
    r = set_default(site, request, &limit);
    pthread_mutex_unlock(&site->lock);
    if (r < 0) {
        return riad_control_failure(r == -EINVAL ? RIAD_EXIT_USAGE : riad_exit_of(r),
                r == -EINVAL ? "the default: its soft limit would be above the hard one, or one is "
                               "no count"
                             : strerror(-r));
    }
    show(&limit, uid, text);
    riad_events_record(&site->node.state, "limit-set", &site->node.store.binding.store, NULL,
            "of new workspaces: %s", text);
    return json_pack("{s:b}", "ok", 1);
}

json_t *riad_site_set_limits(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    const json_t *list = json_object_get(request, "limits");
    struct wishes wishes = { .list = list,
        .request = request,
        .count = list ? json_array_size(list) : 1,
        .check = json_is_true(json_object_get(request, "check")) };
    json_t *reply;

    if (!riad_site_is_admin(site, uid)) {
        return riad_control_failure(RIAD_EXIT_NOT_PERMITTED, "only admins set limits at a site");
    }
    if (list && !json_is_array(list)) {
        return riad_control_failure(RIAD_EXIT_USAGE, "limits is a list");
    }
    if (json_is_true(json_object_get(request, "default"))) {
        return set_default_limit(site, uid, request);
    }
    wishes.settings = calloc(wishes.count + 1, sizeof *wishes.settings);
    reply = wishes.settings ? set_wishes(site, uid, &wishes) : NULL;
    free(wishes.settings);
    return reply;
}
