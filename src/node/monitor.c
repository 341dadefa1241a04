/* The monitor's life: sockets, the worker, and starting that again. */
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/host.h"
#include "riad/sandbox.h"
#include "riad/thread.h"

#include "host_priv.h"
#include "monitor_priv.h"

enum { RESTART_MS = 1000, HIGH_FD = 10 /* above those that the worker gets */ };

/* --- the worker's start --- */

/* Room for keys in locked memory, and for descriptors: as far as we may. */
static void raise_limits(void)
{
    static const struct {
        __rlimit_resource_t resource;
        rlim_t wanted;
    } limits[] = { { RLIMIT_MEMLOCK, 256 << 20 }, { RLIMIT_NOFILE, 1 << 17 } };

    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const struct rlimit more = { limits[i].wanted, limits[i].wanted };
        struct rlimit now;

        if (getrlimit(limits[i].resource, &now) == 0 && now.rlim_cur < more.rlim_cur) {
            (void)setrlimit(limits[i].resource, &more);
        }
    }
}

/* In the child: descriptors to their places, privileges away, and the program. The ends that it
 * gets are above all of these numbers. */
__attribute__((noreturn)) static void become_worker(
        const struct riad_monitor *monitor, const int descriptors[3])
{
    char *arguments[] = { (char *)"riadd-worker", (char *)"--worker", monitor->config.path, NULL };
    const struct riad_account account = { monitor->uid, monitor->gid };
    sigset_t none;

    for (int i = 0; i < 3; i++) {
        if (dup2(descriptors[i], RIAD_WORKER_SERVICE_FD + i) < 0) {
            _exit(RIAD_EXIT_FAILED);
        }
    }
    raise_limits();
    if (monitor->other_user && riad_account_become(&account) < 0) {
        _exit(RIAD_EXIT_NOT_PERMITTED);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM); /* after the change of user, which takes it away */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    (void)fexecve(monitor->program_fd, arguments, environ);
    _exit(RIAD_EXIT_FAILED);
}

/* A pair of which one end is the worker's, above the numbers that it will have there. */
static int make_channel(int *ret_own, int *ret_its)
{
    int ends[2], high;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
        return -errno;
    }
    high = fcntl(ends[1], F_DUPFD_CLOEXEC, HIGH_FD);
    close(ends[1]);
    if (high < 0) {
        close(ends[0]);
        return -errno;
    }
    *ret_own = ends[0];
    *ret_its = high;
    return 0;
}

static int spawn(struct riad_monitor *monitor, const int descriptors[3])
{
    pid_t child = fork();

    if (child < 0) {
        return -errno;
    }
    if (child == 0) {
        become_worker(monitor, descriptors);
    }
    monitor->worker = child;
    return 0;
}

/* With its two channels and the socket for everybody. *ret_thread answers it. */
static int start_worker(struct riad_monitor *monitor, pthread_t *ret_thread)
{
    _cleanup_close_ int service = -1, keys = -1, own_keys = -1, own_service = -1, control = -1;
    int descriptors[3], r;

    r = make_channel(&own_service, &service);
    if (r == 0) {
        r = make_channel(&own_keys, &keys);
    }
    if (r < 0) {
        return r;
    }
    control = fcntl(monitor->control_fd, F_DUPFD_CLOEXEC, HIGH_FD);
    if (control < 0) {
        return -errno;
    }
    descriptors[0] = service;
    descriptors[1] = keys;
    descriptors[2] = control;
    r = spawn(monitor, descriptors);
    if (r < 0) {
        return r;
    }
    monitor->service_fd = riad_take_fd(&own_service);
    pthread_mutex_lock(&monitor->lock);
    monitor->keys_fd = riad_take_fd(&own_keys);
    pthread_mutex_unlock(&monitor->lock);
    r = riad_thread_start("riad-service", riad_monitor_serve, monitor, ret_thread);
    if (r == 0) {
        riad_monitor_repeat_keys(monitor); /* what it opens needs that thread */
    }
    return r;
}

/* The worker is gone, and its ends of the channels with it. */
static void leave_worker(struct riad_monitor *monitor, pthread_t thread)
{
    pthread_mutex_lock(&monitor->lock);
    riad_close_fd(&monitor->keys_fd);
    pthread_mutex_unlock(&monitor->lock);
    pthread_join(thread, NULL);
    riad_close_fd(&monitor->service_fd);
    monitor->worker = 0;
}

/* --- its life --- */

/* Waits for the worker's end; *ret_stop: somebody asked for ours. Returns the wait status. */
static int watch(struct riad_monitor *monitor, int signals, bool *ret_stop)
{
    for (;;) {
        struct signalfd_siginfo info;
        int status;

        if (waitpid(monitor->worker, &status, WNOHANG) == monitor->worker) {
            return status;
        }
        if (TEMP_FAILURE_RETRY(read(signals, &info, sizeof info)) != sizeof info) {
            continue;
        }
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
            *ret_stop = true;
            kill(monitor->worker, SIGTERM);
        } else if (info.ssi_signo == SIGHUP) {
            kill(monitor->worker, SIGHUP);
        }
    }
}

static void pause_before_restart(int signals, bool *ret_stop)
{
    struct pollfd item = { .fd = signals, .events = POLLIN };
    struct signalfd_siginfo info;

    while (poll(&item, 1, RESTART_MS) > 0 && read(signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT) {
            *ret_stop = true;
            return;
        }
    }
}

static const char *show_status(int status, char text[64])
{
    if (WIFSIGNALED(status)) {
        snprintf(text, 64, "was killed by signal %d", WTERMSIG(status));
    } else {
        snprintf(text, 64, "ended with %d", WEXITSTATUS(status));
    }
    return text;
}

