/* Memory that is not there: the Nth allocation of this thread fails, and all behind it do until
 * allocations_failed() is asked. malloc and its kin are the ones here, which call the C library's;
 * where a sanitizer has its own, nothing fails. One C file per test includes this. */
#ifndef RIAD_TESTS_ALLOCATIONS_H
#define RIAD_TESTS_ALLOCATIONS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

enum { allocations_can_fail = 0 };

static inline void allocations_fail(unsigned number)
{
    (void)number;
}

static inline bool allocations_failed(void)
{
    return false;
}

#else

enum { allocations_can_fail = 1 };

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);

static _Thread_local unsigned allocations_left; /* until one fails, + 1; 0: none does */
static _Thread_local bool allocations_hit;

static inline void allocations_fail(unsigned number)
{
    allocations_left = number + 1;
    allocations_hit = false;
}

static inline bool allocations_failed(void)
{
    allocations_left = 0;
    return allocations_hit;
}

static bool allocations_out(void)
{
    if (allocations_left == 0 || (allocations_left > 1 && --allocations_left > 1)) {
        return false;
    }
    allocations_hit = true;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return allocations_out() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return allocations_out() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
    return allocations_out() ? NULL : __libc_realloc(pointer, size);
}

#endif

#endif
