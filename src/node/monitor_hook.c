/* The program of the configuration that hears of limits which were passed. */
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "riad/diag.h"
#include "riad/error.h"

#include "monitor_priv.h"

enum {
    TEXT_MAX = 320,
    PER_MINUTE = 60, /* what the worker says is not to be trusted, nor how often */
    SECONDS = 60,    /* that it may take */
};

/* What a person can read, and nothing that a terminal or a mail would act upon. */
static void clean(const uint8_t *from, size_t size, char ret[static TEXT_MAX])
{
    size_t n = size < TEXT_MAX - 1 ? size : TEXT_MAX - 1;

    for (size_t i = 0; i < n; i++) {
        ret[i] = from[i] >= 0x20 && from[i] < 0x7f ? (char)from[i] : '?';
    }
    ret[n] = 0;
}

static bool admit(struct riad_monitor *monitor)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (now.tv_sec - monitor->hook_minute >= 60) {
        monitor->hook_minute = now.tv_sec;
        monitor->hook_runs = 0;
    }
    return monitor->hook_runs++ < PER_MINUTE;
}

/* In the child of a process with threads: nothing but system calls. Nobody waits for it, as it is a
 * grandchild. */
_Noreturn static void become(const struct riad_monitor *monitor, char *const arguments[])
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char *environment[] = { path, NULL };
    int null = open("/dev/null", O_RDWR);
    sigset_t none;

    if (fork() != 0) {
        _exit(0);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || setsid() < 0 ||
            (monitor->other_user && (setgroups(0, NULL) < 0 || setgid(monitor->gid) < 0 ||
                                            setuid(monitor->uid) < 0))) {
        _exit(127);
    }
    alarm(SECONDS);
    execve(arguments[0], arguments, environment);
    _exit(127);
}

int riad_monitor_tell_limit(struct riad_monitor *monitor,
        const struct riad_service_request *request, const uint8_t *text, size_t size)
{
    static char kind[] = "limit";
    char sentence[TEXT_MAX], name[TEXT_MAX];
    char *arguments[] = { monitor->config.limit_command, kind, name, sentence, NULL };
    pid_t child;

    if (!arguments[0]) {
        return 0;
    }
    if (!admit(monitor)) {
        return -EBUSY;
    }
    clean((const uint8_t *)request->name, strlen(request->name), name);
    clean(text, size, sentence);
    child = fork();
    if (child == 0) {
        become(monitor, arguments);
    }
    if (child < 0) {
        riad_diag(RIAD_WARNING, "riadd: %s cannot be started: %s", arguments[0], strerror(errno));
        return -errno;
    }
    return TEMP_FAILURE_RETRY(waitpid(child, NULL, 0)) < 0 ? -errno : 0;
}
