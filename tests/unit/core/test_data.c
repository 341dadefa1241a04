/* File data against plain arrays: whatever operations come, every byte reads back, and the blocks
 * charged are those that something touches, after every step and after every open. */
#include <errno.h>
#include <linux/falloc.h>

#include "operations.h"

enum { FILES = 3, FILE_BYTES = 1 << 20, STEPS = 500 };

enum { HOLE, DATA, ALLOCATED };
struct model_file {
    uint64_t inode;
    uint64_t size;
    uint8_t bytes[FILE_BYTES];
    uint8_t kinds[FILE_BYTES];
};

struct model {
    struct bench *bench;
    struct model_file files[FILES];
    uint8_t buffer[FILE_BYTES];
    unsigned seed;
};

static uint64_t pick(struct model *model, uint64_t bound)
{
    return ((uint64_t)rand_r(&model->seed) << 16 ^ (uint64_t)rand_r(&model->seed)) % bound;
}

/* Borders of blocks and units are as likely as what lies between. */
static uint64_t pick_offset(struct model *model)
{
    uint64_t offset = pick(model, FILE_BYTES);

    if (pick(model, 2)) {
        offset = (offset & ~(uint64_t)16383) + pick(model, 3) - 1;
    }
    return offset < FILE_BYTES ? offset : 0;
}

static uint64_t pick_end(struct model *model, uint64_t from)
{
    static const uint64_t bounds[] = { 300, 9000, 9000, 100000, 100000, FILE_BYTES };
    uint64_t end = from + 1 + pick(model, bounds[pick(model, 6)]);

    return end < FILE_BYTES ? end : FILE_BYTES;
}

static void grow_model(struct model_file *file, uint64_t end)
{
    file->size = end > file->size ? end : file->size;
}

static void step_write(struct model *model, struct model_file *file, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++) {
        file->bytes[i] = (uint8_t)rand_r(&model->seed);
    }
    memset(file->kinds + from, DATA, to - from);
    grow_model(file, to);
    write_all(model->bench->workspace, file->inode, from, file->bytes + from, to - from);
}

static void step_truncate(struct model *model, struct model_file *file, uint64_t size)
{
    if (size <= file->size) {
        memset(file->kinds + size, HOLE, FILE_BYTES - size);
        memset(file->bytes + size, 0, FILE_BYTES - size);
    }
    file->size = size;
    assert_int_equal(set_size(model->bench->workspace, file->inode, size), 0);
}

static void step_punch(struct model *model, struct model_file *file, uint64_t from, uint64_t to)
{
    memset(file->kinds + from, HOLE, to - from);
    memset(file->bytes + from, 0, to - from);
    assert_int_equal(riad_fallocate(model->bench->workspace, &alice, file->inode,
                             FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, to - from),
            0);
}

static void step_zero(struct model *model, struct model_file *file, uint64_t from, uint64_t to)
{
    int keep = pick(model, 2) ? FALLOC_FL_KEEP_SIZE : 0;

    memset(file->kinds + from, ALLOCATED, to - from);
    memset(file->bytes + from, 0, to - from);
    if (!keep) {
        grow_model(file, to);
    }
    assert_int_equal(riad_fallocate(model->bench->workspace, &alice, file->inode,
                             FALLOC_FL_ZERO_RANGE | keep, from, to - from),
            0);
}

static void step_allocate(struct model *model, struct model_file *file, uint64_t from, uint64_t to)
{
    int keep = pick(model, 2) ? FALLOC_FL_KEEP_SIZE : 0;

    for (uint64_t i = riad_block_floor(from); i < riad_block_ceil(to); i++) {
        file->kinds[i] = file->kinds[i] == HOLE ? ALLOCATED : file->kinds[i];
    }
    if (!keep) {
        grow_model(file, to);
    }
    assert_int_equal(
            riad_fallocate(model->bench->workspace, &alice, file->inode, keep, from, to - from), 0);
}

static void copy_model(struct model *model, const struct model_file *source, uint64_t from,
        struct model_file *target, uint64_t to, uint64_t length)
{
    memcpy(model->buffer, source->bytes + from, length);
    memcpy(target->bytes + to, model->buffer, length);
    memcpy(model->buffer, source->kinds + from, length);
    for (uint64_t i = 0; i < length; i++) {
        target->kinds[to + i] = model->buffer[i] == DATA ? DATA : HOLE;
    }
    if (length > 0) {
        grow_model(target, to + length);
    }
}

