/* Layer catalog. Deleting a workspace for ever: its keys first, then what they opened.
 *
 * Copies of the store that were made before still hold wraps: whoever has one, and a member's
 * secret, reads what it holds. One thread; the caller owns the workspace, or nobody can. */
#ifndef RIAD_ERASE_H
#define RIAD_ERASE_H

#include "riad/store.h"

/* Overwrites, syncs and removes every wrap of the workspace, and syncs the directory: after 0
 * nobody opens it from this store any more, whatever else is left. Where there is no such workspace
 * or no wrap, it is done already. -EROFS, or the errno of a system call: then some may be left. */
int riad_erase_keys(
        const struct riad_store *store, const struct riad_id *workspace) RIAD_MUST_CHECK;

/* Told after every file, with the count so far. NULL: silent. */
typedef void (*riad_erase_function)(void *context, uint64_t removed);
/* Removes ws/<id> and all below it; symlinks are removed, not followed. As above: done already is
 * no error. -ELOOP: directories deeper than riad makes them. */
int riad_erase_files(const struct riad_store *store, const struct riad_id *workspace,
        riad_erase_function function, void *context) RIAD_MUST_CHECK;

#endif
