/* Layer base. System calls that touch the files of a directory, counted by kind: each that goes
 * through the table of sysops.h. A descriptor that is opened in a counted directory is counted too,
 * as is what is opened in that; closing one ends it. */
#ifndef RIAD_STORE_CALLS_H
#define RIAD_STORE_CALLS_H

#include "riad/types.h"

enum riad_store_call {
    RIAD_CALL_OPEN,
    RIAD_CALL_CREATE, /* openat that may make the file */
    RIAD_CALL_CLOSE,
    RIAD_CALL_READ,
    RIAD_CALL_WRITE,
    RIAD_CALL_SYNC,   /* fsync, fdatasync */
    RIAD_CALL_RESIZE, /* fallocate, ftruncate */
    RIAD_CALL_STAT,   /* fstat, fstatat, fstatvfs */
    RIAD_CALL_NAME,   /* linkat, renameat, unlinkat, mkdirat */
    RIAD_CALL_LIST,   /* getdents */
    RIAD_CALL_ADVISE, /* fadvise */
    RIAD_CALL_KINDS,
};

/* Added to by any thread, without a lock. */
struct riad_store_calls {
    _Atomic uint64_t calls[RIAD_CALL_KINDS];
};

/* Counts calls on the open directory from now on. Without memory it counts none. */
void riad_store_calls_begin(int directory_fd, struct riad_store_calls *calls);
/* Nothing is added from here on, whatever is still open: before it is freed. No thread may be in a
 * call. */
void riad_store_calls_end(struct riad_store_calls *calls);
void riad_store_calls_read(const struct riad_store_calls *calls, uint64_t ret[RIAD_CALL_KINDS]);
/* "open" ... */
const char *riad_store_call_name(enum riad_store_call kind);

#endif
