/* Access control lists and modes in step: set, followed, inherited, charged. */
#include <errno.h>
#include <stdio.h>
#include <sys/xattr.h>

#include "lists.h"
#include "operations.h"

#define LONG_LIST "u::7 u:9:7 g::5 g:8:1 m::7 o::0"

static int set_as(struct bench *bench, const struct riad_caller *caller, uint64_t inode,
        const char *name, const char *text)
{
    struct riad_acl acl = acl_of(text);
    uint8_t value[RIAD_ACL_SIZE_MAX];
    size_t size = riad_acl_encode(&acl, value);

    return riad_setxattr(bench->workspace, caller, inode, name, value, size, 0);
}

static int set(struct bench *bench, uint64_t inode, const char *name, const char *text)
{
    return set_as(bench, &alice, inode, name, text);
}

static uint32_t mode_of(struct bench *bench, uint64_t inode)
{
    return attributes(bench->workspace, inode).mode & 07777;
}

static void change_mode(struct bench *bench, uint64_t inode, uint32_t mode)
{
    struct riad_inode values = { .mode = mode }, row;

    assert_int_equal(
            riad_setattr(bench->workspace, &alice, inode, RIAD_SET_MODE, &values, &row), 0);
    assert_int_equal(row.mode & 07777, mode);
}

static void a_list_sets_the_mode(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct timespec before, after;

    change_mode(bench, file, 06644);
    before = attributes(bench->workspace, file).ctime;
    assert_int_equal(set(bench, file, RIAD_ACL_ACCESS, "u::7 u:9:7 g::5 m::1 o::4"), 0);
    assert_int_equal(mode_of(bench, file), 06714);
    assert_list(bench, file, RIAD_ACL_ACCESS, "u::7 u:9:7 g::5 m::1 o::4");
    after = attributes(bench->workspace, file).ctime;
    assert_memory_not_equal(&after, &before, sizeof before);
    assert_int_equal(attributes(bench->workspace, file).blocks, 1);
    bench_reopen(bench);
    assert_list(bench, file, RIAD_ACL_ACCESS, "u::7 u:9:7 g::5 m::1 o::4");
    assert_int_equal(set(bench, file, RIAD_ACL_ACCESS, "u::6 g::4 o::0"), 0);
    assert_list(bench, file, RIAD_ACL_ACCESS, NULL);
    assert_int_equal(mode_of(bench, file), 06640);
    assert_int_equal(attributes(bench->workspace, file).xattr_bytes, 0);
    assert_int_equal(attributes(bench->workspace, file).blocks, 0);
}

static void the_kernel_may_ask_for_setgid_to_go(void **state)
{
    const struct riad_caller stranger = { .uid = 1000, .gid = 1, .kill_privileges = true };
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");

    change_mode(bench, directory, 06755);
    assert_int_equal(set_as(bench, &stranger, directory, RIAD_ACL_DEFAULT, LONG_LIST), 0);
    assert_int_equal(mode_of(bench, directory), 06755);
    assert_int_equal(set_as(bench, &stranger, directory, RIAD_ACL_ACCESS, LONG_LIST), 0);
    assert_int_equal(mode_of(bench, directory), 04770);
    change_mode(bench, directory, 02755);
    assert_int_equal(set_as(bench, &stranger, directory, RIAD_ACL_ACCESS, "u::7 g::7 o::7"), 0);
    assert_int_equal(mode_of(bench, directory), 0777);
}

static void a_mode_sets_the_list(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");

    assert_int_equal(set(bench, directory, RIAD_ACL_ACCESS, LONG_LIST), 0);
    assert_int_equal(set(bench, directory, RIAD_ACL_DEFAULT, LONG_LIST), 0);
    change_mode(bench, directory, 01543);
    assert_list(bench, directory, RIAD_ACL_ACCESS, "u::5 u:9:7 g::5 g:8:1 m::4 o::3");
    assert_list(bench, directory, RIAD_ACL_DEFAULT, LONG_LIST);
}

