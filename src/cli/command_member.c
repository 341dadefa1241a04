/* riad member list, add, role and remove: who may use a project. A manager signs in this process;
 * her private keys never leave it (K4). */
#include <stdio.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/key_text.h"

#include "site_client.h"

/* A project, opened by one of its managers, and what is to become of it. */
struct change {
    struct site_workspace project;
    struct riad_member member;
    struct riad_writer file;
    uint8_t wrap[RIAD_WRAP_SIZE];
    bool has_wrap;
};

static void change_done(struct change *change)
{
    site_workspace_done(&change->project);
    riad_writer_done(&change->file);
}

/* The user's public keys, as the site's nodes signed them. */
static int find_user(const struct site_client *client, const char *name, struct riad_member *ret)
{
    json_t *reply;
    const json_t *user, *found = NULL;
    size_t i;
    int code = ask_site(client, "users", NULL, &reply), r;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    json_array_foreach(json_object_get(reply, "users"), i, user)
    {
        if (strcmp(json_text(user, "user"), name) == 0 &&
                (!found || json_is_true(json_object_get(found, "disabled")))) {
            found = user;
        }
    }
    r = found ? get_fixed_hex(found, "id", &ret->user, sizeof ret->user) : -ENOENT;
    r = r < 0 ? r : get_fixed_hex(found, "wrap_key", &ret->wrap_key, sizeof ret->wrap_key);
    r = r < 0 ? r : get_fixed_hex(found, "sign_key", &ret->sign_key, sizeof ret->sign_key);
    json_decref(reply);
    return r < 0 ? fail(RIAD_EXIT_FAILED,
                           r == -ENOENT ? "the site has no user `%s`: `riad user enroll` makes one"
                                        : "riadd's answer about `%s` cannot be understood",
                           name)
                 : RIAD_EXIT_DONE;
}

static int open_project(const struct options *options, const struct site_client *client,
        struct site_user *user, const char *name, struct change *ret)
{
    int code = open_site_user(options, client, user);

    return code == RIAD_EXIT_DONE ? open_site_workspace(user, name, &ret->project) : code;
}

static json_t *pack_wraps(const struct change *change)
{
    return change->has_wrap
                   ? json_pack("[{s:o, s:o}]", "user",
                             riad_control_hex(&change->member.user, sizeof change->member.user),
                             "wrap", riad_control_hex(change->wrap, sizeof change->wrap))
                   : json_array();
}

static int send_change(const struct site_client *client, const struct change *change)
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

static int explain(int r, const char *project, const char *name)
{
    switch (r) {
    case -EPERM:
        return fail(RIAD_EXIT_NOT_PERMITTED, "only a manager of `%s` can do that", project);
    case -EBUSY:
        return fail(RIAD_EXIT_FAILED,
                "`%s` is the last manager of `%s`: make another member manager first", name,
                project);
    case -ENOENT:
        return fail(RIAD_EXIT_FAILED, "`%s` is no member of `%s`", name, project);
    case -E2BIG:
        return fail(RIAD_EXIT_FAILED, "`%s` has %d members: that is all there can be", project,
                RIAD_ROSTER_MEMBERS_MAX);
    default:
        return fail(
                riad_exit_of(r), "cannot change the members of `%s`: %s", project, strerror(-r));
    }
}

static int report(const struct options *options, const char *project, const char *name,
        const char *role, const struct riad_member *member)
{
    char fingerprint[RIAD_FINGERPRINT_SIZE] = "";
    int r = riad_key_fingerprint(&member->sign_key, fingerprint);

    (void)r; /* then it is not shown */
    if (options->json) {
        return print_json(json_pack("{s:s, s:s, s:s, s:s}", "workspace", project, "user", name,
                "role", role, "fingerprint", fingerprint));
    }
    if (role[0]) {
        printf("`%s` is a %s of `%s`. Fingerprint: %s\n", name, role, project, fingerprint);
    } else {
        printf("`%s` is no member of `%s` any more.\n", name, project);
    }
    return RIAD_EXIT_DONE;
}

/* A new member gets the project's key; one who is there keeps what she has. */
static int put(struct site_user *user, struct change *change, bool present)
{
    const struct site_workspace *project = &change->project;
    const struct riad_store_binding *binding = &user->store.binding;

    change->has_wrap = !present;
    return present ? riad_roster_draft_role(binding, &project->roster, project->data, project->size,
                             &change->member.user, change->member.role, &user->keys, &change->file)
                   : riad_roster_draft_put(binding, &project->roster, project->data, project->size,
                             &change->member, project->root, &user->keys, &change->file,
                             change->wrap);
}

/* What is asked for. */
struct wish {
    const char *project, *name, *role;
    bool adding; /* she is not to be a member yet; else she is to be one */
};

