/* Soft limits, their clocks, and what is told of limits; and what owners use. */
#include "rows.h"

static struct bench *bench; /* of the running test */
static char told[16][320];
static _Atomic unsigned told_count; /* the batch job hears */

static void hear(void *context, const char *text)
{
    (void)context;
    assert_true(told_count < 16);
    snprintf(told[told_count], sizeof told[0], "%s", text);
    told_count++; /* it can be read now */
}

static int setup(void **state)
{
    bench = calloc(1, sizeof *bench);
    fixture_make(&bench->fixture);
    bench->fixture.limit_event = hear;
    bench->workspace = fixture_open(&bench->fixture);
    told_count = 0;
    *state = bench;
    return 0;
}

static void set_limit(const struct riad_limit *limit)
{
    bench->fixture.limit = *limit;
    riad_workspace_set_limit(bench->workspace, limit);
}

static uint64_t over_since(void)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(bench->workspace, &status), 0);
    return status.blocks_over_since;
}

static int write_block(uint64_t inode, uint64_t block)
{
    uint8_t data[4096] = { 1 };
    uint32_t done;

    return riad_write(bench->workspace, &alice, inode, block * 4096, data, sizeof data, &done);
}

/* The root is a block, too. */
static uint64_t file_of_blocks(uint64_t count)
{
    uint64_t inode = make_file(bench->workspace, RIAD_ROOT_INODE, "file");

    for (uint64_t i = 0; i < count; i++) {
        assert_int_equal(write_block(inode, i), 0);
    }
    return inode;
}

static void wait_for_grace(void)
{
    while (over_since() + 2 > (uint64_t)riad_clock_now().tv_sec) {
        riad_sleep_ms(20);
    }
}

static void a_soft_limit_holds_after_its_grace(void **state)
{
    struct riad_limit limit = { .blocks = 20, .blocks_soft = 10, .grace_blocks = 2 };
    uint64_t inode;

    (void)state;
    set_limit(&limit);
    inode = file_of_blocks(9);
    assert_int_equal(over_since(), 0);
    assert_int_equal(write_block(inode, 9), 0);
    assert_true(over_since() > 0);
    assert_int_equal(write_block(inode, 10), 0);
    wait_for_grace();
    assert_int_equal(write_block(inode, 11), -EDQUOT);
    assert_int_equal(write_block(inode, 3), 0); /* what is there may be overwritten */
    assert_int_equal(set_size(bench->workspace, inode, 5 * 4096), 0);
    assert_int_equal(over_since(), 0);
    for (uint64_t i = 5; i < 9; i++) {
        assert_int_equal(write_block(inode, i), 0);
    }
    assert_int_equal(write_block(inode, 9), 0); /* a new grace begins */
    assert_true(over_since() > 0);
}

/* It is a fact of the history, not of the process, the index or the node. */
static void the_clock_goes_on(void **state)
{
    struct riad_limit limit = { .blocks_soft = 3, .grace_blocks = 1000 };
    uint64_t since;

    (void)state;
    set_limit(&limit);
    file_of_blocks(5);
    since = over_since();
    assert_true(since > 0);
    for (int i = 0; i < 4; i++) {
        riad_sleep_ms(i == 0 ? 1100 : 0);
        if (i == 2) {
            assert_int_equal(riad_workspace_checkpoint(bench->workspace), 0);
        }
        fixture_close(bench->workspace);
        if (i > 0) {
            fixture_forget(&bench->fixture);
        }
        bench->workspace = fixture_open(&bench->fixture);
        assert_int_equal(over_since(), since);
    }
}

static void a_limit_that_is_set_or_lifted_starts_and_stops_it(void **state)
{
    struct riad_limit limit = { .inodes_soft = 1 };
    struct riad_workspace_status status;

    (void)state;
    make_file(bench->workspace, RIAD_ROOT_INODE, "a");
    set_limit(&limit);
    do {
        riad_sleep_ms(10);
        assert_int_equal(riad_workspace_status(bench->workspace, &status), 0);
    } while (status.inodes_over_since == 0);
    limit.inodes_soft = 0;
    set_limit(&limit);
    do {
        riad_sleep_ms(10);
        assert_int_equal(riad_workspace_status(bench->workspace, &status), 0);
    } while (status.inodes_over_since > 0);
}

