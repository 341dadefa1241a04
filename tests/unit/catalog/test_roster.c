#include "fixture.h"
#include "roster_priv.h"

static struct riad_id workspace;
static int workspace_fd;
static char wrap_path[64];

static int setup(void **state)
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

static int teardown(void **state)
{
    close(workspace_fd);
    return fixture_teardown(state);
}

static int load(struct riad_roster *ret)
{
    return riad_roster_load(&fixture.store, &workspace, &fixture.keys.sign_key, ret);
}

/* Loads and unlocks as the user; on failure nothing may be given out. */
static int open_as(const struct riad_id *user, const struct riad_keypair *keypair)
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

static int open_as_owner(void)
{
    return open_as(&fixture.user.id, &fixture.keys);
}

static void what_was_made_is_read(void **state)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    struct riad_hash zeros = { 0 };

    (void)state;
    assert_int_equal(load(&roster), 0);
    assert_memory_equal(&roster.workspace, &workspace, sizeof workspace);
    assert_int_equal(roster.kind, RIAD_KIND_HOME);
    assert_int_equal(roster.epoch, 1);
    assert_int_equal(roster.entries, 1);
    assert_false(riad_hash_equal(&roster.head, &zeros));
    assert_int_equal(roster.member_count, 1);
    assert_memory_equal(&roster.members[0].user, &fixture.user.id, sizeof workspace);
    assert_int_equal(roster.members[0].role, RIAD_ROLE_MANAGER);
    assert_memory_equal(&roster.members[0].wrap_key, &fixture.keys.wrap_key, 32);
    assert_memory_equal(&roster.members[0].sign_key, &fixture.keys.sign_key, 32);
}

static void the_directories_are_there(void **state)
{
    static const char *const names[] = { "wrap", "term", "log", "data", "ckpt", "dead" };
    struct stat st;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(fstatat(workspace_fd, names[i], &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_equal(st.st_mode & 0777, 0700);
    }
}

static void unlocking_gives_the_workspaces_keys(void **state)
{
    _cleanup_(riad_keys_freep) struct riad_keys *first = NULL;
    _cleanup_(riad_keys_freep) struct riad_keys *second = NULL;
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    uint8_t a[32], b[32];

    (void)state;
    assert_int_equal(load(&roster), 0);
    assert_int_equal(
            riad_roster_unlock(&fixture.store, &roster, &fixture.user.id, &fixture.keys, &first),
            0);
    assert_int_equal(
            riad_roster_unlock(&fixture.store, &roster, &fixture.user.id, &fixture.keys, &second),
            0);
    assert_memory_equal(riad_keys_workspace(first), &workspace, sizeof workspace);
    assert_int_equal(riad_keys_epoch(first), 1);
    assert_int_equal(riad_keys_stream(first, RIAD_PURPOSE_DATA, &workspace, 1, a), 0);
    assert_int_equal(riad_keys_stream(second, RIAD_PURPOSE_DATA, &workspace, 1, b), 0);
    assert_memory_equal(a, b, sizeof a);
}

static void assert_name_kept(const char *text, size_t sealed_size)
{
    _cleanup_(riad_keys_freep) struct riad_keys *keys = NULL;
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    char name[256];

    assert_int_equal(riad_roster_create(&fixture.store, RIAD_KIND_PROJECT, text, &fixture.user,
                             &fixture.keys, &workspace),
            0);
    assert_int_equal(load(&roster), 0);
    assert_int_equal(roster.kind, RIAD_KIND_PROJECT);
    assert_int_equal(roster.sealed_name_size, sealed_size);
    assert_int_equal(
            riad_roster_unlock(&fixture.store, &roster, &fixture.user.id, &fixture.keys, &keys), 0);
    assert_int_equal(riad_roster_name(&roster, keys, name), 0);
    assert_string_equal(name, text);
    for (size_t i = 0; i < roster.sealed_name_size; i++) {
        roster.sealed_name[i] ^= 0x10;
        assert_int_equal(riad_roster_name(&roster, keys, name), -EBADMSG);
        roster.sealed_name[i] ^= 0x10;
    }
}

/* Sealed names tell 64-byte steps, not lengths. */
static void names_are_kept_and_padded(void **state)
{
    char text[258];
    struct riad_id id = { 0 };

    (void)state;
    memset(text, 'x', sizeof text);
    text[257] = '\0';
    assert_name_kept("a", 80);
    assert_name_kept(text + 257 - 61, 80);
    assert_name_kept(text + 257 - 62, 144);
    assert_name_kept(text + 257 - 255, 336);
    assert_int_equal(riad_roster_create(&fixture.store, RIAD_KIND_HOME, text + 257 - 256,
                             &fixture.user, &fixture.keys, &id),
            -EINVAL);
    assert_int_equal(riad_roster_create(
                             &fixture.store, RIAD_KIND_HOME, "", &fixture.user, &fixture.keys, &id),
            -EINVAL);
    assert_int_equal(
            riad_roster_create(&fixture.store, 3, "x", &fixture.user, &fixture.keys, &id), -EINVAL);
}

static void every_damage_to_the_roster_is_refused(void **state)
{
    (void)state;
    assert_every_damage_refused(workspace_fd, "roster", open_as_owner);
}

static void every_damage_to_a_wrap_is_refused(void **state)
{
    (void)state;
    assert_every_damage_refused(workspace_fd, wrap_path, open_as_owner);
}

/* The right root for the right member, and yet not the file that the owner signed for. */
static void a_wrap_made_anew_is_refused(void **state)
{
    const struct riad_wrap_scope scope = { fixture.store.binding.store, workspace, 1 };
    _cleanup_bytes_ struct bytes wrap = read_bytes(workspace_fd, wrap_path);
    _cleanup_secret_ struct riad_secret *root = NULL;

    (void)state;
    assert_int_equal(riad_wrap_open(&scope, &fixture.keys, wrap.data, wrap.size, &root), 0);
    assert_int_equal(riad_wrap_seal(&scope, &fixture.keys.wrap_key, root, wrap.data), 0);
    write_bytes(workspace_fd, wrap_path, wrap.data, wrap.size);
    assert_int_equal(open_as_owner(), -EBADMSG);
}

static void swapped_wraps_are_refused(void **state)
{
    _cleanup_bytes_ struct bytes wrap = read_bytes(workspace_fd, wrap_path);
    struct riad_id first = workspace, other;
    _cleanup_close_ int fd = -1;

    (void)state;
    assert_int_equal(riad_roster_create(&fixture.store, RIAD_KIND_HOME, "other", &fixture.user,
                             &fixture.keys, &other),
            0);
    fd = riad_store_open_workspace(&fixture.store, &other);
    assert_true(fd >= 0);
    write_bytes(fd, wrap_path, wrap.data, wrap.size);
    workspace = other;
    assert_int_equal(open_as_owner(), -EBADMSG);
    assert_int_equal(unlinkat(fd, wrap_path, 0), 0);
    assert_int_equal(open_as_owner(), -EUCLEAN);
    workspace = first;
    assert_int_equal(open_as_owner(), 0);
}

static void swapped_rosters_are_refused(void **state)
{
    _cleanup_bytes_ struct bytes roster = read_bytes(workspace_fd, "roster");
    _cleanup_close_ int fd = -1;
    struct riad_id other;

    (void)state;
    assert_int_equal(riad_roster_create(&fixture.store, RIAD_KIND_HOME, "other", &fixture.user,
                             &fixture.keys, &other),
            0);
    fd = riad_store_open_workspace(&fixture.store, &other);
    assert_true(fd >= 0);
    write_bytes(fd, "roster", roster.data, roster.size);
    workspace = other;
    assert_int_equal(open_as_owner(), -EBADMSG);
}

static void another_stores_workspace_is_refused(void **state)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    struct riad_store other;
    char from[FIXTURE_PATH], to[FIXTURE_PATH], name[RIAD_ID_NAME_SIZE];

    (void)state;
    make_store("other", &other);
    riad_id_name(&workspace, name);
    store_path("store/ws", from);
    store_path("other/ws", to);
    assert_int_equal(rmdir(to), 0);
    assert_int_equal(rename(from, to), 0);
    assert_int_equal(
            riad_roster_load(&other, &workspace, &fixture.keys.sign_key, &roster), -EBADMSG);
    assert_int_equal(load(&roster), -ENOENT);
    riad_store_close(&other);
}

