/* What is counted, and what of it is somebody's use of a workspace: by that, idle ones are locked.
 */
#include <linux/fuse.h>

#include "counters_priv.h"
#include "unit.h"

static bool is_use(uint32_t opcode)
{
    struct riad_counters counters = { 0 };
    struct riad_session_counters read;

    riad_counters_request(&counters, opcode);
    riad_counters_read(&counters, &read);
    return riad_counters_uses(&read) == 1;
}

/* FORGET comes when memory is short, INTERRUPT beside what it interrupts, STATFS from who watches.
 */
static void all_but_four_are_uses(void **state)
{
    (void)state;
    for (uint32_t opcode = 0; opcode < RIAD_OPCODES_MAX; opcode++) {
        bool use = opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET &&
                   opcode != FUSE_INTERRUPT && opcode != FUSE_STATFS;

        assert_int_equal(is_use(opcode), use);
    }
}

static void unknown_requests_are_counted_as_one_kind(void **state)
{
    struct riad_counters counters = { 0 };
    struct riad_session_counters read;

    (void)state;
    riad_counters_request(&counters, RIAD_OPCODES_MAX);
    riad_counters_request(&counters, UINT32_MAX);
    riad_counters_request(&counters, FUSE_LOOKUP);
    riad_counters_error(&counters);
    riad_counters_read(&counters, &read);
    assert_int_equal(read.requests[0], 2);
    assert_int_equal(read.requests[FUSE_LOOKUP], 1);
    assert_int_equal(read.errors, 1);
    assert_int_equal(riad_counters_uses(&read), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_but_four_are_uses),
        cmocka_unit_test(unknown_requests_are_counted_as_one_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
