/* Changes (FORMAT 5.3): what is built is what is parsed; what is not canonical is refused. */
#include "index/fixture.h"

struct built {
    struct riad_change change;
    struct riad_writer content;
};

static int set_up(void **state)
{
    struct built *built = calloc(1, sizeof *built);

    assert_non_null(built);
    riad_writer_init_growing(&built->content, 256, RIAD_CHANGE_BODY_MAX);
    riad_change_begin(&built->change, (struct timespec){ -1, 7 }, 99);
    *state = built;
    return 0;
}

static int tear_down(void **state)
{
    struct built *built = *state;

    riad_change_done(&built->change);
    riad_writer_done(&built->content);
    free(built);
    return 0;
}

static struct riad_reader parse(struct built *built, uint32_t expected)
{
    struct riad_reader operations;
    struct timespec time;
    uint64_t request;
    uint32_t count;

    assert_int_equal(riad_change_content(&built->change, &built->content), 0);
    assert_int_equal(riad_change_parse(built->content.data, built->content.size, &time, &request,
                             &count, &operations),
            0);
    assert_int_equal(time.tv_sec, -1);
    assert_int_equal(time.tv_nsec, 7);
    assert_int_equal(request, 99);
    assert_int_equal(count, expected);
    return operations;
}

/* One of each. */
static void fill(struct riad_change *change)
{
    struct riad_inode inode = make_inode(5, S_IFREG | 0644);
    struct riad_dentry dentry = make_dentry(1, 3, 5, DT_REG, "bougainvillea");
    struct riad_extent extent = make_extent(5, 0, UNIT, 9, 64);
    struct riad_clock clock = { RIAD_SUBJECT_USER, 1000, RIAD_RESOURCE_INODES, 1700000000 };

    riad_change_put_inode(change, &inode);
    riad_change_remove_inode(change, 6);
    riad_change_put_dentry(change, &dentry);
    riad_change_remove_dentry(change, 1, 4);
    riad_change_put_xattr(change, 5, "user.a", "", 0);
    riad_change_remove_xattr(change, 5, "user.b");
    riad_change_put_extent(change, &extent);
    riad_change_clear_extents(change, 5, 10, UINT64_MAX);
    riad_change_put_symlink(change, 7, "../x");
    riad_change_put_workspace(change, 8);
    riad_change_put_clock(change, &clock);
}

static void operations_go_round(void **state)
{
    struct built *built = *state;
    struct riad_reader operations;
    struct riad_operation op;

    fill(&built->change);
    operations = parse(built, 11);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_INODE_PUT);
    assert_int_equal(op.inode.inode, 5);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_INODE_REMOVE);
    assert_int_equal(op.number, 6);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_DENTRY_PUT);
    assert_string_equal(op.dentry.name, "bougainvillea");
    assert_int_equal(op.dentry.name_size, 13);
    assert_int_equal(op.dentry.type, DT_REG);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_DENTRY_REMOVE);
    assert_int_equal(op.dentry.cookie, 4);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_XATTR_PUT);
    assert_memory_equal(op.name, "user.a", op.name_size);
    assert_int_equal(op.value_size, 0);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_XATTR_REMOVE);
    assert_memory_equal(op.name, "user.b", op.name_size);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_EXTENT_PUT);
    assert_int_equal(op.extent.position, 64);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_EXTENT_CLEAR);
    assert_int_equal(op.from, 10);
    assert_true(op.to == UINT64_MAX);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_SYMLINK_PUT);
    assert_memory_equal(op.value, "../x", op.value_size);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_WORKSPACE_PUT);
    assert_int_equal(op.number, 8);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_CLOCK_PUT);
    assert_int_equal(op.clock.subject, RIAD_SUBJECT_USER);
    assert_int_equal(op.clock.id, 1000);
    assert_int_equal(op.clock.resource, RIAD_RESOURCE_INODES);
    assert_int_equal(op.clock.since, 1700000000);
    assert_int_equal(riad_operation_next(&operations, &op), 0);
}

