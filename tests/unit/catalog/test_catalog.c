#include <sys/wait.h>

#include "catalog_fixture.h"
#include "catalog_priv.h"

static void an_empty_catalog_reads(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    struct riad_id id = id_of(1);

    (void)state;
    assert_int_equal(load(&catalog), 0);
    assert_int_equal(catalog.workspace_count, 0);
    assert_int_equal(riad_chain_last(&catalog.ends).next_number, 0);
    assert_int_equal(catalog.ends.count, 0);
    assert_null(riad_catalog_find(&catalog, &id));
    assert_int_equal(set_limit(&catalog, 1, 5), -ENOENT);
}

static void what_was_added_is_read(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog again = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1000), 0);
    assert_int_equal(add(&catalog, 2, 0), 0);
    assert_int_equal(set_limit(&catalog, 1, UINT64_MAX), 0);
    assert_int_equal(add(&catalog, 1, 9), -EEXIST);
    assert_int_equal(load(&again), 0);
    assert_int_equal(again.workspace_count, 2);
    assert_int_equal(riad_chain_last(&again.ends).next_number, 5);
    assert_int_equal(again.ends.count, catalog.ends.count);
    assert_memory_equal(
            again.ends.items, catalog.ends.items, again.ends.count * sizeof *again.ends.items);
    assert_int_equal(again.workspaces[0].kind, RIAD_KIND_HOME);
    assert_false(again.workspaces[0].deleted);
    assert_memory_equal(&again.workspaces[0].owner, &fixture.user.id, sizeof(struct riad_id));
    assert_true(hard_limit(&again, 1) == UINT64_MAX);
    assert_int_equal(again.workspaces[0].limit.grace_bytes, 0);
    assert_int_equal(again.workspaces[1].limit.grace_bytes, 7);
    assert_true(hard_limit(&catalog, 1) == UINT64_MAX);
}

static int delete_workspace(struct riad_catalog *catalog, uint8_t number)
{
    const struct riad_id id = id_of(number);

    return riad_catalog_delete_workspace(&fixture.store, &fixture.keys, catalog, &id);
}

/* It stays known, with its owner and kind: its id is never used again. */
static void a_deleted_workspace_stays_deleted(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog again = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1000), 0);
    assert_int_equal(add(&catalog, 2, 2000), 0);
    assert_int_equal(delete_workspace(&catalog, 3), -ENOENT);
    assert_int_equal(delete_workspace(&catalog, 1), 0);
    assert_int_equal(delete_workspace(&catalog, 1), -ENOENT);
    assert_int_equal(set_limit(&catalog, 1, 5), -ENOENT);
    assert_int_equal(add(&catalog, 1, 5), -EEXIST);
    assert_int_equal(load(&again), 0);
    assert_int_equal(again.workspace_count, 2);
    assert_true(again.workspaces[0].deleted);
    assert_int_equal(again.workspaces[0].kind, RIAD_KIND_HOME);
    assert_memory_equal(&again.workspaces[0].owner, &fixture.user.id, sizeof(struct riad_id));
    assert_false(again.workspaces[1].deleted);
    assert_true(hard_limit(&again, 2) == 2000);
}

/* A caller whose catalog is old catches up first. */
static void a_stale_catalog_catches_up(void **state)
{
    _cleanup_catalog_ struct riad_catalog one = { 0 };
    _cleanup_catalog_ struct riad_catalog two = { 0 };

    (void)state;
    assert_int_equal(add(&one, 1, 10), 0);
    assert_int_equal(add(&two, 2, 20), 0);
    assert_int_equal(set_limit(&one, 2, 21), 0);
    assert_int_equal(add(&two, 1, 5), -EEXIST);
    assert_int_equal(two.workspace_count, 2);
    assert_true(hard_limit(&two, 2) == 20); /* untouched by what failed */
    assert_int_equal(set_limit(&two, 1, 11), 0);
    assert_true(hard_limit(&two, 2) == 21);
    assert_true(hard_limit(&two, 1) == 11);
}

enum { WRITERS = 4, BATCHES = 12 };

/* What another process does. Fork wipes secrets, so it unlocks for itself, with the key file of 32
 * zero bytes. */
