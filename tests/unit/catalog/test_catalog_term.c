/* Ends of epochs and bounds of terms (FORMAT 3.5, kinds 7 and 8). */
#include "project_fixture.h"

static struct riad_catalog_epoch_end end_of(uint32_t epoch)
{
    return (struct riad_catalog_epoch_end){ .epoch = epoch,
        .term = epoch + 100,
        .number = epoch * UINT64_C(0x100000001),
        .segment = epoch * UINT64_C(0x500000003),
        .chain = { { 9 } } };
}

static int end_epoch(struct riad_catalog *catalog, uint8_t number, uint32_t epoch)
{
    const struct riad_catalog_epoch_end end = end_of(epoch);
    const struct riad_id id = id_of(number);

    return riad_catalog_end_epoch(&fixture.store, &fixture.keys, catalog, &id, &end);
}

static struct riad_public_key node_of(uint8_t number)
{
    return (struct riad_public_key){ .bytes = { [31] = number } };
}

/* Bounds the node's terms in these workspaces, a letter each, to `last` and what follows. */
static int bound(struct riad_catalog *catalog, uint8_t node, const char *numbers, uint32_t last)
{
    const struct riad_public_key key = node_of(node);
    struct riad_catalog_bound bounds[16];
    size_t count = strlen(numbers);

    for (size_t i = 0; i < count; i++) {
        bounds[i].workspace = id_of((uint8_t)(numbers[i] - '0'));
        bounds[i].last = last + (uint32_t)i;
    }
    return riad_catalog_bound_terms(&fixture.store, &fixture.keys, catalog, &key, bounds, count);
}

/* Byte for byte as FORMAT 3.5 says. */
static void entries_are_as_the_format_says(void **state)
{
    const struct riad_catalog_epoch_end end = { .epoch = 0x01020304,
        .term = 0x05060708,
        .number = UINT64_C(0x090a0b0c0d0e0f10),
        .segment = UINT64_C(0x1718191a1b1c1d1e),
        .chain = { { 0xc0 } } };
    const struct riad_catalog_term_bound bound = { { { 0xb0 } }, 0x11121314 };
    const struct riad_id id = id_of(0xa0);
    struct riad_writer writer;
    uint8_t bytes[256];
    char text[2 * sizeof bytes + 1];

    (void)state;
    riad_writer_init_fixed(&writer, bytes, sizeof bytes);
    riad_catalog_put_epoch_end_entry(&id, &end, &writer);
    riad_catalog_put_term_bound_entry(&id, &bound, &writer);
    assert_int_equal(writer.error, 0);
    riad_hex_encode(bytes, writer.size, text);
    assert_string_equal(text, "070048000000"
                              "a0000000000000000000000000000000"
                              "04030201"
                              "08070605"
                              "100f0e0d0c0b0a09"
                              "1e1d1c1b1a191817"
                              "c000000000000000000000000000000000000000000000000000000000000000"
                              "080034000000"
                              "b000000000000000000000000000000000000000000000000000000000000000"
                              "a0000000000000000000000000000000"
                              "14131211");
}

/* -1: not bound. */
static int64_t bound_of(const struct riad_catalog *catalog, uint8_t number, uint8_t node)
{
    const struct riad_public_key key = node_of(node);
    const struct riad_id id = id_of(number);
    const struct riad_catalog_term_bound *found =
            riad_catalog_find_bound(riad_catalog_find(catalog, &id), &key);

    return found ? (int64_t)found->last : -1;
}

static int delete_workspace(struct riad_catalog *catalog, uint8_t number)
{
    const struct riad_id id = id_of(number);

    return riad_catalog_delete_workspace(&fixture.store, &fixture.keys, catalog, &id);
}

static void assert_same_lists(
        const struct riad_catalog_workspace *a, const struct riad_catalog_workspace *b)
{
    assert_int_equal(a->epoch_end_count, b->epoch_end_count);
    assert_int_equal(a->term_bound_count, b->term_bound_count);
    for (size_t i = 0; i < a->epoch_end_count; i++) {
        assert_memory_equal(&a->epoch_ends[i], &b->epoch_ends[i], sizeof *a->epoch_ends);
    }
    for (size_t i = 0; i < a->term_bound_count; i++) {
        assert_memory_equal(&a->term_bounds[i], &b->term_bounds[i], sizeof *a->term_bounds);
    }
}

static void assert_reads_the_same(const struct riad_catalog *catalog)
{
    _cleanup_catalog_ struct riad_catalog again = { 0 };

    assert_int_equal(load(&again), 0);
    assert_int_equal(again.workspace_count, catalog->workspace_count);
    assert_int_equal(again.ends.count, catalog->ends.count);
    for (size_t i = 0; i < again.workspace_count; i++) {
        assert_same_lists(&again.workspaces[i], &catalog->workspaces[i]);
    }
}

