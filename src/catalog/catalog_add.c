/* Adding to the catalog: batches of one command each, published with link (O3). */
#include "riad/catalog.h"
#include "riad/cleanup.h"
#include "riad/error.h"

#include "catalog_priv.h"

enum { TRIES_MAX = 1000 };

static int check_user(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    bool present = riad_catalog_find_user(catalog, &addition->user->id) != NULL;

    if (addition->kind == RIAD_CATALOG_ADD_USER_CHANGE && !present) {
        return -ENOENT;
    }
    return (addition->kind == RIAD_CATALOG_ADD_ENROLMENT && present) ||
                           riad_catalog_user_collides(catalog, addition->user)
                   ? -EEXIST
                   : 0;
}

/* Whether it makes its workspace, if it has one. */
static bool makes_workspace(const struct riad_catalog_addition *addition)
{
    return addition->user || addition->kind == RIAD_CATALOG_ADD_WORKSPACE ||
           addition->kind == RIAD_CATALOG_ADD_PROJECT;
}

/* Of a workspace that is made. */
static int check_new(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    if (addition->workspace && riad_catalog_find(catalog, &addition->workspace->id)) {
        return -EEXIST;
    }
    if (addition->user) {
        return check_user(catalog, addition);
    }
    return addition->kind == RIAD_CATALOG_ADD_PROJECT &&
                           riad_catalog_find_project(catalog, addition->workspace->name)
                   ? -EEXIST
                   : 0;
}

/* Of a workspace that is there. */
static int check_change(
        const struct riad_catalog_workspace *present, const struct riad_catalog_addition *addition)
{
    if (addition->kind == RIAD_CATALOG_ADD_EPOCH_END) {
        return riad_catalog_check_epoch_end(present, addition->workspace->epoch_ends);
    }
    return addition->kind == RIAD_CATALOG_ADD_ROSTER &&
                           addition->workspace->roster_entries <= present->roster_entries
                   ? -ESTALE
                   : 0;
}

static int check_addition(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    const struct riad_catalog_workspace *present;

    if (makes_workspace(addition)) {
        return check_new(catalog, addition);
    }
    if (addition->kind == RIAD_CATALOG_ADD_TERM_BOUNDS) {
        return riad_catalog_check_bounds(catalog, addition);
    }
    if (addition->kind == RIAD_CATALOG_ADD_LIMITS) {
        return riad_catalog_check_limits(catalog, addition);
    }
    if (addition->kind == RIAD_CATALOG_ADD_GRANTS) {
        return riad_catalog_check_grants(catalog, addition);
    }
    if (addition->kind == RIAD_CATALOG_ADD_DEFAULT_LIMIT ||
            addition->kind == RIAD_CATALOG_ADD_SUBJECTS) {
        return 0;
    }
    present = riad_catalog_find(catalog, &addition->workspace->id);
    if (!present || present->deleted) {
        return -ENOENT;
    }
    return check_change(present, addition);
}

