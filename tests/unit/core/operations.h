/* Short ways to the operations of core for its tests: what must succeed does, or the test fails. */
#ifndef RIAD_TESTS_CORE_OPERATIONS_H
#define RIAD_TESTS_CORE_OPERATIONS_H

#include <stdlib.h>

#include "fixture.h"
#include "rows_priv.h"

/* A workspace per test. */
struct bench {
    struct fixture fixture;
    struct riad_workspace *workspace;
};

static const struct riad_caller alice = { .uid = 1000, .gid = 1000, .request = 1 };

static inline int bench_setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);

    fixture_make(&bench->fixture);
    bench->workspace = fixture_open(&bench->fixture);
    *state = bench;
    return 0;
}

/* Every test ends with the whole workspace checked: rows, links, usage, log. */
static inline int bench_teardown(void **state)
{
    struct bench *bench = *state;

    fixture_close(bench->workspace);
    fixture_assert_sound(&bench->fixture);
    fixture_remove(&bench->fixture);
    free(bench);
    return 0;
}

static inline void bench_reopen(struct bench *bench)
{
    fixture_close(bench->workspace);
    bench->workspace = fixture_open(&bench->fixture);
}

static inline void bench_limit(struct bench *bench, uint64_t blocks, uint64_t inodes)
{
    struct riad_limit limit = { .blocks = blocks, .inodes = inodes };

    bench->fixture.limit = limit;
    riad_workspace_set_limit(bench->workspace, &limit);
}

static inline uint64_t make_file(
        struct riad_workspace *workspace, uint64_t parent, const char *name)
{
    struct riad_inode row;

    assert_int_equal(riad_mknod(workspace, &alice, parent, name, S_IFREG | 0644, 0, &row), 0);
    return row.inode;
}

static inline uint64_t make_directory(
        struct riad_workspace *workspace, uint64_t parent, const char *name)
{
    struct riad_inode row;

    assert_int_equal(riad_mkdir(workspace, &alice, parent, name, 0755, &row), 0);
    return row.inode;
}

static inline struct riad_inode attributes(struct riad_workspace *workspace, uint64_t inode)
{
    struct riad_inode row;

    assert_int_equal(riad_getattr(workspace, inode, &row), 0);
    return row;
}

static inline int look_up(struct riad_workspace *workspace, uint64_t parent, const char *name)
{
    struct riad_inode row;
    int r = riad_lookup(workspace, parent, name, &row);

    if (r == 0) {
        riad_forget(workspace, row.inode, 1);
    }
    return r;
}

static inline uint64_t inode_of(struct riad_workspace *workspace, uint64_t parent, const char *name)
{
    struct riad_inode row;

    assert_int_equal(riad_lookup(workspace, parent, name, &row), 0);
    riad_forget(workspace, row.inode, 1);
    return row.inode;
}

static inline struct riad_usage usage_of(struct riad_workspace *workspace)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    return status.usage;
}

static inline void write_all(struct riad_workspace *workspace, uint64_t inode, uint64_t offset,
        const void *data, size_t size)
{
    const uint8_t *bytes = data;

    while (size > 0) {
        uint32_t done = 0;
        uint32_t some = size < 1 << 20 ? (uint32_t)size : 1 << 20;

        assert_int_equal(riad_write(workspace, &alice, inode, offset, bytes, some, &done), 0);
        assert_int_equal(done, some);
        bytes += done;
        offset += done;
        size -= done;
    }
}

/* Writes size bytes of one value. */
static inline void write_fill(
        struct riad_workspace *workspace, uint64_t inode, uint64_t offset, int value, size_t size)
{
    uint8_t *data = malloc(size);

    memset(data, value, size);
    write_all(workspace, inode, offset, data, size);
    free(data);
}

static inline void assert_filled(
        struct riad_workspace *workspace, uint64_t inode, uint64_t offset, int value, size_t size)
{
    uint8_t *data = malloc(size);
    uint32_t done = 0;

    assert_int_equal(riad_read(workspace, inode, offset, (uint32_t)size, data, &done), 0);
    assert_int_equal(done, size);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(data[i], (uint8_t)value);
    }
    free(data);
}

static inline int set_size(struct riad_workspace *workspace, uint64_t inode, uint64_t size)
{
    struct riad_inode values = { .size = size }, row;

    return riad_setattr(workspace, &alice, inode, RIAD_SET_SIZE, &values, &row);
}

/* Extent rows of a file, and the blocks that they touch. */
struct tally {
    uint64_t extents;
    struct riad_block_count blocks;
    uint64_t end;
};

static inline int tally_extent(void *context, const struct riad_extent *extent)
{
    struct tally *tally = context;

    assert_true(extent->offset >= tally->end);
    tally->end = riad_extent_end(extent);
    tally->extents++;
    riad_block_count_add(&tally->blocks, extent->offset, tally->end);
    return 0;
}

static inline struct tally tally_of(struct riad_workspace *workspace, uint64_t inode)
{
    struct tally tally = { 0 };

    assert_int_equal(riad_workspace_lock(workspace), 0);
    assert_int_equal(riad_index_extents(
                             workspace->index, inode, 0, RIAD_FILE_SIZE_MAX, tally_extent, &tally),
            0);
    riad_workspace_unlock(workspace);
    return tally;
}

#endif
