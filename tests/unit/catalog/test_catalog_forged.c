/* Rosters, names, ends of epochs and bounds of terms (FORMAT 3.5, kinds 5 to 8) that somebody
 * signed who has a node's key. */
#include "project_fixture.h"

/* The project 1 and the home 2, then these entries, which the writer holds. */
static int load_after(uint32_t count, const struct riad_writer *entries)
{
    const struct riad_catalog_batch batch = { .count = 2 + count };
    const struct riad_catalog_workspace project = project_of(1, ""),
                                        home = { .id = id_of(2), .kind = RIAD_KIND_HOME };
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };

    assert_int_equal(entries->error, 0);
    riad_writer_init_growing(&body, 4096, RIAD_ENVELOPE_BODY_MAX);
    riad_catalog_batch_encode(&batch, &body);
    riad_catalog_put_workspace_entry(&project, &body);
    riad_catalog_put_workspace_entry(&home, &body);
    riad_put_bytes(&body, entries->data, entries->size);
    riad_put_b32(&body, NULL, 0);
    return load_body(&body);
}

/* A roster entry of workspace 1 in the order given, which says that it has `count` members. */
static void put_roster(
        struct riad_writer *writer, uint64_t entries, const char *text, uint32_t count, size_t more)
{
    struct riad_member members[MEMBERS_MAX];
    size_t real = parse_members(text, members);
    const struct riad_hash head = { { 3 } };
    const struct riad_id id = id_of(1);

    riad_put_u8(writer, RIAD_CATALOG_ENTRY_ROSTER);
    riad_put_u8(writer, 0);
    riad_put_u32(writer, (uint32_t)(60 + 17 * real + more));
    riad_put_id(writer, &id);
    riad_put_u64(writer, entries);
    riad_put_hash(writer, &head);
    riad_put_u32(writer, count);
    for (size_t i = 0; i < real; i++) {
        riad_put_id(writer, &members[i].user);
        riad_put_u8(writer, (uint8_t)members[i].role);
    }
    riad_put_zeros(writer, more);
}

static int load_roster(uint64_t entries, const char *text, uint32_t count, size_t more)
{
    struct riad_writer writer;
    uint8_t bytes[1024];

    riad_writer_init_fixed(&writer, bytes, sizeof bytes);
    put_roster(&writer, entries, text, count, more);
    return load_after(1, &writer);
}

/* Two states, one after the other. */
static int load_two(uint64_t first, uint64_t second)
{
    struct riad_writer writer;
    uint8_t bytes[1024];

    riad_writer_init_fixed(&writer, bytes, sizeof bytes);
    put_roster(&writer, first, "mawb", 2, 0);
    put_roster(&writer, second, "mb", 1, 0);
    return load_after(2, &writer);
}

static void forged_rosters_are_refused(void **state)
{
    (void)state;
    assert_int_equal(load_roster(1, "ma", 1, 0), 0);
    assert_int_equal(load_roster(UINT64_MAX, "mawbrc", 3, 0), 0);
    assert_int_equal(load_roster(0, "ma", 1, 0), -EBADMSG);
    assert_int_equal(load_roster(1, "", 0, 0), -EBADMSG);
    assert_int_equal(load_roster(1, "warb", 2, 0), -EBADMSG);
    assert_int_equal(load_roster(1, "mawa", 2, 0), -EBADMSG);
    assert_int_equal(load_roster(1, "mbwa", 2, 0), -EBADMSG); /* F3: one order */
    assert_int_equal(load_roster(1, "mbwamb", 3, 0), -EBADMSG);
    assert_int_equal(load_roster(1, "ma?b", 2, 0), -EBADMSG);
    assert_int_equal(load_roster(1, "ma-b", 2, 0), -EBADMSG);
    assert_int_equal(load_roster(1, "mawb", 1, 0), -EBADMSG);
    assert_int_equal(load_roster(1, "mawb", 3, 0), -EBADMSG);
    assert_int_equal(load_roster(1, "ma", 1, 1), -EBADMSG);
    assert_int_equal(load_roster(1, "ma", 4097, 0), -EBADMSG);
    assert_int_equal(load_roster(1, "ma", UINT32_MAX, 0), -EBADMSG);
    assert_int_equal(load_two(3, 4), 0);
    assert_int_equal(load_two(3, 3), -EBADMSG);
    assert_int_equal(load_two(3, 2), -EBADMSG);
}

