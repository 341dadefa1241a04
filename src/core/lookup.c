/* Names to inodes, and the references that the kernel holds. */
#include <errno.h>
#include <stdlib.h>

#include "rows_priv.h"

/* "." and ".." are asked for when a kernel reconnects an inode that it knows by number only: it has
 * given up what it held of it. So one without names is gone, though its FORGET may be on its way.
 */
static int find_relative(
        struct riad_workspace *workspace, uint64_t inode, bool parent, struct riad_inode *ret)
{
    struct riad_inode row;
    int r = riad_index_get_inode(workspace->index, inode, &row);

    if (r == 0 && row.nlink == 0) {
        r = -ESTALE;
    }
    if (r < 0) {
        return r;
    }
    if (!parent) {
        *ret = row;
        return 0;
    }
    if (!S_ISDIR(row.mode)) {
        return -ENOTDIR;
    }
    return riad_index_get_inode(workspace->index, row.parent, ret);
}

static int find(
        struct riad_workspace *workspace, uint64_t parent, const char *name, struct riad_inode *ret)
{
    struct riad_dentry entry;
    bool dots = strcmp(name, "..") == 0;
    int r;

    if (dots || strcmp(name, ".") == 0) {
        return find_relative(workspace, parent, dots, ret);
    }
    r = riad_name_check(name);
    if (r < 0) {
        return r;
    }
    return riad_get_entry(workspace, parent, name, &entry, ret);
}

int riad_lookup(
        struct riad_workspace *workspace, uint64_t parent, const char *name, struct riad_inode *ret)
{
    struct riad_inode row;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = find(workspace, parent, name, &row);
    if (r == 0) {
        r = riad_references_add(workspace->references, row.inode, 1);
    }
    riad_workspace_unlock(workspace);
    if (r < 0) {
        return r;
    }
    *ret = row;
    return 0;
}

void riad_reference(struct riad_workspace *workspace, uint64_t inode)
{
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return;
    }
    r = riad_references_add(workspace->references, inode, 1);
    if (r < 0) {
        riad_workspace_event(workspace,
                "no memory to count a reference to inode %llu: it may be freed while open",
                (unsigned long long)inode);
    }
    riad_workspace_unlock(workspace);
}

void riad_forget(struct riad_workspace *workspace, uint64_t inode, uint64_t count)
{
    struct riad_inode row;
    bool orphan = false;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return;
    }
    if (riad_references_drop(workspace->references, inode, count) == 0) {
        r = riad_index_get_inode(workspace->index, inode, &row);
        orphan = r == 0 && row.nlink == 0;
    }
    riad_workspace_unlock(workspace);
    if (orphan) {
        r = riad_orphan_free(workspace, inode);
    }
    if (r < 0) {
        return; /* whatever is left of an orphan goes when the workspace is next closed or opened */
    }
}

/* It is asked for when rights are taken away, and so whatever the workspace's state. */
int riad_workspace_known(struct riad_workspace *workspace, uint64_t **ret_inodes, size_t *ret_count)
{
    uint64_t *inodes;
    size_t count;

    pthread_mutex_lock(&workspace->mutation);
    count = (size_t)riad_references_inodes(workspace->references);
    inodes = calloc(count + 1, sizeof *inodes);
    if (inodes) {
        riad_references_list(workspace->references, inodes);
        if (riad_references_get(workspace->references, RIAD_ROOT_INODE) == 0) {
            inodes[count++] = RIAD_ROOT_INODE;
        }
    }
    pthread_mutex_unlock(&workspace->mutation);
    if (!inodes) {
        return -ENOMEM;
    }
    *ret_inodes = inodes;
    *ret_count = count;
    return 0;
}

int riad_readlink(struct riad_workspace *workspace, uint64_t inode, char **ret)
{
    struct riad_inode row;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_index_get_inode(workspace->index, inode, &row);
    if (r == 0) {
        r = S_ISLNK(row.mode) ? riad_index_get_symlink(workspace->index, &row, ret) : -EINVAL;
    }
    riad_workspace_unlock(workspace);
    return r;
}
