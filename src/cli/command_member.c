/* riad member list, add, role and remove: who may use a project. A manager signs in this process;
 * her private keys never leave it (K4). */
#include <stdio.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/key_text.h"

#include "roster_change.h"

/* A user of riadd's list: her id and public keys, as the site's nodes signed them. */
static int take_user(const json_t *user, struct riad_member *ret)
{
    int r = get_fixed_hex(user, "id", &ret->user, sizeof ret->user);

    r = r < 0 ? r : get_fixed_hex(user, "wrap_key", &ret->wrap_key, sizeof ret->wrap_key);
    return r < 0 ? r : get_fixed_hex(user, "sign_key", &ret->sign_key, sizeof ret->sign_key);
}

/* The active one of that name, else one disabled. */
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
    r = found ? take_user(found, ret) : -ENOENT;
    json_decref(reply);
    return r < 0 ? fail(RIAD_EXIT_FAILED,
                           r == -ENOENT ? "the site has no user `%s`: `riad user enroll` makes one"
                                        : "riadd's answer about `%s` cannot be understood",
                           name)
                 : RIAD_EXIT_DONE;
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

/* What was drafted for one member, for later: it is told when riadd has it. */
static void note(
        json_t *list, const char *project, const char *name, const struct riad_member *member)
{
    char fingerprint[RIAD_FINGERPRINT_SIZE] = "";
    int r = riad_key_fingerprint(&member->sign_key, fingerprint);

    (void)r; /* then it is not shown */
    json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "workspace", project, "user",
                                        name, "role", riad_role_name(member->role), "group",
                                        member->group, "fingerprint", fingerprint));
}

static void print_note(const json_t *item)
{
    const char *group = json_text(item, "group");

    printf("`%s` is a %s of `%s`%s%s. Fingerprint: %s\n", json_text(item, "user"),
            json_text(item, "role"), json_text(item, "workspace"), group[0] ? ", as one of @" : "",
            group, json_text(item, "fingerprint"));
}

/* Passes the code on; takes the list over. */
static int tell(const struct options *options, int code, json_t *list)
{
    const json_t *item;
    size_t i;

    if (code == RIAD_EXIT_DONE && options->json) {
        return print_json(json_pack("{s:o}", "members", list));
    }
    json_array_foreach(list, i, item)
    {
        if (code == RIAD_EXIT_DONE) {
            print_note(item);
        }
    }
    json_decref(list);
    return code;
}

/* What is asked for. */
struct wish {
    const char *project, *name; /* a user's, or @ and a group's */
    enum riad_role role;
    json_t *list; /* of what is done */
};

static const char *group_of(const struct wish *wish)
{
    return wish->name[0] == '@' ? wish->name + 1 : NULL;
}

static int add_user(
        const struct site_client *client, const struct wish *wish, struct roster_change *change)
{
    struct riad_member member = { .role = wish->role };
    int code = find_user(client, wish->name, &member), r;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (riad_roster_find(&change->project.roster, &member.user)) {
        return fail(RIAD_EXIT_FAILED,
                "`%s` is a member of `%s` already: `riad member role` changes the role", wish->name,
                wish->project);
    }
    r = change_put(change, &member);
    if (r < 0) {
        return explain(r, wish->project, wish->name);
    }
    note(wish->list, wish->project, wish->name, &member);
    return RIAD_EXIT_DONE;
}

/* Those of the group who are users of the site, and no members yet. */
static int add_group(
        const struct site_client *client, const struct wish *wish, struct roster_change *change)
{
    json_t *reply;
    const json_t *user;
    size_t i;
    int r = 0;
    int code = ask_site(client, "group-users", json_pack("{s:s}", "group", group_of(wish)), &reply);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    json_array_foreach(json_object_get(reply, "users"), i, user)
    {
        struct riad_member member = { .role = wish->role };

        snprintf(member.group, sizeof member.group, "%s", group_of(wish));
        r = r < 0 ? r : take_user(user, &member);
        if (r < 0 || riad_roster_find(&change->project.roster, &member.user)) {
            continue;
        }
        r = change_put(change, &member);
        if (r == 0) {
            note(wish->list, wish->project, json_text(user, "user"), &member);
        }
    }
    json_decref(reply);
    return r < 0 ? explain(r, wish->project, wish->name) : RIAD_EXIT_DONE;
}

static int add(
        const struct options *options, const struct site_client *client, const struct wish *wish)
{
    _cleanup_site_user_ struct site_user user = { 0 };
    _cleanup_(roster_change_done) struct roster_change change = { 0 };
    int code = open_change(options, client, &user, wish->project, &change);

    if (code == RIAD_EXIT_DONE) {
        code = group_of(wish) ? add_group(client, wish, &change) : add_user(client, wish, &change);
    }
    if (code == RIAD_EXIT_DONE && change.project.size == change.known) {
        return fail(RIAD_EXIT_FAILED,
                "nobody of `%s` is a user of this site and no member of `%s` yet", wish->name,
                wish->project);
    }
    return code == RIAD_EXIT_DONE ? send_change(client, &change) : code;
}

int command_member_add(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    struct options options;
    struct wish wish = { 0 };
    int code = begin_site(argc, argv, "pPrRjcO", 2, 2, "name the project, and the user or @group",
            &options, &client);

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    wish = (struct wish){ .project = argv[optind], .name = argv[optind + 1], .list = json_array() };
    code = riad_role_parse(options.role ? options.role : "writer", &wish.role) < 0
                   ? usage_error("`%s` is no role: manager, writer or reader", options.role)
                   : add(&options, &client, &wish);
    return tell(&options, code, wish.list);
}

