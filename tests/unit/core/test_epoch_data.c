/* Who has left with an epoch still has its keys, and can make records with any tag under them: none
 * of those may take the place of data that was written since (K2). */
#include "forge.h"

enum { FORGED_FROM = 16, FORGED_TO = 4096 };

static int keep(void *context, const struct riad_extent *extent)
{
    *(struct riad_extent *)context = *extent;
    return 1;
}

/* The first extent of a file; all of it is in the store. */
static void forge_file(struct riad_workspace *workspace, const char *name, uint32_t epoch)
{
    uint64_t inode = inode_of(workspace, 1, name);
    struct riad_extent extent = { 0 };

    assert_int_equal(riad_log_ship(workspace->log), 0);
    assert_int_equal(riad_workspace_lock(workspace), 0);
    assert_int_equal(riad_index_extents(workspace->index, inode, 0, 1, keep, &extent), 0);
    riad_workspace_unlock(workspace);
    assert_int_not_equal(extent.segment, 0);
    forge_record(&extent, epoch);
}

static void write_file(struct riad_workspace *workspace, const char *name, int value, size_t size)
{
    write_fill(workspace, make_file(workspace, 1, name), 0, value, size);
}

static int read_file(struct riad_workspace *workspace, const char *name, uint8_t *ret)
{
    uint32_t done = 0;

    return riad_read(workspace, inode_of(workspace, 1, name), FORGED_FROM, FORGED_TO - FORGED_FROM,
            ret, &done);
}

static void assert_not_believed(struct riad_workspace *workspace, const char *name)
{
    uint8_t data[FORGED_TO];

    assert_int_equal(read_file(workspace, name, data), -EIO);
    assert_non_null(strstr(status_of(workspace).event, "damaged or forged"));
}

/* The forgery is as good as can be: only its epoch is not. */
static void assert_believed(struct riad_workspace *workspace, const char *name)
{
    uint8_t data[FORGED_TO];

    assert_int_equal(read_file(workspace, name, data), 0);
    for (size_t i = 0; i < FORGED_TO - FORGED_FROM; i++) {
        assert_int_equal(data[i], FORGED_VALUE);
    }
}

static void write_both(struct riad_workspace *workspace, int value)
{
    const char small[] = { 's', (char)value, '\0' }, bulk[] = { 'b', (char)value, '\0' };

    write_file(workspace, small, value, SMALL);
    write_file(workspace, bulk, value, BULK);
}

static void assert_both(struct riad_workspace *workspace, int value)
{
    const char small[] = { 's', (char)value, '\0' }, bulk[] = { 'b', (char)value, '\0' };

    assert_filled(workspace, inode_of(workspace, 1, small), 0, value, SMALL);
    assert_filled(workspace, inode_of(workspace, 1, bulk), 0, value, BULK);
}

static void assert_found_by_fsck(unsigned count)
{
    struct riad_workspace_config config;
    struct riad_fsck_result result;

    fixture_configure(&fixture, &config);
    assert_int_equal(riad_fsck_run(&config, NULL, NULL, &result, &fixture.reason), 0);
    assert_true(count == 0 ? result.findings == 0 : result.findings >= count);
}

/* "1" and "2" by epoch: what was written in it. */
static struct riad_workspace *rotated(void)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    write_both(workspace, '1');
    rotate(workspace, 2);
    write_both(workspace, '2');
    return workspace;
}

static void a_running_workspace_refuses_what_a_former_member_puts_there(void **state)
{
    struct riad_workspace *workspace = rotated();

    (void)state;
    forge_file(workspace, "s2", 1);
    forge_file(workspace, "b2", 1);
    assert_not_believed(workspace, "s2");
    assert_not_believed(workspace, "b2");
    assert_both(workspace, '1');
    fixture_close(workspace);
}

/* With what the store says alone, and with a kept state. */
static void so_do_later_openings(void **state)
{
    struct riad_workspace *workspace = rotated();

    (void)state;
    forge_file(workspace, "b2", 1);
    fixture_close(workspace);
    for (int i = 0; i < 2; i++) {
        workspace = fixture_open(&fixture);
        assert_not_believed(workspace, "b2");
        assert_filled(workspace, inode_of(workspace, 1, "s2"), 0, '2', SMALL);
        assert_both(workspace, '1');
        fixture_close(workspace);
        assert_found_by_fsck(1);
        fixture_forget(&fixture);
    }
    fixture.epoch_end_count = 0; /* who is not told of the end cannot know */
    workspace = fixture_open(&fixture);
    assert_believed(workspace, "b2");
    fixture_close(workspace);
}

