#include <pthread.h>
#include <stdatomic.h>

#include "log/fixture.h"

static void synced_position_follows_syncs_only(void **state)
{
    struct riad_end end;
    uint64_t start;

    (void)state;
    fixture_open(0);
    fixture_append(3);
    assert_true(riad_log_unsynced(f.log) > 0);
    riad_log_synced(f.log, &end, &start);
    assert_int_equal(end.sequence.number, 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    riad_log_synced(f.log, &end, &start);
    assert_true(riad_end_equal(&end, fixture_last()));
    assert_int_equal(start, f.written.starts[2]);
    assert_int_equal(riad_log_unsynced(f.log), 0);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    assert_int_equal(faults_count(FAULT_ANY), 0); /* nothing to do, nothing done */
}

/* All that was rolled since, both directories, and data before the log. */
static void a_sync_covers_every_file_and_name(void **state)
{
    const struct riad_birth birth = { 9, 1, 0 };
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    struct riad_log_counters counters;
    struct riad_place place;

    (void)state;
    fixture_open(RIAD_CHANGE_LENGTH_MAX + 2000);
    payload = fixture_seal(true, &birth, 4096, "data", 4);
    fixture_append(30);
    assert_int_equal(riad_log_write_bulk(f.log, payload, 9, &place), 0);
    assert_true(riad_log_is_open_segment(f.log, place.segment));
    riad_log_count(f.log, &counters);
    assert_true(counters.segments > 3);
    assert_int_equal(counters.appends, 30);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    assert_int_equal(faults_count(FAULT_FDATASYNC), counters.segments);
    assert_int_equal(faults_count(FAULT_FSYNC), 2);
    fixture_append(1);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    assert_int_equal(faults_count(FAULT_FDATASYNC), 1);
    assert_int_equal(faults_count(FAULT_FSYNC), 0);
}

static void data_can_be_synced_ahead(void **state)
{
    const struct riad_birth birth = { 9, 1, 0 };
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    struct riad_place place;
    struct riad_end end;
    uint64_t start, before;

    (void)state;
    fixture_open(0);
    payload = fixture_seal(true, &birth, 4096, "data", 4);
    fixture_append(1);
    before = riad_log_unsynced(f.log);
    assert_int_equal(riad_log_write_bulk(f.log, payload, 9, &place), 0);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_log_sync_data(f.log), 0);
    assert_int_equal(faults_count(FAULT_FDATASYNC), 1);
    assert_int_equal(riad_log_unsynced(f.log), before);
    riad_log_synced(f.log, &end, &start);
    assert_int_equal(end.sequence.number, 0);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    assert_int_equal(faults_count(FAULT_FDATASYNC), 1); /* the log only */
    assert_int_equal(faults_count(FAULT_FSYNC), 2);
}

/* The kernel forgets dirty pages after a failed sync: nothing this log says can be trusted any
 * more. */
static void a_failed_sync_is_for_ever(void **state)
{
    static const enum fault_call calls[] = { FAULT_FDATASYNC, FAULT_FDATASYNC, FAULT_FSYNC,
        FAULT_FSYNC };
    const struct riad_birth birth = { 9, 1, 0 };
    struct riad_end end, empty = { 0 };
    uint64_t start;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
        struct riad_place place;

        fixture_open_term(f.written.count > 0 ? fixture_last() : &empty, 0, 0);
        payload = fixture_seal(true, &birth, 4096, "data", 4);
        assert_int_equal(riad_log_write_bulk(f.log, payload, 9, &place), 0);
        fixture_append(2);
        faults_fail(calls[i], 1 + i % 2, EIO);
        assert_int_equal(riad_log_sync(f.log), -EIO);
        faults_fail(FAULT_NONE, 0, 0);
        assert_int_equal(riad_log_sync(f.log), -EIO);
        assert_int_equal(riad_log_sync_data(f.log), -EIO);
        assert_int_equal(fixture_try_append(NULL, "no"), -EROFS);
        assert_int_equal(riad_log_write_bulk(f.log, payload, 9, &place), -EROFS);
        riad_log_synced(f.log, &end, &start);
        assert_int_equal(end.sequence.number, 2 * i);
    }
}

/* A killed owner may have left its tail in this node's page cache: the next one makes it durable
 * before it builds on it. */
