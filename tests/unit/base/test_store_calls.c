/* Which calls are counted: those on a directory and on what was opened in it, each once. */
#include <sys/resource.h>

#include "riad/cleanup.h"
#include "riad/store_calls.h"
#include "riad/sysops.h"

#include "temporary.h"
#include "unit.h"

static struct temporary counted, other;
static struct riad_store_calls calls;

static int setup(void **state)
{
    (void)state;
    calls = (struct riad_store_calls){ 0 };
    if (temporary_make(&counted) < 0 || temporary_make(&other) < 0) {
        return -1;
    }
    riad_store_calls_begin(counted.fd, &calls);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    riad_store_calls_end(&calls);
    return temporary_remove(&counted) | temporary_remove(&other);
}

static uint64_t count(enum riad_store_call kind)
{
    uint64_t all[RIAD_CALL_KINDS];

    riad_store_calls_read(&calls, all);
    return all[kind];
}

static uint64_t total(void)
{
    uint64_t sum = 0;

    for (int kind = 0; kind < RIAD_CALL_KINDS; kind++) {
        sum += count(kind);
    }
    return sum;
}

static int create(int directory, const char *name)
{
    int fd = riad_sys->openat(directory, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    return fd;
}

static void use_file(int fd)
{
    char byte = 'x';
    struct iovec piece = { &byte, 1 };
    struct stat st;

    assert_int_equal(riad_sys->pwrite(fd, &byte, 1, 0), 1);
    assert_int_equal(riad_sys->pwritev(fd, &piece, 1, 1), 1);
    assert_int_equal(riad_sys->pread(fd, &byte, 1, 0), 1);
    (void)riad_sys->preadv2(fd, &piece, 1, 0, RWF_NOWAIT);
    assert_int_equal(riad_sys->fdatasync(fd), 0);
    assert_int_equal(riad_sys->fsync(fd), 0);
    assert_int_equal(riad_sys->ftruncate(fd, 100), 0);
    (void)riad_sys->fallocate(fd, 0, 0, 100);
    assert_int_equal(riad_sys->fstat(fd, &st), 0);
    assert_int_equal(riad_sys->fadvise(fd, 0, 0, POSIX_FADV_NORMAL), 0);
}

static void use_directory(int fd)
{
    struct statvfs room;
    struct stat st;
    char names[4096];

    assert_int_equal(riad_sys->fstatat(fd, "f", &st, 0), 0);
    assert_int_equal(riad_sys->fstatvfs(fd, &room), 0);
    assert_int_equal(riad_sys->mkdirat(fd, "d", 0700), 0);
    assert_int_equal(riad_sys->linkat(fd, "f", fd, "g", 0), 0);
    assert_int_equal(riad_sys->renameat(fd, "g", fd, "h"), 0);
    assert_int_equal(riad_sys->unlinkat(fd, "h", 0), 0);
    assert_true(riad_sys->getdents(fd, names, sizeof names) > 0);
}

static void each_call_is_counted_once_under_its_kind(void **state)
{
    static const uint64_t expected[RIAD_CALL_KINDS] = { [RIAD_CALL_OPEN] = 1,
        [RIAD_CALL_CREATE] = 1,
        [RIAD_CALL_CLOSE] = 2,
        [RIAD_CALL_READ] = 2,
        [RIAD_CALL_WRITE] = 2,
        [RIAD_CALL_SYNC] = 2,
        [RIAD_CALL_RESIZE] = 2,
        [RIAD_CALL_STAT] = 3,
        [RIAD_CALL_NAME] = 4,
        [RIAD_CALL_LIST] = 1,
        [RIAD_CALL_ADVISE] = 1 };
    int fd = create(counted.fd, "f");

    (void)state;
    use_file(fd);
    use_directory(counted.fd);
    assert_int_equal(riad_sys->close(fd), 0);
    fd = riad_sys->openat(counted.fd, "f", O_RDONLY | O_CLOEXEC, 0);
    assert_int_equal(riad_sys->close(fd), 0);
    for (int kind = 0; kind < RIAD_CALL_KINDS; kind++) {
        if (count(kind) != expected[kind]) {
            fail_msg("%s: %d instead of %d", riad_store_call_name(kind), (int)count(kind),
                    (int)expected[kind]);
        }
    }
}

static void calls_of_other_directories_are_not_counted(void **state)
{
    int fd = create(other.fd, "f");

    (void)state;
    use_file(fd);
    use_directory(other.fd);
    assert_int_equal(riad_sys->close(fd), 0);
    assert_int_equal(total(), 0);
}

static void what_is_opened_in_a_directory_below_is_counted(void **state)
{
    int directory, file;

    (void)state;
    assert_int_equal(riad_sys->mkdirat(counted.fd, "d", 0700), 0);
    directory = riad_sys->openat(counted.fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    file = create(directory, "f");
    assert_int_equal(riad_sys->close(directory), 0);
    assert_int_equal(riad_sys->pwrite(file, "x", 1, 0), 1);
    assert_int_equal(riad_sys->close(file), 0);
    assert_int_equal(count(RIAD_CALL_CREATE), 1);
    assert_int_equal(count(RIAD_CALL_WRITE), 1);
    assert_int_equal(total(), 6);
}

/* The kernel gives the lowest number that is free. */
static void a_number_that_is_used_again_is_counted_no_more(void **state)
{
    int first = create(counted.fd, "f"), second;

    (void)state;
    assert_int_equal(riad_sys->close(first), 0);
    second = create(other.fd, "f");
    assert_int_equal(second, first);
    use_file(second);
    assert_int_equal(riad_sys->close(second), 0);
    assert_int_equal(total(), 2);
}

static void calls_that_fail_are_counted(void **state)
{
    (void)state;
    assert_int_equal(riad_sys->openat(counted.fd, "none", O_RDONLY, 0), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(riad_sys->unlinkat(counted.fd, "none", 0), -1);
    assert_int_equal(count(RIAD_CALL_OPEN), 1);
    assert_int_equal(count(RIAD_CALL_NAME), 1);
}

static void nothing_is_added_after_the_end(void **state)
{
    int fd = create(counted.fd, "f");

    (void)state;
    riad_store_calls_end(&calls);
    use_file(fd);
    assert_int_equal(riad_sys->close(fd), 0);
    assert_int_equal(total(), 1);
}

/* Beyond the first page of the table. */
static void large_numbers_are_counted(void **state)
{
    struct rlimit limit;
    int low, high;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 4096) {
        skip();
    }
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    low = counted.fd;
    high = fcntl(low, F_DUPFD_CLOEXEC, 3000);
    assert_true(high >= 3000);
    (void)riad_sys->fsync(high);
    assert_int_equal(total(), 0); /* a copy is another descriptor */
    riad_store_calls_begin(high, &calls);
    (void)riad_sys->fsync(high);
    assert_int_equal(count(RIAD_CALL_SYNC), 1);
    assert_int_equal(riad_sys->close(high), 0);
    assert_int_equal(count(RIAD_CALL_CLOSE), 1);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(each_call_is_counted_once_under_its_kind),
        CASE(calls_of_other_directories_are_not_counted),
        CASE(what_is_opened_in_a_directory_below_is_counted),
        CASE(a_number_that_is_used_again_is_counted_no_more),
        CASE(calls_that_fail_are_counted),
        CASE(nothing_is_added_after_the_end),
        CASE(large_numbers_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
