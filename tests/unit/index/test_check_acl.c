/* The check of access control lists: each inode against its own. */
#include "acl.h"
#include "index/fixture.h"

static void collect(void *context, const char *finding)
{
    strcat(context, finding);
}

/* The findings of a tree that holds one inode with one xattr. */
static void check(struct fixture *f, uint32_t mode, const char *name, const void *value,
        size_t size, char ret[512])
{
    struct riad_inode root = make_inode(RIAD_ROOT_INODE, S_IFDIR | 0755);
    struct riad_inode row = make_inode(2, mode);
    struct riad_dentry dentry = make_dentry(1, 3, 2, (uint8_t)IFTODT(mode), "x");
    struct riad_snapshot *snapshot;
    uint64_t count = 0;

    row.xattr_bytes = (uint32_t)(strlen(name) + size);
    row.blocks += riad_xattr_blocks(row.xattr_bytes);
    root.nlink += S_ISDIR(mode) ? 1 : 0;
    root.next_cookie = 4;
    riad_change_put_inode(fixture_begin(f), &root);
    riad_change_put_inode(&f->change, &row);
    riad_change_put_dentry(&f->change, &dentry);
    riad_change_put_xattr(&f->change, 2, name, value, size);
    if (S_ISLNK(mode)) {
        riad_change_put_symlink(&f->change, 2, "t");
    }
    fixture_apply(f);
    fixture_commit(f);
    ret[0] = 0;
    assert_int_equal(riad_snapshot_take(f->index, &snapshot), 0);
    assert_int_equal(riad_snapshot_check(snapshot, collect, ret, &count), 0);
    assert_int_equal(count > 0, ret[0] != 0);
    riad_snapshot_free(snapshot);
    riad_change_remove_inode(fixture_begin(f), 2);
    riad_change_remove_dentry(&f->change, 1, 3);
    fixture_apply(f);
}

static const struct {
    uint32_t mode;
    const char *name, *list;
    const char *finding; /* NULL: none */
} cases[] = {
    { S_IFREG | 06640, RIAD_ACL_ACCESS, "u::6 u:1:7 g::0 m::4 o::0", NULL },
    { S_IFDIR | 0770, RIAD_ACL_ACCESS, "u::7 g::0 m::7 o::0", NULL },
    { S_IFIFO | 0, RIAD_ACL_ACCESS, "u::0 g::7 m::0 o::0", NULL },
    { S_IFDIR | 0, RIAD_ACL_DEFAULT, "u::6 g::4 o::0", NULL },
    { S_IFREG | 0640, RIAD_ACL_ACCESS, "u::6 g::4 o::0", "Inode 2 has an access list that says" },
    { S_IFREG | 0641, RIAD_ACL_ACCESS, "u::6 g::7 m::4 o::0", "Inode 2: mode and access list" },
    { S_IFREG | 0670, RIAD_ACL_ACCESS, "u::6 g::7 m::4 o::0", "Inode 2: mode and access list" },
    { S_IFREG | 0240, RIAD_ACL_ACCESS, "u::6 g::7 m::4 o::0", "Inode 2: mode and access list" },
    { S_IFLNK | 0777, RIAD_ACL_ACCESS, "u::7 g::7 m::7 o::7", "Inode 2: mode and access list" },
    { S_IFREG | 0640, RIAD_ACL_DEFAULT, "u::6 g::4 o::0", "Inode 2 has a default list" },
    { S_IFREG | 0640, RIAD_ACL_ACCESS, "u::6 u:1:7 g::4 o::0", "Inode 2 has a damaged access" },
    { S_IFDIR | 0640, RIAD_ACL_DEFAULT, "", "Inode 2 has a damaged access" },
};

static void lists_are_held_against_their_inodes(void **state)
{
    struct fixture *f = *state;
    char findings[512];

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct riad_acl acl = acl_of(cases[i].list);
        uint8_t value[RIAD_ACL_SIZE_MAX];

        check(f, cases[i].mode, cases[i].name, value, riad_acl_encode(&acl, value), findings);
        if (!cases[i].finding) {
            assert_string_equal(findings, "");
        } else if (!strstr(findings, cases[i].finding)) {
            fail_msg("case %zu: \"%s\" instead of \"%s\"", i, findings, cases[i].finding);
        }
    }
}

static void other_xattrs_hold_anything(void **state)
{
    struct fixture *f = *state;
    char findings[512];

    check(f, S_IFREG | 0600, "user.posix_acl_access", "", 0, findings);
    assert_string_equal(findings, "");
    check(f, S_IFREG | 0600, RIAD_ACL_ACCESS, "abc", 3, findings);
    assert_string_equal(findings, "Inode 2 has a damaged access control list.");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(lists_are_held_against_their_inodes),
        TEST(other_xattrs_hold_anything),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
