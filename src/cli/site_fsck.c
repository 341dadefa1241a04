/* riad fsck without a store: one's workspaces at this site, which riadd's worker checks. */
#include <string.h>

#include "fsck_report.h"
#include "site_client.h"

/* A line of riadd's. */
static void hear(void *context, const json_t *line)
{
    struct fsck_report *report = context;
    const char *step = json_text(line, "step");
    const json_t *numbers = json_object_get(line, "result");

    if (json_object_get(line, "progress")) {
        fsck_report_progress(report, json_text(line, "progress"), json_number(line, "done"),
                json_number(line, "total"));
        return;
    }
    for (int i = 0; i < RIAD_CHECKING_STEPS; i++) {
        if (strcmp(step, riad_checking_names[i]) != 0) {
            continue;
        }
        if (numbers) {
            fsck_report_end(report, (enum riad_checking_step)i, numbers);
        } else {
            fsck_report_find(report, (enum riad_checking_step)i, json_text(line, "finding"));
        }
    }
}

static int check_one(const struct options *options, const struct site_client *client,
        const struct site_user *user, const json_t *item, json_t *results)
{
    _cleanup_(site_workspace_done) struct site_workspace workspace = { 0 };
    struct fsck_report report;
    int code = open_site_item(user, item, &workspace);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    fsck_report_begin(&report, options, json_text(item, "workspace"));
    code = give_keys_to_check(
            client, options->repair, &workspace.id, workspace.roots, hear, &report);
    fsck_report_done(&report, results);
    return code;
}

/* By its name, a home's owner's, or "home", as `riad status` has it, or by its id. */
static bool is_named(const json_t *item, const char *name)
{
    bool home = strcmp(json_text(item, "kind"), "home") == 0;

    return strcmp(name, json_text(item, "workspace")) == 0 ||
           strcmp(name, json_text(item, "id")) == 0 || (home && strcmp(name, "home") == 0);
}

/* A project that nobody has made has nothing in it. */
static bool is_wanted(const struct options *options, const json_t *item)
{
    return !json_is_true(json_object_get(item, "reserved")) &&
           (!options->workspace || is_named(item, options->workspace));
}

static int check_items(const struct options *options, const struct site_client *client,
        const struct site_user *user, json_t *results)
{
    const json_t *item;
    int worst = RIAD_EXIT_DONE;
    bool found = false;
    size_t i;

    json_array_foreach(json_object_get(user->own, "workspaces"), i, item)
    {
        if (is_wanted(options, item)) {
            int code = check_one(options, client, user, item, results);

            worst = code > worst ? code : worst;
            found = true;
        }
    }
    return found || !options->workspace ? worst
                                        : fail(RIAD_EXIT_FAILED,
                                                  "no workspace `%s` of yours: `riad workspace "
                                                  "list` shows what there is",
                                                  options->workspace);
}

int fsck_site(const struct options *options)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    _cleanup_site_user_ struct site_user user = { 0 };
    json_t *results;
    int code = open_site(options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = open_site_user(options, &client, &user);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    results = json_array();
    code = check_items(options, &client, &user, results);
    return fsck_report_print(options, code, results);
}
