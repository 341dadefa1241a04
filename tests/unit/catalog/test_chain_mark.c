#include "catalog_fixture.h"

static void the_mark_follows_the_catalog(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), 0);
    assert_int_equal(add(&catalog, 1, 1), 0);
    assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), 0);
    assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), 0);
    assert_int_equal(set_limit(&catalog, 1, 2), 0);
    assert_int_equal(set_limit(&catalog, 1, 3), 0);
    assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), 0);
}

/* K6: the storage puts back a true, older catalog, say with a higher limit. */
static void a_catalog_rolled_back_is_refused(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog older = { 0 };
    _cleanup_catalog_ struct riad_catalog empty = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1000), 0);
    assert_int_equal(set_limit(&catalog, 1, 10), 0);
    assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), 0);
    assert_int_equal(unlinkat(catalog_fd, "0000000000000002", 0), 0);
    assert_int_equal(load(&older), 0);
    assert_true(hard_limit(&older, 1) == 1000);
    assert_int_equal(riad_catalog_check_mark(&older, state_fd), -ESTALE);
    assert_int_equal(unlinkat(catalog_fd, "0000000000000000", 0), 0);
    assert_int_equal(load(&empty), 0);
    assert_int_equal(riad_catalog_check_mark(&empty, state_fd), -ESTALE);
    assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), 0); /* the mark did not go back */
}

/* Rolled back and continued differently: longer than the mark, and yet not the history that was
 * seen. */
static void another_history_is_refused(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog other = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1), 0);
    assert_int_equal(set_limit(&catalog, 1, 2), 0);
    assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), 0);
    assert_int_equal(unlinkat(catalog_fd, "0000000000000002", 0), 0);
    assert_int_equal(set_limit(&other, 1, 3), 0);
    assert_int_equal(riad_catalog_check_mark(&other, state_fd), -ESTALE);
    assert_int_equal(add(&other, 2, 4), 0);
    assert_true(
            riad_chain_last(&other.ends).next_number > riad_chain_last(&catalog.ends).next_number);
    assert_int_equal(riad_catalog_check_mark(&other, state_fd), -ESTALE);
}

static void a_damaged_mark_is_refused(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_bytes_ struct bytes mark = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1), 0);
    assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), 0);
    mark = read_bytes(state_fd, "catalog-mark");
    for (size_t i = 0; i < mark.size; i++) {
        mark.data[i] ^= 0x20;
        write_bytes(state_fd, "catalog-mark", mark.data, mark.size);
        mark.data[i] ^= 0x20;
        assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), -EBADMSG);
    }
    for (size_t size = 0; size < mark.size; size++) {
        write_bytes(state_fd, "catalog-mark", mark.data, size);
        assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), -EBADMSG);
    }
    assert_int_equal(unlinkat(state_fd, "catalog-mark", 0), 0);
    assert_int_equal(riad_catalog_check_mark(&catalog, state_fd), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_mark_follows_the_catalog),
        TEST(a_catalog_rolled_back_is_refused),
        TEST(another_history_is_refused),
        TEST(a_damaged_mark_is_refused),
    };

    return cmocka_run_group_tests_name("chain_mark", tests, NULL, NULL);
}
