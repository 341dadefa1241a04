/* Whom a workspace is for: who may change anything, and that nobody changes the root's rights. */
#include <errno.h>
#include <linux/falloc.h>
#include <sys/xattr.h>

#include "riad/members.h"

#include "acl.h"
#include "rows.h"

static const struct riad_caller reader = { .uid = 1001, .gid = 1001, .request = 2 };
static const struct riad_caller stranger = { .uid = 1002, .gid = 1002, .request = 3 };
static const struct riad_caller root = { .uid = 0, .gid = 0, .request = 4 };

/* alice writes, 1001 reads. */
static void guard(struct bench *bench)
{
    static const struct riad_member_standing members[] = { { 1001, RIAD_STANDING_READER },
        { 1000, RIAD_STANDING_WRITER } };

    assert_int_equal(riad_members_set(bench->workspace, members, 2, NULL), 0);
}

static void assert_standing(struct bench *bench, uint32_t uid, enum riad_standing standing)
{
    assert_int_equal(riad_members_standing(bench->workspace, uid), standing);
}

static void standings_are_those_of_the_list(void **state)
{
    struct bench *bench = *state;

    assert_false(riad_members_guarded(bench->workspace));
    assert_standing(bench, 0, RIAD_STANDING_WRITER);
    assert_standing(bench, 1002, RIAD_STANDING_WRITER);
    guard(bench);
    assert_true(riad_members_guarded(bench->workspace));
    assert_standing(bench, 0, RIAD_STANDING_WRITER);
    assert_standing(bench, 1000, RIAD_STANDING_WRITER);
    assert_standing(bench, 1001, RIAD_STANDING_READER);
    assert_standing(bench, 999, RIAD_STANDING_NONE);
    assert_standing(bench, 1002, RIAD_STANDING_NONE);
    assert_standing(bench, UINT32_MAX, RIAD_STANDING_NONE);
    assert_int_equal(riad_members_set(bench->workspace, NULL, 0, NULL), 0);
    assert_true(riad_members_guarded(bench->workspace));
    assert_standing(bench, 0, RIAD_STANDING_WRITER);
    assert_standing(bench, 1000, RIAD_STANDING_NONE);
}

static bool set_gives_less(
        struct bench *bench, const struct riad_member_standing *members, size_t count)
{
    bool less = false;

    assert_int_equal(riad_members_set(bench->workspace, members, count, &less), 0);
    return less;
}

static void it_is_told_when_somebody_may_do_less(void **state)
{
    static const struct riad_member_standing first[] = { { 0, RIAD_STANDING_WRITER },
        { 1001, RIAD_STANDING_READER }, { 1000, RIAD_STANDING_WRITER } };
    static const struct riad_member_standing more[] = { { 1001, RIAD_STANDING_WRITER },
        { 1002, RIAD_STANDING_READER }, { 1000, RIAD_STANDING_WRITER } };
    struct bench *bench = *state;

    assert_false(set_gives_less(bench, first, 3));
    assert_false(set_gives_less(bench, first, 3));
    assert_false(set_gives_less(bench, more, 3)); /* root passes all the same */
    assert_true(set_gives_less(bench, first, 3)); /* a reader again, and 1002 is out */
    assert_true(set_gives_less(bench, first, 2)); /* 1000 is out */
    assert_true(set_gives_less(bench, NULL, 0));
    assert_false(set_gives_less(bench, NULL, 0));
}

static void a_list_that_cannot_be_changes_nothing(void **state)
{
    struct riad_member_standing members[RIAD_MEMBERS_MAX + 1];
    struct bench *bench = *state;

    for (uint32_t i = 0; i <= RIAD_MEMBERS_MAX; i++) {
        members[i] = (struct riad_member_standing){ 5000 - i, RIAD_STANDING_READER };
    }
    assert_int_equal(
            riad_members_set(bench->workspace, members, RIAD_MEMBERS_MAX + 1, NULL), -E2BIG);
    assert_false(riad_members_guarded(bench->workspace));
    guard(bench);
    members[RIAD_MEMBERS_MAX - 1].uid = 5000; /* again */
    assert_int_equal(riad_members_set(bench->workspace, members, RIAD_MEMBERS_MAX, NULL), -EINVAL);
    members[RIAD_MEMBERS_MAX - 1].uid = UINT32_MAX;
    assert_int_equal(riad_members_set(bench->workspace, members, RIAD_MEMBERS_MAX, NULL), -EINVAL);
    members[0].standing = RIAD_STANDING_NONE;
    assert_int_equal(riad_members_set(bench->workspace, members, 1, NULL), -EINVAL);
    assert_standing(bench, 1000, RIAD_STANDING_WRITER);
    assert_standing(bench, 5000, RIAD_STANDING_NONE);
    members[0].standing = RIAD_STANDING_WRITER;
    members[RIAD_MEMBERS_MAX - 1].uid = 7;
    assert_int_equal(riad_members_set(bench->workspace, members, RIAD_MEMBERS_MAX, NULL), 0);
    assert_standing(bench, 5000, RIAD_STANDING_WRITER);
    assert_standing(bench, 7, RIAD_STANDING_READER);
    assert_standing(bench, 1000, RIAD_STANDING_NONE);
}