/* The end was never registered: what is written since the next opening is safe all the same, and
 * what is authentic is read. */
static void terms_bound_it_too(void **state)
{
    struct riad_workspace *workspace = rotated();

    (void)state;
    fixture_close(workspace);
    fixture.epoch_end_count = 0;
    workspace = fixture_open(&fixture);
    write_both(workspace, '3');
    forge_file(workspace, "b3", 1);
    assert_not_believed(workspace, "b3");
    for (int i = 0; i < 2; i++) {
        assert_both(workspace, '1');
        assert_both(workspace, '2');
        assert_filled(workspace, inode_of(workspace, 1, "s3"), 0, '3', SMALL);
        assert_not_believed(workspace, "b3");
        fixture_close(workspace);
        fixture_forget(&fixture);
        workspace = fixture_open(&fixture);
    }
    fixture_close(workspace);
}

static void fsck_finds_it_in_the_log(void **state)
{
    struct riad_workspace *workspace = rotated();

    (void)state;
    forge_file(workspace, "s2", 1);
    fixture_close(workspace);
    assert_found_by_fsck(1);
    fixture.epoch_end_count = 0;
    assert_found_by_fsck(0);
}

/* What was hers to write she can write still: it is of her epoch. */
static void data_of_the_ended_epoch_is_read(void **state)
{
    struct riad_workspace *workspace = rotated();

    (void)state;
    forge_file(workspace, "s1", 1);
    forge_file(workspace, "b1", 1);
    assert_believed(workspace, "s1");
    assert_believed(workspace, "b1");
    assert_both(workspace, '2');
    fixture_close(workspace);
}

/* Each of several epochs, in several terms: nobody's keys reach beyond their end. */
static void each_epoch_has_its_segments(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    (void)state;
    for (uint32_t epoch = 1; epoch <= 4; epoch++) {
        if (epoch > 1) {
            rotate(workspace, epoch);
        }
        write_both(workspace, (int)('0' + epoch));
        fixture_close(workspace);
        workspace = fixture_open(&fixture);
        write_both(workspace, (int)('a' + epoch));
    }
    fixture_close(workspace);
    assert_found_by_fsck(0);
    for (int i = 0; i < 2; i++) {
        workspace = fixture_open(&fixture);
        for (uint32_t epoch = 1; epoch <= 4; epoch++) {
            assert_both(workspace, (int)('0' + epoch));
            assert_both(workspace, (int)('a' + epoch));
        }
        assert_int_equal(riad_workspace_checkpoint(workspace), 0);
        fixture_close(workspace);
        fixture_forget(&fixture);
    }
    workspace = fixture_open(&fixture);
    forge_file(workspace, "bd", 2); /* of epoch 3 */
    forge_file(workspace, "sd", 1);
    forge_file(workspace, "bc", 2); /* of epoch 2, in a later term */
    assert_not_believed(workspace, "bd");
    assert_not_believed(workspace, "sd");
    assert_believed(workspace, "bc");
    fixture_close(workspace);
}

/* The process died before it registered the end: the next opening says one that is later, and
 * refuses nothing that is authentic. */
static void an_end_that_is_registered_late_bounds_what_follows(void **state)
{
    struct riad_workspace *workspace;
    struct riad_epoch_end late = { .epoch = 1 };

    (void)state;
    run_and_die(&fixture, die_at_once);
    fixture.epoch = 2;
    workspace = fixture_open(&fixture);
    late.end = status_of(workspace).end;
    late.segment = status_of(workspace).last_segment_before;
    assert_true(late.segment >= told->segment);
    write_both(workspace, '2');
    fixture_close(workspace);
    fixture_end_epoch(&fixture, &late);
    for (int i = 0; i < 2; i++) {
        workspace = fixture_open(&fixture);
        assert_both(workspace, '2');
        assert_filled(workspace, inode_of(workspace, inode_of(workspace, 1, "one"), "file"), 0, '1',
                SMALL);
        assert_int_equal(status_of(workspace).last_segment_before, late.segment);
        fixture_close(workspace);
        assert_found_by_fsck(0);
        fixture_forget(&fixture);
    }
    workspace = fixture_open(&fixture);
    forge_file(workspace, "b2", 1);
    forge_file(workspace, "s2", 1);
    assert_not_believed(workspace, "b2");
    assert_not_believed(workspace, "s2");
    fixture_close(workspace);
}

