#include <errno.h>
#include <stdio.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"

#include "unit.h"

#define _cleanup_writer_ _cleanup_(riad_writer_done)

static void every_value(struct riad_writer *writer)
{
    struct riad_id id = { "0123456789abcdef" };
    struct riad_hash hash = { { 0xaa } };
    struct riad_end end = { 1, 2, { 3, 4 }, { { 5 } } };

    riad_put_u8(writer, 0xfe);
    riad_put_u16(writer, 0x1234);
    riad_put_u32(writer, 0x89abcdef);
    riad_put_u64(writer, 0xfedcba9876543210);
    riad_put_bytes(writer, "xyz", 3);
    riad_put_b16(writer, "name", 4);
    riad_put_b32(writer, NULL, 0);
    riad_put_time(writer, (struct timespec){ -1, 999999999 });
    riad_put_id(writer, &id);
    riad_put_hash(writer, &hash);
    riad_put_end(writer, &end);
    riad_put_zeros(writer, 5);
}
enum { EVERY_VALUE_SIZE = 1 + 2 + 4 + 8 + 3 + 6 + 4 + 12 + 16 + 32 + 60 + 5 };

static void layout_is_little_endian_and_packed(void **state)
{
    static const uint8_t head[] = { 0xfe, 0x34, 0x12, 0xef, 0xcd, 0xab, 0x89, 0x10, 0x32, 0x54,
        0x76, 0x98, 0xba, 0xdc, 0xfe, 'x', 'y', 'z', 4, 0, 'n', 'a', 'm', 'e', 0, 0, 0, 0, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc9, 0x9a, 0x3b };
    static const uint8_t end_head[] = { 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0,
        4, 0, 0, 0, 0, 0, 0, 0, 5, 0 };
    uint8_t buffer[EVERY_VALUE_SIZE];
    struct riad_writer writer;

    (void)state;
    riad_writer_init_fixed(&writer, buffer, sizeof buffer);
    every_value(&writer);
    assert_int_equal(writer.error, 0);
    assert_int_equal(writer.size, EVERY_VALUE_SIZE);
    assert_memory_equal(buffer, head, sizeof head);
    assert_memory_equal(buffer + sizeof head + 48, end_head, sizeof end_head);
}

static void read_every_value(struct riad_reader *reader)
{
    struct riad_id id;
    struct riad_hash hash;
    struct riad_end end;
    struct timespec time;
    char bytes[3];
    size_t size;

    assert_int_equal(riad_get_u8(reader), 0xfe);
    assert_int_equal(riad_get_u16(reader), 0x1234);
    assert_int_equal(riad_get_u32(reader), 0x89abcdef);
    assert_true(riad_get_u64(reader) == 0xfedcba9876543210);
    riad_get_bytes(reader, bytes, sizeof bytes);
    assert_memory_equal(bytes, "xyz", 3);
    assert_memory_equal(riad_get_b16(reader, 4, &size), "name", 4);
    assert_int_equal(size, 4);
    assert_non_null(riad_get_b32(reader, 0, &size));
    assert_int_equal(size, 0);
    time = riad_get_time(reader);
    assert_int_equal(time.tv_sec, -1);
    assert_int_equal(time.tv_nsec, 999999999);
    riad_get_id(reader, &id);
    assert_memory_equal(id.bytes, "0123456789abcdef", 16);
    riad_get_hash(reader, &hash);
    assert_int_equal(hash.bytes[0], 0xaa);
    riad_get_end(reader, &end);
    assert_true(end.segment == 1 && end.offset == 2 && end.chain.bytes[0] == 5);
    assert_true(end.sequence.term == 3 && end.sequence.number == 4);
    riad_get_zeros(reader, 5);
}

static void reading_gives_back_what_was_written(void **state)
{
    _cleanup_writer_ struct riad_writer writer;
    struct riad_reader reader;

    (void)state;
    riad_writer_init_growing(&writer, 3, 4096);
    every_value(&writer);
    assert_int_equal(writer.error, 0);
    riad_reader_init(&reader, writer.data, writer.size);
    read_every_value(&reader);
    assert_int_equal(riad_reader_finish(&reader), 0);
}

