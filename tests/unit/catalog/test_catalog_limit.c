/* Limits of many workspaces at once, what new ones get, and where the catalog finds its items. */
#include "catalog_fixture.h"
#include "catalog_priv.h"

static const struct riad_catalog_limit some = { 10, 20, 30, 40, 50, 60 };

static int set_default(struct riad_catalog *catalog, const struct riad_catalog_limit *limit)
{
    return riad_catalog_set_default_limit(&fixture.store, &fixture.keys, catalog, limit);
}

static void the_default_is_of_nobody_yet(void **state)
{
    const struct riad_catalog_limit none = { 0 };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 }, again = { 0 };

    (void)state;
    assert_int_equal(set_default(&catalog, &some), 0); /* before there is any workspace */
    assert_int_equal(add(&catalog, 1, 5), 0);
    assert_true(hard_limit(&catalog, 1) == 5); /* it is for who makes one */
    assert_memory_equal(&catalog.default_limit, &some, sizeof some);
    assert_int_equal(load(&again), 0);
    assert_memory_equal(&again.default_limit, &some, sizeof some);
    assert_int_equal(set_default(&again, &none), 0);
    assert_memory_equal(&again.default_limit, &none, sizeof none);
    assert_true(hard_limit(&again, 1) == 5);
}

static void a_soft_limit_is_not_above_its_hard_one(void **state)
{
    static const struct riad_catalog_limit bad[] = { { .bytes_soft = 2, .bytes_hard = 1 },
        { .inodes_soft = 2, .inodes_hard = 1, .bytes_hard = 9 } };
    static const struct riad_catalog_limit good[] = { { .bytes_soft = 2 }, { .inodes_soft = 2 },
        { .bytes_hard = 2 }, { .bytes_soft = 2, .bytes_hard = 2 } };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    const struct riad_id id = id_of(1);

    (void)state;
    assert_int_equal(add(&catalog, 1, 5), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(riad_catalog_is_limit(&bad[i]));
        assert_int_equal(set_default(&catalog, &bad[i]), -EINVAL);
        assert_int_equal(
                riad_catalog_set_limit(&fixture.store, &fixture.keys, &catalog, &id, &bad[i]),
                -EINVAL);
    }
    assert_int_equal(catalog.ends.count, 1);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(riad_catalog_is_limit(&good[i]));
        assert_int_equal(set_default(&catalog, &good[i]), 0);
    }
}

/* A limit entry of this kind, with so many bytes of subject, of which the first is 1, and `more`
 * bytes behind it. Workspace 1 is there. */
static int load_limit(uint8_t kind, size_t subject, int more)
{
    static const uint8_t subjects[300] = { 1 };
    const struct riad_catalog_batch batch = { .count = 2 };
    const struct riad_catalog_workspace home = { .id = id_of(1), .kind = RIAD_KIND_HOME };
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };

    riad_writer_init_growing(&body, 4096, RIAD_ENVELOPE_BODY_MAX);
    riad_catalog_batch_encode(&batch, &body);
    riad_catalog_put_workspace_entry(&home, &body);
    riad_put_u8(&body, RIAD_CATALOG_ENTRY_LIMIT);
    riad_put_u8(&body, 0);
    riad_put_u32(&body, (uint32_t)((int)subject + 3 + 40 + more));
    riad_put_u8(&body, kind);
    riad_put_b16(&body, subjects, subject);
    riad_put_zeros(&body, (size_t)(40 + more));
    riad_put_b32(&body, NULL, 0);
    return load_body(&body);
}

static void forged_defaults_are_refused(void **state)
{
    (void)state;
    assert_int_equal(load_limit(1, 0, 0), 0);
    assert_int_equal(load_limit(1, 0, -1), -EBADMSG);
    assert_int_equal(load_limit(1, 0, 1), -EBADMSG);
    assert_int_equal(load_limit(0, 0, 0), -EBADMSG);
    assert_int_equal(load_limit(2, 0, 0), -EBADMSG);
    assert_int_equal(load_limit(3, 0, 0), -EBADMSG);
    assert_int_equal(load_limit(2, 4, 0), 0);
    assert_int_equal(load_limit(3, 4, 0), 0);
    assert_int_equal(load_limit(2, 5, 0), -EBADMSG);
    assert_int_equal(load_limit(3, 4, 1), -EBADMSG);
    assert_int_equal(load_limit(4, 0, 0), -EBADMSG);
    for (size_t size = 1; size <= 32; size++) {
        assert_int_equal(load_limit(1, size, 0), size == 16 ? 0 : -EBADMSG);
    }
    assert_int_equal(load_limit(1, 256, 0), -EBADMSG);
}

enum { MANY = 5000, LIMITS_A_BATCH = 1536 };