/* By the name that riadd tells of its members: one whose account is gone is one, too. */
static int find_member(const struct site_client *client, const char *project, const char *name,
        struct riad_id *ret)
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
            r = get_fixed_hex(member, "id", ret, sizeof *ret);
        }
    }
    json_decref(reply);
    return r < 0 ? explain(r, project, name) : RIAD_EXIT_DONE;
}

int command_member_role(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    _cleanup_site_user_ struct site_user user = { 0 };
    _cleanup_(roster_change_done) struct roster_change change = { 0 };
    struct options options;
    enum riad_role role;
    struct riad_id id;
    json_t *list;
    int code = begin_site(argc, argv, "pPrRjc", 3, 3, "name the project, the user and the role",
            &options, &client);
    int r;

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    if (riad_role_parse(argv[optind + 2], &role) < 0) {
        return usage_error("`%s` is no role: manager, writer or reader", argv[optind + 2]);
    }
    code = find_member(&client, argv[optind], argv[optind + 1], &id);
    if (code == RIAD_EXIT_DONE) {
        code = open_change(&options, &client, &user, argv[optind], &change);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    r = change_role(&change, &id, role);
    if (r < 0) {
        return explain(r, argv[optind], argv[optind + 1]);
    }
    code = send_change(&client, &change);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    list = json_array();
    note(list, argv[optind], argv[optind + 1], riad_roster_find(&change.project.roster, &id));
    return tell(&options, code, list);
}

/* All who are members because of the group; how many. */
static int remove_group(struct roster_change *change, const char *group)
{
    int count = 0;

    for (size_t i = change->project.roster.member_count; i-- > 0;) {
        const struct riad_member member = change->project.roster.members[i];
        int r = strcmp(member.group, group) == 0 ? change_remove(change, &member.user) : -ENOENT;

        if (r < 0 && r != -ENOENT) {
            return r;
        }
        if (r == 0) {
            count++;
            i = change->project.roster.member_count; /* the list is another one now */
        }
    }
    return count > 0 ? count : -ENOENT;
}

static int remove_members(
        const struct options *options, const struct site_client *client, const struct wish *wish)
{
    _cleanup_site_user_ struct site_user user = { 0 };
    _cleanup_(roster_change_done) struct roster_change change = { 0 };
    struct riad_id id;
    int code =
            group_of(wish) ? RIAD_EXIT_DONE : find_member(client, wish->project, wish->name, &id);
    int r;

    if (code == RIAD_EXIT_DONE) {
        code = open_change(options, client, &user, wish->project, &change);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    r = group_of(wish) ? remove_group(&change, group_of(wish)) : change_remove(&change, &id);
    return r < 0 ? explain(r, wish->project, wish->name)
                 : send_with_epoch(options, client, &change);
}

int command_member_remove(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    struct options options;
    struct wish wish = { 0 };
    int code = begin_site(argc, argv, "pPrRjcF", 2, 2, "name the project, and the user or @group",
            &options, &client);

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    wish = (struct wish){ .project = argv[optind], .name = argv[optind + 1] };
    code = remove_members(&options, &client, &wish);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (options.json) {
        return print_json(json_pack("{s:s, s:s}", "workspace", wish.project, "removed", wish.name));
    }
    printf("`%s` is no member of `%s` any more.\n", wish.name, wish.project);
    return RIAD_EXIT_DONE;
}

/* Waits until all is sealed under the new key. *ret_open: it is open here; else the next opening
 * goes on with it. */
static int follow_rekey(
        const struct options *options, const struct site_workspace *project, bool *ret_open)
{
    char id[2 * sizeof project->id + 1];
    json_t *figures = NULL;
    int code;

    *ret_open = true;
    if (options->no_wait) {
        return RIAD_EXIT_DONE;
    }
    riad_hex_encode(&project->id, sizeof project->id, id);
    code = follow_cleaning(options, "id", id, true, &figures);
    *ret_open = figures != NULL;
    json_decref(figures);
    return code;
}

static int report_rekey(const struct options *options, const char *name, uint32_t epoch, bool open)
{
    bool whole = open && !options->no_wait;

    if (options->json) {
        return print_json(json_pack("{s:s, s:I, s:b}", "workspace", name, "epoch",
                (json_int_t)epoch, "rekeyed", whole));
    }
    printf("`%s` is sealed under a new key (epoch %u)%s\n", name, epoch,
            whole  ? "."
            : open ? " from now on. What is there is being sealed anew: `riad status --json` tells."
                   : " from now on. What is there is sealed anew when it is open.");
    return RIAD_EXIT_DONE;
}

int command_workspace_rekey(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    _cleanup_site_user_ struct site_user user = { 0 };
    _cleanup_(roster_change_done) struct roster_change change = { 0 };
    struct options options;
    bool open = false;
    int code = begin_site(argc, argv, "pPrRjcFqW", 1, 1, "name the project", &options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = open_change(&options, &client, &user, argv[optind], &change);
    }
    if (code == RIAD_EXIT_DONE) {
        code = send_with_epoch(&options, &client, &change);
    }
    if (code == RIAD_EXIT_DONE) {
        code = follow_rekey(&options, &change.project, &open);
    }
    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    return report_rekey(&options, argv[optind], change.project.roster.epoch, open);
}

static int print_members(const json_t *list)
{
    const json_t *member;
    size_t i;

    printf("%-24s %-8s  %-16s %-20s  %s\n", "USER", "ROLE", "GROUP", "FINGERPRINT", "STATE");
    json_array_foreach(list, i, member)
    {
        printf("%-24s %-8s  %-16s %-20s  %s\n", json_text(member, "user"),
                json_text(member, "role"), json_text(member, "group"),
                json_text(member, "fingerprint"), json_text(member, "state"));
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
