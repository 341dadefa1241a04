/* Messages between worker and monitor, and the worker's end of them. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "service_priv.h"

union control {
    char room[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

int riad_service_send(
        int socket, const void *head, size_t head_size, const void *tail, size_t tail_size, int fd)
{
    struct iovec pieces[] = { { (void *)head, head_size }, { (void *)tail, tail_size } };
    union control control = { { 0 } };
    struct msghdr message = { .msg_iov = pieces, .msg_iovlen = tail_size > 0 ? 2 : 1 };
    ssize_t n;

    if (fd >= 0) {
        struct cmsghdr *header;

        message.msg_control = &control;
        message.msg_controllen = sizeof control.room;
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    n = TEMP_FAILURE_RETRY(sendmsg(socket, &message, MSG_NOSIGNAL));
    return n < 0 ? -errno : 0;
}

static int take_fd(struct msghdr *message)
{
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    int fd = -1;

    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
            header->cmsg_len == CMSG_LEN(sizeof fd)) {
        memcpy(&fd, CMSG_DATA(header), sizeof fd);
    }
    return fd;
}

ssize_t riad_service_receive(int socket, void *data, size_t size, int *ret_fd)
{
    struct iovec piece = { data, size };
    union control control = { { 0 } };
    struct msghdr message = { .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control.room };
    ssize_t n = TEMP_FAILURE_RETRY(recvmsg(socket, &message, MSG_CMSG_CLOEXEC));
    int fd;

    if (n < 0) {
        return -errno;
    }
    fd = take_fd(&message);
    if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        riad_close_fd(&fd);
        return -EMSGSIZE;
    }
    *ret_fd = fd;
    return n;
}

struct riad_service {
    int fd;
    pthread_mutex_t lock; /* one request at a time; none waits for storage */
};

int riad_service_new(int fd, struct riad_service **ret)
{
    struct riad_service *service = calloc(1, sizeof *service);

    if (!service) {
        return -ENOMEM;
    }
    service->fd = fd;
    pthread_mutex_init(&service->lock, NULL);
    *ret = service;
    return 0;
}

void riad_service_free(struct riad_service *service)
{
    if (service) {
        close(service->fd);
        pthread_mutex_destroy(&service->lock);
        free(service);
    }
}

static int exchange(struct riad_service *service, const struct riad_service_request *request,
        const void *payload, struct riad_service_reply *ret, int *ret_fd)
{
    ssize_t n;
    int r;

    r = riad_service_send(
            service->fd, request, sizeof *request, payload, payload ? request->size : 0, -1);
    if (r < 0) {
        return r;
    }
    n = riad_service_receive(service->fd, ret, sizeof *ret, ret_fd);
    if (n < 0) {
        return (int)n;
    }
    return n == sizeof *ret ? 0 : -EPIPE;
}

int riad_service_call(struct riad_service *service, const struct riad_service_request *request,
        const void *payload, struct riad_service_reply *ret, int *ret_fd)
{
    struct riad_service_reply reply;
    _cleanup_close_ int fd = -1;
    int r;

    pthread_mutex_lock(&service->lock);
    r = exchange(service, request, payload, &reply, &fd);
    pthread_mutex_unlock(&service->lock);
    if (r == 0) {
        r = reply.result;
    }
    if (r < 0) {
        return r;
    }
    if (ret_fd) {
        *ret_fd = riad_take_fd(&fd);
    }
    *ret = reply;
    return r;
}
