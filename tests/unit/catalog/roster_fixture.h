/* A workspace in the fixture's store, for the tests of rosters. For tests only. */
#ifndef RIAD_TESTS_CATALOG_ROSTER_FIXTURE_H
#define RIAD_TESTS_CATALOG_ROSTER_FIXTURE_H

#include "fixture.h"
#include "roster_priv.h"

static struct riad_id workspace;
static int workspace_fd;
static char wrap_path[64];

static inline int setup(void **state)
{
    char name[RIAD_WRAP_NAME_SIZE];

    if (fixture_setup(state) < 0 || riad_roster_create(&fixture.store, RIAD_KIND_HOME, "home",
                                            &fixture.user, &fixture.keys, &workspace) < 0) {
        return -1;
    }
    riad_wrap_name(&fixture.user.id, 1, name);
    snprintf(wrap_path, sizeof wrap_path, "wrap/%s", name);
    workspace_fd = riad_store_open_workspace(&fixture.store, &workspace);
    return workspace_fd < 0 ? -1 : 0;
}

static inline int teardown(void **state)
{
    close(workspace_fd);
    return fixture_teardown(state);
}

static inline int load(struct riad_roster *ret)
{
    return riad_roster_load(&fixture.store, &workspace, &fixture.keys.sign_key, ret);
}

/* Loads and unlocks as the user; on failure nothing may be given out. */
static inline int open_as(const struct riad_id *user, const struct riad_keypair *keypair)
{
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    int r = load(&roster);

    assert_true(r == 0 || !roster.members);
    if (r == 0) {
        r = riad_roster_unlock(&fixture.store, &roster, user, keypair, &keys);
    }
    assert_true((r == 0) == (keys != NULL));
    return r;
}

static inline int open_as_owner(void)
{
    return open_as(&fixture.user.id, &fixture.keys);
}

#endif
