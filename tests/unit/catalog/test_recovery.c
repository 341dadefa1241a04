#include <ctype.h>

#include "fixture.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

static int parse(const char *text)
{
    _cleanup_secret_ struct riad_secret *typed = secret_of(text);
    struct riad_secret *parsed = NULL;
    int r = riad_recovery_parse(typed, &parsed);

    assert_true((r == 0) == (parsed != NULL));
    riad_secret_free(parsed);
    return r;
}

static void assert_parses_to(const char *text, const struct riad_secret *code)
{
    _cleanup_secret_ struct riad_secret *typed = secret_of(text);
    _cleanup_secret_ struct riad_secret *parsed = NULL;

    assert_int_equal(riad_recovery_parse(typed, &parsed), 0);
    assert_true(riad_secret_equal(parsed, code));
}

static void a_code_has_its_documented_form(void **state)
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    char text[RIAD_RECOVERY_TEXT_SIZE];

    (void)state;
    assert_int_equal(riad_recovery_new(&code, text), 0);
    assert_int_equal(riad_secret_size(code), 32);
    assert_int_equal(strlen(text), 63);
    for (int i = 0; i < 63; i++) {
        if (i % 8 == 7) {
            assert_int_equal(text[i], '-');
        } else {
            assert_non_null(strchr(alphabet, text[i]));
        }
    }
}

static void codes_come_back(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        _cleanup_secret_ struct riad_secret *code = NULL;
        char text[RIAD_RECOVERY_TEXT_SIZE];

        assert_int_equal(riad_recovery_new(&code, text), 0);
        assert_parses_to(text, code);
    }
}

/* Made by another implementation: Python's hashlib and base64. */
static void a_known_code_is_read(void **state)
{
    uint8_t zeros[32] = { 0 };
    _cleanup_secret_ struct riad_secret *code = NULL;

    (void)state;
    assert_int_equal(riad_secret_new_copy(zeros, sizeof zeros, &code), 0);
    assert_parses_to("AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAI3LMU", code);
}

static void case_spaces_and_dashes_do_not_matter(void **state)
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    char text[RIAD_RECOVERY_TEXT_SIZE], other[256];
    size_t size = 0;

    (void)state;
    assert_int_equal(riad_recovery_new(&code, text), 0);
    for (size_t i = 0; text[i]; i++) {
        if (text[i] != '-') {
            size += (size_t)sprintf(
                    other + size, "%s%c", i % 3 ? "" : " -\t", i % 2 ? tolower(text[i]) : text[i]);
        }
    }
    strcpy(other + size, "\r\n");
    assert_parses_to(other, code);
}

static void every_wrong_character_is_found(void **state)
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    char text[RIAD_RECOVERY_TEXT_SIZE];

    (void)state;
    assert_int_equal(riad_recovery_new(&code, text), 0);
    for (size_t i = 0; text[i]; i++) {
        char right = text[i];

        for (size_t k = 0; right != '-' && k < 32; k++) {
            text[i] = alphabet[k];
            assert_int_equal(parse(text), alphabet[k] == right ? 0 : -EINVAL);
        }
        text[i] = right;
    }
}

static void swapped_neighbours_are_found(void **state)
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    char text[RIAD_RECOVERY_TEXT_SIZE];

    (void)state;
    assert_int_equal(riad_recovery_new(&code, text), 0);
    for (size_t i = 0; text[i + 1]; i++) {
        char left = text[i], right = text[i + 1];

        if (left == '-' || right == '-' || left == right) {
            continue;
        }
        text[i] = right;
        text[i + 1] = left;
        assert_int_equal(parse(text), -EINVAL);
        text[i] = left;
        text[i + 1] = right;
    }
}

static void what_is_no_code_is_refused(void **state)
{
    _cleanup_secret_ struct riad_secret *code = NULL;
    char text[RIAD_RECOVERY_TEXT_SIZE], other[2 * RIAD_RECOVERY_TEXT_SIZE];

    (void)state;
    assert_int_equal(riad_recovery_new(&code, text), 0);
    for (size_t size = 1; size < strlen(text); size++) {
        memcpy(other, text, size);
        other[size] = '\0';
        assert_int_equal(parse(other), -EINVAL);
    }
    snprintf(other, sizeof other, "%sA", text);
    assert_int_equal(parse(other), -EINVAL);
    snprintf(other, sizeof other, "%s%s", text, text);
    assert_int_equal(parse(other), -EINVAL);
    for (unsigned character = 1; character < 256; character++) {
        text[20] = (char)character;
        if (!isalnum((int)character) && !strchr(" -\t\r\n", (int)character)) {
            assert_int_equal(parse(text), -EINVAL);
        }
    }
    assert_int_equal(parse("-"), -EINVAL);
    assert_int_equal(parse("correct horse battery staple"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_code_has_its_documented_form),
        cmocka_unit_test(codes_come_back),
        cmocka_unit_test(a_known_code_is_read),
        cmocka_unit_test(case_spaces_and_dashes_do_not_matter),
        cmocka_unit_test(every_wrong_character_is_found),
        cmocka_unit_test(swapped_neighbours_are_found),
        cmocka_unit_test(what_is_no_code_is_refused),
    };

    return cmocka_run_group_tests_name("recovery", tests, NULL, NULL);
}
