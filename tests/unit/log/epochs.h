/* A log whose keys go through epochs, and who has left with those of the first. */
#ifndef RIAD_TESTS_LOG_EPOCHS_H
#define RIAD_TESTS_LOG_EPOCHS_H

#include "fixture.h"

static struct riad_keys *former; /* what a member who has left still has */
static struct riad_epoch_end ends[3];

static inline struct riad_keys *keys_of_first(void)
{
    static const uint8_t bytes[32] = { 7 };
    _cleanup_secret_ struct riad_secret *root = NULL;
    struct riad_keys *keys = NULL;

    assert_int_equal(riad_secret_new_copy(bytes, sizeof bytes, &root), 0);
    assert_int_equal(riad_keys_new(&f.workspace, 1, root, &keys), 0);
    return keys;
}

static inline int epochs_setup(void **state)
{
    fixture_setup(state);
    riad_keys_free(f.keys);
    f.keys = keys_of_first();
    former = keys_of_first();
    return 0;
}

static inline int epochs_teardown(void **state)
{
    riad_keys_free(former);
    return fixture_teardown(state);
}

/* Who reads is told where the epoch before ended. */
static inline void turn(uint32_t epoch)
{
    uint64_t segment = 0;

    fixture_add_epoch(epoch);
    assert_int_equal(riad_log_turn(f.log, &segment), 0);
    ends[epoch - 2] = (struct riad_epoch_end){ epoch - 1, *fixture_last(), segment };
    f.epochs = (struct riad_epoch_ends){ ends, epoch - 1 };
}

#endif
