/* Changes that contradict the rows or cannot be decoded leave nothing behind. */
#include "index/refusals.h"

static void contradictions_are_refused_whole(void **state)
{
    struct fixture *f = *state;

    plant_for_refusals(f);
    refuse_all(f); /* what is kept was not committed yet: it is applied again */
    fixture_commit(f);
    refuse_all(f);
    fixture_close(f);
    fixture_open(f);
    refuse_all(f);
}

static void damaged_operations_are_refused_whole(void **state)
{
    struct fixture *f = *state;
    struct riad_reader operations;

    plant_for_refusals(f);
    begin_doomed(f);
    riad_change_remove_inode(&f->change, 5);
    riad_reader_init(&operations, f->change.operations.data, f->change.operations.size - 1);
    assert_int_equal(riad_index_apply(f->index, &operations, &f->end, 0), -EBADMSG);
    begin_doomed(f);
    riad_change_remove_inode(&f->change, 4);
    assert_refused(f);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(contradictions_are_refused_whole),
        TEST(damaged_operations_are_refused_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
