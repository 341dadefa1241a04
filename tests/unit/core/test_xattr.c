/* Extended attributes. */
#include <errno.h>
#include <sys/xattr.h>

#include "operations.h"

static int set(struct bench *bench, uint64_t inode, const char *name, const char *value, int flags)
{
    return riad_setxattr(bench->workspace, &alice, inode, name, value, strlen(value), flags);
}

static void assert_value(struct bench *bench, uint64_t inode, const char *name, const char *value)
{
    uint8_t *read = NULL;
    size_t size = 0;

    assert_int_equal(riad_getxattr(bench->workspace, inode, name, &read, &size), 0);
    assert_int_equal(size, strlen(value));
    assert_memory_equal(read, value, size);
    free(read);
}

static void values_are_set_listed_and_removed(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    char *names = NULL;
    uint8_t *value;
    size_t size = 0;

    assert_int_equal(set(bench, file, "user.a", "one", 0), 0);
    assert_int_equal(set(bench, file, "user.b", "", XATTR_CREATE), 0);
    assert_int_equal(set(bench, file, "user.a", "x", XATTR_CREATE), -EEXIST);
    assert_int_equal(set(bench, file, "user.c", "x", XATTR_REPLACE), -ENODATA);
    assert_int_equal(set(bench, file, "user.a", "three", XATTR_REPLACE), 0);
    assert_value(bench, file, "user.a", "three");
    assert_value(bench, file, "user.b", "");
    assert_int_equal(attributes(bench->workspace, file).xattr_bytes, 6 + 5 + 6);
    assert_int_equal(attributes(bench->workspace, file).blocks, 1);
    bench_reopen(bench);
    assert_value(bench, file, "user.a", "three");
    assert_int_equal(riad_listxattr(bench->workspace, file, &names, &size), 0);
    assert_int_equal(size, 14);
    assert_memory_equal(names, "user.a\0user.b", 14);
    free(names);
    assert_int_equal(riad_removexattr(bench->workspace, &alice, file, "user.a"), 0);
    assert_int_equal(riad_removexattr(bench->workspace, &alice, file, "user.a"), -ENODATA);
    assert_int_equal(riad_getxattr(bench->workspace, file, "user.a", &value, &size), -ENODATA);
    assert_int_equal(riad_removexattr(bench->workspace, &alice, file, "user.b"), 0);
    assert_int_equal(attributes(bench->workspace, file).blocks, 0);
    assert_int_equal(usage_of(bench->workspace).blocks, 1);
}

static void what_is_set_already_changes_nothing(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"), version;

    assert_int_equal(set(bench, file, "user.a", "one", 0), 0);
    assert_int_equal(set(bench, file, "user.b", "", 0), 0);
    version = attributes(bench->workspace, file).version;
    assert_int_equal(set(bench, file, "user.a", "one", XATTR_REPLACE), 0);
    assert_int_equal(set(bench, file, "user.b", "", 0), 0);
    assert_int_equal(set(bench, file, "user.b", "", XATTR_CREATE), -EEXIST);
    assert_int_equal(
            riad_removexattr(bench->workspace, &alice, file, "system.posix_acl_access"), 0);
    assert_int_equal(attributes(bench->workspace, file).version, version);
    assert_int_equal(set(bench, file, "user.a", "one!", 0), 0);
    assert_int_equal(set(bench, file, "user.a", "two!", 0), 0);
    assert_value(bench, file, "user.a", "two!");
    assert_int_equal(attributes(bench->workspace, file).version, version + 2);
}

