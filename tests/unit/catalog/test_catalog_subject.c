/* Limits of users and groups, and grants of them. */
#include "catalog_fixture.h"
#include "catalog_priv.h"

static int set_limit_of(struct riad_catalog *catalog, enum riad_catalog_subject_kind kind,
        uint32_t id, uint64_t bytes)
{
    const struct riad_catalog_subject subject = { kind, id, { .bytes_hard = bytes }, NULL, 0,
        { 0 } };

    return riad_catalog_set_subjects(&fixture.store, &fixture.keys, catalog, &subject, 1);
}

static int grant(struct riad_catalog *catalog, enum riad_catalog_subject_kind kind, uint32_t id,
        uint8_t workspace, uint64_t bytes)
{
    struct riad_catalog_grant grants[] = { { id_of(workspace), bytes, 3 } };
    const struct riad_catalog_subject *present = riad_catalog_find_subject(catalog, kind, id);
    struct riad_catalog_subject subject = { kind, id, { 0 }, grants, 1, { 0 } };

    subject.clock = present ? present->clock : subject.clock;
    return riad_catalog_set_grants(&fixture.store, &fixture.keys, catalog, &subject);
}

static void assert_grant(const struct riad_catalog *catalog, enum riad_catalog_subject_kind kind,
        uint32_t id, uint8_t workspace, uint64_t bytes)
{
    const struct riad_catalog_subject *subject = riad_catalog_find_subject(catalog, kind, id);
    const struct riad_id workspace_id = id_of(workspace);
    const struct riad_catalog_grant *found;

    assert_non_null(subject);
    found = riad_catalog_find_grant(subject, &workspace_id);
    assert_non_null(found);
    assert_int_equal(found->bytes, bytes);
    assert_int_equal(found->inodes, 3);
}

static void limits_and_grants_are_kept(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 }, again = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 0), 0);
    assert_int_equal(add(&catalog, 2, 0), 0);
    for (uint32_t i = 0; i < 40; i++) {
        assert_int_equal(set_limit_of(&catalog, RIAD_CATALOG_USER, i * 7919 % 40, i), 0);
    }
    assert_int_equal(set_limit_of(&catalog, RIAD_CATALOG_GROUP, 5, 1000), 0);
    assert_int_equal(set_limit_of(&catalog, RIAD_CATALOG_USER, UINT32_MAX, 9), 0);
    assert_int_equal(grant(&catalog, RIAD_CATALOG_GROUP, 5, 1, 400), 0);
    assert_int_equal(grant(&catalog, RIAD_CATALOG_GROUP, 5, 2, 500), 0);
    assert_int_equal(grant(&catalog, RIAD_CATALOG_GROUP, 5, 1, 100), 0);
    assert_int_equal(set_limit_of(&catalog, RIAD_CATALOG_GROUP, 5, 2000), 0); /* grants stay */
    assert_int_equal(load(&again), 0);
    for (int i = 0; i < 2; i++) {
        const struct riad_catalog *seen = i ? &again : &catalog;

        assert_int_equal(seen->subject_count, 42);
        for (size_t k = 1; k < seen->subject_count; k++) {
            const struct riad_catalog_subject *before = &seen->subjects[k - 1];

            assert_true(before->kind < seen->subjects[k].kind || before->id < seen->subjects[k].id);
        }
        assert_grant(seen, RIAD_CATALOG_GROUP, 5, 1, 100);
        assert_grant(seen, RIAD_CATALOG_GROUP, 5, 2, 500);
        assert_int_equal(
                riad_catalog_find_subject(seen, RIAD_CATALOG_GROUP, 5)->limit.bytes_hard, 2000);
        assert_null(riad_catalog_find_subject(seen, RIAD_CATALOG_GROUP, 6));
        assert_null(riad_catalog_find_subject(seen, RIAD_CATALOG_USER, 41));
    }
}

static int set_clock(struct riad_catalog *catalog, uint64_t bytes, uint64_t inodes)
{
    const struct riad_catalog_subject subject = { RIAD_CATALOG_USER, 7, { 0 }, NULL, 0,
        { bytes, inodes } };

    return riad_catalog_set_grants(&fixture.store, &fixture.keys, catalog, &subject);
}

