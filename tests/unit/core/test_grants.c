/* Limits of users and groups, as one workspace knows them. */
#include "rows.h"

static const struct riad_caller root = { .uid = 0, .gid = 0 };
static const struct riad_caller kernel = { .uid = 0, .gid = 0, .written_back = true };
static const struct riad_caller bob = { .uid = 1001, .gid = 1001 };

/* What there is to be had, for whoever asks. */
static struct {
    struct riad_workspace *workspace;
    struct riad_grant grants[4];
    size_t count;
    uint64_t left;
    unsigned asked, denied;
} site;

static int raise_grant(
        void *context, enum riad_subject subject, uint32_t id, const struct riad_usage *needed)
{
    (void)context;
    site.asked++;
    for (size_t i = 0; i < site.count && site.left > 0; i++) {
        struct riad_grant *grant = &site.grants[i];
        uint64_t more = needed->blocks - grant->most.blocks;

        if (grant->subject == subject && grant->id == id && needed->blocks > grant->most.blocks) {
            more = more < site.left ? more : site.left;
            site.left -= more;
            grant->most.blocks += more;
            return riad_workspace_set_grants(site.workspace, site.grants, site.count);
        }
    }
    site.denied++;
    return -EDQUOT;
}

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    memset(&site, 0, sizeof site);
    fixture_make(&bench->fixture);
    bench->fixture.raise_grant = raise_grant;
    bench->workspace = site.workspace = fixture_open(&bench->fixture);
    *state = bench;
    return 0;
}

static void grant(enum riad_subject subject, uint32_t id, uint64_t blocks, uint64_t inodes)
{
    site.grants[site.count++] = (struct riad_grant){ subject, id, { blocks, inodes }, 0, 0 };
    assert_int_equal(riad_workspace_set_grants(site.workspace, site.grants, site.count), 0);
}

static int write_blocks(const struct riad_caller *caller, uint64_t inode, uint64_t from,
        uint32_t count, uint32_t *ret)
{
    static uint8_t data[64 * 4096];

    return riad_write(site.workspace, caller, inode, from * 4096, data, count * 4096, ret);
}

static uint64_t file_of(const struct riad_caller *caller, const char *name)
{
    struct riad_inode row;

    assert_int_equal(
            riad_mknod(site.workspace, caller, RIAD_ROOT_INODE, name, S_IFREG | 0666, 0, &row), 0);
    return row.inode;
}

static void assert_usage(enum riad_subject subject, uint32_t id, uint64_t blocks, uint64_t inodes)
{
    struct riad_usage usage;

    assert_int_equal(riad_workspace_owner_usage(site.workspace, subject, id, &usage), 0);
    assert_int_equal(usage.blocks, blocks);
    assert_int_equal(usage.inodes, inodes);
}

static void a_grant_binds_its_owner_whoever_writes(void **state)
{
    uint64_t file = file_of(&bob, "file");
    uint64_t other = file_of(&alice, "other");
    uint32_t done;

    (void)state;
    grant(RIAD_SUBJECT_USER, 1001, 10, RIAD_NO_LIMIT);
    assert_int_equal(write_blocks(&bob, file, 0, 8, &done), 0);
    assert_int_equal(write_blocks(&alice, file, 8, 1, &done), 0); /* bob's all the same */
    assert_int_equal(write_blocks(&bob, file, 9, 4, &done), 0);
    assert_int_equal(done, 4096); /* what fits */
    assert_int_equal(write_blocks(&bob, file, 10, 1, &done), -EDQUOT);
    assert_int_equal(write_blocks(&bob, file, 3, 2, &done), 0); /* overwritten */
    assert_int_equal(write_blocks(&alice, other, 0, 30, &done), 0);
    assert_usage(RIAD_SUBJECT_USER, 1001, 10, 1);
    assert_int_equal(set_size(site.workspace, file, 4096), 0);
    assert_int_equal(write_blocks(&bob, file, 1, 9, &done), 0);
    assert_int_equal(done, 9 * 4096);
}

