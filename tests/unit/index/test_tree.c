/* What counts where, what folding costs in trees made to be bad for it, and what the check finds.
 */
#include "index/tree.h"

enum { DEEP = 10000, FIRST = 2 };

static void files_count_at_home(void **state)
{
    struct fixture *f = *state;
    struct riad_inode linked = make_below(3, 5, S_IFREG | 0644);

    fixture_plant_root(f);
    put_directory(f, 1, 2);
    put_directory(f, 2, 3);
    put_directory(f, 1, 4);
    linked.blocks = 10;
    linked.nlink = 2; /* the other one in directory 4 */
    put_row(f, &linked);
    fold_all(f);
    assert_tree(f, 1, 14, 5, 4);
    assert_tree(f, 2, 12, 3, 2);
    assert_tree(f, 3, 11, 2, 1);
    assert_tree(f, 4, 1, 1, 1);
    linked.nlink = 1; /* whichever is left: the home stays */
    put_row(f, &linked);
    fold_all(f);
    assert_tree(f, 3, 11, 2, 1);
}

static void what_has_no_name_counts_nowhere(void **state)
{
    struct fixture *f = *state;
    struct riad_inode file = make_below(0, 3, S_IFREG | 0644);
    struct riad_usage usage;

    fixture_plant_root(f);
    put_directory(f, 1, 2);
    file.nlink = 0; /* O_TMPFILE */
    file.blocks = 7;
    put_row(f, &file);
    fold_all(f);
    assert_tree(f, 1, 2, 2, 2);
    file.nlink = 1;
    file.parent = 2;
    put_row(f, &file);
    fold_all(f);
    assert_tree(f, 2, 8, 2, 1);
    file.nlink = 0; /* unlinked, still open */
    file.blocks = 90;
    put_row(f, &file);
    fold_all(f);
    assert_tree(f, 2, 1, 1, 1);
    riad_index_usage(f->index, &usage);
    assert_int_equal(usage.blocks, 92);
    remove_row(f, 3);
    fold_all(f);
    assert_tree(f, 1, 2, 2, 2);
}

static void a_directory_removed_while_open_counts_nowhere(void **state)
{
    struct fixture *f = *state;
    struct riad_inode directory = make_below(2, 3, S_IFDIR | 0755);
    struct riad_tree_usage usage;

    fixture_plant_root(f);
    put_directory(f, 1, 2);
    put_row(f, &directory);
    fold_all(f);
    directory.nlink = 0;
    put_row(f, &directory);
    assert_int_equal(riad_index_tree_usage(f->index, 3, &usage), -ENOENT);
    fold_all(f);
    assert_tree(f, 2, 1, 1, 1);
    remove_row(f, 3);
    fold_all(f);
    assert_tree(f, 1, 2, 2, 2);
    assert_int_equal(riad_index_tree_usage(f->index, 3, &usage), -ENOENT);
    assert_int_equal(check_sums(f), 0);
}

/* The first of several snapshots of hard links goes: what is in the others still counts. */
static void without_its_home_a_file_counts_at_the_root(void **state)
{
    struct fixture *f = *state;
    struct riad_inode file = make_below(3, 4, S_IFREG | 0644);

    fixture_plant_root(f);
    put_directory(f, 1, 2);
    put_directory(f, 2, 3);
    file.blocks = 5;
    put_row(f, &file);
    fold_all(f);
    remove_row(f, 3);
    fold_all(f);
    assert_tree(f, 2, 1, 1, 1);
    assert_tree(f, 1, 7, 3, 2);
    file.blocks = 6;
    put_row(f, &file);
    rebuild(f);
    fold_all(f);
    assert_tree(f, 2, 1, 1, 1);
    assert_tree(f, 1, 8, 3, 2);
    remove_row(f, 4);
    fold_all(f);
    assert_tree(f, 1, 2, 2, 2);
    assert_int_equal(check_sums(f), 0);
}

static void others_have_no_sums(void **state)
{
    struct fixture *f = *state;
    struct riad_tree_usage usage;

    fixture_plant_root(f);
    put_file(f, 1, 2, 3);
    assert_int_equal(riad_index_tree_usage(f->index, 2, &usage), -ENOTDIR);
    assert_int_equal(riad_index_tree_usage(f->index, 99, &usage), -ENOENT);
}