static int put_member(
        const struct options *options, const struct site_client *client, const struct wish *wish)
{
    _cleanup_site_user_ struct site_user user = { 0 };
    _cleanup_(change_done) struct change change = { 0 };
    bool present;
    int code, r;

    if (riad_role_parse(wish->role, &change.member.role) < 0) {
        return usage_error("`%s` is no role: manager, writer or reader", wish->role);
    }
    code = find_user(client, wish->name, &change.member);
    if (code == RIAD_EXIT_DONE) {
        code = open_project(options, client, &user, wish->project, &change);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    present = riad_roster_find(&change.project.roster, &change.member.user) != NULL;
    if (present == wish->adding) {
        return fail(RIAD_EXIT_FAILED,
                present ? "`%s` is a member of `%s` already: `riad member role` changes the role"
                        : "`%s` is no member of `%s`: `riad member add`",
                wish->name, wish->project);
    }
    r = put(&user, &change, present);
    if (r < 0) {
        return explain(r, wish->project, wish->name);
    }
    code = send_change(client, &change);
    return code == RIAD_EXIT_DONE
                   ? report(options, wish->project, wish->name, wish->role, &change.member)
                   : code;
}

int command_member_add(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    struct options options;
    int code = begin_site(
            argc, argv, "pPrRjcO", 2, 2, "name the project and the user", &options, &client);
    struct wish wish = { .adding = true };

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    wish.project = argv[optind];
    wish.name = argv[optind + 1];
    wish.role = options.role ? options.role : "writer";
    return put_member(&options, &client, &wish);
}

int command_member_role(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    struct options options;
    int code = begin_site(argc, argv, "pPrRjc", 3, 3, "name the project, the user and the role",
            &options, &client);
    struct wish wish = { 0 };

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    wish.project = argv[optind];
    wish.name = argv[optind + 1];
    wish.role = argv[optind + 2];
    return put_member(&options, &client, &wish);
}

/* By the name that riadd tells of its members: one whose account is gone is one, too. */
static int find_member(const struct site_client *client, const char *project, const char *name,
        struct riad_member *ret)
{
    const json_t *member;
    json_t *reply;
    size_t i;
    int code = ask_site(client, "members", json_pack("{s:s}", "workspace", project), &reply);
    int r = -ENOENT;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    json_array_foreach(json_object_get(reply, "members"), i, member)
    {
        if (strcmp(json_text(member, "user"), name) == 0) {
            r = get_fixed_hex(member, "id", &ret->user, sizeof ret->user);
        }
    }
    json_decref(reply);
    return r < 0 ? explain(r, project, name) : RIAD_EXIT_DONE;
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

/* Taken away from everybody, and opened again: what the kernel does without asking, such as with
 * mappings, ends with it. */
static int remount(const struct site_client *client, const struct site_workspace *project)
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
    if (code == RIAD_EXIT_DONE) {
        code = give_key(client, &project->id, project->roster.epoch, project->root, &reply);
    }
    if (code == RIAD_EXIT_DONE) {
        json_decref(reply);
    }
    return code;
}

int command_member_remove(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    _cleanup_site_user_ struct site_user user = { 0 };
    _cleanup_(change_done) struct change change = { 0 };
    struct options options;
    int code = begin_site(
            argc, argv, "pPrRjcF", 2, 2, "name the project and the user", &options, &client);
    int r;

    if (code == RIAD_EXIT_DONE) {
        code = find_member(&client, argv[optind], argv[optind + 1], &change.member);
    }
    if (code == RIAD_EXIT_DONE) {
        code = open_project(&options, &client, &user, argv[optind], &change);
    }
    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    r = riad_roster_draft_remove(&user.store.binding, &change.project.roster, change.project.data,
            change.project.size, &change.member.user, &user.keys, &change.file);
    if (r < 0) {
        return explain(r, argv[optind], argv[optind + 1]);
    }
    code = send_change(&client, &change);
    if (code == RIAD_EXIT_DONE && options.force) {
        code = remount(&client, &change.project);
    }
    return code == RIAD_EXIT_DONE
                   ? report(&options, argv[optind], argv[optind + 1], "", &change.member)
                   : code;
}

static int print_members(const json_t *list)
{
    const json_t *member;
    size_t i;

    printf("%-24s %-8s  %-20s  %s\n", "USER", "ROLE", "FINGERPRINT", "STATE");
    json_array_foreach(list, i, member)
    {
        printf("%-24s %-8s  %-20s  %s\n", json_text(member, "user"), json_text(member, "role"),
                json_text(member, "fingerprint"),
                json_is_true(json_object_get(member, "disabled")) ? "disabled" : "active");
    }
    return RIAD_EXIT_DONE;
}

int command_member_list(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    struct options options;
    json_t *reply, *list;
    int code = begin_site(argc, argv, "jc", 1, 1, "name the project", &options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = ask_site(&client, "members", json_pack("{s:s}", "workspace", argv[optind]), &reply);
    }
    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    list = json_object_get(reply, "members");
    code = options.json ? print_json(json_pack("{s:O}", "members", list)) : print_members(list);
    json_decref(reply);
    return code;
}
