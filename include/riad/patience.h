/* Layer base. Whether the calling thread may wait for storage.
 *
 * A thread that serves a processor's requests must not sleep while others queue behind it. It
 * declares itself impatient; what would wait for the store then returns RIAD_WOULD_WAIT, having
 * changed nothing, and a patient thread makes the same call again. Honoured by the back-pressure of
 * writers (L5), the renewal of a lapsed lease (O2), reads of records that are not in the page cache
 * and syncs; the system calls of an append are not asked.
 *
 * Every thread starts patient; the setting is the thread's own. */
#ifndef RIAD_PATIENCE_H
#define RIAD_PATIENCE_H

#include "riad/error.h"
#include "riad/types.h"

/* No operation of a file system returns it to a program. */
#define RIAD_WOULD_WAIT (-EINPROGRESS)

bool riad_is_patient(void);
void riad_set_patient(bool patient);

enum { RIAD_WAIT_MAX = 256 << 10 };

/* Bytes of a file that are not in memory, RIAD_WAIT_MAX at most. */
struct riad_wait {
    int fd;
    uint64_t offset;
    size_t size;
};
/* By who returns RIAD_WOULD_WAIT for these: the thread may have them fetched, and make its call
 * again. The descriptor is duplicated. The first ones since the thread became impatient are kept;
 * more bytes than that are better read by a patient thread. */
void riad_wait_note(int fd, uint64_t offset, size_t size);
/* What the calling thread was told; the descriptor is the caller's to close. False: nothing. */
bool riad_wait_take(struct riad_wait *ret);

#endif