static void other_names_are_refused(void **state)
{
    static const char *const foreign[] = { "", "a", "user", "nosuch.a", "system.a",
        "system.posix_acl", "system.posix_acl_access2", "User.a", "security" };
    static const char *const nameless[] = { "user.", "trusted.", "security." };
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    char name[300] = "user.";
    struct riad_inode link;
    uint8_t *value;
    size_t size;

    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        assert_int_equal(set(bench, file, foreign[i], "x", 0), -EOPNOTSUPP);
        assert_int_equal(
                riad_getxattr(bench->workspace, file, foreign[i], &value, &size), -EOPNOTSUPP);
        assert_int_equal(riad_removexattr(bench->workspace, &alice, file, foreign[i]), -EOPNOTSUPP);
    }
    for (size_t i = 0; i < sizeof nameless / sizeof nameless[0]; i++) {
        assert_int_equal(set(bench, file, nameless[i], "x", 0), -EINVAL);
    }
    assert_int_equal(set(bench, file, "user.x", "x", 8), -EINVAL);
    memset(name + 5, 'n', 251);
    assert_int_equal(set(bench, file, name, "x", 0), -ERANGE);
    name[255] = 0;
    assert_int_equal(set(bench, file, name, "x", 0), 0);
    assert_int_equal(set(bench, 4711, "user.x", "x", 0), -ENOENT);
    assert_int_equal(riad_symlink(bench->workspace, &alice, 1, "l", "f", &link), 0);
    assert_int_equal(set(bench, link.inode, "user.x", "x", 0), -EPERM);
    assert_int_equal(
            riad_getxattr(bench->workspace, link.inode, "user.x", &value, &size), -ENODATA);
}

/* Attributes of the administrator and of security modules are for every kind of inode. */
static void symlinks_and_devices_carry_them(void **state)
{
    struct bench *bench = *state;
    struct riad_inode rows[3];

    assert_int_equal(riad_symlink(bench->workspace, &alice, 1, "l", "f", &rows[0]), 0);
    assert_int_equal(riad_mknod(bench->workspace, &alice, 1, "p", S_IFIFO | 0600, 0, &rows[1]), 0);
    assert_int_equal(
            riad_mknod(bench->workspace, &alice, 1, "c", S_IFCHR | 0600, 259, &rows[2]), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(set(bench, rows[i].inode, "trusted.a", "one", 0), 0);
        assert_int_equal(set(bench, rows[i].inode, "security.b", "two", 0), 0);
        assert_int_equal(set(bench, rows[i].inode, "user.c", "three", 0), -EPERM);
        assert_value(bench, rows[i].inode, "trusted.a", "one");
        assert_value(bench, rows[i].inode, "security.b", "two");
        assert_int_equal(attributes(bench->workspace, rows[i].inode).blocks, rows[i].blocks + 1);
    }
}

static struct riad_inode with_capability(struct bench *bench, uint64_t file)
{
    struct riad_inode values = { .mode = 06755 }, row;

    assert_int_equal(riad_setattr(bench->workspace, &alice, file, RIAD_SET_MODE, &values, &row), 0);
    assert_int_equal(set(bench, file, "security.capability", "twenty bytes of them", 0), 0);
    return attributes(bench->workspace, file);
}

static void assert_capability(struct bench *bench, uint64_t file, bool there)
{
    uint8_t *value = NULL;
    size_t size;
    int r = riad_getxattr(bench->workspace, file, "security.capability", &value, &size);

    assert_int_equal(r, there ? 0 : -ENODATA);
    assert_int_equal(attributes(bench->workspace, file).xattr_bytes, there ? 39 + 7 : 7);
    free(value);
}

