/* Bodies of catalog batches (FORMAT 3.5), behind their signature: what a key that was stolen, or a
 * newer riad, may have signed. */
#include "catalog_priv.h"
#include "fuzz.h"

static struct fuzz_model model;

static void make_model(void)
{
    const struct riad_catalog_workspace workspace = { { { 1 } }, RIAD_KIND_HOME, false, { { 2 } } };
    const struct riad_catalog_limit limit = { 1, 2, 3, 4, 5, 6 };
    const struct riad_catalog_expiry expiry = { 7, 8 };
    const struct riad_catalog_batch batch = { .first_number = 1, .time = { 1, 2 }, .count = 4 };
    const struct riad_catalog_user user = { .id = { { 9 } }, .name = "ann", .generation = 1 };
    struct riad_writer writer;

    riad_writer_init_fixed(&writer, model.data, sizeof model.data);
    riad_catalog_batch_encode(&batch, &writer);
    riad_catalog_put_workspace_entry(&workspace, &writer);
    riad_catalog_put_limit_entry(&workspace.id, &limit, &writer);
    riad_catalog_put_expiry_entry(&workspace.id, &expiry, &writer);
    riad_catalog_put_user_entry(&user, &writer);
    riad_put_b32(&writer, NULL, 0); /* extensions */
    FUZZ_ASSERT(writer.error == 0);
    model.size = writer.size;
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
    riad_catalog_done(&catalog);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_one(data, size, &model, make_model, apply);
}
