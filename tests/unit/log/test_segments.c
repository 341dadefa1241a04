#include <pthread.h>

#include "riad/segments.h"

#include "log/fixture.h"

enum { SIZE = 150000, UNIT = 16384 };
static uint8_t content[SIZE], again[SIZE];
static const struct riad_birth birth = { 77, 2, 32768 };
static struct riad_payload *payload;
static struct riad_place place;
static struct riad_segments *segments;

static int setup(void **state)
{
    int r = fixture_setup(state);

    fixture_open(0);
    fixture_fill(content, SIZE, 11);
    payload = fixture_seal(true, &birth, UNIT, content, SIZE);
    assert_int_equal(riad_log_write_bulk(f.log, payload, 77, &place), 0);
    assert_int_equal(riad_segments_new(f.directory.fd, f.keys, &f.epochs, &segments), 0);
    return r;
}

static int teardown(void **state)
{
    riad_segments_free(segments);
    riad_payload_free(payload);
    return fixture_teardown(state);
}

static int read_run(const struct riad_run *run, uint32_t from, uint32_t size)
{
    memset(again, 0, SIZE);
    return riad_segments_read(segments, run, from, size, again);
}

static void every_range_reads_right(void **state)
{
    const struct riad_run run = fixture_run(payload, &birth, &place);
    static const uint32_t edges[] = { 0, 1, UNIT - 1, UNIT, UNIT + 1, 2 * UNIT, 5 * UNIT + 7,
        SIZE - UNIT, SIZE - 1, SIZE };
    enum { EDGES = sizeof edges / sizeof *edges };

    (void)state;
    for (int i = 0; i < EDGES; i++) {
        for (int k = i + 1; k < EDGES; k++) {
            faults_fail(FAULT_NONE, 0, 0);
            assert_int_equal(read_run(&run, edges[i], edges[k] - edges[i]), 0);
            assert_int_equal(faults_count(FAULT_PREAD), 1);
            assert_memory_equal(again, content + edges[i], edges[k] - edges[i]);
        }
    }
    assert_int_equal(read_run(&run, 0, 0), -EINVAL);
    assert_int_equal(read_run(&run, 0, SIZE + 1), -EINVAL);
    assert_int_equal(read_run(&run, SIZE, 1), -EINVAL);
    assert_int_equal(read_run(&run, 1, UINT32_MAX), -EINVAL);
    riad_segments_prefetch(segments, &run);
}

/* A file is opened once, a key derived once; each read asks for its file, each record for its key.
 */
static void files_and_keys_are_counted(void **state)
{
    const struct riad_run run = fixture_run(payload, &birth, &place);
    struct riad_segments_counters counters;

    (void)state;
    riad_segments_count(segments, &counters);
    assert_int_equal(counters.files.hits + counters.files.misses, 0);
    assert_int_equal(counters.keys.hits + counters.keys.misses, 0);
    assert_int_equal(read_run(&run, 0, 3 * UNIT), 0);
    assert_int_equal(read_run(&run, 0, 1), 0);
    riad_segments_count(segments, &counters);
    assert_int_equal(counters.files.misses, 1);
    assert_int_equal(counters.files.hits, 1);
    assert_int_equal(counters.keys.misses, 1);
    assert_int_equal(counters.keys.hits, 3);
    riad_segments_forget(segments, run.segment);
    assert_int_equal(read_run(&run, 0, 1), 0);
    riad_segments_count(segments, &counters);
    assert_int_equal(counters.files.misses, 2);
}

/* Of changes, of the data records that came with them, and of those in bulk. */
static void appends_and_data_records_are_counted(void **state)
{
    _cleanup_(riad_payload_freep) struct riad_payload *small =
            fixture_seal(false, &birth, 4096, content, 3 * 4096);
    struct riad_log_counters before, after;
    struct riad_place where;

    (void)state;
    riad_log_count(f.log, &before);
    assert_int_equal(before.records, payload->count);
    assert_int_equal(before.bulk_writes, 1);
    assert_int_equal(before.appends, 0);
    assert_int_equal(riad_log_place(f.log, small->size, &where), 0);
    assert_int_equal(fixture_try_append(small, "with data"), 0);
    assert_int_equal(fixture_try_append(NULL, "without"), 0);
    riad_log_count(f.log, &after);
    assert_int_equal(after.appends, 2);
    assert_int_equal(after.records, payload->count + 3);
    assert_int_equal(after.append_bytes, fixture_last()->offset);
    assert_int_equal(after.bulk_bytes, payload->size);
}

