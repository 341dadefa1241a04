/* The catalog: reading the chain of batches and adding to it (O3). */
#include "riad/catalog.h"

#include <inttypes.h>
#include <stdio.h>

#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"

#include "catalog_priv.h"
#include "object_priv.h"

#define DIRECTORY "catalog"
enum { NAME_SIZE = 17, TRIES_MAX = 1000 };

static void batch_name(uint64_t first_number, char ret[NAME_SIZE])
{
    snprintf(ret, NAME_SIZE, "%016" PRIx64, first_number);
}

/* Reads the batch at next_number. -ENOENT: there is none. */
static int read_batch(const struct riad_store *store, const struct riad_public_key *signer,
        struct riad_catalog *catalog)
{
    _cleanup_free_ uint8_t *data = NULL;
    struct riad_piece pieces[] = { RIAD_PIECE_LABEL("riad/v1/catalog"), { 0 } };
    char name[NAME_SIZE];
    struct riad_hash hash;
    const uint8_t *body;
    size_t size, body_size;
    int r;

    batch_name(catalog->next_number, name);
    r = riad_object_read(store->fd, DIRECTORY, name, RIAD_ENVELOPE_MAX, &data, &size);
    if (r < 0) {
        return r;
    }
    r = riad_envelope_verify(
            RIAD_ENVELOPE_CATALOG, &store->binding, signer, data, size, &body, &body_size);
    if (r < 0) {
        return r;
    }
    pieces[1] = (struct riad_piece){ data, size };
    r = riad_sha256(pieces, 2, &hash);
    if (r < 0) {
        return r;
    }
    return riad_catalog_apply(catalog, body, body_size, &hash);
}

static int read_batches(const struct riad_store *store, const struct riad_public_key *signer,
        struct riad_catalog *catalog)
{
    int r;

    do {
        r = read_batch(store, signer, catalog);
    } while (r == 0);
    return r == -ENOENT ? 0 : r;
}

static bool parse_name(const char *name, uint64_t *ret)
{
    uint8_t bytes[8];
    uint64_t number = 0;

    if (riad_hex_decode(name, bytes, sizeof bytes) < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        number = number << 8 | bytes[i];
    }
    *ret = number;
    return true;
}

/* 1 if a file is named by this number or a later one, 0 if none is, or negative errno. */
static int has_batch_from(const struct riad_store *store, uint64_t number)
{
    _cleanup_closedir_ DIR *listing = NULL;
    const char *name;
    uint64_t found;
    int r;

    r = riad_listing_open(store->fd, DIRECTORY, &listing);
    while (r >= 0 && (r = riad_listing_next(listing, &name)) > 0) {
        if (parse_name(name, &found) && found >= number) {
            return 1;
        }
    }
    return r;
}

/* Reads on from where the catalog stands. A batch appears only after those before it: if the one
 * that follows cannot be opened though a later one was listed, it is missing. */
static int catch_up(const struct riad_store *store, const struct riad_public_key *signer,
        struct riad_catalog *catalog)
{
    uint64_t before;
    bool listed = false;
    int r;

    for (;;) {
        before = catalog->next_number;
        r = read_batches(store, signer, catalog);
        if (r < 0) {
            return r;
        }
        if (listed && catalog->next_number == before) {
            return -EUCLEAN;
        }
        r = has_batch_from(store, catalog->next_number);
        if (r <= 0) {
            return r;
        }
        listed = true;
    }
}

int riad_catalog_load(const struct riad_store *store, const struct riad_public_key *signer,
        struct riad_catalog *ret)
{
    _cleanup_(riad_catalog_done) struct riad_catalog catalog = { 0 };
    int r;

