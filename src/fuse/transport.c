#include <linux/fuse.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"

#include "counters_priv.h"
#include "crew_priv.h"
#include "fuse_priv.h"
#include "init_priv.h"
#include "transport_priv.h"

enum { THREADS_MIN = 8, THREADS_DEFAULT_MAX = 16, INIT_TIMEOUT_MS = 10000 };

struct riad_transport {
    struct fuse_session *fuse; /* borrowed; has locks of its own */
    struct riad_crew *crew;    /* from the start on; has locks of its own */
    unsigned wanted;
    int ready_fd; /* counts up when INIT was answered, well or not */
    int ended_fd; /* counts up when the last thread left */
    struct riad_counters counters;
    _Atomic unsigned running;
    _Atomic uint64_t offered; /* by the kernel in INIT; its reply follows in the same thread */
    _Atomic bool usable;      /* set before ready_fd if INIT went well */
    unsigned started;         /* threads[] in use; of the thread that starts and joins */
    pthread_t threads[];
};

/* One thread's own. */
struct worker {
    struct riad_transport *transport;
    struct riad_request request;
    uint8_t *buffer;
};

static _Thread_local struct worker worker;

const struct riad_request *riad_transport_request(void)
{
    return &worker.request;
}

uint8_t *riad_transport_buffer(void)
{
    if (!worker.buffer && worker.transport) {
        worker.buffer = malloc(RIAD_MESSAGE_MAX);
    }
    return worker.buffer;
}