static struct riad_id many_of(uint32_t number)
{
    struct riad_id id = { { 0 } };

    memcpy(&id.bytes[3], &number, sizeof number);
    return id;
}

/* Three batches of workspaces, as no command here makes so many at once. */
static void make_many(struct riad_catalog *catalog)
{
    const struct riad_hash hash = { { 1 } };
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };

    riad_writer_init_growing(&body, 4096, RIAD_ENVELOPE_BODY_MAX);
    for (uint32_t i = 0; i < MANY; i += 2500) {
        const struct riad_chain_end last = riad_chain_last(&catalog->ends);
        const struct riad_catalog_batch batch = {
            .first_number = last.next_number, .previous = last.head, .count = 2500
        };

        riad_writer_reset(&body);
        riad_catalog_batch_encode(&batch, &body);
        for (uint32_t j = i; j < i + 2500; j++) {
            const struct riad_catalog_workspace home = { .id = many_of(j), .kind = RIAD_KIND_HOME };

            riad_catalog_put_workspace_entry(&home, &body);
        }
        riad_put_b32(&body, NULL, 0);
        assert_int_equal(body.error, 0);
        assert_int_equal(riad_catalog_apply(catalog, body.data, body.size, &hash), 0);
    }
}

static void all_of_many_are_found(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 }, copy = { 0 };
    struct riad_id id;

    (void)state;
    make_many(&catalog);
    assert_int_equal(catalog.workspace_count, MANY);
    assert_int_equal(riad_catalog_copy(&catalog, &copy), 0);
    for (uint32_t i = 0; i < MANY; i++) {
        id = many_of(i);
        assert_ptr_equal(riad_catalog_find(&catalog, &id), &catalog.workspaces[i]);
        assert_ptr_equal(riad_catalog_find(&copy, &id), &copy.workspaces[i]);
    }
    id = many_of(MANY);
    assert_null(riad_catalog_find(&catalog, &id));
    assert_null(riad_catalog_find(&copy, &id));
}

/* Written into the store in batches, so that others can read them. */
static void publish_many(struct riad_catalog *catalog)
{
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(add(catalog, (uint8_t)(i + 1), 1), 0);
    }
}

static void limits_of_many_are_few_batches(void **state)
{
    _cleanup_free_ struct riad_catalog_limit_setting *settings = calloc(MANY, sizeof *settings);
    _cleanup_catalog_ struct riad_catalog catalog = { 0 }, again = { 0 };
    size_t before;

    (void)state;
    assert_non_null(settings);
    publish_many(&catalog);
    before = catalog.ends.count;
    for (uint32_t i = 0; i < MANY; i++) {
        settings[i] = (struct riad_catalog_limit_setting){ id_of((uint8_t)(1 + i % 4)), some };
        settings[i].limit.bytes_hard = 1000 + i;
    }
    assert_int_equal(
            riad_catalog_set_limits(&fixture.store, &fixture.keys, &catalog, settings, MANY), 0);
    assert_int_equal(catalog.ends.count, before + (MANY + LIMITS_A_BATCH - 1) / LIMITS_A_BATCH);
    assert_int_equal(load(&again), 0);
    assert_true(hard_limit(&again, 1) == 1000 + MANY - 4); /* the last one holds */
    assert_true(hard_limit(&again, 4) == 1000 + MANY - 1);
    assert_int_equal(again.workspaces[0].limit.grace_inodes, 60);
}

/* One that is not there, or is none, sets none of its batch. */
static void one_bad_limit_sets_none(void **state)
{
    struct riad_catalog_limit_setting settings[] = { { id_of(1), some }, { id_of(3), some } };
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 5), 0);
    assert_int_equal(
            riad_catalog_set_limits(&fixture.store, &fixture.keys, &catalog, settings, 2), -ENOENT);
    settings[1] = (struct riad_catalog_limit_setting){ id_of(1), { .bytes_soft = 2 } };
    settings[1].limit.bytes_hard = 1;
    assert_int_equal(
            riad_catalog_set_limits(&fixture.store, &fixture.keys, &catalog, settings, 2), -EINVAL);
    assert_true(hard_limit(&catalog, 1) == 5);
    assert_int_equal(
            riad_catalog_set_limits(&fixture.store, &fixture.keys, &catalog, settings, 0), 0);
    assert_int_equal(catalog.ends.count, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_default_is_of_nobody_yet),
        TEST(a_soft_limit_is_not_above_its_hard_one),
        TEST(forged_defaults_are_refused),
        TEST(all_of_many_are_found),
        TEST(limits_of_many_are_few_batches),
        TEST(one_bad_limit_sets_none),
    };

    return cmocka_run_group_tests_name("catalog_limit", tests, NULL, NULL);
}