/* KILLPRIV: they go with setuid and setgid, and unlike those whoever writes. */
static void changed_files_lose_capabilities(void **state)
{
    const struct riad_caller killer = { .uid = 1000, .gid = 1000, .kill_privileges = true };
    const struct riad_caller kernel = { .written_back = true };
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"), copied, done;
    struct riad_inode values = { .size = 7, .uid = 5, .gid = 5, .mode = 0700 }, row;
    uint32_t written;

    assert_int_equal(set(bench, file, "user.a", "x", 0), 0);
    with_capability(bench, file);
    write_fill(bench->workspace, file, 0, 'a', 5000);
    assert_capability(bench, file, false);
    assert_int_equal(attributes(bench->workspace, file).mode, S_IFREG | 06755);
    for (uint32_t mask = RIAD_SET_UID; mask <= RIAD_SET_SIZE; mask <<= 1) {
        with_capability(bench, file);
        assert_int_equal(riad_setattr(bench->workspace, &alice, file, mask, &values, &row), 0);
        assert_capability(bench, file, false);
    }
    with_capability(bench, file);
    assert_int_equal(riad_fallocate(bench->workspace, &alice, file, 0, 0, 10000), 0);
    assert_capability(bench, file, false);
    with_capability(bench, file);
    copied = make_file(bench->workspace, 1, "g");
    write_fill(bench->workspace, copied, 0, 'b', 5000);
    assert_int_equal(riad_copy_range(bench->workspace, &alice, copied, 0, file, 0, 5000, &done), 0);
    assert_capability(bench, file, false);
    with_capability(bench, file);
    assert_int_equal(riad_setattr(bench->workspace, &killer, file, 0, &values, &row), 0);
    assert_capability(bench, file, false);
    assert_int_equal(row.mode, S_IFREG | 0755);
    with_capability(bench, file);
    assert_int_equal(
            riad_write(bench->workspace, &kernel, file, 0, (const uint8_t *)"x", 1, &written), 0);
    assert_capability(bench, file, true);
    assert_int_equal(riad_setattr(bench->workspace, &alice, file, RIAD_SET_MODE, &values, &row), 0);
    assert_int_equal(
            riad_setattr(bench->workspace, &alice, file, RIAD_SET_MTIME_NOW, &values, &row), 0);
    assert_capability(bench, file, true);
}

static void sizes_are_bounded_and_charged(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    char *value = calloc(1, RIAD_XATTR_VALUE_MAX + 1), name[32];
    int r = 0;

    assert_int_equal(riad_setxattr(bench->workspace, &alice, file, "user.x", value,
                             RIAD_XATTR_VALUE_MAX + 1, 0),
            -E2BIG);
    assert_int_equal(
            riad_setxattr(bench->workspace, &alice, file, "user.x", value, RIAD_XATTR_VALUE_MAX, 0),
            0);
    assert_int_equal(attributes(bench->workspace, file).blocks, 17);
    bench_limit(bench, 18, 0);
    assert_int_equal(riad_setxattr(bench->workspace, &alice, file, "user.y", value, 4084, 0), 0);
    assert_int_equal(usage_of(bench->workspace).blocks, 18);
    assert_int_equal(set(bench, file, "user.z", "", 0), -EDQUOT);
    assert_int_equal(set(bench, file, "user.y", "", 0), 0);
    bench_limit(bench, 0, 0);
    for (int i = 0; r == 0 && i < 100; i++) {
        snprintf(name, sizeof name, "user.%d", i);
        r = riad_setxattr(bench->workspace, &alice, file, name, value, RIAD_XATTR_VALUE_MAX, 0);
    }
    assert_int_equal(r, -ENOSPC);
    assert_true(attributes(bench->workspace, file).xattr_bytes <= 1 << 20);
    assert_true(attributes(bench->workspace, file).xattr_bytes > (1 << 20) - 70000);
    assert_int_equal(set(bench, file, "user.x", "less is always possible", 0), 0);
    free(value);
}

static void attributes_go_with_their_inode(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");

    assert_int_equal(set(bench, directory, "user.a", "x", 0), 0);
    assert_int_equal(usage_of(bench->workspace).blocks, 1 + 2);
    assert_int_equal(riad_rmdir(bench->workspace, &alice, 1, "d"), 0);
    riad_forget(bench->workspace, directory, 1);
    assert_int_equal(usage_of(bench->workspace).blocks, 1);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(values_are_set_listed_and_removed),
        BENCH(what_is_set_already_changes_nothing),
        BENCH(other_names_are_refused),
        BENCH(symlinks_and_devices_carry_them),
        BENCH(changed_files_lose_capabilities),
        BENCH(sizes_are_bounded_and_charged),
        BENCH(attributes_go_with_their_inode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
