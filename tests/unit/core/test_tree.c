/* What directories hold in all, through the operations that programs call. */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

#include "riad/patience.h"

#include "operations.h"

enum { WRITERS = 3, QUESTIONS = 300, DEEP = 10000 };

static struct riad_tree_usage sums(struct riad_workspace *workspace, uint64_t inode)
{
    struct riad_tree_usage usage;

    assert_int_equal(riad_tree_usage(workspace, inode, &usage), 0);
    return usage;
}

static void assert_sums(struct riad_workspace *workspace, uint64_t inode, uint64_t blocks,
        uint64_t inodes, uint64_t directories)
{
    struct riad_tree_usage usage = sums(workspace, inode);

    assert_int_equal(usage.blocks, blocks);
    assert_int_equal(usage.inodes, inodes);
    assert_int_equal(usage.directories, directories);
}

static void everything_below_counts(void **state)
{
    struct bench *bench = *state;
    struct riad_workspace *workspace = bench->workspace;
    uint64_t a = make_directory(workspace, 1, "a"), b = make_directory(workspace, a, "b");
    uint64_t file = make_file(workspace, b, "file");
    struct riad_inode row;

    write_fill(workspace, file, 0, 1, 5 * RIAD_BLOCK_SIZE);
    assert_int_equal(riad_symlink(workspace, &alice, b, "link", "file", &row), 0);
    assert_int_equal(riad_setxattr(workspace, &alice, a, "user.a", "1", 1, 0), 0);
    assert_sums(workspace, b, 1 + 5 + 1, 3, 1);
    assert_sums(workspace, a, 2 + 7, 4, 2);
    assert_sums(workspace, 1, 10, 5, 3);
    assert_int_equal(set_size(workspace, file, 1), 0);
    assert_int_equal(riad_unlink(workspace, &alice, b, "link"), 0);
    assert_sums(workspace, a, 2 + 1 + 1, 3, 2);
    bench_reopen(bench);
    assert_sums(bench->workspace, a, 2 + 1 + 1, 3, 2);
    fixture_close(bench->workspace);
    fixture_forget(&bench->fixture);
    bench->workspace = fixture_open(&bench->fixture);
    assert_sums(bench->workspace, a, 2 + 1 + 1, 3, 2);
}

static void what_is_no_directory_has_no_sums(void **state)
{
    struct bench *bench = *state;
    struct riad_tree_usage usage;
    struct riad_dentry entry;
    uint64_t file = make_file(bench->workspace, 1, "file");
    uint64_t gone = make_directory(bench->workspace, 1, "gone"); /* it stays referenced */

    assert_int_equal(riad_tree_usage(bench->workspace, file, &usage), -ENOTDIR);
    assert_int_equal(riad_tree_next(bench->workspace, file, 0, &entry, &usage), -ENOTDIR);
    assert_int_equal(riad_tree_usage(bench->workspace, 4711, &usage), -ENOENT);
    assert_int_equal(riad_rmdir(bench->workspace, &alice, 1, "gone"), 0);
    assert_int_equal(riad_tree_usage(bench->workspace, gone, &usage), -ENOENT);
    assert_int_equal(riad_tree_next(bench->workspace, gone, 0, &entry, &usage), -ENOENT);
    assert_sums(bench->workspace, 1, 1, 2, 1);
    riad_forget(bench->workspace, gone, 1);
    assert_sums(bench->workspace, 1, 1, 2, 1);
}

static void directories_below_are_told_one_by_one(void **state)
{
    struct bench *bench = *state;
    struct riad_tree_usage usage;
    struct riad_dentry entry = { 0 };
    int count = 0;

    for (int i = 0; i < 20; i++) {
        char name[8];

        snprintf(name, sizeof name, "n%d", i);
        if (i % 5 == 0) {
            make_file(bench->workspace, make_directory(bench->workspace, 1, name), "inside");
        } else {
            make_file(bench->workspace, 1, name);
        }
    }
    while (riad_tree_next(bench->workspace, 1, entry.cookie, &entry, &usage) == 0) {
        assert_int_equal(atoi(entry.name + 1), 5 * count++);
        assert_int_equal(usage.inodes, 2);
    }
    assert_int_equal(count, 4);
    assert_int_equal(riad_tree_next(bench->workspace, 1, entry.cookie, &entry, &usage), -ENODATA);
}

static uint64_t unfolded(struct riad_workspace *workspace)
{
    uint64_t count;

    pthread_mutex_lock(&workspace->mutation);
    count = riad_index_unfolded(workspace->index);
    pthread_mutex_unlock(&workspace->mutation);
    return count;
}

static void plant_chain(struct riad_workspace *workspace, uint64_t *ret_last)
{
    uint64_t inode = 1;

    for (int i = 0; i < DEEP; i++) {
        inode = make_directory(workspace, inode, "d");
    }
    *ret_last = inode;
}

/* Nobody has to ask. */
static void the_background_folds(void **state)
{
    struct bench *bench = *state;
    uint64_t last;

    plant_chain(bench->workspace, &last);
    for (int i = 0; unfolded(bench->workspace) > 0; i++) {
        assert_true(i < 6000);
        usleep(10000);
    }
    assert_sums(bench->workspace, 1, DEEP + 1, DEEP + 1, DEEP + 1);
}

