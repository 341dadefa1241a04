/* The catalog: reading the chain of batches and adding to it (O3). */
#include "riad/catalog.h"

#include "riad/cleanup.h"
#include "riad/error.h"

#include "catalog_priv.h"

enum { TRIES_MAX = 1000 };

static struct riad_chain chain_of(
        const struct riad_store *store, const struct riad_signer *signers, size_t count)
{
    return (struct riad_chain){ store, "catalog", RIAD_ENVELOPE_CATALOG, "riad/v1/catalog", signers,
        count };
}

static int apply(void *context, const uint8_t *body, size_t size, const struct riad_hash *hash)
{
    return riad_catalog_apply(context, body, size, hash);
}

int riad_catalog_catch_up(const struct riad_store *store, struct riad_catalog *catalog)
{
    const struct riad_chain chain = chain_of(store, catalog->signers, catalog->signer_count);

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

static int set_signers(
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

    r = set_signers(&catalog, signers, count);
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
    free(catalog->workspaces);
    free(catalog->users);
    free(catalog->ends.items);
    free(catalog->signers);
    *catalog = (struct riad_catalog){ 0 };
}

const struct riad_catalog_workspace *riad_catalog_find(
        const struct riad_catalog *catalog, const struct riad_id *workspace)
{
    for (size_t i = 0; i < catalog->workspace_count; i++) {
        if (riad_id_equal(&catalog->workspaces[i].id, workspace)) {
            return &catalog->workspaces[i];
        }
    }
    return NULL;
}

/* What a command adds: a workspace with its limit and expiry, another one of these, or that a
 * workspace is deleted. */
enum addition_kind {
    ADD_WORKSPACE,
    ADD_LIMIT,
    ADD_EXPIRY,
    ADD_DELETION,
    ADD_ENROLMENT,
    ADD_USER_CHANGE
};

struct addition {
    const struct riad_catalog_workspace
            *workspace; /* NULL: an enrolment without, a user's change */
    enum addition_kind kind;
    const struct riad_catalog_user *user; /* these two */
};

static int check_user(const struct riad_catalog *catalog, const struct addition *addition)
{
    bool present = riad_catalog_find_user(catalog, &addition->user->id) != NULL;

    if (addition->kind == ADD_USER_CHANGE && !present) {
        return -ENOENT;
    }
    return (addition->kind == ADD_ENROLMENT && present) ||
                           riad_catalog_user_collides(catalog, addition->user)
                   ? -EEXIST
                   : 0;
}

static int check_addition(const struct riad_catalog *catalog, const struct addition *addition)
{
    const struct riad_catalog_workspace *present =
            addition->workspace ? riad_catalog_find(catalog, &addition->workspace->id) : NULL;
    int r = addition->user ? check_user(catalog, addition) : 0;

    if (addition->user || addition->kind == ADD_WORKSPACE) {
        return present ? -EEXIST : r;
    }
    return present && !present->deleted ? 0 : -ENOENT;
}

static uint32_t count_entries(const struct addition *addition)
{
    uint32_t workspace = !addition->workspace ? 0 : addition->workspace->expiry.expires > 0 ? 3 : 2;

    if (addition->kind == ADD_WORKSPACE || addition->user) {
        return workspace + (addition->user != NULL);
    }
    return 1;
}

static void put_workspace(
        const struct riad_catalog_workspace *workspace, struct riad_writer *writer)
{
    riad_catalog_put_workspace_entry(workspace, writer);
    riad_catalog_put_limit_entry(&workspace->id, &workspace->limit, writer);
    if (workspace->expiry.expires > 0) {
        riad_catalog_put_expiry_entry(&workspace->id, &workspace->expiry, writer);
    }
}

static void put_entries(const struct riad_catalog *catalog, const struct addition *addition,
        struct riad_writer *writer)
{
    const struct riad_catalog_workspace *workspace = addition->workspace;
    struct riad_catalog_workspace deleted;

    switch (addition->kind) {
    case ADD_WORKSPACE:
        put_workspace(workspace, writer);
        break;
    case ADD_ENROLMENT:
    case ADD_USER_CHANGE:
        riad_catalog_put_user_entry(addition->user, writer);
        if (workspace) {
            put_workspace(workspace, writer);
        }
        break;
    case ADD_LIMIT:
        riad_catalog_put_limit_entry(&workspace->id, &workspace->limit, writer);
        break;
    case ADD_EXPIRY:
        riad_catalog_put_expiry_entry(&workspace->id, &workspace->expiry, writer);
        break;
    case ADD_DELETION:
        deleted = *riad_catalog_find(catalog, &addition->workspace->id);
        deleted.deleted = true;
        riad_catalog_put_workspace_entry(&deleted, writer);
        break;
    }
}

static int encode_addition(const struct riad_catalog *catalog, const struct addition *addition,
        struct riad_writer *writer)
{
    struct riad_catalog_batch batch = {
        .first_number = riad_chain_last(&catalog->ends).next_number,
        .previous = riad_chain_last(&catalog->ends).head,
        .count = count_entries(addition),
    };

    if (clock_gettime(CLOCK_REALTIME, &batch.time) < 0) {
        return -errno;
    }
    riad_catalog_batch_encode(&batch, writer);
    put_entries(catalog, addition, writer);
    riad_put_b32(writer, NULL, 0);
    return writer->error;
}

/* What everybody else would refuse to read is not written: it would end the catalog for all. */
static int check_signer(const struct riad_catalog *catalog, const struct riad_keypair *keys)
{
    uint64_t number = riad_chain_last(&catalog->ends).next_number;

    for (size_t i = 0; i < catalog->signer_count; i++) {
        const struct riad_signer *signer = &catalog->signers[i];

        if (number < signer->until &&
                memcmp(&signer->key, &keys->sign_key, sizeof signer->key) == 0) {
            return 0;
        }
    }
    return -EBADMSG;
}

/* -EEXIST: somebody was faster. */
static int publish(const struct riad_store *store, const struct riad_keypair *keys,
        const struct riad_catalog *catalog, const struct addition *addition)
{
    const struct riad_chain chain = chain_of(store, catalog->signers, catalog->signer_count);
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };
    int r;

    riad_writer_init_growing(&body, 512, RIAD_ENVELOPE_BODY_MAX);
    r = encode_addition(catalog, addition, &body);
    if (r < 0) {
        return r;
    }
    return riad_chain_publish(
            &chain, keys, riad_chain_last(&catalog->ends).next_number, body.data, body.size);
}

