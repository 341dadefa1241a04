/* The chain of a roster's entries: what they add up to, and what is refused. */
#include "roster_fixture.h"

/* A chain of entries; it begins as the present one. */
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
    chain.entry.member.role = RIAD_ROLE_MANAGER;
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_load(&chain, &roster), 0);
    assert_int_equal(roster.entries, 3);
    assert_int_equal(roster.member_count, 2);
    assert_int_equal(roster.members[1].role, RIAD_ROLE_MANAGER);
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

/* A chain of that many entries after the first, in each of which a member of that id is put. */
static void load_chain(unsigned entries, uint8_t id, struct riad_roster *ret)
{
    _cleanup_chain_ struct chain chain;

    chain_init(&chain);
    chain_add(&chain, &fixture.keys);
    chain.entry.kind = RIAD_ROSTER_MEMBER_PUT;
    for (unsigned i = 0; i < entries; i++) {
        chain.entry.member.user = (struct riad_id){ { id } };
        chain_add(&chain, &fixture.keys);
    }
    assert_int_equal(chain_load(&chain, ret), 0);
}

/* An older roster is a true prefix: its number of entries says so to whoever knows a later head. */
static void a_roster_rolled_back_did_not_pass_the_newer_head(void **state)
{
    _cleanup_bytes_ struct bytes first = read_bytes(workspace_fd, "roster");
    _cleanup_(riad_roster_done) struct riad_roster older = { 0 };
    _cleanup_(riad_roster_done) struct riad_roster newer = { 0 };
    const struct riad_hash zeros = { 0 };

    (void)state;
    load_chain(2, 1, &newer);
    write_bytes(workspace_fd, "roster", first.data, first.size);
    assert_int_equal(load(&older), 0);
    assert_int_equal(older.entries, 1);
    assert_int_equal(newer.entries, 3);
    assert_false(riad_roster_passed(&older, newer.entries, &newer.head));
    assert_false(riad_roster_passed(&older, 2, &newer.heads[1]));
    assert_true(riad_roster_passed(&newer, older.entries, &older.head));
    assert_true(riad_roster_passed(&newer, 2, &newer.heads[1]));
    assert_true(riad_roster_passed(&newer, newer.entries, &newer.head));
    assert_false(riad_roster_passed(&newer, 2, &newer.head));
    assert_false(riad_roster_passed(&newer, 1, &zeros));
    assert_false(riad_roster_passed(&newer, UINT64_MAX, &newer.head));
    assert_true(riad_roster_passed(&older, 0, &zeros));
    assert_true(riad_roster_passed(&older, 0, &newer.head));
}

/* As long, or longer, and signed by the manager: and yet not the one that was seen. */
static void another_history_did_not_pass_the_head(void **state)
{
    _cleanup_bytes_ struct bytes first = read_bytes(workspace_fd, "roster");
    _cleanup_(riad_roster_done) struct riad_roster one = { 0 };
    _cleanup_(riad_roster_done) struct riad_roster other = { 0 };

    (void)state;
    load_chain(2, 1, &one);
    write_bytes(workspace_fd, "roster", first.data, first.size);
    load_chain(5, 2, &other);
    assert_true(riad_roster_passed(&other, 1, &one.heads[0]));
    assert_false(riad_roster_passed(&other, 2, &one.heads[1]));
    assert_false(riad_roster_passed(&other, one.entries, &one.head));
}

/* The only manager, made something else or removed by her own signature. */
static int without_manager(enum riad_roster_entry_kind kind, enum riad_role role, bool other)
{
    _cleanup_chain_ struct chain chain;
    struct riad_member owner;

    chain_init(&chain);
    owner = chain.entry.member;
    chain_add(&chain, &fixture.keys);
    if (other) {
        chain.entry.kind = RIAD_ROSTER_MEMBER_PUT;
        chain.entry.member.user.bytes[0] ^= 1;
        chain_add(&chain, &fixture.keys);
    }
    chain.entry.member = owner;
    chain.entry.member.role = role;
    chain.entry.kind = kind;
    chain_add(&chain, &fixture.keys);
    return chain_try(&chain);
}

static void a_chain_always_has_a_manager(void **state)
{
    _cleanup_chain_ struct chain chain;

    (void)state;
    chain_init(&chain);
    assert_int_equal(without_manager(RIAD_ROSTER_MEMBER_PUT, RIAD_ROLE_WRITER, false), -EBADMSG);
    assert_int_equal(without_manager(RIAD_ROSTER_MEMBER_PUT, RIAD_ROLE_READER, false), -EBADMSG);
    assert_int_equal(without_manager(RIAD_ROSTER_MEMBER_REMOVE, 0, false), -EBADMSG);
    assert_int_equal(without_manager(RIAD_ROSTER_MEMBER_PUT, RIAD_ROLE_MANAGER, false), 0);
    assert_int_equal(without_manager(RIAD_ROSTER_MEMBER_PUT, RIAD_ROLE_READER, true), 0);
    assert_int_equal(without_manager(RIAD_ROSTER_MEMBER_REMOVE, 0, true), 0);
    chain.entry.member.role = RIAD_ROLE_WRITER;
    chain_add(&chain, &fixture.keys);
    assert_int_equal(chain_try(&chain), -EBADMSG);
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
        TEST(a_roster_rolled_back_did_not_pass_the_newer_head),
        TEST(another_history_did_not_pass_the_head),
        TEST(a_chain_always_has_a_manager),
        TEST(chains_that_do_not_add_up_are_refused),
        TEST(a_create_of_another_kind_or_epoch_is_refused),
        TEST(an_entry_signed_by_another_is_refused),
        TEST(another_root_than_committed_to_is_refused),
    };

    return cmocka_run_group_tests_name("roster_chain", tests, NULL, NULL);
}
