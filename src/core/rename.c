/* Names moved: within a directory, between directories, over others, exchanged. */
#include <errno.h>
#include <stdio.h>

#include "access_priv.h"

struct name_move {
    struct riad_workspace *workspace;
    const struct riad_caller *caller;
    const char *name, *new_name;
    bool exchange, whiteout;
    bool exists; /* the new name does already: target and new_entry are valid */
    bool reap;
    struct riad_inode rows[2];
    struct riad_inode *from, *to; /* the directories; the same row within one directory */
    struct riad_dentry entry, new_entry;
    struct riad_inode moved, target;
    struct riad_inode white; /* of a whiteout, with what it inherits */
    struct riad_inheritance lists;
};

static int read_directories(struct name_move *move, uint64_t parent, uint64_t new_parent)
{
    int r = riad_get_live_directory(move->workspace, parent, &move->rows[0]);

    move->from = move->to = &move->rows[0];
    if (r < 0 || parent == new_parent) {
        return r;
    }
    move->to = &move->rows[1];
    return riad_get_live_directory(move->workspace, new_parent, &move->rows[1]);
}

static int read_entries(struct name_move *move, uint32_t flags)
{
    int r = riad_get_entry(
            move->workspace, move->from->inode, move->name, &move->entry, &move->moved);

    if (r < 0) {
        return r;
    }
    r = riad_get_entry(
            move->workspace, move->to->inode, move->new_name, &move->new_entry, &move->target);
    if (r == -ENOENT) {
        return move->exchange ? -ENOENT : 0;
    }
    move->exists = true;
    return r == 0 && (flags & RENAME_NOREPLACE) ? -EEXIST : r;
}

/* Whether `inode` is the directory or lies above it: walks the parents up to the root, at most as
 * many as there are inodes. 1 or 0. */
static int is_above(struct riad_workspace *workspace, uint64_t inode, uint64_t directory)
{
    struct riad_usage usage;
    struct riad_inode row;

    riad_index_usage(workspace->index, &usage);
    for (uint64_t steps = 0; steps <= usage.inodes; steps++) {
        int r;

        if (directory == inode) {
            return 1;
        }
        if (directory == RIAD_ROOT_INODE) {
            return 0;
        }
        r = riad_index_get_inode(workspace->index, directory, &row);
        if (r < 0) {
            return r == -ENOENT ? -EIO : r;
        }
        directory = row.parent;
    }
    return -EIO;
}

/* A directory must not come to lie inside itself. */
static int check_loop(
        struct riad_workspace *workspace, const struct riad_inode *row, uint64_t directory)
{
    int r = S_ISDIR(row->mode) ? is_above(workspace, row->inode, directory) : 0;

    return r > 0 ? -EINVAL : r;
}

static int check_loops(const struct name_move *move)
{
    int r;

    if (move->from == move->to) {
        return 0;
    }
    r = check_loop(move->workspace, &move->moved, move->to->inode);
    if (r < 0 || !move->exchange) {
        return r;
    }
    return check_loop(move->workspace, &move->target, move->from->inode);
}

static int check_flags(const struct name_move *move)
{
    int r = riad_flags_allow_removal(move->from, &move->moved);

    if (r == 0) {
        r = riad_flags_allow_new_name(move->to);
    }
    return r == 0 && move->exists ? riad_flags_allow_removal(move->to, &move->target) : r;
}

static int check_replaceable(const struct name_move *move)
{
    int r;

    if (!move->exists || move->exchange) {
        return 0;
    }
    if (!S_ISDIR(move->moved.mode)) {
        return S_ISDIR(move->target.mode) ? -EISDIR : 0;
    }
    if (!S_ISDIR(move->target.mode)) {
        return -ENOTDIR;
    }
    r = riad_index_has_entries(move->workspace->index, move->target.inode);
    return r > 0 ? -ENOTEMPTY : r;
}

/* Subdirectories leave one link count and enter the other. */
static int move_links(struct name_move *move)
{
    bool moved = S_ISDIR(move->moved.mode);
    bool target = move->exists && S_ISDIR(move->target.mode);

    move->from->nlink -= moved;
    move->to->nlink -= target;
    move->to->nlink += moved;
    move->from->nlink += move->exchange && target;
    return move->to->nlink > RIAD_NLINK_MAX || move->from->nlink > RIAD_NLINK_MAX ? -EMLINK : 0;
}