static int write_batches(int writer)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_(riad_keypair_done) struct riad_keypair keys = { 0 };
    _cleanup_secret_ struct riad_secret *key_file = NULL;
    int r = riad_secret_new(32, &key_file);

    if (r == 0) {
        r = riad_user_unlock(&fixture.store, &fixture.user, RIAD_SLOT_KEY_FILE, key_file, &keys);
    }
    for (int i = 0; i < BATCHES && r == 0; i++) {
        const struct riad_id id = id_of((uint8_t)(1 + writer * BATCHES + i));
        const struct riad_catalog_limit limit = { .bytes_hard = (uint64_t)(writer * 100 + i) };

        r = riad_catalog_add_workspace(&fixture.store, &keys, &catalog, &id, RIAD_KIND_PROJECT,
                &fixture.user.id, &limit, NULL);
    }
    return r;
}

static void save_key_file_slot(void)
{
    _cleanup_secret_ struct riad_secret *key_file = NULL;

    assert_int_equal(riad_secret_new(32, &key_file), 0);
    assert_int_equal(riad_user_set_slot(&fixture.user, &fixture.store, &fixture.keys,
                             RIAD_SLOT_KEY_FILE, key_file),
            0);
    assert_int_equal(riad_user_save(&fixture.user, &fixture.store, &fixture.keys), 0);
}

/* O3. */
static void processes_at_once_all_land(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    pid_t children[WRITERS];

    (void)state;
    save_key_file_slot();
    for (int i = 0; i < WRITERS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            _exit(write_batches(i) == 0 ? 0 : 1);
        }
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;

        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    assert_int_equal(load(&catalog), 0);
    assert_int_equal(catalog.workspace_count, WRITERS * BATCHES);
    assert_int_equal(riad_chain_last(&catalog.ends).next_number, 2 * WRITERS * BATCHES);
    assert_int_equal(catalog.ends.count, WRITERS * BATCHES);
    for (int i = 0; i < WRITERS * BATCHES; i++) {
        assert_true(hard_limit(&catalog, (uint8_t)(1 + i)) ==
                    (uint64_t)(i / BATCHES * 100 + i % BATCHES));
    }
}

static void every_damage_is_refused(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1000), 0);
    assert_int_equal(set_limit(&catalog, 1, 2000), 0);
    assert_every_damage_refused(catalog_fd, "0000000000000000", try_load);
    assert_every_damage_refused(catalog_fd, "0000000000000002", try_load);
}

static void a_missing_batch_is_damage(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1), 0);
    assert_int_equal(add(&catalog, 2, 2), 0);
    assert_int_equal(add(&catalog, 3, 3), 0);
    assert_int_equal(unlinkat(catalog_fd, "0000000000000002", 0), 0);
    assert_int_equal(try_load(), -EUCLEAN);
    assert_int_equal(unlinkat(catalog_fd, "0000000000000000", 0), 0);
    assert_int_equal(try_load(), -EUCLEAN);
}

static void swapped_batches_are_refused(void **state)
{
    _cleanup_bytes_ struct bytes batch = { 0 };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1), 0);
    assert_int_equal(add(&catalog, 2, 2), 0);
    batch = read_bytes(catalog_fd, "0000000000000000");
    write_bytes(catalog_fd, "0000000000000004", batch.data, batch.size);
    assert_int_equal(try_load(), -EBADMSG);
    write_bytes(catalog_fd, "0000000000000002", batch.data, batch.size);
    assert_int_equal(try_load(), -EBADMSG);
}