/* As with XFS; what the kernel writes back is nobody's, and bound. */
static void root_is_not_bound(void **state)
{
    uint64_t file = file_of(&bob, "file");
    uint32_t done;

    (void)state;
    grant(RIAD_SUBJECT_USER, 1001, 1, 1);
    assert_false(riad_workspace_exempt_grew(site.workspace));
    assert_int_equal(write_blocks(&root, file, 0, 5, &done), 0);
    assert_true(riad_workspace_exempt_grew(site.workspace));
    assert_int_equal(write_blocks(&root, file, 0, 5, &done), 0);
    assert_false(riad_workspace_exempt_grew(site.workspace));
    assert_int_equal(write_blocks(&kernel, file, 5, 1, &done), -EDQUOT);
    assert_int_equal(write_blocks(&bob, file, 5, 1, &done), -EDQUOT);
    assert_usage(RIAD_SUBJECT_USER, 1001, 5, 1);
}

static void inodes_and_groups_are_bound(void **state)
{
    struct riad_inode row, values = { .gid = 7 };
    uint64_t file = file_of(&alice, "file");
    uint32_t done;

    (void)state;
    grant(RIAD_SUBJECT_USER, 1001, RIAD_NO_LIMIT, 2);
    grant(RIAD_SUBJECT_GROUP, 7, 5, 1);
    file_of(&bob, "one");
    file_of(&bob, "two");
    assert_int_equal(
            riad_mkdir(site.workspace, &bob, RIAD_ROOT_INODE, "three", 0755, &row), -EDQUOT);
    assert_int_equal(
            riad_symlink(site.workspace, &bob, RIAD_ROOT_INODE, "four", "x", &row), -EDQUOT);
    assert_int_equal(write_blocks(&alice, file, 0, 6, &done), 0);
    assert_int_equal(
            riad_setattr(site.workspace, &alice, file, RIAD_SET_GID, &values, &row), -EDQUOT);
    assert_usage(RIAD_SUBJECT_GROUP, 7, 0, 0);
    assert_int_equal(set_size(site.workspace, file, 5 * 4096), 0);
    assert_int_equal(riad_setattr(site.workspace, &alice, file, RIAD_SET_GID, &values, &row), 0);
    assert_usage(RIAD_SUBJECT_GROUP, 7, 5, 1);
    assert_usage(RIAD_SUBJECT_GROUP, 1000, 1, 1); /* the root directory */
    assert_int_equal(write_blocks(&alice, file, 5, 1, &done), -EDQUOT);
}

static void xattrs_and_room_are_charged(void **state)
{
    uint64_t file = file_of(&bob, "file");
    uint8_t value[5000] = { 0 };

    (void)state;
    grant(RIAD_SUBJECT_USER, 1001, 3, RIAD_NO_LIMIT);
    assert_int_equal(
            riad_setxattr(site.workspace, &bob, file, "user.a", value, sizeof value, 0), 0);
    assert_usage(RIAD_SUBJECT_USER, 1001, 2, 1);
    assert_int_equal(riad_fallocate(site.workspace, &bob, file, 0, 0, 2 * 4096), -EDQUOT);
    assert_int_equal(riad_fallocate(site.workspace, &bob, file, 0, 0, 4096), 0);
    assert_int_equal(
            riad_setxattr(site.workspace, &bob, file, "user.b", value, sizeof value, 0), -EDQUOT);
    assert_usage(RIAD_SUBJECT_USER, 1001, 3, 1);
}

