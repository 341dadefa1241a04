/* Several reads at once: one pread for those that follow each other, and the same results. */
#include "riad/patience.h"

#include "log/fixture.h"
#include "segments_priv.h"

enum { PARTS = 12, UNIT = 4096, SIZE = 3000 };

static uint8_t contents[PARTS][SIZE], again[PARTS][SIZE];
static struct riad_payload *payloads[PARTS];
static struct riad_place places[PARTS];
static struct riad_birth births[PARTS];
static struct riad_part parts[PARTS];
static struct riad_segments *segments;

/* In the log, with a change between. */
static void append(unsigned i)
{
    births[i] = (struct riad_birth){ 77, 2, (uint64_t)i * UNIT };
    fixture_fill(contents[i], SIZE, i + 1);
    payloads[i] = fixture_seal(false, &births[i], UNIT, contents[i], SIZE);
    assert_int_equal(riad_log_place(f.log, payloads[i]->size, &places[i]), 0);
    assert_int_equal(fixture_try_append(payloads[i], "a change"), 0);
    parts[i] = (struct riad_part){
        .run = fixture_run(payloads[i], &births[i], &places[i]), .size = SIZE, .ret = again[i]
    };
}

static int setup(void **state)
{
    int r = fixture_setup(state);

    fixture_open(0);
    for (unsigned i = 0; i < PARTS; i++) {
        append(i);
    }
    memset(again, 0, sizeof again);
    assert_int_equal(riad_segments_new(f.directory.fd, f.keys, &f.epochs, &segments), 0);
    faults_fail(FAULT_NONE, 0, 0);
    return r;
}

static int teardown(void **state)
{
    riad_segments_free(segments);
    for (unsigned i = 0; i < PARTS; i++) {
        riad_payload_free(payloads[i]);
    }
    riad_set_patient(true);
    return fixture_teardown(state);
}

static int read_parts(size_t count, size_t *ret_failed)
{
    faults_fail(FAULT_NONE, 0, 0);
    return riad_segments_read_parts(segments, parts, count, ret_failed);
}

static void assert_read(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(again[i], contents[i], SIZE);
    }
}

static void parts_in_a_row_are_one_pread(void **state)
{
    size_t failed = 99;

    (void)state;
    assert_int_equal(read_parts(PARTS, &failed), 0);
    assert_read(PARTS);
    assert_int_equal(faults_count(FAULT_PREAD), 1);
    assert_int_equal(failed, 99);
    assert_int_equal(read_parts(0, &failed), 0);
}

/* Of each only some bytes. */
static void pieces_of_parts_are_right(void **state)
{
    size_t failed;

    (void)state;
    for (unsigned i = 0; i < PARTS; i++) {
        parts[i].from = i * 100;
        parts[i].size = 50 + i;
    }
    assert_int_equal(read_parts(PARTS, &failed), 0);
    assert_int_equal(faults_count(FAULT_PREAD), 1);
    for (unsigned i = 0; i < PARTS; i++) {
        assert_memory_equal(again[i], contents[i] + i * 100, 50 + i);
        assert_int_equal(again[i][50 + i], 0);
    }
}

/* What lies between would be read in vain; and an order that is another than the segment's. */
static void parts_far_from_each_other_are_read_one_by_one(void **state)
{
    struct riad_part first = parts[0];
    size_t failed;

    (void)state;
    parts[1] = parts[8];
    assert_int_equal(read_parts(2, &failed), 0);
    assert_int_equal(faults_count(FAULT_PREAD), 2);
    assert_memory_equal(again[0], contents[0], SIZE);
    assert_memory_equal(again[8], contents[8], SIZE);
    parts[0] = parts[3];
    parts[1] = first;
    assert_int_equal(read_parts(2, &failed), 0);
    assert_int_equal(faults_count(FAULT_PREAD), 2);
    parts[1] = parts[0]; /* the same twice, as clones are */
    assert_int_equal(read_parts(2, &failed), 0);
    assert_int_equal(faults_count(FAULT_PREAD), 2);
}

static void damage(unsigned i)
{
    int fd = fixture_open_file(RIAD_SEGMENT_LOG, places[i].segment, O_RDWR);
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, (off_t)places[i].position + 200), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)places[i].position + 200), 1);
    close(fd);
}

static void the_one_that_is_damaged_is_told_and_those_before_are_read(void **state)
{
    size_t failed = 99;

    (void)state;
    damage(7);
    assert_int_equal(read_parts(PARTS, &failed), -EBADMSG);
    assert_int_equal(failed, 7);
    assert_read(7);
    parts[7] = parts[8];
    assert_int_equal(read_parts(7, &failed), 0);
}

static void a_part_that_is_none_is_told(void **state)
{
    size_t failed = 99;

    (void)state;
    parts[4].size = SIZE + 1;
    assert_int_equal(read_parts(PARTS, &failed), -EINVAL);
    assert_int_equal(failed, 4);
    assert_read(4);
    parts[0].run.unit = 1;
    assert_int_equal(read_parts(PARTS, &failed), -EINVAL);
    assert_int_equal(failed, 0);
}

struct rest {
    int fd;
    uint8_t bytes[PARTS * UNIT * 2];
    size_t size;
    off_t offset;
    unsigned calls;
};

static int write_rest(void *context)
{
    struct rest *rest = context;

    rest->calls++;
    return pwrite(rest->fd, rest->bytes, rest->size, rest->offset) == (ssize_t)rest->size ? 0
                                                                                          : -EIO;
}

/* The end of the segment is in the spool yet. */
static void what_is_missing_is_asked_for_once(void **state)
{
    static struct rest rest;
    size_t failed;

    (void)state;
    rest = (struct rest){ .fd = fixture_open_file(RIAD_SEGMENT_LOG, places[0].segment, O_RDWR),
        .offset = (off_t)places[9].position + 10 };
    rest.size = (size_t)pread(rest.fd, rest.bytes, sizeof rest.bytes, rest.offset);
    assert_int_equal(ftruncate(rest.fd, rest.offset), 0);
    riad_segments_on_missing(segments, write_rest, &rest);
    riad_set_patient(false);
    assert_int_equal(read_parts(PARTS, &failed), RIAD_WOULD_WAIT);
    assert_int_equal(rest.calls, 0);
    riad_set_patient(true);
    assert_int_equal(read_parts(PARTS, &failed), 0);
    assert_read(PARTS);
    assert_int_equal(rest.calls, 1);
    assert_int_equal(faults_count(FAULT_PREAD), 3); /* short, to its end; and again */
    close(rest.fd);
}

static void errors_of_the_store_are_told(void **state)
{
    size_t failed = 99;

    (void)state;
    faults_fail_from(FAULT_PREAD, 1, EIO);
    assert_int_equal(riad_segments_read_parts(segments, parts, PARTS, &failed), -EIO);
    assert_int_equal(failed, 0);
    faults_fail(FAULT_PREAD, 1, EIO); /* once: those one by one are read */
    assert_int_equal(riad_segments_read_parts(segments, parts, PARTS, &failed), 0);
    assert_read(PARTS);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(parts_in_a_row_are_one_pread),
        CASE(pieces_of_parts_are_right),
        CASE(parts_far_from_each_other_are_read_one_by_one),
        CASE(the_one_that_is_damaged_is_told_and_those_before_are_read),
        CASE(a_part_that_is_none_is_told),
        CASE(what_is_missing_is_asked_for_once),
        CASE(errors_of_the_store_are_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
