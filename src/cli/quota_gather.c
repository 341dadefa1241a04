/* What reports are about: workspaces of a site, of a store, or what is mounted. Each becomes an
 * item as riadd's `quota` has it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "riad/cleanup.h"
#include "riad/usage.h"
#include "riad/workspace.h"

#include "quota.h"

/* Of new workspaces: what heads a report. */
static void set_grace(struct quota_rows *rows, uint64_t bytes, uint64_t inodes)
{
    rows->grace[0] = bytes > 0 ? bytes : RIAD_GRACE_SECONDS;
    rows->grace[1] = inodes > 0 ? inodes : RIAD_GRACE_SECONDS;
}

int gather_site(const struct options *options, bool mine, struct quota_rows *ret)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    const json_t *soft;
    json_t *reply;
    int code = open_site(options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = ask_site(&client, "quota", json_pack("{s:b}", "mine", (int)mine), &reply);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    soft = json_object_get(json_object_get(reply, "default"), "soft");
    set_grace(ret, json_number(soft, "bytes_grace_seconds"),
            json_number(soft, "inodes_grace_seconds"));
    ret->store = strdup(json_text(reply, "store"));
    code = make_rows(json_incref(json_object_get(reply, "workspaces")), ret);
    json_decref(reply);
    return code;
}

/* Passes on what a mount tells that an item has. */
static json_t *item_of(const json_t *mount)
{
    static const char *const keys[] = { "workspace", "id", "bytes_used", "bytes_limit",
        "inodes_used", "inodes_limit", "soft" };
    json_t *item = json_pack("{s:b, s:I}", "open", 1, "as_of", (json_int_t)time(NULL));

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        json_t *value = json_object_get(mount, keys[i]);

        json_object_set(item, keys[i], value ? value : json_null());
    }
    return item;
}

/* Where all are of one store, it heads the report. */
static int gather(const json_t *mounts, const json_t *only, struct quota_rows *ret)
{
    json_t *list = json_array(), *mount;
    const char *store = NULL;
    bool several = false;
    size_t i;

    json_array_foreach(mounts, i, mount)
    {
        const char *of = json_text(mount, "store");

        if (only && mount != only) {
            continue;
        }
        several = several || (store && strcmp(store, of) != 0);
        store = of;
        json_array_append_new(list, item_of(mount));
    }
    ret->store = store && !several ? strdup(store) : NULL;
    set_grace(ret, 0, 0);
    return make_rows(list, ret);
}

int gather_mounts(const json_t *mounts, struct quota_rows *ret)
{
    return gather(mounts, NULL, ret);
}

int gather_mount(const json_t *mounts, const json_t *mount, struct quota_rows *ret)
{
    return gather(mounts, mount, ret);
}

/* --- a store --- */

static json_t *find_id(const json_t *mounts, const char *id)
{
    json_t *mount;
    size_t i;

    json_array_foreach(mounts, i, mount)
    {
        if (strcmp(json_text(mount, "id"), id) == 0) {
            return mount;
        }
    }
    return NULL;
}

/* Of one that is not mounted: the limits of the catalog, and what was remembered. */
static json_t *item_of_entry(const struct named_workspace *workspace, const char *id,
        const struct riad_usage_entry *usage)
{
    const struct riad_catalog_limit *limit = &workspace->entry->limit;
    json_t *soft = json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "bytes_limit",
            (json_int_t)limit->bytes_soft, "bytes_grace_seconds", (json_int_t)limit->grace_bytes,
            "bytes_over_since", (json_int_t)(usage ? usage->bytes_over_since : 0), "inodes_limit",
            (json_int_t)limit->inodes_soft, "inodes_grace_seconds", (json_int_t)limit->grace_inodes,
            "inodes_over_since", (json_int_t)(usage ? usage->inodes_over_since : 0));
    json_t *item = json_pack("{s:s, s:s, s:b, s:n, s:n, s:n, s:I, s:I, s:o}", "workspace",
            workspace->name[0] ? workspace->name : "(damaged)", "id", id, "open", 0, "as_of",
            "bytes_used", "inodes_used", "bytes_limit", (json_int_t)limit->bytes_hard,
            "inodes_limit", (json_int_t)limit->inodes_hard, "soft", soft);

    if (usage) {
        json_object_set_new(item, "as_of", json_integer((json_int_t)usage->when));
        json_object_set_new(item, "bytes_used", json_integer((json_int_t)usage->bytes));
        json_object_set_new(item, "inodes_used", json_integer((json_int_t)usage->inodes));
    }
    return item;
}

/* What is known of a store's workspaces besides the catalog. */
struct knowledge {
    const struct session *session;
    json_t *mounts;
    struct riad_usage_list remembered;
};

static void knowledge_done(struct knowledge *knowledge)
{
    json_decref(knowledge->mounts);
    riad_usage_done(&knowledge->remembered);
}

static int learn(const struct session *session, struct knowledge *ret)
{
    int r = list_mounts(&session->state, &ret->mounts);

    ret->session = session;
    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot list the mounts: %s", strerror(-r));
    }
    r = riad_usage_read(&session->state, &ret->remembered);
    if (r < 0) {
        fail(0, "what was used when workspaces were open is not known: %s/usage: %s",
                session->state.path, r == -EBADMSG ? "is damaged" : strerror(-r));
    }
    return RIAD_EXIT_DONE;
}

static json_t *describe(const struct knowledge *knowledge, const struct named_workspace *workspace)
{
    const struct riad_id *id = &workspace->entry->id;
    char hex[2 * sizeof *id + 1];
    const json_t *mount;

    riad_hex_encode(id, sizeof *id, hex);
    mount = find_id(knowledge->mounts, hex);
    return mount ? item_of(mount)
                 : item_of_entry(workspace, hex,
                           riad_usage_find(&knowledge->remembered,
                                   &knowledge->session->unlocked.store.binding.store, id));
}

static int gather_named(struct session *session, const char *only, struct quota_rows *ret)
{
    _cleanup_(knowledge_done) struct knowledge knowledge = { 0 };
    _cleanup_free_ struct named_workspace *named = NULL;
    const struct riad_catalog_limit *standard = &session->unlocked.catalog.default_limit;
    json_t *list = json_array();
    size_t count = 0;
    int code = learn(session, &knowledge);

    if (code == RIAD_EXIT_DONE && list_named(session, &named, &count) < 0) {
        code = fail(RIAD_EXIT_FAILED, "no memory");
    }
    for (size_t i = 0; i < count; i++) {
        if (!only || strcmp(named[i].name, only) == 0) {
            json_array_append_new(list, describe(&knowledge, &named[i]));
        }
    }
    if (code != RIAD_EXIT_DONE) {
        json_decref(list);
        return code;
    }
    ret->store = strdup(session->store);
    set_grace(ret, standard->grace_bytes, standard->grace_inodes);
    return make_rows(list, ret);
}

int gather_store(
        const struct options *options, const char *store, const char *only, struct quota_rows *ret)
{
    _cleanup_session_ struct session session = { 0 };
    const struct riad_catalog_workspace *entry;
    int code = open_session(options, store, &session);

    if (code == RIAD_EXIT_DONE && only) {
        code = find_workspace(&session, only, &entry); /* says why not */
    }
    return code == RIAD_EXIT_DONE ? gather_named(&session, only, ret) : code;
}
