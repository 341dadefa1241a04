/* Members by a group of accounts (FORMAT 3.2). */
#include "epoch_fixture.h"

static int put_by(const char *group, enum riad_role role, const struct riad_keypair *keys)
{
    _cleanup_(riad_writer_done) struct riad_writer changed = { 0 };
    struct riad_member member = member_of(&other, role);
    uint8_t wrap[RIAD_WRAP_SIZE];
    int r;

    memset(member.group, 'x', sizeof member.group); /* what is behind its end is nobody's */
    memcpy(member.group, group, strlen(group) + (strlen(group) < sizeof member.group));
    r = riad_roster_draft_put(&fixture.store.binding, &roster, file.data, file.size, &member, root,
            keys, &changed, wrap);
    if (r < 0) {
        assert_null(changed.data);
        return r;
    }
    assert_int_equal(riad_roster_publish_wrap(&fixture.store, &workspace, &other.id, roster.epoch,
                             wrap, sizeof wrap),
            0);
    assert_int_equal(
            riad_roster_replace(&fixture.store, &workspace, changed.data, changed.size), 0);
    reload();
    return 0;
}

static void assert_member(const char *group, enum riad_role role)
{
    const struct riad_member *member = riad_roster_find(&roster, &other.id);

    assert_non_null(member);
    assert_string_equal(member->group, group);
    assert_int_equal(member->role, role);
    assert_string_equal(riad_roster_find(&roster, &fixture.user.id)->group, "");
}

static void set_role(enum riad_role role)
{
    _cleanup_(riad_writer_done) struct riad_writer changed = { 0 };

    assert_int_equal(riad_roster_draft_role(&fixture.store.binding, &roster, file.data, file.size,
                             &other.id, role, &fixture.keys, &changed),
            0);
    assert_int_equal(
            riad_roster_replace(&fixture.store, &workspace, changed.data, changed.size), 0);
    reload();
}

static void a_member_is_one_by_a_group(void **state)
{
    (void)state;
    assert_int_equal(put_by("physics", RIAD_ROLE_READER, &fixture.keys), 0);
    assert_member("physics", RIAD_ROLE_READER);
    assert_opens_all(&other.id, &other_keys);
    set_role(RIAD_ROLE_WRITER);
    assert_member("physics", RIAD_ROLE_WRITER);
    assert_int_equal(turn(&fixture.keys), 0);
    assert_member("physics", RIAD_ROLE_WRITER);
    assert_int_equal(put_by("chemistry", RIAD_ROLE_MANAGER, &fixture.keys), 0);
    assert_member("chemistry", RIAD_ROLE_MANAGER);
    assert_int_equal(put_by("", RIAD_ROLE_MANAGER, &fixture.keys), 0);
    assert_member("", RIAD_ROLE_MANAGER);
    set_role(RIAD_ROLE_READER);
    assert_member("", RIAD_ROLE_READER);
}

static void a_group_has_a_name_as_accounts_have(void **state)
{
    static const char *const bad[] = { "a b", "a/b", "a:b", ".a", "-a", "a\n", "\x7f" };
    char longest[RIAD_GROUP_NAME_MAX + 2] = "";

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(put_by(bad[i], RIAD_ROLE_READER, &fixture.keys), -EINVAL);
    }
    memset(longest, 'g', RIAD_GROUP_NAME_MAX + 1); /* no end in the struct */
    assert_int_equal(put_by(longest, RIAD_ROLE_READER, &fixture.keys), -EINVAL);
    longest[RIAD_GROUP_NAME_MAX] = '\0';
    assert_int_equal(put_by(longest, RIAD_ROLE_READER, &fixture.keys), 0);
    assert_member(longest, RIAD_ROLE_READER);
    assert_int_equal(put_by("a/b", RIAD_ROLE_READER, &other_keys), -EPERM);
}

/* A member put with an extensions block that the test writes: what its decoding gives. */
static int decode_with(
        enum riad_roster_entry_kind kind, const void *block, size_t size, char ret[65])
{
    struct riad_roster_entry entry = { .kind = kind,
        .workspace = workspace,
        .epoch = 1,
        .workspace_kind = RIAD_KIND_HOME,
        .sealed_name_size = 80,
        .member = member_of(&other, RIAD_ROLE_WRITER) };
    struct riad_roster_entry decoded = { 0 };
    struct riad_writer writer;
    uint8_t body[1024];
    int r;