static void hostile_runs_are_refused(void **state)
{
    struct riad_run run = fixture_run(payload, &birth, &place);

    (void)state;
    run.count = 65;
    assert_int_equal(read_run(&run, 0, 1), -EINVAL);
    run = fixture_run(payload, &birth, &place);
    run.unit = 0;
    assert_int_equal(read_run(&run, 0, 1), -EINVAL);
    run = fixture_run(payload, &birth, &place);
    run.length = run.count * run.unit + 1;
    assert_int_equal(read_run(&run, 0, 1), -EINVAL);
    run = fixture_run(payload, &birth, &place);
    run.position = UINT64_MAX - 5;
    assert_int_equal(read_run(&run, 0, 1), -EINVAL);
    run = fixture_run(payload, &birth, &place);
    run.position = (uint64_t)1 << 60;
    assert_int_equal(read_run(&run, 0, 1), -EBADMSG);
    run = fixture_run(payload, &birth, &place);
    run.segment++;
    assert_int_equal(read_run(&run, 0, 1), -EBADMSG);
    riad_segments_prefetch(segments, &run);
}

/* P5: nothing but these bytes, at this place of this file. */
static void another_identity_place_or_tag_is_refused(void **state)
{
    struct riad_run run = fixture_run(payload, &birth, &place);
    uint8_t tags[RIAD_RUN_RECORDS_MAX * 16];

    (void)state;
    run.birth.inode++;
    assert_int_equal(read_run(&run, 0, SIZE), -EBADMSG);
    run = fixture_run(payload, &birth, &place);
    run.birth.generation--;
    assert_int_equal(read_run(&run, 0, SIZE), -EBADMSG);
    run = fixture_run(payload, &birth, &place);
    run.birth.offset += UNIT;
    assert_int_equal(read_run(&run, 0, SIZE), -EBADMSG);
    run = fixture_run(payload, &birth, &place);
    run.position += UNIT + 120;
    assert_int_equal(read_run(&run, 0, UNIT), -EBADMSG);
    run = fixture_run(payload, &birth, &place);
    memcpy(tags, payload->tags, (size_t)payload->count * 16);
    tags[16 * 3 + 15] ^= 1;
    run.tags = tags;
    assert_int_equal(read_run(&run, 0, 3 * UNIT), 0);
    assert_int_equal(read_run(&run, 0, 3 * UNIT + 1), -EBADMSG);
    assert_int_equal(read_run(&run, 4 * UNIT, UNIT), 0);
}

static void damage_anywhere_in_a_record_is_seen(void **state)
{
    const struct riad_run run = fixture_run(payload, &birth, &place);
    _cleanup_close_ int fd = fixture_open_file(RIAD_SEGMENT_DATA, place.segment, O_RDWR);
    size_t record = UNIT + 120;

    (void)state;
    for (size_t i = 0; i < record - 8; i += i < 200 ? 1 : 111) {
        off_t offset = (off_t)(place.position + record + i);
        uint8_t byte, flipped;

        assert_int_equal(pread(fd, &byte, 1, offset), 1);
        flipped = byte ^ 0x80;
        assert_int_equal(pwrite(fd, &flipped, 1, offset), 1);
        assert_int_equal(read_run(&run, UNIT + 5, 10), -EBADMSG);
        assert_int_equal(read_run(&run, 0, SIZE), -EBADMSG);
        assert_int_equal(read_run(&run, 0, UNIT), 0); /* the rest stays readable */
        assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    }
    assert_int_equal(read_run(&run, 0, SIZE), 0);
    assert_int_equal(ftruncate(fd, (off_t)(place.position + 3 * record - 1)), 0);
    assert_int_equal(read_run(&run, 2 * UNIT, 1), -EBADMSG);
    assert_int_equal(read_run(&run, 0, 2 * UNIT), 0);
}

