/* riad workspace create, extend and delete at a site: admins reserve projects, managers make them.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "riad/cleanup.h"

#include "site_client.h"

/* Its key is made here, and goes to riadd's monitor only (K4). */
static int send_project(const struct site_client *client, const struct riad_workspace_draft *draft)
{
    json_t *reply;
    int code = ask_site(client, "make-project",
            json_pack("{s:o, s:o, s:o}", "workspace",
                    riad_control_hex(&draft->id, sizeof draft->id), "roster",
                    riad_control_hex(draft->roster.data, draft->roster.size), "wrap",
                    riad_control_hex(draft->wrap, sizeof draft->wrap)),
            &reply);

    if (code == RIAD_EXIT_DONE) {
        json_decref(reply);
    }
    return code;
}

int make_project(const struct site_client *client, const struct site_user *user, const json_t *item,
        json_t **ret)
{
    _cleanup_(riad_workspace_draft_done) struct riad_workspace_draft draft = { 0 };
    const char *name = json_text(item, "workspace");
    struct riad_id id;
    int r = get_fixed_hex(item, "id", &id, sizeof id), code;

    if (r == 0) {
        r = riad_roster_draft(&user->store.binding, &id, RIAD_KIND_PROJECT, name, &user->user,
                &user->keys, &draft);
    }
    if (r < 0) {
        return fail(riad_exit_of(r), "cannot make the project `%s`: %s", name, strerror(-r));
    }
    code = send_project(client, &draft);
    return code == RIAD_EXIT_DONE ? give_keys(client, &draft.id, draft.root, ret) : code;
}