    riad_writer_init_fixed(&writer, body, sizeof body);
    riad_roster_entry_encode(&entry, &writer);
    writer.size -= 4;
    riad_put_b32(&writer, block, size);
    assert_int_equal(writer.error, 0);
    r = riad_roster_entry_decode(body, writer.size, &decoded);
    memcpy(ret, decoded.member.group, 65);
    return r;
}
#define DECODE(literal) decode_with(RIAD_ROSTER_MEMBER_PUT, literal, sizeof(literal) - 1, group)

static void forged_groups_are_refused(void **state)
{
    uint8_t longest[6 + 65] = { 1, 0, 64 };
    char group[65];

    (void)state;
    assert_int_equal(DECODE("\1\0\3\0\0\0abc"), 0);
    assert_string_equal(group, "abc");
    assert_int_equal(DECODE("\0\0\1\0\0\0a\1\0\1\0\0\0b\2\0\1\0\0\0c"), 0);
    assert_string_equal(group, "b");
    assert_int_equal(DECODE("\2\0\3\0\0\0abc"), 0);
    assert_string_equal(group, "");
    assert_int_equal(DECODE("\1\0\0\0\0\0"), -EBADMSG); /* F3: none is not written */
    assert_int_equal(DECODE("\1\0\3\0\0\0a\0c"), -EBADMSG);
    assert_int_equal(DECODE("\1\0\3\0\0\0ab\0"), -EBADMSG);
    assert_int_equal(DECODE("\1\0\3\0\0\0a/c"), -EBADMSG);
    assert_int_equal(DECODE("\1\0\2\0\0\0-c"), -EBADMSG);
    assert_int_equal(DECODE("\1\0\3\0\0\0ab"), -EBADMSG);
    assert_int_equal(DECODE("\1\0\1\0\0\0a\1\0\1\0\0\0b"), -EBADMSG);
    assert_int_equal(DECODE("\1\0\1\0\0\0a\1\200\1\0\0\0b"), -EBADMSG);
    memset(longest + 6, 'g', 65);
    assert_int_equal(decode_with(RIAD_ROSTER_MEMBER_PUT, longest, 6 + 64, group), 0);
    assert_int_equal(strlen(group), 64);
    longest[2] = 65;
    assert_int_equal(decode_with(RIAD_ROSTER_MEMBER_PUT, longest, 6 + 65, group), -EBADMSG);
}

/* Which means nothing where no group is: it is skipped as by who does not know it. */
static void other_entries_have_no_group(void **state)
{
    static const char block[] = "\1\0\3\0\0\0a/c";
    char group[65];

    (void)state;
    assert_int_equal(decode_with(RIAD_ROSTER_CREATE, block, sizeof block - 1, group), 0);
    assert_string_equal(group, "");
    assert_int_equal(decode_with(RIAD_ROSTER_MEMBER_REMOVE, block, sizeof block - 1, group), 0);
    assert_string_equal(group, "");
}

/* Byte for byte what an entry without is, but for the extension: who does not know groups reads the
 * member. */
static void the_group_is_an_extension(void **state)
{
    struct riad_roster_entry entry = { .kind = RIAD_ROSTER_MEMBER_PUT,
        .member = member_of(&other, RIAD_ROLE_WRITER) };
    struct riad_writer without, with;
    uint8_t one[512], two[512];

    (void)state;
    riad_writer_init_fixed(&without, one, sizeof one);
    riad_roster_entry_encode(&entry, &without);
    snprintf(entry.member.group, sizeof entry.member.group, "physics");
    riad_writer_init_fixed(&with, two, sizeof two);
    riad_roster_entry_encode(&entry, &with);
    assert_int_equal(with.size, without.size + 13);
    assert_memory_equal(one, two, without.size - 4);
    assert_memory_equal(two + without.size - 4, "\15\0\0\0\1\0\7\0\0\0physics", 17);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_epoch, teardown_epoch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_member_is_one_by_a_group),
        TEST(a_group_has_a_name_as_accounts_have),
        TEST(forged_groups_are_refused),
        TEST(other_entries_have_no_group),
        TEST(the_group_is_an_extension),
    };

    return cmocka_run_group_tests_name("roster_group", tests, NULL, NULL);
}
