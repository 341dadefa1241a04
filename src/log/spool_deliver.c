/* What a process that died left in its spool. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#include "segment_priv.h"
#include "spool_priv.h"

enum { ZEROS_MAX = 1 << 20 }; /* behind the log's end (riad_spool_write_zeros) */

struct left {
    const struct riad_spool_home *home;
    struct riad_spool_header *header; /* mapped with the ring behind it */
    uint64_t segment, shipped, end;
};

/* 1: mapped, and something may be pending; 0: there is nothing. */
static int map_file(struct left *left)
{
    _cleanup_close_ int fd = -1;
    struct stat st;
    void *map;

    fd = TEMP_FAILURE_RETRY(riad_sys->openat(left->home->state_fd, "spool",
            O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0));
    if (fd < 0) {
        return errno == ENOENT ? 0 : -errno;
    }
    if (riad_sys->fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode) || st.st_size != RIAD_SPOOL_FILE_SIZE) {
        return 0;
    }
    map = mmap(NULL, RIAD_SPOOL_FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
        return -errno;
    }
    left->header = map;
    return 1;
}

static int keep_aside(const struct left *left)
{
    char name[32];
    int fd = left->home->state_fd;

    snprintf(name, sizeof name, "spool.%016llx", (unsigned long long)left->segment);
    return riad_sys->renameat(fd, "spool", fd, name) < 0 ? -errno : 0;
}

/* The store's file of the segment, which the dead process has made. -ENOENT: there is none. */
static int open_segment(int workspace_fd, uint64_t segment)
{
    char path[32];
    int fd;

    riad_segment_path(RIAD_SEGMENT_LOG, segment, path);
    fd = TEMP_FAILURE_RETRY(riad_sys->openat(
            workspace_fd, path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0));
    return fd < 0 ? -errno : fd;
}

/* Where what the file has ends; behind it are the zeros that were written ahead, if any. Of more
 * than those can be, all counts as written. */
static int find_written(const struct left *left, int fd, uint64_t size, uint64_t *ret)
{
    uint8_t buffer[4096];
    uint64_t written = left->shipped;
    uint64_t offset = left->shipped;

    while (offset < size && size <= left->end + ZEROS_MAX) {
        size_t got = 0;
        int r = riad_pread_all(fd, buffer, sizeof buffer, offset, &got);

        if (r < 0) {
            return r;
        }
        for (size_t i = 0; i < got; i++) {
            written = buffer[i] ? offset + i + 1 : written;
        }
        offset = got == 0 ? size : offset + got;
    }
    *ret = offset < size ? size : written;
    return 0;
}

/* What the file has is right, or damaged: neither is ours to write over. Room that was reserved
 * behind it is given back. 1: the file ends before what was shipped to it. */
static int extend(const struct left *left, int fd)
{
    const uint8_t *ring = (const uint8_t *)left->header + RIAD_SPOOL_HEADER_SIZE;
    uint64_t written = 0;
    struct stat st;
    int r = 0;

    if (riad_sys->fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size < left->shipped) {
        return 1;
    }
    r = find_written(left, fd, (uint64_t)st.st_size, &written);
    if (r == 0 && written < left->end) {
        r = riad_spool_write_out(ring, written, left->end, fd, &left->header->shipped);
    }
    if (r == 0) {
        (void)riad_sys->ftruncate(fd, (off_t)(left->end > written ? left->end : written));
        atomic_store(&left->header->shipped, left->end);
    }
    return r;
}

/* 1: to be kept aside. */
static int deliver(const struct left *left, int workspace_fd)
{
    _cleanup_close_ int fd = open_segment(workspace_fd, left->segment);

    if (fd == -ENOENT || fd == -ELOOP || fd == -ENXIO) {
        return 1;
    }
    return fd < 0 ? fd : extend(left, fd);
}

static int deliver_mapped(
        struct left *left, int workspace_fd, uint32_t term, struct riad_delivery *ret)
{
    int r = 0;

    if (!riad_spool_header_fits(left->header, left->home)) {
        return 0; /* of an earlier boot: a power cut in between took what was not synced (P3) */
    }
    left->segment = atomic_load(&left->header->segment);
    left->shipped = atomic_load(&left->header->shipped);
    left->end = atomic_load(&left->header->end);
    r = term != 0 && riad_segment_term(left->segment) == term ? deliver(left, workspace_fd) : 1;
    if (r < 0 || left->shipped == left->end) {
        return r < 0 ? r : 0;
    }
    *ret = (struct riad_delivery){ left->end - left->shipped, left->segment, r > 0 };
    return r > 0 ? keep_aside(left) : 0;
}

int riad_spool_deliver(const struct riad_spool_home *home, int workspace_fd, uint32_t term,
        struct riad_delivery *ret)
{
    struct left left = { .home = home };
    struct riad_delivery delivery = { 0 };
    int r = map_file(&left);

    if (r > 0) {
        r = deliver_mapped(&left, workspace_fd, term, &delivery);
        munmap(left.header, RIAD_SPOOL_FILE_SIZE);
    }
    if (r < 0) {
        return r;
    }
    *ret = delivery;
    return 0;
}
