/* riad unlock: opens one's workspaces at a site. Her private keys never leave this process (K4). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

#include "site_client.h"

enum { CHANGES_MAX = 3 }; /* of a workspace's key, while it is opened */

static int offer(const struct site_client *client, const struct site_user *user, const json_t *item,
        json_t **ret)
{
    _cleanup_(site_workspace_done) struct site_workspace workspace = { 0 };
    int code = open_site_item(user, item, &workspace);

    return code == RIAD_EXIT_DONE ? offer_keys(client, &workspace.id, workspace.roots, ret) : code;
}

/* With the item's workspace as riadd tells of it now. */
static int offer_again(const struct site_client *client, const struct site_user *user,
        const json_t *item, json_t **ret)
{
    json_t *own;
    const json_t *now = NULL, *other;
    int code = ask_site(client, "own", NULL, &own);
    size_t i;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    json_array_foreach(json_object_get(own, "workspaces"), i, other)
    {
        now = strcmp(json_text(other, "id"), json_text(item, "id")) == 0 ? other : now;
    }
    code = now ? offer(client, user, now, ret)
               : fail(RIAD_EXIT_NOT_PERMITTED, "you are no member of `%s` any more",
                         json_text(item, "workspace"));
    json_decref(own);
    return code;
}

static bool is_other_key(const json_t *reply)
{
    return json_integer_value(json_object_get(reply, "exit")) == RIAD_EXIT_WRONG_SECRET;
}

/* When a member is removed after riadd was asked, what it told of is the key of before. */
static int open_item(const struct site_client *client, const struct site_user *user,
        const json_t *item, json_t **ret)
{
    json_t *reply;
    int code = offer(client, user, item, &reply);

    for (int i = 0; i < CHANGES_MAX && code == RIAD_EXIT_DONE && is_other_key(reply); i++) {
        json_decref(reply);
        code = offer_again(client, user, item, &reply);
    }
    return code == RIAD_EXIT_DONE ? take_reply(reply, ret) : code;
}

static int unlock_one(const struct site_client *client, const struct site_user *user,
        const json_t *item, json_t *list)
{
    bool reserved = json_is_true(json_object_get(item, "reserved"));
    json_t *reply;
    int code = reserved ? make_project(client, user, item, &reply)
                        : open_item(client, user, item, &reply);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (list) {
        json_array_append_new(
                list, json_pack("{s:s, s:s, s:s, s:s}", "workspace", json_text(item, "workspace"),
                              "kind", json_text(item, "kind"), "id", json_text(item, "id"),
                              "directory", json_text(reply, "directory")));
    } else {
        printf("Unlocked %s\n", json_text(reply, "directory"));
    }
    json_decref(reply);
    return RIAD_EXIT_DONE;
}

/* One that fails does not keep the others. */
static int unlock_all(const struct options *options, const struct site_client *client,
        const struct site_user *user)
{
    json_t *list = options->json ? json_array() : NULL;
    const json_t *item;
    int code = RIAD_EXIT_DONE;
    size_t i;

    json_array_foreach(json_object_get(user->own, "workspaces"), i, item)
    {
        int one = unlock_one(client, user, item, list);

        code = one != RIAD_EXIT_DONE ? one : code;
    }
    if (list) {
        print_json(json_pack("{s:o}", "workspaces", list));
    }
    return code;
}

int command_unlock(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    _cleanup_site_user_ struct site_user user = { 0 };
    struct options options;
    int code = begin_site(argc, argv, "pPrkjRc", 0, 0,
            "it takes no argument: it opens all of "
            "yours",
            &options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = open_site_user(&options, &client, &user);
    }
    if (code == RIAD_EXIT_DONE) {
        code = unlock_all(&options, &client, &user);
    }
    return code < 0 ? RIAD_EXIT_DONE : code;
}

static int send_file(const struct site_client *client, struct site_user *user)
{
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };
    json_t *reply;
    int code, r;

    riad_writer_init_growing(&file, 2048, RIAD_ENVELOPE_MAX);
    r = riad_user_sign(&user->user, &user->store.binding, &user->keys, &file);
    if (r < 0) {
        return fail(riad_exit_of(r), "cannot sign the user file: %s", strerror(-r));
    }
    code = ask_site(client, "replace-user",
            json_pack("{s:o}", "user", riad_control_hex(file.data, file.size)), &reply);
    if (code == RIAD_EXIT_DONE) {
        json_decref(reply);
    }
    return code;
}

static int show_code(const struct options *options, const char *text)
{
    if (options->json) {
        return print_json(json_pack("{s:s}", "recovery_code", text));
    }
    show_recovery(text, "your user at this site");
    return RIAD_EXIT_DONE;
}

/* A fresh slot of the kind, sent to riadd; text: shown if it is a code. */
static int replace_secret(const struct options *options, const struct site_client *client,
        struct site_user *user, enum riad_slot_kind kind, const struct riad_secret *secret,
        const char *text)
{
    int r = riad_user_set_slot(&user->user, &user->store, &user->keys, kind, secret);
    int code = r < 0 ? fail(riad_exit_of(r), "cannot make a slot: %s", strerror(-r))
                     : send_file(client, user);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (text) {
        return show_code(options, text);
    }
    fprintf(stderr, "The passphrase was changed. Copies of the store made before still open with "
                    "the old one.\n");
    return RIAD_EXIT_DONE;
}

int change_site_secret(const struct options *options, bool recovery)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    _cleanup_site_user_ struct site_user user = { 0 };
    _cleanup_secret_ struct riad_secret *fresh = NULL;
    char text[RIAD_RECOVERY_TEXT_SIZE] = "";
    int code = open_site(options, &client), r;

    if (code == RIAD_EXIT_DONE) {
        code = open_site_user(options, &client, &user);
    }
    if (code == RIAD_EXIT_DONE && recovery) {
        r = riad_recovery_new(&fresh, text);
        code = r < 0 ? fail(RIAD_EXIT_FAILED, "cannot make a code: %s", strerror(-r)) : code;
    } else if (code == RIAD_EXIT_DONE) {
        code = read_new_secret(options->new_passphrase_file, "New passphrase", &fresh);
    }
    if (code == RIAD_EXIT_DONE) {
        code = replace_secret(options, &client, &user,
                recovery ? RIAD_SLOT_RECOVERY : RIAD_SLOT_PASSPHRASE, fresh,
                recovery ? text : NULL);
    }
    riad_wipe(text, sizeof text);
    return code;
}
