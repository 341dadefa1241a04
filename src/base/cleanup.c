#include "riad/cleanup.h"

#include <errno.h>
#include <string.h>

#include "riad/sysops.h"

void riad_close_fd(int *fd)
{
    int saved = errno;

    if (*fd >= 0) {
        riad_sys->close(*fd);
    }
    *fd = -1;
    errno = saved;
}

void riad_close_dir(DIR **dir)
{
    int saved = errno;

    if (*dir) {
        closedir(*dir);
    }
    *dir = NULL;
    errno = saved;
}

void riad_close_file(FILE **file)
{
    int saved = errno;

    if (*file) {
        fclose(*file);
    }
    *file = NULL;
    errno = saved;
}

/* Takes the address of a pointer of any type; copied with memcpy because those types may not alias
 * void *. */
void riad_free_pointer(void *pointer_to_pointer)
{
    int saved = errno;
    void *pointer;

    memcpy(&pointer, pointer_to_pointer, sizeof pointer);
    free(pointer);
    memset(pointer_to_pointer, 0, sizeof pointer);
    errno = saved;
}
