/* The codec of catalog batches, and what they add up to (FORMAT 3.5). */
#include "riad/cleanup.h"
#include "riad/error.h"

#include "catalog_priv.h"

enum { ENTRY_MAY_SKIP = 1, STATE_LIVE = 1, STATE_DELETED = 2 };
enum { BODY_MAX = 128 };

void riad_catalog_batch_encode(const struct riad_catalog_batch *batch, struct riad_writer *writer)
{
    riad_put_u64(writer, batch->first_number);
    riad_put_hash(writer, &batch->previous);
    riad_put_time(writer, batch->time);
    riad_put_u32(writer, batch->count);
}

void riad_catalog_put_entry(enum riad_catalog_entry_kind kind, const struct riad_writer *body,
        struct riad_writer *writer)
{
    riad_put_u8(writer, (uint8_t)kind);
    riad_put_u8(writer, 0);
    riad_put_b32(writer, body->data, body->size);
}

void riad_catalog_put_workspace_entry(
        const struct riad_catalog_workspace *workspace, struct riad_writer *writer)
{
    struct riad_writer body;
    uint8_t bytes[BODY_MAX];

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_id(&body, &workspace->id);
    riad_put_u8(&body, (uint8_t)workspace->kind);
    riad_put_u8(&body, workspace->deleted ? STATE_DELETED : STATE_LIVE);
    riad_put_id(&body, &workspace->owner);
    riad_catalog_put_entry(RIAD_CATALOG_ENTRY_WORKSPACE, &body, writer);
}

void riad_catalog_put_expiry_entry(const struct riad_id *workspace,
        const struct riad_catalog_expiry *expiry, struct riad_writer *writer)
{
    struct riad_writer body;
    uint8_t bytes[BODY_MAX];

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_id(&body, workspace);
    riad_put_u64(&body, expiry->expires);
    riad_put_u32(&body, expiry->grace);
    riad_catalog_put_entry(RIAD_CATALOG_ENTRY_EXPIRY, &body, writer);
}

static struct riad_catalog_workspace *find(
        struct riad_catalog *catalog, const struct riad_id *workspace)
{
    return (struct riad_catalog_workspace *)riad_catalog_find(catalog, workspace);
}

static int add(struct riad_catalog *catalog, const struct riad_id *id)
{
    struct riad_catalog_workspace *workspaces;
    int r;

    if (catalog->workspace_count == RIAD_CATALOG_WORKSPACES_MAX) {
        return -EBADMSG;
    }
    workspaces =
            reallocarray(catalog->workspaces, catalog->workspace_count + 1, sizeof *workspaces);
    if (!workspaces) {
        return -ENOMEM;
    }
    catalog->workspaces = workspaces;
    workspaces[catalog->workspace_count] = (struct riad_catalog_workspace){ .id = *id };
    r = riad_catalog_places_add(&catalog->workspace_places, workspaces, sizeof *workspaces,
            (uint32_t)catalog->workspace_count);
    catalog->workspace_count += r == 0;
    return r;
}

/* The workspace's place; a new one, with the id only, if there was none. */
static int find_or_add(
        struct riad_catalog *catalog, const struct riad_id *id, struct riad_catalog_workspace **ret)
{
    struct riad_catalog_workspace *found = find(catalog, id);
    int r;

    if (!found) {
        r = add(catalog, id);
        if (r < 0) {
            return r;
        }
        found = &catalog->workspaces[catalog->workspace_count - 1];
    }
    *ret = found;
    return 0;
}

/* A named one stays a project; one that was deleted may have lost its name to another. */
static bool keeps_name(const struct riad_catalog *catalog,
        const struct riad_catalog_workspace *workspace, uint8_t kind, uint8_t state)
{
    const struct riad_catalog_workspace *holder =
            riad_catalog_find_project(catalog, workspace->name);

    return kind == RIAD_KIND_PROJECT && (state == STATE_DELETED || !holder || holder == workspace);
}

static int apply_workspace(struct riad_catalog *catalog, struct riad_reader *body)
{
    struct riad_catalog_workspace *workspace;
    struct riad_id id, owner;
    uint8_t kind, state;
    int r;

    riad_get_id(body, &id);
    kind = riad_get_u8(body);
    state = riad_get_u8(body);
    riad_get_id(body, &owner);
    r = riad_reader_finish(body);
    if (r < 0) {
        return r;
    }
    if ((kind != RIAD_KIND_HOME && kind != RIAD_KIND_PROJECT) ||
            (state != STATE_LIVE && state != STATE_DELETED)) {
        return -EBADMSG;
    }
    r = find_or_add(catalog, &id, &workspace);
    if (r < 0) {
        return r;
    }
    if (workspace->name[0] && !keeps_name(catalog, workspace, kind, state)) {
        return -EBADMSG;
    }
    workspace->kind = kind;
    workspace->deleted = state == STATE_DELETED;
    workspace->owner = owner;
    return 0;
}

