/* riad user enroll, list, show, disable and enable. */
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "site_client.h"

/* What is made here before riadd hears of it. */
struct newcomer {
    struct riad_store store; /* its binding */
    struct riad_user user;
    struct riad_keypair keys;
    struct riad_workspace_draft home;
    struct riad_writer file;
    char recovery[RIAD_RECOVERY_TEXT_SIZE];
};

static void newcomer_done(struct newcomer *newcomer)
{
    riad_keypair_done(&newcomer->keys);
    riad_workspace_draft_done(&newcomer->home);
    riad_writer_done(&newcomer->file);
    riad_wipe(newcomer->recovery, sizeof newcomer->recovery);
}

static int ask_terms(const struct site_client *client, struct newcomer *newcomer)
{
    json_t *reply;
    int code = ask_site(client, "site", NULL, &reply), r;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    r = get_binding(reply, &newcomer->store.binding);
    newcomer->store.fd = -1;
    if (r < 0) {
        code = fail(RIAD_EXIT_FAILED, "riadd's answer cannot be understood");
    } else if (json_is_true(json_object_get(reply, "enrolled"))) {
        code = fail(RIAD_EXIT_FAILED, "you are a user of this site already: `riad unlock`");
    } else if (!json_is_true(json_object_get(reply, "may_enrol"))) {
        code = fail(RIAD_EXIT_NOT_PERMITTED, "users of this site cannot enrol themselves: ask an "
                                             "admin");
    }
    json_decref(reply);
    return code;
}

static int add_slots(struct newcomer *newcomer, const struct riad_secret *passphrase)
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    int r = riad_user_set_slot(
            &newcomer->user, &newcomer->store, &newcomer->keys, RIAD_SLOT_PASSPHRASE, passphrase);

    if (r == 0) {
        r = riad_recovery_new(&code, newcomer->recovery);
    }
    return r < 0 ? r
                 : riad_user_set_slot(&newcomer->user, &newcomer->store, &newcomer->keys,
                           RIAD_SLOT_RECOVERY, code);
}

/* The keys, their slots, and the home with its own key: all in this process. */
static int make(struct newcomer *newcomer, const struct riad_secret *passphrase)
{
    const struct passwd *account = getpwuid(geteuid());
    int r;

    if (!account || !riad_catalog_is_user_name(account->pw_name)) {
        return -ENOENT;
    }
    r = riad_user_create(&newcomer->user, &newcomer->keys);
    if (r < 0) {
        return r;
    }
    snprintf(newcomer->user.name, sizeof newcomer->user.name, "%s", account->pw_name);
    r = add_slots(newcomer, passphrase);
    if (r == 0) {
        riad_writer_init_growing(&newcomer->file, 2048, RIAD_ENVELOPE_MAX);
        r = riad_user_sign(
                &newcomer->user, &newcomer->store.binding, &newcomer->keys, &newcomer->file);
    }
    return r < 0 ? r
                 : riad_roster_draft(&newcomer->store.binding, NULL, RIAD_KIND_HOME, "home",
                           &newcomer->user, &newcomer->keys, &newcomer->home);
}

static int send_enrolment(const struct site_client *client, const struct newcomer *newcomer)
{
    json_t *reply;
    int code = ask_site(client, "enrol",
            json_pack("{s:o, s:o, s:o, s:o}", "user",
                    riad_control_hex(newcomer->file.data, newcomer->file.size), "workspace",
                    riad_control_hex(&newcomer->home.id, sizeof newcomer->home.id), "roster",
                    riad_control_hex(newcomer->home.roster.data, newcomer->home.roster.size),
                    "wrap", riad_control_hex(newcomer->home.wrap, sizeof newcomer->home.wrap)),
            &reply);

    if (code == RIAD_EXIT_DONE) {
        json_decref(reply);
    }
    return code;
}

/* The user exists from here on: the code is shown whatever comes. */
static int report(
        const struct options *options, const struct newcomer *newcomer, const char *directory)
{
    if (options->json) {
        return print_json(json_pack("{s:s, s:s, s:s}", "user", newcomer->user.name, "directory",
                directory, "recovery_code", newcomer->recovery));
    }
    printf("Enrolled `%s`.\n", newcomer->user.name);
    show_recovery(newcomer->recovery, "your user at this site");
    if (directory[0]) {
        printf("\nYour home is open: %s\n", directory);
    }
    return RIAD_EXIT_DONE;
}

