/* Layer index. POSIX access control lists in the kernel's encoding of xattrs, version 2 (FORMAT
 * 6.3), and the three things that a file system does with them. Plain structs, no state.
 *
 * Not libacl: it has lists behind opaque handles that come from files or texts only, no public
 * codec of this encoding, and neither inheritance nor the following of a mode. */
#ifndef RIAD_ACL_H
#define RIAD_ACL_H

#include <linux/posix_acl.h>

#include "riad/bytes.h"

enum {
    RIAD_ACL_ENTRIES_MAX = 511, /* the kernel reads lists of a page at most */
    RIAD_ACL_SIZE_MAX = 4 + 8 * RIAD_ACL_ENTRIES_MAX,
};
/* The xattrs that hold them, and a reader of rows must know (RIAD_FEATURE_ACLS). */
#define RIAD_ACL_ACCESS "system.posix_acl_access"
#define RIAD_ACL_DEFAULT "system.posix_acl_default"
static inline bool riad_acl_is_name(const char *name)
{
    return strcmp(name, RIAD_ACL_ACCESS) == 0 || strcmp(name, RIAD_ACL_DEFAULT) == 0;
}

struct riad_acl_entry {
    uint16_t tag;         /* ACL_USER_OBJ ... of <linux/posix_acl.h> */
    uint16_t permissions; /* ACL_READ | ACL_WRITE | ACL_EXECUTE */
    uint32_t id;          /* of ACL_USER and ACL_GROUP */
};

/* Empty, or valid as the kernel has it: owner, users, owning group, groups, mask, others in this
 * order; a mask is there if users or groups are named. */
struct riad_acl {
    uint32_t count;
    struct riad_acl_entry entries[RIAD_ACL_ENTRIES_MAX];
};

/* A list of no entries is allowed and means none. -EINVAL malformed or not valid, -EOPNOTSUPP
 * another version, -E2BIG too many entries. */
int riad_acl_decode(const uint8_t *value, size_t size, struct riad_acl *ret) RIAD_MUST_CHECK;
/* The one encoding; returns its size. */
size_t riad_acl_encode(const struct riad_acl *acl, uint8_t ret[RIAD_ACL_SIZE_MAX]);

/* Sets the nine permission bits of *mode to what the list says of owner, group class (the mask, if
 * there is one) and others. True if it says no more than that: then the mode alone will do. The
 * list is not empty, here and below. */
bool riad_acl_to_mode(const struct riad_acl *acl, uint32_t *mode);
/* chmod: the other way round. */
void riad_acl_set_mode(struct riad_acl *acl, uint32_t mode);
/* A directory's default list becomes the access list of what is made in it with *mode: each is
 * narrowed to what both allow. Result as of riad_acl_to_mode. */
bool riad_acl_inherit(struct riad_acl *acl, uint32_t *mode);

#endif
