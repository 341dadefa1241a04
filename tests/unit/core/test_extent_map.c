/* The arithmetic on extents against an array that knows for each byte of a file where it lies. */
#include <stdlib.h>

#include "extent_map_priv.h"
#include "unit.h"

enum {
    FILE_BYTES = 1 << 18,
    MAP_MAX = 4096,
    INODE = 7,
    UNIT_SHIFT = 12,
    UNIT = 1 << UNIT_SHIFT,
};

/* Where a byte lies: in which record, and at what distance from its start. segment 0: nowhere;
 * UNWRITTEN: allocated. */
enum { UNWRITTEN = UINT32_MAX };
struct byte_place {
    uint32_t segment;
    uint32_t at;
    uint64_t position;
};

struct map {
    struct byte_place *bytes; /* the model */
    struct riad_extent *extents;
    size_t count;
    uint32_t segments; /* runs made so far: each lies in a segment of its own */
    struct riad_change change;
};

static void fill_tag(uint8_t *tag, uint64_t segment, uint64_t position)
{
    memset(tag, 0, RIAD_TAG_SIZE);
    memcpy(tag, &segment, sizeof segment);
    memcpy(tag + sizeof segment, &position, sizeof position);
}

static uint64_t record_position(uint64_t segment, uint32_t record)
{
    return segment * 1000 + (uint64_t)record * (UNIT + RIAD_DATA_OVERHEAD);
}

/* A run of its own for [from, to), its birth identity that of these bytes. */
static struct riad_extent make_run(uint32_t segment, uint64_t from, uint64_t to)
{
    struct riad_extent extent = {
        .inode = INODE,
        .offset = from,
        .length = to - from,
        .kind = RIAD_EXTENT_DATA,
        .unit_shift = UNIT_SHIFT,
        .segment = segment,
        .position = record_position(segment, 0),
        .run_length = (uint32_t)(to - from),
        .born = { .inode = INODE, .generation = 1, .offset = from },
        .birth = segment,
        .tag_count = (uint16_t)((to - from + UNIT - 1) / UNIT),
    };

    for (uint32_t i = 0; i < extent.tag_count; i++) {
        fill_tag(extent.tags + (size_t)i * RIAD_TAG_SIZE, segment, record_position(segment, i));
    }
    return extent;
}

static struct riad_extent make_unwritten(uint64_t from, uint64_t to)
{
    return (struct riad_extent){
        .inode = INODE,
        .offset = from,
        .length = to - from,
        .kind = RIAD_EXTENT_UNWRITTEN,
        .birth = 1,
    };
}

