/* Bodies of roster entries (FORMAT 3.2): there is one encoding of each (F3). */
#include "fuzz.h"
#include "roster_priv.h"

static struct fuzz_model model;

static void make_model(void)
{
    const struct riad_roster_entry entry = {
        .workspace = { { 1 } },
        .number = 1,
        .time = { 1, 2 },
        .kind = RIAD_ROSTER_CREATE,
        .workspace_kind = RIAD_KIND_PROJECT,
        .epoch = 1,
        .sealed_name_size = 80,
        .member = { .user = { { 2 } }, .role = RIAD_ROLE_MANAGER },
    };
    struct riad_writer writer;

    riad_writer_init_fixed(&writer, model.data, sizeof model.data);
    riad_roster_entry_encode(&entry, &writer);
    FUZZ_ASSERT(writer.error == 0);
    model.size = writer.size;
}

static void check(const struct riad_roster_entry *entry, const struct fuzz_bytes *bytes)
{
    uint8_t encoded[4096];
    struct riad_writer writer;

    FUZZ_ASSERT(entry->sealed_name_size <= sizeof entry->sealed_name);
    FUZZ_ASSERT(
            entry->kind == RIAD_ROSTER_MEMBER_REMOVE ||
            (entry->member.role >= RIAD_ROLE_MANAGER && entry->member.role <= RIAD_ROLE_READER));
    riad_writer_init_fixed(&writer, encoded, sizeof encoded);
    riad_roster_entry_encode(entry, &writer);
    FUZZ_ASSERT(writer.error == 0);
    /* Extensions that this riad skips are not written again: the rest is the same. */
    FUZZ_ASSERT(writer.size <= bytes->size);
    FUZZ_ASSERT(memcmp(encoded, bytes->data, writer.size - 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    struct riad_roster_entry entry;
    int r;

    if (model.size == 0) {
        make_model();
    }
    if (!fuzz_take(data, size, &model, &bytes)) {
        return 0;
    }
    r = riad_roster_entry_decode(bytes.data, bytes.size, &entry);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG || r == -EPROTONOSUPPORT);
    FUZZ_ASSERT(r == 0 || !fuzz_is_model(&bytes, &model));
    if (r == 0) {
        check(&entry, &bytes);
    }
    return 0;
}