/* Decodes everything; the number of operations, or -EBADMSG. */
static int read_all(const uint8_t *content, size_t size)
{
    struct riad_reader operations;
    struct riad_operation op;
    struct timespec time;
    uint64_t request;
    uint32_t count;
    int seen = 0;
    int r = riad_change_parse(content, size, &time, &request, &count, &operations);

    while (r >= 0 && (r = riad_operation_next(&operations, &op)) == 1) {
        seen++;
    }
    return r < 0 ? r : seen;
}

static void cut_changes_are_refused(void **state)
{
    struct built *built = *state;

    fill(&built->change);
    assert_int_equal(riad_change_content(&built->change, &built->content), 0);
    for (size_t size = 0; size < built->content.size; size++) {
        uint8_t *copy = malloc(size + 1); /* its own, so that reading past it is seen */

        assert_non_null(copy);
        memcpy(copy, built->content.data, size);
        assert_int_equal(read_all(copy, size), -EBADMSG);
        free(copy);
    }
    riad_put_u8(&built->content, 0);
    assert_int_equal(read_all(built->content.data, built->content.size), -EBADMSG);
}

static void changed_changes_never_crash(void **state)
{
    struct built *built = *state;

    fill(&built->change);
    assert_int_equal(riad_change_content(&built->change, &built->content), 0);
    for (size_t i = 0; i < built->content.size; i++) {
        for (int value = 1; value < 256; value++) {
            int r;

            built->content.data[i] ^= (uint8_t)value;
            r = read_all(built->content.data, built->content.size);
            assert_true(r == -EBADMSG || (r >= 0 && r <= 11));
            built->content.data[i] ^= (uint8_t)value;
        }
    }
    assert_int_equal(read_all(built->content.data, built->content.size), 11);
}

/* Appends a raw operation as a change of one. */
static int read_raw(uint8_t kind, uint8_t flags, const void *body, size_t size)
{
    _cleanup_(riad_writer_done) struct riad_writer content = { 0 };

    riad_writer_init_growing(&content, 64, 1 << 20);
    riad_put_time(&content, (struct timespec){ 0 });
    riad_put_u64(&content, 0);
    riad_put_u32(&content, 0);
    riad_put_u32(&content, 1);
    riad_put_u8(&content, kind);
    riad_put_u8(&content, flags);
    riad_put_b32(&content, body, size);
    return read_all(content.data, content.size);
}

static int read_clock(uint8_t flags, uint8_t subject, uint8_t resource, uint8_t id, uint8_t last)
{
    const uint8_t body[16] = { subject, resource, 0, 0, id, [8] = 1, [15] = last };

    return read_raw(RIAD_OP_CLOCK_PUT, flags, body, sizeof body);
}

/* It may be skipped, and says so. */
static void clocks_are_checked(void **state)
{
    (void)state;
    assert_int_equal(read_clock(1, 1, 1, 0, 0), 1);
    assert_int_equal(read_clock(1, 2, 2, 9, 0), 1);
    assert_int_equal(read_clock(1, 3, 1, 9, 0), 1);
    assert_int_equal(read_clock(0, 1, 1, 0, 0), -EBADMSG);
    assert_int_equal(read_clock(1, 1, 1, 9, 0), -EBADMSG);
    assert_int_equal(read_clock(1, 0, 1, 0, 0), -EBADMSG);
    assert_int_equal(read_clock(1, 4, 1, 0, 0), -EBADMSG);
    assert_int_equal(read_clock(1, 1, 0, 0, 0), -EBADMSG);
    assert_int_equal(read_clock(1, 1, 3, 0, 0), -EBADMSG);
    assert_int_equal(read_clock(1, 1, 1, 0, 0x80), -EBADMSG);
    assert_int_equal(read_raw(RIAD_OP_CLOCK_PUT, 1, "abc", 3), -EBADMSG);
}

