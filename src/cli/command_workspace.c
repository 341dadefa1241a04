#include <stdio.h>
#include <string.h>
#include <time.h>

#include "riad/cleanup.h"
#include "riad/text.h"

#include "site_client.h"

/* A workspace's name may become a directory's (mount --all) and a table's cell. */
static bool is_good_name(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size > 64 || name[0] == '.' || name[0] == '-') {
        return false;
    }
    for (const char *c = name; *c; c++) {
        if (riad_text_control(c) || *c == ' ' || *c == '/') {
            return false;
        }
    }
    return true;
}

static int bad_name(const char *name)
{
    return fail(RIAD_EXIT_USAGE,
            "`%s` is no good name: 1 to 64 bytes, no spaces, control characters or `/`, not "
            "beginning with `.` or "
            "`-`",
            name);
}

static int check_name(const struct session *session, const char *name)
{
    const struct riad_catalog_workspace *entry;
    struct riad_roster roster;
    struct riad_keys *keys;
    int r;

    if (!is_good_name(name)) {
        return bad_name(name);
    }
    r = riad_unlocked_workspace(&session->unlocked, name, &roster, &keys, &entry);
    if (r == 0) {
        riad_keys_free(keys);
        riad_roster_done(&roster);
        return fail(RIAD_EXIT_FAILED, "%s has a workspace `%s` already", session->store, name);
    }
    return r == -ENOENT ? RIAD_EXIT_DONE
                        : fail(riad_exit_of(r),
                                  "the workspaces of %s cannot be read: run `riad fsck %s`",
                                  session->store, session->store);
}

/* What is asked for, and what came of it. */
struct creation {
    struct riad_catalog_limit limit;
    struct riad_catalog_expiry expiry;
    json_t *made; /* with --json; else NULL */
};

static int create(struct session *session, const char *name, const struct creation *creation)
{
    struct riad_unlocked *unlocked = &session->unlocked;
    char hex[33];
    struct riad_id id;
    int r = riad_roster_create(
            &unlocked->store, RIAD_KIND_PROJECT, name, &unlocked->user, &unlocked->keypair, &id);

    if (r == 0) {
        r = riad_catalog_add_workspace(&unlocked->store, &unlocked->keypair, &unlocked->catalog,
                &id, RIAD_KIND_PROJECT, &unlocked->user.id, &creation->limit, &creation->expiry);
    }
    if (r < 0) {
        return fail(riad_exit_of(r), "cannot make the workspace `%s`: %s", name, strerror(-r));
    }
    mark_catalog(session);
    record(session, &id, "workspace-created", "a project");
    riad_hex_encode(&id, sizeof id, hex);
    if (creation->made) {
        json_array_append_new(
                creation->made, json_pack("{s:s, s:s}", "workspace", name, "id", hex));
    } else {
        printf("Made the workspace `%s`. Mount it with: riad mount -w %s %s DIR\n", name, name,
                session->store);
    }
    return RIAD_EXIT_DONE;
}

/* Names are looked at before the first workspace is made: a slip in the last one makes none. */
static int create_all(
        struct session *session, int count, char **names, const struct creation *creation)
{
    int code = RIAD_EXIT_DONE;

    for (int i = 0; i < count && code == RIAD_EXIT_DONE; i++) {
        code = check_name(session, names[i]);
        for (int j = 0; j < i && code == RIAD_EXIT_DONE; j++) {
            code = strcmp(names[i], names[j]) == 0 ? usage_error("a name is given twice") : code;
        }
    }
    for (int i = 0; i < count && code == RIAD_EXIT_DONE; i++) {
        code = create(session, names[i], creation);
    }
    return code;
}

int command_workspace_create(int argc, char **argv)
{
    _cleanup_session_ struct session session = { 0 };
    struct creation creation = { 0 };
    struct options options;
    int code, r = parse_options(argc, argv, "pPrRksjBIEGcM", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 1 == argc && has_site(&options)) {
        return is_good_name(argv[optind]) ? create_site_project(&options, argv[optind])
                                          : bad_name(argv[optind]);
    }
    if (optind + 2 > argc) {
        return usage_error("name the store and the new workspaces");
    }
    code = parse_limits(&options, &creation.limit);
    if (code == RIAD_EXIT_DONE) {
        code = parse_expiry(&options, &creation.expiry);
    }
    if (code == RIAD_EXIT_DONE) {
        code = open_session(&options, argv[optind], &session);
    }
    if (code == RIAD_EXIT_DONE) { /* what is not said is as the default has it */
        creation.limit = session.unlocked.catalog.default_limit;
        code = parse_limits(&options, &creation.limit);
        riad_catalog_lower_soft(&creation.limit);
    }
    if (code == RIAD_EXIT_DONE) {
        creation.made = options.json ? json_array() : NULL;
        code = create_all(&session, argc - optind - 1, argv + optind + 1, &creation);
    }
    if (creation.made) {
        print_json(json_pack("{s:o}", "workspaces", creation.made));
    }
    return code;
}