/* What every operation needs: two files and a directory that is empty. */
struct things {
    uint64_t file, other;
};

static void refuse_names(struct riad_workspace *workspace, const struct riad_caller *caller,
        const struct things *things)
{
    struct riad_inode row;

    assert_int_equal(riad_mknod(workspace, caller, 1, "n", S_IFREG | 0600, 0, &row), -EACCES);
    assert_int_equal(riad_mknod(workspace, caller, 1, "n", S_IFIFO | 0600, 0, &row), -EACCES);
    assert_int_equal(riad_tmpfile(workspace, caller, 1, 0600, true, &row), -EACCES);
    assert_int_equal(riad_mkdir(workspace, caller, 1, "n", 0700, &row), -EACCES);
    assert_int_equal(riad_symlink(workspace, caller, 1, "n", "t", &row), -EACCES);
    assert_int_equal(riad_link(workspace, caller, things->file, 1, "n", &row), -EACCES);
    assert_int_equal(riad_unlink(workspace, caller, 1, "f"), -EACCES);
    assert_int_equal(riad_rmdir(workspace, caller, 1, "d"), -EACCES);
    assert_int_equal(riad_rename(workspace, caller, 1, "f", 1, "n", 0), -EACCES);
    assert_int_equal(riad_rename(workspace, caller, 1, "f", 1, "g", 0), -EACCES);
    assert_int_equal(riad_rename(workspace, caller, 1, "f", 1, "g", RENAME_EXCHANGE), -EACCES);
    assert_int_equal(riad_rename(workspace, caller, 1, "f", 1, "n", RENAME_WHITEOUT), -EACCES);
}

static void refuse_attributes(struct riad_workspace *workspace, const struct riad_caller *caller,
        const struct things *things)
{
    const struct riad_inode values = { .mode = 0600, .size = 1 };
    uint64_t file = things->file;
    struct riad_inode row;

    for (uint32_t mask = 0; mask <= RIAD_SET_CTIME; mask = mask ? mask << 1 : 1) {
        assert_int_equal(riad_setattr(workspace, caller, file, mask, &values, &row), -EACCES);
    }
    assert_int_equal(riad_set_flags(workspace, caller, file, RIAD_INODE_NODUMP), -EACCES);
    assert_int_equal(riad_setxattr(workspace, caller, file, "user.b", "x", 1, 0), -EACCES);
    assert_int_equal(riad_setxattr(workspace, caller, file, "user.a", "y", 1, 0), -EACCES);
    assert_int_equal(riad_removexattr(workspace, caller, file, "user.a"), -EACCES);
    assert_int_equal(riad_removexattr(workspace, caller, file, RIAD_ACL_ACCESS), -EACCES);
}

static void refuse_data(struct riad_workspace *workspace, const struct riad_caller *caller,
        const struct things *things)
{
    static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
        FALLOC_FL_ZERO_RANGE };
    uint8_t *bulk = calloc(1, 1 << 20);
    uint64_t length;
    uint32_t size;

    assert_int_equal(riad_write(workspace, caller, things->file, 0, bulk, 1, &size), -EACCES);
    assert_int_equal(riad_write(workspace, caller, things->file, 0, bulk, 1 << 20, &size), -EACCES);
    free(bulk);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        assert_int_equal(
                riad_fallocate(workspace, caller, things->file, modes[i], 0, 1 << 20), -EACCES);
    }
    assert_int_equal(
            riad_copy_range(workspace, caller, things->file, 0, things->other, 0, 5000, &length),
            -EACCES);
}

static void who_may_not_write_changes_nothing(void **state)
{
    struct bench *bench = *state;
    struct riad_workspace *workspace = bench->workspace;
    struct things things = { make_file(workspace, 1, "f"), make_file(workspace, 1, "g") };
    struct riad_workspace_status status;
    struct rows before, after;
    uint64_t bulk;

    make_directory(workspace, 1, "d");
    write_fill(workspace, things.file, 0, 'a', 5000);
    assert_int_equal(riad_setxattr(workspace, &alice, things.file, "user.a", "x", 1, 0), 0);
    guard(bench);
    before = rows_of(workspace);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    bulk = status.log.bulk_bytes;
    for (int i = 0; i < 2; i++) {
        const struct riad_caller *caller = i == 0 ? &reader : &stranger;

        refuse_names(workspace, caller, &things);
        refuse_attributes(workspace, caller, &things);
        refuse_data(workspace, caller, &things);
    }
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_int_equal(status.log.bulk_bytes, bulk); /* nothing went to the store in vain */
    write_fill(workspace, things.file, 0, 'b', 5000);
    assert_filled(workspace, things.file, 0, 'b', 5000);
}

