#include "riad/memory.h"

#include <malloc.h>
#include <unistd.h>

#include "riad/thread.h"

enum {
    ARENAS_MAX = 8,
    MMAP_THRESHOLD = 4 << 20,  /* buffers of 1 MiB come and go with every large write */
    TRIM_THRESHOLD = 32 << 20, /* nor are heaps to shrink and grow with them */
    FREE_MAX = 16 << 20,
    PAUSE_MS = 30000,
};

void riad_memory_prepare(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    mallopt(M_ARENA_MAX, processors < 1            ? 1
                         : processors > ARENAS_MAX ? ARENAS_MAX
                                                   : (int)processors);
    mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD);
    mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD);
}

int riad_memory_trim(uint64_t *looked_at)
{
    uint64_t now = riad_now_ns() / 1000000;

    if (*looked_at != 0 && now - *looked_at < PAUSE_MS) {
        return PAUSE_MS - (int)(now - *looked_at);
    }
    *looked_at = now;
    if (mallinfo2().fordblks > FREE_MAX) {
        malloc_trim(0);
    }
    return PAUSE_MS;
}