static void another_stores_or_signers_batch_is_refused(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog foreign = { 0 };
    _cleanup_bytes_ struct bytes batch = { 0 };
    struct riad_store other;
    struct riad_keypair keys;
    const struct riad_catalog_limit limit = { 0 };
    const struct riad_id id = id_of(1);

    (void)state;
    make_store("other", &other);
    assert_int_equal(riad_catalog_add_workspace(&other, &fixture.keys, &foreign, &id,
                             RIAD_KIND_HOME, &id, &limit, NULL),
            0);
    batch = read_bytes(other.fd, "catalog/0000000000000000");
    write_bytes(catalog_fd, "0000000000000000", batch.data, batch.size);
    assert_int_equal(try_load(), -EBADMSG);
    assert_int_equal(unlinkat(catalog_fd, "0000000000000000", 0), 0);
    assert_int_equal(riad_keypair_generate(&keys), 0);
    assert_int_equal(riad_catalog_add_workspace(&fixture.store, &keys, &catalog, &id,
                             RIAD_KIND_HOME, &id, &limit, NULL),
            0);
    assert_int_equal(try_load(), -EBADMSG);
    riad_keypair_done(&keys);
    riad_store_close(&other);
}

static int load_batch(const struct riad_catalog_batch *batch)
{
    const struct riad_catalog_workspace workspace = { .id = id_of(1), .kind = RIAD_KIND_HOME };
    struct riad_writer body;
    uint8_t bytes[1024];

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_catalog_batch_encode(batch, &body);
    riad_catalog_put_workspace_entry(&workspace, &body);
    riad_put_b32(&body, NULL, 0);
    return load_body(&body);
}

/* Everything else about it is right: only its place in the chain is not. */
static void a_batch_has_one_place(void **state)
{
    struct riad_catalog_batch batch = { .count = 1 };

    (void)state;
    assert_int_equal(load_batch(&batch), 0);
    batch.first_number = 1;
    assert_int_equal(load_batch(&batch), -EBADMSG);
    batch.first_number = 0;
    batch.previous.bytes[31] = 1;
    assert_int_equal(load_batch(&batch), -EBADMSG);
}

/* A batch of an entry of that kind, flags and body, after a good workspace 1. */
static int load_entry(uint8_t kind, uint8_t flags, const void *data, size_t size)
{
    const struct riad_catalog_batch batch = { .count = 2 };
    const struct riad_catalog_workspace workspace = { .id = id_of(1), .kind = RIAD_KIND_HOME };
    struct riad_writer body;
    uint8_t bytes[1024];

    riad_writer_init_fixed(&body, bytes, sizeof bytes);
    riad_catalog_batch_encode(&batch, &body);
    riad_catalog_put_workspace_entry(&workspace, &body);
    riad_put_u8(&body, kind);
    riad_put_u8(&body, flags);
    riad_put_b32(&body, data, size);
    riad_put_b32(&body, NULL, 0);
    return load_body(&body);
}

static int load_workspace(uint8_t kind, uint8_t state, size_t size)
{
    uint8_t data[64] = { 9 };

    data[16] = kind;
    data[17] = state;
    return load_entry(1, 0, data, size);
}

static int load_limit(uint8_t subject_kind, uint8_t subject_size, uint8_t number, size_t size)
{
    uint8_t data[128] = { subject_kind, subject_size, 0, number };

    return load_entry(2, 0, data, size);
}

static int load_expiry(uint8_t number, uint64_t expires, size_t size)
{
    uint8_t data[64] = { number };

    for (int i = 0; i < 8; i++) {
        data[16 + i] = (uint8_t)(expires >> (8 * i));
    }
    return load_entry(3, 0, data, size);
}

