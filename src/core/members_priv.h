/* Access lists as members have them: arithmetic only, no row is read and nothing is locked. */
#ifndef RIAD_MEMBERS_PRIV_H
#define RIAD_MEMBERS_PRIV_H

#include "riad/acl.h"
#include "riad/members.h"

/* Who is a member, and who was when lists were last brought in step. Both sorted. */
struct riad_membership {
    struct riad_member_standing members[RIAD_MEMBERS_MAX];
    size_t count;
    uint32_t before[RIAD_ACL_ENTRIES_MAX];
    size_t before_count;
};

/* Takes those for who was a member whom the root's default list names. */
void riad_membership_learn(struct riad_membership *membership, const struct riad_acl *acl);
/* The root's list, access and default. */
void riad_membership_root_list(const struct riad_membership *membership, struct riad_acl *ret);
/* The list with the entries of members, in place of those of who is or was one; users sorted.
 * execute: whether there is something to execute, or to search. One that says no more than a mode
 * is left as it is: it has no mask, without which no user may be named. -E2BIG. */
int riad_membership_rewrite(const struct riad_membership *membership, const struct riad_acl *acl,
        bool execute, struct riad_acl *ret) RIAD_MUST_CHECK;

#endif