static void step_clone(struct model *model, struct model_file *target, uint64_t to, uint64_t end)
{
    struct model_file *source = &model->files[pick(model, FILES)];
    uint64_t from = pick_offset(model), length = end - to, done = 0;
    bool overlap = source == target && from < to + length && to < from + length;
    int r;

    r = riad_copy_range(
            model->bench->workspace, &alice, source->inode, from, target->inode, to, length, &done);
    if (overlap) {
        assert_int_equal(r, -EINVAL);
        return;
    }
    assert_int_equal(r, 0);
    assert_true(done <= length);
    assert_int_equal(done == 0, from >= source->size);
    copy_model(model, source, from, target, to, done);
}

static void check_content(struct model *model, const struct model_file *file, uint64_t from)
{
    uint32_t done = 0;
    uint64_t left = file->size > from ? file->size - from : 0;

    assert_int_equal(
            riad_read(model->bench->workspace, file->inode, from, FILE_BYTES, model->buffer, &done),
            0);
    assert_int_equal(done, left);
    assert_memory_equal(model->buffer, file->bytes + from, done);
}

/* The first offset from there on in a block with a byte of data in it, or in one without; the size
 * if there is none. */
static uint64_t find_block(const struct model_file *file, uint64_t from, bool data)
{
    uint64_t at = from;

    while (at < file->size) {
        uint64_t next = riad_block_floor(at) + RIAD_BLOCK_SIZE;

        if ((memchr(file->kinds + riad_block_floor(at), DATA, RIAD_BLOCK_SIZE) != NULL) == data) {
            return at;
        }
        at = next;
    }
    return file->size;
}

static void check_seek(struct model *model, const struct model_file *file, uint64_t from)
{
    struct riad_workspace *workspace = model->bench->workspace;
    uint64_t data = find_block(file, from, true), hole = find_block(file, from, false), found;

    if (from >= file->size) {
        assert_int_equal(riad_seek(workspace, file->inode, from, SEEK_DATA, &found), -ENXIO);
        assert_int_equal(riad_seek(workspace, file->inode, from, SEEK_HOLE, &found), -ENXIO);
        return;
    }
    assert_int_equal(riad_seek(workspace, file->inode, from, SEEK_HOLE, &found), 0);
    assert_int_equal(found, hole);
    if (data == file->size) {
        assert_int_equal(riad_seek(workspace, file->inode, from, SEEK_DATA, &found), -ENXIO);
        return;
    }
    assert_int_equal(riad_seek(workspace, file->inode, from, SEEK_DATA, &found), 0);
    assert_int_equal(found, data);
}

static uint64_t model_blocks(const struct model_file *file)
{
    uint64_t blocks = 0;

    for (uint64_t block = 0; block < FILE_BYTES; block += RIAD_BLOCK_SIZE) {
        bool touched = false;

        for (uint64_t i = block; i < block + RIAD_BLOCK_SIZE && !touched; i++) {
            touched = file->kinds[i] != HOLE;
        }
        blocks += touched;
    }
    return blocks;
}

/* P7: usage is the sum over the inodes, those say what their extents touch. */
static void check_usage(struct model *model)
{
    uint64_t blocks = 1; /* the root */

    for (int i = 0; i < FILES; i++) {
        const struct model_file *file = &model->files[i];
        struct riad_inode row = attributes(model->bench->workspace, file->inode);

        assert_int_equal(row.size, file->size);
        assert_int_equal(row.blocks, model_blocks(file));
        assert_int_equal(row.blocks, tally_of(model->bench->workspace, file->inode).blocks.blocks);
        blocks += row.blocks;
    }
    assert_int_equal(usage_of(model->bench->workspace).blocks, blocks);
    assert_int_equal(usage_of(model->bench->workspace).inodes, 1 + FILES);
}

static void step(struct model *model)
{
    struct model_file *file = &model->files[pick(model, FILES)];
    uint64_t from = pick_offset(model), to = pick_end(model, from);

    switch (pick(model, 8)) {
    case 0:
    case 1:
    case 2:
        step_write(model, file, from, to);
        break;
    case 3:
        step_truncate(model, file, pick(model, 3) ? to : from);
        break;
    case 4:
        step_punch(model, file, from, to);
        break;
    case 5:
        step_zero(model, file, from, to);
        break;
    case 6:
        step_allocate(model, file, from, to);
        break;
    default:
        step_clone(model, file, from, to);
        break;
    }
    check_content(model, file, pick_offset(model));
    check_seek(model, file, pick_offset(model));
    check_usage(model);
}