static void unknown_kinds(void **state)
{
    static const uint8_t number[8] = { 2 };

    (void)state;
    assert_int_equal(read_raw(200, 1, "abc", 3), 0);
    assert_int_equal(read_raw(255, 1, "", 0), 0);
    assert_int_equal(read_raw(200, 0, "abc", 3), -EBADMSG);
    assert_int_equal(read_raw(200, 3, "abc", 3), -EBADMSG);
    assert_int_equal(read_raw(0, 0, "abc", 3), -EBADMSG);
    assert_int_equal(read_raw(RIAD_OP_INODE_REMOVE, 0, number, 8), 1);
    assert_int_equal(read_raw(RIAD_OP_INODE_REMOVE, 1, number, 8), -EBADMSG);
    assert_int_equal(read_raw(RIAD_OP_INODE_REMOVE, 0, number, 7), -EBADMSG);
}

static int read_dentry(const char *name, size_t size, uint8_t type, uint64_t cookie)
{
    uint8_t body[512];
    struct riad_writer out;

    riad_writer_init_fixed(&out, body, sizeof body);
    riad_put_u64(&out, 1);
    riad_put_u64(&out, cookie);
    riad_put_u64(&out, 5);
    riad_put_u8(&out, type);
    riad_put_b16(&out, name, size);
    return read_raw(RIAD_OP_DENTRY_PUT, 0, body, out.size);
}

static void names_that_format_forbids_are_refused(void **state)
{
    char longest[256];

    (void)state;
    memset(longest, 'x', sizeof longest);
    assert_int_equal(read_dentry("a", 1, DT_REG, 3), 1);
    assert_int_equal(read_dentry("...", 3, DT_DIR, 3), 1);
    assert_int_equal(read_dentry(longest, 255, DT_DIR, 3), 1);
    assert_int_equal(read_dentry(longest, 256, DT_DIR, 3), -EBADMSG);
    assert_int_equal(read_dentry("", 0, DT_REG, 3), -EBADMSG);
    assert_int_equal(read_dentry(".", 1, DT_REG, 3), -EBADMSG);
    assert_int_equal(read_dentry("..", 2, DT_REG, 3), -EBADMSG);
    assert_int_equal(read_dentry("a/b", 3, DT_REG, 3), -EBADMSG);
    assert_int_equal(read_dentry("a\0b", 3, DT_REG, 3), -EBADMSG);
    assert_int_equal(read_dentry("a", 1, DT_UNKNOWN, 3), -EBADMSG);
    assert_int_equal(read_dentry("a", 1, DT_WHT, 3), -EBADMSG);
    assert_int_equal(read_dentry("a", 1, DT_REG, 2), -EBADMSG);
    assert_int_equal(read_dentry("a", 1, DT_REG, UINT64_MAX), -EBADMSG);
}

/* Rows that could not be read back must not get into the log. */
static void bad_rows_stick(void **state)
{
    struct built *built = *state;
    struct riad_inode bad = make_inode(5, S_IFREG);
    struct riad_inode good = bad;

    bad.flags = UINT32_MAX;
    riad_change_put_inode(&built->change, &bad);
    riad_change_put_inode(&built->change, &good);
    assert_int_equal(riad_change_content(&built->change, &built->content), -EINVAL);
    assert_int_equal(built->content.size, 0);
    riad_change_begin(&built->change, (struct timespec){ -1, 7 }, 99);
    riad_change_put_inode(&built->change, &good);
    parse(built, 1);
}

/* F2: who reads it must know of flags. */
static void flags_are_a_feature(void **state)
{
    struct built *built = *state;
    struct riad_inode row = make_inode(5, S_IFREG);

    riad_change_put_inode(&built->change, &row);
    assert_int_equal(built->change.features, 0);
    row.flags = RIAD_INODE_NODUMP;
    riad_change_put_inode(&built->change, &row);
    assert_int_equal(built->change.features, RIAD_FEATURE_INODE_FLAGS);
    riad_change_begin(&built->change, (struct timespec){ 0 }, 0);
    assert_int_equal(built->change.features, 0);
}

