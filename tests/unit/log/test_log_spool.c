/* A log that appends to a spool: what it promises holds as without one (L1, L5, P1). */
#include <pthread.h>

#include "fixture.h"

static struct riad_spool_home home;

static int setup(void **state)
{
    fixture_setup(state);
    home = (struct riad_spool_home){ .state_fd = f.directory.fd, .workspace = f.workspace };
    return riad_random_id(&home.boot);
}

static uint64_t deliver(void)
{
    struct riad_delivery delivery = { 0 };

    assert_int_equal(riad_spool_deliver(&home, f.directory.fd, 1, &delivery), 0);
    assert_false(delivery.aside);
    return delivery.bytes;
}

static void open_log(uint64_t log_size)
{
    const struct riad_log_config config = { .workspace_fd = f.directory.fd,
        .keys = f.keys,
        .term = 1,
        .log_segment_size = log_size,
        .spool = &home };

    f.history.count = 1;
    f.terms[0] = (struct riad_term){ .number = 1, .epoch = 1 };
    assert_int_equal(riad_log_open(&config, &f.log), 0);
}

static void changes_of_a_dead_process_are_in_the_log(void **state)
{
    (void)state;
    open_log(0);
    fixture_append(50);
    fixture_assert_replays(0);
    fixture_close_log();
    assert_true(deliver() > 0);
    fixture_assert_replays(50);
}

static void a_sync_ships_first(void **state)
{
    (void)state;
    open_log(0);
    fixture_append(50);
    assert_int_equal(riad_log_sync(f.log), 0);
    assert_int_equal(riad_log_unshipped(f.log), 0);
    fixture_assert_replays(50);
    fixture_append(1);
    fixture_assert_replays(50);
}

static void a_segment_is_whole_before_the_next_begins(void **state)
{
    (void)state;
    open_log(16 << 10);
    fixture_append(500);
    assert_true(fixture_count_segments(RIAD_SEGMENT_LOG) > 5);
    assert_true(riad_log_unshipped(f.log) < 32 << 10);
    fixture_close_log();
    (void)deliver();
    fixture_assert_replays(500);
}

static int append_large(void)
{
    static const uint8_t data[60000];
    const struct riad_birth birth = { .inode = 5 };
    _cleanup_(riad_payload_freep) struct riad_payload *payload =
            fixture_seal(false, &birth, 65536, data, sizeof data);

    return fixture_try_append(payload, "large");
}

/* L5: no room is told at the append, and costs nothing but that. */
static void a_full_store_refuses_the_append(void **state)
{
    size_t count = 0;

    (void)state;
    open_log(0);
    fixture_append(1);
    faults_fail_from(FAULT_FALLOCATE, 1, ENOSPC);
    while (append_large() == 0) {
        count++;
        assert_true(count < 20);
    }
    assert_true(count > 10);
    assert_int_equal(append_large(), -ENOSPC);
    faults_fail(FAULT_NONE, 0, 0);
    fixture_append(1);
    assert_int_equal(riad_log_sync(f.log), 0);
    fixture_assert_replays(count + 2);
    assert_int_equal(fixture_count_segments(RIAD_SEGMENT_LOG), 1);
}

/* Whoever appends ships first, where nobody else does. */
static void a_full_spool_is_shipped_by_the_append(void **state)
{
    (void)state;
    open_log(0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(append_large(), 0);
    }
    fixture_close_log();
    (void)deliver();
    fixture_assert_replays(100);
}

static uint64_t size_of_first(void)
{
    struct stat st;

    assert_int_equal(fstatat(f.directory.fd, "log/0000000100000001", &st, 0), 0);
    return (uint64_t)st.st_size;
}

static struct riad_end synced_end(void)
{
    struct riad_end end;
    uint64_t start;

    riad_log_synced(f.log, &end, &start);
    return end;
}

static void append_and_sync(unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        fixture_append(1);
        assert_int_equal(riad_log_sync(f.log), 0);
    }
}

static void without_a_spool_the_store_is_written_at_once(void **state)
{
    (void)state;
    faults.unreserved = EPERM;
    open_log(0);
    fixture_append(20);
    assert_int_equal(riad_log_unshipped(f.log), 0);
    fixture_assert_replays(20);
    append_and_sync(3);
    assert_int_equal(size_of_first(), synced_end().offset);
}

