/* /lost+found: where inodes go whose names are lost. */
#include <stdio.h>
#include <sys/stat.h>

#include "repair_priv.h"

enum { NAMES_TRIED = 1000 };

/* Whose becomes what is nobody's: the root directory's owner; a project's has none but root, so
 * there whoever has it repaired. */
static void set_owner(const struct riad_repair *repair, struct riad_inode *row)
{
    struct riad_inode root;
    int r = riad_index_get_inode(repair->work.index, RIAD_ROOT_INODE, &root);
    bool owned = r == 0 && root.uid != 0;

    row->uid = owned ? root.uid : repair->fsck.config->root_uid;
    row->gid = owned ? root.gid : repair->fsck.config->root_gid;
}

struct riad_inode riad_repair_new_inode(
        const struct riad_repair *repair, uint64_t inode, uint32_t mode)
{
    bool directory = S_ISDIR(mode);
    struct riad_inode row = {
        .inode = inode,
        .generation = 1,
        .mode = mode,
        .nlink = directory ? 2 : 1,
        .blocks = directory ? 1 : 0,
        .parent = RIAD_ROOT_INODE,
        .next_cookie = directory ? RIAD_FIRST_COOKIE : 0,
        .version = 1,
        .birth = 1,
        .truncate_mark = RIAD_NO_TRUNCATE_MARK,
    };

    row.atime = row.mtime = row.ctime = row.btime = riad_clock_now();
    set_owner(repair, &row);
    return row;
}

static void name_entry(struct riad_dentry *ret, const char *name, unsigned again)
{
    int size = again == 0 ? snprintf(ret->name, sizeof ret->name, "%s", name)
                          : snprintf(ret->name, sizeof ret->name, "%s.%u", name, again);

    ret->name_size = (uint16_t)size;
}

/* A name in `parent` that is free; where ret_directory is given, also that of a directory there,
 * whose number is stored. */
static int find_name(struct riad_repair *repair, uint64_t parent, const char *name,
        struct riad_dentry *ret, uint64_t *ret_directory)
{
    for (unsigned again = 0; again < NAMES_TRIED; again++) {
        struct riad_dentry there;
        int r;

        name_entry(ret, name, again);
        r = riad_index_lookup(repair->work.index, parent, ret->name, ret->name_size, &there);
        if (r == 0 && ret_directory && there.type == DT_DIR) {
            *ret_directory = there.inode;
            return 0;
        }
        if (r < 0) {
            return r == -ENOENT ? 0 : r;
        }
    }
    return -EEXIST;
}

/* Adds an entry for the inode to the directory, in one change with the inode's row. Rows that count
 * links are brought right later. */
static int add_entry(struct riad_repair *repair, uint64_t directory, struct riad_dentry *entry,
        const struct riad_inode *inode)
{
    struct riad_inode parent;
    int r = riad_index_get_inode(repair->work.index, directory, &parent);

    if (r < 0) {
        return r;
    }
    entry->parent = directory;
    entry->cookie = parent.next_cookie++;
    entry->inode = inode->inode;
    entry->type = (uint8_t)IFTODT(inode->mode);
    riad_repair_change(repair);
    riad_change_put_inode(&repair->change, &parent);
    riad_change_put_inode(&repair->change, inode);
    riad_change_put_dentry(&repair->change, entry);
    r = riad_repair_emit(repair);
    return r < 0 ? r : r == 0 ? -EUCLEAN : 0;
}

/* Open to its owner alone: what was in a closed directory may be hung up here. */
static int make_directory(struct riad_repair *repair, struct riad_dentry *entry)
{
    struct riad_inode row = riad_repair_new_inode(
            repair, riad_index_next_inode(repair->work.index), S_IFDIR | 0700);
    int r = add_entry(repair, RIAD_ROOT_INODE, entry, &row);

    if (r == 0) {
        repair->lost_and_found = row.inode;
    }
    return r;
}

static int find_directory(struct riad_repair *repair)
{
    struct riad_dentry entry = { 0 };
    int r;

    if (repair->lost_and_found != 0) {
        return 0;
    }
    r = find_name(repair, RIAD_ROOT_INODE, "lost+found", &entry, &repair->lost_and_found);
    return r < 0 || repair->lost_and_found != 0 ? r : make_directory(repair, &entry);
}

int riad_repair_attach(struct riad_repair *repair, const struct riad_inode *inode)
{
    struct riad_inode row = *inode;
    struct riad_dentry entry = { 0 };
    char path[RIAD_FSCK_PATH], name[32];
    int r = find_directory(repair);

    snprintf(name, sizeof name, "#%llu", (unsigned long long)row.inode);
    if (r == 0) {
        r = find_name(repair, repair->lost_and_found, name, &entry, NULL);
    }
    if (r == 0) {
        row.parent = repair->lost_and_found;
        r = add_entry(repair, repair->lost_and_found, &entry, &row);
    }
    if (r < 0) {
        return r;
    }
    riad_fsck_entry_path(repair->work.index, &entry, path);
    riad_fsck_find(&repair->fsck, "%s: its name is lost", path);
    repair->result.orphans++;
    return 0;
}
