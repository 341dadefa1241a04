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

static void other_names_are_refused(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    char name[300] = "user.";
    struct riad_inode link;
    uint8_t *value;
    size_t size;

    assert_int_equal(set(bench, file, "trusted.a", "x", 0), -EOPNOTSUPP);
    assert_int_equal(set(bench, file, "system.posix_acl_access", "x", 0), -EOPNOTSUPP);
    assert_int_equal(set(bench, file, "security.capability", "x", 0), -EOPNOTSUPP);
    assert_int_equal(set(bench, file, "user.", "x", 0), -EINVAL);
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
        BENCH(other_names_are_refused),
        BENCH(sizes_are_bounded_and_charged),
        BENCH(attributes_go_with_their_inode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
