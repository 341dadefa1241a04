/* Usage and limits of a site's workspaces, for reports: of those that are open as it is now, of the
 * others as it was when they were open here last. One pass over the catalog, with lookups that do
 * not grow with it. */
#include <stdlib.h>
#include <time.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "control_priv.h"
#include "site_host_priv.h"

/* What a report is made of. */
struct report {
    struct riad_site_host *site;
    struct riad_usage_list open, remembered;
};

static void report_done(struct report *report)
{
    riad_usage_done(&report->open);
    riad_usage_done(&report->remembered);
}

/* The site's lock is not held: the local disk, and open workspaces, are asked. What cannot be read
 * is as if it were forgotten. */
static int prepare(struct riad_site_host *site, struct report *ret)
{
    int r = riad_host_measure(&site->host, &ret->open);

    ret->site = site;
    if (r == 0) {
        r = riad_usage_read(&site->node.state, &ret->remembered);
        r = r == -ENOMEM ? r : 0;
    }
    return r;
}

static json_t *pack_soft(
        const struct riad_catalog_limit *limit, const struct riad_usage_entry *usage)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "bytes_limit", (json_int_t)limit->bytes_soft,
            "bytes_grace_seconds", (json_int_t)limit->grace_bytes, "bytes_over_since",
            (json_int_t)(usage ? usage->bytes_over_since : 0), "inodes_limit",
            (json_int_t)limit->inodes_soft, "inodes_grace_seconds", (json_int_t)limit->grace_inodes,
            "inodes_over_since", (json_int_t)(usage ? usage->inodes_over_since : 0));
}

static json_t *pack_usage(const struct riad_usage_entry *usage)
{
    return usage ? json_pack("{s:I, s:I, s:I}", "bytes_used", (json_int_t)usage->bytes,
                           "inodes_used", (json_int_t)usage->inodes, "as_of",
                           (json_int_t)usage->when)
                 : json_pack("{s:n, s:n, s:n}", "bytes_used", "inodes_used", "as_of");
}

/* (lock) */
static json_t *pack(const struct report *report, const struct riad_catalog_workspace *entry)
{
    const struct riad_id *store = &report->site->node.store.binding.store;
    const struct riad_catalog_user *owner =
            riad_catalog_find_user(&report->site->catalog, &entry->owner);
    const struct riad_usage_entry *open = riad_usage_find(&report->open, store, &entry->id);
    const struct riad_usage_entry *usage =
            open ? open : riad_usage_find(&report->remembered, store, &entry->id);
    const char *whose = owner ? owner->name : "";
    bool home = entry->kind == RIAD_KIND_HOME;
    json_t *object = pack_usage(usage);

    json_object_update_new(object,
            json_pack("{s:s, s:o, s:s, s:s, s:b, s:I, s:I, s:o}", "workspace",
                    home ? whose : entry->name, "id",
                    riad_control_hex(&entry->id, sizeof entry->id), "kind",
                    home ? "home" : "project", "owner", whose, "open", open != NULL, "bytes_limit",
                    (json_int_t)entry->limit.bytes_hard, "inodes_limit",
                    (json_int_t)entry->limit.inodes_hard, "soft", pack_soft(&entry->limit, usage)));
    return object;
}

/* (lock) */
static json_t *pack_all(const struct report *report, bool all, uid_t uid)
{
    const struct riad_catalog *catalog = &report->site->catalog;
    const struct riad_catalog_user *user = all ? NULL : riad_site_host_user(report->site, uid);
    json_t *list = json_array();

    for (size_t i = 0; (all || user) && i < catalog->workspace_count; i++) {
        const struct riad_catalog_workspace *entry = &catalog->workspaces[i];

        if (!entry->deleted && (all || riad_site_is_hers(entry, user))) {
            json_array_append_new(list, pack(report, entry));
        }
    }
    return json_pack("{s:b, s:s, s:o, s:o}", "ok", 1, "store", report->site->node.config.store,
            "default",
            json_pack("{s:I, s:I, s:o}", "bytes_limit",
                    (json_int_t)catalog->default_limit.bytes_hard, "inodes_limit",
                    (json_int_t)catalog->default_limit.inodes_hard, "soft",
                    pack_soft(&catalog->default_limit, NULL)),
            "workspaces", list);
}

json_t *riad_site_report(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    _cleanup_(report_done) struct report report = { 0 };
    bool all = !json_is_true(json_object_get(request, "mine")) && riad_site_is_admin(site, uid);
    json_t *reply;

    if (prepare(site, &report) < 0) {
        return riad_control_failure(RIAD_EXIT_FAILED, "no memory");
    }
    if (!riad_site_begin(site, &reply)) {
        return reply;
    }
    reply = pack_all(&report, all, uid);
    pthread_mutex_unlock(&site->lock);
    return reply;
}