/* What was allowed is refused from one request to the next, and allowed again. */
static void a_new_list_counts_at_once(void **state)
{
    const struct riad_member_standing demoted = { 1000, RIAD_STANDING_READER };
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint32_t size;

    guard(bench);
    write_fill(bench->workspace, file, 0, 'a', 10);
    assert_int_equal(riad_members_set(bench->workspace, &demoted, 1, NULL), 0);
    assert_int_equal(
            riad_write(bench->workspace, &alice, file, 0, (const uint8_t *)"x", 1, &size), -EACCES);
    assert_int_equal(
            riad_write(bench->workspace, &root, file, 0, (const uint8_t *)"x", 1, &size), 0);
    guard(bench);
    write_fill(bench->workspace, file, 0, 'b', 10);
}

/* What lost its last name goes, whoever forgets it; truncations are finished. */
static void what_riad_has_to_finish_goes_on(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");

    write_fill(bench->workspace, file, 0, 'a', 5000);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    assert_int_equal(riad_members_set(bench->workspace, NULL, 0, NULL), 0);
    riad_forget(bench->workspace, file, 1);
    assert_int_equal(usage_of(bench->workspace).inodes, 1);
}

static int set_list(
        struct bench *bench, const struct riad_caller *caller, uint64_t inode, const char *name)
{
    struct riad_acl acl = acl_of("u::7 u:9:7 g::5 m::7 o::0");
    uint8_t value[RIAD_ACL_SIZE_MAX];
    size_t size = riad_acl_encode(&acl, value);

    return riad_setxattr(bench->workspace, caller, inode, name, value, size, 0);
}

static void assert_root_is_protected(struct bench *bench, const struct riad_caller *caller)
{
    static const uint32_t masks[] = { RIAD_SET_MODE, RIAD_SET_UID, RIAD_SET_GID,
        RIAD_SET_UID | RIAD_SET_GID, RIAD_SET_MODE | RIAD_SET_MTIME_NOW };
    struct riad_inode values = { .mode = 0777, .mtime = { 5, 0 } }, row;

    for (size_t i = 0; i < sizeof masks / sizeof masks[0]; i++) {
        assert_int_equal(
                riad_setattr(bench->workspace, caller, 1, masks[i], &values, &row), -EPERM);
    }
    assert_int_equal(set_list(bench, caller, 1, RIAD_ACL_ACCESS), -EPERM);
    assert_int_equal(set_list(bench, caller, 1, RIAD_ACL_DEFAULT), -EPERM);
    assert_int_equal(riad_removexattr(bench->workspace, caller, 1, RIAD_ACL_ACCESS), -EPERM);
    assert_int_equal(riad_removexattr(bench->workspace, caller, 1, RIAD_ACL_DEFAULT), -EPERM);
    assert_int_equal(riad_setattr(bench->workspace, caller, 1, RIAD_SET_MTIME, &values, &row), 0);
    assert_int_equal(row.mtime.tv_sec, 5);
    assert_int_equal(riad_setxattr(bench->workspace, caller, 1, "user.a", "x", 1, 0), 0);
    assert_int_equal(riad_removexattr(bench->workspace, caller, 1, "user.a"), 0);
}

static void nobody_changes_the_rights_of_the_root(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    struct riad_inode values = { .mode = 0700 }, row;

    assert_int_equal(set_list(bench, &alice, 1, RIAD_ACL_ACCESS), 0); /* a home */
    assert_int_equal(riad_removexattr(bench->workspace, &alice, 1, RIAD_ACL_ACCESS), 0);
    guard(bench);
    assert_root_is_protected(bench, &root);
    assert_root_is_protected(bench, &alice);
    assert_int_equal(
            riad_setattr(bench->workspace, &alice, directory, RIAD_SET_MODE, &values, &row), 0);
    assert_int_equal(set_list(bench, &alice, directory, RIAD_ACL_DEFAULT), 0);
}

static int by_number(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

static void what_the_kernel_holds_is_known(void **state)
{
    struct bench *bench = *state;
    uint64_t first = make_file(bench->workspace, 1, "a"), last = 0, *inodes = NULL;
    size_t count = 0;

    for (int i = 0; i < 100; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d", i);
        last = make_file(bench->workspace, 1, name);
    }
    riad_forget(bench->workspace, first, 1);
    assert_int_equal(riad_workspace_known(bench->workspace, &inodes, &count), 0);
    assert_int_equal(count, 101);
    qsort(inodes, count, sizeof *inodes, by_number);
    assert_int_equal(inodes[0], 1);
    assert_int_equal(inodes[1], first + 1);
    assert_int_equal(inodes[100], last);
    free(inodes);
    riad_reference(bench->workspace, 1); /* then it is not there twice */
    assert_int_equal(riad_workspace_known(bench->workspace, &inodes, &count), 0);
    assert_int_equal(count, 101);
    free(inodes);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(standings_are_those_of_the_list),
        BENCH(it_is_told_when_somebody_may_do_less),
        BENCH(a_list_that_cannot_be_changes_nothing),
        BENCH(who_may_not_write_changes_nothing),
        BENCH(a_new_list_counts_at_once),
        BENCH(what_riad_has_to_finish_goes_on),
        BENCH(nobody_changes_the_rights_of_the_root),
        BENCH(what_the_kernel_holds_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