/* An old copy of a record in its place is refused, though it is authentic. */
static void an_older_record_is_refused(void **state)
{
    _cleanup_(riad_payload_freep) struct riad_payload *newer =
            fixture_seal(true, &birth, UNIT, content, SIZE);
    _cleanup_close_ int fd = fixture_open_file(RIAD_SEGMENT_DATA, place.segment, O_RDWR);
    struct riad_place newer_place;
    struct riad_run run;

    (void)state;
    assert_int_equal(riad_log_write_bulk(f.log, newer, 77, &newer_place), 0);
    assert_int_equal(newer_place.segment, place.segment);
    run = fixture_run(newer, &birth, &newer_place);
    assert_int_equal(read_run(&run, 0, SIZE), 0);
    assert_int_equal(riad_pwrite_all(fd, payload->bytes, payload->size, newer_place.position), 0);
    assert_int_equal(read_run(&run, 0, 1), -EBADMSG);
}

static void a_replaced_file_is_opened_again(void **state)
{
    const struct riad_run run = fixture_run(payload, &birth, &place);
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;

    (void)state;
    data = fixture_load(RIAD_SEGMENT_DATA, place.segment, &size);
    assert_int_equal(read_run(&run, 0, SIZE), 0);
    fixture_store(RIAD_SEGMENT_DATA, place.segment, data, 100); /* the open descriptor sees this */
    fixture_unlink(RIAD_SEGMENT_DATA, place.segment);
    fixture_store(RIAD_SEGMENT_DATA, place.segment, data, size); /* but not this */
    assert_int_equal(read_run(&run, 0, SIZE), 0);
    assert_memory_equal(again, content, SIZE);
    faults_fail(FAULT_PREAD, 1, ESTALE);
    assert_int_equal(read_run(&run, 0, SIZE), 0);
    faults_fail_from(FAULT_PREAD, 1, ESTALE);
    assert_int_equal(read_run(&run, 0, SIZE), -EIO);
    faults_fail(FAULT_NONE, 0, 0);
    riad_segments_forget(segments, place.segment);
    fixture_unlink(RIAD_SEGMENT_DATA, place.segment);
    assert_int_equal(read_run(&run, 0, SIZE), -EBADMSG);
}

enum { FILES = 100, READERS = 4 };
static struct riad_place places[FILES];

static void *read_all(void *context)
{
    uintptr_t seed = (uintptr_t)context;
    uintptr_t bad = 0;
    uint8_t buffer[UNIT];

    for (unsigned i = 0; i < 3 * FILES; i++) {
        struct riad_run run = fixture_run(payload, &birth, &places[(i * 37 + seed * 11) % FILES]);

        bad += riad_segments_read(segments, &run, 0, UNIT, buffer) != 0 ||
               memcmp(buffer, content, UNIT) != 0;
        if (i % 10 == 0) {
            riad_segments_forget(segments, run.segment);
        }
    }
    return (void *)bad;
}

/* More segments than descriptors are kept, and threads that forget what others use. */
static void many_segments_and_threads(void **state)
{
    pthread_t threads[READERS];

    (void)state;
    for (size_t i = 0; i < FILES; i++) {
        places[i] = (struct riad_place){ 0x500000000 + i, 0 };
        fixture_store(i % 2 ? RIAD_SEGMENT_DATA : RIAD_SEGMENT_LOG, places[i].segment,
                payload->bytes, payload->size);
    }
    for (uintptr_t i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_all, (void *)i), 0);
    }
    for (int i = 0; i < READERS; i++) {
        void *bad;

        pthread_join(threads[i], &bad);
        assert_null(bad);
    }
}

/* Files of a segment's size get segments of their own; small ones share. */
static void big_owners_get_their_own_segments(void **state)
{
    static uint8_t big[1 << 20];
    uint64_t last[3] = { 0 };

    (void)state;
    for (int i = 0; i < 40; i++) {
        for (uint64_t owner = 1; owner <= 2; owner++) {
            const struct riad_birth own = { owner, 1, 0 };
            _cleanup_(riad_payload_freep) struct riad_payload *bulk =
                    fixture_seal(true, &own, 65536, big, sizeof big);
            struct riad_place where;

            assert_int_equal(riad_log_write_bulk(f.log, bulk, owner, &where), 0);
            last[owner] = where.segment;
            if (i < 7) {
                assert_int_equal(where.segment, place.segment);
            }
        }
    }
    assert_true(last[1] != last[2] && last[1] != place.segment && last[2] != place.segment);
    assert_int_equal(fixture_count_segments(RIAD_SEGMENT_DATA), 3);
}

