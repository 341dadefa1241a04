#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "riad/sandbox.h"

#include "unit.h"

/* In a child, which ends with 0 if all holds. */
static void in_child(int (*check)(void))
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        _exit(check());
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static bool is_refused(long r)
{
    return r < 0 && errno == EPERM;
}

static void *socket_in_thread(void *argument)
{
    *(bool *)argument = is_refused(socket(AF_INET, SOCK_STREAM, 0));
    return NULL;
}

static int check_refusals(void)
{
    char *arguments[] = { (char *)"true", NULL };
    bool in_thread = false;
    pthread_t thread;

    if (riad_sandbox_enter() != 0) {
        return 1;
    }
    if (!is_refused(execve("/bin/true", arguments, NULL))) {
        return 2;
    }
    if (!is_refused(mount("none", "/", "tmpfs", 0, NULL)) || !is_refused(umount2("/nowhere", 0))) {
        return 3;
    }
    if (!is_refused(socket(AF_INET, SOCK_STREAM, 0)) ||
            !is_refused(socket(AF_NETLINK, SOCK_RAW, 0))) {
        return 4;
    }
    if (!is_refused(ptrace(PTRACE_TRACEME, 0, NULL, NULL)) || !is_refused(setuid(getuid()))) {
        return 5;
    }
    if (pthread_create(&thread, NULL, socket_in_thread, &in_thread) != 0 ||
            pthread_join(thread, NULL) != 0 || !in_thread) {
        return 6;
    }
    return 0;
}

/* What a worker does. */
static int check_work(void)
{
    int fd;

    if (riad_sandbox_enter() != 0) {
        return 1;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || close(fd) < 0) {
        return 2;
    }
    fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    return fd < 0 || close(fd) < 0 ? 3 : 0;
}

static void what_is_not_needed_is_refused(void **state)
{
    (void)state;
    in_child(check_refusals);
}

static void what_is_needed_goes_on(void **state)
{
    (void)state;
    in_child(check_work);
}

static int check_becoming(void)
{
    struct riad_account account;

    if (riad_account_find("nobody", &account) != 0) {
        return 1;
    }
    if (geteuid() != 0) {
        return riad_account_become(&account) == -EPERM ? 0 : 2;
    }
    return riad_account_become(&account) == 0 && geteuid() == account.uid &&
                           getegid() == account.gid && setuid(0) < 0
                   ? 0
                   : 3;
}

static void an_account_is_become_for_good(void **state)
{
    struct riad_account account;

    (void)state;
    assert_int_equal(riad_account_find("no such account", &account), -ENOENT);
    in_child(check_becoming);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_needed_is_refused),
        cmocka_unit_test(what_is_needed_goes_on),
        cmocka_unit_test(an_account_is_become_for_good),
    };

    return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}
