/* What of the trail a user of the site may see: what happened to her workspaces, and to her. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/events.h"

#include "control_priv.h"
#include "site_host_priv.h"

enum { EVENTS_MAX = 20000 /* the newest */, ID_SIZE = 2 * sizeof(struct riad_id) + 1 };

struct selection {
    bool all;
    char subject[24];     /* "uid 1000" */
    char (*ids)[ID_SIZE]; /* of her workspaces */
    size_t count;
    json_t *list;
    uint64_t broken;
};

/* (lock) */
static int take_ids(const struct riad_site_host *site, const struct riad_catalog_user *user,
        struct selection *selection)
{
    const struct riad_catalog *catalog = &site->catalog;

    selection->ids = calloc(catalog->workspace_count + 1, sizeof *selection->ids);
    if (!selection->ids) {
        return -ENOMEM;
    }
    for (size_t i = 0; user && i < catalog->workspace_count; i++) {
        const struct riad_catalog_workspace *entry = &catalog->workspaces[i];

        if (riad_site_is_hers(entry, user)) {
            riad_hex_encode(&entry->id, sizeof entry->id, selection->ids[selection->count++]);
        }
    }
    return 0;
}

/* Texts are riad's own, and name people by uid. */
static bool names(const char *text, const char *subject)
{
    size_t size = strlen(subject);

    for (const char *found = strstr(text, subject); found; found = strstr(found + 1, subject)) {
        if (found[size] < '0' || found[size] > '9') {
            return true;
        }
    }
    return false;
}

static bool is_hers(const struct selection *selection, const json_t *object)
{
    const char *workspace = json_string_value(json_object_get(object, "workspace"));
    const char *text = json_string_value(json_object_get(object, "text"));

    for (size_t i = 0; workspace && i < selection->count; i++) {
        if (strcmp(workspace, selection->ids[i]) == 0) {
            return true;
        }
    }
    return text && names(text, selection->subject);
}

static int keep_newest(struct selection *selection)
{
    size_t size = json_array_size(selection->list);
    json_t *newest = json_array();

    for (size_t i = size > EVENTS_MAX ? size - EVENTS_MAX : 0; newest && i < size; i++) {
        json_array_append(newest, json_array_get(selection->list, i));
    }
    if (!newest) {
        return -ENOMEM;
    }
    json_decref(selection->list);
    selection->list = newest;
    return 0;
}

static int take(void *context, const struct riad_event_line *line)
{
    struct selection *selection = context;

    selection->broken += !line->follows;
    if (!line->object || !(selection->all || is_hers(selection, line->object))) {
        return 0;
    }
    if (json_array_size(selection->list) == 2 * EVENTS_MAX && keep_newest(selection) < 0) {
        return -ENOMEM;
    }
    return json_array_append_new(selection->list, json_copy((json_t *)line->object)) < 0 ? -ENOMEM
                                                                                         : 0;
}

json_t *riad_site_list_events(struct riad_site_host *site, uid_t uid, const json_t *request)
{
    struct selection selection = { .all = riad_site_is_admin(site, uid) };
    int r;

    (void)request;
    snprintf(selection.subject, sizeof selection.subject, "uid %u", uid);
    pthread_mutex_lock(&site->lock);
    r = take_ids(site, riad_site_host_user(site, uid), &selection);
    pthread_mutex_unlock(&site->lock);
    selection.list = json_array();
    if (r == 0) {
        r = riad_events_read(&site->node.state, take, &selection);
    }
    r = r < 0 ? r : keep_newest(&selection);
    free(selection.ids);
    if (r < 0) {
        json_decref(selection.list);
        return riad_control_failure(riad_exit_of(r), "the trail of events cannot be read");
    }
    return json_pack(
            "{s:b, s:o, s:b}", "ok", 1, "events", selection.list, "intact", selection.broken == 0);
}

/* Whose limit it is: the workspace's name, or, for that of a user or group, what the text begins
 * with. False: it was closed meanwhile, and the trail has it. */
static bool name_limited(struct riad_site_host *site, const struct riad_id *workspace,
        const char *text, char *ret, size_t size)
{
    struct riad_mount *mount;

    if (riad_id_is_zero(workspace)) {
        snprintf(ret, size, "%.*s", (int)strcspn(text, ":"), text);
        return true;
    }
    mount = riad_site_hold(site, workspace);
    if (!mount) {
        return false;
    }
    snprintf(ret, size, "%s", ((const struct riad_site_mount *)mount->site)->name);
    riad_host_unhold(&site->host, mount);
    return true;
}

void riad_site_tell_limit(
        struct riad_site_host *site, const struct riad_id *workspace, const char *text)
{
    struct riad_service_request request = {
        .operation = RIAD_SERVICE_LIMIT, .size = (uint32_t)strlen(text), .workspace = *workspace
    };
    struct riad_service_reply reply;
    int r;

    if (!name_limited(site, workspace, text, request.name, sizeof request.name)) {
        return;
    }
    r = riad_service_call(site->service, &request, text, &reply, NULL);
    if (r < 0) {
        riad_diag(
                RIAD_WARNING, "riadd: a passed limit is not told to the command: %s", strerror(-r));
    }
}
