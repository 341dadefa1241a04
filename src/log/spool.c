/* Appending to a spool, and shipping it. */
#include "riad/spool.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#include "spool_priv.h"

struct riad_spool {
    struct riad_spool_header *header; /* its atomics: the appender writes end, who ships shipped */
    uint8_t *ring;
    pthread_mutex_t shipping; /* one at a time writes to the store, or moves on to a segment */
};

static bool is_boot_known(const struct riad_spool_home *home)
{
    static const struct riad_id unknown;

    return !riad_id_equal(&home->boot, &unknown);
}

bool riad_spool_header_fits(
        const struct riad_spool_header *header, const struct riad_spool_home *home)
{
    uint64_t shipped = atomic_load(&header->shipped);
    uint64_t end = atomic_load(&header->end);

    return memcmp(header->magic, RIAD_SPOOL_MAGIC, sizeof header->magic) == 0 &&
           riad_id_equal(&header->workspace, &home->workspace) && is_boot_known(home) &&
           riad_id_equal(&header->boot, &home->boot) && shipped <= end &&
           end - shipped <= RIAD_SPOOL_SIZE && end <= INT64_MAX;
}

/* Room that a store into the mapping will find: a full disk must show here, also for a file that is
 * there already, which may have been copied with holes. sized: it has its size. */
static int allocate(int fd, bool sized)
{
    static const uint8_t zeros[1 << 16];
    uint64_t offset = 0;
    int r = 0;

    if (riad_sys->fallocate(fd, 0, 0, RIAD_SPOOL_FILE_SIZE) == 0) {
        return 0;
    }
    if (errno != EOPNOTSUPP && errno != ENOSYS) {
        return -errno;
    }
    while (!sized && offset < RIAD_SPOOL_FILE_SIZE && r == 0) {
        size_t left = RIAD_SPOOL_FILE_SIZE - offset;
        size_t size = left < sizeof zeros ? left : sizeof zeros;

        r = riad_pwrite_all(fd, zeros, size, offset);
        offset += size;
    }
    return r;
}