static int compare_offsets(const void *a, const void *b)
{
    const struct riad_extent *left = a, *right = b;

    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static void apply_clear(struct map *map, uint64_t from, uint64_t to)
{
    size_t kept = 0;

    for (size_t i = 0; i < map->count; i++) {
        if (map->extents[i].offset < from || map->extents[i].offset >= to) {
            map->extents[kept++] = map->extents[i];
        }
    }
    map->count = kept;
}

/* As the index does it: replace at the same offset, and never an overlap in between. */
static void apply_put(struct map *map, const struct riad_extent *extent)
{
    apply_clear(map, extent->offset, extent->offset + 1);
    for (size_t i = 0; i < map->count; i++) {
        assert_true(riad_extent_end(&map->extents[i]) <= extent->offset ||
                    map->extents[i].offset >= riad_extent_end(extent));
    }
    assert_true(map->count < MAP_MAX);
    map->extents[map->count++] = *extent;
    qsort(map->extents, map->count, sizeof *map->extents, compare_offsets);
}

/* Through the encoding, which refuses rows that FORMAT does not allow. */
static void apply_change(struct map *map)
{
    struct riad_operation operation;
    struct riad_reader reader;

    assert_int_equal(map->change.operations.error, 0);
    riad_reader_init(&reader, map->change.operations.data, map->change.operations.size);
    while (riad_operation_next(&reader, &operation) == 1) {
        if (operation.kind == RIAD_OP_EXTENT_PUT) {
            apply_put(map, &operation.extent);
        } else {
            assert_int_equal(operation.kind, RIAD_OP_EXTENT_CLEAR);
            assert_int_equal(operation.number, INODE);
            apply_clear(map, operation.from, operation.to);
        }
    }
    assert_int_equal(riad_reader_finish(&reader), 0);
}

static uint64_t count_model_blocks(const struct map *map)
{
    uint64_t blocks = 0, last = UINT64_MAX;

    for (uint64_t i = 0; i < FILE_BYTES; i++) {
        if (map->bytes[i].segment != 0 && i / RIAD_BLOCK_SIZE != last) {
            last = i / RIAD_BLOCK_SIZE;
            blocks++;
        }
    }
    return blocks;
}

static void set_model(struct map *map, const struct riad_extent *extent)
{
    for (uint64_t i = extent->offset; i < riad_extent_end(extent); i++) {
        uint64_t at = extent->skip + (i - extent->offset);

        if (extent->kind == RIAD_EXTENT_UNWRITTEN) {
            map->bytes[i] = (struct byte_place){ .segment = UNWRITTEN };
            continue;
        }
        map->bytes[i] = (struct byte_place){
            .segment = (uint32_t)extent->segment,
            .at = (uint32_t)(at % UNIT),
            .position = extent->position + at / UNIT * (UNIT + RIAD_DATA_OVERHEAD),
        };
    }
}

/* The record that holds a byte is named with its own tag and birth. */
static void check_byte(const struct map *map, const struct riad_extent *extent, uint64_t offset)
{
    const struct byte_place *place = &map->bytes[offset];
    uint64_t at = extent->skip + (offset - extent->offset);
    uint8_t tag[RIAD_TAG_SIZE];

    if (extent->kind == RIAD_EXTENT_UNWRITTEN) {
        assert_int_equal(place->segment, UNWRITTEN);
        return;
    }
    assert_int_equal(place->segment, extent->segment);
    assert_int_equal(place->at, at % UNIT);
    assert_int_equal(place->position, extent->position + at / UNIT * (UNIT + RIAD_DATA_OVERHEAD));
    fill_tag(tag, place->segment, place->position);
    assert_memory_equal(tag, extent->tags + at / UNIT * RIAD_TAG_SIZE, RIAD_TAG_SIZE);
}

static void check_map(const struct map *map)
{
    uint64_t next = 0;

    for (size_t i = 0; i < map->count; i++) {
        const struct riad_extent *extent = &map->extents[i];

        for (; next < extent->offset; next++) {
            assert_int_equal(map->bytes[next].segment, 0);
        }
        for (; next < riad_extent_end(extent); next++) {
            check_byte(map, extent, next);
        }
        assert_true(extent->skip < UNIT);
    }
    for (; next < FILE_BYTES; next++) {
        assert_int_equal(map->bytes[next].segment, 0);
    }
}

static void see_all(const struct map *map, struct riad_extent_edit *edit)
{
    uint64_t low = edit->low > 0 ? edit->low - 1 : 0;

    for (size_t i = 0; i < map->count; i++) {
        if (riad_extent_end(&map->extents[i]) > low && map->extents[i].offset < edit->high) {
            riad_extent_edit_see(edit, &map->extents[i]);
        }
    }
}

/* kind: 0 clears, 1 puts data, 2 puts unwritten. */
static void edit_range(struct map *map, uint64_t from, uint64_t to, int kind)
{
    struct riad_extent_edit edit;
    struct riad_extent extent;
    uint64_t before = count_model_blocks(map);
    int64_t delta;

    riad_extent_edit_begin(&edit, from, to);
    see_all(map, &edit);
    riad_change_begin(&map->change, (struct timespec){ 0 }, 0);
    riad_extent_edit_clear(&edit, INODE, &map->change);
    delta = kind == 0 ? riad_extent_edit_cleared(&edit) : riad_extent_edit_filled(&edit);
    memset(map->bytes + from, 0, (to - from) * sizeof *map->bytes);
    if (kind > 0) {
        extent = kind == 1 ? make_run(++map->segments, from, to) : make_unwritten(from, to);
        riad_change_put_extent(&map->change, &extent);
        set_model(map, &extent);
    }
    apply_change(map);
    assert_int_equal((int64_t)(count_model_blocks(map) - before), delta);
}

static int setup(void **state)
{
    struct map *map = calloc(1, sizeof *map);

    map->bytes = calloc(FILE_BYTES, sizeof *map->bytes);
    map->extents = calloc(MAP_MAX, sizeof *map->extents);
    *state = map;
    return 0;
}

static int teardown(void **state)
{
    struct map *map = *state;

    riad_change_done(&map->change);
    free(map->bytes);
    free(map->extents);
    free(map);
    return 0;
}

static uint64_t pick(unsigned *seed, uint64_t bound)
{
    return ((uint64_t)rand_r(seed) << 16 ^ (uint64_t)rand_r(seed)) % bound;
}

/* Ends on, just before and just behind unit and block borders are as likely as others. */
static uint64_t pick_offset(unsigned *seed)
{
    uint64_t offset = pick(seed, FILE_BYTES);

    if (rand_r(seed) % 2) {
        offset = riad_block_floor(offset) + (uint64_t)(rand_r(seed) % 3) - 1;
    }
    return offset < FILE_BYTES ? offset : 0;
}

static void random_edits_keep_every_byte(void **state)
{
    struct map *map = *state;
    unsigned seed = 11;

    for (int i = 0; i < 600; i++) {
        uint64_t from = pick_offset(&seed);
        uint64_t length = pick(&seed, rand_r(&seed) % 4 ? 3 * UNIT : FILE_BYTES) + 1;
        uint64_t to = from + length < FILE_BYTES ? from + length : FILE_BYTES;

        edit_range(map, from, to, rand_r(&seed) % 4 % 3);
        check_map(map);
    }
}

static void a_cut_drops_whole_records_only(void **state)
{
    struct riad_extent run = make_run(3, 100, 100 + 5 * UNIT + 10), cut;

    (void)state;
    riad_extent_cut(&run, 100 + 2 * UNIT + 1, 100 + 4 * UNIT, &cut);
    assert_int_equal(cut.skip, 1);
    assert_int_equal(cut.tag_count, 2);
    assert_int_equal(cut.run_length, 2 * UNIT);
    assert_int_equal(cut.position, record_position(3, 2));
    assert_int_equal(cut.born.offset, 100 + 2 * UNIT);
    riad_extent_cut(&run, 100 + 5 * UNIT + 3, 100 + 5 * UNIT + 10, &cut);
    assert_int_equal(cut.skip, 3);
    assert_int_equal(cut.tag_count, 1);
    assert_int_equal(cut.run_length, 10); /* the last record is short */
    assert_int_equal(cut.length, 7);
    riad_extent_cut(&run, 100, riad_extent_end(&run), &cut);
    assert_memory_equal(&cut, &run, sizeof cut);
}

/* Cut in two at a record's border, a run can be made whole again; elsewhere it cannot. */
static void what_is_cut_at_a_record_grows_together(void **state)
{
    struct riad_extent run = make_run(3, 0, 5 * UNIT + 10), left, right;

    (void)state;
    for (uint64_t at = 1; at < run.length; at += 511) {
        riad_extent_cut(&run, 0, at, &left);
        riad_extent_cut(&run, at, run.length, &right);
        assert_int_equal(riad_extent_grow(&left, &right), at % UNIT == 0);
    }
    riad_extent_cut(&run, 0, 2 * UNIT, &left);
    riad_extent_cut(&run, 2 * UNIT, run.length, &right);
    assert_true(riad_extent_grow(&left, &right));
    assert_memory_equal(&left, &run, sizeof run);
}

static void strangers_do_not_grow_together(void **state)
{
    struct riad_extent left = make_run(3, 0, 2 * UNIT), right,
                       next = make_run(3, 2 * UNIT, 3 * UNIT);

    (void)state;
    next.position = record_position(3, 2);
    right = next;
    right.segment = 4;
    assert_false(riad_extent_grow(&left, &right));
    right = next;
    right.position++;
    assert_false(riad_extent_grow(&left, &right));
    right = next;
    right.born.inode++;
    assert_false(riad_extent_grow(&left, &right));
    right = next;
    right.born.offset += UNIT;
    assert_false(riad_extent_grow(&left, &right));
    right = next;
    right.unit_shift++;
    assert_false(riad_extent_grow(&left, &right));
    right = next;
    right.offset++;
    assert_false(riad_extent_grow(&left, &right));
    right = make_unwritten(2 * UNIT, 3 * UNIT);
    assert_false(riad_extent_grow(&left, &right));
    assert_int_equal(left.length, 2 * UNIT);
    assert_true(riad_extent_grow(&left, &next));
    assert_int_equal(left.length, 3 * UNIT);
}

static void a_run_has_at_most_64_records(void **state)
{
    struct riad_extent run = make_run(1, 0, 60 * UNIT), next = make_run(1, 60 * UNIT, 65 * UNIT);

    (void)state;
    next.position = record_position(1, 60);
    assert_false(riad_extent_grow(&run, &next));
    riad_extent_cut(&next, 60 * UNIT, 64 * UNIT, &next);
    assert_true(riad_extent_grow(&run, &next));
    assert_int_equal(run.tag_count, 64);
}

static void blocks_count_once(void **state)
{
    struct riad_block_count count = { 0 };

    (void)state;
    riad_block_count_add(&count, 5, 5);
    assert_int_equal(count.blocks, 0);
    riad_block_count_add(&count, 0, 1);
    riad_block_count_add(&count, 4095, 4096);
    assert_int_equal(count.blocks, 1);
    riad_block_count_add(&count, 4095, 4097);
    assert_int_equal(count.blocks, 2);
    riad_block_count_add(&count, (uint64_t)1 << 40, (uint64_t)1 << 41);
    assert_int_equal(count.blocks, 2 + ((uint64_t)1 << 28));
    assert_int_equal(riad_block_ceil(1), 4096);
    assert_int_equal(riad_block_ceil(4096), 4096);
    assert_int_equal(riad_block_ceil(UINT64_MAX - 1), UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_edits_keep_every_byte, setup, teardown),
        cmocka_unit_test(a_cut_drops_whole_records_only),
        cmocka_unit_test(what_is_cut_at_a_record_grows_together),
        cmocka_unit_test(strangers_do_not_grow_together),
        cmocka_unit_test(a_run_has_at_most_64_records),
        cmocka_unit_test(blocks_count_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
