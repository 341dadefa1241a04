/* A workspace whose epochs a manager turns, for the tests of rosters. For tests only. */
#ifndef RIAD_TESTS_CATALOG_EPOCH_FIXTURE_H
#define RIAD_TESTS_CATALOG_EPOCH_FIXTURE_H

#include "draft_fixture.h"

/* The root keys of all epochs as they were drafted; `root` is a copy of the last. */
enum { EPOCHS = RIAD_ROSTER_EPOCHS_MAX };
static struct riad_secret *known[EPOCHS];
static uint8_t (*wraps)[RIAD_WRAP_SIZE]; /* of the last draft */

static inline struct riad_secret *copy_of(const struct riad_secret *secret)
{
    struct riad_secret *copy = NULL;

    assert_int_equal(
            riad_secret_new_copy(riad_secret_peek(secret), riad_secret_size(secret), &copy), 0);
    return copy;
}

/* The other's id stands before all others, where her place in the roster is behind the owner's. */
static inline int setup_epoch(void **state)
{
    int r = setup_draft(state);

    if (r < 0) {
        return r;
    }
    other.id = (struct riad_id){ .bytes = { [15] = 1 } };
    memset(known, 0, sizeof known);
    known[0] = copy_of(root);
    wraps = NULL;
    return 0;
}

static inline int teardown_epoch(void **state)
{
    for (size_t i = 0; i < EPOCHS; i++) {
        riad_secret_free(known[i]);
    }
    free(wraps);
    return teardown_draft(state);
}

static inline int parse(const struct riad_writer *changed, struct riad_roster *ret)
{
    return riad_roster_parse(&fixture.store.binding, &workspace, &fixture.keys.sign_key,
            changed->data, changed->size, ret);
}

static inline int draft(const struct riad_secret *present, const struct riad_keypair *keys,
        struct riad_writer *ret_file, struct riad_secret **ret_root)
{
    uint8_t(*drafted)[RIAD_WRAP_SIZE] = NULL;
    int r = riad_roster_draft_epoch(&fixture.store.binding, &roster, file.data, file.size, present,
            keys, ret_file, ret_root, &drafted);

    assert_true((r == 0) == (drafted != NULL));
    assert_true((r == 0) == (ret_file->data != NULL));
    assert_true((r == 0) == (*ret_root != NULL));
    if (r == 0) {
        free(wraps);
        wraps = drafted;
    }
    return r;
}

static inline void publish(const struct riad_writer *changed)
{
    for (size_t i = 0; i < roster.member_count; i++) {
        assert_int_equal(
                riad_roster_publish_wrap(&fixture.store, &workspace, &roster.members[i].user,
                        roster.epoch + 1, wraps[i], sizeof wraps[i]),
                0);
    }
    assert_int_equal(
            riad_roster_replace(&fixture.store, &workspace, changed->data, changed->size), 0);
    reload();
}

/* A new epoch, drafted and published. */
static inline int turn(const struct riad_keypair *keys)
{
    _cleanup_(riad_writer_done) struct riad_writer changed = { 0 };
    struct riad_secret *drafted = NULL;
    int r = draft(root, keys, &changed, &drafted);

    if (r < 0) {
        return r;
    }
    publish(&changed);
    riad_secret_free(root);
    root = drafted;
    known[roster.epoch - 1] = copy_of(root);
    return 0;
}

static inline int read_wrap_of(const struct riad_id *user, uint8_t **ret, size_t *ret_size)
{
    const struct riad_member *member = riad_roster_find(&roster, user);

    assert_non_null(member);
    return riad_roster_read_wrap(&fixture.store, &roster, member, ret, ret_size);
}

static inline int open_present(
        const struct riad_id *user, const struct riad_keypair *keys, struct riad_secret **ret)
{
    _cleanup_free_ uint8_t *wrap = NULL;
    size_t size;

    assert_int_equal(read_wrap_of(user, &wrap, &size), 0);
    return riad_roster_open_root(&fixture.store.binding.store, &roster, keys, wrap, size, ret);
}

/* On failure nothing may be given out. */
static inline int open_all(
        const struct riad_id *user, const struct riad_keypair *keys, struct riad_secret **ret)
{
    _cleanup_free_ uint8_t *wrap = NULL;
    size_t size;
    int r;

    assert_int_equal(read_wrap_of(user, &wrap, &size), 0);
    r = riad_roster_open_roots(&fixture.store.binding.store, &roster, keys, wrap, size, ret);
    assert_true((r == 0) == (*ret != NULL));
    return r;
}

static inline int try_open_all(const struct riad_id *user, const struct riad_keypair *keys)
{
    _cleanup_secret_ struct riad_secret *roots = NULL;

    return open_all(user, keys, &roots);
}

static inline void assert_opens_all(const struct riad_id *user, const struct riad_keypair *keys)
{
    _cleanup_secret_ struct riad_secret *roots = NULL;

    assert_int_equal(open_all(user, keys, &roots), 0);
    assert_int_equal(riad_secret_size(roots), 32 * roster.epoch);
    for (uint32_t i = 0; i < roster.epoch; i++) {
        assert_memory_equal(
                riad_secret_peek(roots) + (size_t)i * 32, riad_secret_peek(known[i]), 32);
    }
}

/* A right entry of the epoch that follows, for a test to spoil. */
static inline void make_entry(struct riad_roster_entry *ret)
{
    *ret = (struct riad_roster_entry){ .kind = RIAD_ROSTER_EPOCH,
        .workspace = workspace,
        .number = roster.entries,
        .previous = roster.head,
        .epoch = roster.epoch + 1,
        .commitment = { { 1 } },
        .sealed_name_size = 80,
        .wrap_count = roster.member_count };
    ret->wraps = calloc(roster.member_count + 1, sizeof *ret->wraps);
    assert_non_null(ret->wraps);
    assert_true(roster.member_count <= 2);
    for (size_t i = 0; i < roster.member_count; i++) {
        /* The one who came last has the lowest id. */
        ret->wraps[i].user = roster.members[roster.member_count - 1 - i].user;
        ret->wraps[i].hash.bytes[0] = (uint8_t)(i + 5);
    }
}

static inline int parse_entry(const struct riad_roster_entry *entry,
        const struct riad_keypair *keys, struct riad_roster *ret)
{
    _cleanup_(riad_writer_done) struct riad_writer longer = { 0 };
    struct riad_hash hash;

    riad_writer_init_growing(&longer, file.size, RIAD_ROSTER_FILE_MAX);
    riad_put_bytes(&longer, file.data, file.size);
    assert_int_equal(
            riad_roster_entry_sign(entry, &fixture.store.binding, keys, &longer, &hash), 0);
    return parse(&longer, ret);
}

static inline int try_entry(
        void (*spoil)(struct riad_roster_entry *entry), const struct riad_keypair *keys)
{
    _cleanup_(riad_roster_entry_done) struct riad_roster_entry entry = { 0 };
    _cleanup_(riad_roster_done) struct riad_roster parsed = { 0 };
    int r;

    make_entry(&entry);
    if (spoil) {
        spoil(&entry);
    }
    r = parse_entry(&entry, keys, &parsed);
    assert_true(r == 0 || !parsed.members);
    return r;
}

#endif
