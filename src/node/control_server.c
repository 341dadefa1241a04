#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/fdio.h"

#include "control_priv.h"

/* How many clients of a uid there are. */
struct peer {
    uid_t uid;
    unsigned clients;
};

/* A thread accepts; each client gets a thread of its own, so that a slow one stalls nobody; their
 * number is bounded, of each uid by itself: nobody can keep another one out. */
struct riad_control {
    int run_fd; /* -1: the socket is somebody else's to remove */
    int listen_fd;
    int stop_fd;
    char name[32];
    bool everybody; /* may come; else the owner and root only */
    riad_control_handler handler;
    riad_control_raw_handler raw; /* instead */
    void *context;
    pthread_t thread;
    pthread_mutex_t lock; /* guards peers and clients */
    pthread_cond_t idle;
    struct peer *peers; /* with clients, or not any more */
    size_t peer_count;
    unsigned clients;
};

struct client {
    struct riad_control *control;
    uid_t uid;
    int fd;
};

int riad_control_peer(int fd, uid_t *ret)
{
    struct ucred peer;
    socklen_t size = sizeof peer;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) {
        return -errno;
    }
    *ret = peer.uid;
    return 0;
}

/* -EACCES: not one who may come. */
static int identify(const struct riad_control *control, int fd, uid_t *ret)
{
    uid_t uid = 0;
    int r = riad_control_peer(fd, &uid);

    if (r < 0) {
        return r;
    }
    if (!control->everybody && uid != geteuid() && uid != 0) {
        return -EACCES;
    }
    *ret = uid;
    return 0;
}

static void serve(struct riad_control *control, uid_t uid, int fd)
{
    int64_t deadline = riad_control_now() + RIAD_CONTROL_CLIENT_MS;
    const char *operation;
    json_t *request, *reply = NULL;

    if (riad_control_receive(fd, deadline, RIAD_CONTROL_LINE_MAX, &request) < 0) {
        return;
    }
    operation = json_string_value(json_object_get(request, "op"));
    if (json_integer_value(json_object_get(request, "version")) != 1 || !operation) {
        reply = riad_control_failure(RIAD_EXIT_USAGE, "this request is not of control protocol 1");
    } else {
        reply = control->handler(control->context, uid, operation, request);
    }
    /* The handler may have taken its time (a sync): the reply has its own. */
    if (reply && riad_control_send(fd, riad_control_now() + RIAD_CONTROL_CLIENT_MS, reply) < 0) {
        shutdown(fd, SHUT_RDWR);
    }
    json_decref(reply);
    json_decref(request);
}

/* (lock) The uid's entry, made if there is none: in place of one without clients if there is. */
static struct peer *find_peer(struct riad_control *control, uid_t uid)
{
    struct peer *unused = NULL, *grown;

    for (size_t i = 0; i < control->peer_count; i++) {
        if (control->peers[i].uid == uid) {
            return &control->peers[i];
        }
        unused = control->peers[i].clients == 0 ? &control->peers[i] : unused;
    }
    if (!unused) {
        grown = reallocarray(control->peers, control->peer_count + 1, sizeof *grown);
        if (!grown) {
            return NULL;
        }
        control->peers = grown;
        unused = &grown[control->peer_count++];
    }
    *unused = (struct peer){ .uid = uid };
    return unused;
}

/* root has its places whatever others take. */
static bool take_place(struct riad_control *control, uid_t uid)
{
    struct peer *peer;
    bool free_place;

    pthread_mutex_lock(&control->lock);
    peer = uid == 0 || control->clients < RIAD_CONTROL_ALL_MAX ? find_peer(control, uid) : NULL;
    free_place = peer && peer->clients < RIAD_CONTROL_CLIENTS_MAX;
    if (free_place) {
        peer->clients++;
        control->clients++;
    }
    pthread_mutex_unlock(&control->lock);
    return free_place;
}

static void leave_place(struct riad_control *control, uid_t uid)
{
    struct peer *peer;

    pthread_mutex_lock(&control->lock);
    peer = find_peer(control, uid); /* is there: it has clients */
    if (peer) {
        peer->clients--;
    }
    control->clients--;
    pthread_cond_broadcast(&control->idle);
    pthread_mutex_unlock(&control->lock);
}

static void *client_main(void *argument)
{
    struct client client = *(struct client *)argument;

    free(argument);
    if (client.control->raw) {
        client.control->raw(client.control->context, client.uid, client.fd);
    } else {
        serve(client.control, client.uid, client.fd);
    }
    close(client.fd);
    leave_place(client.control, client.uid);
    return NULL;
}

/* Says so. It takes no waiting: a socket that nothing was sent to has room for a line. */
static void turn_away(int fd)
{
    json_t *reply = riad_control_failure(
            RIAD_EXIT_FAILED, "too many requests are under way: wait until one of them has ended");
    int r = reply ? riad_control_send(fd, riad_control_now() + RIAD_CONTROL_CLIENT_MS, reply) : 0;

    (void)r;
    json_decref(reply);
}