/* The epochs that ended, digits; each as it was registered. */
static void assert_ended(const struct riad_catalog *catalog, uint8_t number, const char *epochs)
{
    const struct riad_id id = id_of(number);
    const struct riad_catalog_workspace *found = riad_catalog_find(catalog, &id);

    assert_int_equal(found->epoch_end_count, strlen(epochs));
    for (size_t i = 0; epochs[i]; i++) {
        const struct riad_catalog_epoch_end expected = end_of((uint32_t)(epochs[i] - '0'));

        assert_memory_equal(&found->epoch_ends[i], &expected, sizeof expected);
    }
}

static void each_epoch_ends_once_and_in_order(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1), 0);
    assert_int_equal(add(&catalog, 2, 1), 0);
    assert_ended(&catalog, 1, "");
    assert_int_equal(end_epoch(&catalog, 1, 1), 0);
    assert_int_equal(end_epoch(&catalog, 1, 1), -ESTALE);
    assert_int_equal(end_epoch(&catalog, 1, 2), 0);
    assert_int_equal(end_epoch(&catalog, 1, 5), 0);
    assert_int_equal(end_epoch(&catalog, 1, 4), -ESTALE);
    assert_int_equal(end_epoch(&catalog, 1, 5), -ESTALE);
    assert_int_equal(end_epoch(&catalog, 2, 3), 0);
    assert_ended(&catalog, 1, "125");
    assert_ended(&catalog, 2, "3");
    assert_reads_the_same(&catalog);
    assert_int_equal(end_epoch(&catalog, 1, 64), 0);
    assert_int_equal(end_epoch(&catalog, 1, 65), -EINVAL);
    assert_int_equal(end_epoch(&catalog, 2, 0), -EINVAL);
    assert_int_equal(catalog.ends.count, 2 + 5);
}

static void only_workspaces_that_live_end_epochs(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(end_epoch(&catalog, 1, 1), -ENOENT);
    assert_int_equal(add(&catalog, 1, 1), 0);
    assert_int_equal(end_epoch(&catalog, 2, 1), -ENOENT);
    assert_int_equal(end_epoch(&catalog, 1, 1), 0);
    assert_int_equal(delete_workspace(&catalog, 1), 0);
    assert_int_equal(end_epoch(&catalog, 1, 2), -ENOENT);
    assert_ended(&catalog, 1, "1");
    assert_reads_the_same(&catalog);
    fixture.store.read_only = true;
    assert_int_equal(end_epoch(&catalog, 1, 2), -EROFS);
    assert_int_equal(bound(&catalog, 1, "1", 2), -EROFS);
}

static void of_two_who_end_an_epoch_one_is_first(void **state)
{
    _cleanup_catalog_ struct riad_catalog one = { 0 };
    _cleanup_catalog_ struct riad_catalog two = { 0 };

    (void)state;
    assert_int_equal(add(&one, 1, 1), 0);
    assert_int_equal(load(&two), 0);
    assert_int_equal(end_epoch(&one, 1, 1), 0);
    assert_int_equal(end_epoch(&two, 1, 1), -ESTALE);
    assert_ended(&two, 1, ""); /* untouched */
    assert_int_equal(end_epoch(&two, 1, 2), 0);
    assert_ended(&two, 1, "12");
}

static void a_bound_is_set_once(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog stale = { 0 };

    (void)state;
    for (uint8_t i = 1; i <= 4; i++) {
        assert_int_equal(add(&catalog, i, 1), 0);
    }
    assert_int_equal(delete_workspace(&catalog, 4), 0);
    assert_int_equal(load(&stale), 0);
    assert_int_equal(catalog.ends.count, 5);
    assert_int_equal(bound(&catalog, 7, "14", 30), 0);
    assert_int_equal(catalog.ends.count, 6);
    assert_int_equal(riad_chain_last(&catalog.ends).next_number, 4 * 2 + 1 + 2);
    assert_true(bound_of(&catalog, 1, 7) == 30 && bound_of(&catalog, 4, 7) == 31);
    assert_true(bound_of(&catalog, 2, 7) == -1 && bound_of(&catalog, 1, 8) == -1);
    /* What is bound stays so. */
    assert_int_equal(bound(&stale, 7, "4231", 90), 0);
    assert_int_equal(riad_chain_last(&stale.ends).next_number, 4 * 2 + 1 + 4);
    assert_true(bound_of(&stale, 1, 7) == 30 && bound_of(&stale, 4, 7) == 31);
    assert_true(bound_of(&stale, 2, 7) == 91 && bound_of(&stale, 3, 7) == 92);
    assert_reads_the_same(&stale);
    /* Another node's are others; and 0 bounds all. */
    assert_int_equal(bound(&catalog, 8, "1", 0), 0);
    assert_true(bound_of(&catalog, 1, 8) == 0 && bound_of(&catalog, 1, 7) == 30);
    assert_true(bound_of(&catalog, 2, 7) == 91);
    assert_reads_the_same(&catalog);
}

