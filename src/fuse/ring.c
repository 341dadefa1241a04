#include <fcntl.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "ring_thread_priv.h"
#include "ring_yield_priv.h"

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

static void set_phase(struct riad_ring *ring, enum ring_phase phase)
{
    pthread_mutex_lock(&ring->lock);
    ring->phase = phase;
    ring->reports = 0;
    ring->error = 0;
    pthread_cond_broadcast(&ring->changed);
    pthread_mutex_unlock(&ring->lock);
}

static struct riad_ring *allocate(const struct riad_ring_config *config)
{
    long processors = sysconf(_SC_NPROCESSORS_CONF);
    unsigned queues = processors > 0 ? (unsigned)processors : 1;
    unsigned threads = config->threads < queues ? config->threads : queues;
    struct riad_ring *ring = calloc(1, sizeof *ring + threads * sizeof ring->threads[0]);

    if (!ring) {
        return NULL;
    }
    ring->config = *config;
    ring->queues = queues;
    ring->depth = DEPTH_TOTAL / queues;
    ring->depth = ring->depth > DEPTH_MAX ? DEPTH_MAX : ring->depth;
    ring->depth = ring->depth < DEPTH_MIN ? DEPTH_MIN : ring->depth;
    pthread_mutex_init(&ring->lock, NULL);
    pthread_cond_init(&ring->changed, NULL);
    ring->entries = calloc(riad_ring_entries(ring), sizeof *ring->entries);
    if (!ring->entries || riad_ring_memory_new(riad_ring_entries(ring), &ring->memory) < 0) {
        riad_ring_free(ring);
        return NULL;
    }
    for (unsigned i = 0; i < riad_ring_entries(ring); i++) {
        riad_ring_entry_init(&ring->entries[i], ring->memory, i, (uint16_t)(i / ring->depth));
    }
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
    r = -pthread_create(&thread->id, NULL, riad_ring_thread_run, thread);
    if (r < 0) {
        pthread_mutex_destroy(&thread->lock);
        riad_close_fd(&thread->wake);
        return r;
    }
    pthread_setname_np(thread->id, "riad-ring");
    return 0;
}

int riad_ring_new(const struct riad_ring_config *config, struct riad_ring **ret)
{
    struct riad_ring *ring = allocate(config);
    unsigned threads, started = 0;
    int r = ring ? 0 : -ENOMEM;

    if (r < 0) {
        return r;
    }
    threads = config->threads < ring->queues ? config->threads : ring->queues;
    ring->count = threads; /* before the first thread reads it */
    ring->may_yield = riad_ring_may_yield();
    while (r == 0 && started < threads) {
        r = start_thread(ring, started);
        started += r == 0;
    }
    r = r < 0 ? r : collect_reports(ring, started);
    if (r < 0) {
        ring->count = started;
        riad_ring_join(ring);
        riad_ring_free(ring);
        return r;
    }
    *ret = ring;
    return 0;
}

int riad_ring_register(struct riad_ring *ring)
{
    set_phase(ring, REGISTERING);
    return collect_reports(ring, ring->count);
}

void riad_ring_join(struct riad_ring *ring)
{
    if (!ring) {
        return;
    }
    if (ring->phase == PREPARING) {
        set_phase(ring, ABANDONED);
    }
    for (unsigned i = 0; i < ring->count; i++) {
        pthread_join(ring->threads[i].id, NULL);
    }
}

void riad_ring_free(struct riad_ring *ring)
{
    if (!ring) {
        return;
    }
    for (unsigned i = 0; i < ring->count; i++) {
        pthread_mutex_destroy(&ring->threads[i].lock);
        riad_close_fd(&ring->threads[i].wake);
    }
    riad_ring_memory_free(ring->memory, riad_ring_entries(ring));
    pthread_cond_destroy(&ring->changed);
    pthread_mutex_destroy(&ring->lock);
    free(ring->entries);
    free(ring);
}

unsigned riad_ring_entries(const struct riad_ring *ring)
{
    return ring->queues * ring->depth;
}
