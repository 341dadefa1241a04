/* The chain of a roster's entries: what they add up to, and what is refused. */
#include "roster_fixture.h"

/* A chain of entries as a later riad will write it; it begins as the present one. */
struct chain {
    struct riad_writer file;
    struct riad_roster_entry entry; /* the next one */
};

static void chain_init(struct chain *chain)
{
    _cleanup_bytes_ struct bytes roster = read_bytes(workspace_fd, "roster");
    struct riad_reader reader;
    const uint8_t *first, *body;
    size_t size, body_size;

    riad_reader_init(&reader, roster.data, roster.size);
    first = riad_get_b32(&reader, RIAD_ENVELOPE_MAX, &size);
    assert_non_null(first);
    assert_int_equal(riad_envelope_verify(RIAD_ENVELOPE_ROSTER, &fixture.store.binding,
                             &fixture.keys.sign_key, first, size, &body, &body_size),
            0);
    assert_int_equal(riad_roster_entry_decode(body, body_size, &chain->entry), 0);
    riad_writer_init_growing(&chain->file, 4096, 1 << 20);
}

/* Signs the entry as it stands and makes it the one before. */
static void chain_add(struct chain *chain, const struct riad_keypair *keys)
{
    struct riad_hash hash;

    assert_int_equal(riad_roster_entry_sign(
                             &chain->entry, &fixture.store.binding, keys, &chain->file, &hash),
            0);
    chain->entry.previous = hash;
    chain->entry.number++;
}

static int chain_load(struct chain *chain, struct riad_roster *ret)
{
    write_bytes(workspace_fd, "roster", chain->file.data, chain->file.size);
    return load(ret);
}

static int chain_try(struct chain *chain)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };

    return chain_load(chain, &roster);
}

static void chain_done(struct chain *chain)
{
    riad_writer_done(&chain->file);
}
#define _cleanup_chain_ _cleanup_(chain_done)

/* A second member with keys of her own, and what she signs. */
static int signed_by_member(enum riad_role role)
{
    _cleanup_(riad_keypair_done) struct riad_keypair keys = { 0 };
    _cleanup_chain_ struct chain chain;

    assert_int_equal(riad_keypair_generate(&keys), 0);
    chain_init(&chain);
    chain_add(&chain, &fixture.keys);
    chain.entry.kind = RIAD_ROSTER_MEMBER_PUT;
    chain.entry.member.user.bytes[0] ^= 1;
    chain.entry.member.role = role;
    chain.entry.member.wrap_key = keys.wrap_key;
    chain.entry.member.sign_key = keys.sign_key;
    chain_add(&chain, &fixture.keys);
    chain.entry.member.role = RIAD_ROLE_MANAGER;
    chain_add(&chain, &keys);
    return chain_try(&chain);
}

static void managers_sign_and_nobody_else(void **state)
{
    _cleanup_(riad_keypair_done) struct riad_keypair keys = { 0 };
    _cleanup_chain_ struct chain chain;

    (void)state;
    assert_int_equal(signed_by_member(RIAD_ROLE_MANAGER), 0);
    assert_int_equal(signed_by_member(RIAD_ROLE_WRITER), -EBADMSG);
    assert_int_equal(signed_by_member(RIAD_ROLE_READER), -EBADMSG);
    /* Nor one who was a manager. */
    assert_int_equal(riad_keypair_generate(&keys), 0);
    chain_init(&chain);
    chain_add(&chain, &fixture.keys);
    chain.entry.kind = RIAD_ROSTER_MEMBER_PUT;
    chain.entry.member.user.bytes[0] ^= 1;
    chain.entry.member.sign_key = keys.sign_key;
    chain_add(&chain, &fixture.keys);
    chain.entry.kind = RIAD_ROSTER_MEMBER_REMOVE;
    chain_add(&chain, &fixture.keys);
    chain.entry.kind = RIAD_ROSTER_MEMBER_PUT;
    chain_add(&chain, &keys);
    assert_int_equal(chain_try(&chain), -EBADMSG);
}

static void members_are_put_and_removed(void **state)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    _cleanup_chain_ struct chain chain;
    struct riad_id owner = fixture.user.id;

    (void)state;
    chain_init(&chain);
    chain_add(&chain, &fixture.keys);
    chain.entry.kind = RIAD_ROSTER_MEMBER_PUT;
    chain.entry.member.user.bytes[0] ^= 1;
    chain.entry.member.role = RIAD_ROLE_READER;
    chain_add(&chain, &fixture.keys);
    chain.entry.member.role = RIAD_ROLE_WRITER;
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_load(&chain, &roster), 0);
    assert_int_equal(roster.entries, 3);
    assert_int_equal(roster.member_count, 2);
    assert_int_equal(roster.members[1].role, RIAD_ROLE_WRITER);
    assert_memory_equal(&roster.head, &chain.entry.previous, sizeof roster.head);
    riad_roster_done(&roster);
    chain.entry.kind = RIAD_ROSTER_MEMBER_REMOVE;
    chain.entry.member.user = owner;
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_load(&chain, &roster), 0);
    assert_int_equal(roster.member_count, 1);
    assert_int_equal(open_as_owner(), -ENOKEY);
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_try(&chain), -EBADMSG);
}

