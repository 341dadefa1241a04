#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/events.h"
#include "riad/memory.h"

#include "host_priv.h"
#include "site_host_priv.h"

/* The signals that ask for an orderly end are read from a descriptor: no handler runs anywhere.
 * Blocked before threads start, which inherit it. */
int riad_host_block_signals(bool children)
{
    sigset_t set;
    int fd;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    if (children) {
        sigaddset(&set, SIGCHLD);
    }
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
        return -errno;
    }
    signal(SIGPIPE, SIG_IGN);
    fd = signalfd(-1, &set, SFD_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* In a few words, for the trail: what a reason says has names and paths in it. */
const char *riad_host_meaning(int code)
{
    switch (code) {
    case RIAD_EXIT_WRONG_SECRET:
        return "wrong secret";
    case RIAD_EXIT_NOT_PERMITTED:
        return "not permitted";
    case RIAD_EXIT_ALREADY_MOUNTED:
        return "something else is mounted there";
    case RIAD_EXIT_DAMAGED:
        return "damaged, tampered with or rolled back";
    case RIAD_EXIT_LOCKED:
        return "expired and locked";
    case RIAD_EXIT_OWNED:
        return "owned by another process or node";
    case RIAD_EXIT_NO_FUSE:
        return "FUSE is not available";
    case RIAD_EXIT_TOO_NEW:
        return "the format is too new";
    default:
        return "failed";
    }
}

static void record_failure(struct riad_host *host, const struct riad_mount *mount, int code)
{
    riad_events_record(&host->state, "mount-failed", &host->unlocked.store.binding.store,
            mount->host ? &mount->id : NULL, "%s", riad_host_meaning(code));
}

static int open_mounts(struct riad_host *host, struct riad_reason *reason)
{
    int code = RIAD_EXIT_DONE;

    for (size_t i = 0; i < host->wanted_count && code == RIAD_EXIT_DONE; i++) {
        host->mount_count = i + 1;
        code = riad_host_open_mount(host, &host->wanted[i], &host->mounts[i], reason);
        riad_host_record(host);
        if (code != RIAD_EXIT_DONE) {
            record_failure(host, &host->mounts[i], code);
        }
    }
    /* From here on the purpose subkeys are enough (K4). */
    host->signer = host->unlocked.keypair.sign_key;
    riad_keypair_done(&host->unlocked.keypair);
    return code;
}

void riad_host_unmount_all(struct riad_host *host)
{
    for (size_t i = 0; i < host->mount_count; i++) {
        if (riad_host_is_running(host, &host->mounts[i])) {
            riad_host_detach(&host->mounts[i]);
        }
    }
}

bool riad_host_stopping(const struct riad_host *host)
{
    return host->stopping;
}

size_t riad_host_count(struct riad_host *host)
{
    size_t left = 0;

    pthread_mutex_lock(&host->lock);
    for (size_t i = 0; i < host->mount_count; i++) {
        left += host->mounts[i].phase != RIAD_MOUNT_EMPTY &&
                host->mounts[i].phase != RIAD_MOUNT_CLOSED;
    }
    pthread_mutex_unlock(&host->lock);
    return left;
}

/* Of two waits, of which each may be for ever (-1). */
static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Milliseconds until something is due by the clock; -1: nothing is. */
static int look_at_clocks(struct riad_host *host)
{
    int due;

    riad_host_expire(host);
    due = sooner(riad_host_lock_idle(host), riad_host_expiry_wait(host));
    due = sooner(due, riad_host_follow_usage(host));
    due = sooner(due, riad_memory_trim(&host->trimmed_at));
    if (host->site) {
        due = sooner(due, riad_site_lock_sessions(host->site));
        due = sooner(due, riad_site_follow_members(host->site));
    }
    return due;
}

/* A terminal that goes away ends one person's process; of a daemon it is the word to look at the
 * configuration again. */
static void take_signal(struct riad_host *host, uint32_t number)
{
    if (host->site && number == SIGHUP) {
        host->reload = true;
        return;
    }
    host->stopping = true;
    if (!host->site) {
        riad_host_unmount_all(host);
    }
}

/* Sleeps until a session ends or a signal comes; closes ended mounts. Returns how many are left. */
size_t riad_host_wait(struct riad_host *host, int signals)
{
    _cleanup_free_ struct pollfd *items = calloc(host->mount_count + 2, sizeof *items);

    if (!items) {
        return host->mount_count;
    }
    items[host->mount_count] = (struct pollfd){ .fd = signals, .events = POLLIN };
    items[host->mount_count + 1] =
            (struct pollfd){ .fd = riad_event_queue_fd(host->events), .events = POLLIN };
    for (size_t i = 0; i < host->mount_count; i++) {
        struct riad_mount *mount = &host->mounts[i];
        bool running = riad_host_is_running(host, mount);

        items[i] = (struct pollfd){ .fd = running ? riad_session_ended_fd(mount->session) : -1,
            .events = POLLIN };
    }
    if (poll(items, host->mount_count + 2, look_at_clocks(host)) < 0) {
        return host->mount_count;
    }
    if (items[host->mount_count + 1].revents) {
        riad_host_record(host);
    }
    if (items[host->mount_count].revents) {
        struct signalfd_siginfo info;

        if (read(signals, &info, sizeof info) == sizeof info) {
            take_signal(host, info.ssi_signo);
        }
    }
    for (size_t i = 0; i < host->mount_count; i++) {
        if (items[i].revents) {
            riad_host_begin_close(host, &host->mounts[i]);
        }
    }
    return riad_host_count(host);
}

/* After a failed start: whatever was opened is undone. */
static void abandon(struct riad_host *host)
{
    for (size_t i = 0; i < host->mount_count; i++) {
        riad_host_abandon(host, &host->mounts[i]);
    }
}

static int serve(struct riad_host *host, int signals, void (*ready)(void *context), void *context,
        struct riad_reason *reason)
{
    int r = riad_control_start(&host->state, riad_host_request, host, &host->control);

    if (r < 0) {
        snprintf(reason->text, sizeof reason->text, "cannot open the control socket in %s: %s",
                host->state.path, strerror(-r));
        abandon(host);
        return RIAD_EXIT_FAILED;
    }
    ready(context);
    while (riad_host_wait(host, signals) > 0) {
    }
    riad_host_wait_closers(host);
    riad_host_record(host);
    riad_control_stop(host->control);
    for (size_t i = 0; i < host->mount_count; i++) {
        r = host->mounts[i].result < 0 ? host->mounts[i].result : r;
    }
    return r < 0 ? RIAD_EXIT_FAILED : RIAD_EXIT_DONE;
}

static int start(struct riad_host *host, int signals, void (*ready)(void *context), void *context,
        struct riad_reason *reason)
{
    const struct riad_host_config *config = host->config;
    int code = riad_unlock_store(config->store_path, config->secret_kind, config->secret,
            &host->state, &host->unlocked, reason);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    host->signer = host->unlocked.keypair.sign_key;
    if (!riad_secret_all_locked()) {
        riad_diag(RIAD_WARNING,
                "keys may reach the swap space: the limit on locked memory (ulimit -l) is too low");
    }
    code = riad_host_plan(host, reason);
    if (code == RIAD_EXIT_DONE) {
        code = open_mounts(host, reason);
    }
    if (code == RIAD_EXIT_DONE) {
        code = serve(host, signals, ready, context, reason);
    } else {
        abandon(host);
    }
    riad_host_plan_done(host);
    riad_unlocked_done(&host->unlocked);
    return code;
}

static int with_state(struct riad_host *host, int signals, void (*ready)(void *context),
        void *context, struct riad_reason *reason)
{
    int code, r = riad_state_open(host->config->state_dir, &host->state);

    if (r < 0) {
        snprintf(reason->text, sizeof reason->text,
                "cannot use the state directory: %s (see --state-dir)", strerror(-r));
        return riad_exit_of(r);
    }
    code = start(host, signals, ready, context, reason);
    riad_state_close(&host->state);
    return code;
}

int riad_host_prepare(struct riad_host *host)
{
    int r;

    host->lock_idle_seconds = host->config->lock_idle_seconds;
    pthread_mutex_init(&host->lock, NULL);
    pthread_cond_init(&host->changed, NULL);
    r = riad_event_queue_new(&host->events);
    r = r < 0 ? r : riad_usage_queue_new(&host->usage);
    if (r >= 0) {
        r = riad_runner_new(&host->runner);
    }
    return r < 0 ? r : riad_reactor_new(&host->reactor);
}

void riad_host_release(struct riad_host *host)
{
    riad_reactor_free(host->reactor);
    riad_runner_free(host->runner);
    riad_usage_queue_free(host->usage);
    riad_event_queue_free(host->events);
    pthread_cond_destroy(&host->changed);
    pthread_mutex_destroy(&host->lock);
}

/* Each mount has some fifteen descriptors open. */
void riad_host_allow_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int riad_host_run(const struct riad_host_config *config, void (*ready)(void *context),
        void *context, struct riad_reason *ret_reason)
{
    _cleanup_close_ int signals = riad_host_block_signals(false);
    struct riad_host host = { .config = config, .state = { .fd = -1 } };
    int code, r;

    if (signals < 0) {
        snprintf(ret_reason->text, sizeof ret_reason->text, "cannot make a signal descriptor: %s",
                strerror(-signals));
        return RIAD_EXIT_FAILED;
    }
    riad_host_allow_descriptors();
    r = riad_host_prepare(&host);
    if (r < 0) {
        riad_host_release(&host);
        snprintf(ret_reason->text, sizeof ret_reason->text, "cannot start: %s", strerror(-r));
        return RIAD_EXIT_FAILED;
    }
    code = with_state(&host, signals, ready, context, ret_reason);
    riad_host_release(&host);
    return code;
}
