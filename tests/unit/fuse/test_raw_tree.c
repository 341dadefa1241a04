/* The ioctls of riad/tree_ioctl.h, as the kernel sends them. */
#include "riad/members.h"
#include "riad/tree_ioctl.h"

#include "fuse/raw.h"

static uint64_t make(struct bench *bench, uint64_t parent, const char *name, bool directory)
{
    struct riad_inode row;
    int r = directory ? riad_mkdir(bench->workspace, &alice, parent, name, 0755, &row)
                      : riad_mknod(bench->workspace, &alice, parent, name, S_IFREG, 0, &row);

    assert_int_equal(r, 0);
    return row.inode;
}

static int ask_ioctl(struct bench *bench, uint64_t inode, const struct fuse_ioctl_in *in,
        const void *argument, size_t size)
{
    uint8_t body[sizeof *in + sizeof(struct riad_tree_entry)];

    memcpy(body, in, sizeof *in);
    if (size > 0) {
        memcpy(body + sizeof *in, argument, size);
    }
    return ask(bench, FUSE_IOCTL, inode, body, sizeof *in + size);
}

/* The reply's body behind its fixed part. */
static void take(struct bench *bench, void *ret, size_t size)
{
    assert_int_equal(bench->reply.size, sizeof(struct fuse_ioctl_out) + size);
    memcpy(ret, bench->reply.body + sizeof(struct fuse_ioctl_out), size);
}

static int ask_usage(struct bench *bench, uint64_t inode, struct riad_tree_sums *ret)
{
    struct fuse_ioctl_in in = { .cmd = RIAD_IOC_TREE_USAGE, .out_size = sizeof *ret };
    int r = ask_ioctl(bench, inode, &in, NULL, 0);

    if (r == 0) {
        take(bench, ret, sizeof *ret);
    }
    return r;
}

static int ask_next(struct bench *bench, uint64_t inode, struct riad_tree_entry *entry)
{
    struct fuse_ioctl_in in = {
        .cmd = RIAD_IOC_TREE_NEXT, .in_size = sizeof *entry, .out_size = sizeof *entry
    };
    int r = ask_ioctl(bench, inode, &in, entry, sizeof *entry);

    if (r == 0) {
        take(bench, entry, sizeof *entry);
    }
    return r;
}

static void sums_are_told(void **state)
{
    struct bench *bench = *state;
    struct riad_tree_sums sums;
    uint64_t directory = make(bench, 1, "d", true);

    make(bench, directory, "f", false);
    assert_int_equal(ask_usage(bench, directory, &sums), 0);
    assert_int_equal(sums.inode, directory);
    assert_int_equal(sums.blocks, 1);
    assert_int_equal(sums.inodes, 2);
    assert_int_equal(sums.directories, 1);
    assert_int_equal(ask_usage(bench, 1, &sums), 0);
    assert_int_equal(sums.inodes, 3);
    assert_int_equal(ask_usage(bench, 4711, &sums), -ENOENT);
    assert_int_equal(ask_usage(bench, make(bench, 1, "f", false), &sums), -ENOTDIR);
}

static void directories_are_told_one_by_one(void **state)
{
    struct bench *bench = *state;
    struct riad_tree_entry entry = { 0 };
    char longest[RIAD_NAME_MAX + 1];
    uint64_t inode;

    memset(longest, 'n', RIAD_NAME_MAX);
    longest[RIAD_NAME_MAX] = 0;
    make(bench, 1, "file", false);
    inode = make(bench, 1, longest, true);
    make(bench, 1, "other", true);
    memset(entry.name, 1, sizeof entry.name); /* nothing of the question is in the answer */
    assert_int_equal(ask_next(bench, 1, &entry), 0);
    assert_string_equal(entry.name, longest);
    assert_int_equal(entry.sums.inode, inode);
    assert_int_equal(entry.sums.inodes, 1);
    assert_int_equal(ask_next(bench, 1, &entry), 0);
    assert_string_equal(entry.name, "other");
    for (size_t i = strlen(entry.name); i < sizeof entry.name; i++) {
        assert_int_equal(entry.name[i], 0);
    }
    assert_int_equal(ask_next(bench, 1, &entry), 0);
    assert_int_equal(entry.sums.inode, 0);
    entry.cookie = UINT64_MAX;
    assert_int_equal(ask_next(bench, 1, &entry), 0);
    assert_int_equal(entry.sums.inode, 0);
}

static void other_sizes_are_refused(void **state)
{
    static const uint32_t sizes[] = { 0, 1, 31, 33, 295, 297, 4096, UINT32_MAX };
    struct bench *bench = *state;
    struct riad_tree_entry entry = { 0 };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct fuse_ioctl_in usage = { .cmd = RIAD_IOC_TREE_USAGE, .out_size = sizes[i] };
        struct fuse_ioctl_in in = {
            .cmd = RIAD_IOC_TREE_NEXT, .in_size = sizes[i], .out_size = sizeof entry
        };
        struct fuse_ioctl_in out = {
            .cmd = RIAD_IOC_TREE_NEXT, .in_size = sizeof entry, .out_size = sizes[i]
        };

        assert_int_equal(ask_ioctl(bench, 1, &usage, NULL, 0), -ENOTTY);
        assert_int_equal(ask_ioctl(bench, 1, &in, &entry, sizeof entry), -ENOTTY);
        assert_int_equal(ask_ioctl(bench, 1, &out, &entry, sizeof entry), -ENOTTY);
    }
    for (size_t size = 0; size < sizeof entry; size += 37) { /* it says more than there is */
        struct fuse_ioctl_in in = {
            .cmd = RIAD_IOC_TREE_NEXT, .in_size = sizeof entry, .out_size = sizeof entry
        };

        assert_int_equal(ask_ioctl(bench, 1, &in, &entry, size), -ENOTTY);
    }
}

/* A project tells nothing to who is no member. */
static void strangers_are_refused(void **state)
{
    const struct riad_member_standing members[] = { { 1000, RIAD_STANDING_READER } };
    struct bench *bench = *state;
    struct riad_tree_sums sums;

    assert_int_equal(riad_members_set(bench->workspace, members, 1, NULL), 0);
    bench->session.guarded = true;
    assert_int_equal(ask_usage(bench, 1, &sums), 0);
    bench->uid = 1001;
    assert_int_equal(ask_usage(bench, 1, &sums), -EACCES);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sums_are_told),
        TEST(directories_are_told_one_by_one),
        TEST(other_sizes_are_refused),
        TEST(strangers_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
