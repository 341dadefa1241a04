/* Further names of an inode. */
#include <errno.h>

#include "rows_priv.h"

/* What lost its last name gets none again: only a file that never had one (O_TMPFILE). */
static int check_linkable(const struct riad_inode *row)
{
    if (S_ISDIR(row->mode)) {
        return -EPERM;
    }
    if (row->nlink == 0 && row->parent != RIAD_NO_PARENT) {
        return -ENOENT;
    }
    return row->nlink >= RIAD_NLINK_MAX ? -EMLINK : 0;
}

static int read_rows(struct riad_workspace *workspace, uint64_t inode, uint64_t parent,
        const char *name, struct riad_inode *ret_row, struct riad_inode *ret_parent)
{
    int r = riad_index_get_inode(workspace->index, inode, ret_row);

    if (r == 0) {
        r = check_linkable(ret_row);
    }
    if (r == 0) {
        r = riad_get_live_directory(workspace, parent, ret_parent);
    }
    if (r == 0) {
        r = riad_check_free_name(workspace, parent, name);
    }
    if (r == 0) {
        r = riad_flags_allow_new_name(ret_parent);
    }
    return r < 0 ? r : riad_flags_allow_change(ret_row);
}

static int link_locked(struct riad_workspace *workspace, uint64_t inode, uint64_t parent,
        const char *name, struct riad_inode *ret)
{
    struct riad_inode directory;
    int r = read_rows(workspace, inode, parent, name, ret, &directory);

    if (r == 0) {
        r = riad_mutation_charge(workspace, ret, 0, 0);
    }
    if (r == 0) {
        r = riad_references_add(workspace->references, inode, 1);
    }
    if (r < 0) {
        return r;
    }
    if (ret->parent == RIAD_NO_PARENT) {
        ret->parent = parent;
    }
    ret->nlink++;
    ret->ctime = riad_mutation_time(workspace);
    riad_put_row(workspace, ret);
    riad_put_entry(workspace, &directory, name, ret);
    riad_touch(workspace, &directory);
    riad_put_row(workspace, &directory);
    r = riad_mutation_commit(workspace, NULL);
    if (r < 0) {
        riad_references_drop(workspace->references, inode, 1);
    }
    return r;
}

int riad_link(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t inode,
        uint64_t parent, const char *name, struct riad_inode *ret)
{
    struct riad_inode row;
    int r = riad_name_check(name);

    if (r == 0) {
        r = riad_mutation_begin(workspace, caller);
    }
    if (r < 0) {
        return r;
    }
    r = link_locked(workspace, inode, parent, name, &row);
    riad_mutation_end(workspace);
    if (r < 0) {
        return r;
    }
    *ret = row;
    return 0;
}