/* One below the other; each number is where the function says. */
static void plant_chain(struct fixture *f, uint64_t (*number)(uint64_t level))
{
    fixture_plant_root(f);
    for (uint64_t i = 0; i < DEEP; i++) {
        put_directory(f, i == 0 ? RIAD_ROOT_INODE : number(i - 1), number(i));
    }
}

static uint64_t downwards(uint64_t level)
{
    return FIRST + level;
}

/* As of directories that were made side by side, then moved into one another. */
static uint64_t upwards(uint64_t level)
{
    return FIRST + DEEP - 1 - level;
}

static uint64_t scattered(uint64_t level)
{
    return FIRST + (level * 7919) % DEEP; /* a prime that does not divide it */
}

static void assert_chain(struct fixture *f, uint64_t (*number)(uint64_t level))
{
    for (uint64_t i = 0; i < DEEP; i++) {
        assert_tree(f, number(i), DEEP - i, DEEP - i, DEEP - i);
    }
    assert_tree(f, RIAD_ROOT_INODE, DEEP + 1, DEEP + 1, DEEP + 1);
}

/* Each directory is looked at twice, wherever in the chain its number is. */
static void chains_fold_in_as_many_steps_as_they_are_deep(void **state)
{
    static uint64_t (*const orders[])(uint64_t) = { downwards, upwards, scattered };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        uint64_t steps;

        plant_chain(f, orders[i]);
        steps = fold_all(f);
        assert_in_range(steps, DEEP, 5 * DEEP);
        assert_chain(f, orders[i]);
        fixture_close(f);
        assert_int_equal(riad_index_discard(f->directory.path), 0);
        fixture_open(f);
    }
}

/* Whatever hangs below, it is a change of three rows, and one path to fold. */
static void moving_a_deep_chain_is_cheap(void **state)
{
    struct fixture *f = *state;
    struct riad_inode top = make_below(DEEP + 50, downwards(1), S_IFDIR | 0755);

    plant_chain(f, downwards);
    put_directory(f, 1, DEEP + 50);
    fold_all(f);
    put_row(f, &top);
    assert_in_range(riad_index_unfolded(f->index), 1, 3);
    assert_in_range(fold_all(f), 1, 20);
    assert_tree(f, downwards(0), 1, 1, 1);
    assert_tree(f, DEEP + 50, DEEP, DEEP, DEEP);
    assert_tree(f, 1, DEEP + 2, DEEP + 2, DEEP + 2);
}

/* The bottom is written to while what it had before is on its way. */
static void rounds_end_while_others_write(void **state)
{
    struct fixture *f = *state;
    uint64_t folds;
    bool more = true;

    plant_chain(f, upwards);
    fold_all(f);
    put_file(f, upwards(DEEP - 1), DEEP + 50, 1000);
    folds = riad_index_folds(f->index);
    for (uint64_t i = 0; riad_index_folds(f->index) < folds + 2; i++) {
        put_file(f, upwards(DEEP - 1), DEEP + 51 + i, 1);
        assert_int_equal(riad_index_fold(f->index, 64, &more), 0);
        assert_true(more && i < DEEP);
    }
    for (uint64_t i = 0; i < DEEP; i++) {
        struct riad_tree_usage usage;

        assert_int_equal(riad_index_tree_usage(f->index, upwards(i), &usage), 0);
        assert_true(usage.blocks >= DEEP - i + 1000);
    }
}

static uint64_t rounds_of_folding(struct fixture *f)
{
    uint64_t folds = riad_index_folds(f->index);

    fold_all(f);
    return riad_index_folds(f->index) - folds;
}

/* More levels than one plan has room for: it is one round all the same. */
static void what_does_not_fit_into_one_plan_is_folded_too(void **state)
{
    enum { LEVELS = 70000 };
    struct fixture *f = *state;

    fixture_plant_root(f);
    for (uint64_t i = 0; i < LEVELS; i++) {
        put_directory(f, i == 0 ? 1 : FIRST + i - 1, FIRST + i);
    }
    assert_int_equal(rounds_of_folding(f), 1);
    assert_tree(f, 1, LEVELS + 1, LEVELS + 1, LEVELS + 1);
    put_file(f, FIRST + LEVELS - 1, FIRST + LEVELS, 5);
    assert_int_equal(rounds_of_folding(f), 1);
    assert_tree(f, 1, LEVELS + 6, LEVELS + 2, LEVELS + 1);
    assert_int_equal(check_sums(f), 0);
}

