/* Bodies of catalog batches (FORMAT 3.5), behind their signature: what a key that was stolen, or a
 * newer riad, may have signed. */
#include "catalog_priv.h"
#include "fuzz.h"

static struct fuzz_model model;

static void make_model(void)
{
    struct riad_catalog_member members[] = { { { { 2 } }, RIAD_ROLE_MANAGER },
        { { { 3 } }, RIAD_ROLE_WRITER } };
    const struct riad_catalog_workspace workspace = { .id = { { 1 } },
        .kind = RIAD_KIND_PROJECT,
        .owner = { { 2 } },
        .name = "atlas",
        .roster_entries = 2,
        .members = members,
        .member_count = 2 };
    const struct riad_catalog_limit limit = { 1, 2, 3, 4, 5, 6 };
    const struct riad_catalog_expiry expiry = { 7, 8 };
    const struct riad_catalog_batch batch = { .first_number = 1, .time = { 1, 2 }, .count = 9 };
    const struct riad_catalog_user user = { .id = { { 9 } }, .name = "ann", .generation = 1 };
    const struct riad_catalog_epoch_end end = { .epoch = 1, .term = 2, .number = 3, .segment = 4 };
    const struct riad_catalog_term_bound bound = { .last = 2 };
    struct riad_writer writer;

    riad_writer_init_fixed(&writer, model.data, sizeof model.data);
    riad_catalog_batch_encode(&batch, &writer);
    riad_catalog_put_workspace_entry(&workspace, &writer);
    riad_catalog_put_limit_entry(&workspace.id, &limit, &writer);
    riad_catalog_put_limit_entry(NULL, &limit, &writer);
    riad_catalog_put_expiry_entry(&workspace.id, &expiry, &writer);
    riad_catalog_put_user_entry(&user, &writer);
    riad_catalog_put_name_entry(&workspace, &writer);
    riad_catalog_put_roster_entry(&workspace, &writer);
    riad_catalog_put_epoch_end_entry(&workspace.id, &end, &writer);
    riad_catalog_put_term_bound_entry(&workspace.id, &bound, &writer);
    riad_put_b32(&writer, NULL, 0); /* extensions */
    FUZZ_ASSERT(writer.error == 0);
    model.size = writer.size;
}

/* Epochs ascend, and a key is bound once. */
static void check_lists(const struct riad_catalog_workspace *workspace)
{
    for (size_t i = 0; i < workspace->epoch_end_count; i++) {
        FUZZ_ASSERT(workspace->epoch_ends[i].epoch >= 1 &&
                    workspace->epoch_ends[i].epoch <= RIAD_ROSTER_EPOCHS_MAX);
        FUZZ_ASSERT(i == 0 || workspace->epoch_ends[i - 1].epoch < workspace->epoch_ends[i].epoch);
    }
    for (size_t i = 0; i < workspace->term_bound_count; i++) {
        FUZZ_ASSERT(riad_catalog_find_bound(workspace, &workspace->term_bounds[i].key) ==
                    &workspace->term_bounds[i]);
    }
}

/* What is found by its id is all there is; the default can be written, and read again as it is. */
static void check_default(const struct riad_catalog *catalog)
{
    struct riad_catalog again = { 0 };
    struct riad_writer writer;
    struct riad_reader body;
    uint8_t bytes[128];

    riad_writer_init_fixed(&writer, bytes, sizeof bytes);
    riad_catalog_put_limit_entry(NULL, &catalog->default_limit, &writer);
    riad_reader_init(&body, bytes + 6, writer.size - 6);
    FUZZ_ASSERT(riad_catalog_apply_limit(&again, &body) == 0);
    FUZZ_ASSERT(
            memcmp(&again.default_limit, &catalog->default_limit, sizeof again.default_limit) == 0);
}

static void check(const struct riad_catalog *catalog)
{
    check_default(catalog);
    for (size_t i = 0; i < catalog->user_count; i++) {
        FUZZ_ASSERT(riad_catalog_find_user(catalog, &catalog->users[i].id) == &catalog->users[i]);
    }
    for (size_t i = 0; i < catalog->workspace_count; i++) {
        const struct riad_catalog_workspace *workspace = &catalog->workspaces[i];

        FUZZ_ASSERT(workspace->roster_entries == 0 ? workspace->member_count == 0
                                                   : riad_catalog_are_members(workspace->members,
                                                             workspace->member_count));
        check_lists(workspace);
        FUZZ_ASSERT(riad_catalog_find(catalog, &workspace->id) == workspace);
        FUZZ_ASSERT(!workspace->name[0] || riad_catalog_is_user_name(workspace->name));
        FUZZ_ASSERT(!workspace->name[0] || workspace->kind == RIAD_KIND_PROJECT);
        FUZZ_ASSERT(!workspace->name[0] || workspace->deleted ||
                    riad_catalog_find_project(catalog, workspace->name) == workspace);
    }
}

static int apply(const struct fuzz_bytes *bytes)
{
    const struct riad_hash hash = { { 1 } };
    const struct riad_chain_end before = { .next_number = 1 };
    struct riad_catalog catalog = { 0 };
    int r = riad_chain_add(&catalog.ends, &before);

    FUZZ_ASSERT(r == 0);
    r = riad_catalog_apply(&catalog, bytes->data, bytes->size, &hash);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
    FUZZ_ASSERT(r < 0 || riad_chain_last(&catalog.ends).next_number > 1);
    if (r == 0) {
        check(&catalog);
    }
    riad_catalog_done(&catalog);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_one(data, size, &model, make_model, apply);
}
