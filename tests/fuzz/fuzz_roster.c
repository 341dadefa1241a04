/* Bodies of roster entries (FORMAT 3.2): there is one encoding of each (F3). */
#include "riad/catalog.h"

#include "fuzz.h"
#include "roster_priv.h"

static struct riad_roster_wrap wraps[] = { { .user = { { 2 } } }, { .user = { { 3 } } } };

/* What lies behind the fields that all kinds have, of each kind. */
static const struct riad_roster_entry entries[] = {
    { .kind = RIAD_ROSTER_CREATE,
            .workspace_kind = RIAD_KIND_PROJECT,
            .epoch = 1,
            .sealed_name_size = 80,
            .member = { .user = { { 2 } }, .role = RIAD_ROLE_MANAGER } },
    { .kind = RIAD_ROSTER_MEMBER_PUT, .member = { .user = { { 2 } }, .role = RIAD_ROLE_READER } },
    { .kind = RIAD_ROSTER_MEMBER_PUT,
            .member = { .user = { { 2 } }, .role = RIAD_ROLE_READER, .group = "physics" } },
    { .kind = RIAD_ROSTER_MEMBER_REMOVE, .member = { .user = { { 2 } } } },
    { .kind = RIAD_ROSTER_EPOCH,
            .epoch = 2,
            .sealed_name_size = 80,
            .wraps = wraps,
            .wrap_count = sizeof wraps / sizeof *wraps },
};
enum { MODELS = sizeof entries / sizeof *entries };
static struct fuzz_model models[MODELS];

static void make_model(size_t number)
{
    struct riad_roster_entry entry = entries[number];
    struct riad_writer writer;

    entry.workspace = (struct riad_id){ { 1 } };
    entry.number = 1;
    entry.time = (struct timespec){ 1, 2 };
    riad_writer_init_fixed(&writer, models[number].data, sizeof models[number].data);
    riad_roster_entry_encode(&entry, &writer);
    FUZZ_ASSERT(writer.error == 0);
    models[number].size = writer.size;
}

static void check_kind(const struct riad_roster_entry *entry)
{
    FUZZ_ASSERT(!entry->member.group[0] || (entry->kind == RIAD_ROSTER_MEMBER_PUT &&
                                                   riad_catalog_is_user_name(entry->member.group)));
    FUZZ_ASSERT((entry->kind == RIAD_ROSTER_EPOCH) == (entry->wraps != NULL));
    FUZZ_ASSERT((entry->wrap_count > 0) == (entry->wraps != NULL));
    FUZZ_ASSERT(entry->kind != RIAD_ROSTER_EPOCH ||
                (entry->epoch >= 2 && entry->epoch <= RIAD_ROSTER_EPOCHS_MAX));
    FUZZ_ASSERT(
            entry->kind == RIAD_ROSTER_MEMBER_REMOVE || entry->kind == RIAD_ROSTER_EPOCH ||
            (entry->member.role >= RIAD_ROLE_MANAGER && entry->member.role <= RIAD_ROLE_READER));
    for (size_t i = 1; i < entry->wrap_count; i++) {
        FUZZ_ASSERT(memcmp(&entry->wraps[i - 1].user, &entry->wraps[i].user,
                            sizeof(struct riad_id)) < 0);
    }
}

/* Extensions that this riad skips are not written again: the rest is the same. */
static void check(const struct riad_roster_entry *entry, const struct fuzz_bytes *bytes)
{
    size_t group = strlen(entry->member.group), extensions = group > 0 ? 4 + 6 + group : 4;
    struct riad_writer writer;

    FUZZ_ASSERT(entry->sealed_name_size <= sizeof entry->sealed_name);
    check_kind(entry);
    riad_writer_init_growing(&writer, 4096, RIAD_ENVELOPE_BODY_MAX);
    riad_roster_entry_encode(entry, &writer);
    FUZZ_ASSERT(writer.error == 0);
    FUZZ_ASSERT(writer.size <= bytes->size);
    FUZZ_ASSERT(memcmp(writer.data, bytes->data, writer.size - extensions) == 0);
    riad_writer_done(&writer);
}

/* The first byte's other bits choose the model. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_fuzz_ struct fuzz_bytes bytes = { 0 };
    size_t number = size > 0 ? data[0] / 2 % MODELS : 0;
    struct riad_roster_entry entry = { 0 };
    int r;

    if (models[number].size == 0) {
        make_model(number);
    }
    if (!fuzz_take(data, size, &models[number], &bytes)) {
        return 0;
    }
    r = riad_roster_entry_decode(bytes.data, bytes.size, &entry);
    FUZZ_ASSERT(r == 0 || r == -EBADMSG);
    FUZZ_ASSERT(r == 0 || !fuzz_is_model(&bytes, &models[number]));
    if (r == 0) {
        check(&entry, &bytes);
    }
    riad_roster_entry_done(&entry);
    return 0;
}