/* The same reads as above, on however few bytes. */
static void read_blindly(struct riad_reader *reader, const uint8_t *data, size_t size)
{
    struct riad_id id;
    struct riad_hash hash;
    struct riad_end end;
    size_t length;

    riad_reader_init(reader, data, size);
    riad_get_u8(reader);
    riad_get_u16(reader);
    riad_get_u32(reader);
    riad_get_u64(reader);
    riad_get_span(reader, 3);
    riad_get_b16(reader, 4, &length);
    riad_get_b32(reader, 0, &length);
    riad_get_time(reader);
    riad_get_id(reader, &id);
    riad_get_hash(reader, &hash);
    riad_get_end(reader, &end);
    riad_get_zeros(reader, 5);
}

/* Copies to the heap in its exact size, so that a sanitizer sees a read past the end. */
static void every_truncation_and_extension_is_refused(void **state)
{
    uint8_t buffer[EVERY_VALUE_SIZE + 1] = { 0 };
    struct riad_writer writer;
    struct riad_reader reader;

    (void)state;
    riad_writer_init_fixed(&writer, buffer, sizeof buffer);
    every_value(&writer);
    for (size_t size = 0; size <= sizeof buffer; size++) {
        _cleanup_free_ uint8_t *copy = malloc(size ? size : 1);

        memcpy(copy, buffer, size);
        read_blindly(&reader, copy, size);
        assert_int_equal(riad_reader_finish(&reader), size == EVERY_VALUE_SIZE ? 0 : -EBADMSG);
        assert_int_equal(reader.error, size < EVERY_VALUE_SIZE ? -EBADMSG : 0);
    }
}

static void errors_of_a_reader_stick(void **state)
{
    struct riad_reader reader;
    struct riad_hash hash = { "must be cleared" };
    static const struct riad_hash zero;
    size_t size = 7;

    (void)state;
    riad_reader_init(&reader, "\1\2\3\4\5\6\7", 7);
    assert_true(riad_get_u64(&reader) == 0);
    assert_int_equal(reader.error, -EBADMSG);
    assert_int_equal(riad_get_u8(&reader), 0);
    assert_null(riad_get_b16(&reader, 100, &size));
    assert_int_equal(size, 0);
    assert_null(riad_get_span(&reader, 0));
    riad_get_hash(&reader, &hash);
    assert_memory_equal(&hash, &zero, sizeof hash);
    assert_int_equal(reader.left, 7);
    assert_int_equal(riad_reader_finish(&reader), -EBADMSG);
}

static int read_prefixed(const void *data, size_t size, size_t max, bool wide)
{
    struct riad_reader reader;
    size_t length = 1;
    const uint8_t *span;

    riad_reader_init(&reader, data, size);
    span = wide ? riad_get_b32(&reader, max, &length) : riad_get_b16(&reader, max, &length);
    if (reader.error) {
        assert_null(span);
        assert_int_equal(length, 0);
    }
    return riad_reader_finish(&reader);
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(read_prefixed("\3\0abc", 5, 3, false), 0);
    assert_int_equal(read_prefixed("\3\0abc", 5, 2, false), -EBADMSG);
    assert_int_equal(read_prefixed("\3\0ab", 4, 3, false), -EBADMSG);
    assert_int_equal(read_prefixed("\377\377ab", 4, SIZE_MAX, false), -EBADMSG);
    assert_int_equal(read_prefixed("\3\0\0\0abc", 7, 3, true), 0);
    assert_int_equal(read_prefixed("\3\0\0\0abc", 7, 2, true), -EBADMSG);
    assert_int_equal(read_prefixed("\377\377\377\377abc", 7, SIZE_MAX, true), -EBADMSG);
    assert_int_equal(read_prefixed("\3\0\0", 3, SIZE_MAX, true), -EBADMSG);
}

