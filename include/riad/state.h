/* Layer node. The local state directory (DESIGN, The store): node id, one directory for each
 * store's workspace, sockets of running mounts. May be lost at any time.
 *
 *   STATE/node                        the node's id, hexadecimal
 *   STATE/ws/<workspace id>/          index.db, mark, lock
 *   STATE/store/<store id>/           catalog-mark, site-mark
 *   STATE/run/<pid>.sock              control socket of a running mount
 *   STATE/usage                       what workspaces used when they were last open (riad/usage.h)
 *   STATE/events                      what was done and found (riad/events.h) */
#ifndef RIAD_STATE_H
#define RIAD_STATE_H

#include "riad/types.h"

struct riad_state {
    int fd;
    char *path;
    struct riad_id node;
    struct riad_id boot;
};

/* RIAD_STATE_DIR; else /var/lib/riad for root; else $XDG_STATE_HOME/riad or ~/.local/state/riad; if
 * that lies on a network file system, /var/tmp/riad-UID (owner and mode checked). Made when
 * missing, mode 0700; -EPERM if it belongs to someone else. override: --state-dir, or NULL. */
int riad_state_open(const char *override, struct riad_state *ret) RIAD_MUST_CHECK;
void riad_state_close(struct riad_state *state);
/* Makes and opens STATE/<kind>/<id>; *ret_path is the caller's. fd or negative errno. */
int riad_state_directory(const struct riad_state *state, const char *kind, const struct riad_id *id,
        char **ret_path) RIAD_MUST_CHECK;
/* Removes STATE/<kind>/<id> and the files in it: of something that is no more. None: done already.
 * -ENOTEMPTY: there is a directory in it, which riad did not make. */
int riad_state_forget(
        const struct riad_state *state, const char *kind, const struct riad_id *id) RIAD_MUST_CHECK;

#endif
