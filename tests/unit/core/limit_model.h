/* What a workspace's limit counts (P7; the table in docs/ADMIN.md), told a second time and as
 * plainly as can be: an array of inodes with a mark for every byte of a file. Knows nothing of
 * riad: no header of it is included here.
 *
 * Each function answers 0 (the write: bytes), -EDQUOT, or -EINVAL for whatever else forbids the
 * call; on success the model has done it. */
#ifndef RIAD_TESTS_CORE_LIMIT_MODEL_H
#define RIAD_TESTS_CORE_LIMIT_MODEL_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum {
    MODEL_BLOCK = 4096,
    MODEL_BLOCKS = 40, /* of a file, at most */
    MODEL_BYTES = MODEL_BLOCKS * MODEL_BLOCK,
    MODEL_INODES = 64,
    MODEL_NAMES = 8, /* in a directory */
    MODEL_ATTRIBUTES = 3,
    MODEL_ROOT = 0,
    MODEL_NOTHING = -1,
    MODEL_WORKSPACES = 2, /* that limits of users and groups span */
    MODEL_FIRST = 1000,   /* the first uid, and the first gid, that have limits: */
    MODEL_USERS = 4,      /* so many, and */
    MODEL_SUBJECTS = 8,   /* with as many groups behind them */
};

enum model_kind { MODEL_ABSENT, MODEL_FILE, MODEL_DIRECTORY, MODEL_SYMLINK, MODEL_SPECIAL };

/* Of a byte of a file. */
enum { MODEL_HOLE, MODEL_WRITTEN, MODEL_SET_ASIDE };

struct model_inode {
    enum model_kind kind;
    uint64_t number; /* what the other side calls it */
    uint32_t uid, gid;
    uint32_t names, held;
    bool named;                            /* has a name, or had one */
    uint32_t attributes[MODEL_ATTRIBUTES]; /* bytes of name and value; 0: not there */
    int entries[MODEL_NAMES];              /* of a directory: inodes, or MODEL_NOTHING */
    int above;                             /* of a directory: where its name is */
    bool scattered; /* of a file: the other side has it in more pieces than it copies at once */
    uint32_t size;
    uint8_t bytes[MODEL_BYTES];
};

struct model;

/* What users and groups may use in all workspaces together; 0: as much as they like. */
struct model_site {
    const struct model *models[MODEL_WORKSPACES];
    uint64_t block_limits[MODEL_SUBJECTS], inode_limits[MODEL_SUBJECTS];
};

struct model {
    const struct model_site *site;
    uint32_t uid, gid; /* of who acts */
    struct model_inode inodes[MODEL_INODES], after;
    uint64_t charges[MODEL_INODES]; /* blocks of each, as counted when it last changed */
    uint64_t block_limit, inode_limit;
};

static const uint8_t model_holes[MODEL_BLOCK];

static inline bool model_is_hole(const struct model_inode *inode, uint32_t block)
{
    return memcmp(inode->bytes + block * MODEL_BLOCK, model_holes, MODEL_BLOCK) == 0;
}

static inline uint64_t model_charge(const struct model_inode *inode)
{
    uint64_t blocks = inode->kind == MODEL_DIRECTORY || inode->kind == MODEL_SYMLINK, bytes = 0;

    for (uint32_t i = 0; inode->kind == MODEL_FILE && i < MODEL_BLOCKS; i++) {
        blocks += !model_is_hole(inode, i);
    }
    for (uint32_t i = 0; i < MODEL_ATTRIBUTES; i++) {
        bytes += inode->attributes[i];
    }
    return blocks + (bytes + MODEL_BLOCK - 1) / MODEL_BLOCK;
}

static inline uint64_t model_blocks(const struct model *model)
{
    uint64_t blocks = 0;

    for (int i = 0; i < MODEL_INODES; i++) {
        blocks += model->charges[i];
    }
    return blocks;
}

static inline uint64_t model_inodes(const struct model *model)
{
    uint64_t count = 0;

    for (int i = 0; i < MODEL_INODES; i++) {
        count += model->inodes[i].kind != MODEL_ABSENT;
    }
    return count;
}

/* Inodes that only wait for being let go. */
static inline unsigned model_orphans(const struct model *model)
{
    unsigned count = 0;

    for (int i = 0; i < MODEL_INODES; i++) {
        count += model->inodes[i].kind != MODEL_ABSENT && model->inodes[i].names == 0;
    }
    return count;
}

static inline uint64_t model_left(uint64_t limit, uint64_t used)
{
    return limit == 0 ? UINT64_MAX : limit > used ? limit - used : 0;
}

/* The subject's number of a uid, or gid; that may have no limit. */
static inline uint32_t model_user(uint32_t uid)
{
    return uid - MODEL_FIRST < MODEL_USERS ? uid - MODEL_FIRST : MODEL_SUBJECTS;
}

