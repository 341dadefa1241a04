#include <time.h>

#include "lifecycle_priv.h"

uint64_t riad_clock_boottime(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * RIAD_SECOND_NS + (uint64_t)now.tv_nsec;
}

struct timespec riad_clock_now(void)
{
    struct timespec now = { 0 };

    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

void riad_sleep_ms(uint64_t milliseconds)
{
    struct timespec left = { .tv_sec = (time_t)(milliseconds / 1000),
        .tv_nsec = (long)(milliseconds % 1000) * 1000000 };

    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
    }
}
