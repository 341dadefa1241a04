/* Trees of inode rows, what they must add up to, and an index that is asked for it. */
#ifndef RIAD_TESTS_INDEX_TREE_H
#define RIAD_TESTS_INDEX_TREE_H

#include "riad/tree.h"

#include "index/fixture.h"

/* Returns how many steps it took. */
static inline uint64_t fold_all(struct fixture *f)
{
    uint64_t steps = 0;
    bool more = true;

    while (more) {
        assert_int_equal(riad_index_fold(f->index, 1, &more), 0);
        steps++;
    }
    assert_int_equal(riad_index_unfolded(f->index), 0);
    return steps;
}

static inline void assert_tree(
        struct fixture *f, uint64_t inode, uint64_t blocks, uint64_t inodes, uint64_t directories)
{
    struct riad_tree_usage usage;

    assert_int_equal(riad_index_tree_usage(f->index, inode, &usage), 0);
    assert_int_equal(usage.blocks, blocks);
    assert_int_equal(usage.inodes, inodes);
    assert_int_equal(usage.directories, directories);
}

static inline struct riad_inode make_below(uint64_t parent, uint64_t inode, uint32_t mode)
{
    struct riad_inode row = make_inode(inode, mode);

    row.parent = parent;
    return row;
}

/* One change that puts the row. */
static inline void put_row(struct fixture *f, const struct riad_inode *row)
{
    riad_change_put_inode(fixture_begin(f), row);
    fixture_apply(f);
}

static inline void put_directory(struct fixture *f, uint64_t parent, uint64_t inode)
{
    struct riad_inode row = make_below(parent, inode, S_IFDIR | 0755);

    put_row(f, &row);
}

static inline void put_file(struct fixture *f, uint64_t parent, uint64_t inode, uint64_t blocks)
{
    struct riad_inode row = make_below(parent, inode, S_IFREG | 0644);

    row.blocks = blocks;
    put_row(f, &row);
}

static inline void remove_row(struct fixture *f, uint64_t inode)
{
    riad_change_remove_inode(fixture_begin(f), inode);
    fixture_apply(f);
}

/* Counts what the check of an index says of sums alone: the rows of these tests have no names. */
static inline void count_sums(void *context, const char *finding)
{
    if (strstr(finding, "sums")) {
        print_message("%s\n", finding);
        ++*(uint64_t *)context;
    }
}

static inline uint64_t check_sums(struct fixture *f)
{
    struct riad_snapshot *snapshot;
    uint64_t findings = 0;
    uint64_t all;

    fixture_commit(f);
    assert_int_equal(riad_snapshot_take(f->index, &snapshot), 0);
    assert_int_equal(riad_snapshot_check(snapshot, count_sums, &findings, &all), 0);
    riad_snapshot_free(snapshot);
    return findings;
}

static inline int add_operation(void *context, const uint8_t *operation, size_t size)
{
    riad_put_bytes(context, operation, size);
    return 0;
}

/* The index is made anew of its own rows, as of a checkpoint. */
static inline void rebuild(struct fixture *f)
{
    _cleanup_(riad_writer_done) struct riad_writer rows = { 0 };
    struct riad_snapshot_header header;
    struct riad_snapshot *snapshot;

    riad_writer_init_growing(&rows, 4096, 1 << 26);
    fixture_commit(f);
    assert_int_equal(riad_snapshot_take(f->index, &snapshot), 0);
    riad_snapshot_header(snapshot, &header);
    assert_int_equal(riad_snapshot_rows(snapshot, add_operation, &rows), 0);
    riad_snapshot_free(snapshot);
    fixture_close(f);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    fixture_open(f);
    riad_change_put_workspace(fixture_begin(f), header.next_inode);
    assert_int_equal(
            riad_index_load(f->index, f->change.operations.data, f->change.operations.size), 0);
    assert_int_equal(riad_index_load(f->index, rows.data, rows.size), 0);
    assert_int_equal(riad_index_set_end(f->index, &header.end, header.start), 0);
}

#endif