static int enroll(
        const struct options *options, const struct site_client *client, struct newcomer *newcomer)
{
    json_t *reply = NULL;
    int code = send_enrolment(client, newcomer), opened;

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    opened = give_keys(client, &newcomer->home.id, newcomer->home.root, &reply);
    code = report(options, newcomer, opened == RIAD_EXIT_DONE ? json_text(reply, "directory") : "");
    json_decref(reply);
    return opened != RIAD_EXIT_DONE ? opened : code;
}

static int read_passphrase(const struct options *options, struct riad_secret **ret)
{
    enum riad_slot_kind kind = RIAD_SLOT_PASSPHRASE;

    return options->passphrase_fd >= 0 || options->passphrase_file
                   ? read_secret(options, "this site", &kind, ret)
                   : read_new_secret(NULL, "New passphrase", ret);
}

int command_user_enroll(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    _cleanup_secret_ struct riad_secret *passphrase = NULL;
    _cleanup_(newcomer_done) struct newcomer newcomer = { 0 };
    struct options options;
    int code = begin_site(argc, argv, "pPjc", 0, 0, "it takes no argument: you enrol yourself",
            &options, &client);
    int r;

    if (code == RIAD_EXIT_DONE) {
        code = ask_terms(&client, &newcomer);
    }
    if (code == RIAD_EXIT_DONE) {
        code = read_passphrase(&options, &passphrase);
    }
    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    r = make(&newcomer, passphrase);
    if (r < 0) {
        return fail(riad_exit_of(r),
                r == -ENOENT ? "you have no account that could enrol: %s"
                             : "cannot make your keys: %s",
                strerror(-r));
    }
    return enroll(&options, &client, &newcomer);
}

static void print_user(const json_t *user)
{
    printf("%-24s %10lld  %-20s  %s\n", json_text(user, "user"),
            (long long)json_integer_value(json_object_get(user, "uid")),
            json_text(user, "fingerprint"),
            json_is_true(json_object_get(user, "disabled")) ? "disabled" : "active");
}

/* All, or the one of that name. */
static int show_users(
        const struct options *options, const struct site_client *client, const char *name)
{
    json_t *reply, *found = json_array();
    const json_t *user;
    size_t i;
    int code = ask_site(client, "users", NULL, &reply);

    if (code != RIAD_EXIT_DONE) {
        json_decref(found);
        return code;
    }
    json_array_foreach(json_object_get(reply, "users"), i, user)
    {
        if (!name || strcmp(json_text(user, "user"), name) == 0) {
            json_array_append(found, (json_t *)user);
        }
    }
    json_decref(reply);
    if (name && json_array_size(found) == 0) {
        json_decref(found);
        return fail(RIAD_EXIT_FAILED, "the site has no user `%s`", name);
    }
    if (options->json) {
        return print_json(json_pack("{s:o}", "users", found));
    }
    printf("%-24s %10s  %-20s  %s\n", "USER", "UID", "FINGERPRINT", "STATE");
    json_array_foreach(found, i, user)
    {
        print_user(user);
    }
    json_decref(found);
    return RIAD_EXIT_DONE;
}

int command_user_list(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    struct options options;
    int code = begin_site(argc, argv, "jc", 0, 0, "it takes no argument", &options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = show_users(&options, &client, NULL);
    }
    return code < 0 ? RIAD_EXIT_DONE : code;
}

int command_user_show(int argc, char **argv)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    struct options options;
    int code = begin_site(argc, argv, "jc", 1, 1, "name the user", &options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = show_users(&options, &client, argv[optind]);
    }
    return code < 0 ? RIAD_EXIT_DONE : code;
}

static int set_disabled(int argc, char **argv, bool disabled)
{
    _cleanup_site_client_ struct site_client client = { 0 };
    struct options options;
    json_t *reply;
    int code = begin_site(argc, argv, "c", 1, 1, "name the user", &options, &client);

    if (code == RIAD_EXIT_DONE) {
        code = ask_site(&client, "set-user",
                json_pack("{s:s, s:b}", "user", argv[optind], "disabled", disabled), &reply);
    }
    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    json_decref(reply);
    printf(disabled ? "Disabled `%s`: the home is locked and kept.\n" : "Enabled `%s` again.\n",
            argv[optind]);
    return RIAD_EXIT_DONE;
}

int command_user_disable(int argc, char **argv)
{
    return set_disabled(argc, argv, true);
}

int command_user_enable(int argc, char **argv)
{
    return set_disabled(argc, argv, false);
}
