/* Whose terms of a workspace count (O1, K3). Those of a removed node do as far as they went when it
 * was removed: a node of the site looks, and registers it in the catalog for each workspace, oldest
 * workspace last. So a removed node is bounded where the oldest one says so, and of workspaces that
 * were made later no term of its counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/events.h"
#include "riad/term.h"

#include "site_host_priv.h"

static bool is_bounded(const struct riad_catalog *catalog, const struct riad_public_key *key)
{
    return catalog->workspace_count > 0 && riad_catalog_find_bound(&catalog->workspaces[0], key);
}

/* The last term that counts now; 0: there is none, or the workspace is no more, or never was made.
 */
static int last_term(
        const struct riad_site_host *site, const struct riad_id *workspace, uint32_t *ret)
{
    const struct riad_store *store = &site->node.store;
    _cleanup_close_ int fd = riad_store_open_workspace(store, workspace);
    struct riad_history history;
    int r = fd < 0 ? fd
                   : riad_history_load(fd, &store->binding, site->signers, workspace, &history);

    *ret = 0;
    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    if (history.count > 0) {
        *ret = history.terms[history.count - 1].number;
    }
    riad_history_done(&history);
    return 0;
}

/* (lock) What cannot be read is bounded by the last number: as if it had no bound. */
static struct riad_catalog_bound *collect(const struct riad_site_host *site)
{
    const struct riad_catalog *catalog = &site->catalog;
    struct riad_catalog_bound *bounds = calloc(catalog->workspace_count + 1, sizeof *bounds);

    for (size_t i = 0; bounds && i < catalog->workspace_count; i++) {
        bounds[i].workspace = catalog->workspaces[i].id;
        if (!catalog->workspaces[i].deleted &&
                last_term(site, &bounds[i].workspace, &bounds[i].last) < 0) {
            bounds[i].last = UINT32_MAX;
        }
    }
    return bounds;
}

/* (lock) The oldest by itself, after all others: it says that they are there. */
static int bound_node(struct riad_site_host *site, const struct riad_site_node *node)
{
    const struct riad_store *store = &site->node.store;
    size_t count = site->catalog.workspace_count;
    _cleanup_free_ struct riad_catalog_bound *bounds = collect(site);
    int r = bounds ? riad_catalog_bound_terms(store, &site->keys, &site->catalog, &node->sign_key,
                             bounds + 1, count - 1)
                   : -ENOMEM;

    r = r < 0 ? r
              : riad_catalog_bound_terms(
                        store, &site->keys, &site->catalog, &node->sign_key, bounds, 1);
    return r < 0 ? r : riad_mark_catalog(store, &site->node.state, &site->catalog);
}

void riad_site_bound_terms(struct riad_site_host *site)
{
    const struct riad_site *nodes = &site->node.site;

    for (size_t i = 0; i < nodes->node_count && site->catalog.workspace_count > 0; i++) {
        const struct riad_site_node *node = &nodes->nodes[i];
        int r = node->removed && !is_bounded(&site->catalog, &node->sign_key)
                        ? bound_node(site, node)
                        : 0;

        if (r < 0) {
            riad_events_record(&site->node.state, "terms-unbounded",
                    &site->node.store.binding.store, NULL,
                    "terms of a removed node count without an end, as before: %s", strerror(-r));
        }
    }
}

/* (lock) */
static uint64_t until(const struct riad_catalog *catalog,
        const struct riad_catalog_workspace *entry, const struct riad_site_node *node)
{
    const struct riad_catalog_term_bound *bound;

    if (!node->removed || !is_bounded(catalog, &node->sign_key)) {
        return UINT64_MAX;
    }
    bound = riad_catalog_find_bound(entry, &node->sign_key);
    return bound ? (uint64_t)bound->last + 1 : 0;
}

/* (lock) The set becomes those whose terms of the workspace count. */
static int renew(
        struct riad_site_host *site, const struct riad_id *workspace, struct riad_signers *signers)
{
    const struct riad_catalog_workspace *entry = riad_catalog_find(&site->catalog, workspace);
    const struct riad_site *nodes = &site->node.site;
    _cleanup_free_ struct riad_signer *items = NULL;
    int r = riad_site_signers(nodes, false, &items);

    if (r < 0) {
        return r;
    }
    for (size_t i = 0; entry && i < nodes->node_count; i++) {
        items[i].until = until(&site->catalog, entry, &nodes->nodes[i]);
    }
    return riad_signers_replace(signers, items, nodes->node_count);
}

/* A term by a key that is not known: the site may have a new node. */
static void refresh(void *context, struct riad_signers *signers)
{
    const struct riad_site_signing *signing = context;
    struct riad_site_host *site = signing->site;
    struct riad_reason reason;
    int r = -EIO;

    pthread_mutex_lock(&site->lock);
    if (riad_site_host_refresh(site, &reason) == RIAD_EXIT_DONE) {
        r = renew(site, &signing->workspace, signers);
    }
    pthread_mutex_unlock(&site->lock);
    if (r < 0) {
        riad_diag(RIAD_WARNING, "riadd: cannot look for new nodes of the site");
    }
}

int riad_site_signing_begin(
        struct riad_site_host *site, const struct riad_id *workspace, struct riad_site_signing *ret)
{
    int r;

    *ret = (struct riad_site_signing){ .site = site, .workspace = *workspace };
    r = riad_signers_new(NULL, 0, &ret->signers);
    if (r < 0) {
        return r;
    }
    riad_signers_on_unknown(ret->signers, refresh, ret);
    pthread_mutex_lock(&site->lock);
    r = renew(site, workspace, ret->signers);
    pthread_mutex_unlock(&site->lock);
    return r;
}

void riad_site_signing_done(struct riad_site_signing *signing)
{
    riad_signers_free(signing->signers);
    signing->signers = NULL;
}

void riad_site_update_signers(struct riad_site_host *site)
{
    struct riad_host *host = &site->host;

    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];
        const struct riad_site_mount *own;
        int r;

        if (!riad_host_hold(host, mount)) {
            continue;
        }
        own = mount->site;
        r = renew(site, &mount->id, own->signing.signers);
        riad_host_unhold(host, mount);
        if (r < 0) {
            riad_events_record(&site->node.state, "terms-unbounded",
                    &site->node.store.binding.store, &mount->id,
                    "whose terms count is as it was before: %s", strerror(-r));
        }
    }
}
