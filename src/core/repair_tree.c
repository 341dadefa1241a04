/* Rows that do not fit each other, one kind of defect after the other: each step leaves none of its
 * kind to the next. */
#include <sys/stat.h>

#include "repair_priv.h"

static const char lost_target[] = "(target lost)";

/* What an inode is told by when it is lost itself. */
static void tell_entry(struct riad_repair *repair, const struct riad_defect *defect)
{
    char path[RIAD_FSCK_PATH];

    if (!defect->inode_missing) {
        return; /* it goes to lost+found, or has another name */
    }
    riad_fsck_entry_path(repair->work.index, &defect->dentry, path);
    riad_fsck_find(&repair->fsck, "%s: lost", path);
    repair->result.lost_names++;
}

static int drop_entry(struct riad_repair *repair, const struct riad_dentry *dentry)
{
    int r;

    riad_repair_change(repair);
    riad_change_remove_dentry(&repair->change, dentry->parent, dentry->cookie);
    r = riad_repair_emit(repair);
    return r < 0 ? r : 0;
}

static int mend_entry(void *context, const struct riad_defect *defect)
{
    struct riad_repair *repair = context;

    tell_entry(repair, defect);
    return drop_entry(repair, &defect->dentry);
}

static int mend_unnamed(void *context, const struct riad_defect *defect)
{
    return riad_repair_attach(context, &defect->inode);
}

static int mend_unreached(void *context, const struct riad_defect *defect)
{
    struct riad_repair *repair = context;
    struct riad_inode row;
    int r = riad_index_get_inode(repair->work.index, defect->dentry.inode, &row);

    if (r == 0) {
        r = drop_entry(repair, &defect->dentry);
    }
    return r < 0 ? r : riad_repair_attach(repair, &row);
}

static int see_end(void *context, const struct riad_extent *extent)
{
    *(uint64_t *)context = extent->offset + extent->length;
    return 0;
}

/* A row for what is left of an inode: as much of it as its contents tell. */
static int mend_stray(void *context, const struct riad_defect *defect)
{
    struct riad_repair *repair = context;
    struct riad_index *index = repair->work.index;
    _cleanup_free_ char *target = NULL;
    struct riad_inode row = riad_repair_new_inode(repair, defect->inode.inode, S_IFREG | 0600);
    int r = riad_index_extents(index, row.inode, 0, RIAD_FILE_SIZE_MAX, see_end, &row.size);

    if (r == 0) {
        r = riad_index_get_symlink(index, &row, &target);
        r = r == -ENOENT ? 0 : r;
    }
    if (r < 0) {
        return r;
    }
    if (target) {
        row.mode = S_IFLNK | 0777;
        row.size = strlen(target);
    }
    riad_repair_change(repair);
    riad_change_put_inode(&repair->change, &row);
    r = riad_repair_emit(repair);
    return r < 0 ? r : 0;
}

/* Its charge tells whether all extents are there. */
static int judge_contents(struct riad_repair *repair, const struct riad_defect *defect)
{
    const struct riad_inode *right = &defect->inode;
    char path[RIAD_FSCK_PATH];

    if (!S_ISREG(right->mode) || right->nlink == 0 || right->blocks == defect->blocks_kept) {
        return 0;
    }
    riad_fsck_path(repair->work.index, right->inode, path);
    if (right->blocks > defect->blocks_kept) {
        riad_fsck_find(&repair->fsck,
                "%s: may hold bytes that had been overwritten or cut off since", path);
        repair->result.stale_files++;
        return 0;
    }
    riad_fsck_find(&repair->fsck,
            "%s: parts of its contents are lost; reading them, and its holes, gives EIO", path);
    repair->result.torn_files++;
    return riad_repair_tear(repair, right);
}

static int put_right(struct riad_repair *repair, const struct riad_defect *defect)
{
    int r;

    riad_repair_change(repair);
    riad_change_put_inode(&repair->change, &defect->inode);
    if (defect->target_missing) {
        riad_change_put_symlink(&repair->change, defect->inode.inode, lost_target);
    }
    r = riad_repair_emit(repair);
    return r < 0 ? r : 0;
}

static int mend_row(void *context, const struct riad_defect *defect)
{
    struct riad_repair *repair = context;
    char path[RIAD_FSCK_PATH];
    int r;

    if (defect->target_missing) {
        riad_fsck_path(repair->work.index, defect->inode.inode, path);
        riad_fsck_find(&repair->fsck, "%s: the symlink's target is lost", path);
    }
    r = judge_contents(repair, defect);
    return r < 0 ? r : put_right(repair, defect);
}

static int note(void *context, const struct riad_defect *defect)
{
    *(struct riad_defect *)context = *defect;
    return 0;
}

/* What was torn is charged differently now. */
static int mend_charge(void *context, const struct riad_defect *defect)
{
    return put_right(context, defect);
}

static int mend(struct riad_repair *repair, enum riad_defect_kind kind,
        riad_defect_function function, void *context)
{
    _cleanup_(riad_snapshot_freep) struct riad_snapshot *snapshot = NULL;
    int r = riad_snapshot_take(repair->work.index, &snapshot);

    return r < 0 ? r : riad_snapshot_defects(snapshot, kind, function, context);
}

/* Directories in circles: each time one is hung up, others may be reached by it. */
static int mend_circles(struct riad_repair *repair)
{
    struct riad_defect defect;
    int r;

    do {
        defect.kind = 0;
        r = mend(repair, RIAD_DEFECT_UNREACHED, note, &defect);
        if (r == 0 && defect.kind != 0) {
            r = mend_unreached(repair, &defect);
        }
    } while (r == 0 && defect.kind != 0);
    return r;
}

/* There is nothing without it. It belongs to whom a new one would, and nobody else may enter. */
static int make_root(struct riad_repair *repair)
{
    struct riad_inode root = riad_repair_new_inode(repair, RIAD_ROOT_INODE, S_IFDIR | 0700);
    struct riad_inode there;
    int r = riad_index_get_inode(repair->work.index, RIAD_ROOT_INODE, &there);

    if (r != -ENOENT) {
        return r;
    }
    riad_repair_change(repair);
    riad_change_put_inode(&repair->change, &root);
    r = riad_repair_emit(repair);
    return r < 0 ? r : 0;
}

int riad_repair_tree(struct riad_repair *repair)
{
    int r = make_root(repair);

    if (r == 0) {
        r = mend(repair, RIAD_DEFECT_STRAY, mend_stray, repair);
    }
    if (r == 0) {
        r = mend(repair, RIAD_DEFECT_ENTRY, mend_entry, repair);
    }
    if (r == 0) {
        r = mend(repair, RIAD_DEFECT_UNNAMED, mend_unnamed, repair);
    }
    if (r == 0) {
        r = mend_circles(repair);
    }
    if (r == 0) {
        r = mend(repair, RIAD_DEFECT_ROW, mend_row, repair);
    }
    return r < 0 ? r : mend(repair, RIAD_DEFECT_ROW, mend_charge, repair);
}
