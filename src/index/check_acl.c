/* Whether access control lists agree with the inodes that carry them. */
#include <inttypes.h>
#include <sys/stat.h>

#include "riad/acl.h"

#include "check_priv.h"

static void judge_access(
        struct riad_check *check, const struct riad_inode *row, const struct riad_acl *acl)
{
    uint32_t mode = row->mode;

    if (riad_acl_to_mode(acl, &mode)) {
        riad_check_find(check,
                "Inode %" PRIu64 " has an access list that says no more than a mode.", row->inode);
    }
    if (mode != row->mode || S_ISLNK(row->mode)) {
        riad_check_find(check, "Inode %" PRIu64 ": mode and access list do not agree.", row->inode);
    }
}

void riad_check_acl(struct riad_check *check, const struct riad_inode *row, const char *name,
        const uint8_t *value, size_t size)
{
    struct riad_acl acl;

    if (!riad_acl_is_name(name)) {
        return;
    }
    if (riad_acl_decode(value, size, &acl) < 0 || acl.count == 0) {
        riad_check_find(check, "Inode %" PRIu64 " has a damaged access control list.", row->inode);
    } else if (strcmp(name, RIAD_ACL_ACCESS) == 0) {
        judge_access(check, row, &acl);
    } else if (!S_ISDIR(row->mode)) {
        riad_check_find(
                check, "Inode %" PRIu64 " has a default list and is no directory.", row->inode);
    }
}
