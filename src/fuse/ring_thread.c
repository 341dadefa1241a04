#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"
#include "riad/stall.h"
#include "riad/thread.h"

#include "ring_thread_priv.h"

/* Submissions gather in it until they are sent; completions beyond theirs the kernel keeps. */
enum {
    SUBMISSIONS = 256,
    COMPLETIONS = 4096,
    LINGER_NANOSECONDS = 50 * 1000,
    MISSES_MAX = 8,
    RETRY_EVERY = 32,
    FETCHES_MAX = 3, /* of a request: then a thread of the pool waits for it */
    FETCHED = 1,     /* in a completion's data, beside the entry: it is a fetch's */
};

static void report(struct riad_ring *ring, int result)
{
    pthread_mutex_lock(&ring->lock);
    ring->reports++;
    ring->error = ring->error < 0 ? ring->error : result;
    pthread_cond_broadcast(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
}

static int prepare_io(struct ring_thread *thread)
{
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_CQSIZE,
        .cq_entries = COMPLETIONS,
    };
    int r = io_uring_queue_init_params(SUBMISSIONS, &thread->io, &parameters);

    if (r < 0) {
        return r;
    }
    (void)io_uring_register_ring_fd(&thread->io); /* saves a look-up a call */
    return 0;
}

static struct io_uring_sqe *submission(struct ring_thread *thread)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&thread->io);

    if (!sqe) {
        io_uring_submit(&thread->io);
        sqe = io_uring_get_sqe(&thread->io);
    }
    return sqe;
}

static void await_messages(struct ring_thread *thread)
{
    struct io_uring_sqe *sqe = submission(thread);

    io_uring_prep_read(sqe, thread->wake, &thread->wake_count, sizeof thread->wake_count, 0);
    io_uring_sqe_set_data(sqe, NULL);
}

static void commit(struct ring_thread *thread, struct riad_ring_entry *entry)
{
    riad_ring_prepare_commit(submission(thread), entry);
}

/* A refusal completes at once; it is taken where all completions are. */
static int check_registered(struct ring_thread *thread, const struct riad_ring_mount *mount)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    int r = 0;

    io_uring_for_each_cqe(&thread->io, head, cqe)
    {
        const struct riad_ring_entry *entry = io_uring_cqe_get_data(cqe);
        bool fetched = (cqe->user_data & FETCHED) != 0;

        if (entry && !fetched && entry->mount == mount) {
            r = cqe->res < 0 ? cqe->res : r;
        }
    }
    return r;
}

static void register_entries(struct ring_thread *thread, struct riad_ring_mount *mount)
{
    unsigned entries = 0;
    int r;

    for (unsigned i = 0; i < riad_ring_entries(mount); i++) {
        if (mount->entries[i].thread == thread) {
            riad_ring_prepare_register(submission(thread), &mount->entries[i]);
            entries++;
        }
    }
    r = io_uring_submit(&thread->io);
    riad_ring_mount_report(mount, r < 0 ? r : check_registered(thread, mount), entries);
}

/* What other threads left here before they wrote to `wake`. */
static void take_messages(struct ring_thread *thread)
{
    struct riad_ring_entry *entry;
    struct ring_order *order;

    pthread_mutex_lock(&thread->lock);
    entry = thread->returned;
    order = thread->orders;
    thread->returned = NULL;
    thread->orders = NULL;
    pthread_mutex_unlock(&thread->lock);
    while (entry) {
        struct riad_ring_entry *next = entry->next;

        commit(thread, entry);
        entry = next;
    }
    while (order) {
        struct ring_order *next = order->next;

        register_entries(thread, order->mount);
        order = next;
    }
    await_messages(thread);
}

bool riad_ring_fetch(struct riad_ring_entry *entry, const struct riad_wait *wait)
{
    struct ring_thread *thread = entry->thread;
    struct io_uring_sqe *sqe;
    size_t passed;

    if (entry->fetches >= FETCHES_MAX) {
        return false;
    }
    sqe = submission(thread);
    /* All of it was asked of the disk by the call that did not wait, so when the last byte has come
     * the rest mostly has, too; if not, all is waited for. */
    passed = entry->fetches == 0 ? wait->size - 1 : 0;
    io_uring_prep_read(
            sqe, wait->fd, thread->fetched, (unsigned)(wait->size - passed), wait->offset + passed);
    io_uring_sqe_set_data64(sqe, (uint64_t)(uintptr_t)entry | FETCHED);
    entry->fetches++;
    entry->fetching = wait->fd;
    entry->stall = riad_stall_begin("pread", wait->fd);
    return true;
}