static void inodes_have_one_too(void **state)
{
    struct riad_limit limit = { .inodes_soft = 2, .grace_inodes = 2 };
    struct riad_workspace_status status;
    struct riad_inode row;

    (void)state;
    set_limit(&limit);
    make_file(bench->workspace, RIAD_ROOT_INODE, "a");
    make_file(bench->workspace, RIAD_ROOT_INODE, "b");
    do {
        riad_sleep_ms(20);
        assert_int_equal(riad_workspace_status(bench->workspace, &status), 0);
    } while (status.inodes_over_since + 2 > (uint64_t)riad_clock_now().tv_sec);
    assert_int_equal(
            riad_mkdir(bench->workspace, &alice, RIAD_ROOT_INODE, "c", 0755, &row), -EDQUOT);
}

static void assert_told(unsigned number, const char *what)
{
    for (int i = 0; i < 100 && told_count <= number; i++) {
        riad_sleep_ms(10); /* what is refused commits nothing: the background tells */
    }
    assert_true(told_count > number);
    if (!strstr(told[number], what)) {
        fail_msg("%s", told[number]);
    }
}

/* Once each, and again only when usage was well below. */
static void each_mark_is_told_once(void **state)
{
    struct riad_limit limit = { .blocks = 101, .blocks_soft = 60 };
    uint64_t inode;

    (void)state;
    set_limit(&limit);
    inode = file_of_blocks(100);
    assert_int_equal(told_count, 3);
    assert_told(0, "space: the soft limit is passed");
    assert_told(0, "from 20");
    assert_told(1, "80 %");
    assert_told(2, "95 %");
    assert_int_equal(write_block(inode, 100), -EDQUOT);
    assert_told(3, "something was refused");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(set_size(bench->workspace, inode, 97 * 4096), 0);
        for (uint64_t block = 97; block < 100; block++) {
            assert_int_equal(write_block(inode, block), 0);
        }
        assert_int_equal(write_block(inode, 100), -EDQUOT);
    }
    riad_sleep_ms(100);
    assert_int_equal(told_count, 4);
    assert_int_equal(set_size(bench->workspace, inode, 4096), 0);
    for (uint64_t block = 1; block < 90; block++) {
        assert_int_equal(write_block(inode, block), 0);
    }
    assert_int_equal(told_count, 6);
    bench_reopen(bench); /* what was passed before is not told again */
    assert_int_equal(write_block(inode, 90), 0);
    assert_int_equal(told_count, 6);
}

static struct riad_usage of_owner(enum riad_subject subject, uint32_t id)
{
    struct riad_owner owner;

    assert_int_equal(riad_workspace_lock(bench->workspace), 0);
    assert_int_equal(riad_index_owner(bench->workspace->index, subject, id, &owner), 0);
    riad_workspace_unlock(bench->workspace);
    return owner.usage;
}

/* By number; of the directory that holds nearly all, those in it; and however many there are. */
static void the_largest_directories_are_told(void **state)
{
    struct riad_limit limit = { .blocks = 800 };
    uint64_t top = make_directory(bench->workspace, RIAD_ROOT_INODE, "top"), inodes[3];
    char wanted[96];

    (void)state;
    set_limit(&limit);
    for (uint64_t i = 0; i < 3; i++) {
        char name[] = { (char)('a' + i), 0 };
        uint64_t file;

        inodes[i] = make_directory(bench->workspace, top, name);
        file = make_file(bench->workspace, inodes[i], "file");
        for (uint64_t block = 0; block < 10 * (i + 1); block++) {
            assert_int_equal(write_block(file, block), 0);
        }
    }
    for (int i = 0; i < 600 && told_count == 0; i++) {
        char name[16];

        snprintf(name, sizeof name, "small-%d", i);
        make_directory(bench->workspace, top, name);
    }
    snprintf(wanted, sizeof wanted, "; largest directories: inodes %llu, %llu, %llu",
            (unsigned long long)inodes[2], (unsigned long long)inodes[1],
            (unsigned long long)inodes[0]);
    assert_told(0, "80 %");
    assert_told(0, wanted);
}

