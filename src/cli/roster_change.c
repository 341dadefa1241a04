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
    json_decref(change->wraps);
    riad_secret_free(change->fresh);
}

int open_change(const struct options *options, const struct site_client *client,
        struct site_user *user, const char *name, struct roster_change *ret)
{
    int code = open_site_user(options, client, user);

    if (code == RIAD_EXIT_DONE) {
        code = open_site_workspace(user, name, &ret->project);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    ret->user = user;
    ret->previous = ret->project.roster.head;
    ret->known = ret->project.size;
    ret->wraps = json_array();
    return ret->wraps ? RIAD_EXIT_DONE : fail(RIAD_EXIT_FAILED, "no memory");
}

/* The project as it is with what was drafted. */
static int advance(struct roster_change *change, const struct riad_writer *file)
{
    const struct riad_store_binding *binding = &change->user->store.binding;
    struct site_workspace *project = &change->project;
    struct riad_roster roster = { 0 };
    uint8_t *data = malloc(file->size);
    int r = data ? riad_roster_parse(
                           binding, &project->id, &project->owner, file->data, file->size, &roster)
                 : -ENOMEM;

    if (r < 0) {
        free(data);
        return r;
    }
    memcpy(data, file->data, file->size);
    free(project->data);
    riad_roster_done(&project->roster);
    project->data = data;
    project->size = file->size;
    project->roster = roster;
    return 0;
}

static void add_wrap(struct roster_change *change, const struct riad_id *user,
        const uint8_t wrap[RIAD_WRAP_SIZE])
{
    json_array_append_new(
            change->wraps, json_pack("{s:o, s:o}", "user", riad_control_hex(user, sizeof *user),
                                   "wrap", riad_control_hex(wrap, RIAD_WRAP_SIZE)));
}

int change_put(struct roster_change *change, const struct riad_member *member)
{
    const struct site_workspace *project = &change->project;
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };
    uint8_t wrap[RIAD_WRAP_SIZE];
    int r = riad_roster_draft_put(&change->user->store.binding, &project->roster, project->data,
            project->size, member, project->root, &change->user->keys, &file, wrap);

    if (r < 0) {
        return r;
    }
    add_wrap(change, &member->user, wrap);
    return advance(change, &file);
}

int change_role(struct roster_change *change, const struct riad_id *member, enum riad_role role)
{
    const struct site_workspace *project = &change->project;
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };
    int r = riad_roster_draft_role(&change->user->store.binding, &project->roster, project->data,
            project->size, member, role, &change->user->keys, &file);

    return r < 0 ? r : advance(change, &file);
}

int change_remove(struct roster_change *change, const struct riad_id *member)
{
    const struct site_workspace *project = &change->project;
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };
    int r = riad_roster_draft_remove(&change->user->store.binding, &project->roster, project->data,
            project->size, member, &change->user->keys, &file);

    return r < 0 ? r : advance(change, &file);
}

int send_change(const struct site_client *client, const struct roster_change *change)
{
    const struct site_workspace *project = &change->project;
    const char *warning;
    json_t *reply;
    int code = ask_site(client, "set-members",
            json_pack("{s:o, s:o, s:o, s:O}", "workspace",
                    riad_control_hex(&project->id, sizeof project->id), "previous",
                    riad_control_hex(&change->previous, sizeof change->previous), "entries",
                    riad_control_hex(project->data + change->known, project->size - change->known),
                    "wraps", change->wraps),
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
static int draft_epoch(struct roster_change *change)
{
    const struct site_workspace *project = &change->project;
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };
    uint8_t(*wraps)[RIAD_WRAP_SIZE] = NULL;
    int r = riad_roster_draft_epoch(&change->user->store.binding, &project->roster, project->data,
            project->size, project->root, &change->user->keys, &file, &change->fresh, &wraps);

    if (r < 0) {
        return r;
    }
    json_array_clear(change->wraps); /* of the epoch that ends: nobody needs them */
    for (size_t i = 0; i < project->roster.member_count; i++) {
        add_wrap(change, &project->roster.members[i].user, wraps[i]);
    }
    free(wraps);
    return advance(change, &file);
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
        struct roster_change *change)
{
    int r = draft_epoch(change);
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
