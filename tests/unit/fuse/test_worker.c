/* What a transport thread knows of its request, and how another one takes it over. */
#include <linux/fuse.h>

#include "unit.h"
#include "worker_priv.h"

static void note(uint32_t opcode, uint64_t unique)
{
    struct fuse_in_header header = { .len = sizeof header, .opcode = opcode, .unique = unique };

    assert_true(riad_worker_note((const uint8_t *)&header, sizeof header));
}

static void a_message_too_short_is_none(void **state)
{
    uint8_t message[sizeof(struct fuse_in_header) - 1] = { 0 };

    (void)state;
    assert_false(riad_worker_note(message, sizeof message));
}

static void a_held_request_comes_back_for_its_reply(void **state)
{
    struct riad_worker before;
    struct riad_held held;

    (void)state;
    note(FUSE_FSYNC, 7);
    assert_false(riad_worker.held);
    riad_worker_hold(&held);
    assert_true(riad_worker.held);
    note(FUSE_LOOKUP, 8); /* the thread goes on */
    assert_false(riad_worker.held);
    riad_worker.replied = true;
    riad_worker_resume(&held, &before);
    assert_int_equal(riad_transport_request()->unique, 7);
    assert_int_equal(riad_transport_request()->opcode, FUSE_FSYNC);
    assert_false(riad_worker.replied || riad_worker.held);
    riad_worker_resumed(&before);
    assert_int_equal(riad_transport_request()->unique, 8);
    assert_true(riad_worker.replied);
    riad_worker_done();
    assert_int_equal(riad_transport_request()->unique, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_too_short_is_none),
        cmocka_unit_test(a_held_request_comes_back_for_its_reply),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
