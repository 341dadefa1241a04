/* Limits of workspaces, and what new ones get (FORMAT 3.5, kind 2). */
#include "riad/error.h"

#include "catalog_priv.h"

enum { SUBJECT_WORKSPACE = 1, SUBJECT_MAX = 255, BODY_MAX = 128 };
/* So many in a batch: what signs it takes 128 KiB at most. */
enum { LIMIT_SIZE = 65 /* with what is around the body */, BATCH_LIMITS = 1536 };
_Static_assert(BATCH_LIMITS <= (int)RIAD_CATALOG_ENTRIES_MAX, "one batch takes them");
_Static_assert(BATCH_LIMITS *LIMIT_SIZE <= 100 << 10, "and is signed at once");

bool riad_catalog_is_limit(const struct riad_catalog_limit *limit)
{
    return (limit->bytes_hard == 0 || limit->bytes_soft <= limit->bytes_hard) &&
           (limit->inodes_hard == 0 || limit->inodes_soft <= limit->inodes_hard);
}

void riad_catalog_put_limit(const struct riad_catalog_limit *limit, struct riad_writer *body)
{
    riad_put_u64(body, limit->bytes_soft);
    riad_put_u64(body, limit->bytes_hard);
    riad_put_u64(body, limit->inodes_soft);
    riad_put_u64(body, limit->inodes_hard);
    riad_put_u32(body, limit->grace_bytes);
    riad_put_u32(body, limit->grace_inodes);
}

static void lower(uint64_t *soft, uint64_t hard)
{
    *soft = hard > 0 && *soft > hard ? hard : *soft;
}

void riad_catalog_lower_soft(struct riad_catalog_limit *limit)
{
    lower(&limit->bytes_soft, limit->bytes_hard);
    lower(&limit->inodes_soft, limit->inodes_hard);
}

void riad_catalog_put_limit_entry(const struct riad_id *workspace,
        const struct riad_catalog_limit *limit, struct riad_writer *writer)
{
    struct riad_writer body;
    uint8_t bytes[BODY_MAX];

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_u8(&body, SUBJECT_WORKSPACE);
    riad_put_b16(&body, workspace ? workspace->bytes : NULL, workspace ? sizeof *workspace : 0);
    riad_catalog_put_limit(limit, &body);
    riad_catalog_put_entry(RIAD_CATALOG_ENTRY_LIMIT, &body, writer);
}

static void get_limit(struct riad_reader *body, struct riad_catalog_limit *ret)
{
    ret->bytes_soft = riad_get_u64(body);
    ret->bytes_hard = riad_get_u64(body);
    ret->inodes_soft = riad_get_u64(body);
    ret->inodes_hard = riad_get_u64(body);
    ret->grace_bytes = riad_get_u32(body);
    ret->grace_inodes = riad_get_u32(body);
}

/* Without a subject: of all that will be made. */
static int apply_to_workspaces(struct riad_catalog *catalog, const uint8_t *subject, size_t size,
        const struct riad_catalog_limit *limit)
{
    struct riad_catalog_workspace *workspace;
    struct riad_id id;

    if (size == 0) {
        catalog->default_limit = *limit;
        return 0;
    }
    if (size != sizeof id) {
        return -EBADMSG;
    }
    memcpy(id.bytes, subject, sizeof id.bytes);
    workspace = (struct riad_catalog_workspace *)riad_catalog_find(catalog, &id);
    if (!workspace) {
        return -EBADMSG;
    }
    workspace->limit = *limit;
    return 0;
}

int riad_catalog_apply_limit(struct riad_catalog *catalog, struct riad_reader *body)
{
    struct riad_catalog_limit limit;
    uint8_t kind = riad_get_u8(body);
    size_t size;
    const uint8_t *subject = riad_get_b16(body, SUBJECT_MAX, &size);
    int r;

    get_limit(body, &limit);
    r = riad_reader_finish(body);
    if (r < 0) {
        return r;
    }
    if (kind == RIAD_CATALOG_USER || kind == RIAD_CATALOG_GROUP) {
        return riad_catalog_apply_subject(catalog, kind, subject, size, &limit);
    }
    return kind == SUBJECT_WORKSPACE ? apply_to_workspaces(catalog, subject, size, &limit)
                                     : -EBADMSG;
}

int riad_catalog_check_limits(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    for (size_t i = 0; i < addition->limit_count; i++) {
        const struct riad_catalog_workspace *workspace =
                riad_catalog_find(catalog, &addition->limits[i].workspace);

        if (!workspace || workspace->deleted) {
            return -ENOENT;
        }
    }
    return 0;
}

void riad_catalog_put_limits(
        const struct riad_catalog_addition *addition, struct riad_writer *writer)
{
    for (size_t i = 0; i < addition->limit_count; i++) {
        const struct riad_catalog_limit_setting *setting = &addition->limits[i];

        riad_catalog_put_limit_entry(&setting->workspace, &setting->limit, writer);
    }
}

int riad_catalog_set_limits(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_limit_setting *settings,
        size_t count)
{
    int r = 0;

    for (size_t i = 0; i < count; i++) {
        if (!riad_catalog_is_limit(&settings[i].limit)) {
            return -EINVAL;
        }
    }
    for (size_t i = 0; r == 0 && i < count; i += BATCH_LIMITS) {
        const struct riad_catalog_addition addition = { .kind = RIAD_CATALOG_ADD_LIMITS,
            .limits = settings + i,
            .limit_count = count - i < BATCH_LIMITS ? count - i : BATCH_LIMITS };

        r = riad_catalog_add(store, keys, catalog, &addition);
    }
    return r;
}

int riad_catalog_set_limit(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_id *workspace,
        const struct riad_catalog_limit *limit)
{
    const struct riad_catalog_limit_setting setting = { *workspace, *limit };

    return riad_catalog_set_limits(store, keys, catalog, &setting, 1);
}

int riad_catalog_set_default_limit(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_limit *limit)
{
    const struct riad_catalog_workspace entry = { .limit = *limit };
    const struct riad_catalog_addition addition = { .workspace = &entry,
        .kind = RIAD_CATALOG_ADD_DEFAULT_LIMIT };

    return riad_catalog_is_limit(limit) ? riad_catalog_add(store, keys, catalog, &addition)
                                        : -EINVAL;
}
