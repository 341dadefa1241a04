/* riad node join, list, add and remove: which machines a site believes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/key_text.h"

#include "site_client.h"

enum { REMOVALS_MAX = 5 };

/* Verifies the store with the root that the admin gave, before anything is written. */
static int check_store(const char *path, const struct riad_public_key *root)
{
    _cleanup_(riad_site_done) struct riad_site site = { 0 };
    struct riad_store store = { .fd = -1 };
    int r = riad_store_open(path, &store);

    if (r < 0) {
        return fail(riad_exit_of(r), "%s is not a riad store, or cannot be read: %s", path,
                strerror(-r));
    }
    r = store.site ? riad_site_load(&store, root, &site) : -EMEDIUMTYPE;
    riad_store_close(&store);
    if (r == -EMEDIUMTYPE) {
        return fail(riad_exit_of(r), "%s is one person's store, not a site's", path);
    }
    return r < 0 ? fail(riad_exit_of(r),
                           "the list of nodes in %s is damaged, or not signed by that root (%s): "
                           "ask the site's admin for the key again",
                           path, strerror(-r))
                 : RIAD_EXIT_DONE;
}

static int report_join(const struct options *options, const struct identity *identity)
{
    char text[RIAD_NODE_TEXT_SIZE];
    int r = riad_node_text(&identity->node, text);

    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot show the node's key: %s", strerror(-r));
    }
    if (options->json) {
        return print_json(json_pack("{s:s, s:s, s:s}", "config", identity->path, "key",
                identity->key_path, "node", text));
    }
    printf("This machine can be a node now: %s, its key beside it.\n"
           "On a node of the site, with the site root's recovery code, it is added by\n\n"
           "    riad node add NAME %s\n",
            identity->path, text);
    return RIAD_EXIT_DONE;
}

int command_node_join(int argc, char **argv)
{
    _cleanup_identity_ struct identity identity = { 0 };
    _cleanup_free_ char *store = NULL;
    struct riad_public_key root;
    struct options options;
    int code, r = parse_options(argc, argv, "jcU", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 2 != argc) {
        return usage_error("name the store and the site root's public key");
    }
    if (riad_key_text_parse(argv[optind + 1], &root) < 0) {
        return usage_error("`%s` is no public key: `riad site show` on a node of the site tells it",
                argv[optind + 1]);
    }
    store = absolute_path(argv[optind]);
    code = store ? check_store(store, &root)
                 : fail(RIAD_EXIT_NOT_A_STORE, "no store at %s: %s", argv[optind], strerror(errno));
    if (code == RIAD_EXIT_DONE) {
        code = make_identity(&options, NULL, &identity);
    }
    if (code == RIAD_EXIT_DONE) {
        code = write_config(&identity, store, &root);
    }
    if (code == RIAD_EXIT_DONE) {
        code = give_state(&identity);
    }
    return code == RIAD_EXIT_DONE ? report_join(&options, &identity) : code;
}

static int show_node(const struct riad_node *node, const struct riad_site_node *item, json_t *list)
{
    char fingerprint[RIAD_FINGERPRINT_SIZE], id[33], added[32];
    bool self = riad_id_equal(&item->id, &node->self.id);
    int r = riad_key_fingerprint(&item->sign_key, fingerprint);

    if (r < 0) {
        return r;
    }
    riad_hex_encode(&item->id, sizeof item->id, id);
    if (list) {
        return json_array_append_new(
                list, json_pack("{s:s, s:s, s:s, s:I, s:b, s:b}", "node", item->name, "id", id,
                              "fingerprint", fingerprint, "added", (json_int_t)item->added.tv_sec,
                              "removed", item->removed, "self", self));
    }
    printf("%-24s %-20s %-8s %s%s\n", item->name, fingerprint, item->removed ? "removed" : "node",
            show_local_time(item->added.tv_sec, added), self ? "  (this one)" : "");
    return 0;
}

