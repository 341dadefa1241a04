/* When a limit is told of: each mark once, and anew after usage was well below. */
#include "riad/limit_marks.h"

#include "unit.h"

static enum riad_limit_mark heard[8];
static unsigned count;

static void hear(void *context, enum riad_limit_mark mark, const char *what)
{
    (void)context;
    assert_true(count < 8 && what[0] != '\0');
    heard[count++] = mark;
}

static unsigned told;

static unsigned look(uint64_t used, uint64_t soft, uint64_t hard, bool refused)
{
    const struct riad_limit_measure measure = { used, soft, hard, hard, refused };

    count = 0;
    riad_limit_marks_look(&measure, &told, hear, NULL);
    return count;
}

static int forget(void **state)
{
    (void)state;
    told = 0;
    return 0;
}

static void each_once(void **state)
{
    (void)state;
    assert_int_equal(look(50, 50, 100, false), 0);
    assert_int_equal(look(51, 50, 100, false), 1);
    assert_int_equal(heard[0], RIAD_MARK_SOFT);
    assert_int_equal(look(79, 50, 100, false), 0);
    assert_int_equal(look(95, 50, 100, false), 2);
    assert_int_equal(heard[0], RIAD_MARK_80);
    assert_int_equal(heard[1], RIAD_MARK_95);
    assert_int_equal(look(100, 50, 100, true), 1);
    assert_int_equal(heard[0], RIAD_MARK_HARD);
    assert_int_equal(look(100, 50, 100, true), 0);
}

static void anew_when_it_was_well_below(void **state)
{
    (void)state;
    assert_int_equal(look(100, 50, 100, true), 4);
    assert_int_equal(look(90, 50, 100, false), 0); /* the hard one only: 95 % needs less */
    assert_int_equal(look(100, 50, 100, true), 1);
    assert_int_equal(look(74, 50, 100, false), 0);
    assert_int_equal(look(100, 50, 100, true), 3);
    assert_int_equal(look(47, 50, 100, false), 0);
    assert_int_equal(look(51, 50, 100, false), 1);
}

static void what_is_so_already_is_quiet(void **state)
{
    const struct riad_limit_measure full = { 100, 50, 100, 100, false };

    (void)state;
    riad_limit_marks_look(&full, &told, NULL, NULL);
    assert_int_equal(look(100, 50, 100, false), 0);
    assert_int_equal(look(100, 50, 100, true), 1);
}

/* The grace is over: 50 is what refuses, and being below 95 is no news. */
static void a_refusal_by_the_soft_limit_is_told_once(void **state)
{
    const struct riad_limit_measure refused = { 60, 50, 100, 50, true };
    const struct riad_limit_measure quiet = { 60, 50, 100, 50, false };

    (void)state;
    count = 0;
    riad_limit_marks_look(&refused, &told, hear, NULL);
    assert_int_equal(count, 2);
    assert_int_equal(heard[1], RIAD_MARK_HARD);
    riad_limit_marks_look(&quiet, &told, hear, NULL);
    riad_limit_marks_look(&refused, &told, hear, NULL);
    assert_int_equal(count, 2);
}

static void a_grace_is_shown(void **state)
{
    char text[64];

    (void)state;
    riad_limit_show_grace(86400 * 365, 3600, text);
    assert_string_equal(text, "; from 1971-01-01T01:00:00Z on it holds");
    riad_limit_show_grace(0, 3600, text);
    assert_string_equal(text, "");
}

static void no_limit_has_no_marks(void **state)
{
    (void)state;
    assert_int_equal(look(UINT64_MAX, 0, 0, false), 0);
    assert_int_equal(look(UINT64_MAX - 1, 0, UINT64_MAX, false), 2); /* nothing overflows */
}

static void amounts_are_shown(void **state)
{
    char text[32];

    (void)state;
    riad_limit_show(true, 3 << 19, text);
    assert_string_equal(text, "1.5 MiB");
    riad_limit_show(false, UINT64_MAX, text);
    assert_string_equal(text, "18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_once, forget),
        cmocka_unit_test_setup(anew_when_it_was_well_below, forget),
        cmocka_unit_test_setup(what_is_so_already_is_quiet, forget),
        cmocka_unit_test_setup(a_refusal_by_the_soft_limit_is_told_once, forget),
        cmocka_unit_test_setup(a_grace_is_shown, forget),
        cmocka_unit_test_setup(no_limit_has_no_marks, forget),
        cmocka_unit_test_setup(amounts_are_shown, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
