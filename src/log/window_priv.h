/* Reading a file forward in large pieces. One thread per object. */
#ifndef RIAD_WINDOW_PRIV_H
#define RIAD_WINDOW_PRIV_H

#include "riad/types.h"

enum { RIAD_WINDOW_SIZE = (2 << 20) + (64 << 10) }; /* holds any record */

struct riad_window {
    int fd; /* borrowed */
    uint8_t *data;
    uint64_t start; /* file offset of data[0] */
    size_t size;    /* valid bytes */
    uint64_t read;  /* bytes read from files, in all */
};

int riad_window_init(struct riad_window *window) RIAD_MUST_CHECK;
void riad_window_done(struct riad_window *window);
/* Turns to another file. */
void riad_window_set(struct riad_window *window, int fd);
/* *ret points at the bytes from offset on, *ret_size says how many there are: at least `want` (at
 * most RIAD_WINDOW_SIZE) unless the file ends before. Valid until the next call. */
int riad_window_get(struct riad_window *window, uint64_t offset, size_t want, const uint8_t **ret,
        size_t *ret_size) RIAD_MUST_CHECK;
/* Offset of the next thing that could be a record, at or after offset; UINT64_MAX if there is none.
 */
int riad_window_find(struct riad_window *window, uint64_t offset, uint64_t *ret) RIAD_MUST_CHECK;

#endif
