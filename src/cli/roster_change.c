/* Changes of a project's roster, drafted and signed here, and sent to riadd where the project is
 * open. A manager's private keys, and the project's root keys, never leave this process but for the
 * monitor (K4). */
#include "roster_change.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"

void roster_change_done(struct roster_change *change)
{
    site_workspace_done(&change->project);
    riad_writer_done(&change->file);
    riad_roster_done(&change->after);
    free(change->wraps);
    riad_secret_free(change->fresh);
}

static json_t *pack_wrap(const struct riad_id *user, const uint8_t wrap[RIAD_WRAP_SIZE])
{
    return json_pack("{s:o, s:o}", "user", riad_control_hex(user, sizeof *user), "wrap",
            riad_control_hex(wrap, RIAD_WRAP_SIZE));
}

static json_t *pack_wraps(const struct roster_change *change)
{
    json_t *list = json_array();

    if (change->has_wrap) {
        json_array_append_new(list, pack_wrap(&change->member.user, change->wrap));
    }
    for (size_t i = 0; change->wraps && i < change->after.member_count; i++) {
        json_array_append_new(list, pack_wrap(&change->after.members[i].user, change->wraps[i]));
    }
    return list;
}

int send_change(const struct site_client *client, const struct roster_change *change)
{
    const struct site_workspace *project = &change->project;
    const char *warning;
    json_t *reply;
    int code = ask_site(client, "set-members",
            json_pack("{s:o, s:o, s:o, s:o}", "workspace",
                    riad_control_hex(&project->id, sizeof project->id), "previous",
                    riad_control_hex(&project->roster.head, sizeof project->roster.head), "entries",
                    riad_control_hex(
                            change->file.data + project->size, change->file.size - project->size),
                    "wraps", pack_wraps(change)),
            &reply);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    warning = json_text(reply, "warning");
    if (warning[0]) {
        fprintf(stderr,
                "riad: the members are changed, but the access lists of some files are not in "
                "step: %s. The next unlocking tries again.\n",
                warning);
    }
    json_decref(reply);
    return RIAD_EXIT_DONE;
}

/* On top of what was drafted: a new root key, for those who are members then. */
static int draft_epoch(const struct site_user *user, struct roster_change *change)
{
    const struct riad_store_binding *binding = &user->store.binding;
    const struct site_workspace *project = &change->project;
    _cleanup_(riad_writer_done) struct riad_writer base = change->file;
    const uint8_t *data = base.data ? base.data : project->data;
    size_t size = base.data ? base.size : project->size;
    int r;

    change->file = (struct riad_writer){ 0 };
    r = riad_roster_parse(binding, &project->id, &project->owner, data, size, &change->after);
    return r < 0 ? r
                 : riad_roster_draft_epoch(binding, &change->after, data, size, project->root,
                           &user->keys, &change->file, &change->fresh, &change->wraps);
}

/* All epochs' keys, the new one last. */
static int join_roots(const struct roster_change *change, struct riad_secret **ret)
{
    const struct riad_secret *before = change->project.roots;
    size_t size = riad_secret_size(before);
    int r = riad_secret_new(size + riad_secret_size(change->fresh), ret);

    if (r == 0) {
        memcpy(riad_secret_bytes(*ret), riad_secret_peek(before), size);
        memcpy(riad_secret_bytes(*ret) + size, riad_secret_peek(change->fresh),
                riad_secret_size(change->fresh));
    }
    return r;
}

/* riadd goes on with the new key. */
static int hand_over(const struct site_client *client, const struct roster_change *change)
{
    _cleanup_secret_ struct riad_secret *roots = NULL;
    json_t *reply;
    int r = join_roots(change, &roots);
    int code = r < 0 ? fail(RIAD_EXIT_FAILED, "no memory")
                     : give_keys(client, &change->project.id, roots, &reply);

    if (code == RIAD_EXIT_DONE) {
        json_decref(reply);
        return code;
    }
    fprintf(stderr, "riad: the members are changed; the new key is used when somebody unlocks "
                    "the project next\n");
    return code;
}

/* Where it is open; a copy in ret. */
static int find_directory(
        const struct site_client *client, const struct riad_id *id, char *ret, size_t size)
{
    const json_t *mount;
    json_t *reply;
    char hex[33];
    size_t i;
    int code = ask_site(client, "status", NULL, &reply);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    ret[0] = '\0';
    riad_hex_encode(id, sizeof *id, hex);
    json_array_foreach(json_object_get(reply, "mounts"), i, mount)
    {
        if (strcmp(json_text(mount, "id"), hex) == 0) {
            snprintf(ret, size, "%s", json_text(mount, "directory"));
        }
    }
    json_decref(reply);
    return RIAD_EXIT_DONE;
}

/* Taken away from everybody: what the kernel does without asking, such as with mappings, ends. */
static int cut(const struct site_client *client, const struct site_workspace *project)
{
    char directory[4096];
    json_t *reply;
    int code = find_directory(client, &project->id, directory, sizeof directory);

    if (code == RIAD_EXIT_DONE && directory[0]) {
        code = ask_site(client, "unmount",
                json_pack("{s:s, s:b}", "directory", directory, "force", 1), &reply);
        if (code == RIAD_EXIT_DONE) {
            json_decref(reply);
        }
    }
    return code;
}

/* What was drafted takes effect, with a new key. */
int send_with_epoch(const struct options *options, const struct site_client *client,
        const struct site_user *user, struct roster_change *change)
{
    int r = draft_epoch(user, change);
    int code = r == -ENOSPC ? fail(RIAD_EXIT_FAILED,
                                      "the project has had %d keys: that is all there can be",
                                      RIAD_ROSTER_EPOCHS_MAX)
               : r < 0      ? fail(riad_exit_of(r), "cannot make a new key: %s", strerror(-r))
                            : send_change(client, change);

    if (code == RIAD_EXIT_DONE && options->force) {
        code = cut(client, &change->project);
    }
    return code == RIAD_EXIT_DONE ? hand_over(client, change) : code;
}
