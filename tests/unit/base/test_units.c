#include <errno.h>

#include "riad/units.h"

#include "unit.h"

static void sizes_and_counts(void **state)
{
    static const struct {
        const char *text;
        int r;
        uint64_t bytes, count;
    } cases[] = { { "10G", 0, 10ull << 30, 10000000000ull }, { "1.5k", 0, 1536, 1500 },
        { "0", 0, 0, 0 }, { "none", 0, 0, 0 }, { "123", 0, 123, 123 }, { "-1", -EINVAL, 0, 0 },
        { "1X", -EINVAL, 0, 0 }, { "", -EINVAL, 0, 0 }, { "0x10", -EINVAL, 0, 0 },
        { "nan", -EINVAL, 0, 0 }, { "9E", -EINVAL, 0, 0 }, { "1G1", -EINVAL, 0, 0 } };
    uint64_t value;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int r = riad_parse_bytes(cases[i].text, &value);

        if (cases[i].r == 0) {
            assert_int_equal(r, 0);
            assert_true(value == cases[i].bytes);
            assert_int_equal(riad_parse_count(cases[i].text, &value), 0);
            assert_true(value == cases[i].count);
        } else if (i != 10) { /* 9E bytes are too many, of things they are not */
            assert_int_equal(r, cases[i].r);
        }
    }
    assert_int_equal(riad_parse_bytes("9E", &value), -EINVAL);
    assert_int_equal(riad_parse_bytes("1GiB", &value), 0);
    assert_int_equal(riad_parse_count("1Gi", &value), -EINVAL);
}

static void spans_of_time(void **state)
{
    static const char *const bad[] = { "", "1", "d", "-1d", "1dd", "1y", "1000000000w", "1.5d" };
    int64_t seconds;

    (void)state;
    assert_int_equal(riad_parse_seconds("90d", &seconds), 0);
    assert_int_equal(seconds, 90 * 86400);
    assert_int_equal(riad_parse_seconds("0s", &seconds), 0);
    assert_int_equal(riad_parse_seconds("2w", &seconds), 0);
    assert_int_equal(seconds, 1209600);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(riad_parse_seconds(bad[i], &seconds), -EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_and_counts),
        cmocka_unit_test(spans_of_time),
    };

    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
