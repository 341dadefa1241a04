#include "riad/error.h"
#include "riad/record.h"

#include "record_priv.h"
#include "unit.h"

static struct riad_record_header example(enum riad_record_type type, uint32_t length)
{
    struct riad_record_header header = { .type = type,
        .padding = type == RIAD_RECORD_DATA || type == RIAD_RECORD_FRAME ? RIAD_PAD_PADME
                                                                         : RIAD_PAD_64,
        .epoch = 7,
        .counter = 0x01020304,
        .length = length };

    memset(header.workspace.bytes, 0xaa, 16);
    memset(header.stream.bytes, 0xbb, 16);
    return header;
}

static void header_is_laid_out_as_the_format_says(void **state)
{
    const struct riad_record_header header = example(RIAD_RECORD_DATA, 48);
    struct riad_record_header again;
    uint8_t bytes[64];

    (void)state;
    riad_record_header_encode(&header, bytes);
    assert_memory_equal(bytes, "RIAR\x01\x01\x02\x02\0\0\0\0\x07\0\0\0\xaa\xaa", 18);
    assert_memory_equal(bytes + 48, "\x04\x03\x02\x01\0\0\0\0\x30\0\0\0\0\0\0\0", 16);
    assert_int_equal(riad_record_header_decode(bytes, &again), 0);
    assert_int_equal(again.type, header.type);
    assert_int_equal(again.padding, header.padding);
    assert_int_equal(again.epoch, header.epoch);
    assert_int_equal(again.counter, header.counter);
    assert_int_equal(again.length, header.length);
    assert_true(riad_id_equal(&again.workspace, &header.workspace));
    assert_true(riad_id_equal(&again.stream, &header.stream));
}

static int decode_with(enum riad_record_type type, uint32_t length, size_t offset, uint8_t value)
{
    const struct riad_record_header header = example(type, length);
    struct riad_record_header ignored;
    uint8_t bytes[64];

    riad_record_header_encode(&header, bytes);
    bytes[offset] = value;
    return riad_record_header_decode(bytes, &ignored);
}

static void whatever_the_format_does_not_allow_is_refused(void **state)
{
    static const struct {
        enum riad_record_type type;
        uint32_t length;
        int expected;
    } lengths[] = {
        { RIAD_RECORD_CHANGE, 64, 0 },
        { RIAD_RECORD_CHANGE, 0, -EBADMSG },
        { RIAD_RECORD_CHANGE, 80, -EBADMSG },
        { RIAD_RECORD_CHANGE, RIAD_CHANGE_LENGTH_MAX, 0 },
        { RIAD_RECORD_CHANGE, RIAD_CHANGE_LENGTH_MAX + 64, -EBADMSG },
        { RIAD_RECORD_DATA, 32, -EBADMSG },
        { RIAD_RECORD_DATA, 56, -EBADMSG },
        { RIAD_RECORD_DATA, 32 + 65536, 0 },
        { RIAD_RECORD_DATA, 48 + 65536, -EBADMSG },
        { RIAD_RECORD_FRAME, 2 << 20, 0 },
        { RIAD_RECORD_FRAME, (2 << 20) + 16, -EBADMSG },
        { RIAD_RECORD_SEGMENT, 4096, 0 },
        { RIAD_RECORD_SEGMENT, 4160, -EBADMSG },
    };

    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(
                decode_with(lengths[i].type, lengths[i].length, 0, 'R'), lengths[i].expected);
    }
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 0, 'X'), -EBADMSG);
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 4, 2), -EPROTONOSUPPORT);
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 5, 9), -EPROTONOSUPPORT);
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 4, 0), -EBADMSG);
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 6, 0), -EBADMSG); /* type */
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 6, 5), -EBADMSG);
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 7, 1), -EBADMSG);  /* padding */
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 8, 1), -EBADMSG);  /* flags */
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 12, 0), -EBADMSG); /* epoch */
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 52, 1), -EBADMSG); /* counter, K5 */
    assert_int_equal(decode_with(RIAD_RECORD_DATA, 48, 60, 1), -EBADMSG); /* reserved */
}

static void padding_follows_padme(void **state)
{
    (void)state;
    assert_int_equal(riad_pad_padme(0), 0);
    assert_int_equal(riad_pad_padme(1), 16);
    assert_int_equal(riad_pad_padme(9), 16);      /* Padme 10 */
    assert_int_equal(riad_pad_padme(100), 112);   /* Padme 104 */
    assert_int_equal(riad_pad_padme(1000), 1024); /* Padme 1024: steps of 64 */
    assert_int_equal(riad_pad_padme(5000), 5120); /* steps of 256 */
    assert_int_equal(riad_pad_padme(65536), 65536);
    for (size_t n = 1; n <= 1 << 20; n += 1 + n / 97) {
        size_t padded = riad_pad_padme(n);

        assert_true(padded >= n && padded % 16 == 0);
        assert_true(padded - n <= n * 12 / 100 + 16); /* F5 */
        assert_int_equal(riad_pad_padme(padded), padded);
    }
    for (unsigned k = 4; k <= 16; k++) {
        assert_int_equal(riad_data_record_size((size_t)1 << k), ((size_t)1 << k) + 120);
    }
    assert_int_equal(riad_body_length(RIAD_PAD_64, 60), 64);
    assert_int_equal(riad_body_length(RIAD_PAD_64, 61), 128);
}

static void checksum_sees_every_flip(void **state)
{
    uint8_t record[104] = "RIAR some bytes that need not be a record";

    (void)state;
    riad_record_checksum(record, sizeof record - 8, record + sizeof record - 8);
    assert_int_equal(riad_record_check(record, sizeof record), 0);
    for (size_t bit = 0; bit < 8 * sizeof record; bit++) {
        record[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(riad_record_check(record, sizeof record), -EBADMSG);
        record[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(riad_record_check(record, 87), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(header_is_laid_out_as_the_format_says),
        cmocka_unit_test(whatever_the_format_does_not_allow_is_refused),
        cmocka_unit_test(padding_follows_padme),
        cmocka_unit_test(checksum_sees_every_flip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
