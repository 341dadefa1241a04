#include <errno.h>
#include <stdlib.h>

#include "members_priv.h"

enum { ALL = ACL_READ | ACL_WRITE | ACL_EXECUTE };

static int compare(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int by_uid(const void *a, const void *b)
{
    return compare(*(const uint32_t *)a, *(const uint32_t *)b);
}

static int by_member(const void *key, const void *element)
{
    const struct riad_member_standing *member = element;

    return compare(*(const uint32_t *)key, member->uid);
}

/* The kernel lets a user be named twice. */
static int by_entry(const void *a, const void *b)
{
    const struct riad_acl_entry *left = a, *right = b;
    int order = compare(left->id, right->id);

    return order != 0 ? order : compare(left->permissions, right->permissions);
}

void riad_membership_learn(struct riad_membership *membership, const struct riad_acl *acl)
{
    membership->before_count = 0;
    for (uint32_t i = 0; i < acl->count; i++) {
        if (acl->entries[i].tag == ACL_USER) {
            membership->before[membership->before_count++] = acl->entries[i].id;
        }
    }
    qsort(membership->before, membership->before_count, sizeof membership->before[0], by_uid);
}

/* Of who is or was a member. */
static bool is_ours(const struct riad_membership *membership, const struct riad_acl_entry *entry)
{
    return entry->tag == ACL_USER &&
           (bsearch(&entry->id, membership->members, membership->count,
                    sizeof membership->members[0], by_member) ||
                   bsearch(&entry->id, membership->before, membership->before_count,
                           sizeof membership->before[0], by_uid));
}

static void put(struct riad_acl *acl, uint16_t tag, unsigned permissions, uint32_t id)
{
    acl->entries[acl->count++] = (struct riad_acl_entry){ tag, (uint16_t)permissions, id };
}

static void put_members(
        const struct riad_membership *membership, bool execute, struct riad_acl *acl)
{
    unsigned reads = ACL_READ | (execute ? ACL_EXECUTE : 0);

    for (size_t i = 0; i < membership->count; i++) {
        const struct riad_member_standing *member = &membership->members[i];

        put(acl, ACL_USER, member->standing == RIAD_STANDING_WRITER ? reads | ACL_WRITE : reads,
                member->uid);
    }
}

void riad_membership_root_list(const struct riad_membership *membership, struct riad_acl *ret)
{
    ret->count = 0;
    put(ret, ACL_USER_OBJ, ALL, (uint32_t)ACL_UNDEFINED_ID);
    put_members(membership, true, ret);
    put(ret, ACL_GROUP_OBJ, 0, (uint32_t)ACL_UNDEFINED_ID);
    put(ret, ACL_MASK, ALL, (uint32_t)ACL_UNDEFINED_ID);
    put(ret, ACL_OTHER, 0, (uint32_t)ACL_UNDEFINED_ID);
}

static bool has_mask(const struct riad_acl *acl)
{
    return acl->entries[acl->count - 2].tag == ACL_MASK;
}

static uint32_t count_others(const struct riad_membership *membership, const struct riad_acl *acl)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < acl->count; i++) {
        count += !is_ours(membership, &acl->entries[i]);
    }
    return count;
}

int riad_membership_rewrite(const struct riad_membership *membership, const struct riad_acl *acl,
        bool execute, struct riad_acl *ret)
{
    if (!has_mask(acl)) {
        *ret = *acl;
        return 0;
    }
    if (count_others(membership, acl) + membership->count > RIAD_ACL_ENTRIES_MAX) {
        return -E2BIG;
    }
    ret->count = 0;
    for (uint32_t i = 0; i < acl->count; i++) {
        const struct riad_acl_entry *entry = &acl->entries[i];

        if (entry->tag == ACL_GROUP_OBJ) { /* behind the users, who are behind the owner */
            put_members(membership, execute, ret);
            qsort(ret->entries + 1, ret->count - 1, sizeof ret->entries[0], by_entry);
        }
        if (!is_ours(membership, entry)) {
            put(ret, entry->tag, entry->permissions, entry->id);
        }
    }
    return 0;
}
