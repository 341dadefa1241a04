#include <dirent.h>
#include <errno.h>

#include "rows_priv.h"

#define CAPABILITIES "security.capability"

int riad_name_check(const char *name)
{
    size_t size = strnlen(name, RIAD_NAME_MAX + 1);

    if (size > RIAD_NAME_MAX) {
        return -ENAMETOOLONG;
    }
    if (size == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strchr(name, '/')) {
        return -EINVAL;
    }
    return 0;
}

int riad_get_directory(struct riad_workspace *workspace, uint64_t inode, struct riad_inode *ret)
{
    struct riad_inode row;
    int r = riad_index_get_inode(workspace->index, inode, &row);

    if (r < 0) {
        return r;
    }
    if (!S_ISDIR(row.mode)) {
        return -ENOTDIR;
    }
    *ret = row;
    return 0;
}

int riad_get_live_directory(
        struct riad_workspace *workspace, uint64_t inode, struct riad_inode *ret)
{
    struct riad_inode row;
    int r = riad_get_directory(workspace, inode, &row);

    if (r < 0) {
        return r;
    }
    if (row.nlink == 0) {
        return -ENOENT;
    }
    *ret = row;
    return 0;
}

int riad_get_file(struct riad_workspace *workspace, uint64_t inode, struct riad_inode *ret)
{
    struct riad_inode row;
    int r = riad_index_get_inode(workspace->index, inode, &row);

    if (r < 0) {
        return r;
    }
    if (!S_ISREG(row.mode)) {
        return S_ISDIR(row.mode) ? -EISDIR : -EINVAL;
    }
    *ret = row;
    return 0;
}

/* A name that is not there may be missing because its directory is. */
static int explain_missing(struct riad_workspace *workspace, uint64_t parent)
{
    struct riad_inode row;
    int r = riad_get_directory(workspace, parent, &row);

    return r < 0 ? r : -ENOENT;
}

int riad_get_entry(struct riad_workspace *workspace, uint64_t parent, const char *name,
        struct riad_dentry *ret_entry, struct riad_inode *ret)
{
    int r = riad_index_lookup(workspace->index, parent, name, strlen(name), ret_entry);

    if (r == -ENOENT) {
        return explain_missing(workspace, parent);
    }
    if (r < 0) {
        return r;
    }
    r = riad_index_get_inode(workspace->index, ret_entry->inode, ret);
    if (r == -ENOENT) {
        riad_workspace_event(workspace,
                "an entry of directory %llu names inode %llu, which does not exist: run riad fsck",
                (unsigned long long)parent, (unsigned long long)ret_entry->inode);
        return -EIO;
    }
    return r;
}

int riad_check_free_name(struct riad_workspace *workspace, uint64_t parent, const char *name)
{
    struct riad_dentry entry;
    int r = riad_index_lookup(workspace->index, parent, name, strlen(name), &entry);

    if (r == -ENOENT) {
        return 0;
    }
    return r < 0 ? r : -EEXIST;
}

void riad_put_row(struct riad_workspace *workspace, struct riad_inode *row)
{
    row->version++;
    riad_change_put_inode(&workspace->change, row);
}

void riad_put_entry(struct riad_workspace *workspace, struct riad_inode *directory,
        const char *name, const struct riad_inode *row)
{
    struct riad_dentry entry = {
        .parent = directory->inode,
        .cookie = directory->next_cookie++,
        .inode = row->inode,
        .type = (uint8_t)IFTODT(row->mode),
        .name_size = (uint16_t)strlen(name),
    };

    memcpy(entry.name, name, entry.name_size);
    riad_change_put_dentry(&workspace->change, &entry);
}

void riad_rename_entry(
        struct riad_workspace *workspace, const struct riad_dentry *entry, const char *name)
{
    struct riad_dentry renamed = *entry;

    renamed.name_size = (uint16_t)strlen(name);
    memcpy(renamed.name, name, renamed.name_size);
    riad_change_put_dentry(&workspace->change, &renamed);
}

void riad_replace_entry(struct riad_workspace *workspace, const struct riad_dentry *entry,
        const struct riad_inode *row)
{
    struct riad_dentry replaced = *entry;

    replaced.inode = row->inode;
    replaced.type = (uint8_t)IFTODT(row->mode);
    riad_change_put_dentry(&workspace->change, &replaced);
}

void riad_touch(struct riad_workspace *workspace, struct riad_inode *row)
{
    row->mtime = row->ctime = riad_mutation_time(workspace);
}

static bool is_in_group(const struct riad_caller *caller, uint32_t group)
{
    return caller->gid == group || (caller->is_member && caller->is_member(caller->pid, group));
}

uint32_t riad_mode_unprivileged(const struct riad_caller *caller, const struct riad_inode *row)
{
    uint32_t mode = row->mode & ~(uint32_t)S_ISUID;

    if ((mode & S_ISGID) && ((mode & S_IXGRP) || !is_in_group(caller, row->gid))) {
        mode &= ~(uint32_t)S_ISGID;
    }
    return mode;
}

int riad_kill_capabilities(struct riad_workspace *workspace, struct riad_inode *row)
{
    int r = row->xattr_bytes > 0 ? riad_xattr_remove(workspace, row, CAPABILITIES) : -ENODATA;

    return r == -ENODATA ? 0 : r;
}

static void kill_modes(const struct riad_caller *caller, struct riad_inode *row)
{
    uint32_t mode = riad_mode_unprivileged(caller, row);

    if (caller->killed && mode != row->mode) {
        *caller->killed = true;
    }
    row->mode = mode;
}

int riad_kill_privileges(
        struct riad_workspace *workspace, const struct riad_caller *caller, struct riad_inode *row)
{
    if (!S_ISREG(row->mode) || caller->written_back) {
        return 0;
    }
    if (caller->kill_privileges) {
        kill_modes(caller, row);
    }
    return riad_kill_capabilities(workspace, row);
}

bool riad_drop_name(struct riad_workspace *workspace, struct riad_inode *row)
{
    row->nlink = S_ISDIR(row->mode) || row->nlink == 0 ? 0 : row->nlink - 1;
    row->ctime = riad_mutation_time(workspace);
    if (row->nlink == 0 && riad_references_get(workspace->references, row->inode) == 0) {
        riad_change_remove_inode(&workspace->change, row->inode);
        return true;
    }
    if (row->nlink == 0) {
        riad_orphan_made(workspace);
    }
    riad_put_row(workspace, row);
    return false;
}
