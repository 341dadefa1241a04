/* What an index counts of its caches and of its commits. */
#include "fixture.h"
#include "index_priv.h"

static struct riad_index_counters counters_of(const struct fixture *f)
{
    struct riad_index_counters counters;

    riad_index_count(f->index, &counters);
    return counters;
}

static void put(struct fixture *f, uint64_t inode)
{
    struct riad_inode row = make_inode(inode, S_IFREG | 0644);

    fixture_begin(f);
    riad_change_put_inode(&f->change, &row);
    fixture_apply(f);
}

static void get(struct fixture *f, uint64_t inode)
{
    struct riad_inode row;

    assert_int_equal(riad_index_get_inode(f->index, inode, &row), 0);
}

static void rows_of_inodes_are_hits_once_they_were_read(void **state)
{
    struct fixture *f = *state;
    struct riad_index_counters before, after;

    put(f, 2);
    fixture_commit(f);
    fixture_close(f);
    fixture_open(f);
    before = counters_of(f);
    assert_int_equal(before.inodes.hits + before.inodes.misses, 0);
    get(f, 2);
    after = counters_of(f);
    assert_int_equal(after.inodes.misses, 1);
    assert_int_equal(after.inodes.hits, 0);
    get(f, 2);
    get(f, 2);
    after = counters_of(f);
    assert_int_equal(after.inodes.misses, 1);
    assert_int_equal(after.inodes.hits, 2);
}

static void sealed_names_are_hits_once_they_were_sealed(void **state)
{
    struct fixture *f = *state;
    uint8_t sealed[RIAD_SEALED_NAME_MAX];
    char name[RIAD_CACHED_NAME_MAX + 1];
    size_t size;

    memset(name, 'n', sizeof name);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(riad_index_seal_name(f->index, 1, "name", 4, sealed, &size), 0);
    }
    assert_int_equal(counters_of(f).names.misses, 1);
    assert_int_equal(counters_of(f).names.hits, 2);
    for (int i = 0; i < 3; i++) { /* too long for the cache */
        assert_int_equal(riad_index_seal_name(f->index, 1, name, sizeof name, sealed, &size), 0);
    }
    assert_int_equal(counters_of(f).names.misses, 4);
    assert_int_equal(counters_of(f).names.hits, 2);
}

static void extents_of_young_files_are_hits(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(riad_young_begin(f->index, 5), 0);
    assert_non_null(riad_young_find(f->index, 5));
    assert_null(riad_young_find(f->index, 6));
    assert_null(riad_young_find(f->index, 7));
    assert_int_equal(counters_of(f).extents.hits, 1);
    assert_int_equal(counters_of(f).extents.misses, 2);
}

/* What asks only opens a transaction too. */
static void commits_are_counted_that_write_something(void **state)
{
    struct fixture *f = *state;
    uint64_t before = counters_of(f).commits;

    put(f, 2);
    fixture_commit(f);
    assert_int_equal(counters_of(f).commits, before + 1);
    fixture_commit(f);
    get(f, 2);
    assert_int_equal(riad_index_begin(f->index), 0);
    fixture_commit(f);
    assert_int_equal(counters_of(f).commits, before + 1);
    put(f, 3);
    put(f, 4);
    fixture_commit(f);
    assert_int_equal(counters_of(f).commits, before + 2);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(rows_of_inodes_are_hits_once_they_were_read),
        CASE(sealed_names_are_hits_once_they_were_sealed),
        CASE(extents_of_young_files_are_hits),
        CASE(commits_are_counted_that_write_something),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
