/* Extended attributes of the user namespace. */
#include <errno.h>
#include <sys/xattr.h>

#include "rows_priv.h"

enum { XATTR_TOTAL_MAX = 1 << 20 }; /* names and values of one inode */

static int check_name(const char *name)
{
    if (strncmp(name, "user.", 5) != 0) {
        return -EOPNOTSUPP;
    }
    if (name[5] == 0) {
        return -EINVAL;
    }
    return strnlen(name, XATTR_NAME_MAX + 1) > XATTR_NAME_MAX ? -ERANGE : 0;
}

/* As the kernel has it: only files and directories carry attributes of users. */
static bool may_have(const struct riad_inode *row)
{
    return S_ISREG(row->mode) || S_ISDIR(row->mode);
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

/* Makes the row count `bytes` instead of what it has for xattrs. */
static int recount(struct riad_workspace *workspace, struct riad_inode *row, uint32_t bytes)
{
    int64_t delta =
            (int64_t)riad_xattr_blocks(bytes) - (int64_t)riad_xattr_blocks(row->xattr_bytes);
    int r = delta > 0 ? riad_mutation_charge(workspace, delta, 0) : 0;

    if (r < 0) {
        return r;
    }
    row->xattr_bytes = bytes;
    row->blocks = (uint64_t)((int64_t)row->blocks + delta);
    row->ctime = riad_mutation_time(workspace);
    riad_put_row(workspace, row);
    return 0;
}

static int get_row(
        struct riad_workspace *workspace, uint64_t inode, int refusal, struct riad_inode *ret)
{
    int r = riad_index_get_inode(workspace->index, inode, ret);

    if (r < 0) {
        return r;
    }
    return may_have(ret) ? 0 : refusal;
}

static int set_locked(struct riad_workspace *workspace, uint64_t inode, const char *name,
        const void *value, size_t size, int flags)
{
    struct riad_inode row;
    uint32_t before = 0, bytes;
    int r = get_row(workspace, inode, -EPERM, &row);

    if (r < 0) {
        return r;
    }
    r = present_bytes(workspace, &row, name, &before);
    if (r == 0 && (flags & XATTR_CREATE)) {
        return -EEXIST;
    }
    if (r < 0 && (r != -ENODATA || (flags & XATTR_REPLACE))) {
        return r;
    }
    bytes = row.xattr_bytes - before + (uint32_t)(strlen(name) + size);
    if (bytes > XATTR_TOTAL_MAX && bytes > row.xattr_bytes) {
        return -ENOSPC;
    }
    r = recount(workspace, &row, bytes);
    if (r < 0) {
        return r;
    }
    riad_change_put_xattr(&workspace->change, inode, name, value, size);
    return riad_mutation_commit(workspace, NULL);
}

int riad_setxattr(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t inode, const char *name, const void *value, size_t size, int flags)
{
    int r = check_name(name);

    if (r == 0 && (flags & ~(XATTR_CREATE | XATTR_REPLACE))) {
        r = -EINVAL;
    }
    if (r == 0 && size > RIAD_XATTR_VALUE_MAX) {
        r = -E2BIG;
    }
    if (r == 0) {
        r = riad_mutation_begin(workspace, caller);
    }
    if (r < 0) {
        return r;
    }
    r = set_locked(workspace, inode, name, value, size, flags);
    riad_mutation_end(workspace);
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
    r = get_row(workspace, inode, -ENODATA, &row);
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
    uint32_t bytes = 0;
    int r = get_row(workspace, inode, -EPERM, &row);

    if (r == 0) {
        r = present_bytes(workspace, &row, name, &bytes);
    }
    if (r == 0) {
        r = recount(workspace, &row, row.xattr_bytes - bytes);
    }
    if (r < 0) {
        return r;
    }
    riad_change_remove_xattr(&workspace->change, inode, name);
    return riad_mutation_commit(workspace, NULL);
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