/* One over the bound, and right otherwise. */
static void a_roster_of_too_many_is_refused(void **state)
{
    enum { TOO_MANY = RIAD_CATALOG_MEMBERS_MAX + 1 };
    _cleanup_(riad_writer_done) struct riad_writer writer = { 0 };
    struct riad_catalog_member *members = calloc(TOO_MANY, sizeof *members);
    struct riad_catalog_workspace project = project_of(1, "");

    (void)state;
    assert_non_null(members);
    for (int i = 0; i < TOO_MANY; i++) {
        members[i].user.bytes[0] = (uint8_t)(i >> 8);
        members[i].user.bytes[1] = (uint8_t)i;
        members[i].role = RIAD_ROLE_MANAGER;
    }
    project.members = members;
    project.member_count = TOO_MANY;
    project.roster_entries = 1;
    riad_writer_init_growing(&writer, 4096, RIAD_ENVELOPE_BODY_MAX);
    riad_catalog_put_roster_entry(&project, &writer);
    assert_int_equal(load_after(1, &writer), -EBADMSG);
    riad_writer_reset(&writer);
    project.member_count--;
    riad_catalog_put_roster_entry(&project, &writer);
    assert_int_equal(load_after(1, &writer), 0);
    free(members);
}

/* Entries as "1n 2r" says: a workspace and what is said of it. n and m name it, so or otherwise; r
 * registers a roster, d deletes it, l makes it live, h makes it a home. */
static int load_script(const char *script)
{
    struct riad_catalog_member manager = { .user = id_of('a'), .role = RIAD_ROLE_MANAGER };
    _cleanup_(riad_writer_done) struct riad_writer writer = { 0 };
    uint32_t count = 0;

    riad_writer_init_growing(&writer, 4096, RIAD_ENVELOPE_BODY_MAX);
    for (const char *at = script; *at; at += at[2] ? 3 : 2, count++) {
        struct riad_catalog_workspace workspace =
                project_of((uint8_t)(at[0] - '0'), at[1] == 'm' ? "other" : "atlas");

        workspace.members = &manager;
        workspace.member_count = 1;
        workspace.roster_entries = 1;
        workspace.deleted = at[1] == 'd';
        workspace.kind = at[1] == 'h' ? RIAD_KIND_HOME : RIAD_KIND_PROJECT;
        if (at[1] == 'n' || at[1] == 'm') {
            riad_catalog_put_name_entry(&workspace, &writer);
        } else if (at[1] == 'r') {
            riad_catalog_put_roster_entry(&workspace, &writer);
        } else {
            riad_catalog_put_workspace_entry(&workspace, &writer);
        }
    }
    return load_after(count, &writer);
}

static void entries_of_a_workspace_that_has_no_use_for_them_are_refused(void **state)
{
    (void)state;
    assert_int_equal(load_script("1n 1r"), 0);
    assert_int_equal(load_script("2r"), 0);
    assert_int_equal(load_script("3r"), -EBADMSG);
    assert_int_equal(load_script("3n"), -EBADMSG);
    assert_int_equal(load_script("1d 1r"), -EBADMSG);
    assert_int_equal(load_script("1d 1n"), -EBADMSG);
    assert_int_equal(load_script("2n"), -EBADMSG); /* a home */
    assert_int_equal(load_script("1n 1n"), -EBADMSG);
    assert_int_equal(load_script("1n 1m"), -EBADMSG);
    assert_int_equal(load_script("1n 3l 3m"), 0);
    assert_int_equal(load_script("1n 3l 3n"), -EBADMSG);
    assert_int_equal(load_script("1n 1d 3l 3n"), 0);
    /* Nor comes a name back that another one has, or stays with what is no project any more. */
    assert_int_equal(load_script("1n 1d 3l 3n 1l"), -EBADMSG);
    assert_int_equal(load_script("1n 1d 3l 3n 3d 1l"), 0);
    assert_int_equal(load_script("1n 1d 1l"), 0);
    assert_int_equal(load_script("1n 1l"), 0);
    assert_int_equal(load_script("1n 1h"), -EBADMSG);
    assert_int_equal(load_script("1h"), 0);
}

static int load_name(const char *name, size_t size, size_t more)
{
    const struct riad_id id = id_of(1);
    struct riad_writer writer;
    uint8_t bytes[1024];

    riad_writer_init_fixed(&writer, bytes, sizeof bytes);
    riad_put_u8(&writer, RIAD_CATALOG_ENTRY_NAME);
    riad_put_u8(&writer, 0);
    riad_put_u32(&writer, (uint32_t)(18 + size + more));
    riad_put_id(&writer, &id);
    riad_put_b16(&writer, name, size);
    riad_put_zeros(&writer, more);
    return load_after(1, &writer);
}