static void opening_syncs_what_the_last_owner_left(void **state)
{
    const struct riad_birth birth = { 9, 1, 0 };
    _cleanup_(riad_payload_freep) struct riad_payload *payload = NULL;
    struct riad_log_config config = { .workspace_fd = f.directory.fd, .keys = f.keys, .term = 2 };
    struct riad_place place;
    struct riad_log *log;

    (void)state;
    fixture_open(0);
    payload = fixture_seal(true, &birth, 4096, "data", 4);
    assert_int_equal(riad_log_write_bulk(f.log, payload, 9, &place), 0);
    fixture_append(2);
    config.end = *fixture_last();
    config.start = f.written.starts[1];
    for (unsigned i = 1; i <= 2; i++) {
        faults_fail(FAULT_FDATASYNC, i, EIO);
        assert_int_equal(riad_log_open(&config, &log), -EIO);
    }
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_log_open(&config, &log), 0);
    assert_int_equal(faults_count(FAULT_FDATASYNC), 2);
    assert_int_equal(faults_count(FAULT_FSYNC), 2);
    riad_log_free(log);
}

enum { APPENDS = 400, BULKS = 60 };
static pthread_mutex_t mutation = PTHREAD_MUTEX_INITIALIZER;
static atomic_int failures;
static atomic_bool stopping;

static void *append_many(void *context)
{
    const struct riad_birth birth = { 7, 1, 0 };

    (void)context;
    for (int i = 0; i < APPENDS; i++) {
        struct riad_payload *payload = NULL;
        int r = riad_log_seal(f.log, false, &birth, 4096, "small", 5, &payload);

        if (r == 0) {
            pthread_mutex_lock(&mutation);
            r = fixture_try_append(payload, "from a thread");
            pthread_mutex_unlock(&mutation);
            riad_payload_free(payload);
        }
        failures += r != 0;
    }
    return NULL;
}

/* Each payload is read back at the place that was told, by another thread's segments. */
static void *bulk_many(void *context)
{
    uint64_t owner = *(const uint64_t *)context;
    const struct riad_birth birth = { owner, 1, 0 };
    struct riad_segments *segments;
    static const size_t size = 200000;
    uint8_t *data = malloc(2 * size);

    failures += riad_segments_new(f.directory.fd, f.keys, &f.epochs, &segments) != 0;
    for (unsigned i = 0; i < BULKS; i++) {
        struct riad_payload *payload = NULL;
        struct riad_place place;
        struct riad_run run;
        int r;

        fixture_fill(data, size, (unsigned)owner * 1000 + i);
        r = riad_log_seal(f.log, true, &birth, 65536, data, (uint32_t)size, &payload);
        if (r == 0) {
            r = riad_log_write_bulk(f.log, payload, owner, &place);
        }
        if (r == 0) {
            run = fixture_run(payload, &birth, &place);
            r = riad_segments_read(segments, &run, 0, (uint32_t)size, data + size);
        }
        failures += r != 0 || memcmp(data, data + size, size) != 0;
        riad_payload_freep(&payload);
    }
    riad_segments_free(segments);
    free(data);
    return NULL;
}

static void *sync_many(void *context)
{
    (void)context;
    while (!stopping) {
        struct riad_end before, after;
        uint64_t start;

        pthread_mutex_lock(&mutation);
        before = f.written.count > 0 ? *fixture_last() : (struct riad_end){ 0 };
        pthread_mutex_unlock(&mutation);
        failures += riad_log_sync(f.log) != 0;
        riad_log_synced(f.log, &after, &start);
        failures += after.sequence.number < before.sequence.number;
        failures += riad_log_sync_data(f.log) != 0;
    }
    return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
    pthread_t appenders[2], bulks[3], syncers[3];
    uint64_t owners[3] = { 100, 101, 102 };
    const struct riad_end empty = { 0 };

    (void)state;
    stopping = false;
    fixture_open_term(&empty, RIAD_CHANGE_LENGTH_MAX + 20000, 3 << 20);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&syncers[i], NULL, sync_many, NULL), 0);
        assert_int_equal(pthread_create(&bulks[i], NULL, bulk_many, &owners[i]), 0);
        if (i < 2) {
            assert_int_equal(pthread_create(&appenders[i], NULL, append_many, NULL), 0);
        }
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(bulks[i], NULL);
        if (i < 2) {
            pthread_join(appenders[i], NULL);
        }
    }
    stopping = true;
    for (int i = 0; i < 3; i++) {
        pthread_join(syncers[i], NULL);
    }
    assert_int_equal(failures, 0);
    assert_int_equal(riad_log_sync(f.log), 0);
    assert_int_equal(riad_log_unsynced(f.log), 0);
    fixture_assert_replays(2 * APPENDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
                synced_position_follows_syncs_only, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                a_sync_covers_every_file_and_name, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(data_can_be_synced_ahead, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(a_failed_sync_is_for_ever, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                opening_syncs_what_the_last_owner_left, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                threads_do_not_disturb_each_other, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
