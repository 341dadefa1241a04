/* For the random test of limits: those of users and groups, which span the workspaces; and who
 * raises grants (riad/grants.h), as plainly as can be: what is asked for is taken from what the
 * other workspace does not use. */
#ifndef RIAD_TESTS_CORE_LIMIT_SUBJECTS_H
#define RIAD_TESTS_CORE_LIMIT_SUBJECTS_H

#include "riad/grants.h"

#include "limit_trial.h"

static struct {
    struct model_site model;
    struct trial *trials[MODEL_WORKSPACES];
    struct trial *acting;
    struct riad_usage grants[MODEL_WORKSPACES][MODEL_SUBJECTS];
} site;

static inline enum riad_subject kind_of(uint32_t subject)
{
    return subject < MODEL_USERS ? RIAD_SUBJECT_USER : RIAD_SUBJECT_GROUP;
}

static inline uint32_t id_of(uint32_t subject)
{
    return MODEL_FIRST + subject % MODEL_USERS;
}

static inline uint32_t place_of(const struct trial *trial)
{
    return trial == site.trials[0] ? 0 : 1;
}

/* More is granted than there is, as it was used when the limit was set: nobody grows without
 * asking.
 */
static inline struct riad_usage grant_of(uint32_t place, uint32_t subject)
{
    struct riad_usage grant = site.grants[place][subject], others = site.grants[!place][subject];

    if (grant.blocks + others.blocks > site.model.block_limits[subject]) {
        grant.blocks = 0;
    }
    if (grant.inodes + others.inodes > site.model.inode_limits[subject]) {
        grant.inodes = 0;
    }
    return grant;
}

static inline void apply_grants(struct trial *trial)
{
    struct riad_grant grants[MODEL_SUBJECTS];
    size_t count = 0;

    for (uint32_t i = 0; i < MODEL_SUBJECTS; i++) {
        if (site.model.block_limits[i] > 0) {
            grants[count++] = (struct riad_grant){
                .subject = kind_of(i), .id = id_of(i), .most = grant_of(place_of(trial), i)
            };
        }
    }
    assert_int_equal(riad_workspace_set_grants(trial->bench.workspace, grants, count), 0);
}

static inline struct riad_usage used_by(struct trial *trial, uint32_t subject)
{
    struct riad_usage usage;

    assert_int_equal(riad_workspace_owner_usage(
                             trial->bench.workspace, kind_of(subject), id_of(subject), &usage),
            0);
    return usage;
}

static inline uint64_t raised(uint64_t mine, uint64_t others, uint64_t needed, uint64_t limit)
{
    uint64_t left = model_left(limit, mine + others);
    uint64_t more = needed > mine ? needed - mine : 0;

    return mine + (more < left ? more : left);
}

static inline int raise_grant(
        void *context, enum riad_subject kind, uint32_t id, const struct riad_usage *needed)
{
    uint32_t subject = kind == RIAD_SUBJECT_USER ? model_user(id) : model_group(id);
    uint32_t own = place_of(site.acting);
    struct riad_usage *mine = &site.grants[own][subject], *others = &site.grants[!own][subject];

    (void)context;
    assert_true(subject < MODEL_SUBJECTS);
    *mine = used_by(site.trials[own], subject);
    *others = used_by(site.trials[!own], subject);
    mine->blocks =
            raised(mine->blocks, others->blocks, needed->blocks, site.model.block_limits[subject]);
    mine->inodes =
            raised(mine->inodes, others->inodes, needed->inodes, site.model.inode_limits[subject]);
    apply_grants(site.trials[0]);
    apply_grants(site.trials[1]);
    return needed->blocks <= mine->blocks && needed->inodes <= mine->inodes ? 0 : -EDQUOT;
}

/* All get another one: mostly tight, now and then below what is used, or none. */
static inline void change_subject_limits(struct trial *trial)
{
    for (uint32_t subject = 0; subject < MODEL_SUBJECTS; subject++) {
        bool limited = !one_in(trial, 4);
        uint64_t blocks = 1 + below(trial, BLOCK_LIMIT * 2 / 3);
        uint64_t inodes = 1 + below(trial, INODE_LIMIT * 2 / 3);

        site.model.block_limits[subject] = limited ? blocks : 0;
        site.model.inode_limits[subject] = limited ? inodes : 0;
        for (uint32_t i = 0; i < MODEL_WORKSPACES; i++) {
            site.grants[i][subject] = used_by(site.trials[i], subject);
        }
    }
    apply_grants(site.trials[0]);
    apply_grants(site.trials[1]);
}

static inline void compare_subjects(void)
{
    for (uint32_t i = 0; i < MODEL_WORKSPACES; i++) {
        for (uint32_t subject = 0; subject < MODEL_SUBJECTS; subject++) {
            const struct model *model = &site.trials[i]->model;
            struct riad_usage used = used_by(site.trials[i], subject);

            uint64_t blocks = model_blocks_of(model, subject);
            uint64_t inodes = model_inodes_of(model, subject);

            if (used.blocks != blocks || used.inodes != inodes) {
                fail_msg("after %s %s %u has %llu blocks and %llu inodes, where the model has %llu "
                         "and %llu",
                        site.acting->what, subject < MODEL_USERS ? "user" : "group", id_of(subject),
                        (unsigned long long)used.blocks, (unsigned long long)used.inodes,
                        (unsigned long long)blocks, (unsigned long long)inodes);
            }
        }
    }
}

#endif
