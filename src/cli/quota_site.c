/* Limits at a site, which riadd sets for admins, without anybody's key. */
#include <stdio.h>
#include <string.h>

#include "quota.h"

/* So many bytes of a request, and as many as one batch of the catalog takes. */
enum { REQUEST_BYTES = 300 << 10, REQUEST_LIMITS = 1536 };

/* From `first` on, as many as one request takes: how many. */
static size_t pack_some(const struct limit_changes *changes, size_t first, json_t *list)
{
    size_t bytes = 0, i;

    for (i = first; i < changes->count && i - first < REQUEST_LIMITS; i++) {
        json_t *item = pack_limit_change(&changes->items[i]);

        bytes += json_dumpb(item, NULL, 0, JSON_COMPACT) + 1;
        if (bytes > REQUEST_BYTES) {
            json_decref(item);
            break;
        }
        json_array_append_new(list, item);
    }
    return i - first;
}

/* What was wrong, with the line that it is about. */
static int report(json_t *reply, const struct limit_changes *changes, size_t first)
{
    const json_t *number = json_object_get(reply, "number");
    size_t at = first + (size_t)json_integer_value(number);
    const char *sentence = json_text(reply, "error");
    char place[512] = "";
    int code = (int)json_integer_value(json_object_get(reply, "exit"));

    if (json_is_true(json_object_get(reply, "ok"))) {
        return RIAD_EXIT_DONE;
    }
    if (number && at < changes->count) {
        limit_place(changes, &changes->items[at], place);
    }
    return fail(code ? code : RIAD_EXIT_FAILED, "%s%s", place,
            sentence[0] ? sentence : "riadd said no");
}

static int send_all(
        const struct site_client *client, const struct limit_changes *changes, bool check)
{
    int code = RIAD_EXIT_DONE;

    for (size_t i = 0; code == RIAD_EXIT_DONE && i < changes->count;) {
        json_t *list = json_array(), *reply;
        size_t count = pack_some(changes, i, list);

        code = call_site(client, "set-limits",
                json_pack("{s:o, s:b}", "limits", list, "check", (int)check), &reply);
        if (code == RIAD_EXIT_DONE) {
            code = report(reply, changes, i);
            json_decref(reply);
        }
        i += count;
    }
    return code;
}

/* Where one request does not take all, none sets anything before all are checked. */
int set_site_limits(const struct options *options, const struct limit_changes *changes)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    json_t *first = json_array();
    bool one = pack_some(changes, 0, first) == changes->count;
    int code = open_site(options, &client);

    json_decref(first);
    if (code == RIAD_EXIT_DONE && !one) {
        code = send_all(&client, changes, true);
    }
    return code == RIAD_EXIT_DONE ? send_all(&client, changes, false) : code;
}

int set_site_default(const struct options *options, const struct limit_change *change)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    json_t *arguments = pack_limit_change(change), *reply;
    int code = open_site(options, &client);

    if (code != RIAD_EXIT_DONE) {
        json_decref(arguments);
        return code;
    }
    json_object_set_new(arguments, "default", json_true());
    code = ask_site(&client, "set-limits", arguments, &reply);
    if (code == RIAD_EXIT_DONE) {
        json_decref(reply);
    }
    return code;
}
