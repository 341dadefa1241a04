/* Layer core. Whom a workspace of several people is for, and what each may do there: the members,
 * by uid.
 *
 * Who may do what is said twice. Access lists on the root directory, inherited by all that is made
 * below, are what the kernel goes by, and what a person sees; owners may change those of their
 * files. And whatever those say, riad itself refuses changes by who may not write (here), and every
 * request of who is no member (fuse): that is exact.
 *
 * Thread-safe. The list has a lock of its own, the innermost of the workspace: it may be asked with
 * or without any other. */
#ifndef RIAD_MEMBERS_H
#define RIAD_MEMBERS_H

#include "riad/workspace.h"

enum { RIAD_MEMBERS_MAX = 500 }; /* what an access list has room for */

enum riad_standing {
    RIAD_STANDING_NONE,
    RIAD_STANDING_READER,
    RIAD_STANDING_WRITER,
};

struct riad_member_standing {
    uint32_t uid;
    enum riad_standing standing;
};

/* Guards the workspace, and replaces the list at once; `members` is copied. When it returns, no
 * change by who may not write any more is under way. Before the first call a workspace is
 * unguarded: everybody may do everything, the kernel's modes decide (a home). count may be 0: then
 * only root passes. *ret_less, unless NULL: somebody may do less than by the list before, so that
 * what the kernel has cached may be too much for him; not so the first time. -ENOMEM; -E2BIG;
 * -EINVAL a uid twice, no uid, or no standing: nothing changed. Takes the mutation lock. */
int riad_members_set(struct riad_workspace *workspace, const struct riad_member_standing *members,
        size_t count, bool *ret_less) RIAD_MUST_CHECK;
/* uid 0 is always a writer (root of the node is trusted while a workspace is open), and everybody
 * is where the workspace is not guarded. Costs some ten ns. */
enum riad_standing riad_members_standing(struct riad_workspace *workspace, uint32_t uid);
/* Once true, it stays so until the workspace is closed. */
bool riad_members_guarded(struct riad_workspace *workspace);

/* Brings owner, mode and access lists in step with the list; in an unguarded workspace does
 * nothing.
 *
 * The root directory becomes 0:0, 0770, with a list of the members (rwx, or r-x of readers) that is
 * its default list too; nobody else may change these (-EPERM). In the lists of everything else
 * members get an entry, or another one, and those lose theirs who were members when this was last
 * done, which the root's default list tells. All other entries stay, the mask too: what its owner
 * made private stays private. What has no list, or one that says no more than a mode, gets none.
 *
 * Each inode is a change of its own, root the last: after a crash or an error, call again. Where
 * root is right nothing else is looked at. What has no room for a longer list (the limit, the
 * store, the number of entries) is left as it is, with one event for all; root's list is not held
 * to the limit, but counts.
 *
 * *ret_changed counts inodes. Errors as of any change: -EROFS, -ESTALE, -EIO, -ENOSPC. Takes the
 * mutation lock for about a millisecond at a time, 20 to 40 us an inode; a second call waits for
 * the first. */
int riad_members_apply(struct riad_workspace *workspace, uint64_t *ret_changed) RIAD_MUST_CHECK;

#endif
