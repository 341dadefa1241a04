/* Bodies of entries of a site's list (FORMAT 3.6), behind their signature: what a newer riad may
 * have signed. */
#include "fuzz.h"
#include "site_priv.h"

static struct fuzz_model model;

static void make_model(void)
{
    const struct riad_site_entry entry = { .time = { 1, 2 },
        .kind = RIAD_SITE_CREATE,
        .root_user = { { 3 } },
        .node = { .id = { { 4 } }, .name = "login1", .sign_key = { { 5 } } } };
    struct riad_writer writer;

    riad_writer_init_fixed(&writer, model.data, sizeof model.data);
    riad_site_entry_encode(&entry, &writer);
    FUZZ_ASSERT(writer.error == 0);
    model.size = writer.size;
}

/* As the first entry, and once more as one that follows. */
static int apply(const struct fuzz_bytes *bytes)
{
    const struct riad_hash hash = { { 1 } };
    struct riad_site site = { 0 };
    int r = riad_site_apply(&site, bytes->data, bytes->size, &hash);
    size_t count = site.node_count;

    FUZZ_ASSERT(r == 0 || r == -EBADMSG);
    FUZZ_ASSERT(count == (r == 0));
    FUZZ_ASSERT(r < 0 || riad_site_is_node_name(site.nodes[0].name));
    FUZZ_ASSERT(r < 0 || riad_site_apply(&site, bytes->data, bytes->size, &hash) == -EBADMSG);
    riad_site_done(&site);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_one(data, size, &model, make_model, apply);
}