/* Its last catch-up reads back what was published, through the same code as everybody else's. */
static int append(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct addition *addition)
{
    int r = -EEXIST;

    for (unsigned tries = 0; r == -EEXIST && tries < TRIES_MAX; tries++) {
        r = riad_catalog_catch_up(store, catalog);
        if (r < 0) {
            return r;
        }
        r = check_signer(catalog, keys);
        if (r == 0) {
            r = check_addition(catalog, addition);
        }
        if (r < 0) {
            return r;
        }
        r = publish(store, keys, catalog, addition);
    }
    if (r < 0) {
        return r == -EEXIST ? -EAGAIN : r;
    }
    return riad_catalog_catch_up(store, catalog);
}

/* On failure *copy holds what was copied so far. */
static int copy_catalog(const struct riad_catalog *catalog, struct riad_catalog *copy)
{
    void *items;
    int r;

    r = set_signers(copy, catalog->signers, catalog->signer_count);
    if (r < 0) {
        return r;
    }
    r = duplicate(
            catalog->workspaces, catalog->workspace_count, sizeof *catalog->workspaces, &items);
    if (r < 0) {
        return r;
    }
    copy->workspaces = items;
    copy->workspace_count = catalog->workspace_count;
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

/* Works on a copy, so that a failure leaves the caller's catalog as it was. */
static int add(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct addition *addition)
{
    const struct riad_signer self = riad_signer_always(&keys->sign_key);
    _cleanup_(riad_catalog_done) struct riad_catalog copy = { 0 };
    int r;

    if (store->read_only) {
        return -EROFS;
    }
    r = copy_catalog(catalog, &copy);
    if (r == 0 && copy.signer_count == 0) {
        r = set_signers(&copy, &self, 1);
    }
    if (r < 0) {
        return r;
    }
    r = append(store, keys, &copy, addition);
    if (r < 0) {
        return r;
    }
    riad_catalog_done(catalog);
    *catalog = copy;
    copy = (struct riad_catalog){ 0 };
    return 0;
}

int riad_catalog_add_workspace(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        enum riad_workspace_kind kind, const struct riad_id *owner,
        const struct riad_catalog_limit *limit, const struct riad_catalog_expiry *expiry)
{
    struct riad_catalog_workspace entry = {
        .id = *workspace, .kind = kind, .owner = *owner, .limit = *limit
    };
    const struct addition addition = { &entry, ADD_WORKSPACE, NULL };

    if (kind != RIAD_KIND_HOME && kind != RIAD_KIND_PROJECT) {
        return -EINVAL;
    }
    if (expiry) {
        entry.expiry = *expiry;
    }
    return add(store, keys, catalog, &addition);
}

int riad_catalog_set_limit(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_catalog_limit *limit)
{
    const struct riad_catalog_workspace entry = { .id = *workspace, .limit = *limit };
    const struct addition addition = { &entry, ADD_LIMIT, NULL };

    return add(store, keys, catalog, &addition);
}

int riad_catalog_set_expiry(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_catalog_expiry *expiry)
{
    const struct riad_catalog_workspace entry = { .id = *workspace, .expiry = *expiry };
    const struct addition addition = { &entry, ADD_EXPIRY, NULL };

    return add(store, keys, catalog, &addition);
}

enum riad_expiry_state riad_catalog_expiry_state(
        const struct riad_catalog_expiry *expiry, uint64_t now)
{
    if (expiry->expires == 0 || now < expiry->expires) {
        return RIAD_EXPIRY_LIVE;
    }
    return now - expiry->expires < expiry->grace ? RIAD_EXPIRY_GRACE : RIAD_EXPIRY_LOCKED;
}

int riad_catalog_delete_workspace(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace)
{
    const struct riad_catalog_workspace entry = { .id = *workspace };
    const struct addition addition = { &entry, ADD_DELETION, NULL };

    return add(store, keys, catalog, &addition);
}

int riad_catalog_enrol(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_user *user,
        const struct riad_catalog_workspace *workspace)
{
    const struct addition addition = { workspace, ADD_ENROLMENT, user };

    if (!riad_catalog_is_user_name(user->name)) {
        return -EINVAL;
    }
    return add(store, keys, catalog, &addition);
}

int riad_catalog_change_user(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_user *user)
{
    const struct addition addition = { NULL, ADD_USER_CHANGE, user };

    if (!riad_catalog_is_user_name(user->name)) {
        return -EINVAL;
    }
    return add(store, keys, catalog, &addition);
}

int riad_catalog_check_mark(const struct riad_catalog *catalog, int state_fd)
{
    return riad_chain_check_mark(&catalog->ends, "catalog-mark", state_fd);
}