int command_node_list(int argc, char **argv)
{
    _cleanup_node_ struct riad_node node = { 0 };
    struct options options;
    json_t *list;
    int code = begin_node(argc, argv, "jc", 0, "", &options, NULL, &node), r = 0;

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    list = options.json ? json_array() : NULL;
    if (!list) {
        printf("%-24s %-20s %-8s %s\n", "NODE", "FINGERPRINT", "STATE", "ADDED");
    }
    for (size_t i = 0; i < node.site.node_count && r == 0; i++) {
        r = show_node(&node, &node.site.nodes[i], list);
    }
    if (r < 0) {
        json_decref(list);
        return fail(RIAD_EXIT_FAILED, "cannot list the nodes: %s", strerror(-r));
    }
    return list ? print_json(json_pack("{s:o}", "nodes", list)) : RIAD_EXIT_DONE;
}

/* The change stands; the mark makes an older list be noticed. */
static void mark_site(const struct riad_node *node)
{
    int r = riad_node_mark_site(node);

    if (r < 0) {
        fail(0, "the change stands, but is not marked in %s: %s", node->state.path, strerror(-r));
    }
}

static int add_node(struct riad_node *node, const struct riad_keypair *root,
        const struct riad_site_node *newcomer)
{
    int r = riad_site_add_node(&node->store, root, &node->site, newcomer);

    if (r == -EEXIST) {
        return fail(RIAD_EXIT_FAILED,
                "the site has a node `%s`, or one with that key, already: `riad node list` shows "
                "them; a removed node comes back with a new key (remove its node.key, and join)",
                newcomer->name);
    }
    if (r < 0) {
        return fail(riad_exit_of(r), "cannot add the node: %s", strerror(-r));
    }
    mark_site(node);
    record_node(node, "node-added", "%s", newcomer->name);
    return RIAD_EXIT_DONE;
}

int command_node_add(int argc, char **argv)
{
    _cleanup_secret_ struct riad_secret *recovery = NULL;
    _cleanup_(riad_keypair_done) struct riad_keypair root = { 0 };
    _cleanup_node_ struct riad_node node = { 0 };
    char fingerprint[RIAD_FINGERPRINT_SIZE] = "";
    struct riad_site_node newcomer;
    struct riad_user root_user;
    struct options options;
    int code = begin_node(argc, argv, "jcr", 2, "name the node, and what `riad node join` told",
            &options, &recovery, &node);

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    if (!riad_site_is_node_name(argv[optind])) {
        return usage_error(
                "`%s` is no node's name: letters, digits, dots, dashes, underscores", argv[optind]);
    }
    if (riad_node_text_parse(argv[optind + 1], &newcomer) < 0 ||
            riad_key_fingerprint(&newcomer.sign_key, fingerprint) < 0) {
        return usage_error("that is no node's key: `riad node join` on the node tells it, 136 "
                           "letters and digits 2 to 7");
    }
    snprintf(newcomer.name, sizeof newcomer.name, "%s", argv[optind]);
    code = open_site_root(&node, recovery, &root_user, &root);
    if (code == RIAD_EXIT_DONE) {
        code = add_node(&node, &root, &newcomer);
    }
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    if (options.json) {
        return print_json(
                json_pack("{s:s, s:s}", "node", newcomer.name, "fingerprint", fingerprint));
    }
    printf("Added the node `%s`, fingerprint %s.\n", newcomer.name, fingerprint);
    return RIAD_EXIT_DONE;
}

/* Also what removed nodes signed behind their ends: where that is why the catalog is refused, the
 * one who did it is removed again. */
static int load_all(
        const struct riad_node *node, struct riad_catalog *ret, struct riad_reason *reason)
{
    _cleanup_free_ struct riad_signer *signers = NULL;
    int r = riad_site_signers(&node->site, false, &signers);

    r = r < 0 ? r : riad_catalog_load(&node->store, signers, node->site.node_count, ret);
    r = r < 0 ? r : riad_mark_catalog(&node->store, &node->state, ret);
    if (r < 0) {
        snprintf(reason->text, sizeof reason->text,
                "the catalog cannot be read, was tampered with or rolled back (%s)", strerror(-r));
    }
    return riad_exit_of(r);
}

