#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>

#include "shim.h"

static atomic_ullong counts[CALL_COUNT];
static struct timespec latency;

static const char *const names[CALL_COUNT] = {
#define X(name) #name,
    CALLS(X)
#undef X
};

void call_set_latency(double milliseconds)
{
    double seconds = milliseconds / 1000;
    latency.tv_sec = (time_t)seconds;
    latency.tv_nsec = (long)((seconds - (double)latency.tv_sec) * 1e9);
    prctl(PR_SET_TIMERSLACK, 1); /* threads inherit it: 50 us more each time would be a tenth */
}

void call_begin(enum call call)
{
    atomic_fetch_add_explicit(&counts[call], 1, memory_order_relaxed);
    struct timespec left = latency;
    while ((left.tv_sec > 0 || left.tv_nsec > 0) &&
            clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}

static size_t calls_print(char *text, size_t size)
{
    size_t used = 0;
    unsigned long long total = 0;
    for (int i = 0; i < CALL_COUNT; i++) {
        unsigned long long count = atomic_load(&counts[i]);
        total += count;
        used += (size_t)snprintf(text + used, size - used, "%s %llu\n", names[i], count);
    }
    return used + (size_t)snprintf(text + used, size - used, "total %llu\n", total);
}

static struct stat calls_stat(void)
{
    return (struct stat){ .st_ino = CALLS_INODE, .st_mode = S_IFREG | 0444, .st_nlink = 1 };
}

void calls_entry(fuse_req_t req)
{
    struct fuse_entry_param entry = { .ino = CALLS_INODE, .attr = calls_stat() };
    fuse_reply_entry(req, &entry);
}

void calls_getattr(fuse_req_t req)
{
    struct stat st = calls_stat();
    fuse_reply_attr(req, &st, 0);
}

void calls_read(fuse_req_t req, size_t size, off_t offset)
{
    char text[CALL_COUNT * 48];
    size_t length = calls_print(text, sizeof text);
    size_t start = (size_t)offset < length ? (size_t)offset : length;
    fuse_reply_buf(req, text + start, length - start < size ? length - start : size);
}
