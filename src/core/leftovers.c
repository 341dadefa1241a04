/* Inodes without names, and truncations cut short (L8). */
#include "lifecycle_priv.h"

enum { BATCH = 64 };

typedef int (*find_function)(struct riad_index *index, uint64_t after, uint64_t *ret_inodes,
        size_t max, size_t *ret_count);
typedef int (*finish_function)(struct riad_workspace *workspace, uint64_t inode);

static int find(struct riad_workspace *workspace, find_function function, uint64_t after,
        uint64_t *ret, size_t *ret_count)
{
    int r = riad_workspace_lock(workspace);

    if (r < 0) {
        return r;
    }
    r = function(workspace->index, after, ret, BATCH, ret_count);
    riad_workspace_unlock(workspace);
    return r;
}

static int finish_all(
        struct riad_workspace *workspace, find_function function, finish_function finish)
{
    uint64_t inodes[BATCH];
    uint64_t after = 0;
    size_t count = 0;
    int r;

    do {
        r = find(workspace, function, after, inodes, &count);
        for (size_t i = 0; i < count && r >= 0; i++) {
            after = inodes[i];
            r = finish(workspace, after);
        }
    } while (r >= 0 && count == BATCH);
    return r;
}

void riad_leftovers_free(struct riad_workspace *workspace)
{
    int r = finish_all(workspace, riad_index_truncate_marks, riad_truncate_finish);

    if (r >= 0) {
        r = finish_all(workspace, riad_index_orphans, riad_orphan_free);
    }
    if (r < 0 && r != -ESTALE && r != -EROFS) {
        riad_workspace_event_unlocked(workspace,
                "space of deleted files is given back at the next opening: %s", strerror(-r));
    }
}