static void lists_are_removed(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    static const uint8_t empty[] = { 2, 0, 0, 0 };

    assert_int_equal(riad_removexattr(bench->workspace, &alice, directory, RIAD_ACL_ACCESS), 0);
    assert_int_equal(set(bench, directory, RIAD_ACL_ACCESS, LONG_LIST), 0);
    assert_int_equal(set(bench, directory, RIAD_ACL_DEFAULT, LONG_LIST), 0);
    assert_int_equal(riad_removexattr(bench->workspace, &alice, directory, RIAD_ACL_ACCESS), 0);
    assert_int_equal(mode_of(bench, directory), 0770);
    assert_list(bench, directory, RIAD_ACL_ACCESS, NULL);
    assert_int_equal(riad_setxattr(bench->workspace, &alice, directory, RIAD_ACL_DEFAULT, empty,
                             sizeof empty, 0),
            0);
    assert_list(bench, directory, RIAD_ACL_DEFAULT, NULL);
    assert_int_equal(attributes(bench->workspace, directory).xattr_bytes, 0);
}

static void what_cannot_be_is_refused(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode link;
    uint8_t value[RIAD_ACL_SIZE_MAX + 8] = { 2 };

    assert_int_equal(riad_symlink(bench->workspace, &alice, 1, "l", "f", &link), 0);
    assert_int_equal(set(bench, link.inode, RIAD_ACL_ACCESS, LONG_LIST), -EOPNOTSUPP);
    assert_int_equal(set(bench, file, RIAD_ACL_DEFAULT, LONG_LIST), -EACCES);
    assert_int_equal(set(bench, file, RIAD_ACL_DEFAULT, ""), 0);
    assert_int_equal(set(bench, file, RIAD_ACL_ACCESS, "u::7 u:9:7 g::5 o::0"), -EINVAL);
    for (size_t size = 0; size <= sizeof value; size++) {
        int r = riad_setxattr(bench->workspace, &alice, file, RIAD_ACL_ACCESS, value, size, 0);
        int expected = size == 4 ? 0 : size == sizeof value ? -E2BIG : -EINVAL;

        assert_int_equal(r, expected);
    }
    value[0] = 3;
    assert_int_equal(riad_setxattr(bench->workspace, &alice, file, RIAD_ACL_ACCESS, value, 28, 0),
            -EOPNOTSUPP);
    assert_int_equal(mode_of(bench, file), 0644);
    assert_int_equal(attributes(bench->workspace, file).xattr_bytes, 0);
}

static void the_umask_counts_without_a_default_list(void **state)
{
    const struct riad_caller careful = { .uid = 1000, .gid = 1000, .umask = 0137027 };
    struct bench *bench = *state;
    struct riad_inode row;

    assert_int_equal(set(bench, 1, RIAD_ACL_ACCESS, "u::7 u:9:7 g::7 m::7 o::7"), 0);
    assert_int_equal(riad_mknod(bench->workspace, &careful, 1, "f", S_IFREG | 06666, 0, &row), 0);
    assert_int_equal(row.mode, S_IFREG | 06640);
    assert_int_equal(row.xattr_bytes, 0);
    assert_int_equal(riad_mkdir(bench->workspace, &careful, 1, "d", 01777, &row), 0);
    assert_int_equal(row.mode, S_IFDIR | 01750);
    assert_int_equal(riad_symlink(bench->workspace, &careful, 1, "l", "f", &row), 0);
    assert_int_equal(row.mode, S_IFLNK | 0777);
}