static int reserve(const struct options *options, const struct site_client *client,
        const char *name, json_t **ret)
{
    struct riad_catalog_limit limit = { 0 };
    struct riad_catalog_expiry expiry = { 0 };
    json_t *arguments;
    int code = parse_limits(options, &limit);

    if (code == RIAD_EXIT_DONE) {
        code = parse_expiry(options, &expiry);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    arguments = json_pack("{s:s, s:I, s:I}", "name", name, "expires", (json_int_t)expiry.expires,
            "grace_seconds", (json_int_t)expiry.grace);
    if (options->bytes) { /* else the site's default holds */
        json_object_set_new(arguments, "bytes_limit", json_integer((json_int_t)limit.bytes_hard));
    }
    if (options->inodes) {
        json_object_set_new(arguments, "inodes_limit", json_integer((json_int_t)limit.inodes_hard));
    }
    if (options->manager) {
        json_object_set_new(arguments, "manager", json_string(options->manager));
    }
    return ask_site(client, "reserve-project", arguments, ret);
}

static int report(const struct options *options, const char *name, const json_t *reserved,
        const char *directory)
{
    if (options->json) {
        return print_json(json_pack("{s:s, s:s, s:s}", "workspace", name, "id",
                json_text(reserved, "id"), "directory", directory));
    }
    if (directory[0]) {
        printf("Made the project `%s`, which is open: %s\n", name, directory);
    } else {
        printf("Reserved the project `%s`: `riad unlock`, by its manager `%s`, makes and opens "
               "it.\n",
                name, options->manager);
    }
    return RIAD_EXIT_DONE;
}

/* For oneself: reserved and made in one. The passphrase is asked for first, so that a slip leaves
 * nothing behind. */
static int create_own(
        const struct options *options, const struct site_client *client, const char *name)
{
    _cleanup_site_user_ struct site_user user = { 0 };
    json_t *reserved = NULL, *item, *opened = NULL;
    int code = open_site_user(options, client, &user);

    if (code == RIAD_EXIT_DONE) {
        code = reserve(options, client, name, &reserved);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    item = json_pack("{s:s, s:s}", "workspace", name, "id", json_text(reserved, "id"));
    code = make_project(client, &user, item, &opened);
    if (code == RIAD_EXIT_DONE) {
        code = report(options, name, reserved, json_text(opened, "directory"));
    }
    json_decref(opened);
    json_decref(item);
    json_decref(reserved);
    return code;
}

int create_site_project(const struct options *options, const char *name)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    json_t *reserved;
    int code = open_site(options, &client);

    if (code != RIAD_EXIT_DONE || !options->manager) {
        return code == RIAD_EXIT_DONE ? create_own(options, &client, name) : code;
    }
    code = reserve(options, &client, name, &reserved);
    if (code == RIAD_EXIT_DONE) {
        code = report(options, name, reserved, "");
        json_decref(reserved);
    }
    return code;
}

/* What holds now, as riadd tells it. */
static int find_entry(
        const struct site_client *client, const char *name, struct riad_catalog_expiry *ret)
{
    const json_t *item;
    json_t *reply;
    size_t i;
    int code = ask_site(client, "workspaces", NULL, &reply);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = RIAD_EXIT_FAILED;
    json_array_foreach(json_object_get(reply, "workspaces"), i, item)
    {
        if (strcmp(json_text(item, "workspace"), name) == 0 ||
                strcmp(json_text(item, "id"), name) == 0) {
            ret->expires = (uint64_t)json_integer_value(json_object_get(item, "expires"));
            ret->grace = (uint32_t)json_integer_value(json_object_get(item, "grace_seconds"));
            code = RIAD_EXIT_DONE;
            break;
        }
    }
    json_decref(reply);
    return code == RIAD_EXIT_DONE
                   ? code
                   : fail(code, "the site has no workspace `%s`: `riad workspace list` shows them",
                             name);
}

int extend_site_workspace(const struct options *options, const char *name)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    struct riad_catalog_expiry expiry = { 0 };
    struct riad_id id;
    json_t *reply;
    int code = open_site(options, &client);

    code = code == RIAD_EXIT_DONE ? find_entry(&client, name, &expiry) : code;
    code = code == RIAD_EXIT_DONE ? parse_expiry(options, &expiry) : code;
    if (code == RIAD_EXIT_DONE) {
        code = ask_site(&client, "set-expiry",
                json_pack("{s:s, s:I, s:I}", "workspace", name, "expires",
                        (json_int_t)expiry.expires, "grace_seconds", (json_int_t)expiry.grace),
                &reply);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = get_fixed_hex(reply, "id", &id, sizeof id) < 0
                   ? fail(RIAD_EXIT_FAILED, "riadd's answer cannot be understood")
                   : report_expiry(options, name, &id, &expiry);
    json_decref(reply);
    return code;
}

static int report_deletion(const struct options *options, const char *name, const json_t *reply)
{
    const char *left = json_text(reply, "warning");

    if (left[0]) {
        return fail(RIAD_EXIT_FAILED,
                "the keys of `%s` are erased, but some files are left: %s. Run it again: riad "
                "workspace delete %s --confirm %s",
                name, left, json_text(reply, "id"), name);
    }
    if (options->json) {
        return print_json(json_pack("{s:s, s:s, s:b}", "workspace", name, "id",
                json_text(reply, "id"), "deleted", true));
    }
    printf("Deleted the workspace `%s`: its keys first, then its files. Copies of the store made "
           "before still open.\n",
            name);
    return RIAD_EXIT_DONE;
}

int delete_site_workspace(const struct options *options, const char *name)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    const char *meant = options->confirm ? options->confirm : name;
    json_t *reply;
    int code = open_site(options, &client);

    /* An id is what a deletion that was cut short is ended by: --confirm has the name. */
    code = code == RIAD_EXIT_DONE && !options->confirm ? confirm_deletion(options, name) : code;
    if (code == RIAD_EXIT_DONE) {
        code = ask_site(&client, "delete-workspace",
                json_pack("{s:s, s:s}", "workspace", name, "confirm", meant), &reply);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = report_deletion(options, meant, reply);
    json_decref(reply);
    return code;
}
