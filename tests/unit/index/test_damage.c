/* A database that riad did not write is not believed, and never crashes it. */
#include "index/refusals.h"

static int reopen(struct fixture *f, const struct riad_keys *keys)
{
    int r = riad_index_open(f->directory.path, keys, &f->index);

    if (r == 0) {
        fixture_close(f);
    }
    return r;
}

static void others_are_not_believed(void **state)
{
    struct fixture *f = *state;
    struct riad_id other = { { 8 } };
    struct riad_keys *keys;

    fixture_close(f);
    assert_int_equal(riad_keys_new(&other, 1, f->root, &keys), 0);
    assert_int_equal(reopen(f, keys), -EUCLEAN);
    riad_keys_free(keys);
    assert_int_equal(riad_keys_new(&f->workspace, 2, f->root, &keys), 0);
    assert_int_equal(reopen(f, keys), -EUCLEAN);
    riad_keys_free(keys);
    assert_int_equal(reopen(f, f->keys), 0);
}

/* Epochs come and go while an index is used on: it seals under the first one's keys. */
static void an_index_outlives_epochs(void **state)
{
    struct fixture *f = *state;
    _cleanup_secret_ struct riad_secret *subkeys = NULL;
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;

    fixture_close(f);
    assert_int_equal(riad_subkeys_derive(&f->workspace, 2, f->root, &subkeys), 0);
    assert_int_equal(riad_keys_new(&f->workspace, 1, f->root, &keys), 0);
    assert_int_equal(riad_keys_add(keys, 2, subkeys), 0);
    assert_int_equal(reopen(f, keys), 0);
    assert_int_equal(reopen(f, f->keys), 0);
}

static void tampered_schemas_are_refused(void **state)
{
    static const char *const pairs[][2] = {
        { "CREATE TRIGGER t AFTER INSERT ON inode BEGIN DELETE FROM dentry; END",
                "DROP TRIGGER t" },
        { "CREATE VIEW v AS SELECT 1", "DROP VIEW v" },
        { "CREATE TABLE more(a)", "DROP TABLE more" },
        { "DROP INDEX segment_dead", "CREATE INDEX segment_dead ON segment(segment) WHERE "
                                     "live = 0 AND log = 0" },
        { "ALTER TABLE xattr ADD COLUMN a", "ALTER TABLE xattr DROP COLUMN a" },
        { "PRAGMA user_version = 1", "PRAGMA user_version = 3" },
        { "PRAGMA application_id = 1", "PRAGMA application_id = 1919508836" },
        { "UPDATE meta SET id = 2", "UPDATE meta SET id = 1" },
        { "UPDATE meta SET next_inode = 0", "UPDATE meta SET next_inode = 1" },
        { "UPDATE meta SET blocks = 'many'", "UPDATE meta SET blocks = 0" },
        { "UPDATE meta SET end = x'00'", "UPDATE meta SET end = zeroblob(60)" },
    };
    struct fixture *f = *state;

    fixture_close(f);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        fixture_tamper(f, pairs[i][0]);
        if (reopen(f, f->keys) != -EUCLEAN) {
            fail_msg("opened after: %s", pairs[i][0]);
        }
        fixture_tamper(f, pairs[i][1]);
        if (reopen(f, f->keys) != 0) {
            fail_msg("refused after: %s", pairs[i][1]);
        }
    }
}

static void tampered_rows_are_refused(void **state)
{
    static const char *const texts[] = { "UPDATE inode SET mode = 5", "UPDATE inode SET uid = -1",
        "UPDATE inode SET size = 'x'", "UPDATE inode SET times = x'0011'",
        "UPDATE inode SET generation = NULL", "UPDATE inode SET truncate_mark = -1" };
    struct fixture *f = *state;
    struct riad_inode row = make_inode(5, S_IFREG);
    struct riad_inode back;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put(f, &row);
        fixture_close(f);
        fixture_tamper(f, texts[i]);
        fixture_open(f);
        assert_int_equal(riad_index_get_inode(f->index, 5, &back), -EUCLEAN);
        assert_int_equal(riad_index_discard(f->directory.path), 0);
        fixture_close(f);
        fixture_open(f);
    }
}

/* A sealed name moved to another directory, and a target to another inode, do not open. */
static void moved_names_are_refused(void **state)
{
    struct fixture *f = *state;
    struct riad_inode row = make_inode(5, S_IFLNK);
    struct riad_dentry dentry = make_dentry(1, 3, 5, DT_LNK, "lemon");
    struct listing all = { 0 };
    char *target;

    put(f, &row);
    riad_change_put_dentry(fixture_begin(f), &dentry);
    riad_change_put_symlink(&f->change, 5, "x");
    fixture_apply(f);
    fixture_close(f);
    fixture_tamper(f, "UPDATE dentry SET parent = 2; UPDATE symlink SET inode = 6");
    fixture_open(f);
    assert_int_equal(riad_index_list(f->index, 2, 0, gather, &all), -EUCLEAN);
    row.inode = 6;
    assert_int_equal(riad_index_get_symlink(f->index, &row, &target), -EUCLEAN);
}

