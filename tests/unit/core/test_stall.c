/* Calls that do not come back are told of, and who asks does not wait for them. */
#include <pthread.h>

#include "riad/stall.h"
#include "riad/sysops.h"

#include "lifecycle_priv.h"
#include "operations.h"

static struct fixture fixture;

static int setup(void **state)
{
    (void)state;
    fixture_make(&fixture);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_remove(&fixture);
    return 0;
}

/* Opening a fifo waits until somebody else opens its other end. */
static void *open_fifo(void *argument)
{
    int *fd = argument;

    *fd = riad_sys->openat(fixture.workspace_fd, "log/fifo", O_RDONLY | O_CLOEXEC, 0);
    return NULL;
}

static unsigned calls_under_way(int directory_fd)
{
    struct riad_stall stall;

    riad_stall_find(directory_fd, 0, &stall);
    return stall.calls;
}

static void a_call_is_told_of_while_it_is_under_way(void **state)
{
    struct riad_stall stall = { 0 };
    pthread_t thread;
    int fd = -1, other;

    (void)state;
    assert_int_equal(calls_under_way(fixture.workspace_fd), 0);
    assert_int_equal(mkfifoat(fixture.workspace_fd, "log/fifo", 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, open_fifo, &fd), 0);
    while (calls_under_way(fixture.workspace_fd) == 0) {
        riad_sleep_ms(1);
    }
    riad_sleep_ms(1100);
    riad_stall_find(fixture.workspace_fd, 1, &stall);
    assert_int_equal(stall.calls, 1);
    assert_string_equal(stall.call, "openat");
    assert_string_equal(stall.file, ".");
    assert_in_range(stall.seconds, 1, 60);
    riad_stall_find(fixture.workspace_fd, 100, &stall);
    assert_int_equal(stall.calls, 0);
    assert_int_equal(calls_under_way(fixture.state_fd), 0); /* it is nobody else's */
    other = openat(fixture.workspace_fd, "log/fifo", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(fd >= 0 && other >= 0);
    assert_int_equal(calls_under_way(fixture.workspace_fd), 0);
    close(fd);
    close(other);
}

/* A call that does not come back may keep the lock: a new log segment. */
static void status_does_not_wait_for_the_lock(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status before, during;
    pthread_t thread;
    int fd = -1, other;

    (void)state;
    make_file(workspace, RIAD_ROOT_INODE, "file");
    assert_int_equal(riad_workspace_status(workspace, &before), 0);
    assert_int_equal(mkfifoat(fixture.workspace_fd, "log/fifo", 0600), 0);
    assert_int_equal(pthread_create(&thread, NULL, open_fifo, &fd), 0);
    pthread_mutex_lock(&workspace->mutation);
    assert_int_equal(riad_workspace_status(workspace, &during), 0);
    pthread_mutex_unlock(&workspace->mutation);
    other = openat(fixture.workspace_fd, "log/fifo", O_WRONLY | O_CLOEXEC);
    assert_int_equal(pthread_join(thread, NULL), 0);
    close(fd);
    close(other);
    assert_int_equal(during.stall.calls, 1);
    assert_false(during.stalled_locally);
    assert_int_equal(during.usage.inodes, before.usage.inodes);
    assert_int_equal(during.usage.inodes, 2);
    assert_int_equal(during.end.sequence.number, before.end.sequence.number);
    assert_int_equal(during.state, RIAD_WORKSPACE_RUNNING);
    fixture_close(workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_call_is_told_of_while_it_is_under_way, setup, teardown),
        cmocka_unit_test_setup_teardown(status_does_not_wait_for_the_lock, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
