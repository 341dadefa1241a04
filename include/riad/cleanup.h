/* Cleanup attributes (no goto): a variable marked with one is released when it leaves its scope. */
#ifndef RIAD_CLEANUP_H
#define RIAD_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

/* Each keeps errno and takes the empty value (-1, NULL). Bodies in src/base/cleanup.c. */
void riad_close_fd(int *fd);
void riad_close_dir(DIR **dir);
void riad_close_file(FILE **file);
void riad_free_pointer(void *pointer_to_pointer);

#define _cleanup_(function) __attribute__((cleanup(function)))
#define _cleanup_close_ _cleanup_(riad_close_fd)
#define _cleanup_closedir_ _cleanup_(riad_close_dir)
#define _cleanup_fclose_ _cleanup_(riad_close_file)
#define _cleanup_free_ _cleanup_(riad_free_pointer)

/* Hands a resource over: returns it and leaves the empty value behind, so that its cleanup does
 * nothing. */
static inline int riad_take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

#define riad_take_pointer(pointer)              \
    __extension__({                             \
        __typeof__(pointer) taken_ = (pointer); \
        (pointer) = NULL;                       \
        taken_;                                 \
    })

/* Defines x_freep, for _cleanup_(x_freep), from the destructor x_free of `type *`. */
#define RIAD_DEFINE_CLEANUP(type, destructor)        \
    static inline void destructor##p(type **pointer) \
    {                                                \
        if (*pointer) {                              \
            destructor(*pointer);                    \
        }                                            \
    }                                                \
    struct riad_cleanup_semicolon_

#endif