/* For a file, parent is the directory of its first link: only that one moves it. */
static void settle(struct name_move *move, struct riad_inode *row, uint64_t old, uint64_t new)
{
    if (S_ISDIR(row->mode) || row->parent == old) {
        row->parent = new;
    }
    row->ctime = riad_mutation_time(move->workspace);
    riad_put_row(move->workspace, row);
}

static void put_whiteout(struct name_move *move)
{
    riad_put_row(move->workspace, &move->white);
    riad_access_put(move->workspace, move->white.inode, &move->lists);
    riad_replace_entry(move->workspace, &move->entry, &move->white);
}

/* Within one directory the entry keeps its cookie: who lists it sees the file once, and comes to an
 * end even if each name it was shown is renamed. */
static bool keeps_place(const struct name_move *move)
{
    return move->from == move->to && !move->exists && !move->whiteout;
}

static void move_entry(struct name_move *move)
{
    struct riad_workspace *workspace = move->workspace;

    if (keeps_place(move)) {
        riad_rename_entry(workspace, &move->entry, move->new_name);
        return;
    }
    if (move->whiteout) {
        put_whiteout(move);
    } else {
        riad_change_remove_dentry(&workspace->change, move->from->inode, move->entry.cookie);
    }
    if (!move->exists) {
        riad_put_entry(workspace, move->to, move->new_name, &move->moved);
        return;
    }
    riad_replace_entry(workspace, &move->new_entry, &move->moved);
    move->reap = riad_drop_name(workspace, &move->target) && S_ISREG(move->target.mode);
}

static void exchange_entries(struct name_move *move)
{
    riad_replace_entry(move->workspace, &move->new_entry, &move->moved);
    riad_replace_entry(move->workspace, &move->entry, &move->target);
    settle(move, &move->target, move->to->inode, move->from->inode);
}

static void build(struct name_move *move)
{
    struct riad_workspace *workspace = move->workspace;

    if (move->exchange) {
        exchange_entries(move);
    } else {
        move_entry(move);
    }
    settle(move, &move->moved, move->from->inode, move->to->inode);
    riad_touch(workspace, move->from);
    riad_put_row(workspace, move->from);
    if (move->to != move->from) {
        riad_touch(workspace, move->to);
        riad_put_row(workspace, move->to);
    }
}

static int move_locked(struct name_move *move, uint64_t parent, uint64_t new_parent, uint32_t flags)
{
    int r = read_directories(move, parent, new_parent);

    if (r == 0) {
        r = read_entries(move, flags);
    }
    if (r < 0) {
        return r;
    }
    if (move->exists && move->moved.inode == move->target.inode) {
        return 0; /* two names of one inode: rename(2) does nothing */
    }
    r = check_loops(move);
    if (r == 0) {
        r = check_flags(move);
    }
    if (r == 0) {
        r = check_replaceable(move);
    }
    if (r == 0 && move->whiteout) {
        r = riad_prepare_whiteout(
                move->workspace, move->caller, move->from, &move->white, &move->lists);
    }
    if (r == 0) {
        r = move_links(move);
    }
    if (r < 0) {
        return r;
    }
    build(move);
    return riad_mutation_commit(move->workspace, NULL);
}

/* One attempt; *move: as wanted. */
static int attempt(struct name_move *move, uint64_t parent, uint64_t new_parent, uint32_t flags)
{
    int r = riad_mutation_begin(move->workspace, move->caller);

    if (r < 0) {
        return r;
    }
    r = move_locked(move, parent, new_parent, flags);
    riad_mutation_end(move->workspace);
    return r;
}

int riad_rename(struct riad_workspace *workspace, const struct riad_caller *caller, uint64_t parent,
        const char *name, uint64_t new_parent, const char *new_name, uint32_t flags)
{
    const struct name_move wanted = {
        .workspace = workspace,
        .caller = caller,
        .name = name,
        .new_name = new_name,
        .exchange = flags == RENAME_EXCHANGE,
        .whiteout = (flags & RENAME_WHITEOUT) != 0,
    };
    struct name_move move;
    int r = wanted.exchange || (flags & ~(RENAME_NOREPLACE | RENAME_WHITEOUT)) == 0 ? 0 : -EINVAL;

    if (r == 0) {
        r = riad_name_check(name);
    }
    if (r == 0) {
        r = riad_name_check(new_name);
    }
    if (r < 0) {
        return r;
    }
    do {
        move = wanted;
        r = attempt(&move, parent, new_parent, flags);
    } while (riad_orphan_awaited(workspace, &r)); /* a whiteout is one more inode */
    if (r == 0 && move.reap) {
        riad_reap(workspace);
    }
    return r;
}