static void headers_are_verified(void **state)
{
    struct riad_segment_header header;
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;

    (void)state;
    assert_int_equal(riad_segment_header_read(
                             f.directory.fd, f.keys, RIAD_SEGMENT_DATA, place.segment, &header),
            0);
    assert_int_equal(header.size, place.position);
    assert_int_equal(riad_segment_header_read(
                             f.directory.fd, f.keys, RIAD_SEGMENT_LOG, place.segment, &header),
            -ENOENT);
    data = fixture_load(RIAD_SEGMENT_DATA, place.segment, &size);
    fixture_store(RIAD_SEGMENT_LOG, place.segment, data, size); /* another kind */
    assert_int_equal(riad_segment_header_read(
                             f.directory.fd, f.keys, RIAD_SEGMENT_LOG, place.segment, &header),
            -EBADMSG);
    fixture_store(RIAD_SEGMENT_DATA, place.segment + 9, data, size); /* another name */
    assert_int_equal(riad_segment_header_read(
                             f.directory.fd, f.keys, RIAD_SEGMENT_DATA, place.segment + 9, &header),
            -EBADMSG);
    for (size_t i = 0; i < RIAD_SEGMENT_HEADER_SIZE; i++) {
        data[i] ^= 2;
        fixture_store(RIAD_SEGMENT_DATA, place.segment, data, RIAD_SEGMENT_HEADER_SIZE);
        assert_int_equal(riad_segment_header_read(
                                 f.directory.fd, f.keys, RIAD_SEGMENT_DATA, place.segment, &header),
                -EBADMSG);
        data[i] ^= 2;
        fixture_store(RIAD_SEGMENT_DATA, place.segment, data, i);
        assert_int_equal(riad_segment_header_read(
                                 f.directory.fd, f.keys, RIAD_SEGMENT_DATA, place.segment, &header),
                -EBADMSG);
    }
    data[4] = 2; /* a newer format, whole */
    riad_record_checksum(data, RIAD_SEGMENT_HEADER_SIZE - 8, data + RIAD_SEGMENT_HEADER_SIZE - 8);
    fixture_store(RIAD_SEGMENT_DATA, place.segment, data, RIAD_SEGMENT_HEADER_SIZE);
    assert_int_equal(riad_segment_header_read(
                             f.directory.fd, f.keys, RIAD_SEGMENT_DATA, place.segment, &header),
            -EPROTONOSUPPORT);
}

static void odd_names_and_things_are_passed_over(void **state)
{
    _cleanup_free_ uint64_t *ids = NULL;
    struct riad_segment_header header;
    size_t count;

    (void)state;
    assert_int_equal(mkdirat(f.directory.fd, "log/0000000100000009", 0700), 0);
    assert_int_equal(symlinkat("/dev/zero", f.directory.fd, "log/0000000100000008"), 0);
    assert_int_equal(mkfifoat(f.directory.fd, "log/0000000100000007", 0600), 0);
    assert_int_equal(symlinkat("x", f.directory.fd, "log/.tmp-0000000100000001"), 0);
    assert_int_equal(symlinkat("x", f.directory.fd, "log/000000010000000A"), 0);
    assert_int_equal(symlinkat("x", f.directory.fd, "log/00000001000000012"), 0);
    assert_int_equal(riad_segment_list(f.directory.fd, RIAD_SEGMENT_LOG, &ids, &count), 0);
    assert_int_equal(count, 3);
    for (uint64_t id = 0x100000007; id <= 0x100000009; id++) {
        assert_int_equal(ids[id - 0x100000007], id);
        assert_int_equal(
                riad_segment_header_read(f.directory.fd, f.keys, RIAD_SEGMENT_LOG, id, &header),
                -EBADMSG);
    }
    fixture_append(3);
    fixture_assert_replays(3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_range_reads_right, setup, teardown),
        cmocka_unit_test_setup_teardown(files_and_keys_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(appends_and_data_records_are_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(hostile_runs_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(another_identity_place_or_tag_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_anywhere_in_a_record_is_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(an_older_record_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_replaced_file_is_opened_again, setup, teardown),
        cmocka_unit_test_setup_teardown(many_segments_and_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(big_owners_get_their_own_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(headers_are_verified, setup, teardown),
        cmocka_unit_test_setup_teardown(odd_names_and_things_are_passed_over, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
