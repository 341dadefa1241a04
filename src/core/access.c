#include <errno.h>

#include "access_priv.h"

enum { PERMISSIONS = 0777 };

int riad_access_get(struct riad_workspace *workspace, const struct riad_inode *row,
        const char *name, struct riad_acl *ret)
{
    _cleanup_free_ uint8_t *value = NULL;
    size_t size = 0;
    int r = riad_index_get_xattr(workspace->index, row, name, &value, &size);

    if (r < 0) {
        return r;
    }
    if (riad_acl_decode(value, size, ret) < 0 || ret->count == 0) {
        riad_workspace_event(workspace, "inode %llu has a damaged access control list",
                (unsigned long long)row->inode);
        return -EIO;
    }
    return 0;
}

static void inherit_list(struct riad_acl *acl, struct riad_inode *row, struct riad_inheritance *ret)
{
    if (S_ISDIR(row->mode)) {
        ret->default_size = riad_acl_encode(acl, ret->by_default);
        row->xattr_bytes += (uint32_t)(strlen(RIAD_ACL_DEFAULT) + ret->default_size);
    }
    if (!riad_acl_inherit(acl, &row->mode)) {
        ret->access_size = riad_acl_encode(acl, ret->access);
        row->xattr_bytes += (uint32_t)(strlen(RIAD_ACL_ACCESS) + ret->access_size);
    }
}

int riad_access_inherit(struct riad_workspace *workspace, const struct riad_caller *caller,
        const struct riad_inode *parent, struct riad_inode *row, struct riad_inheritance *ret)
{
    struct riad_acl acl;
    int r = -ENODATA;

    ret->access_size = ret->default_size = 0;
    if (S_ISLNK(row->mode)) {
        return 0;
    }
    if (parent->xattr_bytes > 0 && !caller->no_acls) {
        r = riad_access_get(workspace, parent, RIAD_ACL_DEFAULT, &acl);
    }
    if (r == -ENODATA) {
        row->mode &= ~(caller->umask & PERMISSIONS);
        return 0;
    }
    if (r == 0) {
        inherit_list(&acl, row, ret);
    }
    return r;
}

void riad_access_put(struct riad_workspace *workspace, uint64_t inode,
        const struct riad_inheritance *inheritance)
{
    if (inheritance->access_size > 0) {
        riad_change_put_xattr(&workspace->change, inode, RIAD_ACL_ACCESS, inheritance->access,
                inheritance->access_size);
    }
    if (inheritance->default_size > 0) {
        riad_change_put_xattr(&workspace->change, inode, RIAD_ACL_DEFAULT, inheritance->by_default,
                inheritance->default_size);
    }
}

int riad_access_follow_mode(struct riad_workspace *workspace, struct riad_inode *row)
{
    uint8_t value[RIAD_ACL_SIZE_MAX];
    struct riad_acl acl;
    int r = row->xattr_bytes > 0 ? riad_access_get(workspace, row, RIAD_ACL_ACCESS, &acl)
                                 : -ENODATA;

    if (r < 0) {
        return r == -ENODATA ? 0 : r;
    }
    riad_acl_set_mode(&acl, row->mode);
    return riad_xattr_put(workspace, row, RIAD_ACL_ACCESS, value, riad_acl_encode(&acl, value));
}

/* Whether the list has to be kept beside the mode. */
static bool set_access(
        const struct riad_caller *caller, const struct riad_acl *acl, struct riad_inode *row)
{
    bool minimal;

    if (acl->count == 0) {
        return false;
    }
    minimal = riad_acl_to_mode(acl, &row->mode);
    if (caller->kill_privileges) {
        row->mode &= ~(uint32_t)S_ISGID;
    }
    return !minimal;
}

/* Returns 1 if the list was another one before. */
static int put_list(struct riad_workspace *workspace, struct riad_inode *row, const char *name,
        const struct riad_acl *acl)
{
    uint8_t encoded[RIAD_ACL_SIZE_MAX];
    size_t size = riad_acl_encode(acl, encoded);
    int r = riad_xattr_is(workspace, row, name, encoded, size);

    if (r != 0) {
        return r < 0 ? r : 0;
    }
    r = riad_xattr_put(workspace, row, name, encoded, size);
    return r < 0 ? r : 1;
}

static int remove_list(struct riad_workspace *workspace, struct riad_inode *row, const char *name)
{
    int r = riad_xattr_remove(workspace, row, name);

    return r == -ENODATA ? 0 : r < 0 ? r : 1;
}

int riad_access_set(struct riad_workspace *workspace, const struct riad_caller *caller,
        struct riad_inode *row, const char *name, const void *value, size_t size)
{
    uint32_t mode = row->mode;
    struct riad_acl acl;
    bool kept;
    int r = S_ISLNK(row->mode) ? -EOPNOTSUPP : riad_acl_decode(value, size, &acl);

    if (r < 0) {
        return r;
    }
    if (strcmp(name, RIAD_ACL_ACCESS) == 0) {
        kept = set_access(caller, &acl, row);
    } else {
        kept = acl.count > 0;
        if (kept && !S_ISDIR(row->mode)) {
            return -EACCES;
        }
    }
    r = kept ? put_list(workspace, row, name, &acl) : remove_list(workspace, row, name);
    return r == 0 && row->mode != mode ? 1 : r;
}