static void entries_that_no_writer_makes_are_refused(void **state)
{
    enum { WORKSPACE = 34, LIMIT = 59, EXPIRY = 28 };

    (void)state;
    assert_int_equal(load_workspace(1, 1, WORKSPACE), 0);
    assert_int_equal(load_workspace(2, 2, WORKSPACE), 0);
    assert_int_equal(load_workspace(0, 1, WORKSPACE), -EBADMSG);
    assert_int_equal(load_workspace(3, 1, WORKSPACE), -EBADMSG);
    assert_int_equal(load_workspace(1, 0, WORKSPACE), -EBADMSG);
    assert_int_equal(load_workspace(1, 3, WORKSPACE), -EBADMSG);
    assert_int_equal(load_workspace(1, 1, WORKSPACE - 1), -EBADMSG);
    assert_int_equal(load_workspace(1, 1, WORKSPACE + 1), -EBADMSG);
    assert_int_equal(load_limit(1, 16, 1, LIMIT), 0);
    assert_int_equal(load_limit(1, 16, 2, LIMIT), -EBADMSG);
    assert_int_equal(load_limit(1, 15, 1, LIMIT - 1), -EBADMSG);
    assert_int_equal(load_limit(1, 16, 1, LIMIT - 1), -EBADMSG);
    assert_int_equal(load_limit(1, 16, 1, LIMIT + 1), -EBADMSG);
    assert_int_equal(load_limit(0, 16, 1, LIMIT), -EBADMSG);
    assert_int_equal(load_limit(2, 16, 1, LIMIT), -EBADMSG);
    assert_int_equal(load_limit(4, 16, 1, LIMIT), -EBADMSG);
    assert_int_equal(load_expiry(1, 1, EXPIRY), 0);
    assert_int_equal(load_expiry(1, INT64_MAX - UINT32_MAX, EXPIRY), 0);
    assert_int_equal(load_expiry(1, INT64_MAX - UINT32_MAX + 1, EXPIRY), -EBADMSG);
    assert_int_equal(load_expiry(1, UINT64_MAX, EXPIRY), -EBADMSG);
    assert_int_equal(load_expiry(2, 1, EXPIRY), -EBADMSG);
    assert_int_equal(load_expiry(1, 1, EXPIRY - 1), -EBADMSG);
    assert_int_equal(load_expiry(1, 1, EXPIRY + 1), -EBADMSG);
}

static void an_expiry_is_kept_until_another_one_is_set(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog read = { 0 };
    const struct riad_catalog_limit limit = { .bytes_hard = 5 };
    struct riad_catalog_expiry expiry = { 1000, 10 };
    const struct riad_id id = id_of(1), other = id_of(2);
    const struct riad_catalog_workspace *found;

    (void)state;
    assert_int_equal(riad_catalog_add_workspace(&fixture.store, &fixture.keys, &catalog, &id,
                             RIAD_KIND_PROJECT, &fixture.user.id, &limit, &expiry),
            0);
    assert_int_equal(riad_chain_last(&catalog.ends).next_number, 3);
    assert_int_equal(load(&read), 0);
    found = riad_catalog_find(&read, &id);
    assert_int_equal(found->expiry.expires, 1000);
    assert_int_equal(found->expiry.grace, 10);
    assert_int_equal(found->limit.bytes_hard, 5);
    expiry = (struct riad_catalog_expiry){ 0, 7 };
    assert_int_equal(
            riad_catalog_set_expiry(&fixture.store, &fixture.keys, &catalog, &id, &expiry), 0);
    found = riad_catalog_find(&catalog, &id);
    assert_int_equal(found->expiry.expires, 0);
    assert_int_equal(found->expiry.grace, 7);
    assert_int_equal(
            riad_catalog_set_expiry(&fixture.store, &fixture.keys, &catalog, &other, &expiry),
            -ENOENT);
    assert_int_equal(
            riad_catalog_delete_workspace(&fixture.store, &fixture.keys, &catalog, &id), 0);
    assert_int_equal(riad_catalog_set_expiry(&fixture.store, &fixture.keys, &catalog, &id, &expiry),
            -ENOENT);
}

static void time_goes_from_live_to_grace_to_locked(void **state)
{
    const struct riad_catalog_expiry never = { 0, 10 }, once = { 1000, 10 }, at_once = { 1000, 0 };

    (void)state;
    assert_int_equal(riad_catalog_expiry_state(&never, UINT64_MAX), RIAD_EXPIRY_LIVE);
    assert_int_equal(riad_catalog_expiry_state(&once, 0), RIAD_EXPIRY_LIVE);
    assert_int_equal(riad_catalog_expiry_state(&once, 999), RIAD_EXPIRY_LIVE);
    assert_int_equal(riad_catalog_expiry_state(&once, 1000), RIAD_EXPIRY_GRACE);
    assert_int_equal(riad_catalog_expiry_state(&once, 1009), RIAD_EXPIRY_GRACE);
    assert_int_equal(riad_catalog_expiry_state(&once, 1010), RIAD_EXPIRY_LOCKED);
    assert_int_equal(riad_catalog_expiry_state(&once, UINT64_MAX), RIAD_EXPIRY_LOCKED);
    assert_int_equal(riad_catalog_expiry_state(&at_once, 999), RIAD_EXPIRY_LIVE);
    assert_int_equal(riad_catalog_expiry_state(&at_once, 1000), RIAD_EXPIRY_LOCKED);
}

