#include <stdlib.h>

#include "references_priv.h"
#include "unit.h"

enum { INODES = 5000 };

static void counts_add_up_and_never_fall_below_zero(void **state)
{
    struct riad_references *references = NULL;

    (void)state;
    assert_int_equal(riad_references_new(&references), 0);
    assert_int_equal(riad_references_get(references, 7), 0);
    assert_int_equal(riad_references_add(references, 7, 2), 0);
    assert_int_equal(riad_references_add(references, 7, 3), 0);
    assert_int_equal(riad_references_get(references, 7), 5);
    assert_int_equal(riad_references_inodes(references), 1);
    assert_int_equal(riad_references_drop(references, 7, 4), 1);
    assert_int_equal(riad_references_drop(references, 7, 100), 0);
    assert_int_equal(riad_references_get(references, 7), 0);
    assert_int_equal(riad_references_drop(references, 7, 1), 0);
    assert_int_equal(riad_references_inodes(references), 0);
    riad_references_free(references);
}

static void inode_zero_is_refused(void **state)
{
    struct riad_references *references = NULL;

    (void)state;
    assert_int_equal(riad_references_new(&references), 0);
    assert_true(riad_references_add(references, 0, 1) < 0);
    assert_int_equal(riad_references_get(references, 0), 0);
    assert_int_equal(riad_references_drop(references, 0, 1), 0);
    riad_references_free(references);
}

/* Against a plain array, with numbers that collide: growth, shrinking and removal from the middle
 * of a run of slots. */
static void it_agrees_with_an_array_through_growth_and_removal(void **state)
{
    static uint64_t expected[INODES];
    struct riad_references *references = NULL;
    uint64_t held = 0;

    (void)state;
    srand(1);
    assert_int_equal(riad_references_new(&references), 0);
    for (int step = 0; step < 400000; step++) {
        size_t i = (size_t)rand() % INODES;
        uint64_t inode = (uint64_t)(i + 1) << (i % 3 * 20);
        uint64_t count = (uint64_t)(rand() % 4 + 1);
        bool growing = step < 150000 || (step > 300000 && step < 350000);

        if (rand() % 10 < (growing ? 7 : 2)) {
            held += expected[i] == 0;
            expected[i] += count;
            assert_int_equal(riad_references_add(references, inode, count), 0);
        } else {
            held -= expected[i] > 0 && expected[i] <= count;
            expected[i] = expected[i] > count ? expected[i] - count : 0;
            assert_int_equal(riad_references_drop(references, inode, count), expected[i]);
        }
        assert_int_equal(riad_references_inodes(references), held);
    }
    for (size_t i = 0; i < INODES; i++) {
        assert_int_equal(
                riad_references_get(references, (uint64_t)(i + 1) << (i % 3 * 20)), expected[i]);
    }
    riad_references_free(references);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_add_up_and_never_fall_below_zero),
        cmocka_unit_test(inode_zero_is_refused),
        cmocka_unit_test(it_agrees_with_an_array_through_growth_and_removal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
