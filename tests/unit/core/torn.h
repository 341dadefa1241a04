/* For the tests of P3 after a power cut that kept the records of changes and lost payloads of some:
 * the kernel writes pages back in any order. */
#ifndef RIAD_TESTS_CORE_TORN_H
#define RIAD_TESTS_CORE_TORN_H

#include <sys/mman.h>

#include "rows.h"

enum { WRITES = 4, SMALL = 40000, BULK = 300000, CHUNK = 128 << 10 };

/* Where the payload of an unsynced write lies. */
struct written {
    uint64_t number;
    uint64_t segment;
    off_t position;
    off_t size; /* of all records */
};

/* What the process that dies tells. */
struct plan {
    size_t size;
    struct written writes[WRITES];
};

static struct fixture fixture;
static struct plan *plan;

static inline int setup(void **state)
{
    (void)state;
    fixture_make(&fixture);
    plan = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(plan != MAP_FAILED);
    return 0;
}

static inline int teardown(void **state)
{
    (void)state;
    assert_int_equal(munmap(plan, sizeof *plan), 0);
    fixture_remove(&fixture);
    return 0;
}

static inline int note_extent(void *context, const struct riad_extent *extent)
{
    struct written *written = context;
    uint32_t last = extent->run_length - (extent->tag_count - 1U) * (1U << extent->unit_shift);

    written->segment = extent->segment;
    written->position = (off_t)extent->position;
    written->size =
            (off_t)((extent->tag_count - 1U) * ((1U << extent->unit_shift) + RIAD_DATA_OVERHEAD) +
                    riad_data_record_size(last));
    return 1;
}

/* The payload of the last change, which wrote to inode at offset. */
static inline int note(
        struct riad_workspace *workspace, uint64_t inode, uint64_t offset, struct written *ret)
{
    struct riad_end end;
    uint64_t start;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    riad_index_end(workspace->index, &end, &start);
    ret->number = end.sequence.number;
    r = riad_index_extents(workspace->index, inode, offset, offset + 1, note_extent, ret);
    riad_workspace_unlock(workspace);
    return r < 0 ? r : 0;
}

/* What was appended is in the kernel's hands, the log by the store's file, the rows by the index's.
 */
static inline int commit_index(struct riad_workspace *workspace)
{
    int r = riad_log_ship(workspace->log);

    if (r >= 0) {
        r = riad_workspace_lock(workspace);
    }
    if (r >= 0) {
        r = riad_index_commit(workspace->index);
        riad_workspace_unlock(workspace);
    }
    return r;
}

static inline int fill(
        struct riad_workspace *workspace, uint64_t inode, uint64_t offset, int value, size_t size)
{
    uint8_t *data = malloc(size);
    uint32_t done = 0;
    int r;

    if (!data) {
        return -ENOMEM;
    }
    memset(data, value, size);
    r = riad_write(workspace, &alice, inode, offset, data, (uint32_t)size, &done);
    free(data);
    return r < 0 || done == size ? r : -EIO;
}

/* The name of a write's file. */
static inline const char *name_of(size_t i)
{
    static const char *const names[WRITES] = { "f0", "f1", "f2", "f3" };

    return names[i];
}

/* Files full of 'o', synced. Nothing is synced behind that by itself. */
static inline int make_old_files(
        struct fixture *of, struct riad_workspace **ret, uint64_t inodes[WRITES])
{
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    int r = fixture_try_open(of, &workspace);

    if (r < 0) {
        return r;
    }
    riad_background_stop(workspace);
    for (size_t i = 0; i < WRITES && r >= 0; i++) {
        r = riad_mknod(workspace, &alice, RIAD_ROOT_INODE, name_of(i), S_IFREG | 0644, 0, &row);
        inodes[i] = row.inode;
        r = r < 0 ? r : fill(workspace, row.inode, 0, 'o', plan->size);
    }
    if (r >= 0) {
        r = riad_workspace_sync(workspace);
    }
    *ret = workspace;
    return r;
}

static inline int open_segment(uint64_t segment)
{
    char path[32];
    int fd;

    riad_segment_path(RIAD_SEGMENT_LOG, segment, path);
    fd = openat(fixture.workspace_fd, path, O_RDWR);
    if (fd < 0) {
        riad_segment_path(RIAD_SEGMENT_DATA, segment, path);
        fd = openat(fixture.workspace_fd, path, O_RDWR);
    }
    assert_true(fd >= 0);
    return fd;
}

static inline void zero(const struct written *written, off_t from, off_t to)
{
    int fd = open_segment(written->segment);
    uint8_t *zeros = calloc(1, (size_t)(to - from));

    assert_true(from < to);
    assert_int_equal(pwrite(fd, zeros, (size_t)(to - from), from), to - from);
    free(zeros);
    close(fd);
}

/* One page of the middle was not written back. */
static inline void lose_a_page(const struct written *written)
{
    off_t page = (written->position + written->size / 2) / 4096 * 4096;

    assert_true(page > written->position + 64 && page + 4096 < written->position + written->size);
    zero(written, page, page + 4096);
}

enum memory { MEMORY_KEPT, MEMORY_WITHOUT_INDEX, MEMORY_WITHOUT_MARK, MEMORY_LOST, MEMORIES };

/* What is left of the local state. */
static inline void remember(enum memory memory)
{
    if (memory == MEMORY_WITHOUT_INDEX) {
        assert_int_equal(riad_index_discard(fixture.state_path), 0);
    } else if (memory == MEMORY_WITHOUT_MARK) {
        assert_int_equal(unlinkat(fixture.state_fd, "mark", 0), 0);
    } else if (memory == MEMORY_LOST) {
        fixture_forget(&fixture);
    }
}

static inline void assert_unreadable(
        struct riad_workspace *workspace, const char *name, uint64_t offset)
{
    uint8_t data[4096];
    uint32_t done = 0;

    assert_int_equal(riad_read(workspace, inode_of(workspace, RIAD_ROOT_INODE, name), offset,
                             sizeof data, data, &done),
            -EIO);
}

#endif
