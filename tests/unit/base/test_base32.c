#include <errno.h>
#include <string.h>

#include "riad/base32.h"

#include "unit.h"

/* RFC 4648, section 10: those without padding. */
static void the_rfcs_vectors(void **state)
{
    char text[RIAD_BASE32_SIZE(10)];
    uint8_t bytes[10];

    (void)state;
    riad_base32_encode("fooba", 5, text);
    assert_string_equal(text, "MZXW6YTB");
    riad_base32_encode("foobafooba", 10, text);
    assert_string_equal(text, "MZXW6YTBMZXW6YTB");
    assert_int_equal(riad_base32_decode("mzxw-6yTb\nMZXW 6YTB", 19, bytes, 10), 0);
    assert_memory_equal(bytes, "foobafooba", 10);
    riad_base32_encode("", 0, text);
    assert_string_equal(text, "");
}

static void every_value_comes_back(void **state)
{
    uint8_t bytes[5] = { 0 }, again[5];
    char text[RIAD_BASE32_SIZE(5)];

    (void)state;
    for (unsigned bit = 0; bit < 40; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        riad_base32_encode(bytes, 5, text);
        assert_int_equal(strlen(text), 8);
        assert_int_equal(riad_base32_decode(text, 8, again, 5), 0);
        assert_memory_equal(again, bytes, 5);
    }
}

static void what_is_no_value_is_refused(void **state)
{
    static const char *const texts[] = { "", "MZXW6YT", "MZXW6YTBA", "MZXW6YT1",
        "MZXW6YT=", "MZXW6YT0", "MZXW6YT8", "MZXW6YT\xc3\xa9" };
    uint8_t bytes[5];

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(riad_base32_decode(texts[i], strlen(texts[i]), bytes, 5), -EINVAL);
    }
    assert_int_equal(riad_base32_decode("MZXW6YTB", 8, bytes, 4), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfcs_vectors),
        cmocka_unit_test(every_value_comes_back),
        cmocka_unit_test(what_is_no_value_is_refused),
    };

    return cmocka_run_group_tests_name("base32", tests, NULL, NULL);
}
