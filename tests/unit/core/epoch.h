/* For the tests of epochs (K2): rotating, and what the store then says. */
#ifndef RIAD_TESTS_CORE_EPOCH_H
#define RIAD_TESTS_CORE_EPOCH_H

#include "torn.h"

/* The next openings know of it, as they would by the roster. */
static inline struct riad_epoch_end rotate(struct riad_workspace *workspace, uint32_t epoch)
{
    _cleanup_secret_ struct riad_secret *subkeys = fixture_subkeys(&fixture, epoch);
    struct riad_epoch_end end = { 0 };

    assert_int_equal(riad_workspace_rotate(workspace, epoch, subkeys, &end), 0);
    assert_int_equal(end.epoch, epoch - 1);
    fixture.epoch = epoch;
    fixture_end_epoch(&fixture, &end);
    return end;
}

static inline struct riad_workspace_status status_of(struct riad_workspace *workspace)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    return status;
}

/* Headers and records of a file, one after the other. */
static inline int read_header(int fd, off_t offset, struct riad_record_header *ret)
{
    uint8_t bytes[RIAD_RECORD_HEADER_SIZE];

    return pread(fd, bytes, sizeof bytes, offset) == sizeof bytes
                   ? riad_record_header_decode(bytes, ret)
                   : -ENODATA;
}

/* A data segment's records are all of its header's epoch. Returns how many segments are of it. */
static inline unsigned assert_data_apart(uint32_t epoch)
{
    _cleanup_free_ uint64_t *ids = NULL;
    struct riad_record_header first, header;
    unsigned segments = 0;
    size_t count = 0;

    assert_int_equal(riad_segment_list(fixture.workspace_fd, RIAD_SEGMENT_DATA, &ids, &count), 0);
    for (size_t i = 0; i < count; i++) {
        _cleanup_close_ int fd = open_segment(ids[i]);

        assert_int_equal(read_header(fd, 0, &first), 0);
        segments += first.epoch == epoch;
        for (off_t at = 0; read_header(fd, at, &header) == 0;
                at += RIAD_RECORD_OVERHEAD + header.length) {
            assert_int_equal(header.epoch, first.epoch);
        }
    }
    return segments;
}

/* What changes of an epoch name is sealed under it, and lies in its segments. */
struct bounds {
    const struct riad_epoch_end *ends; /* of epochs 1, 2 ... */
    uint32_t count;
};

static inline int check_extent(void *context, const struct riad_extent *extent)
{
    const struct bounds *bounds = context;
    struct riad_record_header header;
    uint32_t expected = 1;
    int fd = open_segment(extent->segment);

    while (expected <= bounds->count &&
            extent->birth > bounds->ends[expected - 1].end.sequence.number) {
        expected++;
    }
    assert_true(expected == 1 || extent->segment > bounds->ends[expected - 2].segment);
    assert_true(expected > bounds->count || extent->segment <= bounds->ends[expected - 1].segment);
    assert_int_equal(read_header(fd, (off_t)extent->position, &header), 0);
    assert_int_equal(header.epoch, expected);
    close(fd);
    return 0;
}

static inline void assert_extents_apart(
        struct riad_workspace *workspace, const struct riad_epoch_end *ends, uint32_t count)
{
    struct bounds bounds = { ends, count };
    struct riad_snapshot *snapshot = NULL;

    assert_int_equal(riad_log_ship(workspace->log), 0);
    assert_int_equal(riad_workspace_lock(workspace), 0);
    assert_int_equal(riad_index_commit(workspace->index), 0);
    assert_int_equal(riad_snapshot_take(workspace->index, &snapshot), 0);
    riad_workspace_unlock(workspace);
    assert_int_equal(riad_snapshot_extents(snapshot, check_extent, &bounds), 0);
    riad_snapshot_free(snapshot);
}

/* What a process that dies tells of its rotation. */
static struct riad_epoch_end *told;

static inline int setup_epochs(void **state)
{
    setup(state);
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return told == MAP_FAILED ? -1 : 0;
}

static inline int teardown_epochs(void **state)
{
    munmap(told, sizeof *told);
    return teardown(state);
}

static inline void assert_refused(int expected, const char *why)
{
    struct riad_workspace *workspace = NULL;

    assert_int_equal(fixture_try_open(&fixture, &workspace), expected);
    if (!strstr(fixture.reason.text, why)) {
        fail_msg("%s", fixture.reason.text);
    }
}

/* Makes "one", rotates, and makes "two" if that is wanted; nothing is closed, and but for what the
 * rotation needs nothing is shipped. */
static inline int die_after_rotating(struct fixture *of, bool go_on)
{
    _cleanup_secret_ struct riad_secret *subkeys = fixture_subkeys(of, 2);
    struct riad_workspace *workspace = NULL;
    struct riad_inode row;
    int r = fixture_try_open(of, &workspace);

    if (r >= 0) {
        riad_background_stop(workspace);
        r = riad_mkdir(workspace, &alice, 1, "one", 0755, &row);
    }
    r = r < 0 ? r : riad_mknod(workspace, &alice, row.inode, "file", S_IFREG | 0644, 0, &row);
    r = r < 0 ? r : fill(workspace, row.inode, 0, '1', SMALL);
    r = r < 0 ? r : riad_workspace_rotate(workspace, 2, subkeys, told);
    if (r < 0 || !go_on) {
        return r < 0;
    }
    r = riad_mknod(workspace, &alice, 1, "two", S_IFREG | 0644, 0, &row);
    r = r < 0 ? r : fill(workspace, row.inode, 0, '2', SMALL);
    return r < 0 || riad_log_unshipped(workspace->log) < SMALL;
}

static inline int die_at_once(struct fixture *of)
{
    return die_after_rotating(of, false);
}

static inline void remember_rotation(void)
{
    fixture.epoch = 2;
    fixture_end_epoch(&fixture, told);
}

#define EPOCH(function) cmocka_unit_test_setup_teardown(function, setup_epochs, teardown_epochs)

#endif
