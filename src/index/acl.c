#include "riad/acl.h"

#include <errno.h>
#include <linux/posix_acl_xattr.h>

enum { HEADER_SIZE = 4, ENTRY_SIZE = 8, PERMISSIONS = 0777, MINIMAL_COUNT = 3 };

static bool is_named(uint16_t tag)
{
    return tag == ACL_USER || tag == ACL_GROUP;
}

/* Place of a tag in the order; 0: there is no such tag. */
static unsigned rank(uint16_t tag)
{
    static const uint8_t ranks[ACL_OTHER + 1] = { [ACL_USER_OBJ] = 1,
        [ACL_USER] = 2,
        [ACL_GROUP_OBJ] = 3,
        [ACL_GROUP] = 4,
        [ACL_MASK] = 5,
        [ACL_OTHER] = 6 };

    return tag <= ACL_OTHER ? ranks[tag] : 0;
}

static bool entry_is_valid(const struct riad_acl_entry *entry)
{
    return rank(entry->tag) > 0 && entry->permissions <= (ACL_READ | ACL_WRITE | ACL_EXECUTE) &&
           (!is_named(entry->tag) || entry->id != (uint32_t)ACL_UNDEFINED_ID);
}

/* Only named entries repeat. */
static bool is_valid(const struct riad_acl *acl)
{
    unsigned seen = 0;

    for (uint32_t i = 0; i < acl->count; i++) {
        const struct riad_acl_entry *entry = &acl->entries[i];
        bool again = seen & entry->tag;

        if (!entry_is_valid(entry) || (again && !is_named(entry->tag)) ||
                (i > 0 && rank(entry->tag) < rank(entry[-1].tag))) {
            return false;
        }
        seen |= entry->tag;
    }
    if (acl->count == 0) {
        return true;
    }
    if ((seen & (ACL_USER | ACL_GROUP)) && !(seen & ACL_MASK)) {
        return false;
    }
    return (seen & ACL_USER_OBJ) && (seen & ACL_GROUP_OBJ) && (seen & ACL_OTHER);
}

static void get_entry(struct riad_reader *in, struct riad_acl_entry *ret)
{
    ret->tag = riad_get_u16(in);
    ret->permissions = riad_get_u16(in);
    ret->id = riad_get_u32(in);
    if (!is_named(ret->tag)) {
        ret->id = (uint32_t)ACL_UNDEFINED_ID;
    }
}

int riad_acl_decode(const uint8_t *value, size_t size, struct riad_acl *ret)
{
    struct riad_reader in;
    struct riad_acl acl;

    if (size < HEADER_SIZE || (size - HEADER_SIZE) % ENTRY_SIZE != 0) {
        return -EINVAL;
    }
    if (size > RIAD_ACL_SIZE_MAX) {
        return -E2BIG;
    }
    riad_reader_init(&in, value, size);
    if (riad_get_u32(&in) != POSIX_ACL_XATTR_VERSION) {
        return -EOPNOTSUPP;
    }
    acl.count = (uint32_t)((size - HEADER_SIZE) / ENTRY_SIZE);
    for (uint32_t i = 0; i < acl.count; i++) {
        get_entry(&in, &acl.entries[i]);
    }
    if (riad_reader_finish(&in) < 0 || !is_valid(&acl)) {
        return -EINVAL;
    }
    ret->count = acl.count;
    memcpy(ret->entries, acl.entries, acl.count * sizeof acl.entries[0]);
    return 0;
}

size_t riad_acl_encode(const struct riad_acl *acl, uint8_t ret[RIAD_ACL_SIZE_MAX])
{
    struct riad_writer out;

    riad_writer_init_fixed(&out, ret, RIAD_ACL_SIZE_MAX);
    riad_put_u32(&out, POSIX_ACL_XATTR_VERSION);
    for (uint32_t i = 0; i < acl->count; i++) {
        riad_put_u16(&out, acl->entries[i].tag);
        riad_put_u16(&out, acl->entries[i].permissions);
        riad_put_u32(&out, acl->entries[i].id);
    }
    return out.size;
}

/* How far left in a mode the entry's permissions stand; -1: the mode does not show it. */
static int shift_of(const struct riad_acl *acl, const struct riad_acl_entry *entry)
{
    bool masked = acl->count > MINIMAL_COUNT;

    switch (entry->tag) {
    case ACL_USER_OBJ:
        return 6;
    case ACL_GROUP_OBJ:
        return masked ? -1 : 3;
    case ACL_MASK:
        return 3;
    case ACL_OTHER:
        return 0;
    default:
        return -1;
    }
}

bool riad_acl_to_mode(const struct riad_acl *acl, uint32_t *mode)
{
    uint32_t permissions = 0;

    for (uint32_t i = 0; i < acl->count; i++) {
        int shift = shift_of(acl, &acl->entries[i]);

        permissions |= shift < 0 ? 0 : (uint32_t)acl->entries[i].permissions << shift;
    }
    *mode = (*mode & ~(uint32_t)PERMISSIONS) | permissions;
    return acl->count == MINIMAL_COUNT;
}

void riad_acl_set_mode(struct riad_acl *acl, uint32_t mode)
{
    for (uint32_t i = 0; i < acl->count; i++) {
        int shift = shift_of(acl, &acl->entries[i]);

        if (shift >= 0) {
            acl->entries[i].permissions = (uint16_t)(mode >> shift & 7);
        }
    }
}

bool riad_acl_inherit(struct riad_acl *acl, uint32_t *mode)
{
    uint32_t allowed = *mode;
    bool minimal = riad_acl_to_mode(acl, &allowed);

    *mode &= allowed;
    riad_acl_set_mode(acl, *mode);
    return minimal;
}