static void a_store_that_reserves_nothing_is_spooled_too(void **state)
{
    (void)state;
    faults.unreserved = EOPNOTSUPP;
    open_log(0);
    fixture_append(20);
    assert_true(riad_log_unshipped(f.log) > 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    assert_int_equal(riad_log_unshipped(f.log), 0);
    fixture_assert_replays(20);
    append_and_sync(3);
    assert_int_equal(size_of_first(), synced_end().offset); /* over a network it would not pay */
}

/* Nobody has reserved room: others took it. */
static void a_full_store_is_tried_again(void **state)
{
    unsigned count = 20;

    (void)state;
    faults.unreserved = EOPNOTSUPP;
    open_log(0);
    fixture_append(count);
    faults_fail_from(FAULT_PWRITE, 1, ENOSPC);
    assert_int_equal(riad_log_ship(f.log), -ENOSPC);
    assert_int_equal(riad_log_sync(f.log), -ENOSPC);
    assert_int_equal(riad_log_roll(f.log), -ENOSPC);
    while (append_large() == 0) {
        count++;
    }
    assert_in_range(count, 80, 100); /* when the spool is full */
    assert_int_equal(riad_log_sync(f.log), -ENOSPC);
    assert_int_equal(riad_log_writable(f.log), 0);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    assert_int_equal(riad_log_roll(f.log), 0);
    assert_int_equal(fixture_try_append(NULL, "room"), 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    fixture_assert_replays(count + 1);
}

static void a_store_that_fails_ends_the_log_and_loses_nothing(void **state)
{
    (void)state;
    open_log(0);
    fixture_append(20);
    faults_fail_from(FAULT_PWRITE, 1, EIO);
    assert_int_equal(riad_log_ship(f.log), -EIO);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(fixture_try_append(NULL, "never"), -EROFS);
    assert_int_equal(riad_log_sync(f.log), -EIO);
    fixture_close_log();
    assert_true(deliver() > 0);
    fixture_assert_replays(20);
}

static void what_was_reserved_is_given_back(void **state)
{
    struct stat st;

    (void)state;
    open_log(0);
    fixture_append(5);
    fixture_close_log();
    (void)deliver();
    assert_int_equal(fstatat(f.directory.fd, "log/0000000100000001", &st, 0), 0);
    assert_true(st.st_blocks * 512 < 64 << 10);
}

/* Zeros are written ahead: readers take them for the end, also of a log whose node is gone. */
static void syncs_in_a_row_do_not_make_the_file_grow(void **state)
{
    uint64_t size;

    (void)state;
    open_log(0);
    append_and_sync(1);
    assert_int_equal(size_of_first(), synced_end().offset); /* one alone is not worth it */
    append_and_sync(1);
    size = size_of_first();
    assert_true(size > synced_end().offset + (100 << 10));
    append_and_sync(20);
    assert_int_equal(size_of_first(), size);
    fixture_assert_replays(22);
    while (size_of_first() == size) {
        assert_true(synced_end().offset + (32 << 10) < size);
        append_and_sync(1);
    }
    assert_true(size_of_first() > size + (100 << 10));
}

static void what_was_written_ahead_is_cut_off(void **state)
{
    uint64_t end;

    (void)state;
    open_log(0);
    append_and_sync(3);
    end = synced_end().offset;
    assert_true(size_of_first() > end);
    assert_int_equal(riad_log_roll(f.log), 0);
    assert_int_equal(size_of_first(), end);
    fixture_append(1);
    assert_int_equal(riad_log_sync(f.log), 0);
    fixture_assert_replays(4);
}

static void *ship_always(void *argument)
{
    atomic_bool *stop = argument;

    while (!atomic_load(stop)) {
        assert_int_equal(riad_log_ship(f.log), 0);
    }
    return NULL;
}

static void appending_and_shipping_go_together(void **state)
{
    atomic_bool stop = false;
    pthread_t threads[2];

    (void)state;
    open_log(256 << 10);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ship_always, &stop), 0);
    }
    fixture_append(FIXTURE_CHANGES - 1);
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    fixture_close_log();
    (void)deliver();
    fixture_assert_replays(FIXTURE_CHANGES - 1);
}

#define SPOOLED(function) cmocka_unit_test_setup_teardown(function, setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPOOLED(changes_of_a_dead_process_are_in_the_log),
        SPOOLED(a_sync_ships_first),
        SPOOLED(a_segment_is_whole_before_the_next_begins),
        SPOOLED(a_full_store_refuses_the_append),
        SPOOLED(a_full_spool_is_shipped_by_the_append),
        SPOOLED(without_a_spool_the_store_is_written_at_once),
        SPOOLED(a_store_that_reserves_nothing_is_spooled_too),
        SPOOLED(a_full_store_is_tried_again),
        SPOOLED(a_store_that_fails_ends_the_log_and_loses_nothing),
        SPOOLED(what_was_reserved_is_given_back),
        SPOOLED(syncs_in_a_row_do_not_make_the_file_grow),
        SPOOLED(what_was_written_ahead_is_cut_off),
        SPOOLED(appending_and_shipping_go_together),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