static void default_lists_are_inherited(void **state)
{
    const struct riad_caller careful = { .uid = 1000, .gid = 1000, .umask = 077 };
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    struct riad_inode row;

    assert_int_equal(set(bench, directory, RIAD_ACL_DEFAULT, LONG_LIST), 0);
    assert_int_equal(
            riad_mknod(bench->workspace, &careful, directory, "f", S_IFREG | 0666, 0, &row), 0);
    assert_int_equal(row.mode, S_IFREG | 0660);
    assert_int_equal(row.blocks, 1);
    assert_list(bench, row.inode, RIAD_ACL_ACCESS, "u::6 u:9:7 g::5 g:8:1 m::6 o::0");
    assert_list(bench, row.inode, RIAD_ACL_DEFAULT, NULL);
    assert_int_equal(riad_mkdir(bench->workspace, &careful, directory, "s", 0755, &row), 0);
    assert_int_equal(row.mode, S_IFDIR | 0750);
    assert_int_equal(row.blocks, 2);
    bench_reopen(bench);
    assert_list(bench, row.inode, RIAD_ACL_ACCESS, "u::7 u:9:7 g::5 g:8:1 m::5 o::0");
    assert_list(bench, row.inode, RIAD_ACL_DEFAULT, LONG_LIST);
    assert_int_equal(riad_symlink(bench->workspace, &careful, directory, "l", "f", &row), 0);
    assert_int_equal(row.mode, S_IFLNK | 0777);
    assert_int_equal(row.xattr_bytes, 0);
}

static void a_list_that_is_set_already_changes_nothing(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d"), version;

    assert_int_equal(set(bench, directory, RIAD_ACL_ACCESS, LONG_LIST), 0);
    assert_int_equal(set(bench, directory, RIAD_ACL_DEFAULT, LONG_LIST), 0);
    version = attributes(bench->workspace, directory).version;
    assert_int_equal(set(bench, directory, RIAD_ACL_ACCESS, LONG_LIST), 0);
    assert_int_equal(set(bench, directory, RIAD_ACL_DEFAULT, LONG_LIST), 0);
    assert_int_equal(attributes(bench->workspace, directory).version, version);
    assert_int_equal(set(bench, directory, RIAD_ACL_ACCESS, "u::7 g::0 o::0"), 0);
    assert_int_equal(attributes(bench->workspace, directory).version, version + 1);
    assert_int_equal(set(bench, directory, RIAD_ACL_ACCESS, "u::7 g::0 o::0"), 0);
    assert_int_equal(attributes(bench->workspace, directory).version, version + 1);
    assert_int_equal(set(bench, directory, RIAD_ACL_ACCESS, "u::7 g::5 o::0"), 0);
    assert_int_equal(attributes(bench->workspace, directory).version, version + 2);
    assert_int_equal(mode_of(bench, directory), 0750);
}

static void whiteouts_inherit(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d"), used;
    struct riad_inode row;

    assert_int_equal(set(bench, directory, RIAD_ACL_DEFAULT, LONG_LIST), 0);
    make_file(bench->workspace, directory, "f");
    used = usage_of(bench->workspace).blocks;
    bench_limit(bench, used, 0);
    assert_int_equal(riad_rename(bench->workspace, &alice, directory, "f", 1, "g", RENAME_WHITEOUT),
            -EDQUOT);
    bench_limit(bench, used + 1, 0);
    assert_int_equal(
            riad_rename(bench->workspace, &alice, directory, "f", 1, "g", RENAME_WHITEOUT), 0);
    assert_int_equal(riad_lookup(bench->workspace, directory, "f", &row), 0);
    assert_int_equal(row.mode, S_IFCHR);
    assert_list(bench, row.inode, RIAD_ACL_ACCESS, "u::0 u:9:7 g::5 g:8:1 m::0 o::0");
    assert_int_equal(usage_of(bench->workspace).blocks, used + 1);
}