/* 0: a thread serves it, and closes fd. */
static int start_client(struct riad_control *control, uid_t uid, int fd)
{
    struct client *client = malloc(sizeof *client);
    pthread_t thread;

    if (!client) {
        return -ENOMEM;
    }
    *client = (struct client){ .control = control, .uid = uid, .fd = fd };
    if (pthread_create(&thread, NULL, client_main, client) != 0) {
        free(client);
        return -EAGAIN;
    }
    pthread_detach(thread);
    return 0;
}

static void admit(struct riad_control *control, int fd)
{
    uid_t uid = 0;

    if (identify(control, fd, &uid) < 0) {
        close(fd);
        return;
    }
    if (take_place(control, uid)) {
        if (start_client(control, uid, fd) == 0) {
            return;
        }
        leave_place(control, uid);
    }
    turn_away(fd);
    close(fd);
}

static void *accept_main(void *argument)
{
    struct riad_control *control = argument;
    struct pollfd items[2] = { { .fd = control->listen_fd, .events = POLLIN },
        { .fd = control->stop_fd, .events = POLLIN } };

    for (;;) {
        int fd;

        if (poll(items, 2, -1) < 0 && errno != EINTR) {
            return NULL;
        }
        if (items[1].revents) {
            return NULL;
        }
        fd = items[0].revents ? accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd >= 0) {
            admit(control, fd);
        }
    }
}

static int open_socket(struct riad_control *control)
{
    struct sockaddr_un address;
    mode_t mask;
    int r;

    r = riad_control_address(control->run_fd, getpid(), &address);
    if (r < 0) {
        return r;
    }
    snprintf(control->name, sizeof control->name, "%d.sock", getpid());
    unlinkat(control->run_fd, control->name, 0);
    control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->listen_fd < 0) {
        return -errno;
    }
    mask = umask(0177);
    r = bind(control->listen_fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno
                                                                                        : 0;
    umask(mask);
    if (r == 0 && listen(control->listen_fd, 2 * RIAD_CONTROL_CLIENTS_MAX) < 0) {
        r = -errno;
    }
    return r;
}

static void release(struct riad_control *control)
{
    riad_close_fd(&control->listen_fd);
    riad_close_fd(&control->stop_fd);
    if (control->run_fd >= 0 && control->name[0]) {
        unlinkat(control->run_fd, control->name, 0);
    }
    riad_close_fd(&control->run_fd);
    pthread_cond_destroy(&control->idle);
    pthread_mutex_destroy(&control->lock);
    free(control->peers);
    free(control);
}

static int start_thread(struct riad_control *control)
{
    control->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (control->stop_fd < 0) {
        return -errno;
    }
    return -pthread_create(&control->thread, NULL, accept_main, control);
}

static int start(const struct riad_state *state, struct riad_control *control)
{
    int r = riad_mkdir_at(state->fd, "run");

    if (r < 0) {
        return r;
    }
    control->run_fd = riad_open_dir_at(state->fd, "run");
    if (control->run_fd < 0) {
        return control->run_fd;
    }
    r = open_socket(control);
    if (r < 0) {
        return r;
    }
    return start_thread(control);
}

static struct riad_control *make(riad_control_handler handler, void *context)
{
    struct riad_control *control = calloc(1, sizeof *control);

    if (control) {
        control->run_fd = control->listen_fd = control->stop_fd = -1;
        control->handler = handler;
        control->context = context;
        pthread_mutex_init(&control->lock, NULL);
        pthread_cond_init(&control->idle, NULL);
    }
    return control;
}

int riad_control_start(const struct riad_state *state, riad_control_handler handler, void *context,
        struct riad_control **ret)
{
    struct riad_control *control = make(handler, context);
    int r;

    if (!control) {
        return -ENOMEM;
    }
    r = start(state, control);
    if (r < 0) {
        release(control);
        return r;
    }
    *ret = control;
    return 0;
}

static int start_public(int fd, riad_control_handler handler, riad_control_raw_handler raw,
        void *context, struct riad_control **ret)
{
    struct riad_control *control = make(handler, context);
    int r;

    if (!control) {
        close(fd);
        return -ENOMEM;
    }
    control->raw = raw;
    control->listen_fd = fd;
    control->everybody = true;
    r = start_thread(control);
    if (r < 0) {
        release(control);
        return r;
    }
    *ret = control;
    return 0;
}

int riad_control_start_public(
        int fd, riad_control_handler handler, void *context, struct riad_control **ret)
{
    return start_public(fd, handler, NULL, context, ret);
}

int riad_control_start_raw(
        int fd, riad_control_raw_handler handler, void *context, struct riad_control **ret)
{
    return start_public(fd, NULL, handler, context, ret);
}

void riad_control_stop(struct riad_control *control)
{
    if (!control) {
        return;
    }
    eventfd_write(control->stop_fd, 1);
    pthread_join(control->thread, NULL);
    pthread_mutex_lock(&control->lock);
    while (control->clients > 0) {
        pthread_cond_wait(&control->idle, &control->lock);
    }
    pthread_mutex_unlock(&control->lock);
    release(control);
}