bool riad_catalog_is_expiry(const struct riad_catalog_expiry *expiry)
{
    return expiry->expires <= INT64_MAX - UINT32_MAX;
}

static int apply_expiry(struct riad_catalog *catalog, struct riad_reader *body)
{
    struct riad_catalog_workspace *workspace;
    struct riad_catalog_expiry expiry;
    struct riad_id id;
    int r;

    riad_get_id(body, &id);
    expiry.expires = riad_get_u64(body);
    expiry.grace = riad_get_u32(body);
    r = riad_reader_finish(body);
    if (r < 0) {
        return r;
    }
    workspace = find(catalog, &id);
    if (!workspace || !riad_catalog_is_expiry(&expiry)) {
        return -EBADMSG;
    }
    workspace->expiry = expiry;
    return 0;
}

static int apply_entry(struct riad_catalog *catalog, struct riad_reader *reader)
{
    uint8_t kind = riad_get_u8(reader);
    uint8_t flags = riad_get_u8(reader);
    size_t size;
    const uint8_t *bytes = riad_get_b32(reader, RIAD_ENVELOPE_BODY_MAX, &size);
    struct riad_reader body;

    if (!bytes || (flags & ~ENTRY_MAY_SKIP) != 0) {
        return -EBADMSG;
    }
    riad_reader_init(&body, bytes, size);
    switch (kind) {
    case RIAD_CATALOG_ENTRY_WORKSPACE:
        return apply_workspace(catalog, &body);
    case RIAD_CATALOG_ENTRY_LIMIT:
        return riad_catalog_apply_limit(catalog, &body);
    case RIAD_CATALOG_ENTRY_EXPIRY:
        return apply_expiry(catalog, &body);
    case RIAD_CATALOG_ENTRY_USER:
        return riad_catalog_apply_user(catalog, &body);
    case RIAD_CATALOG_ENTRY_ROSTER:
        return riad_catalog_apply_roster(catalog, &body);
    case RIAD_CATALOG_ENTRY_NAME:
        return riad_catalog_apply_name(catalog, &body);
    case RIAD_CATALOG_ENTRY_EPOCH_END:
        return riad_catalog_apply_epoch_end(catalog, &body);
    case RIAD_CATALOG_ENTRY_TERM_BOUND:
        return riad_catalog_apply_term_bound(catalog, &body);
    case RIAD_CATALOG_ENTRY_GRANT:
        return riad_catalog_apply_grant(catalog, &body);
    case RIAD_CATALOG_ENTRY_CLOCK:
        return riad_catalog_apply_clock(catalog, &body);
    default:
        return flags & ENTRY_MAY_SKIP ? 0 : -EPROTONOSUPPORT;
    }
}

static void decode_batch(struct riad_reader *reader, struct riad_catalog_batch *ret)
{
    ret->first_number = riad_get_u64(reader);
    riad_get_hash(reader, &ret->previous);
    ret->time = riad_get_time(reader);
    ret->count = riad_get_u32(reader);
    if (ret->count < 1 || ret->count > RIAD_CATALOG_ENTRIES_MAX) {
        riad_reader_refuse(reader);
    }
}

int riad_catalog_apply(struct riad_catalog *catalog, const uint8_t *body, size_t size,
        const struct riad_hash *hash)
{
    const struct riad_chain_end last = riad_chain_last(&catalog->ends);
    struct riad_catalog_batch batch;
    struct riad_chain_end end;
    struct riad_reader reader;
    int r;

    riad_reader_init(&reader, body, size);
    decode_batch(&reader, &batch);
    if (reader.error < 0 || batch.first_number != last.next_number ||
            !riad_hash_equal(&batch.previous, &last.head)) {
        return -EBADMSG;
    }
    for (uint32_t i = 0; i < batch.count; i++) {
        r = apply_entry(catalog, &reader);
        if (r < 0) {
            return r;
        }
    }
    riad_get_extensions(&reader);
    r = riad_reader_finish(&reader);
    if (r < 0) {
        return r;
    }
    end = (struct riad_chain_end){ last.next_number + batch.count, *hash };
    return riad_chain_add(&catalog->ends, &end);
}
