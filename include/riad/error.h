/* The closed list of errors that riad's functions return, as negative errno, and the exit codes of
 * the commands.
 *
 *   -EBADMSG   not authentic, or not decodable: forged, damaged, or a bug of the writer
 *   -EUCLEAN   damage: authentic bytes are missing or contradict each other
 *   -ENOKEY    locked, or the key does not fit (wrong passphrase or code)
 *   -EPROTONOSUPPORT   a format, suite or incompat feature bit newer than this riad
 *   -EOWNERDEAD never; -EBUSY another process or node owns the workspace
 *   -ESTALE    this owner was superseded by a higher term
 *   -EDQUOT    a limit; -ENOSPC the store is full; -EROFS the workspace turned read-only
 *   -EMEDIUMTYPE   not a riad store
 * and the usual errno of the file operation otherwise. */
#ifndef RIAD_ERROR_H
#define RIAD_ERROR_H

#include <errno.h>

/* Exit codes; documented in docs/USER.md and riad(1); never renumbered. */
enum riad_exit {
    RIAD_EXIT_DONE = 0,
    RIAD_EXIT_FAILED = 1,
    RIAD_EXIT_USAGE = 2,
    RIAD_EXIT_WRONG_SECRET = 10,
    RIAD_EXIT_NOT_A_STORE = 11,
    RIAD_EXIT_TOO_NEW = 12,
    RIAD_EXIT_LOCKED = 13,
    RIAD_EXIT_OWNED = 14,
    RIAD_EXIT_DAMAGED = 15,
    RIAD_EXIT_OVER_LIMIT = 16,
    RIAD_EXIT_NOT_PERMITTED = 17,
    RIAD_EXIT_NOT_EMPTY = 18,
    RIAD_EXIT_ALREADY_MOUNTED = 19,
    RIAD_EXIT_NO_FUSE = 20,
    RIAD_EXIT_NOT_MOUNTED = 21,
};

#endif
