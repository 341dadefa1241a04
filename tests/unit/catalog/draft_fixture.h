/* A workspace as its manager changes it, for the tests of rosters. For tests only. */
#ifndef RIAD_TESTS_CATALOG_DRAFT_FIXTURE_H
#define RIAD_TESTS_CATALOG_DRAFT_FIXTURE_H

#include "roster_fixture.h"

/* The workspace as its manager has it: the file, what it adds up to, and the root key; and somebody
 * who is no member. */
static struct riad_roster roster;
static struct bytes file;
static struct riad_secret *root;
static struct riad_user other;
static struct riad_keypair other_keys;

static inline void forget_roster(void)
{
    riad_roster_done(&roster);
    bytes_done(&file);
}

static inline void reload(void)
{
    forget_roster();
    file = read_bytes(workspace_fd, "roster");
    assert_int_equal(load(&roster), 0);
}

static inline int setup_draft(void **state)
{
    _cleanup_bytes_ struct bytes wrap = { 0 };
    int r = setup(state);

    if (r < 0) {
        return r;
    }
    roster = (struct riad_roster){ 0 };
    file = (struct bytes){ 0 };
    reload();
    wrap = read_bytes(workspace_fd, wrap_path);
    assert_int_equal(riad_roster_open_root(&fixture.store.binding.store, &roster, &fixture.keys,
                             wrap.data, wrap.size, &root),
            0);
    return riad_user_create(&other, &other_keys);
}

static inline int teardown_draft(void **state)
{
    forget_roster();
    riad_secret_free(root);
    riad_keypair_done(&other_keys);
    return teardown(state);
}

static inline struct riad_member member_of(const struct riad_user *user, enum riad_role role)
{
    return (struct riad_member){
        .user = user->id, .role = role, .wrap_key = user->wrap_key, .sign_key = user->sign_key
    };
}

/* Drafts, and publishes what was drafted. On an error nothing may be given out. */
static inline int put(
        const struct riad_user *user, enum riad_role role, const struct riad_keypair *keys)
{
    _cleanup_(riad_writer_done) struct riad_writer changed = { 0 };
    const struct riad_member member = member_of(user, role);
    uint8_t wrap[RIAD_WRAP_SIZE] = { 0 }, untouched[RIAD_WRAP_SIZE] = { 0 };
    int r = riad_roster_draft_put(&fixture.store.binding, &roster, file.data, file.size, &member,
            root, keys, &changed, wrap);

    if (r < 0) {
        assert_null(changed.data);
        assert_memory_equal(wrap, untouched, sizeof wrap);
        return r;
    }
    assert_int_equal(riad_roster_publish_wrap(&fixture.store, &workspace, &user->id, roster.epoch,
                             wrap, sizeof wrap),
            0);
    assert_int_equal(
            riad_roster_replace(&fixture.store, &workspace, changed.data, changed.size), 0);
    reload();
    return 0;
}

static inline int take_out(const struct riad_id *user, const struct riad_keypair *keys)
{
    _cleanup_(riad_writer_done) struct riad_writer changed = { 0 };
    int r = riad_roster_draft_remove(
            &fixture.store.binding, &roster, file.data, file.size, user, keys, &changed);

    if (r < 0) {
        assert_null(changed.data);
        return r;
    }
    assert_int_equal(
            riad_roster_replace(&fixture.store, &workspace, changed.data, changed.size), 0);
    reload();
    return 0;
}

#endif
