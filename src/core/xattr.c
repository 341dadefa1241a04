/* Extended attributes. */
#include <errno.h>
#include <sys/xattr.h>

#include "access_priv.h"

enum { XATTR_TOTAL_MAX = 1 << 20 }; /* names and values of one inode */

static bool begins(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

static int check_name(const char *name)
{
    static const char *const prefixes[] = { "user.", "trusted.", "security." };

    if (strnlen(name, XATTR_NAME_MAX + 1) > XATTR_NAME_MAX) {
        return -ERANGE;
    }
    if (riad_acl_is_name(name)) {
        return 0;
    }
    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        if (begins(name, prefixes[i])) {
            return name[strlen(prefixes[i])] ? 0 : -EINVAL;
        }
    }
    return -EOPNOTSUPP;
}

/* As the kernel has it: only files and directories carry attributes of users. */
static bool may_have(const struct riad_inode *row, const char *name)
{
    return !begins(name, "user.") || S_ISREG(row->mode) || S_ISDIR(row->mode);
}

/* Bytes that the attribute counts now; 0 and -ENODATA apart. */
static int present_bytes(struct riad_workspace *workspace, const struct riad_inode *row,
        const char *name, uint32_t *ret)
{
    _cleanup_free_ uint8_t *value = NULL;
    size_t size = 0;
    int r = riad_index_get_xattr(workspace->index, row, name, &value, &size);

    if (r == 0) {
        *ret = (uint32_t)(strlen(name) + size);
    }
    return r;
}

static int64_t blocks_delta(const struct riad_inode *row, uint32_t bytes)
{
    return (int64_t)riad_xattr_blocks(bytes) - (int64_t)riad_xattr_blocks(row->xattr_bytes);
}

void riad_xattr_count(struct riad_inode *row, uint32_t bytes)
{
    row->blocks = (uint64_t)((int64_t)row->blocks + blocks_delta(row, bytes));
    row->xattr_bytes = bytes;
}

int riad_xattr_recount(struct riad_workspace *workspace, struct riad_inode *row, uint32_t bytes)
{
    int64_t delta = blocks_delta(row, bytes);
    int r = 0;

    if (bytes > XATTR_TOTAL_MAX && bytes > row->xattr_bytes) {
        return -ENOSPC;
    }
    if (delta > 0) {
        r = riad_mutation_charge(workspace, row, delta, 0);
    }
    if (r == 0) {
        riad_xattr_count(row, bytes);
    }
    return r;
}

int riad_xattr_is(struct riad_workspace *workspace, const struct riad_inode *row, const char *name,
        const void *value, size_t size)
{
    _cleanup_free_ uint8_t *present = NULL;
    size_t present_size = 0;
    int r = riad_index_get_xattr(workspace->index, row, name, &present, &present_size);

    if (r < 0) {
        return r == -ENODATA ? 0 : r;
    }
    return present_size == size && (size == 0 || memcmp(present, value, size) == 0);
}

int riad_xattr_put(struct riad_workspace *workspace, struct riad_inode *row, const char *name,
        const void *value, size_t size)
{
    uint32_t before = 0;
    int r = present_bytes(workspace, row, name, &before);

    if (r < 0 && r != -ENODATA) {
        return r;
    }
    r = riad_xattr_recount(
            workspace, row, row->xattr_bytes - before + (uint32_t)(strlen(name) + size));
    if (r == 0) {
        riad_change_put_xattr(&workspace->change, row->inode, name, value, size);
    }
    return r;
}

int riad_xattr_remove(struct riad_workspace *workspace, struct riad_inode *row, const char *name)
{
    uint32_t bytes = 0;
    int r = present_bytes(workspace, row, name, &bytes);

    if (r == 0) {
        r = riad_xattr_recount(workspace, row, row->xattr_bytes - bytes);
    }
    if (r == 0) {
        riad_change_remove_xattr(&workspace->change, row->inode, name);
    }
    return r;
}

static int get_row(struct riad_workspace *workspace, uint64_t inode, const char *name, int refusal,
        struct riad_inode *ret)
{
    int r = riad_index_get_inode(workspace->index, inode, ret);

    if (r < 0) {
        return r;
    }
    return may_have(ret, name) ? 0 : refusal;
}

/* The row of an inode whose attribute is to change. */
static int get_target(
        struct riad_workspace *workspace, uint64_t inode, const char *name, struct riad_inode *ret)
{
    int r = get_row(workspace, inode, name, -EPERM, ret);

