/* For the random test of limits: those of users, which span the workspaces; and who raises grants
 * (riad/grants.h), as plainly as can be: what is asked for is taken from what the other workspace
 * does not use. */
#ifndef RIAD_TESTS_CORE_LIMIT_USERS_H
#define RIAD_TESTS_CORE_LIMIT_USERS_H

#include "riad/grants.h"

#include "limit_trial.h"

static struct {
    struct model_site model;
    struct trial *trials[MODEL_WORKSPACES];
    struct trial *acting;
    struct riad_usage grants[MODEL_WORKSPACES][MODEL_USERS];
} site;

static inline uint32_t place_of(const struct trial *trial)
{
    return trial == site.trials[0] ? 0 : 1;
}

/* More is granted than there is, as it was used when the limit was set: nobody grows without
 * asking.
 */
static inline struct riad_usage grant_of(uint32_t place, uint32_t user)
{
    struct riad_usage grant = site.grants[place][user], others = site.grants[!place][user];

    if (grant.blocks + others.blocks > site.model.block_limits[user]) {
        grant.blocks = 0;
    }
    if (grant.inodes + others.inodes > site.model.inode_limits[user]) {
        grant.inodes = 0;
    }
    return grant;
}

static inline void apply_grants(struct trial *trial)
{
    struct riad_grant grants[MODEL_USERS];
    size_t count = 0;

    for (uint32_t i = 0; i < MODEL_USERS; i++) {
        if (site.model.block_limits[i] > 0) {
            grants[count++] = (struct riad_grant){ RIAD_SUBJECT_USER, MODEL_FIRST_USER + i,
                grant_of(place_of(trial), i) };
        }
    }
    assert_int_equal(riad_workspace_set_grants(trial->bench.workspace, grants, count), 0);
}

static inline struct riad_usage used_by(struct trial *trial, uint32_t user)
{
    struct riad_usage usage;

    assert_int_equal(riad_workspace_owner_usage(trial->bench.workspace, RIAD_SUBJECT_USER,
                             MODEL_FIRST_USER + user, &usage),
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
        void *context, enum riad_subject subject, uint32_t id, const struct riad_usage *needed)
{
    uint32_t user = id - MODEL_FIRST_USER, own = place_of(site.acting);
    struct riad_usage *mine = &site.grants[own][user], *others = &site.grants[!own][user];

    (void)context;
    assert_int_equal(subject, RIAD_SUBJECT_USER);
    assert_true(user < MODEL_USERS);
    *mine = used_by(site.trials[own], user);
    *others = used_by(site.trials[!own], user);
    mine->blocks =
            raised(mine->blocks, others->blocks, needed->blocks, site.model.block_limits[user]);
    mine->inodes =
            raised(mine->inodes, others->inodes, needed->inodes, site.model.inode_limits[user]);
    apply_grants(site.trials[0]);
    apply_grants(site.trials[1]);
    return needed->blocks <= mine->blocks && needed->inodes <= mine->inodes ? 0 : -EDQUOT;
}

/* All get another one: mostly tight, now and then below what is used, or none. */
static inline void change_user_limit(struct trial *trial)
{
    for (uint32_t user = 0; user < MODEL_USERS; user++) {
        bool limited = !one_in(trial, 4);
        uint64_t blocks = 1 + below(trial, BLOCK_LIMIT * 2 / 3);
        uint64_t inodes = 1 + below(trial, INODE_LIMIT * 2 / 3);

        site.model.block_limits[user] = limited ? blocks : 0;
        site.model.inode_limits[user] = limited ? inodes : 0;
        for (uint32_t i = 0; i < MODEL_WORKSPACES; i++) {
            site.grants[i][user] = used_by(site.trials[i], user);
        }
    }
    apply_grants(site.trials[0]);
    apply_grants(site.trials[1]);
}

static inline void compare_users(void)
{
    for (uint32_t i = 0; i < MODEL_WORKSPACES; i++) {
        for (uint32_t user = 0; user < MODEL_USERS; user++) {
            const struct model *model = &site.trials[i]->model;
            struct riad_usage used = used_by(site.trials[i], user);

            if (used.blocks != model_blocks_of(model, MODEL_FIRST_USER + user) ||
                    used.inodes != model_inodes_of(model, MODEL_FIRST_USER + user)) {
                fail_msg("after %s user %u has %llu blocks and %llu inodes, where the model has "
                         "%llu and %llu",
                        site.acting->what, MODEL_FIRST_USER + user, (unsigned long long)used.blocks,
                        (unsigned long long)used.inodes,
                        (unsigned long long)model_blocks_of(model, MODEL_FIRST_USER + user),
                        (unsigned long long)model_inodes_of(model, MODEL_FIRST_USER + user));
            }
        }
    }
}

#endif
