#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "riad/error.h"

#include "event_queue_priv.h"
#include "unit.h"

static const struct riad_id one = { { 1 } };
static const struct riad_id two = { { 2 } };

static int setup(void **state)
{
    return riad_event_queue_new((struct riad_event_queue **)state);
}

static int teardown(void **state)
{
    riad_event_queue_free(*state);
    return 0;
}

static bool is_readable(const struct riad_event_queue *queue)
{
    struct pollfd item = { .fd = riad_event_queue_fd(queue), .events = POLLIN };

    return poll(&item, 1, 0) == 1;
}

static void assert_taken(
        struct riad_event_queue *queue, const struct riad_id *workspace, const char *text)
{
    struct riad_queued_event event;
    uint64_t dropped;

    assert_true(riad_event_queue_take(queue, &event, &dropped));
    assert_true(riad_id_equal(&event.workspace, workspace));
    assert_string_equal(event.text, text);
}

static uint64_t assert_empty(struct riad_event_queue *queue)
{
    struct riad_queued_event event;
    uint64_t dropped = 0;

    assert_false(riad_event_queue_take(queue, &event, &dropped));
    return dropped;
}

static void first_in_first_out(void **state)
{
    struct riad_event_queue *queue = *state;

    assert_false(is_readable(queue));
    riad_event_queue_put(queue, &one, "problem", "a", 100);
    riad_event_queue_put(queue, &two, "problem", "a", 100);
    riad_event_queue_put(queue, &one, "problem", "b", 100);
    assert_true(is_readable(queue));
    assert_taken(queue, &one, "a");
    assert_taken(queue, &two, "a");
    assert_taken(queue, &one, "b");
    assert_int_equal(assert_empty(queue), 0);
    assert_false(is_readable(queue));
}

static void said_again_it_counts_once(void **state)
{
    struct riad_event_queue *queue = *state;

    for (int i = 0; i < 1000; i++) {
        riad_event_queue_put(queue, &one, "problem", "the same", 100);
    }
    assert_taken(queue, &one, "the same");
    assert_int_equal(assert_empty(queue), 0);
    riad_event_queue_put(queue, &one, "problem", "the same", 160); /* a minute later it is news */
    assert_taken(queue, &one, "the same");
}

static void a_flood_is_counted(void **state)
{
    struct riad_event_queue *queue = *state;
    char text[32];

    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "%d", i);
        riad_event_queue_put(queue, &one, "problem", text, 100);
        if (i < 20) {
            assert_taken(queue, &one, text); /* taken at once: it counts all the same */
        }
    }
    for (int i = 20; i < RIAD_EVENTS_PER_MINUTE; i++) {
        snprintf(text, sizeof text, "%d", i);
        assert_taken(queue, &one, text);
    }
    assert_int_equal(assert_empty(queue), 1000 - RIAD_EVENTS_PER_MINUTE);
    assert_int_equal(assert_empty(queue), 0);
    riad_event_queue_put(queue, &one, "problem", "later", 161);
    assert_taken(queue, &one, "later");
}

static void long_texts_are_cut(void **state)
{
    struct riad_event_queue *queue = *state;
    char text[1000];

    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    riad_event_queue_put(queue, &one, "problem", text, 100);
    text[RIAD_EVENT_QUEUE_TEXT - 1] = '\0';
    assert_taken(queue, &one, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(first_in_first_out, setup, teardown),
        cmocka_unit_test_setup_teardown(said_again_it_counts_once, setup, teardown),
        cmocka_unit_test_setup_teardown(a_flood_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(long_texts_are_cut, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