bool riad_ring_is_again(const struct riad_ring_entry *entry)
{
    return entry->fetches > 0;
}

/* What failed is for who waits to find out. */
static void end_fetch(struct riad_ring_entry *entry, int result)
{
    riad_stall_end(entry->stall);
    (void)close(entry->fetching);
    if (result <= 0) {
        entry->fetches = FETCHES_MAX;
    }
}

/* An entry that completes with an error has left the kernel: the connection is gone. */
static void handle(struct ring_thread *thread, uint64_t data, int result)
{
    struct riad_ring_entry *entry = (void *)(uintptr_t)(data & ~(uint64_t)FETCHED);
    bool fetched = (data & FETCHED) != 0;

    if (!entry) {
        take_messages(thread);
        return;
    }
    if (fetched) {
        end_fetch(entry, result);
    } else {
        entry->fetches = 0;
    }
    if (result < 0 && !fetched) {
        riad_ring_mount_lost(entry->mount);
    } else if (entry->mount->config.serve(entry->mount->config.context, entry)) {
        commit(thread, entry);
    }
}

/* A reply does not wait for the requests behind it. */
static void handle_completed(struct ring_thread *thread)
{
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&thread->io, &cqe) == 0) {
        uint64_t data = io_uring_cqe_get_data64(cqe);
        int result = cqe->res;

        io_uring_cqe_seen(&thread->io, cqe);
        handle(thread, data, result);
        if (io_uring_cq_ready(&thread->io) > 0) {
            io_uring_submit(&thread->io);
        }
    }
}

/* An error that the kernel should not give is waited out: nobody else can serve these queues. */
static void note_error(int error, bool *told)
{
    static const struct timespec rest = { .tv_nsec = 10 * 1000 * 1000 };

    if (!*told) {
        riad_diag(RIAD_ERROR, "A thread of the mounts cannot wait for requests: io_uring: %s",
                strerror(-error));
    }
    *told = true;
    nanosleep(&rest, NULL);
}

/* The kernel flags work for this thread, which brings completions; no system call is needed to see
 * it. */
static bool has_completed(const struct ring_thread *thread)
{
    return (__atomic_load_n(thread->io.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_TASKRUN) != 0 ||
           io_uring_cq_ready(&thread->io) > 0;
}

/* On another processor than its clients it need not sleep at once: it would be woken again. Given
 * up after MISSES_MAX vain times, and tried again each RETRY_EVERY requests. */
static void linger(struct ring_thread *thread)
{
    uint64_t until;
    bool found;

    if (thread->misses >= MISSES_MAX && ++thread->skipped < RETRY_EVERY) {
        return;
    }
    thread->skipped = 0;
    io_uring_submit(&thread->io);
    until = riad_now_ns() + LINGER_NANOSECONDS;
    do {
        found = has_completed(thread);
    } while (!found && riad_now_ns() < until);
    thread->misses = found ? 0 : thread->misses + (thread->misses < MISSES_MAX);
}

static void serve(struct ring_thread *thread)
{
    struct riad_ring_place place;
    bool told = false;

    riad_ring_place_init(&place, thread->number, thread->ring->place);
    await_messages(thread);
    while (!atomic_load(&thread->ring->ended)) {
        int r;

        if (place.at == RIAD_PLACE_ACROSS) {
            linger(thread);
        }
        r = io_uring_submit_and_wait(&thread->io, 1);
        if (r < 0 && r != -EINTR && r != -EAGAIN && r != -EBUSY) {
            note_error(r, &told);
        }
        handle_completed(thread);
        riad_ring_place(&place);
    }
    riad_ring_place_done(&place);
}

void *riad_ring_thread_run(void *argument)
{
    struct ring_thread *thread = argument;
    _cleanup_free_ uint8_t *fetched = malloc(RIAD_WAIT_MAX);
    int r;

    thread->fetched = fetched;
    r = fetched ? prepare_io(thread) : -ENOMEM;
    report(thread->ring, r);
    if (r >= 0) {
        serve(thread);
        io_uring_queue_exit(&thread->io);
    }
    return NULL;
}

void riad_ring_thread_order(struct ring_thread *thread, struct ring_order *order)
{
    pthread_mutex_lock(&thread->lock);
    order->next = thread->orders;
    thread->orders = order;
    pthread_mutex_unlock(&thread->lock);
    eventfd_write(thread->wake, 1);
}

void riad_ring_return(struct riad_ring_entry *entry)
{
    struct ring_thread *thread = entry->thread;

    pthread_mutex_lock(&thread->lock);
    entry->next = thread->returned;
    thread->returned = entry;
    pthread_mutex_unlock(&thread->lock);
    eventfd_write(thread->wake, 1);
}
