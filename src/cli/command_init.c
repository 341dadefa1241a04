#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "cli.h"

/* Users, slots and the first workspace, in an order in which a crash leaves a store that says what
 * it lacks. */
static int fill(const struct riad_store *store, const struct riad_secret *passphrase,
        const struct riad_catalog_limit *limit, char recovery[RIAD_RECOVERY_TEXT_SIZE],
        struct riad_id *ret_workspace)
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    struct riad_catalog catalog = { 0 };
    struct riad_keypair keys;
    struct riad_user user;
    int r = riad_user_create(&user, &keys);

    if (r < 0) {
        return r;
    }
    r = riad_user_set_slot(&user, store, &keys, RIAD_SLOT_PASSPHRASE, passphrase);
    if (r == 0) {
        r = riad_recovery_new(&code, recovery);
    }
    if (r == 0) {
        r = riad_user_set_slot(&user, store, &keys, RIAD_SLOT_RECOVERY, code);
    }
    if (r == 0) {
        r = riad_user_save(&user, store, &keys);
    }
    if (r == 0) {
        r = riad_roster_create(store, RIAD_KIND_HOME, "home", &user, &keys, ret_workspace);
    }
    if (r == 0) {
        r = riad_catalog_add_workspace(
                store, &keys, &catalog, ret_workspace, RIAD_KIND_HOME, &user.id, limit, NULL);
    }
    riad_catalog_done(&catalog);
    riad_keypair_done(&keys);
    return r;
}

/* A store that was made is made, whatever becomes of the local state. */
static void record_store(
        const struct options *options, const struct riad_store *store, const struct riad_id *home)
{
    struct riad_state state;
    int r = riad_state_open(options->state_dir, &state);

    if (r < 0) {
        fprintf(stderr, "riad: cannot use the state directory: %s (see --state-dir)\n",
                strerror(-r));
        return;
    }
    riad_events_record(&state, "store-created", &store->binding.store, home, "with a home");
    riad_state_close(&state);
}

static int report(const struct options *options, const struct riad_store *store, const char *path,
        const struct riad_id *workspace, const char *recovery)
{
    char store_id[33], workspace_id[33];

    riad_hex_encode(&store->binding.store, sizeof store->binding.store, store_id);
    riad_hex_encode(workspace, sizeof *workspace, workspace_id);
    if (options->json) {
        return print_json(json_pack("{s:s, s:s, s:s, s:s}", "store", path, "store_id", store_id,
                "workspace_id", workspace_id, "recovery_code", recovery));
    }
    printf("Made the store %s with the workspace `home`.\n", path);
    show_recovery(recovery, path);
    printf("\nMount it with: riad mount %s DIR\n", path);
    return RIAD_EXIT_DONE;
}

/* The first passphrase: given, or asked for twice. */
static int read_first_secret(
        const struct options *options, const char *store, struct riad_secret **ret)
{
    enum riad_slot_kind kind = RIAD_SLOT_PASSPHRASE;

    return options->passphrase_fd >= 0 || options->passphrase_file || getenv("RIAD_PASSPHRASE_FILE")
                   ? read_secret(options, store, &kind, ret)
                   : read_new_secret(NULL, "New passphrase", ret);
}

int command_init(int argc, char **argv)
{
    _cleanup_secret_ struct riad_secret *passphrase = NULL;
    struct riad_catalog_limit limit = { 0 };
    struct riad_store store = { .fd = -1 };
    struct riad_id workspace;
    struct options options;
    char recovery[RIAD_RECOVERY_TEXT_SIZE], path[PATH_MAX];
    int code, r = parse_options(argc, argv, "pPsjBI", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 1 != argc) {
        return usage_error("name the directory of the new store");
    }
    code = parse_limits(&options, &limit);
    if (code == RIAD_EXIT_DONE) {
        code = read_first_secret(&options, argv[optind], &passphrase);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    r = riad_store_create(argv[optind], &store);
    if (r == -ENOTEMPTY) {
        return fail(RIAD_EXIT_NOT_EMPTY,
                "%s is not empty: a store is made in an empty or new directory", argv[optind]);
    }
    if (r == 0) {
        r = fill(&store, passphrase, &limit, recovery, &workspace);
    }
    if (r < 0) {
        riad_store_close(&store);
        return fail(riad_exit_of(r), "cannot make the store %s: %s", argv[optind], strerror(-r));
    }
    record_store(&options, &store, &workspace);
    code = report(&options, &store, realpath(argv[optind], path) ? path : argv[optind], &workspace,
            recovery);
    riad_wipe(recovery, sizeof recovery);
    riad_store_close(&store);
    return code;
}
