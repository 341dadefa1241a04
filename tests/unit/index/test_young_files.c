/* Young files, whose extents are in memory: the same random changes are made in an index that has
 * them and in one that has none, as it holds an extent of a number never given out. Both answer the
 * same after each. */
#include "index/fixture.h"

enum { STEPS = 20000, LIVE = 48, UNITS = 36, SEGMENTS = 5, STRAY_SEGMENT = 90, SEED = 4711 };

struct twins {
    struct fixture *young, *plain;
    uint64_t live[LIVE]; /* inode numbers; 0: none */
    uint64_t next;
    uint64_t position;
    uint64_t seed;
};

static uint64_t draw(struct twins *twins, uint64_t below)
{
    twins->seed ^= twins->seed << 13;
    twins->seed ^= twins->seed >> 7;
    twins->seed ^= twins->seed << 17;
    return twins->seed % below;
}

static struct fixture *plain_fixture(void)
{
    const struct riad_extent stray = make_extent((uint64_t)1 << 40, 0, UNIT, STRAY_SEGMENT, 0);
    void *state = NULL;
    struct fixture *f;

    assert_int_equal(fixture_set_up(&state), 0);
    f = state;
    riad_change_put_extent(fixture_begin(f), &stray);
    fixture_apply(f);
    return f;
}

/* Seldom one that overlaps another: a refused change is undone by a rollback, after which no file
 * is young. */
static struct riad_extent random_extent(struct twins *twins, uint64_t inode)
{
    uint64_t offset = draw(twins, UNITS / 3) * 3 * UNIT + (draw(twins, 4000) == 0 ? UNIT : 0);
    uint32_t length = (uint32_t)(1 + draw(twins, 3)) * UNIT - (uint32_t)draw(twins, 2);

    if (draw(twins, 8) == 0) {
        return make_unwritten(inode, offset, length);
    }
    twins->position += 4 * UNIT;
    return make_extent(inode, offset, length, 1 + draw(twins, SEGMENTS), twins->position);
}

/* The next change: of one file, a new one if its place is empty. */
static void prepare(struct twins *twins, size_t place, struct riad_change *changes[2])
{
    uint64_t *inode = &twins->live[place];
    uint64_t kind = draw(twins, 20);
    struct riad_inode row = make_inode(twins->next, S_IFREG | 0644);
    struct riad_extent extent = random_extent(twins, *inode);
    uint64_t from = draw(twins, UNITS) * UNIT;
    uint64_t to = draw(twins, 4) == 0 ? UINT64_MAX : from + draw(twins, 5) * UNIT;

    for (int i = 0; i < 2; i++) {
        if (*inode == 0) {
            riad_change_put_inode(changes[i], &row);
        } else if (kind == 0) {
            riad_change_remove_inode(changes[i], *inode);
        } else if (kind < 4) {
            riad_change_clear_extents(changes[i], *inode, from, to);
        } else {
            riad_change_put_extent(changes[i], &extent);
        }
    }
    if (*inode == 0) {
        *inode = twins->next++;
    } else if (kind == 0) {
        *inode = 0;
    }
}

static void assert_same_file(const struct twins *twins, uint64_t inode, uint64_t from, uint64_t to)
{
    struct fixture *both[] = { twins->young, twins->plain };
    struct extent_list *lists = calloc(2, sizeof *lists);
    uint64_t counts[2] = { 0 };

    assert_non_null(lists);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
                riad_index_extents(both[i]->index, inode, from, to, gather_extent, &lists[i]), 0);
        assert_int_equal(
                riad_index_count_extents(both[i]->index, inode, from, to, 3, &counts[i]), 0);
    }
    assert_int_equal(counts[0], counts[1]);
    assert_int_equal(lists[0].count, lists[1].count);
    for (size_t i = 0; i < lists[0].count; i++) {
        assert_extent_equal(&lists[0].rows[i], &lists[1].rows[i]);
    }
    free(lists);
}

static void assert_same(const struct twins *twins)
{
    for (size_t i = 0; i < LIVE; i++) {
        assert_same_file(twins, twins->live[i], 0, UINT64_MAX);
    }
    for (uint64_t segment = 1; segment <= SEGMENTS; segment++) {
        uint64_t live[2] = { 0 };
        int r = riad_index_segment_live(twins->young->index, segment, &live[0]);

        assert_int_equal(riad_index_segment_live(twins->plain->index, segment, &live[1]), r);
        assert_int_equal(live[0], live[1]);
    }
}