static void clocks_are_kept(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 }, again = { 0 };
    const struct riad_catalog_subject *seen;
    uint64_t number;

    (void)state;
    assert_int_equal(set_clock(&catalog, 1, 0), -ENOENT);
    assert_int_equal(add(&catalog, 1, 0), 0);
    assert_int_equal(set_limit_of(&catalog, RIAD_CATALOG_USER, 7, 1), 0);
    assert_int_equal(set_clock(&catalog, 5, INT64_MAX), -EINVAL); /* a grace is added to it */
    assert_int_equal(set_clock(&catalog, 5, 6), 0);
    number = riad_chain_last(&catalog.ends).next_number;
    assert_int_equal(set_clock(&catalog, 5, 6), 0); /* nothing is written for nothing */
    assert_int_equal(riad_chain_last(&catalog.ends).next_number, number);
    assert_int_equal(grant(&catalog, RIAD_CATALOG_USER, 7, 1, 100), 0);
    assert_int_equal(set_clock(&catalog, 0, 6), 0);
    assert_int_equal(set_limit_of(&catalog, RIAD_CATALOG_USER, 7, 2), 0);
    assert_int_equal(load(&again), 0);
    seen = riad_catalog_find_subject(&again, RIAD_CATALOG_USER, 7);
    assert_int_equal(seen->clock.bytes_over_since, 0);
    assert_int_equal(seen->clock.inodes_over_since, 6);
    assert_grant(&again, RIAD_CATALOG_USER, 7, 1, 100);
}

/* P7: two nodes that see the same room do not both give it away. */
static void grants_reckoned_by_an_older_catalog_are_refused(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 }, other = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 0), 0);
    assert_int_equal(add(&catalog, 2, 0), 0);
    assert_int_equal(set_limit_of(&catalog, RIAD_CATALOG_USER, 7, 100), 0);
    assert_int_equal(load(&other), 0);
    assert_int_equal(grant(&catalog, RIAD_CATALOG_USER, 7, 1, 100), 0);
    assert_int_equal(grant(&other, RIAD_CATALOG_USER, 7, 2, 100), -ESTALE);
    assert_int_equal(riad_catalog_catch_up(&fixture.store, &other), 0);
    assert_int_equal(add(&catalog, 3, 0), 0); /* what is no limit is no reason */
    assert_int_equal(grant(&other, RIAD_CATALOG_USER, 7, 2, 0), 0);
    assert_int_equal(set_limit_of(&catalog, RIAD_CATALOG_USER, 7, 50), 0);
    assert_int_equal(grant(&other, RIAD_CATALOG_USER, 7, 2, 10), -ESTALE);
}

static void what_cannot_be_is_not_written(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    struct riad_catalog_subject subject = { RIAD_CATALOG_USER, 1,
        { .bytes_soft = 2, .bytes_hard = 1 }, NULL, 0, { 0 } };

    (void)state;
    assert_int_equal(add(&catalog, 1, 0), 0);
    assert_int_equal(grant(&catalog, RIAD_CATALOG_USER, 1, 1, 1), -ENOENT); /* it has no limit */
    assert_int_equal(
            riad_catalog_set_subjects(&fixture.store, &fixture.keys, &catalog, &subject, 1),
            -EINVAL);
    subject.limit.bytes_soft = 0;
    subject.kind = 1;
    assert_int_equal(
            riad_catalog_set_subjects(&fixture.store, &fixture.keys, &catalog, &subject, 1),
            -EINVAL);
    assert_int_equal(set_limit_of(&catalog, RIAD_CATALOG_USER, 1, 1), 0);
    assert_int_equal(grant(&catalog, RIAD_CATALOG_USER, 1, 9, 1), -ENOENT);
    assert_int_equal(grant(&catalog, RIAD_CATALOG_USER, 1, 1, 1), 0);
}

