/* The catalog: reading the chain of batches (O3). */
#include "riad/catalog.h"

#include "riad/cleanup.h"
#include "riad/error.h"

#include "catalog_priv.h"

struct riad_chain riad_catalog_chain(
        const struct riad_store *store, const struct riad_catalog *catalog)
{
    return (struct riad_chain){ store, "catalog", RIAD_ENVELOPE_CATALOG, "riad/v1/catalog",
        catalog->signers, catalog->signer_count };
}

static int apply(void *context, const uint8_t *body, size_t size, const struct riad_hash *hash)
{
    return riad_catalog_apply(context, body, size, hash);
}

int riad_catalog_catch_up(const struct riad_store *store, struct riad_catalog *catalog)
{
    const struct riad_chain chain = riad_catalog_chain(store, catalog);

    return riad_chain_catch_up(&chain, &catalog->ends, apply, catalog);
}

static int duplicate(const void *items, size_t count, size_t size, void **ret)
{
    void *copy = NULL;

    if (count > 0) {
        copy = reallocarray(NULL, count, size);
        if (!copy) {
            return -ENOMEM;
        }
        memcpy(copy, items, count * size);
    }
    *ret = copy;
    return 0;
}

int riad_catalog_set_signers(
        struct riad_catalog *catalog, const struct riad_signer *signers, size_t count)
{
    void *copy;
    int r = duplicate(signers, count, sizeof *signers, &copy);

    if (r < 0) {
        return r;
    }
    catalog->signers = copy;
    catalog->signer_count = count;
    return 0;
}

int riad_catalog_load(const struct riad_store *store, const struct riad_signer *signers,
        size_t count, struct riad_catalog *ret)
{
    _cleanup_(riad_catalog_done) struct riad_catalog catalog = { 0 };
    int r;

    r = riad_catalog_set_signers(&catalog, signers, count);
    if (r < 0) {
        return r;
    }
    r = riad_catalog_catch_up(store, &catalog);
    if (r < 0) {
        return r;
    }
    *ret = catalog;
    catalog = (struct riad_catalog){ 0 };
    return 0;
}

void riad_catalog_done(struct riad_catalog *catalog)
{
    for (size_t i = 0; i < catalog->workspace_count; i++) {
        free(catalog->workspaces[i].members);
        free(catalog->workspaces[i].epoch_ends);
        free(catalog->workspaces[i].term_bounds);
    }
    free(catalog->workspaces);
    riad_catalog_free_subjects(catalog);
    free(catalog->users);
    free(catalog->workspace_places.slots);
    free(catalog->user_places.slots);
    free(catalog->ends.items);
    free(catalog->signers);
    *catalog = (struct riad_catalog){ 0 };
}

const struct riad_catalog_workspace *riad_catalog_find(
        const struct riad_catalog *catalog, const struct riad_id *workspace)
{
    return riad_catalog_places_find(&catalog->workspace_places, catalog->workspaces,
            sizeof *catalog->workspaces, workspace);
}

/* Gives the workspace, a copy, lists of its own; also on a failure it holds only these. */
static int copy_lists(struct riad_catalog_workspace *workspace)
{
    const struct riad_catalog_workspace from = *workspace;
    void *items;
    int r;

    workspace->members = NULL;
    workspace->epoch_ends = NULL;
    workspace->term_bounds = NULL;
    r = duplicate(from.members, from.member_count, sizeof *from.members, &items);
    if (r < 0) {
        return r;
    }
    workspace->members = items;
    r = duplicate(from.epoch_ends, from.epoch_end_count, sizeof *from.epoch_ends, &items);
    if (r < 0) {
        return r;
    }
    workspace->epoch_ends = items;
    r = duplicate(from.term_bounds, from.term_bound_count, sizeof *from.term_bounds, &items);
    if (r < 0) {
        return r;
    }
    workspace->term_bounds = items;
    return 0;
}

/* Counts each workspace when its lists are its own, so that what was copied can be freed. */
static int copy_workspaces(const struct riad_catalog *catalog, struct riad_catalog *copy)
{
    void *items;
    int r = duplicate(
            catalog->workspaces, catalog->workspace_count, sizeof *catalog->workspaces, &items);

    if (r < 0) {
        return r;
    }
    copy->workspaces = items;
    for (size_t i = 0; i < catalog->workspace_count; i++) {
        r = copy_lists(&copy->workspaces[i]);
        copy->workspace_count = i + 1;
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

static int copy_places(const struct riad_catalog_places *from, struct riad_catalog_places *ret)
{
    void *slots;
    int r = duplicate(from->slots, from->size, sizeof *from->slots, &slots);

    if (r == 0) {
        *ret = (struct riad_catalog_places){ slots, from->size };
    }
    return r;
}

int riad_catalog_copy(const struct riad_catalog *catalog, struct riad_catalog *copy)
{
    void *items;
    int r;

    copy->default_limit = catalog->default_limit;
    copy->subject_changes = catalog->subject_changes;
    r = riad_catalog_set_signers(copy, catalog->signers, catalog->signer_count);
    r = r < 0 ? r : copy_places(&catalog->workspace_places, &copy->workspace_places);
    r = r < 0 ? r : copy_places(&catalog->user_places, &copy->user_places);
    if (r < 0) {
        return r;
    }
    r = copy_workspaces(catalog, copy);
    r = r < 0 ? r : riad_catalog_copy_subjects(catalog, copy);
    if (r < 0) {
        return r;
    }
    r = duplicate(catalog->users, catalog->user_count, sizeof *catalog->users, &items);
    if (r < 0) {
        return r;
    }
    copy->users = items;
    copy->user_count = catalog->user_count;
    r = duplicate(catalog->ends.items, catalog->ends.count, sizeof *catalog->ends.items, &items);
    if (r < 0) {
        return r;
    }
    copy->ends = (struct riad_chain_ends){ items, catalog->ends.count };
    return 0;
}

enum riad_expiry_state riad_catalog_expiry_state(
        const struct riad_catalog_expiry *expiry, uint64_t now)
{
    if (expiry->expires == 0 || now < expiry->expires) {
        return RIAD_EXPIRY_LIVE;
    }
    return now - expiry->expires < expiry->grace ? RIAD_EXPIRY_GRACE : RIAD_EXPIRY_LOCKED;
}

int riad_catalog_check_mark(const struct riad_catalog *catalog, int state_fd)
{
    return riad_chain_check_mark(&catalog->ends, "catalog-mark", state_fd);
}
