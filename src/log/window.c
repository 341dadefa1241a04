#include <stdlib.h>
#include <string.h>

#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/record.h"

#include "window_priv.h"

int riad_window_init(struct riad_window *window)
{
    uint8_t *data = malloc(RIAD_WINDOW_SIZE);

    if (!data) {
        return -ENOMEM;
    }
    *window = (struct riad_window){ .fd = -1, .data = data };
    return 0;
}

void riad_window_done(struct riad_window *window)
{
    free(window->data);
    window->data = NULL;
}

void riad_window_set(struct riad_window *window, int fd)
{
    window->fd = fd;
    window->start = 0;
    window->size = 0;
}

/* Moves the window to begin at offset, keeping what it has of that. */
static int refill(struct riad_window *window, uint64_t offset)
{
    size_t kept = 0, got;
    int r;

    if (offset >= window->start && offset - window->start < window->size) {
        kept = window->size - (size_t)(offset - window->start);
        memmove(window->data, window->data + (offset - window->start), kept);
    }
    window->start = offset;
    window->size = kept;
    r = riad_pread_all(
            window->fd, window->data + kept, RIAD_WINDOW_SIZE - kept, offset + kept, &got);
    if (r < 0) {
        return r;
    }
    window->size += got;
    window->read += got;
    return 0;
}

int riad_window_get(struct riad_window *window, uint64_t offset, size_t want, const uint8_t **ret,
        size_t *ret_size)
{
    bool inside = offset >= window->start && offset - window->start <= window->size;
    int r;

    if (!inside || window->size - (size_t)(offset - window->start) < want) {
        r = refill(window, offset);
        if (r < 0) {
            return r;
        }
    }
    *ret = window->data + (offset - window->start);
    *ret_size = window->size - (size_t)(offset - window->start);
    return 0;
}

int riad_window_find(struct riad_window *window, uint64_t offset, uint64_t *ret)
{
    for (;;) {
        const uint8_t *data, *found;
        size_t size;
        int r;

        r = riad_window_get(window, offset, RIAD_RECORD_OVERHEAD, &data, &size);
        if (r < 0) {
            return r;
        }
        if (size < RIAD_RECORD_OVERHEAD) {
            *ret = UINT64_MAX;
            return 0;
        }
        found = memmem(data, size, "RIAR", 4);
        if (found) {
            *ret = offset + (uint64_t)(found - data);
            return 0;
        }
        offset += size - 3;
    }
}
