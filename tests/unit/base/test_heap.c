/* The smallest is first, whatever was added and removed: against a plain search. */
#include <stdlib.h>

#include "heap_priv.h"
#include "unit.h"

enum { ITEMS = 100, STEPS = 20000 };

static void it_keeps_the_smallest_first(void **state)
{
    struct riad_heap heap = { 0 };
    struct riad_heap_item items[ITEMS];
    bool inside[ITEMS] = { false };

    (void)state;
    srand(1);
    assert_null(riad_heap_first(&heap));
    assert_int_equal(riad_heap_reserve(&heap, ITEMS), 0);
    for (int step = 0; step < STEPS; step++) {
        int at = rand() % ITEMS;
        const struct riad_heap_item *least = NULL;

        if (inside[at]) {
            riad_heap_remove(&heap, &items[at]);
        } else {
            items[at].key = (uint64_t)(rand() % 50);
            riad_heap_add(&heap, &items[at]);
        }
        inside[at] = !inside[at];
        for (int i = 0; i < ITEMS; i++) {
            least = inside[i] && (!least || items[i].key < least->key) ? &items[i] : least;
        }
        assert_true(!least == !riad_heap_first(&heap));
        assert_true(!least || least->key == riad_heap_first(&heap)->key);
    }
    riad_heap_done(&heap);
}

static void room_grows(void **state)
{
    struct riad_heap heap = { 0 };
    struct riad_heap_item items[1000];

    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        items[i].key = 1000 - i;
        assert_int_equal(riad_heap_reserve(&heap, i + 1), 0);
        riad_heap_add(&heap, &items[i]);
    }
    for (uint64_t key = 1; key <= 1000; key++) {
        assert_int_equal(riad_heap_first(&heap)->key, key);
        riad_heap_remove(&heap, riad_heap_first(&heap));
    }
    riad_heap_done(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_keeps_the_smallest_first),
        cmocka_unit_test(room_grows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