/* An older roster is a true prefix: its head and number of entries say so to whoever knows a later
 * one. */
static void an_older_roster_has_another_head(void **state)
{
    _cleanup_(riad_roster_done) struct riad_roster older = { 0 };
    _cleanup_(riad_roster_done) struct riad_roster newer = { 0 };
    _cleanup_chain_ struct chain chain;

    (void)state;
    chain_init(&chain);
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_load(&chain, &older), 0);
    chain.entry.kind = RIAD_ROSTER_MEMBER_PUT;
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_load(&chain, &newer), 0);
    assert_int_equal(older.entries, 1);
    assert_int_equal(newer.entries, 2);
    assert_false(riad_hash_equal(&older.head, &newer.head));
}

static void assert_entry_refused(void (*spoil)(struct riad_roster_entry *entry), int error)
{
    _cleanup_chain_ struct chain chain;

    chain_init(&chain);
    chain_add(&chain, &fixture.keys);
    chain.entry.kind = RIAD_ROSTER_MEMBER_PUT;
    spoil(&chain.entry);
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_try(&chain), error);
}

static void skip_number(struct riad_roster_entry *entry)
{
    entry->number++;
}

static void break_chain(struct riad_roster_entry *entry)
{
    entry->previous.bytes[31] ^= 1;
}

static void name_other_workspace(struct riad_roster_entry *entry)
{
    entry->workspace.bytes[0] ^= 1;
}

static void create_again(struct riad_roster_entry *entry)
{
    entry->kind = RIAD_ROSTER_CREATE;
}

static void give_unknown_role(struct riad_roster_entry *entry)
{
    entry->member.role = 4;
}

static void be_unknown(struct riad_roster_entry *entry)
{
    entry->kind = 5;
}

static void begin_epoch(struct riad_roster_entry *entry)
{
    entry->kind = RIAD_ROSTER_EPOCH;
}

static void chains_that_do_not_add_up_are_refused(void **state)
{
    _cleanup_chain_ struct chain chain;

    (void)state;
    assert_entry_refused(skip_number, -EBADMSG);
    assert_entry_refused(break_chain, -EBADMSG);
    assert_entry_refused(name_other_workspace, -EBADMSG);
    assert_entry_refused(create_again, -EBADMSG);
    assert_entry_refused(give_unknown_role, -EBADMSG);
    assert_entry_refused(be_unknown, -EBADMSG);
    assert_entry_refused(begin_epoch, -EPROTONOSUPPORT);
    chain_init(&chain);
    chain.entry.kind = RIAD_ROSTER_MEMBER_PUT;
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_try(&chain), -EBADMSG);
}

static void a_create_of_another_kind_or_epoch_is_refused(void **state)
{
    _cleanup_chain_ struct chain chain, later;

    (void)state;
    chain_init(&chain);
    chain_init(&later);
    chain.entry.workspace_kind = 3;
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_try(&chain), -EBADMSG);
    later.entry.epoch = 2;
    chain_add(&later, &fixture.keys);
    assert_int_equal(chain_try(&later), -EBADMSG);
}

/* K3: an entry that Mallory signs counts for nothing, whatever it says. */
static void an_entry_signed_by_another_is_refused(void **state)
{
    _cleanup_chain_ struct chain chain;
    struct riad_keypair keys;

    (void)state;
    assert_int_equal(riad_keypair_generate(&keys), 0);
    chain_init(&chain);
    chain_add(&chain, &fixture.keys);
    chain.entry.kind = RIAD_ROSTER_MEMBER_PUT;
    chain.entry.member.user.bytes[0] ^= 1;
    chain.entry.member.wrap_key = keys.wrap_key;
    chain_add(&chain, &keys);
    assert_int_equal(chain_try(&chain), -EBADMSG);
    riad_keypair_done(&keys);
}

/* K2: a wrap that opens, whose hash is signed, but whose root is not the one committed to. */
static void another_root_than_committed_to_is_refused(void **state)
{
    const struct riad_wrap_scope scope = { fixture.store.binding.store, workspace, 1 };
    _cleanup_secret_ struct riad_secret *root = NULL;
    _cleanup_chain_ struct chain chain;
    uint8_t wrap[RIAD_WRAP_SIZE];

    (void)state;
    assert_int_equal(riad_secret_new_random(32, &root), 0);
    assert_int_equal(riad_wrap_seal(&scope, &fixture.keys.wrap_key, root, wrap), 0);
    write_bytes(workspace_fd, wrap_path, wrap, sizeof wrap);
    chain_init(&chain);
    assert_int_equal(riad_wrap_hash(wrap, sizeof wrap, &chain.entry.member.wrap_hash), 0);
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_try(&chain), 0);
    assert_int_equal(open_as_owner(), -EBADMSG);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(members_are_put_and_removed),
        TEST(managers_sign_and_nobody_else),
        TEST(an_older_roster_has_another_head),
        TEST(chains_that_do_not_add_up_are_refused),
        TEST(a_create_of_another_kind_or_epoch_is_refused),
        TEST(an_entry_signed_by_another_is_refused),
        TEST(another_root_than_committed_to_is_refused),
    };

    return cmocka_run_group_tests_name("roster_chain", tests, NULL, NULL);
}