/* A worker that never served has said why; one that did is started again. */
static int run(struct riad_monitor *monitor, int signals, struct riad_reason *reason)
{
    bool stop = false;
    int status = 0;

    while (!stop) {
        char text[64];
        pthread_t thread;
        int r = start_worker(monitor, &thread);

        if (r < 0) {
            return riad_explain(reason, r, "cannot start the worker: %s", strerror(-r));
        }
        status = watch(monitor, signals, &stop);
        leave_worker(monitor, thread);
        if (stop || !monitor->served) {
            break;
        }
        riad_diag(
                RIAD_ERROR, "riadd: the worker %s: it is started again", show_status(status, text));
        riad_monitor_detach_all(monitor);
        pause_before_restart(signals, &stop);
    }
    riad_monitor_detach_all(monitor);
    reason->text[0] = '\0';
    if (WIFEXITED(status) && WEXITSTATUS(status) != RIAD_EXIT_DONE) {
        return WEXITSTATUS(status);
    }
    return WIFSIGNALED(status) ? riad_explain(reason, -EIO, "the worker was killed")
                               : RIAD_EXIT_DONE;
}

/* --- what it needs --- */

static int find_user(struct riad_monitor *monitor, struct riad_reason *reason)
{
    struct riad_account account = { geteuid(), getegid() };

    if (monitor->config.user && riad_account_find(monitor->config.user, &account) < 0) {
        return riad_explain(reason, -ENOENT, "%s: there is no account `%s`: adduser --system it",
                monitor->config.path, monitor->config.user);
    }
    monitor->uid = account.uid;
    monitor->gid = account.gid;
    monitor->other_user = account.uid != geteuid();
    if (monitor->other_user && geteuid() != 0) {
        return riad_explain(reason, -EPERM,
                "only root can have a worker of another user, as `user` in "
                "%s says",
                monitor->config.path);
    }
    return RIAD_EXIT_DONE;
}

static int load(struct riad_monitor *monitor, const char *config_path, struct riad_reason *reason)
{
    int r = riad_config_load(config_path, &monitor->config, reason);

    if (r < 0) {
        return riad_exit_of(r);
    }
    r = riad_node_key_load(monitor->config.node_key, &monitor->self, &monitor->keys);
    if (r < 0) {
        return riad_explain(reason, r, "cannot read the node's key %s: %s",
                monitor->config.node_key,
                r == -EPERM ? "others can read it, or it is not ours" : strerror(-r));
    }
    return find_user(monitor, reason);
}

/* Held as long as this process lives. */
static int lock_run(struct riad_monitor *monitor)
{
    monitor->run_fd = open(monitor->config.run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return monitor->run_fd < 0 || flock(monitor->run_fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

static int open_sockets(struct riad_monitor *monitor, struct riad_reason *reason)
{
    _cleanup_free_ char *path = riad_config_socket(&monitor->config, "control");
    int r = 0;

    if (mkdir(monitor->config.run, 0755) < 0 && errno != EEXIST) {
        r = -errno;
    }
    if (r == 0) {
        r = lock_run(monitor);
    }
    if (r == -EWOULDBLOCK) {
        return riad_explain(reason, -EBUSY, "another riadd runs in %s", monitor->config.run);
    }
    if (r == 0) {
        r = path ? riad_control_listen(path, 0666) : -ENOMEM;
    }
    if (r >= 0) {
        monitor->control_fd = r;
        r = riad_monitor_listen_keys(monitor);
    }
    return r < 0 ? riad_explain(reason, r, "cannot open the sockets in %s: %s", monitor->config.run,
                           strerror(-r))
                 : RIAD_EXIT_DONE;
}

static void release(struct riad_monitor *monitor)
{
    _cleanup_free_ char *path =
            monitor->config.run ? riad_config_socket(&monitor->config, "control") : NULL;
    _cleanup_free_ char *keys =
            monitor->config.run ? riad_config_socket(&monitor->config, "keys") : NULL;

    if (monitor->control_fd >= 0 && path && keys) {
        unlink(path);
        unlink(keys);
    }
    riad_control_stop(monitor->unlocking);
    riad_close_fd(&monitor->control_fd);
    riad_close_fd(&monitor->run_fd);
    riad_close_fd(&monitor->program_fd);
    riad_monitor_forget_all(monitor);
    riad_keypair_done(&monitor->keys);
    riad_config_done(&monitor->config);
    pthread_mutex_destroy(&monitor->lock);
}

/* The child finds it above the descriptors that it puts in place first. */
static int open_program(const char *path)
{
    _cleanup_close_ int fd = open(path, O_PATH | O_CLOEXEC);

    return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
}

int riad_monitor_run(const char *config_path, const char *program, void (*ready)(void *context),
        void *context, struct riad_reason *ret_reason)
{
    struct riad_monitor monitor = { .program_fd = open_program(program),
        .run_fd = -1,
        .control_fd = -1,
        .keys_fd = -1,
        .service_fd = -1,
        .ready = ready,
        .context = context };
    _cleanup_close_ int signals = riad_host_block_signals(true);
    int code;

    pthread_mutex_init(&monitor.lock, NULL);
    if (signals < 0 || monitor.program_fd < 0) {
        riad_close_fd(&monitor.program_fd);
        return riad_explain(ret_reason, -EIO, "cannot start");
    }
    code = load(&monitor, config_path, ret_reason);
    if (code == RIAD_EXIT_DONE) {
        code = open_sockets(&monitor, ret_reason);
    }
    if (code == RIAD_EXIT_DONE) {
        code = run(&monitor, signals, ret_reason);
    }
    release(&monitor);
    return code;
}