/* One that says no more than a mode narrows like a umask of the directory. */
static void minimal_default_lists_leave_modes(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    struct riad_inode row;

    assert_int_equal(set(bench, directory, RIAD_ACL_DEFAULT, "u::7 g::5 o::0"), 0);
    assert_int_equal(
            riad_mknod(bench->workspace, &alice, directory, "f", S_IFIFO | 0666, 0, &row), 0);
    assert_int_equal(row.mode, S_IFIFO | 0640);
    assert_int_equal(row.xattr_bytes, 0);
    assert_int_equal(row.blocks, 0);
    assert_int_equal(riad_mkdir(bench->workspace, &alice, directory, "s", 0777, &row), 0);
    assert_list(bench, row.inode, RIAD_ACL_ACCESS, NULL);
    assert_list(bench, row.inode, RIAD_ACL_DEFAULT, "u::7 g::5 o::0");
}

static void nothing_is_inherited_where_lists_do_not_count(void **state)
{
    const struct riad_caller blind = { .uid = 1000, .gid = 1000, .no_acls = true };
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    struct riad_inode row;

    assert_int_equal(set(bench, directory, RIAD_ACL_DEFAULT, LONG_LIST), 0);
    assert_int_equal(
            riad_mknod(bench->workspace, &blind, directory, "f", S_IFREG | 0666, 0, &row), 0);
    assert_int_equal(row.mode, S_IFREG | 0666);
    assert_int_equal(row.xattr_bytes, 0);
}

static void inherited_lists_are_charged(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d"), used;
    struct riad_inode row;

    assert_int_equal(set(bench, directory, RIAD_ACL_DEFAULT, LONG_LIST), 0);
    used = usage_of(bench->workspace).blocks;
    bench_limit(bench, used + 1, 0);
    assert_int_equal(riad_mkdir(bench->workspace, &alice, directory, "s", 0755, &row), -EDQUOT);
    assert_int_equal(look_up(bench->workspace, directory, "s"), -ENOENT);
    assert_int_equal(
            riad_mknod(bench->workspace, &alice, directory, "f", S_IFREG | 0666, 0, &row), 0);
    assert_int_equal(usage_of(bench->workspace).blocks, used + 1);
    assert_int_equal(
            riad_mknod(bench->workspace, &alice, directory, "g", S_IFREG | 0666, 0, &row), -EDQUOT);
    assert_int_equal(set(bench, 1, RIAD_ACL_ACCESS, LONG_LIST), -EDQUOT);
    assert_int_equal(mode_of(bench, 1), 0755);
    assert_int_equal(riad_unlink(bench->workspace, &alice, directory, "f"), 0);
}

static uint32_t log_features(struct bench *bench)
{
    return riad_log_features(bench->workspace->log);
}

/* A reader that does not know lists would give rights away. */
static void lists_make_a_feature_of_it(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");

    assert_int_equal(set(bench, directory, RIAD_ACL_ACCESS, "u::6 g::4 o::0"), 0);
    assert_int_equal(riad_setxattr(bench->workspace, &alice, directory, "trusted.a", "x", 1, 0), 0);
    assert_int_equal(log_features(bench), 0);
    assert_int_equal(set(bench, directory, RIAD_ACL_DEFAULT, "u::6 g::4 o::0"), 0);
    assert_int_equal(log_features(bench), RIAD_FEATURE_ACLS);
    bench_reopen(bench);
    assert_int_equal(log_features(bench), RIAD_FEATURE_ACLS);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(a_list_sets_the_mode),
        BENCH(the_kernel_may_ask_for_setgid_to_go),
        BENCH(a_mode_sets_the_list),
        BENCH(lists_are_removed),
        BENCH(what_cannot_be_is_refused),
        BENCH(the_umask_counts_without_a_default_list),
        BENCH(default_lists_are_inherited),
        BENCH(a_list_that_is_set_already_changes_nothing),
        BENCH(whiteouts_inherit),
        BENCH(minimal_default_lists_leave_modes),
        BENCH(nothing_is_inherited_where_lists_do_not_count),
        BENCH(inherited_lists_are_charged),
        BENCH(lists_make_a_feature_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