static void names_are_sealed_and_padded(void **state)
{
    struct fixture *f = *state;
    struct riad_dentry dentry = make_dentry(1, 3, 5, DT_REG, "pomegranate");
    _cleanup_fclose_ FILE *file = NULL;
    static char bytes[1 << 20];
    size_t size;

    riad_change_put_dentry(fixture_begin(f), &dentry);
    riad_change_put_xattr(&f->change, 5, "user.pomegranate", "pomegranate", 11);
    riad_change_put_symlink(&f->change, 5, "pomegranate");
    fixture_apply(f);
    fixture_close(f);
    file = fopen(f->database, "r");
    assert_non_null(file);
    size = fread(bytes, 1, sizeof bytes, file);
    assert_true(size > 4096 && size < sizeof bytes);
    assert_null(memmem(bytes, size, "pomegranate", 11));
    fixture_tamper(f, "CREATE TEMP TABLE t(a CHECK(a)); INSERT INTO t SELECT length(name) = 48 "
                      "FROM dentry; INSERT INTO t SELECT length(target) = 48 FROM symlink; "
                      "INSERT INTO t SELECT length(name) = 48 FROM xattr");
}

static void files_that_are_no_database_are_refused(void **state)
{
    struct fixture *f = *state;
    FILE *file;

    fixture_close(f);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    file = fopen(f->database, "w");
    assert_non_null(file);
    for (int i = 0; i < 3000; i++) {
        fputs("not a database", file);
    }
    fclose(file);
    assert_int_equal(reopen(f, f->keys), -EUCLEAN);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    assert_int_equal(symlink("/dev/null", f->database), 0);
    assert_int_equal(reopen(f, f->keys), -EUCLEAN);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    assert_int_equal(mkfifo(f->database, 0600), 0);
    assert_int_equal(reopen(f, f->keys), -EUCLEAN);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    assert_int_equal(riad_index_open("/nonexistent/riad", f->keys, &f->index), -ENOENT);
    assert_int_equal(reopen(f, f->keys), 0);
}

/* As a power cut leaves it that takes the first commit: the mode of its journal is there, no table.
 */
static void a_database_whose_first_commit_is_lost_is_as_good_as_new(void **state)
{
    struct fixture *f = *state;

    fixture_close(f);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    fixture_tamper(f, "PRAGMA journal_mode = WAL");
    assert_int_equal(reopen(f, f->keys), 0);
}

static uint8_t pristine[1 << 18];

static size_t read_database(struct fixture *f)
{
    FILE *file = fopen(f->database, "r");
    size_t size;

    assert_non_null(file);
    size = fread(pristine, 1, sizeof pristine, file);
    assert_true(size < sizeof pristine);
    fclose(file);
    return size;
}

static void write_database(struct fixture *f, size_t size)
{
    FILE *file;

    assert_int_equal(riad_index_discard(f->directory.path), 0);
    file = fopen(f->database, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(pristine, 1, size, file), size);
    fclose(file);
}

static void assert_one_of(int r, int other)
{
    assert_true(r == 0 || r == -EUCLEAN || r == -EIO || r == other);
}

static void use_damaged(struct fixture *f)
{
    struct listing all = { 0 };
    struct riad_inode row;

    begin_doomed(f);
    assert_one_of(fixture_try(f), -EBADMSG);
    assert_one_of(riad_index_get_inode(f->index, 5, &row), -ENOENT);
    assert_one_of(riad_index_list(f->index, 1, 0, gather, &all), 0);
    assert_one_of(riad_index_commit(f->index), 0);
    fixture_close(f);
}

/* Any byte of the file may be anything: errors, never a crash. */
static void damaged_databases_never_crash(void **state)
{
    struct fixture *f = *state;
    size_t size;

    plant_for_refusals(f);
    fixture_close(f);
    size = read_database(f);
    for (size_t at = 20; at < size; at += at % 4096 < 200 ? 5 : 331) {
        pristine[at] ^= 0xff;
        write_database(f, size);
        if (riad_index_open(f->directory.path, f->keys, &f->index) == 0) {
            use_damaged(f);
        }
        pristine[at] ^= 0xff;
    }
    write_database(f, size);
    fixture_open(f);
    refuse_all(f);
}

static void a_broken_index_says_so(void **state)
{
    struct fixture *f = *state;
    struct riad_inode row = make_inode(5, S_IFREG);
    static const uint8_t garbage[3] = { 1, 0, 0 };

    put(f, &row);
    fixture_commit(f);
    assert_int_equal(riad_index_load(f->index, garbage, sizeof garbage), -EBADMSG);
    assert_int_equal(riad_index_get_inode(f->index, 5, &row), -EIO);
    riad_change_put_inode(fixture_begin(f), &row);
    assert_int_equal(fixture_try(f), -EIO);
    assert_int_equal(riad_index_commit(f->index), -EIO);
    fixture_close(f);
    fixture_open(f);
    assert_inode_is(f, &row);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(others_are_not_believed),
        TEST(an_index_outlives_epochs),
        TEST(tampered_schemas_are_refused),
        TEST(tampered_rows_are_refused),
        TEST(moved_names_are_refused),
        TEST(names_are_sealed_and_padded),
        TEST(files_that_are_no_database_are_refused),
        TEST(a_database_whose_first_commit_is_lost_is_as_good_as_new),
        TEST(damaged_databases_never_crash),
        TEST(a_broken_index_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
