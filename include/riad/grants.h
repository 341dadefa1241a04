/* Layer core. Limits of users and groups. They span workspaces, which may be open on several nodes:
 * so each workspace has a grant, a part of the limit that it may use by itself (the catalog holds
 * them; their sum is at most the limit). Whoever needs more asks for the grant to be raised, before
 * it is used. They do not bind root (as with XFS), but for what the kernel writes back of mappings.
 */
#ifndef RIAD_GRANTS_H
#define RIAD_GRANTS_H

#include "riad/workspace.h"

#define RIAD_NO_LIMIT UINT64_MAX

struct riad_grant {
    enum riad_subject subject; /* a user or a group */
    uint32_t id;               /* uid or gid */
    struct riad_usage most;    /* that its inodes in this workspace may add up to; RIAD_NO_LIMIT */
    /* From then on (seconds since 1970) nothing grows before it was asked for, also below that: the
     * grace of a soft limit is over. 0: it is not foreseen. */
    uint64_t blocks_until, inodes_until;
};

/* Whom it lists is bound so from now on, also below what is used; all others are not bound. Copies.
 * -ENOMEM: nothing changed. Thread-safe. */
int riad_workspace_set_grants(struct riad_workspace *workspace, const struct riad_grant *grants,
        size_t count) RIAD_MUST_CHECK;
/* Waits until the space of what was deleted within the last half second is free: it comes back when
 * the kernel lets go of the inode, a moment after unlink(2). Not longer than until_ns
 * (riad_now_ns). Thread-safe. */
void riad_workspace_await_orphans(struct riad_workspace *workspace, uint64_t until_ns);
/* What inodes of a user or group use here. -EIO. Thread-safe. */
int riad_workspace_owner_usage(struct riad_workspace *workspace, enum riad_subject subject,
        uint32_t id, struct riad_usage *ret) RIAD_MUST_CHECK;
/* Whether root used more since this was asked last, for somebody who is bound: usage may be above
 * grants. Thread-safe. */
bool riad_workspace_exempt_grew(struct riad_workspace *workspace);
/* Takes back what of a grant is not used, but for `spare` on top of what is: the grant is that from
 * now on, and in *ret; not more than it was. -ENOENT it is not bound. Thread-safe. */
int riad_workspace_lower_grant(struct riad_workspace *workspace, enum riad_subject subject,
        uint32_t id, const struct riad_usage *spare, struct riad_usage *ret) RIAD_MUST_CHECK;
/* All users, or groups, that have anything here; function without locks, one call after the other.
 */
int riad_workspace_owners(struct riad_workspace *workspace, enum riad_subject subject,
        riad_index_owner_function function, void *context) RIAD_MUST_CHECK;

#endif
