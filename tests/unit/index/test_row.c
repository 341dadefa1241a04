/* Codecs of rows (FORMAT 6): one encoding, everything else refused, nothing crashes. */
#include "index/fixture.h"

static const uint32_t modes[] = { S_IFREG | 0644, S_IFDIR | 01777, S_IFLNK | 0777, S_IFIFO, S_IFCHR,
    S_IFBLK, S_IFSOCK | 07777 };

static size_t encode_inode(const struct riad_inode *row, uint8_t *ret, size_t capacity)
{
    struct riad_writer out;

    riad_writer_init_fixed(&out, ret, capacity);
    riad_inode_encode(row, &out);
    assert_int_equal(out.error, 0);
    return out.size;
}

static size_t encode_extent(const struct riad_extent *row, uint8_t *ret, size_t capacity)
{
    struct riad_writer out;

    riad_writer_init_fixed(&out, ret, capacity);
    riad_extent_encode(row, &out);
    assert_int_equal(out.error, 0);
    return out.size;
}

static void inodes_go_round(void **state)
{
    uint8_t bytes[256];

    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        struct riad_inode row = make_inode(5, modes[i]);
        struct riad_inode back;

        assert_int_equal(encode_inode(&row, bytes, sizeof bytes), RIAD_INODE_ROW_SIZE);
        assert_int_equal(riad_inode_decode(bytes, RIAD_INODE_ROW_SIZE, &back), 0);
        assert_inode_equal(&row, &back);
        assert_int_equal(back.btime.tv_sec, INT64_MIN);
        assert_int_equal(back.parent, RIAD_ROOT_INODE);
    }
}

/* The offsets that FORMAT 6.1 names. */
static void inode_fields_lie_where_format_says(void **state)
{
    struct riad_inode row = make_inode(0x0102030405060708, S_IFREG | 0600);
    uint8_t bytes[RIAD_INODE_ROW_SIZE];

    (void)state;
    row.truncate_mark = 0x1122;
    row.xattr_bytes = 0x33445566;
    encode_inode(&row, bytes, sizeof bytes);
    assert_int_equal(bytes[0], 0x08);
    assert_int_equal(bytes[7], 0x01);
    assert_int_equal(bytes[8], 1);
    assert_int_equal(bytes[12] | bytes[13] << 8, S_IFREG | 0600);
    assert_int_equal(bytes[104], RIAD_ROOT_INODE);
    assert_int_equal(bytes[136] | bytes[137] << 8, 0x1122);
    assert_int_equal(bytes[144], 0x66);
    assert_int_equal(bytes[148], 0);
}

static void inodes_of_other_sizes_are_refused(void **state)
{
    struct riad_inode row = make_inode(5, S_IFREG);
    uint8_t bytes[RIAD_INODE_ROW_SIZE + 1] = { 0 };
    struct riad_inode back = { .inode = 77 };

    (void)state;
    encode_inode(&row, bytes, sizeof bytes);
    for (size_t size = 0; size <= sizeof bytes; size++) {
        if (size != RIAD_INODE_ROW_SIZE) {
            assert_int_equal(riad_inode_decode(bytes, size, &back), -EBADMSG);
        }
    }
    assert_int_equal(back.inode, 77);
}

/* Whatever a changed byte decodes to encodes to the same bytes: there is one encoding (F3). */
static void every_byte_of_an_inode_counts(void **state)
{
    struct riad_inode row = make_inode(5, S_IFDIR | 0755);
    uint8_t bytes[RIAD_INODE_ROW_SIZE];
    uint8_t again[RIAD_INODE_ROW_SIZE];

    (void)state;
    encode_inode(&row, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        for (int value = 1; value < 256; value++) {
            struct riad_inode back;

            bytes[i] ^= (uint8_t)value;
            if (riad_inode_decode(bytes, sizeof bytes, &back) == 0) {
                encode_inode(&back, again, sizeof again);
                assert_memory_equal(bytes, again, sizeof bytes);
            }
            bytes[i] ^= (uint8_t)value;
        }
    }
}

static void assert_inode_refused(const struct riad_inode *row)
{
    uint8_t bytes[RIAD_INODE_ROW_SIZE];
    struct riad_inode back;

    encode_inode(row, bytes, sizeof bytes);
    assert_int_equal(riad_inode_decode(bytes, sizeof bytes, &back), -EBADMSG);
}

#define REFUSES(mode_, field, value)                   \
    do {                                               \
        struct riad_inode bad_ = make_inode(5, mode_); \
        bad_.field = (value);                          \
        assert_inode_refused(&bad_);                   \
    } while (0)