    if (r == 0) {
        r = riad_flags_allow_change(ret);
    }
    if (r == 0 && riad_acl_is_name(name)) {
        r = riad_members_allow_rights(workspace, inode);
    }
    return r;
}

static int check_presence(
        struct riad_workspace *workspace, const struct riad_inode *row, const char *name, int flags)
{
    uint32_t bytes;
    int r = flags ? present_bytes(workspace, row, name, &bytes) : 0;

    if (r == 0) {
        return flags & XATTR_CREATE ? -EEXIST : 0;
    }
    return r == -ENODATA && !(flags & XATTR_REPLACE) ? 0 : r;
}

static int commit(struct riad_workspace *workspace, struct riad_inode *row)
{
    row->ctime = riad_mutation_time(workspace);
    riad_put_row(workspace, row);
    return riad_mutation_commit(workspace, NULL);
}

/* One call's. */
struct attribute {
    const char *name;
    const void *value;
    size_t size;
    int flags;
};

/* Setting what is set already changes nothing, not even the ctime, as on ext4. Returns 1 if there
 * is something to commit. */
static int put_attribute(struct riad_workspace *workspace, const struct riad_caller *caller,
        struct riad_inode *row, const struct attribute *set)
{
    int r;

    if (riad_acl_is_name(set->name)) {
        return riad_access_set(workspace, caller, row, set->name, set->value, set->size);
    }
    r = riad_xattr_is(workspace, row, set->name, set->value, set->size);
    if (r != 0) {
        return r < 0 ? r : 0;
    }
    r = riad_xattr_put(workspace, row, set->name, set->value, set->size);
    return r < 0 ? r : 1;
}

/* (mutation) */
static int set_locked(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, const struct attribute *set)
{
    struct riad_inode row;
    int r = get_target(workspace, inode, set->name, &row);

    if (r == 0) {
        r = check_presence(workspace, &row, set->name, set->flags);
    }
    if (r == 0) {
        r = put_attribute(workspace, caller, &row, set);
    }
    return r <= 0 ? r : commit(workspace, &row);
}

static int attempt_set(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, const struct attribute *set)
{
    int r = riad_mutation_begin(workspace, caller);

    if (r < 0) {
        return r;
    }
    r = set_locked(workspace, caller, inode, set);
    riad_mutation_end(workspace);
    return r;
}

int riad_setxattr(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, const char *name, const void *value, size_t size, int flags)
{
    const struct attribute set = { name, value, size, flags };
    int r = check_name(name);

    if (r == 0 && (flags & ~(XATTR_CREATE | XATTR_REPLACE))) {
        r = -EINVAL;
    }
    if (r == 0 && size > RIAD_XATTR_VALUE_MAX) {
        r = -E2BIG;
    }
    if (r < 0) {
        return r;
    }
    do {
        r = attempt_set(workspace, caller, inode, &set);
    } while (riad_orphan_awaited(workspace, &r));
    return r;
}

int riad_getxattr(struct riad_workspace *workspace, uint64_t inode, const char *name,
        uint8_t **ret_value, size_t *ret_size)
{
    struct riad_inode row;
    int r = check_name(name);

    if (r == 0) {
        r = riad_workspace_lock(workspace);
    }
    if (r < 0) {
        return r;
    }
    r = get_row(workspace, inode, name, -ENODATA, &row);
    if (r == 0) {
        r = riad_index_get_xattr(workspace->index, &row, name, ret_value, ret_size);
    }
    riad_workspace_unlock(workspace);
    return r;
}

int riad_listxattr(
        struct riad_workspace *workspace, uint64_t inode, char **ret_names, size_t *ret_size)
{
    struct riad_inode row;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_index_get_inode(workspace->index, inode, &row);
    if (r == 0) {
        r = riad_index_list_xattrs(workspace->index, &row, ret_names, ret_size);
    }
    riad_workspace_unlock(workspace);
    return r;
}

static int remove_locked(struct riad_workspace *workspace, uint64_t inode, const char *name)
{
    struct riad_inode row;
    int r = get_target(workspace, inode, name, &row);

    if (r < 0) {
        return r;
    }
    r = riad_xattr_remove(workspace, &row, name);
    if (r == -ENODATA && riad_acl_is_name(name)) {
        return 0; /* and nothing has changed */
    }
    return r < 0 ? r : commit(workspace, &row);
}

int riad_removexattr(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, const char *name)
{
    int r = check_name(name);

    if (r == 0) {
        r = riad_mutation_begin(workspace, caller);
    }
    if (r < 0) {
        return r;
    }
    r = remove_locked(workspace, inode, name);
    riad_mutation_end(workspace);
    return r;
}
