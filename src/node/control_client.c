#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/fdio.h"

#include "control_priv.h"

static int connect_to(const struct riad_state *state, int pid)
{
    _cleanup_close_ int run = riad_open_dir_at(state->fd, "run");
    _cleanup_close_ int fd = -1;
    struct sockaddr_un address;
    int r;

    if (run < 0) {
        return run == -ENOENT ? -ECONNREFUSED : run;
    }
    r = riad_control_address(run, pid, &address);
    if (r < 0) {
        return r;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        return errno == ENOENT ? -ECONNREFUSED : -errno;
    }
    return riad_take_fd(&fd);
}

/* fd: connected; taken over. */
static int call(
        int connected, const char *operation, json_t *arguments, int timeout_ms, json_t **ret)
{
    _cleanup_close_ int fd = connected;
    int64_t deadline = riad_control_now() + timeout_ms;
    json_t *request;
    int r;

    if (fd < 0) {
        return fd;
    }
    request = json_pack("{s:i, s:s}", "version", 1, "op", operation);
    if (!request || (arguments && json_object_update(request, arguments) < 0)) {
        json_decref(request);
        return -ENOMEM;
    }
    r = riad_control_send(fd, deadline, request);
    json_decref(request);
    if (r < 0 && r != -EPIPE && r != -ECONNRESET) { /* who is turned away is answered unheard */
        return r;
    }
    return riad_control_receive(fd, deadline, RIAD_CONTROL_REPLY_MAX, ret);
}

int riad_control_call(const struct riad_state *state, int pid, const char *operation,
        json_t *arguments, int timeout_ms, json_t **ret)
{
    return call(connect_to(state, pid), operation, arguments, timeout_ms, ret);
}

int riad_control_read_reply(int fd, int timeout_ms, json_t **ret)
{
    return riad_control_receive(fd, riad_control_now() + timeout_ms, RIAD_CONTROL_REPLY_MAX, ret);
}

int riad_control_read_lines(
        int fd, void (*hear)(void *context, const json_t *line), void *context, json_t **ret)
{
    _cleanup_fclose_ FILE *file = fdopen(fd, "r");
    _cleanup_free_ char *line = NULL;
    size_t room = 0;

    if (!file) {
        close(fd);
        return -ENOMEM;
    }
    for (;;) {
        ssize_t n = getline(&line, &room, file);
        json_t *message = n > 0 ? json_loadb(line, (size_t)n, JSON_REJECT_DUPLICATES, NULL) : NULL;

        if (!json_is_object(message)) {
            json_decref(message);
            return n > 0 ? -EBADMSG : -ECONNRESET;
        }
        if (json_object_get(message, "ok")) {
            *ret = message;
            return 0;
        }
        hear(context, message);
        json_decref(message);
    }
}

int riad_control_call_path(
        const char *path, const char *operation, json_t *arguments, int timeout_ms, json_t **ret)
{
    return call(riad_control_connect(path), operation, arguments, timeout_ms, ret);
}

/* A socket nobody listens on was left by a killed process. */
static bool is_live(const struct riad_state *state, int run, const char *name, int pid)
{
    _cleanup_close_ int fd = connect_to(state, pid);

    if (fd == -ECONNREFUSED) {
        unlinkat(run, name, 0);
    }
    return fd >= 0;
}

int riad_control_list(const struct riad_state *state, int **ret_pids, size_t *ret_count)
{
    _cleanup_closedir_ DIR *directory = NULL;
    _cleanup_free_ int *pids = NULL;
    struct dirent *entry;
    size_t count = 0;
    int fd = riad_open_dir_at(state->fd, "run");

    if (fd < 0 && fd != -ENOENT) {
        return fd;
    }
    directory = fd < 0 ? NULL : fdopendir(fd);
    while (directory && (entry = readdir(directory))) {
        int pid, end = 0;
        int *grown;

        if (sscanf(entry->d_name, "%d.sock%n", &pid, &end) != 1 || end == 0 ||
                entry->d_name[end] != 0 || !is_live(state, dirfd(directory), entry->d_name, pid)) {
            continue;
        }
        grown = realloc(pids, (count + 1) * sizeof *pids);
        if (!grown) {
            return -ENOMEM;
        }
        pids = grown;
        pids[count++] = pid;
    }
    *ret_pids = riad_take_pointer(pids);
    *ret_count = count;
    return 0;
}
