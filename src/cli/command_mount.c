#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/memory.h"

#include "cli.h"

struct start {
    const struct options *options;
    int ready_fd; /* a byte here: the mount is usable; -1 in the foreground */
    char *log_path;
};

static bool is_empty_directory(const char *path)
{
    _cleanup_closedir_ DIR *directory = opendir(path);
    struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            return false;
        }
    }
    return directory != NULL;
}

/* statfs asks the mount's process; stat may be answered from memory. */
static bool is_dead(const char *path)
{
    struct statfs size;

    return statfs(path, &size) < 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

static int check_directory(const char *path)
{
    struct stat info;
    bool riad = false;

    if (is_mount_point(path, &riad)) {
        if (riad && is_dead(path)) {
            return fail(RIAD_EXIT_ALREADY_MOUNTED,
                    "%s holds a dead mount: `fusermount3 -u %s` (root: umount) clears it, then "
                    "mount again",
                    path, path);
        }
        return fail(RIAD_EXIT_ALREADY_MOUNTED, "something is already mounted on %s", path);
    }
    if (stat(path, &info) < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot use %s as mount point: %s", path, strerror(errno));
    }
    if (!S_ISDIR(info.st_mode)) {
        return fail(RIAD_EXIT_FAILED, "%s is not a directory", path);
    }
    if (!is_empty_directory(path)) {
        return fail(RIAD_EXIT_NOT_EMPTY, "%s is not empty: mount on an empty directory", path);
    }
    return RIAD_EXIT_DONE;
}

/* The terminal, the working directory and the descriptors of the caller are let go only now:
 * prompts and progress needed them. */
static void detach(struct start *start)
{
    _cleanup_close_ int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int log = open(start->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    setsid();
    if (chdir("/") < 0) {
        riad_diag(RIAD_DEBUG, "cannot change to /");
    }
    riad_diag_set_fd(log);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        dup2(null, STDOUT_FILENO);
        dup2(null, STDERR_FILENO);
    }
}

static void announce(void *context)
{
    struct start *start = context;

    if (start->ready_fd < 0) {
        if (isatty(STDERR_FILENO)) {
            fputs("riad: mounted; Ctrl-C unmounts\n", stderr);
        }
        return;
    }
    detach(start);
    if (write(start->ready_fd, "", 1) == 1) {
        close(start->ready_fd);
        start->ready_fd = -1;
    }
}

static int run_host(struct riad_host_config *config, struct start *start, const char *store)
{
    _cleanup_secret_ struct riad_secret *secret = NULL;
    struct riad_reason reason = { "" };
    int code = read_secret(start->options, store, &config->secret_kind, &secret);

    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    config->secret = secret;
    code = riad_host_run(config, announce, start, &reason);
    if (code != RIAD_EXIT_DONE && reason.text[0]) {
        fail(code, "%s", reason.text);
    }
    return code;
}

/* The child asks, unlocks and mounts (secrets do not survive a fork); the parent waits for its
 * word. */
static int run_detached(struct riad_host_config *config, struct start *start, const char *store)
{
    int pipe_fds[2], status;
    char byte;
    pid_t child;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot make a pipe: %s", strerror(errno));
    }
    child = fork();
    if (child < 0) {
        return fail(RIAD_EXIT_FAILED, "cannot fork: %s", strerror(errno));
    }
    if (child == 0) {
        close(pipe_fds[0]);
        start->ready_fd = pipe_fds[1];
        return run_host(config, start, store);
    }
    close(pipe_fds[1]);
    if (read(pipe_fds[0], &byte, 1) == 1) {
        close(pipe_fds[0]);
        return RIAD_EXIT_DONE;
    }
    close(pipe_fds[0]);
    if (waitpid(child, &status, 0) < 0 || !WIFEXITED(status)) {
        return fail(RIAD_EXIT_FAILED, "the mount process died: see the system's log");
    }
    return WEXITSTATUS(status);
}

static bool has_option(const char *options, const char *wanted)
{
    size_t size = strlen(wanted);

    for (const char *at = options; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
        if (strncmp(at, wanted, size) == 0 && (at[size] == ',' || at[size] == 0)) {
            return true;
        }
    }
    return false;
}

static int start_mount(
        const struct options *options, const char *store, struct riad_host_config *config)
{
    struct riad_state state;
    struct start start = { .options = options, .ready_fd = -1 };
    int code, r = riad_state_open(options->state_dir, &state);

    if (r < 0) {
        return fail(riad_exit_of(r), "cannot use the state directory: %s (see --state-dir)",
                strerror(-r));
    }
    r = asprintf(&start.log_path, "%s/riad.log", state.path);
    riad_state_close(&state);
    if (r < 0) {
        return fail(RIAD_EXIT_FAILED, "out of memory");
    }
    config->options = options->mount_options;
    config->state_dir = options->state_dir;
    config->allow_other = has_option(options->mount_options, "allow_other");
    config->read_only = has_option(options->mount_options, "ro");
    config->progress = isatty(STDERR_FILENO);
    code = options->foreground ? run_host(config, &start, store)
                               : run_detached(config, &start, store);
    free(start.log_path);
    return code;
}

static int parse_lock_idle(const char *text, uint64_t *ret)
{
    int64_t seconds;

    if (riad_parse_seconds(text, &seconds) < 0 || seconds == 0) {
        return -EINVAL;
    }
    *ret = (uint64_t)seconds;
    return 0;
}

int command_mount(int argc, char **argv)
{
    _cleanup_free_ char *directory = NULL;
    _cleanup_free_ char *store = NULL;
    struct riad_host_mount mount;
    struct riad_host_config config = { .mounts = &mount, .mount_count = 1 };
    struct options options;
    int code, r = parse_options(argc, argv, "pPrkwsofaRL", &options);

    if (r != 0) {
        return r < 0 ? RIAD_EXIT_DONE : r;
    }
    if (optind + 2 != argc) {
        return usage_error("name the store and the directory to mount on");
    }
    store = realpath(argv[optind], NULL);
    if (!store) {
        return fail(RIAD_EXIT_NOT_A_STORE, "no store at %s: %s", argv[optind], strerror(errno));
    }
    directory = absolute_path(argv[optind + 1]);
    if (!directory) {
        return fail(RIAD_EXIT_FAILED, "cannot use %s as mount point: %s", argv[optind + 1],
                strerror(errno));
    }
    if (options.lock_idle && parse_lock_idle(options.lock_idle, &config.lock_idle_seconds) < 0) {
        return usage_error("`%s` is no length of time: write 30m, 8h or 45s", options.lock_idle);
    }
    code = options.all ? RIAD_EXIT_DONE : check_directory(directory);
    if (code != RIAD_EXIT_DONE) {
        return code;
    }
    riad_memory_prepare();
    config.store_path = store;
    mount = (struct riad_host_mount){ .workspace = options.workspace ? options.workspace : "home",
        .directory = directory };
    config.all_below = options.all ? directory : NULL;
    return start_mount(&options, store, &config);
}
