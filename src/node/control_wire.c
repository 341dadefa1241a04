#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/error.h"

#include "control_priv.h"

enum { LINE_FIRST = 4096 };

int64_t riad_control_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

json_t *riad_control_failure(int code, const char *sentence)
{
    return json_pack("{s:b, s:s, s:i}", "ok", 0, "error", sentence, "exit", code);
}

json_t *riad_control_hex(const void *data, size_t size)
{
    _cleanup_free_ char *text = malloc(2 * size + 1);

    if (!text) {
        return NULL;
    }
    riad_hex_encode(data, size, text);
    return json_string(text);
}

int riad_control_get_bytes(const json_t *object, const char *name, uint8_t **ret, size_t *ret_size)
{
    const json_t *value = json_object_get(object, name);
    size_t length = json_string_length(value);
    _cleanup_free_ uint8_t *bytes = NULL;

    if (!json_is_string(value) || length == 0 || length % 2 != 0) {
        return -EBADMSG;
    }
    bytes = malloc(length / 2);
    if (!bytes) {
        return -ENOMEM;
    }
    if (riad_hex_decode(json_string_value(value), bytes, length / 2) < 0) {
        return -EBADMSG;
    }
    *ret = riad_take_pointer(bytes);
    *ret_size = length / 2;
    return 0;
}

int riad_control_address(int run_fd, int pid, struct sockaddr_un *ret)
{
    int n;

    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    n = snprintf(ret->sun_path, sizeof ret->sun_path, "/proc/self/fd/%d/%d.sock", run_fd, pid);
    return n < 0 || (size_t)n >= sizeof ret->sun_path ? -ENAMETOOLONG : 0;
}

static int fill_address(const char *path, struct sockaddr_un *ret)
{
    size_t size = strlen(path);

    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (size >= sizeof ret->sun_path) {
        return -ENAMETOOLONG;
    }
    memcpy(ret->sun_path, path, size);
    return 0;
}

/* The mode is set before anybody can connect: connecting needs listen. */
int riad_control_listen(const char *path, mode_t mode)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un address;
    int r = fill_address(path, &address);

    if (r < 0 || fd < 0) {
        return r < 0 ? r : -errno;
    }
    unlink(path);
    if (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || chmod(path, mode) < 0 ||
            listen(fd, RIAD_CONTROL_ALL_MAX) < 0) {
        return -errno;
    }
    return riad_take_fd(&fd);
}

int riad_control_connect(const char *path)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;
    int r = fill_address(path, &address);

    if (r < 0 || fd < 0) {
        return r < 0 ? r : -errno;
    }
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        return errno == ENOENT ? -ECONNREFUSED : -errno;
    }
    return riad_take_fd(&fd);
}

static int wait_for(int fd, short events, int64_t deadline)
{
    struct pollfd item = { .fd = fd, .events = events };
    int64_t left = deadline - riad_control_now();
    int r;

    if (left <= 0) {
        return -ETIMEDOUT;
    }
    r = poll(&item, 1, left > INT32_MAX ? INT32_MAX : (int)left);
    if (r < 0) {
        return errno == EINTR ? 0 : -errno;
    }
    return r == 0 ? -ETIMEDOUT : 0;
}

static int parse(const char *line, size_t size, json_t **ret)
{
    json_t *message = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);

    if (!message) {
        return -EBADMSG;
    }
    if (!json_is_object(message)) {
        json_decref(message);
        return -EBADMSG;
    }
    *ret = message;
    return 0;
}

/* Room for more, up to max. -EBADMSG: the line is longer. */
static int make_room(char **line, size_t size, size_t *room, size_t max)
{
    size_t wanted = *room == 0 ? LINE_FIRST : *room * 2;
    char *longer;

    if (size < *room) {
        return 0;
    }
    if (size >= max) {
        return -EBADMSG;
    }
    wanted = wanted < max ? wanted : max;
    longer = realloc(*line, wanted);
    if (!longer) {
        return -ENOMEM;
    }
    *line = longer;
    *room = wanted;
    return 0;
}

int riad_control_receive(int fd, int64_t deadline, size_t max, json_t **ret)
{
    _cleanup_free_ char *line = NULL;
    size_t size = 0, room = 0;
    int r;

    while (size == 0 || line[size - 1] != '\n') {
        ssize_t n;

        r = make_room(&line, size, &room, max);
        if (r == 0) {
            r = wait_for(fd, POLLIN, deadline);
        }
        if (r < 0) {
            return r;
        }
        n = recv(fd, line + size, room - size, MSG_DONTWAIT);
        if (n == 0) {
            return -ECONNRESET;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        size += n > 0 ? (size_t)n : 0;
    }
    return parse(line, size, ret);
}

int riad_control_receive_exactly(int fd, int64_t deadline, void *ret, size_t size)
{
    size_t done = 0;

    while (done < size) {
        int r = wait_for(fd, POLLIN, deadline);
        ssize_t n = r < 0 ? 0 : recv(fd, (uint8_t *)ret + done, size - done, MSG_DONTWAIT);

        if (r < 0 || n == 0) {
            return r < 0 ? r : -ECONNRESET;
        }
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}

int riad_control_send(int fd, int64_t deadline, const json_t *message)
{
    _cleanup_free_ char *text = json_dumps(message, JSON_COMPACT);
    size_t size, done = 0;
    int r;

    if (!text) {
        return -ENOMEM;
    }
    size = strlen(text);
    text[size++] = '\n'; /* takes the terminator's place */
    while (done < size) {
        ssize_t n;

        r = wait_for(fd, POLLOUT, deadline);
        if (r < 0) {
            return r;
        }
        n = send(fd, text + done, size - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            return -errno;
        }
        done += n > 0 ? (size_t)n : 0;
    }
    return 0;
}
