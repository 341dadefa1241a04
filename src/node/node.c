/* Opening a site's store as one of its nodes, with all that must verify before it is believed. */
#include "riad/node.h"

#include <stdio.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/events.h"
#include "riad/host.h"
#include "riad/sandbox.h"

/* What the store holds is not what was signed, or not all of it: the trail has it. */
static int refuse(const struct riad_node *node, struct riad_reason *reason, int error,
        const char *what, const char *sentence)
{
    riad_events_record(&node->state, "refused", &node->store.binding.store, NULL, "%s %s (%s)",
            what, sentence, strerror(-error));
    return riad_explain(reason, error, "%s of the store %s %s (%s)", what, node->config.store,
            sentence, strerror(-error));
}

static int open_store(struct riad_node *node, struct riad_reason *reason)
{
    int r = riad_store_open(node->config.store, &node->store);

    if (r == -EMEDIUMTYPE || r == -ENOENT || r == -ENOTDIR) {
        return riad_explain(reason, -EMEDIUMTYPE, "%s, which %s names, is not a riad store",
                node->config.store, node->config.path);
    }
    if (r < 0) {
        return riad_explain(
                reason, r, "cannot open the store %s: %s", node->config.store, strerror(-r));
    }
    if (!node->store.site) {
        return riad_explain(reason, -EMEDIUMTYPE,
                "%s, which %s names, is one person's store, not a site's: `riad site init` makes "
                "one",
                node->config.store, node->config.path);
    }
    return RIAD_EXIT_DONE;
}

int riad_node_mark_site(const struct riad_node *node)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd =
            riad_state_directory(&node->state, "store", &node->store.binding.store, &path);

    return fd < 0 ? fd : riad_site_check_mark(&node->site, fd);
}

static int load_site(struct riad_node *node, struct riad_reason *reason)
{
    int r = riad_site_load(&node->store, &node->config.root, &node->site);

    if (r == -ENOENT) {
        return refuse(node, reason, -EUCLEAN, "the list of nodes", "is missing");
    }
    if (r < 0) {
        return refuse(node, reason, r, "the list of nodes",
                "is damaged, or signed by another root than this node's configuration names");
    }
    r = riad_node_mark_site(node);
    if (r == -ESTALE) {
        /* Another process may have added to it, and marked that, since ours was loaded. */
        riad_site_done(&node->site);
        r = riad_site_load(&node->store, &node->config.root, &node->site);
        r = r < 0 ? r : riad_node_mark_site(node);
    }
    if (r == -ESTALE) {
        return refuse(node, reason, r, "the list of nodes",
                "is older than this node has seen: the store was rolled back");
    }
    return r < 0 ? riad_explain_mark(reason, r, &node->state, &node->store, "site-mark")
                 : RIAD_EXIT_DONE;
}

static void find_member(struct riad_node *node)
{
    const struct riad_site_node *found = riad_site_find_key(&node->site, &node->self.sign_key);

    node->member = found != NULL;
    if (found) {
        node->self = *found;
    }
}

/* Store and local state are the service user's: what root writes there by hand is to be his, too.
 */
static int become_user(const struct riad_node *node, struct riad_reason *reason)
{
    struct riad_account account;
    int r;

    if (!node->config.user || geteuid() != 0) {
        return RIAD_EXIT_DONE;
    }
    r = riad_account_find(node->config.user, &account);
    if (r == 0) {
        r = riad_account_become(&account);
    }
    return r < 0 ? riad_explain(reason, r, "cannot become `%s`, the user in %s: %s",
                           node->config.user, node->config.path, strerror(-r))
                 : RIAD_EXIT_DONE;
}

static int find_key(
        struct riad_node *node, const struct riad_site_node *self, struct riad_reason *reason)
{
    int r = 0;

    if (self) {
        node->self = *self;
    } else {
        r = riad_node_key_load(node->config.node_key, &node->self, NULL);
    }
    if (r < 0 && r != -ENOENT) {
        return riad_explain(reason, r, "the node's key %s %s", node->config.node_key,
                r == -EPERM    ? "can be read by others, or is not ours: chown and chmod 600 it"
                : r == -EACCES ? "is not ours to read: this is for root"
                               : "is damaged: remove this node from the site, and join again");
    }
    return RIAD_EXIT_DONE;
}

static int open_state(struct riad_node *node, struct riad_reason *reason)
{
    int r = riad_state_open(node->config.state, &node->state);

    return r < 0 ? riad_explain(reason, r, "cannot use the state directory%s%s: %s",
                           node->config.state ? " " : "",
                           node->config.state ? node->config.state : "", strerror(-r))
                 : RIAD_EXIT_DONE;
}

int riad_node_refresh(struct riad_node *node, bool *ret_grown, struct riad_reason *ret_reason)
{
    struct riad_site old = node->site;
    int code;

    node->site = (struct riad_site){ 0 };
    code = load_site(node, ret_reason);
    if (code != RIAD_EXIT_DONE) {
        riad_site_done(&node->site);
        node->site = old;
        return code;
    }
    *ret_grown = node->site.ends.count != old.ends.count;
    riad_site_done(&old);
    find_member(node);
    return RIAD_EXIT_DONE;
}

int riad_node_open(const char *config_path, const struct riad_site_node *self,
        struct riad_node *ret, struct riad_reason *ret_reason)
{
    struct riad_node node = { .state.fd = -1, .store.fd = -1 };
    int code = riad_exit_of(riad_config_load(config_path, &node.config, ret_reason));

    if (code == RIAD_EXIT_DONE) {
        code = find_key(&node, self, ret_reason);
    }
    if (code == RIAD_EXIT_DONE) {
        code = become_user(&node, ret_reason);
    }
    if (code == RIAD_EXIT_DONE) {
        code = open_state(&node, ret_reason);
    }
    if (code == RIAD_EXIT_DONE) {
        code = open_store(&node, ret_reason);
    }
    if (code == RIAD_EXIT_DONE) {
        code = load_site(&node, ret_reason);
    }
    if (code != RIAD_EXIT_DONE) {
        riad_node_close(&node);
        return code;
    }
    find_member(&node);
    *ret = node;
    return RIAD_EXIT_DONE;
}

void riad_node_close(struct riad_node *node)
{
    riad_site_done(&node->site);
    riad_store_close(&node->store);
    riad_state_close(&node->state);
    riad_config_done(&node->config);
}

int riad_node_load_catalog(
        const struct riad_node *node, struct riad_catalog *ret, struct riad_reason *ret_reason)
{
    _cleanup_(riad_catalog_done) struct riad_catalog catalog = { 0 };
    int r = riad_site_load_catalog(&node->store, &node->site, &catalog);

    if (r < 0) {
        return refuse(node, ret_reason, r, "the catalog",
                "is damaged, or signed by none of the site's nodes");
    }
    r = riad_mark_catalog(&node->store, &node->state, &catalog);
    if (r == -ESTALE) {
        return refuse(node, ret_reason, r, "the catalog",
                "is older than this node has seen: the store was rolled back");
    }
    if (r < 0) {
        return riad_explain_mark(ret_reason, r, &node->state, &node->store, "catalog-mark");
    }
    *ret = catalog;
    catalog = (struct riad_catalog){ 0 };
    return RIAD_EXIT_DONE;
}
