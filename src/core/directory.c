/* Listings. */
#include "rows_priv.h"

int riad_readdir(struct riad_workspace *workspace, uint64_t inode, uint64_t after,
        riad_index_entry_function function, void *context)
{
    struct riad_inode row;
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = riad_get_directory(workspace, inode, &row);
    if (r == 0) {
        r = riad_index_list(workspace->index, inode, after, function, context);
    }
    riad_workspace_unlock(workspace);
    return r < 0 ? r : 0;
}
