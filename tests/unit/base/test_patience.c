/* What an impatient thread would have waited for. */
#include <fcntl.h>
#include <unistd.h>

#include "riad/patience.h"

#include "unit.h"

static int teardown(void **state)
{
    (void)state;
    riad_set_patient(false); /* drops what was noted */
    riad_set_patient(true);
    return 0;
}

static void the_first_is_told_once(void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct riad_wait wait = { .fd = -1 };

    (void)state;
    riad_set_patient(false);
    assert_false(riad_wait_take(&wait));
    riad_wait_note(fd, 4096, 100);
    riad_wait_note(fd, 8192, 200);
    close(fd);
    assert_true(riad_wait_take(&wait));
    assert_int_equal(wait.offset, 4096);
    assert_int_equal(wait.size, 100);
    assert_true(fcntl(wait.fd, F_GETFD) >= 0); /* a descriptor of its own */
    assert_false(riad_wait_take(&wait));
    close(wait.fd);
}

static void what_was_not_taken_is_forgotten(void **state)
{
    struct riad_wait wait = { .fd = -1 };
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int next;

    (void)state;
    riad_set_patient(false);
    riad_wait_note(fd, 1, 1);
    next = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    riad_set_patient(true);
    riad_set_patient(false);
    assert_false(riad_wait_take(&wait));
    assert_true(fcntl(fd, F_DUPFD_CLOEXEC, 3) < next); /* its descriptor is free again */
    close(next);
    close(next - 1);
    close(fd);
}

static void patient_threads_and_large_pieces_are_none(void **state)
{
    struct riad_wait wait = { .fd = -1 };

    (void)state;
    riad_wait_note(STDIN_FILENO, 1, 1);
    riad_set_patient(false);
    assert_false(riad_wait_take(&wait));
    riad_wait_note(STDIN_FILENO, 1, RIAD_WAIT_MAX + 1);
    assert_false(riad_wait_take(&wait));
    riad_wait_note(STDIN_FILENO, 1, RIAD_WAIT_MAX);
    assert_true(riad_wait_take(&wait));
    close(wait.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(the_first_is_told_once, teardown),
        cmocka_unit_test_teardown(what_was_not_taken_is_forgotten, teardown),
        cmocka_unit_test_teardown(patient_threads_and_large_pieces_are_none, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