static void nothing_to_bound_adds_nothing(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    _cleanup_catalog_ struct riad_catalog stale = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1), 0);
    assert_int_equal(load(&stale), 0);
    assert_int_equal(bound(&catalog, 7, "", 1), 0);
    assert_int_equal(catalog.ends.count, 1);
    assert_int_equal(bound(&catalog, 7, "1", UINT32_MAX), 0);
    assert_int_equal(catalog.ends.count, 2);
    assert_int_equal(bound(&stale, 7, "1", 5), 0);
    assert_int_equal(stale.ends.count, 2); /* brought up to date */
    assert_true(bound_of(&stale, 1, 7) == UINT32_MAX);
    assert_reads_the_same(&stale);
}

static void bounds_of_nothing_are_refused(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1), 0);
    assert_int_equal(add(&catalog, 2, 1), 0);
    assert_int_equal(bound(&catalog, 7, "13", 1), -ENOENT);
    assert_int_equal(bound(&catalog, 7, "121", 1), -EINVAL);
    assert_int_equal(catalog.ends.count, 2);
    assert_int_equal(bound_of(&catalog, 1, 7), -1);
}

/* Each addition works on a copy. */
static void lists_outlast_other_additions(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 10), 0);
    assert_int_equal(add(&catalog, 2, 10), 0);
    assert_int_equal(end_epoch(&catalog, 1, 1), 0);
    assert_int_equal(bound(&catalog, 7, "12", 5), 0);
    assert_int_equal(end_epoch(&catalog, 2, 4), 0);
    assert_int_equal(end_epoch(&catalog, 1, 2), 0);
    assert_int_equal(bound(&catalog, 9, "2", 8), 0);
    assert_int_equal(add(&catalog, 1, 10), -EEXIST);
    for (uint8_t i = 3; i < 20; i++) {
        assert_int_equal(add(&catalog, i, i), 0);
    }
    assert_ended(&catalog, 1, "12");
    assert_ended(&catalog, 2, "4");
    assert_true(bound_of(&catalog, 1, 7) == 5 && bound_of(&catalog, 2, 7) == 6);
    assert_true(bound_of(&catalog, 2, 9) == 8 && bound_of(&catalog, 1, 9) == -1);
    assert_reads_the_same(&catalog);
}

enum { MANY = 2500 };

static struct riad_id one_of_many(unsigned number)
{
    return (struct riad_id){ { (uint8_t)(number % 251), (uint8_t)(number >> 8), (uint8_t)number } };
}

/* A catalog of one batch with many workspaces. */
static void make_many(struct riad_catalog *ret)
{
    const struct riad_catalog_batch batch = { .count = MANY };
    _cleanup_(riad_writer_done) struct riad_writer body = { 0 };

    riad_writer_init_growing(&body, 4096, RIAD_ENVELOPE_BODY_MAX);
    riad_catalog_batch_encode(&batch, &body);
    for (unsigned i = 0; i < MANY; i++) {
        const struct riad_catalog_workspace workspace = { .id = one_of_many(i),
            .kind = RIAD_KIND_HOME };

        riad_catalog_put_workspace_entry(&workspace, &body);
    }
    riad_put_b32(&body, NULL, 0);
    assert_int_equal(load_body(&body), 0);
    assert_int_equal(load(ret), 0);
}

static int bound_many(struct riad_catalog *catalog, uint32_t last)
{
    _cleanup_free_ struct riad_catalog_bound *bounds = calloc(MANY, sizeof *bounds);
    const struct riad_public_key key = node_of(7);

    assert_non_null(bounds);
    for (unsigned i = 0; i < MANY; i++) {
        bounds[i] = (struct riad_catalog_bound){ one_of_many(i), last + i };
    }
    return riad_catalog_bound_terms(&fixture.store, &fixture.keys, catalog, &key, bounds, MANY);
}