static void times_and_zeros_are_canonical(void **state)
{
    static const uint8_t bad_time[12] = { 1, 0, 0, 0, 0, 0, 0, 0, 0x00, 0xca, 0x9a, 0x3b };
    struct riad_reader reader;
    struct riad_writer writer;
    uint8_t buffer[12];

    (void)state;
    riad_reader_init(&reader, bad_time, sizeof bad_time);
    assert_int_equal(riad_get_time(&reader).tv_sec, 0);
    assert_int_equal(riad_reader_finish(&reader), -EBADMSG);
    riad_reader_init(&reader, "\0\0\1", 3);
    riad_get_zeros(&reader, 3);
    assert_int_equal(riad_reader_finish(&reader), -EBADMSG);
    riad_writer_init_fixed(&writer, buffer, sizeof buffer);
    riad_put_time(&writer, (struct timespec){ 1, 1000000000 });
    assert_int_equal(writer.error, -EINVAL);
    assert_int_equal(writer.size, 0);
}

static int read_extensions(const void *data, size_t size)
{
    struct riad_reader reader;

    riad_reader_init(&reader, data, size);
    riad_get_extensions(&reader);
    return riad_reader_finish(&reader);
}
#define READ_EXTENSIONS(literal) read_extensions(literal, sizeof(literal) - 1)

static void extensions_are_skipped_or_refused(void **state)
{
    (void)state;
    assert_int_equal(READ_EXTENSIONS("\0\0\0\0"), 0);
    assert_int_equal(READ_EXTENSIONS("\10\0\0\0\0\0\2\0\0\0ab"), 0);
    assert_int_equal(READ_EXTENSIONS("\6\0\0\0\377\177\0\0\0\0"), 0);
    assert_int_equal(READ_EXTENSIONS("\14\0\0\0\1\0\0\0\0\0\2\0\0\0\0\0"), 0);
    /* a tag twice, descending, mandatory; a length past the block; a cut tag; the block past the
     * object */
    assert_int_equal(READ_EXTENSIONS("\14\0\0\0\1\0\0\0\0\0\1\0\0\0\0\0"), -EBADMSG);
    assert_int_equal(READ_EXTENSIONS("\14\0\0\0\2\0\0\0\0\0\1\0\0\0\0\0"), -EBADMSG);
    assert_int_equal(READ_EXTENSIONS("\6\0\0\0\0\200\0\0\0\0"), -EBADMSG);
    assert_int_equal(READ_EXTENSIONS("\7\0\0\0\1\0\2\0\0\0abc"), -EBADMSG);
    assert_int_equal(READ_EXTENSIONS("\1\0\0\0\1"), -EBADMSG);
    assert_int_equal(READ_EXTENSIONS("\7\0\0\0\1\0\0\0\0\0"), -EBADMSG);
}

static void assert_extension(
        const void *data, size_t size, uint16_t tag, const char *expected, size_t expected_size)
{
    struct riad_reader reader;
    size_t found_size = 99;
    const uint8_t *found;

    riad_reader_init(&reader, data, size);
    found = riad_get_extension(&reader, tag, &found_size);
    assert_int_equal(found_size, expected_size);
    assert_int_equal(found != NULL, expected != NULL);
    if (expected_size > 0) {
        assert_memory_equal(found, expected, expected_size);
    }
}
#define ASSERT_EXTENSION(literal, tag, expected, size) \
    assert_extension(literal, sizeof(literal) - 1, tag, expected, size)

