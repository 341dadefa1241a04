/* riad member list, add, role and remove: who may use a project. A manager signs in this process;
 * her private keys never leave it (K4). */
#include <stdio.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/key_text.h"

#include "roster_change.h"

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
        struct site_user *user, const char *name, struct roster_change *ret)
{
    int code = open_site_user(options, client, user);

    return code == RIAD_EXIT_DONE ? open_site_workspace(user, name, &ret->project) : code;
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
static int put(struct site_user *user, struct roster_change *change, bool present)
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
    _cleanup_(roster_change_done) struct roster_change change = { 0 };
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

int command_member_remove(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    _cleanup_site_user_ struct site_user user = { 0 };
    _cleanup_(roster_change_done) struct roster_change change = { 0 };
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
    code = send_with_epoch(&options, &client, &user, &change);
    return code == RIAD_EXIT_DONE
                   ? report(&options, argv[optind], argv[optind + 1], "", &change.member)
                   : code;
}

int command_workspace_rekey(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    _cleanup_site_user_ struct site_user user = { 0 };
    _cleanup_(roster_change_done) struct roster_change change = { 0 };
    struct options options;
    int code = begin_site(argc, argv, "pPrRjcF", 1, 1, "name the project", &options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = open_project(&options, &client, &user, argv[optind], &change);
    }
    if (code == RIAD_EXIT_DONE) {
        code = send_with_epoch(&options, &client, &user, &change);
    }
    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    if (options.json) {
        return print_json(json_pack("{s:s, s:I}", "workspace", argv[optind], "epoch",
                (json_int_t)change.after.epoch + 1));
    }
    printf("What is written to `%s` from now on is sealed under a new key (epoch %u). What is "
           "there "
           "stays under the older ones.\n",
            argv[optind], change.after.epoch + 1);
    return RIAD_EXIT_DONE;
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