static void unknown_entries_say_whether_they_may_be_skipped(void **state)
{
    (void)state;
    assert_int_equal(load_entry(77, 1, "whatever", 8), 0);
    assert_int_equal(load_entry(77, 0, "whatever", 8), -EPROTONOSUPPORT);
    assert_int_equal(load_entry(77, 3, "whatever", 8), -EBADMSG);
    assert_int_equal(load_entry(77, 2, "whatever", 8), -EBADMSG);
}

/* A batch of `put` limits after the workspace, which says that it holds `count` entries in all. */
static int load_count(uint32_t count, uint32_t put)
{
    const struct riad_catalog_batch batch = { .count = count };
    const struct riad_catalog_workspace workspace = { .id = id_of(1), .kind = RIAD_KIND_HOME };
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };

    riad_writer_init_growing(&body, 4096, RIAD_ENVELOPE_BODY_MAX);
    riad_catalog_batch_encode(&batch, &body);
    riad_catalog_put_workspace_entry(&workspace, &body);
    for (uint32_t i = 1; i < put; i++) {
        riad_catalog_put_limit_entry(&workspace.id, &workspace.limit, &body);
    }
    riad_put_b32(&body, NULL, 0);
    return load_body(&body);
}

static void counts_are_bounded_and_right(void **state)
{
    (void)state;
    assert_int_equal(load_count(1, 1), 0);
    assert_int_equal(load_count(4096, 4096), 0);
    assert_int_equal(load_count(0, 1), -EBADMSG);
    assert_int_equal(load_count(2, 1), -EBADMSG);
    assert_int_equal(load_count(1, 2), -EBADMSG);
    assert_int_equal(load_count(4097, 4097), -EBADMSG);
    assert_int_equal(load_count(UINT32_MAX, 1), -EBADMSG);
}

/* From some call on everything fails, for every such call of an addition: the store's catalog is as
 * before or has the batch, the caller's struct is untouched by an error, and going on works. */
static void an_addition_that_fails_leaves_old_or_new(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    unsigned number = 0;
    int r;

    (void)state;
    assert_int_equal(add(&catalog, 1, 0), 0);
    faults_install();
    do {
        uint64_t batches = catalog.ends.count;
        uint64_t before = hard_limit(&catalog, 1);

        faults_fail_from(FAULT_ANY, ++number, EIO);
        r = set_limit(&catalog, 1, number);
        faults_fail(FAULT_NONE, 0, 0);
        if (r < 0) {
            assert_int_equal(r, -EIO);
            assert_int_equal(catalog.ends.count, batches);
            riad_catalog_done(&catalog);
            assert_int_equal(load(&catalog), 0);
        }
        assert_true(hard_limit(&catalog, 1) == (catalog.ends.count > batches ? number : before));
        assert_true(catalog.ends.count - batches <= 1);
    } while (r < 0);
    assert_true(number > 10);
    assert_true(hard_limit(&catalog, 1) == number);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_catalog_reads),
        TEST(what_was_added_is_read),
        TEST(a_deleted_workspace_stays_deleted),
        TEST(a_stale_catalog_catches_up),
        TEST(processes_at_once_all_land),
        TEST(every_damage_is_refused),
        TEST(a_missing_batch_is_damage),
        TEST(swapped_batches_are_refused),
        TEST(another_stores_or_signers_batch_is_refused),
        TEST(a_batch_has_one_place),
        TEST(entries_that_no_writer_makes_are_refused),
        TEST(an_expiry_is_kept_until_another_one_is_set),
        TEST(time_goes_from_live_to_grace_to_locked),
        TEST(unknown_entries_say_whether_they_may_be_skipped),
        TEST(counts_are_bounded_and_right),
        TEST(an_addition_that_fails_leaves_old_or_new),
    };

    return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