/* Writes "b2" under epoch 2, and nothing syncs it; who has left puts hers there. */
static int die_beside_a_forger(struct fixture *of)
{
    _cleanup_secret_ struct riad_secret *subkeys = fixture_subkeys(of, 2);
    struct riad_workspace *workspace = NULL;
    int r = fixture_try_open(of, &workspace);

    if (r < 0) {
        return r;
    }
    riad_background_stop(workspace);
    r = riad_workspace_rotate(workspace, 2, subkeys, told);
    if (r < 0) {
        return r;
    }
    write_file(workspace, "b2", '2', BULK);
    forge_file(workspace, "b2", 1);
    return commit_index(workspace);
}

/* As one that a power cut took (P3): the history ends before the change that wrote it. */
static void data_that_was_not_durable_is_missing_then(void **state)
{
    for (int i = 0; i < 2; i++) {
        struct riad_workspace *workspace;
        uint8_t data[FORGED_TO];

        run_and_die(&fixture, die_beside_a_forger);
        remember_rotation();
        if (i > 0) {
            fixture_forget(&fixture);
        }
        workspace = fixture_open(&fixture);
        assert_non_null(strstr(status_of(workspace).event, "were not durable"));
        assert_true(status_of(workspace).end.sequence.number >= told->end.sequence.number);
        assert_int_equal(
                look_up(workspace, 1, "b2") == 0 ? read_file(workspace, "b2", data) : 0, 0);
        fixture_close(workspace);
        assert_found_by_fsck(0);
        teardown_epochs(state);
        setup_epochs(state);
    }
}

static void the_status_says_where_the_epochs_before_end(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_epoch_end first, second;

    (void)state;
    assert_int_equal(status_of(workspace).last_segment_before, 0);
    write_both(workspace, '1');
    first = rotate(workspace, 2);
    assert_int_equal(status_of(workspace).last_segment_before, first.segment);
    second = rotate(workspace, 3);
    assert_true(second.segment > first.segment);
    assert_int_equal(status_of(workspace).last_segment_before, second.segment);
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    assert_int_equal(status_of(workspace).last_segment_before, (uint64_t)2 << 32);
    fixture_close(workspace);
    fixture.read_only = true;
    workspace = fixture_open(&fixture);
    assert_int_equal(status_of(workspace).last_segment_before, (uint64_t)2 << 32);
    fixture_close(workspace);
}

/* Terms of these epochs, numbered from 2 in steps of 2; the next one is 100. */
static uint64_t before(const char *epochs, uint32_t epoch)
{
    struct riad_term terms[8] = { 0 };
    struct riad_history history = { .terms = terms, .count = strlen(epochs) };

    for (size_t i = 0; i < history.count; i++) {
        terms[i].number = 2 * (uint32_t)i + 2;
        terms[i].epoch = (uint32_t)(epochs[i] - '0');
    }
    return riad_epoch_segment_before(&history, 100, epoch);
}

static void terms_say_where_older_epochs_may_be(void **state)
{
    (void)state;
    assert_int_equal(before("", 2), 0);
    assert_int_equal(before("111", 1), 0);
    assert_int_equal(before("111", 2), (uint64_t)100 << 32);
    assert_int_equal(before("112", 2), (uint64_t)6 << 32);
    assert_int_equal(before("1122", 2), (uint64_t)6 << 32);
    assert_int_equal(before("1122", 3), (uint64_t)100 << 32);
    assert_int_equal(before("1212", 2), (uint64_t)8 << 32); /* one who had not heard of it */
    assert_int_equal(before("222", 2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EPOCH(a_running_workspace_refuses_what_a_former_member_puts_there),
        EPOCH(so_do_later_openings),
        EPOCH(terms_bound_it_too),
        EPOCH(fsck_finds_it_in_the_log),
        EPOCH(data_of_the_ended_epoch_is_read),
        EPOCH(each_epoch_has_its_segments),
        EPOCH(an_end_that_is_registered_late_bounds_what_follows),
        EPOCH(data_that_was_not_durable_is_missing_then),
        EPOCH(the_status_says_where_the_epochs_before_end),
        EPOCH(terms_say_where_older_epochs_may_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