static void a_known_extension_is_found(void **state)
{
    (void)state;
    ASSERT_EXTENSION("\0\0\0\0", 1, NULL, 0);
    ASSERT_EXTENSION("\10\0\0\0\1\0\2\0\0\0ab", 1, "ab", 2);
    ASSERT_EXTENSION("\10\0\0\0\1\0\2\0\0\0ab", 0, NULL, 0);
    ASSERT_EXTENSION("\10\0\0\0\1\0\2\0\0\0ab", 2, NULL, 0);
    ASSERT_EXTENSION("\6\0\0\0\1\0\0\0\0\0", 1, "", 0);
    /* the first, the last, one in the middle of several */
    ASSERT_EXTENSION("\25\0\0\0\1\0\1\0\0\0a\2\0\1\0\0\0b\3\0\1\0\0\0c", 1, "a", 1);
    ASSERT_EXTENSION("\25\0\0\0\1\0\1\0\0\0a\2\0\1\0\0\0b\3\0\1\0\0\0c", 2, "b", 1);
    ASSERT_EXTENSION("\25\0\0\0\1\0\1\0\0\0a\2\0\1\0\0\0b\3\0\1\0\0\0c", 3, "c", 1);
    /* in a block that is refused: behind it a mandatory one, itself again, or a cut one; cut
     * itself; mandatory itself */
    ASSERT_EXTENSION("\15\0\0\0\1\0\1\0\0\0a\0\200\0\0\0\0", 1, NULL, 0);
    ASSERT_EXTENSION("\16\0\0\0\1\0\1\0\0\0a\1\0\1\0\0\0b", 1, NULL, 0);
    ASSERT_EXTENSION("\10\0\0\0\1\0\1\0\0\0a\2", 1, NULL, 0);
    ASSERT_EXTENSION("\7\0\0\0\1\0\2\0\0\0a", 1, NULL, 0);
    ASSERT_EXTENSION("\10\0\0\0\1\0\2\0\0\0a", 1, NULL, 0);
    ASSERT_EXTENSION("\6\0\0\0\0\200\0\0\0\0", 0x8000, NULL, 0);
}

static void a_written_extension_is_read(void **state)
{
    struct riad_writer writer;
    uint8_t buffer[64];

    (void)state;
    riad_writer_init_fixed(&writer, buffer, sizeof buffer);
    riad_put_extension(&writer, 0x7fff, "value", 5);
    assert_int_equal(writer.error, 0);
    assert_int_equal(writer.size, 15);
    assert_memory_equal(buffer, "\13\0\0\0\377\177\5\0\0\0value", 15);
    assert_extension(buffer, writer.size, 0x7fff, "value", 5);
    assert_int_equal(read_extensions(buffer, writer.size), 0);
    riad_put_extension(&writer, 1, NULL, UINT32_MAX);
    assert_int_equal(writer.error, -ENOBUFS);
    assert_int_equal(writer.size, 15);
}

static void a_fixed_writer_never_leaves_its_buffer(void **state)
{
    uint8_t buffer[8];
    struct riad_writer writer;

    (void)state;
    memset(buffer, 0x55, sizeof buffer);
    riad_writer_init_fixed(&writer, buffer, 4);
    riad_put_u16(&writer, 1);
    riad_put_u32(&writer, 2);
    assert_int_equal(writer.error, -ENOBUFS);
    riad_put_u8(&writer, 3); /* would fit, but the error sticks */
    assert_int_equal(writer.size, 2);
    assert_memory_equal(buffer, "\1\0\x55\x55\x55\x55\x55\x55", 8);
    riad_writer_reset(&writer);
    riad_put_u32(&writer, 0);
    assert_int_equal(writer.error, 0);
    assert_int_equal(writer.size, 4);
    riad_put_zeros(&writer, SIZE_MAX);
    assert_int_equal(writer.error, -ENOBUFS);
}

static void a_growing_writer_keeps_its_limit(void **state)
{
    _cleanup_writer_ struct riad_writer writer;

    (void)state;
    riad_writer_init_growing(&writer, 0, 1000);
    for (int i = 0; i < 500; i++) {
        riad_put_u16(&writer, (uint16_t)i);
    }
    assert_int_equal(writer.error, 0);
    assert_int_equal(writer.size, 1000);
    assert_true(writer.capacity <= 1000);
    assert_memory_equal(writer.data + 998, "\xf3\1", 2);
    riad_put_u8(&writer, 0);
    assert_int_equal(writer.error, -ENOBUFS);
    assert_int_equal(writer.size, 1000);
}