static void changes_are_bounded(void **state)
{
    static uint8_t value[RIAD_XATTR_VALUE_MAX];
    struct built *built = *state;

    for (int i = 0; i < 4096; i++) {
        riad_change_remove_inode(&built->change, 2);
    }
    parse(built, 4096);
    riad_change_remove_inode(&built->change, 2);
    assert_int_equal(riad_change_content(&built->change, &built->content), -ENOBUFS);
    riad_change_begin(&built->change, (struct timespec){ 0 }, 0);
    for (int i = 0; i < 4; i++) {
        riad_change_put_xattr(&built->change, 5, "user.a", value, sizeof value);
    }
    assert_int_equal(riad_change_content(&built->change, &built->content), -ENOBUFS);
}

static void the_largest_change_fits_a_body(void **state)
{
    static uint8_t value[RIAD_XATTR_VALUE_MAX];
    struct built *built = *state;
    size_t room = RIAD_CHANGE_BODY_MAX - RIAD_CHANGE_PREFIX_SIZE - 28;
    size_t frame = 6 + 8 + 2 + 6 + 4;

    for (int i = 0; i < 3; i++) {
        riad_change_put_xattr(&built->change, 5, "user.a", value, sizeof value);
    }
    room -= 3 * (frame + sizeof value) + frame;
    riad_change_put_xattr(&built->change, 5, "user.a", value, room);
    parse(built, 4);
    assert_int_equal(built->content.size + RIAD_CHANGE_PREFIX_SIZE, RIAD_CHANGE_BODY_MAX);
}

static void extents_are_placed_later(void **state)
{
    struct built *built = *state;
    struct riad_extent first = make_extent(5, 0, UNIT, 0, 0);
    struct riad_extent placed = make_extent(5, UNIT, UNIT, 9, 64);
    struct riad_extent unwritten = make_unwritten(5, 2 * UNIT, 5);
    struct riad_extent last = make_extent(5, 3 * UNIT, UNIT, 0, 0);
    const struct riad_place place = { 0xaabbccdd00000001, 4711 };
    struct riad_reader operations;
    struct riad_operation op;

    riad_change_put_extent(&built->change, &first);
    riad_change_put_extent(&built->change, &placed);
    riad_change_put_extent(&built->change, &unwritten);
    riad_change_remove_inode(&built->change, 8);
    riad_change_put_extent(&built->change, &last);
    assert_int_equal(riad_change_content(&built->change, &built->content), -EINVAL);
    riad_change_place_extents(&built->change, &place);
    operations = parse(built, 5);
    first.segment = last.segment = place.segment;
    first.position = last.position = place.position;
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_extent_equal(&op.extent, &first);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_extent_equal(&op.extent, &placed);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_extent_equal(&op.extent, &unwritten);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_int_equal(op.kind, RIAD_OP_INODE_REMOVE);
    assert_int_equal(riad_operation_next(&operations, &op), 1);
    assert_extent_equal(&op.extent, &last);
}

static void empty_changes(void **state)
{
    struct built *built = *state;
    struct riad_reader operations = parse(built, 0);
    struct riad_operation op;

    assert_int_equal(riad_operation_next(&operations, &op), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(operations_go_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cut_changes_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changed_changes_never_crash, set_up, tear_down),
        cmocka_unit_test(clocks_are_checked),
        cmocka_unit_test(unknown_kinds),
        cmocka_unit_test(names_that_format_forbids_are_refused),
        cmocka_unit_test_setup_teardown(bad_rows_stick, set_up, tear_down),
        cmocka_unit_test_setup_teardown(flags_are_a_feature, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_largest_change_fits_a_body, set_up, tear_down),
        cmocka_unit_test_setup_teardown(extents_are_placed_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(empty_changes, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
