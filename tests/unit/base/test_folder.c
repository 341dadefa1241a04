/* All names of a directory, each once, and errors that are told. */
#include "riad/folder.h"

#include "faults.h"
#include "temporary.h"
#include "unit.h"

enum { NAMES = 3000 }; /* more than fit one call */

static struct temporary directory;

static int setup(void **state)
{
    (void)state;
    faults_install();
    return temporary_make(&directory);
}

static int teardown(void **state)
{
    (void)state;
    faults_remove();
    return temporary_remove(&directory);
}

static void make_names(unsigned count)
{
    assert_int_equal(mkdirat(directory.fd, "d", 0700), 0);
    for (unsigned i = 0; i < count; i++) {
        char path[32];

        snprintf(path, sizeof path, "d/.name-%u", i);
        close(openat(directory.fd, path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    }
}

static void every_name_is_told_once(void **state)
{
    _cleanup_(riad_folder_freep) struct riad_folder *folder = NULL;
    static bool seen[NAMES];
    unsigned number, count = 0;
    const char *name;
    int r;

    (void)state;
    make_names(NAMES);
    assert_int_equal(riad_folder_open(directory.fd, "d", &folder), 0);
    while ((r = riad_folder_next(folder, &name)) > 0) {
        assert_int_equal(sscanf(name, ".name-%u", &number), 1);
        assert_in_range(number, 0, NAMES - 1);
        assert_false(seen[number]);
        seen[number] = true;
        count++;
    }
    assert_int_equal(r, 0);
    assert_int_equal(count, NAMES);
    assert_int_equal(riad_folder_next(folder, &name), 0);
    assert_true(faults_count(FAULT_GETDENTS) > 2);
}

static void an_empty_directory_has_no_names(void **state)
{
    _cleanup_(riad_folder_freep) struct riad_folder *folder = NULL;
    const char *name;

    (void)state;
    make_names(0);
    assert_int_equal(riad_folder_open(directory.fd, "d", &folder), 0);
    assert_int_equal(riad_folder_next(folder, &name), 0);
}

static void what_is_no_directory_is_refused(void **state)
{
    struct riad_folder *folder = NULL;

    (void)state;
    assert_int_equal(riad_folder_open(directory.fd, "none", &folder), -ENOENT);
    assert_int_equal(symlinkat(".", directory.fd, "link"), 0);
    assert_int_equal(riad_folder_open(directory.fd, "link", &folder), -ENOTDIR);
    assert_null(folder);
}

static void an_error_is_told_and_an_interruption_is_not(void **state)
{
    _cleanup_(riad_folder_freep) struct riad_folder *folder = NULL;
    const char *name;

    (void)state;
    make_names(1);
    assert_int_equal(riad_folder_open(directory.fd, "d", &folder), 0);
    faults_fail(FAULT_GETDENTS, 1, EIO);
    assert_int_equal(riad_folder_next(folder, &name), -EIO);
    faults_fail(FAULT_GETDENTS, 1, EINTR);
    assert_int_equal(riad_folder_next(folder, &name), 1);
    assert_string_equal(name, ".name-0");
}

static void its_descriptor_is_closed_with_it(void **state)
{
    struct riad_folder *folder = NULL;
    int fd;

    (void)state;
    make_names(0);
    assert_int_equal(riad_folder_open(directory.fd, "d", &folder), 0);
    fd = riad_folder_fd(folder);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    riad_folder_free(folder);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_name_is_told_once),
        CASE(an_empty_directory_has_no_names),
        CASE(what_is_no_directory_is_refused),
        CASE(an_error_is_told_and_an_interruption_is_not),
        CASE(its_descriptor_is_closed_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