/* Whole writes, as long as there is more to be had; then what fits; and asked anew each time. */
static void a_grant_is_raised_when_it_is_needed(void **state)
{
    uint64_t file = file_of(&bob, "file");
    uint32_t done;

    (void)state;
    site.left = 40;
    grant(RIAD_SUBJECT_USER, 1001, 2, RIAD_NO_LIMIT);
    assert_int_equal(write_blocks(&bob, file, 0, 32, &done), 0);
    assert_int_equal(done, 32 * 4096);
    assert_int_equal(site.asked, 1);
    assert_int_equal(write_blocks(&bob, file, 32, 20, &done), 0);
    assert_int_equal(done, 10 * 4096);
    assert_int_equal(site.denied, 1);
    assert_int_equal(write_blocks(&bob, file, 42, 1, &done), -EDQUOT);
    assert_int_equal(site.denied, 2);
    site.left = 3;
    assert_int_equal(write_blocks(&bob, file, 42, 2, &done), 0);
    assert_int_equal(done, 2 * 4096);
    assert_usage(RIAD_SUBJECT_USER, 1001, 44, 1);
}

/* Of a soft limit: what was granted before does not last longer. */
static void a_grace_ends_by_the_clock(void **state)
{
    uint64_t past = (uint64_t)time(NULL) - 1, ahead = past + 3600;
    uint64_t file = file_of(&bob, "file");
    uint32_t done;

    (void)state;
    grant(RIAD_SUBJECT_USER, 1001, 30, 10);
    site.grants[0].blocks_until = site.grants[0].inodes_until = ahead;
    assert_int_equal(riad_workspace_set_grants(site.workspace, site.grants, 1), 0);
    assert_int_equal(write_blocks(&bob, file, 0, 5, &done), 0);
    site.grants[0].blocks_until = past;
    assert_int_equal(riad_workspace_set_grants(site.workspace, site.grants, 1), 0);
    assert_int_equal(write_blocks(&bob, file, 4, 2, &done), 0); /* what is there is overwritten */
    assert_int_equal(done, 4096);
    assert_int_equal(write_blocks(&bob, file, 5, 1, &done), -EDQUOT);
    assert_true(site.denied > 0);
    file_of(&bob, "inodes"); /* go on */
    site.grants[0].blocks_until = 0;
    site.grants[0].inodes_until = past;
    assert_int_equal(riad_workspace_set_grants(site.workspace, site.grants, 1), 0);
    assert_int_equal(write_blocks(&bob, file, 5, 1, &done), 0);
    assert_int_equal(riad_mknod(site.workspace, &bob, RIAD_ROOT_INODE, "no", S_IFREG, 0,
                             &(struct riad_inode){ 0 }),
            -EDQUOT);
}

static void spare_grants_are_taken_back(void **state)
{
    const struct riad_usage spare = { 2, RIAD_NO_LIMIT };
    uint64_t file = file_of(&bob, "file");
    struct riad_usage now;
    uint32_t done;

    (void)state;
    grant(RIAD_SUBJECT_USER, 1001, 30, RIAD_NO_LIMIT);
    assert_int_equal(write_blocks(&bob, file, 0, 5, &done), 0);
    assert_int_equal(
            riad_workspace_lower_grant(site.workspace, RIAD_SUBJECT_USER, 1001, &spare, &now), 0);
    assert_int_equal(now.blocks, 7);
    assert_true(now.inodes == RIAD_NO_LIMIT);
    assert_int_equal(write_blocks(&bob, file, 5, 5, &done), 0);
    assert_int_equal(done, 2 * 4096);
    assert_int_equal(
            riad_workspace_lower_grant(site.workspace, RIAD_SUBJECT_GROUP, 1001, &spare, &now),
            -ENOENT);
    assert_int_equal(riad_workspace_set_grants(site.workspace, NULL, 0), 0);
    assert_int_equal(write_blocks(&bob, file, 7, 5, &done), 0);
    assert_int_equal(done, 5 * 4096);
}

#define GRANTS(function) cmocka_unit_test_setup_teardown(function, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GRANTS(a_grant_binds_its_owner_whoever_writes),
        GRANTS(root_is_not_bound),
        GRANTS(inodes_and_groups_are_bound),
        GRANTS(xattrs_and_room_are_charged),
        GRANTS(a_grant_is_raised_when_it_is_needed),
        GRANTS(a_grace_ends_by_the_clock),
        GRANTS(spare_grants_are_taken_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