static bool kills_privileges(uint32_t opcode, const uint8_t *body, size_t size)
{
    struct fuse_write_in write;
    struct fuse_setattr_in setattr;

    if (opcode == FUSE_WRITE && size >= sizeof write) {
        memcpy(&write, body, sizeof write);
        return (write.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
    }
    if (opcode == FUSE_SETATTR && size >= sizeof setattr) {
        memcpy(&setattr, body, sizeof setattr);
        return (setattr.valid & FATTR_KILL_SUIDGID) != 0;
    }
    return false;
}

/* Keeps what libfuse hides of a request before it sees it. */
static void note_request(struct riad_transport *transport, const uint8_t *message, size_t size)
{
    struct fuse_in_header header;

    if (size < sizeof header) {
        return; /* libfuse reports it */
    }
    memcpy(&header, message, sizeof header);
    worker.request.unique = header.unique;
    worker.request.opcode = header.opcode;
    worker.request.kill_privileges =
            kills_privileges(header.opcode, message + sizeof header, size - sizeof header);
    riad_counters_request(&transport->counters, header.opcode);
    if (header.opcode == FUSE_INIT) {
        atomic_store(&transport->offered, riad_init_offered(message, size));
    }
}

static ssize_t read_message(int fd, void *buffer, size_t size, void *userdata)
{
    ssize_t n = read(fd, buffer, size);

    (void)userdata;
    if (n > 0) {
        note_request(worker.transport, buffer, (size_t)n);
    }
    return n;
}

/* The kernel is ready for requests once its INIT is answered. A reply that is neither amended nor
 * an error asks the kernel for an INIT of another version. */
static ssize_t write_init_reply(
        struct riad_transport *transport, int fd, const struct iovec *pieces, int count)
{
    const struct fuse_out_header *header = pieces[0].iov_base;
    bool amended = riad_init_amend(pieces, count, atomic_load(&transport->offered));
    ssize_t n = writev(fd, pieces, count);
    int saved = errno;

    if (amended && n >= 0) {
        atomic_store(&transport->usable, true);
    }
    if (amended || header->error != 0) {
        eventfd_write(transport->ready_fd, 1);
    }
    errno = saved;
    return n;
}

static ssize_t write_reply(int fd, struct iovec *pieces, int count, void *userdata)
{
    struct riad_transport *transport = worker.transport;
    const struct fuse_out_header *header = pieces[0].iov_base;

    (void)userdata;
    if (header->error != 0) {
        riad_counters_error(&transport->counters);
    }
    if (worker.request.opcode == FUSE_INIT) {
        return write_init_reply(transport, fd, pieces, count);
    }
    return writev(fd, pieces, count);
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

int riad_transport_new(struct fuse_session *fuse, unsigned threads, struct riad_transport **ret)
{
    unsigned wanted = threads > 0 ? threads : default_threads();
    struct riad_transport *transport =
            calloc(1, sizeof *transport + wanted * sizeof transport->threads[0]);
    int r;

    if (!transport) {
        return -ENOMEM;
    }
    transport->fuse = fuse;
    transport->wanted = wanted;
    transport->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    transport->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = transport->ready_fd < 0 || transport->ended_fd < 0 ? -EMFILE : 0;
    if (r == 0) {
        r = fuse_session_custom_io(fuse, &hooks, fuse_session_fd(fuse));
    }
    if (r < 0) {
        riad_transport_free(transport);
        return r;
    }
    *ret = transport;
    return 0;
}

/* One request. 0, or what ends the thread: 1 the session's end (the kernel says ENODEV: unmounted
 * or aborted), or a negative error. */
static int serve_one(struct riad_transport *transport, struct fuse_buf *message)
{
    int n;

    riad_crew_reading(transport->crew);
    n = fuse_session_receive_buf(transport->fuse, message);
    riad_crew_took(transport->crew);
    if (n == -EINTR || n == -EAGAIN) {
        return 0;
    }
    if (n <= 0) {
        return n < 0 ? n : 1;
    }
    fuse_session_process_buf(transport->fuse, message);
    memset(&worker.request, 0, sizeof worker.request);
    return fuse_session_exited(transport->fuse) ? 1 : 0;
}

static void serve(struct riad_transport *transport)
{
    struct fuse_buf message = { .mem = NULL };
    int r = 0;

    while (r == 0 && riad_crew_join(transport->crew)) {
        do {
            r = serve_one(transport, &message);
        } while (r == 0 && !riad_crew_retire(transport->crew));
    }
    if (r < 0) {
        riad_diag(RIAD_ERROR, "A thread of the mount stops: reading /dev/fuse failed: %s",
                strerror(-r));
    }
    riad_crew_end(transport->crew);
    free(message.mem);
}

static void *run(void *argument)
{
    struct riad_transport *transport = argument;

    worker.transport = transport;
    serve(transport);
    riad_free_pointer(&worker.buffer);
    if (atomic_fetch_sub(&transport->running, 1) == 1) {
        eventfd_write(transport->ended_fd, 1);
    }
    return NULL;
}

static int start_crew(struct riad_transport *transport)
{
    return riad_crew_new(fuse_session_fd(transport->fuse), 1, transport->wanted, &transport->crew);
}

/* At least one thread, else -EAGAIN. `running` counts this function too, until all are started. */
static int start_threads(struct riad_transport *transport)
{
    int r = start_crew(transport);

    atomic_store(&transport->running, 1);
    while (r == 0 && transport->started < transport->wanted) {
        atomic_fetch_add(&transport->running, 1);
        r = -pthread_create(&transport->threads[transport->started], NULL, run, transport);
        if (r < 0) {
            atomic_fetch_sub(&transport->running, 1);
            break;
        }
        pthread_setname_np(transport->threads[transport->started++], "riad-fuse");
    }
    if (atomic_fetch_sub(&transport->running, 1) == 1) {
        eventfd_write(transport->ended_fd, 1);
    }
    return transport->started > 0 ? 0 : r;
}

/* Signals are for the threads of the program, not for these. */
static int start_without_signals(struct riad_transport *transport)
{
    sigset_t all;
    sigset_t before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = start_threads(transport);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

int riad_transport_start(struct riad_transport *transport)
{
    struct pollfd fds[] = {
        { .fd = transport->ready_fd, .events = POLLIN },
        { .fd = transport->ended_fd, .events = POLLIN },
    };
    int r = start_without_signals(transport);
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

void riad_transport_join(struct riad_transport *transport)
{
    while (transport->started > 0) {
        pthread_join(transport->threads[--transport->started], NULL);
    }
    if (transport->crew) {
        riad_crew_end(transport->crew); /* if no thread ever ran */
    }
}

void riad_transport_free(struct riad_transport *transport)
{
    if (!transport) {
        return;
    }
    riad_crew_free(transport->crew);
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
    (void)transport;
    return "dev-fuse";
}