static inline uint32_t model_group(uint32_t gid)
{
    return gid - MODEL_FIRST < MODEL_SUBJECTS - MODEL_USERS ? gid - MODEL_FIRST + MODEL_USERS
                                                            : MODEL_SUBJECTS;
}

static inline bool model_is_of(const struct model_inode *inode, uint32_t subject)
{
    return subject < MODEL_USERS ? model_user(inode->uid) == subject
                                 : model_group(inode->gid) == subject;
}

/* What a user or group has in one workspace. */
static inline uint64_t model_blocks_of(const struct model *model, uint32_t subject)
{
    uint64_t blocks = 0;

    for (int i = 0; i < MODEL_INODES; i++) {
        blocks += model_is_of(&model->inodes[i], subject) ? model->charges[i] : 0;
    }
    return blocks;
}

static inline uint64_t model_inodes_of(const struct model *model, uint32_t subject)
{
    uint64_t count = 0;

    for (int i = 0; i < MODEL_INODES; i++) {
        count += model->inodes[i].kind != MODEL_ABSENT && model_is_of(&model->inodes[i], subject);
    }
    return count;
}

static inline uint64_t model_blocks_left(const struct model *model, uint32_t subject)
{
    uint64_t blocks = 0;

    if (subject == MODEL_SUBJECTS) {
        return UINT64_MAX;
    }
    for (int i = 0; i < MODEL_WORKSPACES; i++) {
        blocks += model_blocks_of(model->site->models[i], subject);
    }
    return model_left(model->site->block_limits[subject], blocks);
}

static inline uint64_t model_inodes_left(const struct model *model, uint32_t subject)
{
    uint64_t inodes = 0;

    if (subject == MODEL_SUBJECTS) {
        return UINT64_MAX;
    }
    for (int i = 0; i < MODEL_WORKSPACES; i++) {
        inodes += model_inodes_of(model->site->models[i], subject);
    }
    return model_left(model->site->inode_limits[subject], inodes);
}

/* The user, or group, has room, wherever it is. */
static inline bool model_suits(
        const struct model *model, uint32_t subject, uint64_t blocks, uint64_t inodes)
{
    return (blocks == 0 || blocks <= model_blocks_left(model, subject)) &&
           (inodes == 0 || inodes <= model_inodes_left(model, subject));
}

static inline bool model_fits(const struct model *model, const struct model_inode *inode,
        uint64_t blocks, uint64_t inodes)
{
    return (blocks == 0 || blocks <= model_left(model->block_limit, model_blocks(model))) &&
           (inodes == 0 || inodes <= model_left(model->inode_limit, model_inodes(model))) &&
           model_suits(model, model_user(inode->uid), blocks, inodes) &&
           model_suits(model, model_group(inode->gid), blocks, inodes);
}

/* model->after is what becomes of the inode, unless it has no room. */
static inline int model_settle(struct model *model, int inode)
{
    uint64_t after = model_charge(&model->after), before = model->charges[inode];

    if (after > before && !model_fits(model, &model->after, after - before, 0)) {
        return -EDQUOT;
    }
    model->inodes[inode] = model->after;
    model->charges[inode] = after;
    return 0;
}

static inline struct model_inode *model_edit(struct model *model, int inode)
{
    model->after = model->inodes[inode];
    return &model->after;
}

/* --- names --- */
static inline void model_begin(struct model *model, const struct model_site *site, uint64_t root,
        uint32_t uid, uint32_t gid)
{
    struct model_inode *inode = &model->inodes[MODEL_ROOT];

    memset(model, 0, sizeof *model);
    model->site = site;
    *inode = (struct model_inode){
        .kind = MODEL_DIRECTORY, .number = root, .uid = uid, .gid = gid, .names = 1, .held = 1
    };
    for (int i = 0; i < MODEL_NAMES; i++) {
        inode->entries[i] = MODEL_NOTHING;
    }
    model->charges[MODEL_ROOT] = model_charge(inode);
}

static inline void model_free_unused(struct model *model, int inode)
{
    if (model->inodes[inode].names == 0 && model->inodes[inode].held == 0) {
        model->inodes[inode].kind = MODEL_ABSENT;
        model->charges[inode] = 0;
    }
}

static inline bool model_is_empty(const struct model *model, int inode)
{
    for (int i = 0; i < MODEL_NAMES; i++) {
        if (model->inodes[inode].entries[i] != MODEL_NOTHING) {
            return false;
        }
    }
    return true;
}

/* The caller has seen to it that there is one. */
static inline int model_unused(const struct model *model)
{
    int inode = 1;

    while (inode < MODEL_INODES - 1 && model->inodes[inode].kind != MODEL_ABSENT) {
        inode++;
    }
    return inode;
}

/* Held once, as by who made it. name MODEL_NOTHING: a file without one. */
static inline int model_create(
        struct model *model, int directory, int name, enum model_kind kind, int *ret)
{
    struct model_inode *made = &model->after;

