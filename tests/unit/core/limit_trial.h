/* For the random test of limits: a workspace beside its model, chances, and the comparison. */
#ifndef RIAD_TESTS_CORE_LIMIT_TRIAL_H
#define RIAD_TESTS_CORE_LIMIT_TRIAL_H

#include <stdio.h>

#include "riad/patience.h"

#include "chance.h"
#include "limit_model_data.h"
#include "operations.h"

enum {
    BLOCK_LIMIT = 160,
    INODE_LIMIT = 24,
    SMALL = 3 * MODEL_BLOCK,
};

struct trial {
    struct bench bench;
    struct model model;
    uint64_t *random;
    struct riad_caller caller;
    const char *what; /* is done */
};

/* By outcome: done, no room, forbidden. */
static uint64_t outcomes[3];

static inline uint64_t draw(struct trial *trial)
{
    return chance_next(trial->random);
}

static inline uint32_t below(struct trial *trial, uint32_t bound)
{
    return (uint32_t)(draw(trial) % bound);
}

static inline bool one_in(struct trial *trial, uint32_t count)
{
    return below(trial, count) == 0;
}

/* --- choices --- */
static inline bool suits(const struct model_inode *inode, enum model_kind kind)
{
    return inode->kind != MODEL_ABSENT && (kind == MODEL_ABSENT || inode->kind == kind) &&
           (kind != MODEL_DIRECTORY || inode->names > 0);
}

/* An inode of that kind, MODEL_ABSENT any; MODEL_NOTHING if there is none. A directory has a name.
 */
static inline int choose(struct trial *trial, enum model_kind kind)
{
    uint32_t start = below(trial, MODEL_INODES);

    for (uint32_t i = 0; i < MODEL_INODES; i++) {
        int inode = (int)((start + i) % MODEL_INODES);

        if (suits(&trial->model.inodes[inode], kind)) {
            return inode;
        }
    }
    return MODEL_NOTHING;
}

static inline int choose_directory(struct trial *trial)
{
    return one_in(trial, 2) ? MODEL_ROOT : choose(trial, MODEL_DIRECTORY);
}

static inline int choose_name(struct trial *trial)
{
    return (int)below(trial, MODEL_NAMES);
}

/* An offset or a size, one in two at a block's edge. */
static inline uint32_t choose_byte(struct trial *trial, uint32_t bound)
{
    uint32_t byte = below(trial, bound);

    return one_in(trial, 2) ? byte / MODEL_BLOCK * MODEL_BLOCK : byte;
}

struct range {
    uint32_t offset, size;
};

/* Mostly small; at least a byte. */
static inline struct range choose_range(struct trial *trial)
{
    struct range range = { .offset = choose_byte(trial, MODEL_BYTES) };
    uint32_t left = MODEL_BYTES - range.offset, most = left < SMALL ? left : SMALL;

    range.size = 1 + choose_byte(trial, one_in(trial, 8) ? left : most);
    if (one_in(trial, 2) && range.size > MODEL_BLOCK) {
        range.size -= range.size % MODEL_BLOCK;
    }
    return range;
}

static const char *name_of(int name)
{
    static const char *const names[MODEL_NAMES] = { "a", "b", "c", "d", "e", "f", "g", "h" };

    return names[name];
}

static inline uint64_t number_of(const struct trial *trial, int inode)
{
    return trial->model.inodes[inode].number;
}

/* --- comparison --- */
/* Who is refused while an unlinked file is held waits for its end a while: a refusal that the model
 * foresees is not waited for. */
static inline void expect(const struct trial *trial, int expected)
{
    riad_set_patient(expected != -EDQUOT || model_orphans(&trial->model) == 0);
}

static inline int class_of(int result)
{
    return result >= 0 ? 0 : result == -EDQUOT ? 1 : 2;
}

static inline void judge(struct trial *trial, int expected, int got)
{
    if (got == RIAD_WOULD_WAIT && !riad_is_patient()) {
        got = -EDQUOT;
    }
    riad_set_patient(true);
    if (class_of(expected) != class_of(got)) {
        fail_msg("%s gave %d where the model says %d", trial->what, got, expected);
    }
    outcomes[class_of(got)]++;
}

/* The figures of the workspace, and of what df(1) shows. */
static inline void compare_usage(struct trial *trial)
{
    struct riad_usage usage = usage_of(trial->bench.workspace);
    uint64_t blocks = model_blocks(&trial->model), inodes = model_inodes(&trial->model);
    struct riad_filesystem_size size;

    if (usage.blocks != blocks || usage.inodes != inodes) {
        fail_msg("after %s %llu blocks and %llu inodes are used, where the model has %llu and %llu",
                trial->what, (unsigned long long)usage.blocks, (unsigned long long)usage.inodes,
                (unsigned long long)blocks, (unsigned long long)inodes);
    }
    assert_int_equal(riad_statfs(trial->bench.workspace, &size), 0);
    if (trial->model.block_limit > 0) {
        assert_int_equal(size.blocks, trial->model.block_limit);
        assert_int_equal(size.blocks_free, model_left(size.blocks, blocks));
        assert_int_equal(size.inodes, trial->model.inode_limit);
        assert_int_equal(size.inodes_free, model_left(size.inodes, inodes));
    }
}

static inline void compare_inodes(const struct trial *trial)
{
    for (int i = 0; i < MODEL_INODES; i++) {
        const struct model_inode *inode = &trial->model.inodes[i];

        if (inode->kind != MODEL_ABSENT) {
            struct riad_inode row = attributes(trial->bench.workspace, inode->number);

            assert_int_equal(row.blocks, trial->model.charges[i]);
            assert_true(inode->kind != MODEL_FILE || row.size == inode->size);
        }
    }
}

#endif
