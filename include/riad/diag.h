/* Lines for people: diagnostics on stderr and events. Lower layers return errors and do not log;
 * fuse, node, cli and core's background work log once. Plaintext names appear at debug level only.
 * Thread-safe. */
#ifndef RIAD_DIAG_H
#define RIAD_DIAG_H

#include "riad/types.h"

enum riad_level { RIAD_ERROR, RIAD_WARNING, RIAD_INFO, RIAD_DEBUG };

/* Lines above this level are dropped. Default RIAD_WARNING. Set before threads start. */
void riad_diag_set_level(enum riad_level level);
/* Where lines go after detaching from the terminal; -1 keeps stderr. The fd is borrowed. */
void riad_diag_set_fd(int fd);
/* Now in UTC, as 2026-11-27T09:30:00.123Z; its size. */
size_t riad_show_now(char ret[32]);
/* One line, at most 1 KiB, prefixed with time and level when not on a terminal; control bytes in it
 * are escaped. Keeps errno. */
void riad_diag(enum riad_level level, const char *format, ...)
        __attribute__((format(printf, 2, 3)));

#endif