    if (name != MODEL_NOTHING && model->inodes[directory].entries[name] != MODEL_NOTHING) {
        return -EINVAL;
    }
    memset(made, 0, sizeof *made);
    made->kind = kind;
    made->held = 1;
    made->uid = model->uid;
    made->gid = model->gid;
    made->named = name != MODEL_NOTHING;
    made->names = made->named;
    made->above = directory;
    for (int i = 0; i < MODEL_NAMES; i++) {
        made->entries[i] = MODEL_NOTHING;
    }
    if (!model_fits(model, made, model_charge(made), 1)) {
        return -EDQUOT;
    }
    *ret = model_unused(model);
    model->inodes[*ret] = *made;
    model->charges[*ret] = model_charge(made);
    if (name != MODEL_NOTHING) {
        model->inodes[directory].entries[name] = *ret;
    }
    return 0;
}

static inline void model_drop_name(struct model *model, int inode)
{
    model->inodes[inode].names--;
    model_free_unused(model, inode);
}

/* What lost its last name gets none again. Held once more afterwards. */
static inline int model_link(struct model *model, int inode, int directory, int name)
{
    struct model_inode *linked = &model->inodes[inode];
    int *entry = &model->inodes[directory].entries[name];

    if (linked->kind == MODEL_DIRECTORY || *entry != MODEL_NOTHING ||
            (linked->named && linked->names == 0)) {
        return -EINVAL;
    }
    linked->named = true;
    *entry = inode;
    linked->names++;
    linked->held++;
    return 0;
}

static inline int model_remove(struct model *model, int directory, int name, bool rmdir)
{
    int inode = model->inodes[directory].entries[name];

    if (inode == MODEL_NOTHING || (model->inodes[inode].kind == MODEL_DIRECTORY) != rmdir ||
            (rmdir && !model_is_empty(model, inode))) {
        return -EINVAL;
    }
    model->inodes[directory].entries[name] = MODEL_NOTHING;
    model_drop_name(model, inode);
    return 0;
}

static inline bool model_is_above(const struct model *model, int inode, int directory)
{
    while (directory != inode && directory != MODEL_ROOT) {
        directory = model->inodes[directory].above;
    }
    return directory == inode;
}

struct model_move {
    int from, name, to, new_name; /* directories and their entries */
    bool exchange, whiteout;
};

static inline bool model_may_move(const struct model *model, const struct model_move *move)
{
    int moved = model->inodes[move->from].entries[move->name];
    int target = model->inodes[move->to].entries[move->new_name];
    bool directory = moved != MODEL_NOTHING && model->inodes[moved].kind == MODEL_DIRECTORY;

    if (moved == MODEL_NOTHING || (target == MODEL_NOTHING && move->exchange) ||
            (directory && moved != target && model_is_above(model, moved, move->to))) {
        return false;
    }
    if (target == MODEL_NOTHING || target == moved) {
        return true;
    }
    if (move->exchange) {
        return model->inodes[target].kind != MODEL_DIRECTORY ||
               !model_is_above(model, target, move->from);
    }
    return (model->inodes[target].kind == MODEL_DIRECTORY) == directory &&
           model_is_empty(model, target);
}

/* *ret_white: the device that a whiteout leaves, or MODEL_NOTHING. */
static inline int model_rename(struct model *model, const struct model_move *move, int *ret_white)
{
    int *old = &model->inodes[move->from].entries[move->name];
    int *new = &model->inodes[move->to].entries[move->new_name];
    const struct model_inode white = { .uid = model->uid, .gid = model->gid };
    int moved = *old, target = *new;

    *ret_white = MODEL_NOTHING;
    if (!model_may_move(model, move)) {
        return -EINVAL;
    }
    if (moved == target) {
        return 0;
    }
    if (move->whiteout && !model_fits(model, &white, 0, 1)) {
        return -EDQUOT;
    }
    *new = moved;
    model->inodes[moved].above = move->to;
    *old = move->exchange ? target : MODEL_NOTHING;
    if (move->exchange) {
        model->inodes[target].above = move->from;
    } else if (target != MODEL_NOTHING) {
        model_drop_name(model, target);
    }
    if (!move->whiteout) {
        return 0;
    }
    if (model_create(model, move->from, move->name, MODEL_SPECIAL, ret_white) < 0) {
        return -EINVAL;
    }
    model->inodes[*ret_white].held = 0;
    return 0;
}

/* Whoever holds it lets go, `count` times. */
static inline void model_let_go(struct model *model, int inode, uint32_t count)
{
    model->inodes[inode].held -= count;
    model_free_unused(model, inode);
}

/* As the end of the process does. */
static inline void model_let_all_go(struct model *model)
{
    for (int i = 1; i < MODEL_INODES; i++) {
        if (model->inodes[i].kind != MODEL_ABSENT) {
            model_let_go(model, i, model->inodes[i].held);
        }
    }
}

#endif