static void random_operations_keep_every_byte(void **state)
{
    struct model *model = calloc(1, sizeof *model);
    const char *const names[FILES] = { "a", "b", "c" };

    model->bench = *state;
    model->seed = 5;
    for (int i = 0; i < FILES; i++) {
        model->files[i].inode = make_file(model->bench->workspace, 1, names[i]);
    }
    for (int i = 0; i < STEPS; i++) {
        step(model);
        if (i % 100 == 99) {
            bench_reopen(model->bench);
            check_usage(model);
        }
    }
    fixture_close(model->bench->workspace);
    fixture_forget(&model->bench->fixture); /* replayed from the log alone */
    model->bench->workspace = fixture_open(&model->bench->fixture);
    check_usage(model);
    for (int i = 0; i < FILES; i++) {
        check_content(model, &model->files[i], 0);
    }
    free(model);
}

static void reading_knows_the_end(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint8_t data[100];
    uint32_t size = 7;

    assert_int_equal(riad_read(bench->workspace, file, 0, 100, data, &size), 0);
    assert_int_equal(size, 0);
    write_fill(bench->workspace, file, 50, 'x', 10);
    assert_int_equal(riad_read(bench->workspace, file, 55, 100, data, &size), 0);
    assert_int_equal(size, 5);
    assert_int_equal(riad_read(bench->workspace, file, UINT64_MAX - 3, 100, data, &size), 0);
    assert_int_equal(size, 0);
    assert_int_equal(riad_read(bench->workspace, 1, 0, 100, data, &size), -EISDIR);
    assert_int_equal(riad_read(bench->workspace, 4711, 0, 100, data, &size), -ENOENT);
    assert_int_equal(riad_write(bench->workspace, &alice, 1, 0, data, 100, &size), -EISDIR);
    assert_int_equal(riad_write(bench->workspace, &alice, 4711, 0, data, 100, &size), -ENOENT);
}

static void offsets_end_at_the_maximum(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint8_t data[100] = { 1 };
    uint32_t size;

    assert_int_equal(
            riad_write(bench->workspace, &alice, file, RIAD_FILE_SIZE_MAX, data, 100, &size),
            -EFBIG);
    assert_int_equal(
            riad_write(bench->workspace, &alice, file, RIAD_FILE_SIZE_MAX - 40, data, 100, &size),
            0);
    assert_int_equal(size, 40);
    assert_int_equal(attributes(bench->workspace, file).size, RIAD_FILE_SIZE_MAX);
    assert_int_equal(attributes(bench->workspace, file).blocks, 1);
    assert_int_equal(set_size(bench->workspace, file, RIAD_FILE_SIZE_MAX + 1), -EFBIG);
    assert_int_equal(
            riad_fallocate(bench->workspace, &alice, file, 0, RIAD_FILE_SIZE_MAX, 1), -EFBIG);
    assert_int_equal(riad_fallocate(bench->workspace, &alice, file, 0, 0, 0), -EINVAL);
    assert_int_equal(
            riad_fallocate(bench->workspace, &alice, file, FALLOC_FL_COLLAPSE_RANGE, 0, 4096),
            -EOPNOTSUPP);
    assert_int_equal(set_size(bench->workspace, file, RIAD_FILE_SIZE_MAX), 0);
    assert_int_equal(set_size(bench->workspace, file, 0), 0);
    assert_int_equal(attributes(bench->workspace, file).blocks, 0);
}

static void a_terabyte_of_nothing_costs_nothing(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f"), found;
    uint64_t end = (uint64_t)1 << 40;

    assert_int_equal(set_size(bench->workspace, file, end), 0);
    assert_int_equal(attributes(bench->workspace, file).blocks, 0);
    write_fill(bench->workspace, file, end / 2, 'm', 100);
    write_fill(bench->workspace, file, end - 1, 'z', 1);
    assert_int_equal(attributes(bench->workspace, file).blocks, 2);
    assert_filled(bench->workspace, file, end - 100001, 0, 100000);
    assert_filled(bench->workspace, file, end / 2, 'm', 100);
    assert_int_equal(riad_seek(bench->workspace, file, 1, SEEK_DATA, &found), 0);
    assert_int_equal(found, end / 2);
    assert_int_equal(set_size(bench->workspace, file, end / 2 + 50), 0);
    assert_int_equal(set_size(bench->workspace, file, end), 0);
    assert_filled(bench->workspace, file, end / 2 + 50, 0, 100);
    assert_int_equal(attributes(bench->workspace, file).blocks, 1);
}