static void inodes_that_format_forbids_are_refused(void **state)
{
    (void)state;
    REFUSES(S_IFREG, inode, 0);
    REFUSES(S_IFREG, inode, (uint64_t)1 << 63);
    REFUSES(S_IFREG, generation, 2);
    REFUSES(S_IFREG, mode, 0644);
    REFUSES(S_IFREG, mode, S_IFREG | 0x10000);
    REFUSES(S_IFREG, flags, RIAD_INODE_FLAGS_KNOWN + 1);
    REFUSES(S_IFREG, size, RIAD_FILE_SIZE_MAX + 1);
    REFUSES(S_IFREG, blocks, UINT64_MAX);
    REFUSES(S_IFREG, next_cookie, 3);
    REFUSES(S_IFREG, truncate_mark, RIAD_FILE_SIZE_MAX + 1);
    REFUSES(S_IFDIR, next_cookie, 2);
    REFUSES(S_IFDIR, next_cookie, UINT64_MAX);
    REFUSES(S_IFREG, inode, RIAD_ROOT_INODE);
}

static void extents_go_round(void **state)
{
    struct riad_extent rows[] = { make_extent(5, 8192, 1, 9, 64),
        make_extent(5, 0, UNIT * RIAD_RUN_RECORDS_MAX, UINT64_MAX, 0),
        make_unwritten(5, 1, RIAD_FILE_SIZE_MAX - 1), make_extent(5, 0, UNIT * 3, 9, 64) };
    uint8_t bytes[2048];

    (void)state;
    rows[3].skip = UNIT - 1;
    rows[3].length = UNIT + 5;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = encode_extent(&rows[i], bytes, sizeof bytes);
        struct riad_extent back;

        assert_int_equal(riad_extent_decode(bytes, size, &back), 0);
        assert_extent_equal(&rows[i], &back);
        for (size_t cut = 0; cut < size; cut++) {
            assert_int_equal(riad_extent_decode(bytes, cut, &back), -EBADMSG);
        }
        assert_int_equal(riad_extent_decode(bytes, size + 1, &back), -EBADMSG);
    }
}

static void every_byte_of_an_extent_counts(void **state)
{
    struct riad_extent row = make_extent(5, 8192, UNIT * 2, 9, 64);
    uint8_t bytes[256];
    uint8_t again[256];
    size_t size = encode_extent(&row, bytes, sizeof bytes);

    (void)state;
    for (size_t i = 0; i < size; i++) {
        for (int value = 1; value < 256; value++) {
            struct riad_extent back;

            bytes[i] ^= (uint8_t)value;
            if (riad_extent_decode(bytes, size, &back) == 0) {
                assert_int_equal(encode_extent(&back, again, sizeof again), size);
                assert_memory_equal(bytes, again, size);
            }
            bytes[i] ^= (uint8_t)value;
        }
    }
}

static void assert_extent_refused(const struct riad_extent *row)
{
    uint8_t bytes[2048];
    struct riad_extent back;
    size_t size = encode_extent(row, bytes, sizeof bytes);

    assert_int_equal(riad_extent_decode(bytes, size, &back), -EBADMSG);
}

#define REFUSES_EXTENT(made, field, value) \
    do {                                   \
        struct riad_extent bad_ = (made);  \
        bad_.field = (value);              \
        assert_extent_refused(&bad_);      \
    } while (0)

static void extents_that_format_forbids_are_refused(void **state)
{
    (void)state;
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), length, 0);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), length, UNIT + 1);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), length, UINT64_MAX);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), skip, 1);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), skip, UNIT);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), segment, 0);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), unit_shift, 11);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), unit_shift, 17);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), unit_shift, 76);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), tag_count, 0);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), tag_count, 2);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), kind, 3);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), offset, RIAD_FILE_SIZE_MAX);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), position, UINT64_MAX);
    REFUSES_EXTENT(make_extent(5, 0, UNIT, 9, 0), born.inode, 0);
    REFUSES_EXTENT(make_unwritten(5, 0, 1), segment, 9);
    REFUSES_EXTENT(make_unwritten(5, 0, 1), unit_shift, 12);
    REFUSES_EXTENT(make_unwritten(5, 0, 1), tag_count, 1);
    REFUSES_EXTENT(make_unwritten(5, 1, 1), length, RIAD_FILE_SIZE_MAX);
}

static void xattr_blocks(void **state)
{
    (void)state;
    assert_int_equal(riad_xattr_blocks(0), 0);
    assert_int_equal(riad_xattr_blocks(1), 1);
    assert_int_equal(riad_xattr_blocks(4096), 1);
    assert_int_equal(riad_xattr_blocks(4097), 2);
    assert_int_equal(riad_xattr_blocks(UINT32_MAX), 1 << 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inodes_go_round),
        cmocka_unit_test(inode_fields_lie_where_format_says),
        cmocka_unit_test(inodes_of_other_sizes_are_refused),
        cmocka_unit_test(every_byte_of_an_inode_counts),
        cmocka_unit_test(inodes_that_format_forbids_are_refused),
        cmocka_unit_test(extents_go_round),
        cmocka_unit_test(every_byte_of_an_extent_counts),
        cmocka_unit_test(extents_that_format_forbids_are_refused),
        cmocka_unit_test(xattr_blocks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
