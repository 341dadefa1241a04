#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/mark.h"

#include "faults.h"
#include "temporary.h"
#include "unit.h"

static struct temporary directory;

static int setup(void **state)
{
    (void)state;
    return temporary_make(&directory);
}

static int teardown(void **state)
{
    (void)state;
    return temporary_remove(&directory);
}

static struct riad_mark make(uint64_t number)
{
    struct riad_mark mark = { .start = 1000 * number - 216 };

    mark.end = (struct riad_end){ .segment = 0x100000001, .offset = 1000 * number };
    mark.end.sequence = (struct riad_sequence){ 1, number };
    mark.end.chain.bytes[0] = (uint8_t)number;
    return mark;
}

static void assert_mark(uint64_t number)
{
    const struct riad_mark expected = make(number);
    struct riad_mark mark;

    assert_int_equal(riad_mark_read(directory.fd, &mark), 0);
    assert_int_equal(mark.end.segment, expected.end.segment);
    assert_int_equal(mark.end.offset, expected.end.offset);
    assert_int_equal(mark.end.sequence.term, 1);
    assert_int_equal(mark.end.sequence.number, number);
    assert_true(riad_hash_equal(&mark.end.chain, &expected.end.chain));
    assert_int_equal(mark.start, expected.start);
}

static void the_newest_is_read(void **state)
{
    _cleanup_close_ int fd = -1;
    struct riad_mark mark;

    (void)state;
    assert_int_equal(riad_mark_read(directory.fd, &mark), -ENOENT);
    fd = riad_mark_open(directory.fd);
    assert_true(fd >= 0);
    assert_int_equal(riad_mark_read(directory.fd, &mark), -ENOENT);
    for (uint64_t i = 1; i < 9; i++) {
        mark = make(i);
        assert_int_equal(riad_mark_write(fd, &mark), 0);
        assert_mark(i);
    }
    riad_close_fd(&fd);
    fd = riad_mark_open(directory.fd); /* a restart goes on */
    mark = make(9);
    assert_int_equal(riad_mark_write(fd, &mark), 0);
    assert_mark(9);
}

static void flip(int fd, off_t offset)
{
    uint8_t byte;

    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 1;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
}

/* A torn write leaves the mark before. */
static void a_torn_mark_leaves_the_older_one(void **state)
{
    _cleanup_close_ int fd = riad_mark_open(directory.fd);
    struct riad_mark mark = make(1);

    (void)state;
    assert_int_equal(riad_mark_write(fd, &mark), 0);
    mark = make(2);
    assert_int_equal(riad_mark_write(fd, &mark), 0);
    for (off_t i = 0; i < 92; i++) {
        flip(fd, 512 + i);
        assert_mark(1);
        flip(fd, 512 + i);
        assert_int_equal(ftruncate(fd, 512 + i), 0);
        assert_mark(1);
        mark = make(2);
        assert_int_equal(riad_mark_write(fd, &mark), 0);
        assert_mark(2);
    }
    flip(fd, 3);
    flip(fd, 512 + 50);
    assert_int_equal(riad_mark_read(directory.fd, &mark), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_mark_leaves_the_older_one, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
