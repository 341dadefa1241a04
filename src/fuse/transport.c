#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"

#include "init_priv.h"
#include "raw_priv.h"
#include "session_priv.h"
#include "settle_priv.h"
#include "transport_state_priv.h"

enum { THREADS_MIN = 8, THREADS_DEFAULT_MAX = 16, INIT_TIMEOUT_MS = 10000 };

void riad_transport_note(struct riad_transport *transport, const uint8_t *message, size_t size)
{
    if (!riad_worker_note(message, size)) {
        return; /* libfuse reports it */
    }
    riad_counters_request(&transport->counters, riad_worker.request.opcode);
    if (riad_worker.request.opcode == FUSE_INIT) {
        atomic_store(&transport->offered, riad_init_offered(message, size));
    }
}

void riad_transport_process(struct riad_transport *transport, uint8_t *message, size_t size)
{
    struct fuse_buf buffer = { .mem = message, .size = size };

    if (!riad_raw_request(transport->session, message, size)) {
        fuse_session_process_buf(transport->fuse, &buffer);
    }
}

static ssize_t read_message(int fd, void *buffer, size_t size, void *userdata)
{
    ssize_t n = read(fd, buffer, size);

    (void)userdata;
    if (n > 0) {
        riad_transport_note(riad_worker.transport, buffer, (size_t)n);
    }
    return n;
}

/* The kernel is ready for requests once its INIT is answered, and the entries of a ring that the
 * reply promised are there. A reply that is neither amended nor an error asks the kernel for an
 * INIT of another version. */
static ssize_t write_init_reply(
        struct riad_transport *transport, int fd, const struct iovec *pieces, int count)
{
    const struct fuse_out_header *header = pieces[0].iov_base;
    bool ring = header->error == 0 && riad_transport_prepare_ring(transport);
    bool amended = riad_init_amend(pieces, count, atomic_load(&transport->offered), ring);
    ssize_t n = writev(fd, pieces, count);
    int saved = errno;

    if (amended && n >= 0) {
        if (ring) {
            riad_transport_register_ring(transport);
        }
        atomic_store(&transport->usable, true);
    }
    if (amended || header->error != 0) {
        eventfd_write(transport->ready_fd, 1);
    }
    errno = saved;
    return n;
}

/* A reply of success becomes one of failure if what it says cannot be made durable. A reference
 * that it would have given stays taken: the workspace has turned read-only. */
static void settle_reply(const struct riad_transport *transport, struct iovec *pieces, int *count)
{
    struct fuse_out_header *header = pieces[0].iov_base;
    int r = header->error == 0 ? riad_settle(transport->session, riad_worker.request.opcode) : 0;

    if (r < 0) {
        header->error = r;
        header->len = sizeof *header;
        *count = 1;
    }
}

/* Replies go where their request came from; what is no reply (unique 0), or the reply to another
 * request than the one in the ring's entry, goes to the device. */
static ssize_t write_reply(int fd, struct iovec *pieces, int count, void *userdata)
{
    struct riad_transport *transport = riad_worker.transport;
    const struct fuse_out_header *header = pieces[0].iov_base;

    (void)userdata;
    if (header->unique == 0) {
        return writev(fd, pieces, count);
    }
    settle_reply(transport, pieces, &count);
    if (riad_worker.entry && header->unique == riad_worker.request.unique) {
        return riad_transport_reply_entry(transport, pieces, count);
    }
    if (header->error < 0) { /* above 0: a notification */
        riad_counters_error(&transport->counters);
    }
    if (riad_worker.request.opcode == FUSE_INIT) {
        return write_init_reply(transport, fd, pieces, count);
    }
    return writev(fd, pieces, count);
}

int riad_transport_reply(struct iovec *pieces, int count)
{
    int fd = fuse_session_fd(riad_worker.transport->fuse);

    return write_reply(fd, pieces, count, NULL) < 0 ? -errno : 0;
}

/* Without the splice calls libfuse does not splice. */
static const struct fuse_custom_io hooks = {
    .writev = write_reply,
    .read = read_message,
    .splice_receive = NULL,
    .splice_send = NULL,
};

static unsigned default_threads(void)
{
    cpu_set_t set;
    unsigned cpus = THREADS_DEFAULT_MAX; /* the set is too small for very many CPUs */

    if (sched_getaffinity(0, sizeof set, &set) == 0) {
        cpus = (unsigned)CPU_COUNT(&set);
    }
    if (cpus * 2 < THREADS_MIN) {
        return THREADS_MIN;
    }
    return cpus * 2 < THREADS_DEFAULT_MAX ? cpus * 2 : THREADS_DEFAULT_MAX;
}

