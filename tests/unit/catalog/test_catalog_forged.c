/* Rosters and names (FORMAT 3.5, kinds 5 and 6) that somebody signed who has a node's key. */
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

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(forged_rosters_are_refused),
        TEST(a_roster_of_too_many_is_refused),
        TEST(entries_of_a_workspace_that_has_no_use_for_them_are_refused),
        TEST(forged_names_are_refused),
    };

    return cmocka_run_group_tests_name("catalog_forged", tests, NULL, NULL);
}
