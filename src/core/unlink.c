/* Names taken away. */
#include <errno.h>

#include "rows_priv.h"

static int check_removable(
        struct riad_workspace *workspace, const struct riad_inode *row, bool directory)
{
    int r;

    if (!directory) {
        return S_ISDIR(row->mode) ? -EISDIR : 0;
    }
    if (!S_ISDIR(row->mode)) {
        return -ENOTDIR;
    }
    r = riad_index_has_entries(workspace->index, row->inode);
    return r > 0 ? -ENOTEMPTY : r;
}

/* Returns 1 if extents may be left to reap. */
static int take_name(
        struct riad_workspace *workspace, uint64_t parent, const char *name, bool directory)
{
    struct riad_inode row, parent_row;
    struct riad_dentry entry;
    bool removed;
    int r = riad_get_entry(workspace, parent, name, &entry, &row);

    if (r == 0) {
        r = riad_get_directory(workspace, parent, &parent_row);
    }
    if (r == 0) {
        r = riad_flags_allow_removal(&parent_row, &row);
    }
    if (r == 0) {
        r = check_removable(workspace, &row, directory);
    }
    if (r < 0) {
        return r;
    }
    riad_change_remove_dentry(&workspace->change, parent, entry.cookie);
    removed = riad_drop_name(workspace, &row);
    parent_row.nlink -= directory ? 1 : 0;
    riad_touch(workspace, &parent_row);
    riad_put_row(workspace, &parent_row);
    r = riad_mutation_commit(workspace, NULL);
    return r < 0 ? r : removed && S_ISREG(row.mode);
}

static int run(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name, bool directory)
{
    int r = riad_name_check(name);

    if (r == 0) {
        r = riad_mutation_begin(workspace, caller);
    }
    if (r < 0) {
        return r;
    }
    r = take_name(workspace, parent, name, directory);
    riad_mutation_end(workspace);
    if (r > 0) {
        riad_reap(workspace);
    }
    return r < 0 ? r : 0;
}

int riad_unlink(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name)
{
    return run(workspace, caller, parent, name, false);
}

int riad_rmdir(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name)
{
    return run(workspace, caller, parent, name, true);
}