static int choose_reactor(struct riad_transport *transport, struct riad_reactor *reactor)
{
    transport->reactor = reactor;
    transport->own_reactor = !reactor;
    return reactor ? 0 : riad_reactor_new(&transport->reactor);
}

int riad_transport_new(struct riad_session *session, unsigned threads, bool without_ring,
        struct riad_reactor *reactor, struct riad_transport **ret)
{
    struct riad_transport *transport = calloc(1, sizeof *transport);
    int r;

    if (!transport) {
        return -ENOMEM;
    }
    transport->session = session;
    transport->fuse = session->fuse;
    transport->wanted = threads > 0 ? threads : default_threads();
    transport->without_ring = without_ring;
    transport->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    transport->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = transport->ready_fd < 0 || transport->ended_fd < 0 ? -EMFILE : 0;
    if (r == 0) {
        r = choose_reactor(transport, reactor);
    }
    if (r == 0) {
        r = fuse_session_custom_io(session->fuse, &hooks, fuse_session_fd(session->fuse));
    }
    if (r < 0) {
        riad_transport_free(transport);
        return r;
    }
    *ret = transport;
    return 0;
}

/* (crew) Without memory for a message the request stays where it is, and is tried again. */
static int serve_device(void *context)
{
    struct riad_transport *transport = context;
    struct fuse_buf *message = riad_worker_message();
    int n;

    if (!message) {
        return 0;
    }
    riad_worker.transport = transport;
    n = fuse_session_receive_buf(transport->fuse, message);
    if (n == -EINTR || n == -EAGAIN) {
        return 0;
    }
    if (n < 0) {
        riad_diag(RIAD_ERROR, "A mount ends: reading /dev/fuse failed: %s", strerror(-n));
    }
    if (n <= 0) {
        return n < 0 ? n : 1;
    }
    riad_transport_process(transport, message->mem, (size_t)n);
    riad_worker_done();
    return fuse_session_exited(transport->fuse) ? 1 : 0;
}

/* (crew) */
static void end_device(void *context)
{
    const struct riad_transport *transport = context;

    eventfd_write(transport->ended_fd, 1);
}

/* Others may take a request between poll and read. */
static int make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

static int serve(struct riad_transport *transport)
{
    const struct riad_crew_device_config device = {
        .fd = fuse_session_fd(transport->fuse),
        .most = transport->wanted,
        .serve = serve_device,
        .ended = end_device,
        .context = transport,
    };
    int r = make_nonblocking(device.fd);

    return r < 0 ? r
                 : riad_crew_add(
                           riad_reactor_crew(transport->reactor), &device, &transport->device);
}

int riad_transport_start(struct riad_transport *transport)
{
    struct pollfd fds[] = {
        { .fd = transport->ready_fd, .events = POLLIN },
        { .fd = transport->ended_fd, .events = POLLIN },
    };
    int r = serve(transport);
    int n;

    if (r < 0) {
        return r;
    }
    n = TEMP_FAILURE_RETRY(poll(fds, 2, INIT_TIMEOUT_MS));
    if (n == 0) {
        return -ETIMEDOUT;
    }
    return atomic_load(&transport->usable) ? 0 : -EIO;
}

static void await_end(const struct riad_transport *transport)
{
    struct pollfd ended = { .fd = transport->ended_fd, .events = POLLIN };

    while (poll(&ended, 1, -1) < 1) {
    }
}

void riad_transport_join(struct riad_transport *transport)
{
    if (transport->device) {
        await_end(transport);
    }
    riad_crew_remove(transport->device);
    transport->device = NULL;
    riad_ring_await_end(transport->ring);
    /* A thread of the pool may have returned its entry, and still be at what it does for others. */
    riad_pool_free(transport->pool);
    transport->pool = NULL;
}

void riad_transport_free(struct riad_transport *transport)
{
    if (!transport) {
        return;
    }
    riad_pool_free(transport->pool); /* its threads return entries */
    riad_ring_detach(transport->ring);
    if (transport->own_reactor) {
        riad_reactor_free(transport->reactor);
    }
    riad_close_fd(&transport->ready_fd);
    riad_close_fd(&transport->ended_fd);
    free(transport);
}

int riad_transport_ended_fd(const struct riad_transport *transport)
{
    return transport->ended_fd;
}

void riad_transport_count(const struct riad_transport *transport, struct riad_session_counters *ret)
{
    riad_counters_read(&transport->counters, ret);
}

const char *riad_transport_name(const struct riad_transport *transport)
{
    return atomic_load(&transport->by_ring) ? "io-uring" : "dev-fuse";
}