static void a_growing_writer_allocates_at_the_first_write(void **state)
{
    _cleanup_writer_ struct riad_writer writer;
    struct riad_writer zeroed = { 0 };

    (void)state;
    riad_writer_init_growing(&writer, 300, SIZE_MAX);
    riad_put_bytes(&writer, NULL, 0);
    assert_null(writer.data);
    riad_put_u8(&writer, 1);
    assert_int_equal(writer.capacity, 300);
    riad_put_u8(&zeroed, 1);
    assert_int_equal(zeroed.error, -ENOBUFS);
    riad_writer_done(&zeroed);
}

/* The address sanitizer aborts such an allocation instead of refusing it. */
static void a_refused_allocation_keeps_what_was_written(void **state)
{
    _cleanup_writer_ struct riad_writer writer = { 0 };

    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip();
#endif
    riad_writer_init_growing(&writer, 1, SIZE_MAX);
    riad_put_u8(&writer, 1);
    riad_put_zeros(&writer, SIZE_MAX / 2);
    assert_int_equal(writer.error, -ENOMEM);
    assert_int_equal(writer.size, 1);
    assert_int_equal(writer.data[0], 1);
}

static void lengths_must_fit_their_prefix(void **state)
{
    static const char big[UINT16_MAX + 1];
    _cleanup_writer_ struct riad_writer writer;

    (void)state;
    riad_writer_init_growing(&writer, 0, 1 << 20);
    riad_put_b16(&writer, big, UINT16_MAX);
    assert_int_equal(writer.error, 0);
    assert_int_equal(writer.size, 2 + UINT16_MAX);
    riad_put_b16(&writer, big, UINT16_MAX + 1);
    assert_int_equal(writer.error, -ENOBUFS);
    assert_int_equal(writer.size, 2 + UINT16_MAX);
    riad_writer_reset(&writer);
    riad_put_b32(&writer, big, (size_t)UINT32_MAX + 1);
    assert_int_equal(writer.error, -ENOBUFS);
}

static void hexadecimal_is_strict(void **state)
{
    static const char *const bad[] = { "00ff1", "00ff100", "00FF10", "00fg10", "00ff1\n", "",
        " 0ff10", "0x0f10", "00ff10 " };
    uint8_t bytes[3] = { 7, 7, 7 };
    char text[7];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(riad_hex_decode(bad[i], bytes, 3), -EINVAL);
        assert_memory_equal(bytes, "\7\7\7", 3);
    }
    assert_int_equal(riad_hex_decode("00ff1a", bytes, 3), 0);
    assert_memory_equal(bytes, "\0\xff\x1a", 3);
    riad_hex_encode(bytes, 3, text);
    assert_string_equal(text, "00ff1a");
    assert_int_equal(riad_hex_decode("", bytes, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout_is_little_endian_and_packed),
        cmocka_unit_test(reading_gives_back_what_was_written),
        cmocka_unit_test(every_truncation_and_extension_is_refused),
        cmocka_unit_test(errors_of_a_reader_stick),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(times_and_zeros_are_canonical),
        cmocka_unit_test(extensions_are_skipped_or_refused),
        cmocka_unit_test(a_known_extension_is_found),
        cmocka_unit_test(a_written_extension_is_read),
        cmocka_unit_test(a_fixed_writer_never_leaves_its_buffer),
        cmocka_unit_test(a_growing_writer_keeps_its_limit),
        cmocka_unit_test(a_growing_writer_allocates_at_the_first_write),
        cmocka_unit_test(a_refused_allocation_keeps_what_was_written),
        cmocka_unit_test(lengths_must_fit_their_prefix),
        cmocka_unit_test(hexadecimal_is_strict),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
