/* riad site init, show and recovery: the root of a site, and its first node. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/key_text.h"

#include "cli.h"

/* The host's name, as far as it is one for a node. */
static const char *default_name(char buffer[RIAD_NODE_NAME_MAX + 1])
{
    if (gethostname(buffer, RIAD_NODE_NAME_MAX + 1) < 0) {
        return "node";
    }
    buffer[RIAD_NODE_NAME_MAX] = '\0';
    return riad_site_is_node_name(buffer) ? buffer : "node";
}

/* The root is a user whose file has one slot, that of the recovery code: it is used so rarely that
 * a passphrase would be forgotten. */
static int make_root(const struct riad_store *store, char recovery[RIAD_RECOVERY_TEXT_SIZE],
        struct riad_user *ret, struct riad_keypair *keys)
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    int r = riad_user_create(ret, keys);

    if (r < 0) {
        return r;
    }
    snprintf(ret->name, sizeof ret->name, "site root");
    r = riad_recovery_new(&code, recovery);
    if (r == 0) {
        r = riad_user_set_slot(ret, store, keys, RIAD_SLOT_RECOVERY, code);
    }
    return r < 0 ? r : riad_user_save(ret, store, keys);
}

static int fill(const struct riad_store *store, const struct riad_site_node *node,
        char recovery[RIAD_RECOVERY_TEXT_SIZE], struct riad_public_key *ret_root)
{
    _cleanup_(riad_keypair_done) struct riad_keypair keys = { 0 };
    struct riad_user root;
    int r = make_root(store, recovery, &root, &keys);

    if (r == 0) {
        r = riad_site_create(store, &root, &keys, node);
    }
    if (r == 0) {
        *ret_root = keys.sign_key;
    }
    return r;
}

static int report_init(const struct options *options, const char *store,
        const struct identity *identity, const struct riad_public_key *root, const char *recovery)
{
    char key[RIAD_KEY_TEXT_SIZE];
    int r = riad_key_text(root, key);

    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot show the root's key: %s", strerror(-r));
    }
    if (options->json) {
        return print_json(
                json_pack("{s:s, s:s, s:s, s:s, s:s}", "store", store, "config", identity->path,
                        "node", identity->node.name, "root", key, "recovery_code", recovery));
    }
    printf("Made the site's store %s; this machine is its first node, `%s`.\n"
           "Its configuration is %s, the node's key beside it.\n"
           "\nRecovery code of the site root:\n\n    %s\n\n"
           "It is shown this once. Write it down and keep it away from every machine: whoever has "
           "it decides which\n"
           "nodes the site believes. It is needed to add and to remove nodes, and for nothing "
           "else.\n"
           "\nTo join from another machine: riad node join STORE %s\n",
            store, identity->node.name, identity->path, recovery, key);
    return RIAD_EXIT_DONE;
}

static int make_site(const char *store_path, const struct identity *identity,
        char recovery[RIAD_RECOVERY_TEXT_SIZE], struct riad_public_key *ret_root)
{
    struct riad_store store = { .fd = -1 };
    int r = riad_store_create_site(store_path, &store);

    if (r == -ENOTEMPTY) {
        return fail(RIAD_EXIT_NOT_EMPTY,
                "%s is not empty: a store is made in an empty or new directory", store_path);
    }
    if (r == 0) {
        r = fill(&store, &identity->node, recovery, ret_root);
    }
    riad_store_close(&store);
    return r < 0 ? fail(riad_exit_of(r), "cannot make the store %s: %s", store_path, strerror(-r))
                 : RIAD_EXIT_DONE;
}

/* Opens it as every later command will: what was made is verified, marked and recorded. */
static int open_made(const struct identity *identity)
{
    _cleanup_node_ struct riad_node node = { 0 };
    int code = open_node(identity->path, &node);

    if (code == RIAD_EXIT_DONE) {
        record_node(&node, "site-created", "with the node %s", node.self.name);
    }
    return code;
}

