/* What the monitor does for its worker. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "monitor_priv.h"

enum { MESSAGE_MAX = sizeof(struct riad_service_request) + RIAD_SERVICE_SIGN_MAX };

/* The label, a zero, and the magic of what the node signs: nothing else is signed, so the key
 * cannot be talked into anything else (F8). */
static bool may_be_signed(const uint8_t *message, size_t size)
{
    static const char term[] = "riad/v1/term\0RIAT", catalog[] = "riad/v1/catalog\0RIAC";

    return (size > sizeof term - 1 && memcmp(message, term, sizeof term - 1) == 0) ||
           (size > sizeof catalog - 1 && memcmp(message, catalog, sizeof catalog - 1) == 0);
}

static int sign(struct riad_monitor *monitor, const uint8_t *message, size_t size,
        struct riad_service_reply *reply)
{
    return may_be_signed(message, size) ? riad_sign(&monitor->keys, message, size, reply->signature)
                                        : -EPERM;
}

/* *ret_fd: the connection. The path comes from the configuration, not from the worker. */
static int mount_workspace(
        struct riad_monitor *monitor, const struct riad_service_request *request, int *ret_fd)
{
    _cleanup_free_ char *path = NULL;
    _cleanup_close_ int fd = -1;
    char source[320];
    int r;

    if ((request->kind != RIAD_KIND_HOME && request->kind != RIAD_KIND_PROJECT) ||
            !riad_catalog_is_user_name(request->name)) {
        return -EINVAL;
    }
    path = riad_config_place(&monitor->config, request->kind, request->name);
    if (!path) {
        return -ENOMEM;
    }
    snprintf(source, sizeof source, "riad:%s", request->name);
    fd = riad_monitor_mount(monitor, path, source);
    if (fd < 0) {
        return fd;
    }
    r = riad_monitor_mounted(monitor, request, strdup(path));
    if (r < 0) {
        return riad_monitor_unmount(path, true) < 0 ? -EIO : r;
    }
    *ret_fd = riad_take_fd(&fd);
    return 0;
}

static int unmount(struct riad_monitor *monitor, const struct riad_service_request *request)
{
    int r;

    if (!riad_monitor_is_mounted(monitor, request->path)) {
        return -ENOENT;
    }
    r = riad_monitor_unmount(request->path, request->lazy);
    if (r < 0 && r != -EINVAL) { /* that: somebody else has unmounted it */
        return r;
    }
    return riad_monitor_forget(monitor, request->path);
}

static int answer(struct riad_monitor *monitor, const struct riad_service_request *request,
        const uint8_t *payload, size_t size, struct riad_service_reply *reply, int *ret_fd)
{
    switch (request->operation) {
    case RIAD_SERVICE_SELF:
        reply->self = monitor->self;
        return 0;
    case RIAD_SERVICE_SIGN:
        return sign(monitor, payload, size, reply);
    case RIAD_SERVICE_MOUNT:
        return mount_workspace(monitor, request, ret_fd);
    case RIAD_SERVICE_UNMOUNT:
        return unmount(monitor, request);
    case RIAD_SERVICE_ABORT:
        return riad_monitor_is_mounted(monitor, request->path) ? riad_monitor_abort(request->path)
                                                               : -ENOENT;
    case RIAD_SERVICE_LIMIT:
        return riad_monitor_tell_limit(monitor, request, payload, size);
    case RIAD_SERVICE_ROTATED:
        return riad_monitor_rotated(monitor, request);
    case RIAD_SERVICE_READY:
        if (!monitor->served) {
            monitor->served = true;
            monitor->ready(monitor->context);
        }
        return 0;
    default:
        return -EINVAL;
    }
}

/* Strings of the worker's end somewhere. */
static bool is_sound(const struct riad_service_request *request, size_t size)
{
    return size >= sizeof *request && request->size == size - sizeof *request &&
           memchr(request->name, 0, sizeof request->name) &&
           memchr(request->path, 0, sizeof request->path);
}

void *riad_monitor_serve(void *argument)
{
    struct riad_monitor *monitor = argument;
    _cleanup_free_ uint8_t *message = malloc(MESSAGE_MAX);
    int r = message ? 0 : -ENOMEM;

    while (r == 0) {
        const struct riad_service_request *request = (const void *)message;
        struct riad_service_reply reply = { .result = -EINVAL };
        _cleanup_close_ int passed = -1, fd = -1;
        ssize_t n = riad_service_receive(monitor->service_fd, message, MESSAGE_MAX, &passed);

        if (n <= 0) {
            break;
        }
        if (is_sound(request, (size_t)n)) {
            reply.result = answer(monitor, request, message + sizeof *request,
                    (size_t)n - sizeof *request, &reply, &fd);
        }
        r = riad_service_send(monitor->service_fd, &reply, sizeof reply, NULL, 0, fd);
    }
    return NULL;
}
