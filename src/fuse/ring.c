#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/thread.h"

#include "ring_thread_priv.h"

/* A queue whose entries are all with slow requests waits: many, where processors are few. */
enum { DEPTH_MAX = 64, DEPTH_MIN = 4, DEPTH_TOTAL = 256 };

bool riad_ring_is_enabled(void)
{
    _cleanup_close_ int fd = open("/sys/module/fuse/parameters/enable_uring", O_RDONLY | O_CLOEXEC);
    char value = 'N';

    return fd >= 0 && read(fd, &value, 1) == 1 && (value == 'Y' || value == '1');
}

/* The first error of all threads. */
static int collect_reports(struct riad_ring *ring, unsigned threads)
{
    int r;

    pthread_mutex_lock(&ring->lock);
    while (ring->reports < threads) {
        pthread_cond_wait(&ring->changed, &ring->lock);
    }
    r = ring->error;
    pthread_mutex_unlock(&ring->lock);
    return r;
}

static struct riad_ring *allocate(unsigned threads)
{
    long processors = sysconf(_SC_NPROCESSORS_CONF);
    unsigned queues = processors > 0 ? (unsigned)processors : 1;
    struct riad_ring *ring;

    threads = threads < queues ? threads : queues;
    ring = calloc(1, sizeof *ring + threads * sizeof ring->threads[0]);
    if (!ring) {
        return NULL;
    }
    ring->queues = queues;
    ring->count = threads;
    ring->depth = DEPTH_TOTAL / queues;
    ring->depth = ring->depth > DEPTH_MAX ? DEPTH_MAX : ring->depth;
    ring->depth = ring->depth < DEPTH_MIN ? DEPTH_MIN : ring->depth;
    ring->place = riad_ring_choose(riad_ring_may_idle());
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->changed, NULL);
    return ring;
}

static int start_thread(struct riad_ring *ring, unsigned number)
{
    struct ring_thread *thread = &ring->threads[number];
    int r;

    thread->ring = ring;
    thread->number = number;
    thread->wake = eventfd(0, EFD_CLOEXEC);
    if (thread->wake < 0) {
        return -errno;
    }
    pthread_mutex_init(&thread->lock, NULL);
    snprintf(thread->name, sizeof thread->name, "riad-ring/%u", number);
    r = riad_thread_start(thread->name, riad_ring_thread_run, thread, &thread->id);
    if (r < 0) {
        pthread_mutex_destroy(&thread->lock);
        riad_close_fd(&thread->wake);
    }
    return r;
}

int riad_ring_new(unsigned threads, struct riad_ring **ret)
{
    struct riad_ring *ring = allocate(threads);
    unsigned started = 0;
    int r = ring ? 0 : -ENOMEM;

    while (r == 0 && started < ring->count) {
        r = start_thread(ring, started);
        started += r == 0;
    }
    if (ring) {
        int failed = collect_reports(ring, started);

        r = r < 0 ? r : failed;
        ring->count = started;
    }
    if (r < 0) {
        riad_ring_free(ring);
        return r;
    }
    *ret = ring;
    return 0;
}

void riad_ring_free(struct riad_ring *ring)
{
    if (!ring) {
        return;
    }
    atomic_store(&ring->ended, true);
    for (unsigned i = 0; i < ring->count; i++) {
        eventfd_write(ring->threads[i].wake, 1);
        pthread_join(ring->threads[i].id, NULL);
        pthread_mutex_destroy(&ring->threads[i].lock);
        riad_close_fd(&ring->threads[i].wake);
    }
    pthread_cond_destroy(&ring->changed);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}