/* A workspace, a limit of user 7, and a grant as the test writes it. */
static int load_grant(uint8_t kind, uint32_t id, uint8_t workspace, int more)
{
    const struct riad_catalog_batch batch = { .count = 3 };
    const struct riad_catalog_workspace home = { .id = id_of(1), .kind = RIAD_KIND_HOME };
    const struct riad_catalog_subject subject = { RIAD_CATALOG_USER, 7, { 0 }, NULL, 0, { 0 } };
    const struct riad_catalog_addition addition = { .subjects = &subject, .subject_count = 1 };
    const struct riad_id workspace_id = id_of(workspace);
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };

    riad_writer_init_growing(&body, 4096, RIAD_ENVELOPE_BODY_MAX);
    riad_catalog_batch_encode(&batch, &body);
    riad_catalog_put_workspace_entry(&home, &body);
    riad_catalog_put_subjects(&addition, &body);
    riad_put_u8(&body, RIAD_CATALOG_ENTRY_GRANT);
    riad_put_u8(&body, 0);
    riad_put_u32(&body, (uint32_t)(37 + more));
    riad_put_u8(&body, kind);
    riad_put_u32(&body, id);
    riad_put_id(&body, &workspace_id);
    riad_put_zeros(&body, (size_t)(16 + more));
    riad_put_b32(&body, NULL, 0);
    return load_body(&body);
}

static void forged_grants_are_refused(void **state)
{
    (void)state;
    assert_int_equal(load_grant(2, 7, 1, 0), 0);
    assert_int_equal(load_grant(2, 7, 1, 1), -EBADMSG);
    assert_int_equal(load_grant(2, 7, 1, -1), -EBADMSG);
    assert_int_equal(load_grant(3, 7, 1, 0), -EBADMSG);
    assert_int_equal(load_grant(1, 7, 1, 0), -EBADMSG);
    assert_int_equal(load_grant(0, 7, 1, 0), -EBADMSG);
    assert_int_equal(load_grant(2, 8, 1, 0), -EBADMSG);
    assert_int_equal(load_grant(2, 7, 2, 0), -EBADMSG);
}

/* As above, of a clock. */
static int load_clock(uint8_t kind, uint32_t id, uint64_t since, size_t more)
{
    const struct riad_catalog_batch batch = { .count = 2 };
    const struct riad_catalog_subject subject = { RIAD_CATALOG_USER, 7, { 0 }, NULL, 0, { 0 } };
    const struct riad_catalog_addition addition = { .subjects = &subject, .subject_count = 1 };
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };

    riad_writer_init_growing(&body, 4096, RIAD_ENVELOPE_BODY_MAX);
    riad_catalog_batch_encode(&batch, &body);
    riad_catalog_put_subjects(&addition, &body);
    riad_put_u8(&body, RIAD_CATALOG_ENTRY_CLOCK);
    riad_put_u8(&body, 0);
    riad_put_u32(&body, (uint32_t)(21 + more));
    riad_put_u8(&body, kind);
    riad_put_u32(&body, id);
    riad_put_u64(&body, 1);
    riad_put_u64(&body, since);
    riad_put_zeros(&body, more);
    riad_put_b32(&body, NULL, 0);
    return load_body(&body);
}

static void forged_clocks_are_refused(void **state)
{
    (void)state;
    assert_int_equal(load_clock(2, 7, 1, 0), 0);
    assert_int_equal(load_clock(2, 7, INT64_MAX - UINT32_MAX, 0), 0);
    assert_int_equal(load_clock(2, 7, (uint64_t)INT64_MAX - UINT32_MAX + 1, 0), -EBADMSG);
    assert_int_equal(load_clock(2, 7, 1, 1), -EBADMSG);
    assert_int_equal(load_clock(3, 7, 1, 0), -EBADMSG);
    assert_int_equal(load_clock(1, 7, 1, 0), -EBADMSG);
    assert_int_equal(load_clock(2, 8, 1, 0), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(limits_and_grants_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(clocks_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(
                grants_reckoned_by_an_older_catalog_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(forged_clocks_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_is_not_written, setup, teardown),
        cmocka_unit_test_setup_teardown(forged_grants_are_refused, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