/* Big writes in sequence: few rows, as runs continue each other. */
static void sequential_bulk_makes_few_extents(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");

    for (uint64_t i = 0; i < 16; i++) {
        write_fill(bench->workspace, file, i << 20, (int)i + 1, 1 << 20);
    }
    for (uint64_t i = 0; i < 16; i++) {
        assert_filled(bench->workspace, file, i << 20, (int)i + 1, 1 << 20);
    }
    assert_true(tally_of(bench->workspace, file).extents <= 16 / 4 + 1);
    bench_reopen(bench);
    assert_filled(bench->workspace, file, 5 << 20, 6, 1 << 20);
}

static void flip_byte(int fd, off_t at)
{
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

/* Flips a byte in the middle of the only data segment. */
static void damage_data(struct bench *bench)
{
    uint64_t *segments = NULL;
    size_t count = 0;
    char path[32];
    struct stat st;
    int fd;

    assert_int_equal(
            riad_segment_list(bench->fixture.workspace_fd, RIAD_SEGMENT_DATA, &segments, &count),
            0);
    assert_int_equal(count, 1);
    riad_segment_path(RIAD_SEGMENT_DATA, segments[0], path);
    fd = openat(bench->fixture.workspace_fd, path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &st), 0);
    flip_byte(fd, st.st_size / 2);
    close(fd);
    free(segments);
}

/* P5: never other bytes; what is sound can still be read. */
static void damage_is_an_error_and_an_event(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint8_t *data = calloc(1, 1 << 20);
    struct riad_workspace_status status;
    uint32_t size = 7;

    write_fill(bench->workspace, file, 0, 'a', 1 << 20);
    damage_data(bench);
    assert_int_equal(riad_read(bench->workspace, file, 0, 1 << 20, data, &size), -EIO);
    assert_int_equal(size, 7);
    assert_int_equal(riad_workspace_status(bench->workspace, &status), 0);
    assert_non_null(strstr(status.event, "inode"));
    assert_filled(bench->workspace, file, 0, 'a', 65536);
    assert_filled(bench->workspace, file, (1 << 20) - 65536, 'a', 65536);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    free(data);
}

/* Small appends end up as few rows, whatever their size; the blocks stay what they were. */
static void small_appends_are_gathered(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    uint64_t end = 0;

    for (int i = 0; end < 3 << 20; i++) {
        size_t size = i % 7 == 0 ? 777 : 4096;

        write_fill(bench->workspace, file, end, i % 251, size);
        end += size;
    }
    assert_int_equal(attributes(bench->workspace, file).blocks, (end + 4095) / 4096);
    assert_int_equal(tally_of(bench->workspace, file).blocks.blocks, (end + 4095) / 4096);
    assert_true(tally_of(bench->workspace, file).extents < 100);
    bench_reopen(bench);
    end = 0;
    for (int i = 0; end < 3 << 20; i++) {
        size_t size = i % 7 == 0 ? 777 : 4096;

        assert_filled(bench->workspace, file, end, i % 251, size);
        end += size;
    }
}

/* What overwrites small pieces here and there is left alone. */
static void only_appends_are_gathered(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");

    assert_int_equal(set_size(bench->workspace, file, 1 << 20), 0);
    for (uint64_t i = 0; i < 128; i++) {
        write_fill(bench->workspace, file, i * 4096, (int)i, 4096);
    }
    assert_int_equal(tally_of(bench->workspace, file).extents, 128);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(random_operations_keep_every_byte),
        BENCH(reading_knows_the_end),
        BENCH(offsets_end_at_the_maximum),
        BENCH(a_terabyte_of_nothing_costs_nothing),
        BENCH(sequential_bulk_makes_few_extents),
        BENCH(small_appends_are_gathered),
        BENCH(only_appends_are_gathered),
        BENCH(damage_is_an_error_and_an_event),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