static void others_keys_open_nothing(void **state)
{
    _cleanup_(riad_roster_done) struct riad_roster roster = { 0 };
    _cleanup_secret_ struct riad_secret *code = NULL;
    struct riad_user other;
    struct riad_keypair keys;

    (void)state;
    make_user(&fixture.store, &other, &keys, &code);
    assert_int_equal(open_as(&other.id, &keys), -ENOKEY);
    assert_int_equal(open_as(&fixture.user.id, &keys), -ENOKEY);
    assert_int_equal(
            riad_roster_load(&fixture.store, &workspace, &keys.sign_key, &roster), -EBADMSG);
    riad_keypair_done(&keys);
}

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
        TEST(what_was_made_is_read),
        TEST(the_directories_are_there),
        TEST(unlocking_gives_the_workspaces_keys),
        TEST(names_are_kept_and_padded),
        TEST(every_damage_to_the_roster_is_refused),
        TEST(every_damage_to_a_wrap_is_refused),
        TEST(a_wrap_made_anew_is_refused),
        TEST(swapped_wraps_are_refused),
        TEST(swapped_rosters_are_refused),
        TEST(another_stores_workspace_is_refused),
        TEST(others_keys_open_nothing),
        TEST(members_are_put_and_removed),
        TEST(managers_sign_and_nobody_else),
        TEST(an_older_roster_has_another_head),
        TEST(chains_that_do_not_add_up_are_refused),
        TEST(a_create_of_another_kind_or_epoch_is_refused),
        TEST(an_entry_signed_by_another_is_refused),
        TEST(another_root_than_committed_to_is_refused),
    };

    return cmocka_run_group_tests_name("roster", tests, NULL, NULL);
}