int command_site_init(int argc, char **argv)
{
    _cleanup_identity_ struct identity identity = { 0 };
    _cleanup_free_ char *store = NULL;
    char recovery[RIAD_RECOVERY_TEXT_SIZE] = "", host[RIAD_NODE_NAME_MAX + 1];
    struct riad_public_key root;
    struct options options;
    int code, r = parse_options(argc, argv, "jcNU", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 1 != argc) {
        return usage_error("name the directory of the new store");
    }
    store = absolute_path(argv[optind]);
    if (!store) {
        return fail(RIAD_EXIT_FAILED, "cannot use %s: %s", argv[optind], strerror(errno));
    }
    code = make_identity(&options, options.name ? options.name : default_name(host), &identity);
    if (code == RIAD_EXIT_DONE) {
        code = make_site(store, &identity, recovery, &root);
    }
    if (code == RIAD_EXIT_DONE) {
        code = write_config(&identity, store, &root);
    }
    if (code == RIAD_EXIT_DONE) {
        code = give_store(&identity, store);
    }
    if (code == RIAD_EXIT_DONE) {
        code = give_state(&identity);
    }
    if (code == RIAD_EXIT_DONE) {
        code = open_made(&identity);
    }
    if (code == RIAD_EXIT_DONE) {
        code = report_init(&options, store, &identity, &root, recovery);
    }
    riad_wipe(recovery, sizeof recovery);
    return code;
}

static int print_site(const struct riad_node *node, const char *root, const char *fingerprint)
{
    char hex[33];

    riad_hex_encode(&node->store.binding.store, sizeof node->store.binding.store, hex);
    printf("Store          %s\nStore id       %s\nSite root      %s\nFingerprint    %s\n",
            node->config.store, hex, root, fingerprint);
    printf("Configuration  %s\nLocal state    %s\n", node->config.path, node->state.path);
    if (node->member) {
        printf("This node      %s\n", node->self.name);
    } else {
        printf("This node      not one of the site's: it was removed, or has not been added yet "
               "(riad node add)\n");
    }
    return RIAD_EXIT_DONE;
}

int command_site_show(int argc, char **argv)
{
    _cleanup_node_ struct riad_node node = { 0 };
    char root[RIAD_KEY_TEXT_SIZE], fingerprint[RIAD_FINGERPRINT_SIZE], hex[33];
    struct options options;
    int code = begin_node(argc, argv, "jc", 0, "", &options, NULL, &node), r;

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    r = riad_key_text(&node.site.root, root);
    r = r < 0 ? r : riad_key_fingerprint(&node.site.root, fingerprint);
    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot show the root's key: %s", strerror(-r));
    }
    if (!options.json) {
        return print_site(&node, root, fingerprint);
    }
    riad_hex_encode(&node.store.binding.store, sizeof node.store.binding.store, hex);
    return print_json(json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s?}", "store", node.config.store,
            "store_id", hex, "root", root, "fingerprint", fingerprint, "config", node.config.path,
            "state", node.state.path, "node", node.member ? node.self.name : NULL));
}

int command_site_recovery(int argc, char **argv)
{
    _cleanup_secret_ struct riad_secret *recovery = NULL;
    _cleanup_(riad_keypair_done) struct riad_keypair keys = { 0 };
    _cleanup_secret_ struct riad_secret *fresh = NULL;
    _cleanup_node_ struct riad_node node = { 0 };
    char text[RIAD_RECOVERY_TEXT_SIZE];
    struct riad_user root;
    struct options options;
    int code = begin_node(argc, argv, "jcr", 0, "", &options, &recovery, &node), r;

    if (code == RIAD_EXIT_DONE) {
        code = open_site_root(&node, recovery, &root, &keys);
    }
    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    r = riad_recovery_new(&fresh, text);
    r = r < 0 ? r : riad_user_set_slot(&root, &node.store, &keys, RIAD_SLOT_RECOVERY, fresh);
    r = r < 0 ? r : riad_user_save(&root, &node.store, &keys);
    if (r < 0) {
        return fail(riad_exit_of(r), "cannot write the site root's file: %s: the old code holds",
                strerror(-r));
    }
    record_node(&node, "key-changed", "a new recovery code opens the site root");
    if (options.json) {
        print_json(json_pack("{s:s, s:s}", "store", node.config.store, "recovery_code", text));
    } else {
        printf("\nNew recovery code of the site root:\n\n    %s\n\nIt is shown this once. An old "
               "copy of the store still opens with the old one.\n",
                text);
    }
    riad_wipe(text, sizeof text);
    return RIAD_EXIT_DONE;
}
