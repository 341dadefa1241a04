/* Layer base. Calls of files that have not come back: each that goes through the table of
 * sysops.h, and may wait for storage, is noted while it is under way. So whoever asks why nothing
 * goes on is told, without waiting for the storage or for a lock. */
#ifndef RIAD_STALL_H
#define RIAD_STALL_H

#include "riad/types.h"

struct riad_stall {
    unsigned calls;   /* that are under way for so long; 0: none, and the rest says nothing */
    uint64_t seconds; /* since the oldest of them began, */
    char call[16];    /* its name, */
    char file[64];    /* and its file or directory, below the one that was asked for; "." */
};

/* The calls on files in the directory, or on itself, that have been under way for so long. Any
 * thread; does not wait. Of 128 calls at once, no more are known. */
void riad_stall_find(int directory_fd, unsigned at_least_seconds, struct riad_stall *ret);

/* For calls that are made otherwise. name is a constant. The place is for riad_stall_end, by any
 * thread; NULL: there is none left. */
struct riad_stall_place;
struct riad_stall_place *riad_stall_begin(const char *name, int fd);
void riad_stall_end(struct riad_stall_place *place); /* leaves errno as it is */

#endif