static void forged_names_are_refused(void **state)
{
    char longest[RIAD_PROJECT_NAME_MAX + 1];

    (void)state;
    memset(longest, 'x', sizeof longest);
    assert_int_equal(load_name("atlas", 5, 0), 0);
    assert_int_equal(load_name(longest, sizeof longest - 1, 0), 0);
    assert_int_equal(load_name(longest, sizeof longest, 0), -EBADMSG);
    assert_int_equal(load_name("", 0, 0), -EBADMSG);
    assert_int_equal(load_name("a\0b", 3, 0), -EBADMSG);
    assert_int_equal(load_name("atlas", 6, 0), -EBADMSG);
    assert_int_equal(load_name("a/b", 3, 0), -EBADMSG);
    assert_int_equal(load_name(".atlas", 6, 0), -EBADMSG);
    assert_int_equal(load_name("atlas", 5, 1), -EBADMSG);
}

/* Ends of epochs as "1a 2b" says: a workspace, and the epoch as a letter; `@` is 0. A capital D
 * deletes the workspace, L makes it live. */
static int load_ends(const char *script)
{
    _cleanup_(riad_writer_done) struct riad_writer writer = { 0 };
    uint32_t count = 0;

    riad_writer_init_growing(&writer, 4096, RIAD_ENVELOPE_BODY_MAX);
    for (const char *at = script; *at; at += at[2] ? 3 : 2, count++) {
        struct riad_catalog_workspace workspace = project_of((uint8_t)(at[0] - '0'), "");
        const struct riad_catalog_epoch_end end = {
            .epoch = at[1] == '@' ? 0 : (uint32_t)(at[1] - 'a' + 1), .term = 1
        };

        if (at[1] == 'D' || at[1] == 'L') {
            workspace.deleted = at[1] == 'D';
            riad_catalog_put_workspace_entry(&workspace, &writer);
        } else {
            riad_catalog_put_epoch_end_entry(&workspace.id, &end, &writer);
        }
    }
    return load_after(count, &writer);
}

static int load_end(uint32_t epoch)
{
    const struct riad_catalog_epoch_end end = { .epoch = epoch };
    const struct riad_id id = id_of(1);
    struct riad_writer writer;
    uint8_t bytes[128];

    riad_writer_init_fixed(&writer, bytes, sizeof bytes);
    riad_catalog_put_epoch_end_entry(&id, &end, &writer);
    return load_after(1, &writer);
}

static void forged_ends_of_epochs_are_refused(void **state)
{
    (void)state;
    assert_int_equal(load_ends("1a 1b 2a 1d"), 0);
    assert_int_equal(load_ends("1b 1b"), -EBADMSG);
    assert_int_equal(load_ends("1b 1a"), -EBADMSG);
    assert_int_equal(load_ends("1a 1c 1b"), -EBADMSG);
    assert_int_equal(load_ends("1@"), -EBADMSG);
    assert_int_equal(load_ends("3a"), -EBADMSG);
    assert_int_equal(load_ends("1D 1a"), -EBADMSG);
    assert_int_equal(load_ends("1a 1D 1L 1b"), 0);
    assert_int_equal(load_ends("1a 1D 1L 1a"), -EBADMSG);
    assert_int_equal(load_end(64), 0);
    assert_int_equal(load_end(65), -EBADMSG);
    assert_int_equal(load_end(UINT32_MAX), -EBADMSG);
}

/* Bounds as "1a 2b": a workspace, and a letter for the node; D deletes it. */
static int load_bounds(const char *script)
{
    _cleanup_(riad_writer_done) struct riad_writer writer = { 0 };
    uint32_t count = 0;

    riad_writer_init_growing(&writer, 4096, RIAD_ENVELOPE_BODY_MAX);
    for (const char *at = script; *at; at += at[2] ? 3 : 2, count++) {
        struct riad_catalog_workspace workspace = project_of((uint8_t)(at[0] - '0'), "");
        struct riad_catalog_term_bound bound = { .last = 4 };

        workspace.deleted = true;
        bound.key.bytes[31] = (uint8_t)at[1];
        if (at[1] == 'D') {
            riad_catalog_put_workspace_entry(&workspace, &writer);
        } else {
            riad_catalog_put_term_bound_entry(&workspace.id, &bound, &writer);
        }
    }
    return load_after(count, &writer);
}