    r = catch_up(store, signer, &catalog);
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
    free(catalog->ends);
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
enum addition_kind { ADD_WORKSPACE, ADD_LIMIT, ADD_EXPIRY, ADD_DELETION };

struct addition {
    const struct riad_catalog_workspace *workspace;
    enum addition_kind kind;
};

static int check_addition(const struct riad_catalog *catalog, const struct addition *addition)
{
    const struct riad_catalog_workspace *present =
            riad_catalog_find(catalog, &addition->workspace->id);

    if (addition->kind == ADD_WORKSPACE) {
        return present ? -EEXIST : 0;
    }
    return present && !present->deleted ? 0 : -ENOENT;
}

static uint32_t count_entries(const struct addition *addition)
{
    if (addition->kind != ADD_WORKSPACE) {
        return 1;
    }
    return addition->workspace->expiry.expires > 0 ? 3 : 2;
}

static void put_entries(const struct riad_catalog *catalog, const struct addition *addition,
        struct riad_writer *writer)
{
    const struct riad_catalog_workspace *workspace = addition->workspace;
    struct riad_catalog_workspace deleted;

    switch (addition->kind) {
    case ADD_WORKSPACE:
        riad_catalog_put_workspace_entry(workspace, writer);
        riad_catalog_put_limit_entry(&workspace->id, &workspace->limit, writer);
        if (workspace->expiry.expires > 0) {
            riad_catalog_put_expiry_entry(&workspace->id, &workspace->expiry, writer);
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
        .first_number = catalog->next_number,
        .previous = catalog->head,
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

/* -EEXIST: somebody was faster. */
static int publish(const struct riad_store *store, const struct riad_keypair *keys,
        const struct riad_catalog *catalog, const struct addition *addition)
{
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };
    _cleanup_(riad_writer_done) struct riad_writer file = { 0 };
    char name[NAME_SIZE];
    int r;

    riad_writer_init_growing(&body, 512, RIAD_ENVELOPE_BODY_MAX);
    riad_writer_init_growing(&file, 1024, RIAD_ENVELOPE_MAX);
    r = encode_addition(catalog, addition, &body);
    if (r < 0) {
        return r;
    }
    r = riad_envelope_sign(
            RIAD_ENVELOPE_CATALOG, &store->binding, keys, body.data, body.size, &file);
    if (r < 0) {
        return r;
    }
    batch_name(catalog->next_number, name);
    return riad_object_publish(store->fd, DIRECTORY, name, file.data, file.size, RIAD_PUBLISH_NEW);
}

/* Its last catch-up reads back what was published, through the same code as everybody else's. */
static int append(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct addition *addition)
{
    int r = -EEXIST;

    for (unsigned tries = 0; r == -EEXIST && tries < TRIES_MAX; tries++) {
        r = catch_up(store, &keys->sign_key, catalog);
        if (r < 0) {
            return r;
        }
        r = check_addition(catalog, addition);
        if (r < 0) {
            return r;
        }
        r = publish(store, keys, catalog, addition);
    }
    if (r < 0) {
        return r == -EEXIST ? -EAGAIN : r;
    }
    return catch_up(store, &keys->sign_key, catalog);
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

static int copy_catalog(const struct riad_catalog *catalog, struct riad_catalog *ret)
{
    struct riad_catalog copy = *catalog;
    _cleanup_free_ void *workspaces = NULL;
    void *ends;
    int r;

    r = duplicate(catalog->workspaces, catalog->workspace_count, sizeof *catalog->workspaces,
            &workspaces);
    if (r < 0) {
        return r;
    }
    r = duplicate(catalog->ends, catalog->end_count, sizeof *catalog->ends, &ends);
    if (r < 0) {
        return r;
    }
    copy.workspaces = riad_take_pointer(workspaces);
    copy.ends = ends;
    *ret = copy;
    return 0;
}

/* Works on a copy, so that a failure leaves the caller's catalog as it was. */
static int add(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct addition *addition)
{
    _cleanup_(riad_catalog_done) struct riad_catalog copy = { 0 };
    int r;

    if (store->read_only) {
        return -EROFS;
    }
    r = copy_catalog(catalog, &copy);
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
    const struct addition addition = { &entry, ADD_WORKSPACE };

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
    const struct addition addition = { &entry, ADD_LIMIT };

    return add(store, keys, catalog, &addition);
}

int riad_catalog_set_expiry(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_catalog_expiry *expiry)
{
    const struct riad_catalog_workspace entry = { .id = *workspace, .expiry = *expiry };
    const struct addition addition = { &entry, ADD_EXPIRY };

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
    const struct addition addition = { &entry, ADD_DELETION };

    return add(store, keys, catalog, &addition);
}
