/* Changes that must be refused whole. */
#ifndef RIAD_TESTS_INDEX_REFUSALS_H
#define RIAD_TESTS_INDEX_REFUSALS_H

#include "index/rows.h"

/* Each bad change begins with good operations of every kind, which must not stay. */
static inline void begin_doomed(struct fixture *f)
{
    struct riad_inode changed = make_inode(5, S_IFREG);
    struct riad_inode added = make_inode(900, S_IFREG);
    struct riad_dentry dentry = make_dentry(1, 77, 900, DT_REG, "doomed");
    struct riad_extent extent = make_extent(5, 0, UNIT, 99, 0);

    changed.blocks = 50;
    riad_change_put_inode(fixture_begin(f), &changed);
    riad_change_put_inode(&f->change, &added);
    riad_change_put_dentry(&f->change, &dentry);
    riad_change_put_extent(&f->change, &extent);
    riad_change_remove_dentry(&f->change, 1, 4);
}

static inline void assert_refused(struct fixture *f)
{
    struct riad_inode kept = make_inode(5, S_IFREG);
    struct riad_dentry lemon = make_dentry(1, 3, 5, DT_REG, "lemon");
    struct riad_dentry fig = make_dentry(1, 4, 5, DT_REG, "fig");
    struct riad_end before;
    struct riad_end after;
    uint64_t bytes;
    uint64_t start;
    uint32_t pending = riad_index_pending(f->index);

    riad_index_end(f->index, &before, &start);
    assert_int_equal(fixture_try(f), -EBADMSG);
    riad_index_end(f->index, &after, &start);
    assert_int_equal(before.sequence.number, after.sequence.number);
    assert_int_equal(riad_index_pending(f->index), pending);
    assert_inode_is(f, &kept);
    assert_found(f, &lemon);
    assert_found(f, &fig);
    assert_not_found(f, 1, "doomed");
    assert_missing(f, 900);
    assert_usage(f, 1, 0);
    assert_int_equal(riad_index_next_inode(f->index), 6);
    assert_int_equal(count_extents(f, 5), 2);
    assert_int_equal(riad_index_segment_live(f->index, 99, &bytes), -ENOENT);
    assert_int_equal(riad_index_segment_live(f->index, 9, &bytes), 0);
    assert_int_equal(bytes, 2 * UNIT);
}

static inline void plant_for_refusals(struct fixture *f)
{
    struct riad_inode row = make_inode(5, S_IFREG);
    struct riad_dentry lemon = make_dentry(1, 3, 5, DT_REG, "lemon");
    struct riad_dentry fig = make_dentry(1, 4, 5, DT_REG, "fig");
    struct riad_extent first = make_extent(5, 100 * UNIT, UNIT, 9, 0);
    struct riad_extent second = make_extent(5, 102 * UNIT, UNIT, 9, UNIT);

    put(f, &row);
    riad_change_put_dentry(fixture_begin(f), &lemon);
    riad_change_put_dentry(&f->change, &fig);
    fixture_apply(f);
    riad_change_put_extent(fixture_begin(f), &first);
    riad_change_put_extent(&f->change, &second);
    fixture_apply(f);
}

static inline void refuse_all(struct fixture *f)
{
    struct riad_dentry taken = make_dentry(1, 5, 5, DT_REG, "lemon");
    struct riad_dentry renamed = make_dentry(1, 78, 5, DT_REG, "doomed");
    const struct riad_extent overlaps[] = {
        make_extent(5, 99 * UNIT, UNIT + 1, 9, 0),
        make_extent(5, 100 * UNIT + 1, 1, 9, 0),
        make_extent(5, 101 * UNIT, UNIT * 2, 9, 0),
        make_extent(5, 98 * UNIT, UNIT * 10, 9, 0),
        make_extent(5, 100 * UNIT, UNIT * 3, 9, 0),
        make_unwritten(5, 1, RIAD_FILE_SIZE_MAX - 1),
    };

    begin_doomed(f);
    riad_change_put_dentry(&f->change, &taken);
    assert_refused(f);
    begin_doomed(f);
    riad_change_put_dentry(&f->change, &renamed);
    assert_refused(f);
    begin_doomed(f);
    riad_change_remove_dentry(&f->change, 1, 5);
    assert_refused(f);
    begin_doomed(f);
    riad_change_remove_inode(&f->change, 4);
    assert_refused(f);
    begin_doomed(f);
    riad_change_remove_inode(&f->change, 901);
    assert_refused(f);
    begin_doomed(f);
    riad_change_remove_xattr(&f->change, 5, "user.none");
    assert_refused(f);
    begin_doomed(f);
    riad_change_put_workspace(&f->change, 1000);
    assert_refused(f);
    for (size_t i = 0; i < sizeof overlaps / sizeof overlaps[0]; i++) {
        begin_doomed(f);
        riad_change_put_extent(&f->change, &overlaps[i]);
        assert_refused(f);
    }
}

#endif
