#include <sched.h>
#include <sys/eventfd.h>

#include "riad/diag.h"
#include "riad/error.h"

#include "ring_thread_priv.h"
#include "ring_yield_priv.h"

enum { SPARE_SUBMISSIONS = 8 };

static void report(struct riad_ring *ring, int result)
{
    pthread_mutex_lock(&ring->lock);
    ring->reports++;
    ring->error = ring->error < 0 ? ring->error : result;
    pthread_cond_broadcast(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
}

static enum ring_phase await_phase(struct riad_ring *ring)
{
    enum ring_phase phase;

    pthread_mutex_lock(&ring->lock);
    while (ring->phase == PREPARING) {
        pthread_cond_wait(&ring->changed, &ring->lock);
    }
    phase = ring->phase;
    pthread_mutex_unlock(&ring->lock);
    return phase;
}

/* Where the processor is not ours to run on the thread runs anywhere. */
static void pin(unsigned processor)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    (void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

static int prepare_io(struct ring_thread *thread)
{
    const struct riad_ring *ring = thread->ring;
    struct io_uring_params parameters = {
        .flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN
    };
    unsigned queues = (ring->queues + ring->count - 1) / ring->count;
    int r = io_uring_queue_init_params(
            queues * ring->depth + SPARE_SUBMISSIONS, &thread->io, &parameters);

    if (r < 0) {
        return r;
    }
    r = io_uring_register_files(&thread->io, &ring->config.device, 1);
    if (r < 0) {
        io_uring_queue_exit(&thread->io);
        return r;
    }
    (void)io_uring_register_ring_fd(&thread->io); /* saves a look-up a call */
    return 0;
}

/* Every submission in flight has a place: none is made twice. */
static struct io_uring_sqe *submission(struct ring_thread *thread)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&thread->io);

    if (!sqe) {
        io_uring_submit(&thread->io);
        sqe = io_uring_get_sqe(&thread->io);
    }
    return sqe;
}

static void await_returns(struct ring_thread *thread)
{
    struct io_uring_sqe *sqe = submission(thread);

    io_uring_prep_read(sqe, thread->wake, &thread->wake_count, sizeof thread->wake_count, 0);
    io_uring_sqe_set_data(sqe, NULL);
}

static void commit(struct ring_thread *thread, struct riad_ring_entry *entry)
{
    riad_ring_prepare_commit(submission(thread), entry);
}

/* A refusal completes at once. */
static int check_registered(struct ring_thread *thread)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    int r = 0;

    io_uring_for_each_cqe(&thread->io, head, cqe)
    {
        r = cqe->res < 0 ? cqe->res : r;
    }
    return r;
}

static int register_entries(struct ring_thread *thread)
{
    struct riad_ring *ring = thread->ring;
    int r;

    for (unsigned queue = thread->number; queue < ring->queues; queue += ring->count) {
        for (unsigned i = 0; i < ring->depth; i++) {
            struct riad_ring_entry *entry = &ring->entries[queue * ring->depth + i];

            entry->thread = thread;
            riad_ring_prepare_register(submission(thread), entry);
            thread->alive++;
        }
    }
    await_returns(thread);
    r = io_uring_submit(&thread->io);
    return r < 0 ? r : check_registered(thread);
}

static void take_returned(struct ring_thread *thread)
{
    struct riad_ring_entry *entry;

    pthread_mutex_lock(&thread->lock);
    entry = thread->returned;
    thread->returned = NULL;
    pthread_mutex_unlock(&thread->lock);
    while (entry) {
        struct riad_ring_entry *next = entry->next;

        commit(thread, entry);
        entry = next;
    }
    await_returns(thread);
}

/* An entry that completes with an error has left the kernel: the connection is gone. */
static void handle(struct ring_thread *thread, struct riad_ring_entry *entry, int result)
{
    struct riad_ring *ring = thread->ring;

    if (!entry) {
        take_returned(thread);
    } else if (result < 0) {
        thread->alive--;
    } else if (ring->config.serve(ring->config.context, entry)) {
        commit(thread, entry);
    }
}

/* A reply does not wait for the requests behind it. */
static void handle_completed(struct ring_thread *thread)
{
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&thread->io, &cqe) == 0) {
        struct riad_ring_entry *entry = io_uring_cqe_get_data(cqe);
        int result = cqe->res;

        io_uring_cqe_seen(&thread->io, cqe);
        handle(thread, entry, result);
        if (io_uring_cq_ready(&thread->io) > 0) {
            io_uring_submit(&thread->io);
        }
    }
}

static void serve(struct ring_thread *thread)
{
    struct riad_ring_yield yield;

    riad_ring_yield_init(&yield, thread->ring->may_yield);
    while (thread->alive > 0) {
        int r = io_uring_submit_and_wait(&thread->io, 1);

        if (r < 0 && r != -EINTR && r != -EAGAIN && r != -EBUSY) {
            riad_diag(RIAD_ERROR, "A thread of the mount stops: io_uring failed: %s", strerror(-r));
            break;
        }
        handle_completed(thread);
        riad_ring_yield(&yield);
    }
    riad_ring_yield_done(&yield);
}

void *riad_ring_thread_run(void *argument)
{
    struct ring_thread *thread = argument;
    int r;

    pin(thread->number);
    r = prepare_io(thread);
    report(thread->ring, r);
    if (r < 0) {
        return NULL;
    }
    if (await_phase(thread->ring) == REGISTERING) {
        report(thread->ring, register_entries(thread));
        serve(thread);
    }
    io_uring_queue_exit(&thread->io);
    return NULL;
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