static const char *const expiry_names[] = {
    [RIAD_EXPIRY_LIVE] = "live", [RIAD_EXPIRY_GRACE] = "grace", [RIAD_EXPIRY_LOCKED] = "locked"
};

static json_t *pack(const struct session *session, const struct riad_catalog_workspace *entry)
{
    char name[256] = "", id[33];
    int r = riad_unlocked_name(&session->unlocked, &entry->id, name);

    riad_hex_encode(&entry->id, sizeof entry->id, id);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:I, s:I, s:s}", "workspace",
            r < 0 ? "" : name, "id", id, "kind", entry->kind == RIAD_KIND_HOME ? "home" : "project",
            "bytes_limit", (json_int_t)entry->limit.bytes_hard, "inodes_limit",
            (json_int_t)entry->limit.inodes_hard, "damaged", r < 0, "expires",
            (json_int_t)entry->expiry.expires, "grace_seconds", (json_int_t)entry->expiry.grace,
            "expiry",
            expiry_names[riad_catalog_expiry_state(&entry->expiry, (uint64_t)time(NULL))]);
}

static const char *show_expiry(const json_t *item, char ret[64])
{
    int64_t expires = json_integer_value(json_object_get(item, "expires"));
    const char *state = json_text(item, "expiry");
    char when[32];

    if (expires == 0) {
        return "never";
    }
    snprintf(ret, 64, "%s%s", show_local_time(expires, when),
            strcmp(state, "locked") == 0  ? ", locked"
            : strcmp(state, "grace") == 0 ? ", read-only"
                                          : "");
    return ret;
}

static int print_list(json_t *list)
{
    json_t *item;
    size_t i;

    printf("%-24s %-8s %10s %9s  %-32s  %s\n", "WORKSPACE", "KIND", "LIMIT", "INODES", "ID",
            "EXPIRES");
    json_array_foreach(list, i, item)
    {
        char bytes[32], inodes[32], expiry[64];
        const char *name = json_text(item, "workspace");

        printf("%-24s %-8s %10s %9s  %s  %s\n", *name ? name : "(damaged: run riad fsck)",
                json_text(item, "kind"), show_bytes(json_number(item, "bytes_limit"), true, bytes),
                show_count(json_number(item, "inodes_limit"), true, inodes), json_text(item, "id"),
                show_expiry(item, expiry));
    }
    json_decref(list);
    return RIAD_EXIT_DONE;
}

static int print_site_list(const json_t *list)
{
    const json_t *item;
    size_t i;

    printf("%-24s %-8s %10s %10s %9s %9s  %-8s  %s\n", "WORKSPACE", "KIND", "USED", "LIMIT",
            "INODES", "LIMIT", "STATE", "EXPIRES");
    json_array_foreach(list, i, item)
    {
        bool open = json_is_true(json_object_get(item, "open"));
        char used[32], bytes[32], inodes_used[32], inodes[32], expiry[64];

        printf("%-24s %-8s %10s %10s %9s %9s  %-8s  %s\n", json_text(item, "workspace"),
                json_text(item, "kind"),
                open ? show_bytes(json_number(item, "bytes_used"), false, used) : "-",
                show_bytes(json_number(item, "bytes_limit"), true, bytes),
                open ? show_count(json_number(item, "inodes_used"), false, inodes_used) : "-",
                show_count(json_number(item, "inodes_limit"), true, inodes),
                json_is_true(json_object_get(item, "reserved")) ? "reserved"
                : open                                          ? "open"
                                                                : "locked",
                show_expiry(item, expiry));
    }
    return RIAD_EXIT_DONE;
}

/* Of a site: one's own, or for root all. */
static int list_site(const struct options *options)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    json_t *reply, *list;
    int code = open_site(options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = ask_site(&client, "workspaces", NULL, &reply);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    list = json_object_get(reply, "workspaces");
    code = options->json ? print_json(json_pack("{s:O}", "workspaces", list))
                         : print_site_list(list);
    json_decref(reply);
    return code;
}

int command_workspace_list(int argc, char **argv)
{
    _cleanup_session_ struct session session = { 0 };
    struct options options;
    json_t *list;
    int code, r = parse_options(argc, argv, "pPrksjc", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind == argc && has_site(&options)) {
        return list_site(&options);
    }
    code = begin_session(argc, argv, "pPrksj", 1, "name the store", &options, &session);

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    list = json_array();
    for (size_t i = 0; list && i < session.unlocked.catalog.workspace_count; i++) {
        if (!session.unlocked.catalog.workspaces[i].deleted) {
            json_array_append_new(list, pack(&session, &session.unlocked.catalog.workspaces[i]));
        }
    }
    return options.json ? print_json(json_pack("{s:o}", "workspaces", list)) : print_list(list);
}
