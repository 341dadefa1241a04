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

#endif