static void assert_owner(enum riad_subject subject, uint32_t id, uint64_t inodes, uint64_t blocks)
{
    struct riad_usage usage = of_owner(subject, id);

    assert_int_equal(usage.inodes, inodes);
    assert_int_equal(usage.blocks, blocks);
}

static void give(uint64_t inode, uint32_t uid, uint32_t gid)
{
    struct riad_inode values = { .uid = uid, .gid = gid }, row;

    assert_int_equal(riad_setattr(bench->workspace, &alice, inode, RIAD_SET_UID | RIAD_SET_GID,
                             &values, &row),
            0);
}

static void owners_are_counted(void **state)
{
    uint64_t inode, folder;

    (void)state;
    inode = file_of_blocks(7);
    folder = make_directory(bench->workspace, RIAD_ROOT_INODE, "folder");
    assert_owner(RIAD_SUBJECT_USER, 1000, 3, 9);
    give(inode, 7, 8);
    assert_owner(RIAD_SUBJECT_USER, 1000, 2, 2);
    assert_owner(RIAD_SUBJECT_USER, 7, 1, 7);
    assert_owner(RIAD_SUBJECT_GROUP, 8, 1, 7);
    assert_int_equal(set_size(bench->workspace, inode, 3 * 4096), 0);
    give(folder, 7, 1000);
    for (int i = 0; i < 3; i++) {
        assert_owner(RIAD_SUBJECT_USER, 7, 2, 4);
        assert_owner(RIAD_SUBJECT_GROUP, 8, 1, 3);
        assert_owner(RIAD_SUBJECT_GROUP, 1000, 2, 2);
        fixture_close(bench->workspace);
        fixture_assert_sound(&bench->fixture);
        if (i == 1) {
            fixture_forget(&bench->fixture);
        }
        bench->workspace = fixture_open(&bench->fixture);
    }
    assert_int_equal(riad_unlink(bench->workspace, &alice, RIAD_ROOT_INODE, "file"), 0);
    riad_forget(bench->workspace, inode, 1);
    assert_owner(RIAD_SUBJECT_USER, 7, 1, 1);
    assert_owner(RIAD_SUBJECT_GROUP, 8, 0, 0);
}

/* More of them than there are slots at first. */
static void many_owners_are_counted(void **state)
{
    uint64_t inode = file_of_blocks(2);

    (void)state;
    for (uint32_t i = 0; i < 300; i++) {
        char name[16];

        snprintf(name, sizeof name, "f%u", i);
        give(make_file(bench->workspace, RIAD_ROOT_INODE, name), 5000 + i, 6000 + i % 7);
        give(inode, 5000 + i, 6000);
    }
    bench_reopen(bench);
    assert_owner(RIAD_SUBJECT_USER, 5299, 2, 2);
    assert_owner(RIAD_SUBJECT_USER, 5000, 1, 0);
    assert_owner(RIAD_SUBJECT_GROUP, 6001, 43, 0);
    assert_owner(RIAD_SUBJECT_GROUP, 6000, 44, 2);
}

#define SOFT(function) cmocka_unit_test_setup_teardown(function, setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOFT(a_soft_limit_holds_after_its_grace),
        SOFT(the_clock_goes_on),
        SOFT(a_limit_that_is_set_or_lifted_starts_and_stops_it),
        SOFT(inodes_have_one_too),
        SOFT(each_mark_is_told_once),
        SOFT(the_largest_directories_are_told),
        SOFT(owners_are_counted),
        SOFT(many_owners_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
