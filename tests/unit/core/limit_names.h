/* For the random test of limits: what makes, moves and removes names. */
#ifndef RIAD_TESTS_CORE_LIMIT_NAMES_H
#define RIAD_TESTS_CORE_LIMIT_NAMES_H

#include "limit_trial.h"

/* One in three stays held, as an open file is. */
static inline void let_go_of_most(struct trial *trial, int inode)
{
    if (!one_in(trial, 3)) {
        riad_forget(trial->bench.workspace, number_of(trial, inode), 1);
        model_let_go(&trial->model, inode, 1);
    }
}

static inline int make(struct trial *trial, uint64_t parent, const char *name, enum model_kind kind,
        struct riad_inode *ret)
{
    struct riad_workspace *workspace = trial->bench.workspace;
    const struct riad_caller *caller = &trial->caller;

    switch (kind) {
    case MODEL_DIRECTORY:
        return riad_mkdir(workspace, caller, parent, name, 0755, ret);
    case MODEL_SYMLINK:
        return riad_symlink(workspace, caller, parent, name, "target", ret);
    case MODEL_SPECIAL:
        return riad_mknod(workspace, caller, parent, name, S_IFIFO | 0644, 0, ret);
    default:
        return riad_mknod(workspace, caller, parent, name, S_IFREG | 0644, 0, ret);
    }
}

static inline void create(struct trial *trial, enum model_kind kind)
{
    int directory = choose_directory(trial), name = choose_name(trial), inode = MODEL_NOTHING;
    struct riad_inode row;
    int expected, got;

    if (model_inodes(&trial->model) >= MODEL_INODES - 1) {
        return;
    }
    expected = model_create(&trial->model, directory, name, kind, &inode);
    expect(trial, expected);
    got = make(trial, number_of(trial, directory), name_of(name), kind, &row);
    judge(trial, expected, got);
    if (got == 0) {
        trial->model.inodes[inode].number = row.inode;
        let_go_of_most(trial, inode);
    }
}

static inline void create_file(struct trial *trial)
{
    create(trial, MODEL_FILE);
}

static inline void create_directory(struct trial *trial)
{
    create(trial, MODEL_DIRECTORY);
}

static inline void create_other(struct trial *trial)
{
    create(trial, one_in(trial, 2) ? MODEL_SYMLINK : MODEL_SPECIAL);
}

static inline void create_nameless(struct trial *trial)
{
    int directory = choose_directory(trial), inode = MODEL_NOTHING;
    struct riad_inode row;
    int expected, got;

    if (model_inodes(&trial->model) >= MODEL_INODES - 1) {
        return;
    }
    expected = model_create(&trial->model, directory, MODEL_NOTHING, MODEL_FILE, &inode);
    expect(trial, expected);
    got = riad_tmpfile(
            trial->bench.workspace, &trial->caller, number_of(trial, directory), 0600, true, &row);
    judge(trial, expected, got);
    if (got == 0) {
        trial->model.inodes[inode].number = row.inode;
    }
}

static inline void link_inode(struct trial *trial)
{
    int inode = choose(trial, MODEL_ABSENT), directory = choose_directory(trial);
    int name = choose_name(trial), got;
    uint64_t number = number_of(trial, inode), parent = number_of(trial, directory);
    struct riad_inode row;
    int expected = model_link(&trial->model, inode, directory, name);

    expect(trial, expected);
    got = riad_link(trial->bench.workspace, &trial->caller, number, parent, name_of(name), &row);
    judge(trial, expected, got);
    if (got == 0) {
        let_go_of_most(trial, inode);
    }
}

static inline void remove_name(struct trial *trial)
{
    int directory = choose_directory(trial), name = choose_name(trial);
    uint64_t parent = number_of(trial, directory);
    int expected = model_remove(&trial->model, directory, name, false);

    expect(trial, expected);
    judge(trial, expected,
            riad_unlink(trial->bench.workspace, &trial->caller, parent, name_of(name)));
}

static inline void remove_directory(struct trial *trial)
{
    int directory = choose_directory(trial), name = choose_name(trial);
    uint64_t parent = number_of(trial, directory);
    int expected = model_remove(&trial->model, directory, name, true);

    expect(trial, expected);
    judge(trial, expected,
            riad_rmdir(trial->bench.workspace, &trial->caller, parent, name_of(name)));
}

static inline void rename_entry(struct trial *trial)
{
    struct model_move move = {
        .from = choose_directory(trial),
        .name = choose_name(trial),
        .to = choose_directory(trial),
        .new_name = choose_name(trial),
    };
    uint64_t from = number_of(trial, move.from), to = number_of(trial, move.to);
    unsigned flags = 0;
    int white, expected;

    if (one_in(trial, 3) && model_inodes(&trial->model) < MODEL_INODES - 1) {
        flags = one_in(trial, 2) ? RENAME_EXCHANGE : RENAME_WHITEOUT;
    }
    move.exchange = flags == RENAME_EXCHANGE;
    move.whiteout = flags == RENAME_WHITEOUT;
    expected = model_rename(&trial->model, &move, &white);
    expect(trial, expected);
    judge(trial, expected,
            riad_rename(trial->bench.workspace, &trial->caller, from, name_of(move.name), to,
                    name_of(move.new_name), flags));
    if (white != MODEL_NOTHING) {
        trial->model.inodes[white].number =
                inode_of(trial->bench.workspace, from, name_of(move.name));
    }
}

static inline void let_go(struct trial *trial)
{
    int inode = choose(trial, MODEL_ABSENT);
    uint32_t held = trial->model.inodes[inode].held;

    if (inode != MODEL_ROOT && held > 0) {
        riad_forget(trial->bench.workspace, number_of(trial, inode), held);
        model_let_go(&trial->model, inode, held);
    }
}

#endif
