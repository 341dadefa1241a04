/* Limits of users and groups, and the workspaces' grants of them (FORMAT 3.5, kinds 2, 9 and 10).
 */
#include <stdlib.h>

#include "riad/error.h"

#include "catalog_priv.h"

enum { BODY_MAX = 128, BATCH_SUBJECTS = 1536, GRANTS_MAX = 1024 };

/* The first subject that is not below (kind, id). */
static size_t lower_bound(
        const struct riad_catalog *catalog, enum riad_catalog_subject_kind kind, uint32_t id)
{
    size_t low = 0;
    size_t high = catalog->subject_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct riad_catalog_subject *subject = &catalog->subjects[middle];

        if (subject->kind < kind || (subject->kind == kind && subject->id < id)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

const struct riad_catalog_subject *riad_catalog_find_subject(
        const struct riad_catalog *catalog, enum riad_catalog_subject_kind kind, uint32_t id)
{
    size_t at = lower_bound(catalog, kind, id);

    return at < catalog->subject_count && catalog->subjects[at].kind == kind &&
                           catalog->subjects[at].id == id
                   ? &catalog->subjects[at]
                   : NULL;
}

const struct riad_catalog_grant *riad_catalog_find_grant(
        const struct riad_catalog_subject *subject, const struct riad_id *workspace)
{
    size_t i = 0;

    while (i < subject->grant_count && !riad_id_equal(&subject->grants[i].workspace, workspace)) {
        i++;
    }
    return i < subject->grant_count ? &subject->grants[i] : NULL;
}

static int insert(
        struct riad_catalog *catalog, size_t at, enum riad_catalog_subject_kind kind, uint32_t id)
{
    struct riad_catalog_subject *subjects;

    if (catalog->subject_count == RIAD_CATALOG_SUBJECTS_MAX) {
        return -EBADMSG;
    }
    subjects = reallocarray(catalog->subjects, catalog->subject_count + 1, sizeof *subjects);
    if (!subjects) {
        return -ENOMEM;
    }
    catalog->subjects = subjects;
    memmove(subjects + at + 1, subjects + at, (catalog->subject_count - at) * sizeof *subjects);
    subjects[at] = (struct riad_catalog_subject){ .kind = kind, .id = id };
    catalog->subject_count++;
    return 0;
}

int riad_catalog_apply_subject(struct riad_catalog *catalog, uint8_t kind, const uint8_t *subject,
        size_t size, const struct riad_catalog_limit *limit)
{
    struct riad_reader reader;
    uint32_t id;
    size_t at;
    int r = 0;

    riad_reader_init(&reader, subject, size);
    id = riad_get_u32(&reader);
    if (riad_reader_finish(&reader) < 0) {
        return -EBADMSG;
    }
    if (!riad_catalog_find_subject(catalog, kind, id)) {
        r = insert(catalog, lower_bound(catalog, kind, id), kind, id);
    }
    at = lower_bound(catalog, kind, id);
    if (r == 0) {
        catalog->subjects[at].limit = *limit;
        catalog->subject_changes++;
    }
    return r;
}

static int set_grant(struct riad_catalog_subject *subject, const struct riad_catalog_grant *grant)
{
    struct riad_catalog_grant *found =
            (struct riad_catalog_grant *)riad_catalog_find_grant(subject, &grant->workspace);
    struct riad_catalog_grant *grants;

    if (!found) {
        grants = reallocarray(subject->grants, subject->grant_count + 1, sizeof *grants);
        if (!grants) {
            return -ENOMEM;
        }
        subject->grants = grants;
        found = &grants[subject->grant_count++];
    }
    *found = *grant;
    return 0;
}

int riad_catalog_apply_grant(struct riad_catalog *catalog, struct riad_reader *body)
{
    struct riad_catalog_grant grant;
    struct riad_catalog_subject *subject;
    uint8_t kind = riad_get_u8(body);
    uint32_t id = riad_get_u32(body);
    int r;

    riad_get_id(body, &grant.workspace);
    grant.bytes = riad_get_u64(body);
    grant.inodes = riad_get_u64(body);
    r = riad_reader_finish(body);
    if (r < 0) {
        return r;
    }
    subject = (struct riad_catalog_subject *)riad_catalog_find_subject(catalog, kind, id);
    catalog->subject_changes++;
    return subject && riad_catalog_find(catalog, &grant.workspace) ? set_grant(subject, &grant)
                                                                   : -EBADMSG;
}

/* So that no grace that is added to it overflows. */
static bool is_clock(const struct riad_catalog_clock *clock)
{
    const uint64_t most = INT64_MAX - UINT32_MAX;

    return clock->bytes_over_since <= most && clock->inodes_over_since <= most;
}

int riad_catalog_apply_clock(struct riad_catalog *catalog, struct riad_reader *body)
{
    struct riad_catalog_subject *subject;
    struct riad_catalog_clock clock;
    uint8_t kind = riad_get_u8(body);
    uint32_t id = riad_get_u32(body);
    int r;

    clock.bytes_over_since = riad_get_u64(body);
    clock.inodes_over_since = riad_get_u64(body);
    r = riad_reader_finish(body);
    if (r < 0) {
        return r;
    }
    subject = (struct riad_catalog_subject *)riad_catalog_find_subject(catalog, kind, id);
    if (!subject || !is_clock(&clock)) {
        return -EBADMSG;
    }
    subject->clock = clock;
    catalog->subject_changes++;
    return 0;
}

static void put_subject(const struct riad_catalog_subject *subject, struct riad_writer *writer)
{
    uint8_t bytes[BODY_MAX], id[4];
    struct riad_writer body, name;

    riad_writer_init_fixed(&name, id, sizeof id);
    riad_put_u32(&name, subject->id);
    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_u8(&body, (uint8_t)subject->kind);
    riad_put_b16(&body, id, sizeof id);
    riad_catalog_put_limit(&subject->limit, &body);
    riad_catalog_put_entry(RIAD_CATALOG_ENTRY_LIMIT, &body, writer);
}

void riad_catalog_put_subjects(
        const struct riad_catalog_addition *addition, struct riad_writer *writer)
{
    for (size_t i = 0; i < addition->subject_count; i++) {
        put_subject(&addition->subjects[i], writer);
    }
}

static bool has_clock(
        const struct riad_catalog *catalog, const struct riad_catalog_subject *subject)
{
    const struct riad_catalog_subject *present =
            riad_catalog_find_subject(catalog, subject->kind, subject->id);

    return present && present->clock.bytes_over_since == subject->clock.bytes_over_since &&
           present->clock.inodes_over_since == subject->clock.inodes_over_since;
}

static void put_clock(const struct riad_catalog_subject *subject, struct riad_writer *writer)
{
    uint8_t bytes[BODY_MAX];
    struct riad_writer body;

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_put_u8(&body, (uint8_t)subject->kind);
    riad_put_u32(&body, subject->id);
    riad_put_u64(&body, subject->clock.bytes_over_since);
    riad_put_u64(&body, subject->clock.inodes_over_since);
    riad_catalog_put_entry(RIAD_CATALOG_ENTRY_CLOCK, &body, writer);
}

uint32_t riad_catalog_count_grants(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    return (uint32_t)addition->subjects->grant_count + !has_clock(catalog, addition->subjects);
}

void riad_catalog_put_grants(const struct riad_catalog *catalog,
        const struct riad_catalog_addition *addition, struct riad_writer *writer)
{
    const struct riad_catalog_subject *subject = addition->subjects;

    if (!has_clock(catalog, subject)) {
        put_clock(subject, writer);
    }
    for (size_t i = 0; i < subject->grant_count; i++) {
        uint8_t bytes[BODY_MAX];
        struct riad_writer body;

        riad_writer_init_fixed(&body, bytes, sizeof bytes);
        riad_put_u8(&body, (uint8_t)subject->kind);
        riad_put_u32(&body, subject->id);
        riad_put_id(&body, &subject->grants[i].workspace);
        riad_put_u64(&body, subject->grants[i].bytes);
        riad_put_u64(&body, subject->grants[i].inodes);
        riad_catalog_put_entry(RIAD_CATALOG_ENTRY_GRANT, &body, writer);
    }
}

int riad_catalog_check_grants(
        const struct riad_catalog *catalog, const struct riad_catalog_addition *addition)
{
    const struct riad_catalog_subject *subject = addition->subjects;

    if (!riad_catalog_find_subject(catalog, subject->kind, subject->id)) {
        return -ENOENT;
    }
    if (catalog->subject_changes != addition->subject_changes) {
        return -ESTALE;
    }
    for (size_t i = 0; i < subject->grant_count; i++) {
        if (!riad_catalog_find(catalog, &subject->grants[i].workspace)) {
            return -ENOENT;
        }
    }
    return 0;
}

static bool is_subject(const struct riad_catalog_subject *subject)
{
    return (subject->kind == RIAD_CATALOG_USER || subject->kind == RIAD_CATALOG_GROUP) &&
           riad_catalog_is_limit(&subject->limit);
}

int riad_catalog_set_subjects(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_subject *subjects, size_t count)
{
    int r = 0;

    for (size_t i = 0; i < count; i++) {
        if (!is_subject(&subjects[i])) {
            return -EINVAL;
        }
    }
    for (size_t i = 0; r == 0 && i < count; i += BATCH_SUBJECTS) {
        const struct riad_catalog_addition addition = { .kind = RIAD_CATALOG_ADD_SUBJECTS,
            .subjects = subjects + i,
            .subject_count = count - i < BATCH_SUBJECTS ? count - i : BATCH_SUBJECTS };

        r = riad_catalog_add(store, keys, catalog, &addition);
    }
    return r;
}

int riad_catalog_set_grants(const struct riad_store *store, const struct riad_keypair *keys,
        struct riad_catalog *catalog, const struct riad_catalog_subject *subject)
{
    const struct riad_catalog_addition addition = { .kind = RIAD_CATALOG_ADD_GRANTS,
        .subjects = subject,
        .subject_count = 1,
        .subject_changes = catalog->subject_changes };

    return subject->grant_count <= GRANTS_MAX && is_clock(&subject->clock)
                   ? riad_catalog_add(store, keys, catalog, &addition)
                   : -EINVAL;
}

int riad_catalog_copy_subjects(const struct riad_catalog *catalog, struct riad_catalog *copy)
{
    copy->subjects = calloc(catalog->subject_count + 1, sizeof *copy->subjects);
    if (!copy->subjects) {
        return -ENOMEM;
    }
    for (size_t i = 0; i < catalog->subject_count; i++) {
        struct riad_catalog_subject *subject = &copy->subjects[i];
        size_t size = catalog->subjects[i].grant_count * sizeof *subject->grants;

        *subject = catalog->subjects[i];
        subject->grants = malloc(size + 1);
        copy->subject_count = i + 1;
        if (!subject->grants) {
            return -ENOMEM;
        }
        if (size > 0) {
            memcpy(subject->grants, catalog->subjects[i].grants, size);
        }
    }
    return 0;
}

void riad_catalog_free_subjects(struct riad_catalog *catalog)
{
    for (size_t i = 0; i < catalog->subject_count; i++) {
        free(catalog->subjects[i].grants);
    }
    free(catalog->subjects);
}
