/* riad unlock: opens one's workspaces at a site. Her private keys never leave this process (K4). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

#include "site_client.h"

static int open_keys(const struct options *options, const struct site_client *client,
        const uint8_t *file, size_t size, struct site_user *user)
{
    _cleanup_secret_ struct riad_secret *secret = NULL;
    enum riad_slot_kind kind;
    json_t *reply;
    int code = read_secret(options, "this site", &kind, &secret), r;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    r = riad_user_open(&user->store.binding, file, size, &user->user, kind, secret, &user->keys);
    if (r == -ENOKEY) {
        if (ask_site(client, "unlock-failed", NULL, &reply) == RIAD_EXIT_DONE) {
            json_decref(reply);
        }
        return fail(riad_exit_of(r), "wrong %s", riad_slot_name(kind));
    }
    return r < 0 ? fail(riad_exit_of(r), "your user file was tampered with or is damaged (%s)",
                           strerror(-r))
                 : RIAD_EXIT_DONE;
}

int open_site_user(
        const struct options *options, const struct site_client *client, struct site_user *ret)
{
    _cleanup_free_ uint8_t *file = NULL;
    size_t size = 0;
    int code = ask_site(client, "own", NULL, &ret->own), r;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    ret->store.fd = -1;
    r = get_binding(ret->own, &ret->store.binding);
    r = r < 0 ? r : riad_control_get_bytes(ret->own, "user", &file, &size);
    r = r < 0 ? r : riad_user_peek(&ret->store.binding, file, size, NULL, &ret->user);
    if (r < 0) {
        return fail(riad_exit_of(r), "your user file was tampered with or is damaged (%s)",
                strerror(-r));
    }
    return open_keys(options, client, file, size, ret);
}

void close_site_user(struct site_user *user)
{
    json_decref(user->own);
    user->own = NULL;
    riad_keypair_done(&user->keys);
}

/* The root key of one workspace, from its roster and her wrap. */
static int open_root(const struct site_user *user, const json_t *item, struct riad_id *ret_id,
        uint32_t *ret_epoch, struct riad_secret **ret)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    _cleanup_free_ uint8_t *bytes = NULL, *wrap = NULL;
    size_t size = 0, wrap_size = 0;
    int r = get_fixed_hex(item, "id", ret_id, sizeof *ret_id);

    r = r < 0 ? r : riad_control_get_bytes(item, "roster", &bytes, &size);
    r = r < 0 ? r : riad_control_get_bytes(item, "wrap", &wrap, &wrap_size);
    r = r < 0 ? r
              : riad_roster_parse(
                        &user->store.binding, ret_id, &user->keys.sign_key, bytes, size, &roster);
    r = r < 0 ? r
              : riad_roster_open_root(
                        &user->store.binding.store, &roster, &user->keys, wrap, wrap_size, ret);
    if (r == 0) {
        *ret_epoch = roster.epoch;
    }
    return r;
}

static int unlock_one(const struct site_client *client, const struct site_user *user,
        const json_t *item, json_t *list)
{
    _cleanup_secret_ struct riad_secret *root = NULL;
    const char *damage = json_text(item, "error");
    struct riad_id id;
    uint32_t epoch = 0;
    json_t *reply;
    int r = damage[0] ? -EBADMSG : open_root(user, item, &id, &epoch, &root), code;

    if (r < 0) {
        return fail(riad_exit_of(r),
                "the keys of workspace %s were tampered with or are damaged "
                "(%s)",
                json_text(item, "id"), damage[0] ? damage : strerror(-r));
    }
    code = give_key(client, &id, epoch, root, &reply);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (list) {
        json_array_append_new(list, json_pack("{s:s, s:s}", "id", json_text(item, "id"),
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
