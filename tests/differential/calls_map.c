/* Memory of files. A signal for a page behind the end is a result like others. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "calls.h"

enum { PAGE = 4096 };

static sigjmp_buf after_fault;

static void on_fault(int signal)
{
    (void)signal;
    siglongjmp(after_fault, 1);
}

/* Copies between memory and memory; FAULT if a page was not there. What was copied by then is lost.
 */
static int64_t copy(void *to, const void *from, size_t size)
{
    struct sigaction action = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };

    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGSEGV, &action, NULL); /* a store to what was mapped for reading */
    if (sigsetjmp(after_fault, 1)) {
        return FAULT;
    }
    memcpy(to, from, size);
    return (int64_t)size;
}

static bool inside(int64_t offset, int64_t length)
{
    return offset >= 0 && length > 0 && offset <= MAP_BYTES && length <= MAP_BYTES - offset;
}

/* What stands in the last page behind the end of the file is nobody's. */
static int64_t until_end(int fd, int64_t offset, int64_t length)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || st.st_size <= offset) {
        return 0;
    }
    return st.st_size - offset < length ? st.st_size - offset : length;
}

/* How much of a store is compared: up to the end of the file. Behind its last page a byte is tried,
 * for the fault; in between there is nothing to compare. */
static int64_t storable(int fd, int64_t offset, int64_t length)
{
    int64_t size = until_end(fd, offset, length);
    struct stat st;

    if (size > 0 || fstat(fd, &st) < 0) {
        return size;
    }
    return offset >= (st.st_size + PAGE - 1) / PAGE * PAGE ? 1 : 0;
}

void unmap_slot(struct side *side, int64_t slot)
{
    if (side->map[slot]) {
        munmap(side->map[slot], MAP_BYTES);
        close(side->mapped[slot]);
    }
    side->map[slot] = NULL;
}

/* A mapping outlives its descriptor. */
int64_t call_map(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];
    int flags = fcntl(fd, F_GETFL);
    int protection = PROT_READ | (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY ? 0 : PROT_WRITE);
    void *map = mmap(NULL, MAP_BYTES, protection, MAP_SHARED, fd, 0);

    (void)ret;
    if (map == MAP_FAILED) {
        return -1;
    }
    unmap_slot(side, argument[0]);
    side->map[argument[0]] = map;
    side->mapped[argument[0]] = dup(fd);
    return 0;
}

int64_t call_unmap(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)ret;
    unmap_slot(side, argument[0]);
    return 0;
}

int64_t call_map_load(struct side *side, const int64_t *argument, struct outcome *ret)
{
    const uint8_t *map = side->map[argument[0]];
    int64_t offset = argument[1], r;

    if (!map || !inside(offset, argument[2])) {
        return SKIPPED;
    }
    r = copy(side->data, map + offset, (size_t)argument[2]);
    if (r > 0) {
        int64_t size = until_end(side->mapped[argument[0]], offset, r);

        ret->value[0] = side_hash(side->data, (size_t)size);
    }
    return r;
}

/* msync at once: else the times would move whenever the kernel writes the page back. */
int64_t call_map_store(struct side *side, const int64_t *argument, struct outcome *ret)
{
    uint8_t *map = side->map[argument[0]];
    int64_t size, r;

    (void)ret;
    if (!map || !inside(argument[1], argument[2])) {
        return SKIPPED;
    }
    size = storable(side->mapped[argument[0]], argument[1], argument[2]);
    if (size == 0) {
        return SKIPPED;
    }
    side_fill(side->data, (size_t)size, (uint64_t)argument[3]);
    r = copy(map + argument[1], side->data, (size_t)size);
    return msync(map, MAP_BYTES, MS_SYNC) == 0 ? r : -1;
}

/* Mapped, stored to and unmapped: what a store leaves is for read(2) to see. */
int64_t call_map_write(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];
    int64_t size, r = SKIPPED;
    uint8_t *map;

    (void)ret;
    if (!inside(argument[1], argument[2])) {
        return SKIPPED;
    }
    map = mmap(
            NULL, MAP_BYTES, PROT_READ | PROT_WRITE, argument[4] ? MAP_SHARED : MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        return -1;
    }
    size = storable(fd, argument[1], argument[2]);
    if (size > 0) {
        side_fill(side->data, (size_t)size, (uint64_t)argument[3]);
        r = copy(map + argument[1], side->data, (size_t)size);
    }
    munmap(map, MAP_BYTES);
    return r;
}