static void forged_bounds_are_refused(void **state)
{
    (void)state;
    assert_int_equal(load_bounds("1a 2a 1b 2b"), 0);
    assert_int_equal(load_bounds("1a 1a"), -EBADMSG);
    assert_int_equal(load_bounds("1a 1b 2a 1a"), -EBADMSG);
    assert_int_equal(load_bounds("3a"), -EBADMSG);
    assert_int_equal(load_bounds("1D 1a"), 0);
    assert_int_equal(load_bounds("1D 1a 1a"), -EBADMSG);
}

static int apply_one_bound(struct riad_catalog *catalog, uint8_t node)
{
    const struct riad_catalog_term_bound bound = { { { 0, 0, node } }, 1 };
    const struct riad_id id = id_of(1);
    struct riad_writer writer;
    struct riad_reader body;
    uint8_t bytes[128];

    riad_writer_init_fixed(&writer, bytes, sizeof bytes);
    riad_catalog_put_term_bound_entry(&id, &bound, &writer);
    riad_reader_init(&body, bytes + 6, writer.size - 6);
    return riad_catalog_apply_term_bound(catalog, &body);
}

/* One over the bound, and right otherwise; and none is added to as many as there may be. */
static void too_many_bounds_are_refused(void **state)
{
    enum { MOST = RIAD_CATALOG_BOUNDS_MAX };
    _cleanup_(riad_writer_done) struct riad_writer writer = { 0 };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    struct riad_catalog_term_bound bound = { .last = 1 };
    const struct riad_catalog_bound wanted = { id_of(1), 1 };

    (void)state;
    riad_writer_init_growing(&writer, 4096, RIAD_ENVELOPE_BODY_MAX);
    for (int i = 0; i < MOST - 2; i++) {
        bound.key.bytes[0] = (uint8_t)(i >> 8);
        bound.key.bytes[1] = (uint8_t)i;
        riad_catalog_put_term_bound_entry(&wanted.workspace, &bound, &writer);
    }
    assert_int_equal(load_after(MOST - 2, &writer), 0);
    assert_int_equal(load(&catalog), 0);
    for (uint8_t i = 1; i <= 3; i++) {
        bound.key.bytes[2] = i;
        assert_int_equal(riad_catalog_bound_terms(
                                 &fixture.store, &fixture.keys, &catalog, &bound.key, &wanted, 1),
                i <= 2 ? 0 : -ENOSPC);
    }
    bound.key.bytes[2] = 2; /* bound already */
    assert_int_equal(riad_catalog_bound_terms(
                             &fixture.store, &fixture.keys, &catalog, &bound.key, &wanted, 1),
            0);
    assert_int_equal(riad_catalog_find(&catalog, &wanted.workspace)->term_bound_count, MOST);
    assert_int_equal(apply_one_bound(&catalog, 3), -EBADMSG);
}

/* Bodies as FORMAT 3.5 says, and a byte more or less. */
static int load_entry(uint8_t kind, size_t size)
{
    struct riad_writer writer;
    uint8_t bytes[256];
    const uint8_t number = 1;

    riad_writer_init_fixed(&writer, bytes, sizeof bytes);
    riad_put_u8(&writer, kind);
    riad_put_u8(&writer, 0);
    riad_put_u32(&writer, (uint32_t)size);
    if (kind == 8) {
        riad_put_zeros(&writer, 32);
    }
    riad_put_bytes(&writer, &number, 1); /* the workspace */
    riad_put_zeros(&writer, 15);
    if (kind == 7) {
        riad_put_u32(&writer, 64);
        riad_put_u32(&writer, 0);
        riad_put_u64(&writer, 0);
        riad_put_zeros(&writer, 32 + 8);
    } else {
        riad_put_zeros(&writer, 4 + 8);
    }
    writer.size = 6 + size;
    return load_after(1, &writer);
}

static void entries_have_one_size(void **state)
{
    (void)state;
    for (size_t size = 0; size <= 80; size++) {
        assert_int_equal(load_entry(7, size), size == 72 ? 0 : -EBADMSG);
    }
    for (size_t size = 0; size <= 60; size++) {
        assert_int_equal(load_entry(8, size), size == 52 ? 0 : -EBADMSG);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(forged_rosters_are_refused),
        TEST(a_roster_of_too_many_is_refused),
        TEST(entries_of_a_workspace_that_has_no_use_for_them_are_refused),
        TEST(forged_names_are_refused),
        TEST(forged_ends_of_epochs_are_refused),
        TEST(forged_bounds_are_refused),
        TEST(too_many_bounds_are_refused),
        TEST(entries_have_one_size),
    };

    return cmocka_run_group_tests_name("catalog_forged", tests, NULL, NULL);
}
