/* New inodes: files, directories, symlinks, special files. */
#include <errno.h>

#include "access_priv.h"

/* What becomes of one call. */
struct creation {
    const struct riad_caller *caller;
    uint64_t parent;
    const char *name;      /* NULL: none, yet or ever */
    const char *target;    /* of a symlink, else NULL */
    bool linkable;         /* without a name yet, and may get one */
    struct riad_inode row; /* mode, rdev and size are the caller's */
};

/* A setgid directory gives its group to what is made in it, and itself to directories. */
static void inherit(struct creation *creation, const struct riad_inode *parent)
{
    struct riad_inode *row = &creation->row;

    row->flags = riad_flags_inherited(parent);
    row->uid = creation->caller->uid;
    row->gid = creation->caller->gid;
    if (parent->mode & S_ISGID) {
        row->gid = parent->gid;
        row->mode |= S_ISDIR(row->mode) ? S_ISGID : 0;
    }
}

static uint32_t first_links(const struct creation *creation)
{
    if (!creation->name) {
        return 0;
    }
    return S_ISDIR(creation->row.mode) ? 2 : 1;
}

static void fill_row(struct riad_workspace *workspace, struct creation *creation)
{
    struct riad_inode *row = &creation->row;
    bool directory = S_ISDIR(row->mode);

    row->inode = riad_index_next_inode(workspace->index);
    row->generation = RIAD_FIRST_GENERATION;
    row->nlink = first_links(creation);
    row->blocks = (directory || S_ISLNK(row->mode) ? 1 : 0) + riad_xattr_blocks(row->xattr_bytes);
    row->atime = row->mtime = row->ctime = row->btime = riad_mutation_time(workspace);
    row->parent = creation->linkable ? RIAD_NO_PARENT : creation->parent;
    row->next_cookie = directory ? RIAD_FIRST_COOKIE : 0;
    row->birth = riad_log_next_number(workspace->log);
    row->truncate_mark = RIAD_NO_TRUNCATE_MARK;
}

static void build(struct riad_workspace *workspace, struct creation *creation,
        struct riad_inode *parent, const struct riad_inheritance *lists)
{
    riad_put_row(workspace, &creation->row);
    riad_access_put(workspace, creation->row.inode, lists);
    if (creation->target) {
        riad_change_put_symlink(&workspace->change, creation->row.inode, creation->target);
    }
    if (!creation->name) {
        return;
    }
    riad_put_entry(workspace, parent, creation->name, &creation->row);
    parent->nlink += S_ISDIR(creation->row.mode) ? 1 : 0;
    riad_touch(workspace, parent);
    riad_put_row(workspace, parent);
}

/* The reference is taken first: once the change is in the log nothing may fail. */
static int commit_referenced(struct riad_workspace *workspace, uint64_t inode)
{
    int r = riad_references_add(workspace->references, inode, 1);

    if (r < 0) {
        return r;
    }
    r = riad_mutation_commit(workspace, NULL);
    if (r < 0) {
        riad_references_drop(workspace->references, inode, 1);
    }
    return r;
}

static int create(struct riad_workspace *workspace, struct creation *creation)
{
    struct riad_inheritance lists;
    struct riad_inode parent;
    int r = riad_get_live_directory(workspace, creation->parent, &parent);

    if (r == 0 && creation->name) {
        r = riad_check_free_name(workspace, creation->parent, creation->name);
    }
    if (r == 0) {
        r = riad_flags_allow_new_name(&parent);
    }
    if (r == 0 && S_ISDIR(creation->row.mode) && parent.nlink >= RIAD_NLINK_MAX) {
        r = -EMLINK;
    }
    if (r < 0) {
        return r;
    }
    inherit(creation, &parent);
    r = riad_access_inherit(workspace, creation->caller, &parent, &creation->row, &lists);
    if (r < 0) {
        return r;
    }
    fill_row(workspace, creation);
    r = riad_mutation_charge(workspace, &creation->row, (int64_t)creation->row.blocks, 1);
    if (r < 0) {
        return r;
    }
    build(workspace, creation, &parent, &lists);
    return commit_referenced(workspace, creation->row.inode);
}

static int attempt(struct riad_workspace *workspace, struct creation *creation)
{
    int r = riad_mutation_begin(workspace, creation->caller);

    if (r < 0) {
        return r;
    }
    r = create(workspace, creation);
    riad_mutation_end(workspace);
    return r;
}

static int run(
        struct riad_workspace *workspace, const struct creation *wanted, struct riad_inode *ret)
{
    struct creation creation;
    int r = wanted->name ? riad_name_check(wanted->name) : 0;

    if (r < 0) {
        return r;
    }
    do {
        creation = *wanted;
        r = attempt(workspace, &creation);
    } while (riad_orphan_awaited(workspace, &r));
    if (r < 0) {
        return r;
    }
    *ret = creation.row;
    return 0;
}

int riad_mknod(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name, uint32_t mode, uint64_t rdev, struct riad_inode *ret)
{
    struct creation creation = { .caller = caller, .parent = parent, .name = name };

    mode |= (mode & S_IFMT) == 0 ? S_IFREG : 0;
    if (!S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode) && !S_ISCHR(mode) && !S_ISBLK(mode)) {
        return -EINVAL;
    }
    creation.row.mode = mode & (S_IFMT | 07777);
    creation.row.rdev = S_ISCHR(mode) || S_ISBLK(mode) ? rdev : 0;
    return run(workspace, &creation, ret);
}

int riad_tmpfile(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t parent, uint32_t mode, bool linkable, struct riad_inode *ret)
{
    struct creation creation = { .caller = caller, .parent = parent, .linkable = linkable };

    creation.row.mode = S_IFREG | (mode & 07777);
    return run(workspace, &creation, ret);
}

int riad_mkdir(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name, uint32_t mode, struct riad_inode *ret)
{
    struct creation creation = { .caller = caller, .parent = parent, .name = name };

    creation.row.mode = S_IFDIR | (mode & 07777);
    return run(workspace, &creation, ret);
}

int riad_symlink(struct riad_workspace *workspace, const struct riad_caller *caller,
        uint64_t parent, const char *name, const char *target, struct riad_inode *ret)
{
    struct creation creation = {
        .caller = caller, .parent = parent, .name = name, .target = target
    };
    size_t size = strnlen(target, RIAD_SYMLINK_MAX + 1);

    if (size == 0) {
        return -ENOENT;
    }
    if (size > RIAD_SYMLINK_MAX) {
        return -ENAMETOOLONG;
    }
    creation.row.mode = S_IFLNK | 0777;
    creation.row.size = size;
    return run(workspace, &creation, ret);
}

int riad_prepare_whiteout(struct riad_workspace *workspace, const struct riad_caller *caller,
        const struct riad_inode *directory, struct riad_inode *ret,
        struct riad_inheritance *ret_lists)
{
    struct creation creation = { .caller = caller, .parent = directory->inode, .name = "" };
    int r;

    creation.row.mode = S_IFCHR; /* the device 0/0, as overlayfs knows it */
    inherit(&creation, directory);
    r = riad_access_inherit(workspace, caller, directory, &creation.row, ret_lists);
    if (r < 0) {
        return r;
    }
    fill_row(workspace, &creation);
    r = riad_mutation_charge(workspace, &creation.row, (int64_t)creation.row.blocks, 1);
    if (r < 0) {
        return r;
    }
    *ret = creation.row;
    return 0;
}
