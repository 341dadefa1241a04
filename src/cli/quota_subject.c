/* Limits and usage of users and groups at a site. */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/workspace.h"

#include "quota.h"

enum { REQUEST_SUBJECTS = 1536 };

static bool get_number(const char *name, uint32_t *ret)
{
    char *end;
    unsigned long long id = strtoull(name, &end, 10);

    if (name[0] < '0' || name[0] > '9' || *end || id >= UINT32_MAX) {
        return false;
    }
    *ret = (uint32_t)id;
    return true;
}

/* A name comes before a number that is written like it. */
static bool find_id(bool group, const char *name, uint32_t *ret)
{
    const struct group *found_group = group ? getgrnam(name) : NULL;
    const struct passwd *found = group ? NULL : getpwnam(name);

    if (found_group || found) {
        *ret = found_group ? found_group->gr_gid : found->pw_uid;
        return true;
    }
    return get_number(name, ret);
}

/* From `first` on, as many as one request takes. *ret: a list; the count is its size. */
static int pack_some(const struct options *options, const struct limit_changes *changes,
        size_t first, json_t **ret)
{
    json_t *list = json_array();
    char place[512];

    for (size_t i = first; i < changes->count && i - first < REQUEST_SUBJECTS; i++) {
        const struct limit_change *change = &changes->items[i];
        json_t *item;
        uint32_t id;

        if (!find_id(options->groups, change->name, &id)) {
            json_decref(list);
            return fail(RIAD_EXIT_FAILED, "%sthere is no %s `%s` on this machine",
                    limit_place(changes, change, place), options->groups ? "group" : "account",
                    change->name);
        }
        item = pack_limit_change(change);
        json_object_del(item, "workspace");
        json_object_set_new(item, "id", json_integer(id));
        json_array_append_new(list, item);
    }
    *ret = list;
    return RIAD_EXIT_DONE;
}

static int send_some(const struct options *options, const struct site_client *client, json_t *list)
{
    json_t *reply;
    int code = ask_site(client, "set-subjects",
            json_pack("{s:s, s:o}", "kind", options->groups ? "group" : "user", "subjects", list),
            &reply);

    if (code == RIAD_EXIT_DONE) {
        json_decref(reply);
    }
    return code;
}

int set_subject_limits(const struct options *options, const struct limit_changes *changes)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    int code = open_site(options, &client);

    for (size_t i = 0; code == RIAD_EXIT_DONE && i < changes->count; i += REQUEST_SUBJECTS) {
        json_t *list = NULL;

        code = pack_some(options, changes, i, &list);
        if (code == RIAD_EXIT_DONE) {
            code = send_some(options, &client, list);
        }
    }
    return code;
}

/* Of an account or group that is no more, its number. */
static json_t *name_of(bool group, uint32_t id)
{
    const struct group *found_group = group ? getgrgid(id) : NULL;
    const struct passwd *found = group ? NULL : getpwuid(id);
    char number[16];

    snprintf(number, sizeof number, "#%u", id);
    return json_string(found_group ? found_group->gr_name : found ? found->pw_name : number);
}

int gather_subjects(const struct options *options, struct quota_rows *ret)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    json_t *reply, *list, *item;
    size_t i;
    int code = open_site(options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = ask_site(&client, "subjects",
                json_pack("{s:s}", "kind", options->groups ? "group" : "user"), &reply);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    list = json_object_get(reply, "subjects");
    json_array_foreach(list, i, item)
    {
        json_object_set_new(item, "name",
                name_of(options->groups,
                        (uint32_t)json_integer_value(json_object_get(item, "id"))));
    }
    ret->grace[0] = ret->grace[1] = RIAD_GRACE_SECONDS;
    code = make_rows(json_incref(list), ret);
    json_decref(reply);
    return code;
}