static void step(struct twins *twins)
{
    struct riad_change *changes[] = { fixture_begin(twins->young), fixture_begin(twins->plain) };
    size_t place = draw(twins, LIVE);
    uint64_t from = draw(twins, UNITS) * UNIT;
    int r;

    prepare(twins, place, changes);
    r = fixture_try(twins->young);
    assert_true(r == 0 || r == -EBADMSG);
    assert_int_equal(fixture_try(twins->plain), r);
    assert_same_file(twins, twins->live[place], from, from + draw(twins, 6) * UNIT);
    if (draw(twins, 10) == 0) {
        fixture_commit(twins->young);
        fixture_commit(twins->plain);
    }
    if (draw(twins, 1000) == 0) {
        fixture_close(twins->young);
        fixture_open(twins->young);
    }
}

static void as_without_them(void **state)
{
    struct twins *twins = calloc(1, sizeof *twins);
    void *plain;

    assert_non_null(twins);
    *twins = (struct twins){ *state, plain_fixture(), .next = 2, .seed = SEED };
    for (int i = 0; i < STEPS; i++) {
        step(twins);
        if (i % 200 == 0) {
            assert_same(twins);
        }
    }
    fixture_close(twins->young);
    fixture_open(twins->young);
    assert_same(twins);
    plain = twins->plain;
    assert_int_equal(fixture_tear_down(&plain), 0);
    free(twins);
}

static uint64_t rows_in_database(struct fixture *f)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    uint64_t count;

    assert_int_equal(sqlite3_open(f->database, &database), SQLITE_OK);
    assert_int_equal(
            sqlite3_prepare_v2(database, "SELECT count(*) FROM extent", -1, &statement, NULL),
            SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    count = (uint64_t)sqlite3_column_int64(statement, 0);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
    return count;
}

/* What a commit must have written is what a snapshot reads. */
static void a_commit_has_them(void **state)
{
    struct fixture *f = *state;
    const struct riad_inode row = make_inode(2, S_IFREG | 0644);
    const struct riad_extent first = make_extent(2, 0, UNIT, 1, 0);
    const struct riad_extent second = make_extent(2, UNIT, UNIT, 1, UNIT);

    riad_change_put_inode(fixture_begin(f), &row);
    riad_change_put_extent(&f->change, &first);
    fixture_apply(f);
    fixture_commit(f);
    assert_int_equal(rows_in_database(f), 1);
    riad_change_put_extent(fixture_begin(f), &second);
    fixture_apply(f);
    fixture_commit(f);
    assert_int_equal(rows_in_database(f), 2);
    riad_change_clear_extents(fixture_begin(f), 2, UNIT, UINT64_MAX);
    fixture_apply(f);
    fixture_commit(f);
    assert_int_equal(rows_in_database(f), 1);
    riad_change_remove_inode(fixture_begin(f), 2);
    fixture_apply(f);
    fixture_commit(f);
    assert_int_equal(rows_in_database(f), 0);
}

static void an_overlap_of_one_byte_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct riad_inode row = make_inode(2, S_IFREG | 0644);
    const struct riad_extent behind = make_extent(2, UNIT, UNIT, 1, UNIT);
    struct riad_extent first = make_extent(2, 0, UNIT + 1, 1, 4 * UNIT);

    riad_change_put_inode(fixture_begin(f), &row);
    riad_change_put_extent(&f->change, &behind);
    fixture_apply(f);
    riad_change_put_extent(fixture_begin(f), &first);
    assert_int_equal(fixture_try(f), -EBADMSG);
    first = make_extent(2, 0, UNIT, 1, 4 * UNIT);
    riad_change_put_extent(fixture_begin(f), &first);
    fixture_apply(f);
    riad_change_clear_extents(fixture_begin(f), 2, 0, UNIT + 1);
    fixture_apply(f);
    first = make_extent(2, 0, UNIT + 1, 1, 9 * UNIT);
    riad_change_put_extent(fixture_begin(f), &first);
    fixture_apply(f);
    riad_change_put_extent(fixture_begin(f), &behind);
    assert_int_equal(fixture_try(f), -EBADMSG);
    assert_int_equal(count_extents(f, 2), 1);
}

/* An extent that came before its number was given out, when another process had the index. */
static void a_stray_is_seen(void **state)
{
    struct fixture *f = *state;
    const struct riad_extent stray = make_extent(2, 0, UNIT, 1, 0);
    const struct riad_inode row = make_inode(2, S_IFREG | 0644);

    riad_change_put_extent(fixture_begin(f), &stray);
    fixture_apply(f);
    fixture_close(f);
    fixture_open(f);
    riad_change_put_inode(fixture_begin(f), &row);
    fixture_apply(f);
    assert_int_equal(count_extents(f, 2), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_without_them, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_commit_has_them, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(
                an_overlap_of_one_byte_is_refused, fixture_set_up, fixture_tear_down),
        cmocka_unit_test_setup_teardown(a_stray_is_seen, fixture_set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