static void assert_many_bound(const struct riad_catalog *catalog, unsigned other, uint32_t last)
{
    const struct riad_public_key key = node_of(7);

    for (unsigned i = 0; i < MANY; i++) {
        const struct riad_id id = one_of_many(i);
        const struct riad_catalog_term_bound *found =
                riad_catalog_find_bound(riad_catalog_find(catalog, &id), &key);

        assert_non_null(found);
        assert_int_equal(found->last, i == other ? last : 5 + i);
    }
}

/* A node's monitor signs 128 KiB at most: no batch comes near. */
static void many_bounds_go_out_in_batches(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    const struct riad_public_key key = node_of(7);
    struct riad_catalog_bound first = { one_of_many(1000), 1 };

    (void)state;
    make_many(&catalog);
    assert_int_equal(
            riad_catalog_bound_terms(&fixture.store, &fixture.keys, &catalog, &key, &first, 1), 0);
    assert_int_equal(bound_many(&catalog, 5), 0);
    assert_many_bound(&catalog, 1000, 1);
    assert_int_equal(catalog.ends.count, 1 + 1 + 3);
    assert_int_equal(riad_chain_last(&catalog.ends).next_number, MANY + MANY);
    for (size_t i = 1; i + 1 < catalog.ends.count; i++) {
        char name[17];
        struct stat st;

        snprintf(name, sizeof name, "%016llx",
                (unsigned long long)catalog.ends.items[i].next_number);
        assert_int_equal(fstatat(catalog_fd, name, &st, 0), 0);
        assert_true(st.st_size > 1000 && st.st_size < 100 << 10);
    }
    assert_int_equal(bound_many(&catalog, 900), 0);
    assert_int_equal(catalog.ends.count, 1 + 1 + 3);
    assert_reads_the_same(&catalog);
}

/* From some call on everything fails, for every such call: what is in the catalog is in the
 * caller's, and the same call goes on. */
static void bounds_that_were_cut_short_go_on(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    unsigned number = 20, failures = 0;
    int r;

    (void)state;
    make_many(&catalog);
    faults_install();
    do {
        faults_fail_from(FAULT_ANY, number += 9, EIO);
        r = bound_many(&catalog, 5);
        faults_fail(FAULT_NONE, 0, 0);
        assert_true(r == 0 || r == -EIO);
        failures += r < 0 && catalog.ends.count > 1 && catalog.ends.count < 4;
    } while (r < 0);
    assert_true(failures > 0);
    assert_int_equal(catalog.ends.count, 1 + 3);
    assert_many_bound(&catalog, MANY, 0);
    assert_reads_the_same(&catalog);
}

static void an_end_that_fails_leaves_old_or_new(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };
    const struct riad_id id = id_of(1);
    uint32_t epoch = 0;
    unsigned number = 0;
    int r;

    (void)state;
    assert_int_equal(add(&catalog, 1, 1), 0);
    faults_install();
    do {
        size_t batches = catalog.ends.count;

        faults_fail_from(FAULT_ANY, ++number, EIO);
        r = end_epoch(&catalog, 1, epoch + 1);
        faults_fail(FAULT_NONE, 0, 0);
        if (r < 0) {
            assert_int_equal(r, -EIO);
            assert_int_equal(catalog.ends.count, batches);
            riad_catalog_done(&catalog);
            assert_int_equal(load(&catalog), 0);
        }
        epoch += catalog.ends.count - batches;
        assert_int_equal(riad_catalog_find(&catalog, &id)->epoch_end_count, epoch);
    } while (r < 0);
    assert_true(number > 10);
    assert_reads_the_same(&catalog);
}

static void every_damage_is_refused(void **state)
{
    _cleanup_catalog_ struct riad_catalog catalog = { 0 };

    (void)state;
    assert_int_equal(add(&catalog, 1, 1), 0);
    assert_int_equal(end_epoch(&catalog, 1, 2), 0);
    assert_int_equal(bound(&catalog, 7, "1", 3), 0);
    assert_every_damage_refused(catalog_fd, "0000000000000002", try_load);
    assert_every_damage_refused(catalog_fd, "0000000000000003", try_load);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(entries_are_as_the_format_says),
        TEST(each_epoch_ends_once_and_in_order),
        TEST(only_workspaces_that_live_end_epochs),
        TEST(of_two_who_end_an_epoch_one_is_first),
        TEST(a_bound_is_set_once),
        TEST(nothing_to_bound_adds_nothing),
        TEST(bounds_of_nothing_are_refused),
        TEST(lists_outlast_other_additions),
        TEST(many_bounds_go_out_in_batches),
        TEST(bounds_that_were_cut_short_go_on),
        TEST(an_end_that_fails_leaves_old_or_new),
        TEST(every_damage_is_refused),
    };

    return cmocka_run_group_tests_name("catalog_term", tests, NULL, NULL);
}
