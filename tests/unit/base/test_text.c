#include <stdio.h>

#include "riad/text.h"

#include "unit.h"

static void expect(const char *bytes, size_t size, const char *wanted)
{
    char text[64] = "";

    riad_text_append(text, sizeof text, bytes, size);
    assert_string_equal(text, wanted);
}

static void letters_of_all_sizes_are_kept(void **state)
{
    (void)state;
    expect("a b~", 4, "a b~");
    expect("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
}

static void what_moves_a_terminal_is_escaped(void **state)
{
    (void)state;
    expect("a\033[2J\n\t\177", 8, "a\\x1b[2J\\x0a\\x09\\x7f");
    expect("\xc2\x9b", 2, "\\xc2\\x9b"); /* CSI in one character */
    expect("a\\x1b", 5, "a\\x5cx1b");
    expect("\0", 1, "\\x00");
}

static void what_is_no_utf8_is_escaped(void **state)
{
    static const char *const bad[] = { "\xff", "\x80", "\xc3", "\xc0\xaf", "\xe0\x80\xaf",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3(" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char text[64] = "", first[8];

        riad_text_append(text, sizeof text, bad[i], strlen(bad[i]));
        snprintf(first, sizeof first, "\\x%02x", (uint8_t)bad[i][0]);
        assert_memory_equal(text, first, 4);
        for (const char *byte = text; *byte; byte++) {
            assert_true(*byte >= 0x20 && *byte < 0x7f);
        }
    }
}

static void what_does_not_fit_is_cut_between_characters(void **state)
{
    (void)state;
    for (size_t room = 1; room < 16; room++) {
        char text[16] = "";

        memset(text + 1, 'x', sizeof text - 1);
        riad_text_append(text, room, "a\xe2\x82\xac\n!", 6);
        assert_int_equal(strlen(text), room <= 1   ? 0
                                       : room <= 4 ? 1
                                       : room <= 8 ? 4
                                       : room <= 9 ? 8
                                                   : 9);
    }
}

static void what_a_terminal_obeys_is_known(void **state)
{
    (void)state;
    for (int byte = 1; byte < 256; byte++) {
        const char text[] = { (char)byte, 'x', '\0' };

        assert_int_equal(riad_text_control(text), byte < ' ' || byte == 0x7f);
    }
    assert_int_equal(riad_text_control(""), 0);
    assert_int_equal(riad_text_control("\xc2\x80"), 2);
    assert_int_equal(riad_text_control("\xc2\x9b"), 2); /* CSI */
    assert_int_equal(riad_text_control("\xc2\xa0"), 0);
    assert_int_equal(riad_text_control("\xc2"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_of_all_sizes_are_kept),
        cmocka_unit_test(what_moves_a_terminal_is_escaped),
        cmocka_unit_test(what_is_no_utf8_is_escaped),
        cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
        cmocka_unit_test(what_a_terminal_obeys_is_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