static void folding_is_undone_with_the_batch_and_nothing_is_lost(void **state)
{
    struct fixture *f = *state;

    fixture_plant_root(f);
    put_directory(f, 1, 2);
    put_directory(f, 2, 3);
    fixture_commit(f);
    fold_all(f);
    riad_change_remove_inode(fixture_begin(f), 99);
    assert_int_equal(fixture_try(f), -EBADMSG);
    assert_int_equal(riad_index_unfolded(f->index), 2);
    fold_all(f);
    assert_tree(f, 1, 3, 3, 3);
}

/* A directory that is below itself is damage; folding it ends no worse than before. */
static void loops_hang_nobody(void **state)
{
    struct fixture *f = *state;
    struct riad_inode row = make_below(3, 2, S_IFDIR | 0755);
    bool more = true;

    fixture_plant_root(f);
    put_directory(f, 2, 3);
    put_row(f, &row);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(riad_index_fold(f->index, 10, &more), 0);
    }
    row.parent = 1;
    put_row(f, &row);
    fold_all(f);
}

static void directories_are_listed_by_themselves(void **state)
{
    struct fixture *f = *state;
    struct riad_dentry row;
    uint64_t after = 0;
    int count = 0;

    fixture_plant_root(f);
    fixture_begin(f);
    for (uint64_t i = 0; i < 30; i++) {
        char name[16];
        struct riad_dentry entry;

        snprintf(name, sizeof name, "n%d", (int)i);
        entry = make_dentry(1, 3 + i, 10 + i, i % 7 == 0 ? DT_DIR : DT_REG, name);
        riad_change_put_dentry(&f->change, &entry);
    }
    fixture_apply(f);
    while (riad_index_next_directory(f->index, 1, after, &row) == 0) {
        assert_int_equal(row.inode, 10 + 7 * count++);
        after = row.cookie;
    }
    assert_int_equal(riad_index_next_directory(f->index, 1, after, &row), -ENODATA);
    assert_int_equal(count, 5);
}

/* Plants anew, damages, asks. */
static void assert_found(struct fixture *f, const char *damage)
{
    fixture_plant_root(f);
    put_directory(f, 1, 2);
    put_directory(f, 2, 3);
    put_file(f, 3, 4, 9);
    fold_all(f);
    assert_int_equal(check_sums(f), 0);
    fixture_close(f);
    fixture_tamper(f, damage);
    fixture_open(f);
    if (check_sums(f) == 0) {
        fail_msg("not found: %s", damage);
    }
    fixture_close(f);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    fixture_open(f);
}

static void the_check_finds_wrong_sums(void **state)
{
    static const char *const damage[] = {
        "UPDATE tree SET blocks = blocks + 1 WHERE inode = 3",
        "UPDATE tree SET inodes = inodes - 1, given_inodes = given_inodes - 1 WHERE inode = 3",
        "UPDATE tree SET directories = 7 WHERE inode = 1",
        "UPDATE tree SET parent = 1 WHERE inode = 3",
        "UPDATE tree SET given_blocks = 0 WHERE inode = 2",
        "UPDATE tree SET pending = 1 - pending WHERE inode = 3",
        "UPDATE tree SET blocks = blocks + 281474976710656 WHERE inode = 1",
        "UPDATE tree SET given_blocks = NULL WHERE inode = 2",
        "DELETE FROM tree WHERE inode = 3",
        "INSERT INTO tree VALUES(77, 1, 0, 1, 0, 0, 0, 0, 1)",
        "UPDATE inode SET blocks = blocks + 1 WHERE inode = 4",
        "UPDATE inode SET parent = 2 WHERE inode = 4",
        "UPDATE inode SET nlink = 0 WHERE inode = 4",
    };

    for (size_t i = 0; i < sizeof damage / sizeof damage[0]; i++) {
        assert_found(*state, damage[i]);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_count_at_home),
        TEST(what_has_no_name_counts_nowhere),
        TEST(a_directory_removed_while_open_counts_nowhere),
        TEST(without_its_home_a_file_counts_at_the_root),
        TEST(others_have_no_sums),
        TEST(chains_fold_in_as_many_steps_as_they_are_deep),
        TEST(moving_a_deep_chain_is_cheap),
        TEST(rounds_end_while_others_write),
        TEST(what_does_not_fit_into_one_plan_is_folded_too),
        TEST(folding_is_undone_with_the_batch_and_nothing_is_lost),
        TEST(loops_hang_nobody),
        TEST(directories_are_listed_by_themselves),
        TEST(the_check_finds_wrong_sums),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