static int open_file(const struct riad_spool_home *home)
{
    _cleanup_close_ int fd = -1;
    struct stat st;
    bool sized;
    int r;

    fd = TEMP_FAILURE_RETRY(riad_sys->openat(
            home->state_fd, "spool", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
    if (fd < 0 || riad_sys->fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return -EMEDIUMTYPE;
    }
    sized = st.st_size == RIAD_SPOOL_FILE_SIZE;
    if (!sized && riad_sys->ftruncate(fd, 0) < 0) {
        return -errno;
    }
    r = allocate(fd, sized);
    return r < 0 ? r : riad_take_fd(&fd);
}

static void reset(struct riad_spool_header *header, uint64_t segment)
{
    atomic_store(&header->end, 0); /* before shipped: less than nothing is pending in between */
    atomic_store(&header->shipped, 0);
    atomic_store(&header->segment, segment);
}

static void claim(struct riad_spool_header *header, const struct riad_spool_home *home)
{
    reset(header, 0);
    memcpy(header->magic, RIAD_SPOOL_MAGIC, sizeof header->magic);
    header->workspace = home->workspace;
    header->boot = home->boot;
}

int riad_spool_open(const struct riad_spool_home *home, struct riad_spool **ret)
{
    _cleanup_free_ struct riad_spool *spool = calloc(1, sizeof *spool);
    _cleanup_close_ int fd = -1;
    void *map;

    if (!spool) {
        return -ENOMEM;
    }
    if (!is_boot_known(home)) {
        return -EOPNOTSUPP;
    }
    fd = open_file(home);
    if (fd < 0) {
        return fd;
    }
    map = mmap(NULL, RIAD_SPOOL_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        return -errno;
    }
    spool->header = map;
    spool->ring = (uint8_t *)map + RIAD_SPOOL_HEADER_SIZE;
    pthread_mutex_init(&spool->shipping, NULL);
    claim(spool->header, home);
    *ret = riad_take_pointer(spool);
    return 0;
}

void riad_spool_free(struct riad_spool *spool)
{
    if (!spool) {
        return;
    }
    munmap(spool->header, RIAD_SPOOL_FILE_SIZE);
    pthread_mutex_destroy(&spool->shipping);
    free(spool);
}

void riad_spool_begin(struct riad_spool *spool, uint64_t segment)
{
    pthread_mutex_lock(&spool->shipping);
    reset(spool->header, segment);
    pthread_mutex_unlock(&spool->shipping);
}

uint64_t riad_spool_pending(const struct riad_spool *spool)
{
    uint64_t shipped = atomic_load(&spool->header->shipped); /* first: it only grows towards end */
    uint64_t end = atomic_load(&spool->header->end);

    return end > shipped ? end - shipped : 0;
}

bool riad_spool_has_room(const struct riad_spool *spool, size_t size)
{
    return size <= RIAD_SPOOL_SIZE - riad_spool_pending(spool);
}

static void copy_in(uint8_t *ring, uint64_t offset, const void *data, size_t size)
{
    size_t at = offset % RIAD_SPOOL_SIZE;
    size_t first = size < RIAD_SPOOL_SIZE - at ? size : RIAD_SPOOL_SIZE - at;

    memcpy(ring + at, data, first);
    memcpy(ring, (const uint8_t *)data + first, size - first);
}

void riad_spool_put(struct riad_spool *spool, const struct iovec *pieces, int count)
{
    uint64_t end = atomic_load_explicit(&spool->header->end, memory_order_relaxed);

    for (int i = 0; i < count; i++) {
        copy_in(spool->ring, end, pieces[i].iov_base, pieces[i].iov_len);
        end += pieces[i].iov_len;
    }
    atomic_store_explicit(&spool->header->end, end, memory_order_release);
}

int riad_spool_write_out(
        const uint8_t *ring, uint64_t from, uint64_t to, int fd, _Atomic uint64_t *done)
{
    int r = 0;

    while (from < to && r == 0) {
        size_t at = from % RIAD_SPOOL_SIZE;
        size_t size = to - from < RIAD_SPOOL_SIZE - at ? to - from : RIAD_SPOOL_SIZE - at;

        r = riad_pwrite_all(fd, ring + at, size, from);
        if (r == 0) {
            from += size;
            atomic_store_explicit(done, from, memory_order_release);
        }
    }
    return r;
}

int riad_spool_ship(struct riad_spool *spool, uint64_t segment, int fd)
{
    struct riad_spool_header *header = spool->header;
    int r = 0;

    pthread_mutex_lock(&spool->shipping);
    if (atomic_load(&header->segment) == segment) {
        r = riad_spool_write_out(spool->ring, atomic_load(&header->shipped),
                atomic_load_explicit(&header->end, memory_order_acquire), fd, &header->shipped);
    }
    pthread_mutex_unlock(&spool->shipping);
    return r;
}

uint64_t riad_spool_shipped(struct riad_spool *spool, uint64_t segment)
{
    uint64_t shipped;

    pthread_mutex_lock(&spool->shipping);
    shipped = atomic_load(&spool->header->segment) == segment ? atomic_load(&spool->header->shipped)
                                                              : 0;
    pthread_mutex_unlock(&spool->shipping);
    return shipped;
}

int riad_spool_write_zeros(
        struct riad_spool *spool, uint64_t segment, int fd, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[1 << 16];
    uint64_t shipped;
    int r = 0;

    pthread_mutex_lock(&spool->shipping);
    shipped = atomic_load(&spool->header->shipped);
    from = from < shipped ? shipped : from;
    if (atomic_load(&spool->header->segment) != segment) {
        from = to;
    }
    while (from < to && r == 0) {
        size_t size = to - from < sizeof zeros ? to - from : sizeof zeros;

        r = riad_pwrite_all(fd, zeros, size, from);
        from += size;
    }
    pthread_mutex_unlock(&spool->shipping);
    return r;
}