/* Nor does one who may not wait fold it all. */
static void the_impatient_are_told_to_wait(void **state)
{
    struct bench *bench = *state;
    struct riad_tree_usage usage;
    uint64_t last;
    int tries = 1;

    plant_chain(bench->workspace, &last);
    assert_sums(bench->workspace, 1, DEEP + 1, DEEP + 1, DEEP + 1);
    make_file(bench->workspace, last, "file");
    riad_set_patient(false);
    while (riad_tree_usage(bench->workspace, 1, &usage) == RIAD_WOULD_WAIT) {
        tries++;
    }
    assert_true(tries > 10);
    assert_int_equal(riad_tree_usage(bench->workspace, 1, &usage), 0); /* at once, then */
    riad_set_patient(true);
    assert_int_equal(usage.inodes, DEEP + 2);
}

struct scene {
    struct riad_workspace *workspace;
    uint64_t directory;
    _Atomic uint64_t made;  /* those that have been made at least, */
    _Atomic uint64_t begun; /* and at most */
    _Atomic bool stop;
};

static void *write_files(void *context)
{
    struct scene *scene = context;

    for (int i = 0; !atomic_load(&scene->stop); i++) {
        char name[64];
        struct riad_inode row;

        snprintf(name, sizeof name, "%lx-%d", (unsigned long)pthread_self(), i);
        atomic_fetch_add(&scene->begun, 1);
        assert_int_equal(riad_mknod(scene->workspace, &alice, scene->directory, name,
                                 S_IFREG | 0600, 0, &row),
                0);
        riad_forget(scene->workspace, row.inode, 1);
        atomic_fetch_add(&scene->made, 1);
    }
    return NULL;
}

static void ask_while_others_write(struct bench *bench, int depth)
{
    struct scene scene = { .workspace = bench->workspace, .directory = 1 };
    pthread_t threads[WRITERS];

    for (int i = 0; i < depth; i++) {
        scene.directory = make_directory(bench->workspace, scene.directory, "d");
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_files, &scene), 0);
    }
    for (int i = 0; i < QUESTIONS; i++) {
        uint64_t before = atomic_load(&scene.made);
        uint64_t found = sums(bench->workspace, 1).inodes - (uint64_t)depth - 1;

        assert_true(found >= before && found <= atomic_load(&scene.begun));
    }
    atomic_store(&scene.stop, true);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_int_equal(sums(bench->workspace, 1).inodes, (uint64_t)depth + 1 + scene.made);
}

static void answers_hold_what_was_there_before_the_question(void **state)
{
    ask_while_others_write(*state, 3);
}

/* More levels than a slice has steps: there is no moment when all is folded. */
static void so_they_do_where_others_write_far_below(void **state)
{
    ask_while_others_write(*state, 300);
}

static void refused_changes_change_nothing(void **state)
{
    struct bench *bench = *state;
    uint64_t a = make_directory(bench->workspace, 1, "a");
    struct riad_inode row;

    bench_limit(bench, 3, 3);
    make_file(bench->workspace, a, "file");
    assert_int_equal(riad_mkdir(bench->workspace, &alice, a, "more", 0755, &row), -EDQUOT);
    assert_int_equal(riad_rmdir(bench->workspace, &alice, 1, "a"), -ENOTEMPTY);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "a", a, "b", 0), -EINVAL);
    assert_sums(bench->workspace, a, 1, 2, 1);
    assert_sums(bench->workspace, 1, 2, 3, 2);
}

static void tamper(struct bench *bench, const char *text)
{
    char path[PATH_MAX + 16];
    sqlite3 *database;

    snprintf(path, sizeof path, "%s/index.db", bench->fixture.state_path);
    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

static void count_sums(void *context, const char *finding)
{
    *(int *)context += strstr(finding, "sums") != NULL;
}

static int check_sums(struct bench *bench)
{
    struct riad_workspace_config config;
    struct riad_fsck_result result;
    int findings = 0;

    fixture_configure(&bench->fixture, &config);
    assert_int_equal(riad_fsck_run(&config, count_sums, &findings, &result, NULL), 0);
    return findings;
}

/* The rows that the log adds up to are right all the same. */
static void fsck_finds_wrong_sums_in_the_index(void **state)
{
    struct bench *bench = *state;

    make_file(bench->workspace, make_directory(bench->workspace, 1, "a"), "file");
    fixture_close(bench->workspace);
    assert_int_equal(check_sums(bench), 0);
    tamper(bench, "UPDATE tree SET inodes = inodes + 1 WHERE inode = 1");
    assert_int_equal(check_sums(bench), 2); /* which, and what to do */
    tamper(bench, "UPDATE tree SET inodes = inodes - 1 WHERE inode = 1");
    bench->workspace = fixture_open(&bench->fixture);
}

/* An index of an older riad: it has no sums, and is made anew. */
static void an_index_of_another_version_is_made_anew(void **state)
{
    struct bench *bench = *state;
    uint64_t a = make_directory(bench->workspace, 1, "a");

    make_file(bench->workspace, a, "file");
    fixture_close(bench->workspace);
    tamper(bench, "DROP TABLE tree; DROP INDEX dentry_directory; PRAGMA user_version = 1");
    bench->workspace = fixture_open(&bench->fixture);
    assert_sums(bench->workspace, a, 1, 2, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(everything_below_counts),
        TEST(what_is_no_directory_has_no_sums),
        TEST(directories_below_are_told_one_by_one),
        TEST(the_background_folds),
        TEST(the_impatient_are_told_to_wait),
        TEST(answers_hold_what_was_there_before_the_question),
        TEST(so_they_do_where_others_write_far_below),
        TEST(refused_changes_change_nothing),
        TEST(fsck_finds_wrong_sums_in_the_index),
        TEST(an_index_of_another_version_is_made_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
