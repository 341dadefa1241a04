/* A user of a site, opened with her secret, and her workspaces. Her private keys never leave this
 * process (K4). */
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

/* Roster and root key, from the roster's bytes and her wrap. */
static int open_item(const struct site_user *user, const json_t *item, struct site_workspace *ret)
{
    const struct riad_store_binding *binding = &user->store.binding;
    _cleanup_free_ uint8_t *wrap = NULL;
    size_t wrap_size = 0;
    int r = get_fixed_hex(item, "id", &ret->id, sizeof ret->id);

    r = r < 0 ? r : get_fixed_hex(item, "owner_key", &ret->owner, sizeof ret->owner);
    r = r < 0 ? r : riad_control_get_bytes(item, "roster", &ret->data, &ret->size);
    r = r < 0 ? r : riad_control_get_bytes(item, "wrap", &wrap, &wrap_size);
    r = r < 0 ? r
              : riad_roster_parse(
                        binding, &ret->id, &ret->owner, ret->data, ret->size, &ret->roster);
    r = r < 0 ? r
              : riad_roster_open_roots(
                        &binding->store, &ret->roster, &user->keys, wrap, wrap_size, &ret->roots);
    return r < 0 ? r
                 : riad_secret_new_copy(
                           riad_secret_peek(ret->roots) +
                                   (size_t)(ret->roster.epoch - 1) * RIAD_UNLOCK_ROOT_SIZE,
                           RIAD_UNLOCK_ROOT_SIZE, &ret->root);
}

int open_site_item(const struct site_user *user, const json_t *item, struct site_workspace *ret)
{
    const char *damage = json_text(item, "error");
    int r = damage[0] ? -EBADMSG : open_item(user, item, ret);

    return r < 0 ? fail(riad_exit_of(r),
                           "the keys of `%s` (%s) were tampered with or are damaged (%s)",
                           json_text(item, "workspace"), json_text(item, "id"),
                           damage[0] ? damage : strerror(-r))
                 : RIAD_EXIT_DONE;
}

/* NULL: she has none of that name. */
static const json_t *find_project(const struct site_user *user, const char *name)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(user->own, "workspaces"), i, item)
    {
        if (strcmp(json_text(item, "kind"), "project") == 0 &&
                strcmp(json_text(item, "workspace"), name) == 0) {
            return item;
        }
    }
    return NULL;
}

int open_site_workspace(const struct site_user *user, const char *name, struct site_workspace *ret)
{
    const json_t *item = find_project(user, name);

    if (!item) {
        return fail(RIAD_EXIT_FAILED,
                "no project `%s` of yours: `riad workspace list` shows what there is", name);
    }
    return json_is_true(json_object_get(item, "reserved"))
                   ? fail(RIAD_EXIT_FAILED, "the project `%s` is not made yet: `riad unlock` does",
                             name)
                   : open_site_item(user, item, ret);
}

void site_workspace_done(struct site_workspace *workspace)
{
    riad_roster_done(&workspace->roster);
    riad_secret_free(workspace->root);
    riad_secret_free(workspace->roots);
    free(workspace->data);
    *workspace = (struct site_workspace){ 0 };
}