static uint32_t count_entries(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    uint32_t workspace = !addition->workspace ? 0 : addition->workspace->expiry.expires > 0 ? 3 : 2;

    if (addition->kind == RIAD_CATALOG_ADD_TERM_BOUNDS) {
        return riad_catalog_count_bounds(catalog, addition);
    }
    if (addition->kind == RIAD_CATALOG_ADD_LIMITS) {
        return (uint32_t)addition->limit_count;
    }
    if (addition->kind == RIAD_CATALOG_ADD_SUBJECTS) {
        return (uint32_t)addition->subject_count;
    }
    if (addition->kind == RIAD_CATALOG_ADD_GRANTS) {
        return riad_catalog_count_grants(catalog, addition);
    }
    if (!makes_workspace(addition)) {
        return 1;
    }
    return workspace + (addition->user != NULL) + (addition->kind == RIAD_CATALOG_ADD_PROJECT);
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

static void put_deletion(const struct riad_catalog_workspace *present, struct riad_writer *writer)
{
    struct riad_catalog_workspace deleted = *present;

    deleted.deleted = true;
    riad_catalog_put_workspace_entry(&deleted, writer);
}

static void put_entries(const struct riad_catalog *catalog,
        const struct riad_catalog_addition *addition, struct riad_writer *writer)
{
    const struct riad_catalog_workspace *workspace = addition->workspace;

    switch (addition->kind) {
    case RIAD_CATALOG_ADD_WORKSPACE:
        put_workspace(workspace, writer);
        break;
    case RIAD_CATALOG_ADD_PROJECT:
        put_workspace(workspace, writer);
        riad_catalog_put_name_entry(workspace, writer);
        break;
    case RIAD_CATALOG_ADD_ROSTER:
        riad_catalog_put_roster_entry(workspace, writer);
        break;
    case RIAD_CATALOG_ADD_ENROLMENT:
    case RIAD_CATALOG_ADD_USER_CHANGE:
        riad_catalog_put_user_entry(addition->user, writer);
        if (workspace) {
            put_workspace(workspace, writer);
        }
        break;
    case RIAD_CATALOG_ADD_LIMITS:
        riad_catalog_put_limits(addition, writer);
        break;
    case RIAD_CATALOG_ADD_DEFAULT_LIMIT:
        riad_catalog_put_limit_entry(NULL, &workspace->limit, writer);
        break;
    case RIAD_CATALOG_ADD_EXPIRY:
        riad_catalog_put_expiry_entry(&workspace->id, &workspace->expiry, writer);
        break;
    case RIAD_CATALOG_ADD_DELETION:
        put_deletion(riad_catalog_find(catalog, &workspace->id), writer);
        break;
    case RIAD_CATALOG_ADD_EPOCH_END:
        riad_catalog_put_epoch_end_entry(&workspace->id, workspace->epoch_ends, writer);
        break;
    case RIAD_CATALOG_ADD_TERM_BOUNDS:
        riad_catalog_put_bounds(catalog, addition, writer);
        break;
    case RIAD_CATALOG_ADD_SUBJECTS:
        riad_catalog_put_subjects(addition, writer);
        break;
    case RIAD_CATALOG_ADD_GRANTS:
        riad_catalog_put_grants(catalog, addition, writer);
        break;
    }
}

static int encode_addition(const struct riad_catalog *catalog,
        const struct riad_catalog_addition *addition, struct riad_writer *writer)
{
    struct riad_catalog_batch batch = {
        .first_number = riad_chain_last(&catalog->ends).next_number,
        .previous = riad_chain_last(&catalog->ends).head,
        .count = count_entries(catalog, addition),
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
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    const struct riad_chain chain = riad_catalog_chain(store, catalog);
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
        struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
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
        if (r < 0 || count_entries(catalog, addition) == 0) {
            return r;
        }
        r = publish(store, keys, catalog, addition);
    }
    if (r < 0) {
        return r == -EEXIST ? -EAGAIN : r;
    }
    return riad_catalog_catch_up(store, catalog);
}

/* Works on a copy, so that a failure leaves the caller's catalog as it was. */
int riad_catalog_add(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    const struct riad_signer self = riad_signer_always(&keys->sign_key);
    _cleanup_(riad_catalog_done) struct riad_catalog copy = { 0 };
    int r;

    if (store->read_only) {
        return -EROFS;
    }
    r = riad_catalog_copy(catalog, &copy);
    if (r == 0 && copy.signer_count == 0) {
        r = riad_catalog_set_signers(&copy, &self, 1);
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
    const struct riad_catalog_addition addition = { .workspace = &entry,
        .kind = RIAD_CATALOG_ADD_WORKSPACE };

    if (kind != RIAD_KIND_HOME && kind != RIAD_KIND_PROJECT) {
        return -EINVAL;
    }
    if (expiry) {
        entry.expiry = *expiry;
    }
    return riad_catalog_add(store, keys, catalog, &addition);
}

int riad_catalog_set_expiry(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_catalog_expiry *expiry)
{
    const struct riad_catalog_workspace entry = { .id = *workspace, .expiry = *expiry };
    const struct riad_catalog_addition addition = { .workspace = &entry,
        .kind = RIAD_CATALOG_ADD_EXPIRY };

    return riad_catalog_add(store, keys, catalog, &addition);
}

int riad_catalog_delete_workspace(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace)
{
    const struct riad_catalog_workspace entry = { .id = *workspace };
    const struct riad_catalog_addition addition = { .workspace = &entry,
        .kind = RIAD_CATALOG_ADD_DELETION };

    return riad_catalog_add(store, keys, catalog, &addition);
}

int riad_catalog_enrol(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_user *user,
        const struct riad_catalog_workspace *workspace)
{
    const struct riad_catalog_addition addition = {
        .workspace = workspace, .kind = RIAD_CATALOG_ADD_ENROLMENT, .user = user
    };

    if (!riad_catalog_is_user_name(user->name)) {
        return -EINVAL;
    }
    return riad_catalog_add(store, keys, catalog, &addition);
}

int riad_catalog_change_user(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_user *user)
{
    const struct riad_catalog_addition addition = { .kind = RIAD_CATALOG_ADD_USER_CHANGE,
        .user = user };

    if (!riad_catalog_is_user_name(user->name)) {
        return -EINVAL;
    }
    return riad_catalog_add(store, keys, catalog, &addition);
}

int riad_catalog_reserve(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_workspace *workspace)
{
    struct riad_catalog_workspace entry = *workspace;
    const struct riad_catalog_addition addition = { .workspace = &entry,
        .kind = RIAD_CATALOG_ADD_PROJECT };

    entry.kind = RIAD_KIND_PROJECT;
    entry.deleted = false;
    if (!riad_catalog_is_user_name(entry.name) || !riad_catalog_is_expiry(&entry.expiry)) {
        return -EINVAL;
    }
    return riad_catalog_add(store, keys, catalog, &addition);
}

static int compare_members(const void *a, const void *b)
{
    const struct riad_catalog_member *left = a, *right = b;

    return memcmp(left->user.bytes, right->user.bytes, sizeof left->user.bytes);
}

/* In the order in which they are written; *ret is on the heap. */
static int sort_members(const struct riad_roster *roster, struct riad_catalog_member **ret)
{
    _cleanup_free_ struct riad_catalog_member *members =
            calloc(roster->member_count, sizeof *members);

    if (!members && roster->member_count > 0) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < roster->member_count; i++) {
        members[i].user = roster->members[i].user;
        members[i].role = roster->members[i].role;
    }
    if (roster->member_count > 0) {
        qsort(members, roster->member_count, sizeof *members, compare_members);
    }
    *ret = riad_take_pointer(members);
    return 0;
}

int riad_catalog_set_roster(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_roster *roster)
{
    _cleanup_free_ struct riad_catalog_member *members = NULL;
    struct riad_catalog_workspace entry = { .id = *workspace,
        .roster_entries = roster->entries,
        .roster_head = roster->head,
        .member_count = roster->member_count };
    const struct riad_catalog_addition addition = { .workspace = &entry,
        .kind = RIAD_CATALOG_ADD_ROSTER };
    int r = sort_members(roster, &members);

    if (r < 0) {
        return r;
    }
    if (!riad_catalog_are_members(members, roster->member_count)) {
        return -EINVAL;
    }
    entry.members = members;
    return riad_catalog_add(store, keys, catalog, &addition);
}