/* What the node signed until now counts. It may go on while it is being removed: then it is removed
 * again, with what it has signed meanwhile, until that holds. */
static int remove_node(struct riad_node *node, const struct riad_keypair *root,
        const struct riad_site_node *leaving, struct riad_reason *reason)
{
    _cleanup_(riad_catalog_done) struct riad_catalog catalog = { 0 };
    const struct riad_id id = leaving->id;
    struct riad_chain_end end;
    int code = load_all(node, &catalog, reason), r = -EBADMSG;

    for (unsigned i = 0; code == RIAD_EXIT_DONE && r == -EBADMSG && i < REMOVALS_MAX; i++) {
        _cleanup_(riad_catalog_done) struct riad_catalog check = { 0 };

        r = riad_catalog_catch_up(&node->store, &catalog);
        end = riad_chain_last(&catalog.ends);
        r = r < 0 ? r : riad_site_remove_node(&node->store, root, &node->site, &id, &end);
        if (r < 0) {
            break;
        }
        r = riad_site_load_catalog(&node->store, &node->site, &check);
    }
    if (code == RIAD_EXIT_DONE && r == -EBADMSG) {
        snprintf(reason->text, sizeof reason->text,
                "it goes on signing: stop it, or its access to the store, and remove it again");
        return riad_exit_of(r);
    }
    if (code == RIAD_EXIT_DONE && r < 0) {
        snprintf(reason->text, sizeof reason->text, "%s",
                r == -EBUSY ? "it is the last node of the site: add another one first"
                            : strerror(-r));
        return r == -EBUSY ? RIAD_EXIT_NOT_PERMITTED : riad_exit_of(r);
    }
    return code;
}

/* A riadd of a node that stays registers how far the terms of the one that left count. False: none
 * runs here, so the next that starts does. */
static bool tell_riadd(const struct riad_node *node)
{
    _cleanup_free_ char *control = riad_config_socket(&node->config, "control");
    json_t *reply = NULL;
    int r = control ? riad_control_call_path(control, "reload", NULL, SITE_TIMEOUT_MS, &reply)
                    : -ENOMEM;
    bool told = r == 0 && json_is_true(json_object_get(reply, "ok"));

    json_decref(reply);
    return told;
}

int command_node_remove(int argc, char **argv)
{
    _cleanup_secret_ struct riad_secret *recovery = NULL;
    _cleanup_(riad_keypair_done) struct riad_keypair root = { 0 };
    _cleanup_node_ struct riad_node node = { 0 };
    const struct riad_site_node *leaving;
    char name[RIAD_NODE_NAME_MAX + 1];
    struct riad_reason reason = { "" };
    struct riad_user root_user;
    struct options options;
    int code = begin_node(argc, argv, "jcr", 1, "name the node", &options, &recovery, &node);

    if (code != RIAD_EXIT_DONE) {
        return code < 0 ? RIAD_EXIT_DONE : code;
    }
    leaving = riad_site_find(&node.site, argv[optind]);
    if (!leaving) {
        return fail(RIAD_EXIT_FAILED, "the site has no node `%s`: `riad node list` shows them",
                argv[optind]);
    }
    snprintf(name, sizeof name, "%s", leaving->name);
    code = open_site_root(&node, recovery, &root_user, &root);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    code = remove_node(&node, &root, leaving, &reason);
    if (code != RIAD_EXIT_DONE) {
        return fail(code, "cannot remove the node `%s`: %s", name, reason.text);
    }
    mark_site(&node);
    record_node(&node, "node-removed", "%s", name);
    if (!tell_riadd(&node)) {
        fprintf(stderr,
                "riad: no riadd of a node that stays runs here: how far the terms of `%s` "
                "count is registered when one starts, or next looks at the site\n",
                name);
    }
    if (options.json) {
        return print_json(json_pack("{s:s}", "node", name));
    }
    printf("Removed the node `%s`: what it signs from now on does not count.\n", name);
    return RIAD_EXIT_DONE;
}
