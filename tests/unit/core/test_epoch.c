/* The root key changes while a workspace is in use (K2): everything from then on is sealed under
 * the next one, nothing is lost, and who has only the old one can add nothing that counts. */
#include <pthread.h>
#include <sched.h>

#include "epoch.h"
#include "faults.h"

static int try_rotate(struct riad_workspace *workspace, uint32_t epoch)
{
    _cleanup_secret_ struct riad_secret *subkeys = fixture_subkeys(&fixture, epoch);
    struct riad_epoch_end end;

    return riad_workspace_rotate(workspace, epoch, subkeys, &end);
}

/* No record that lies behind the end, in whatever segment was begun since, is of the epoch that
 * ended, and no log record before it is of the next. Returns how many lie behind. */
static unsigned assert_log_apart(const struct riad_epoch_end *past)
{
    const struct riad_end *end = &past->end;
    _cleanup_free_ uint64_t *ids = NULL;
    struct riad_record_header header;
    unsigned behind = 0;
    size_t count = 0;

    assert_int_equal(riad_segment_list(fixture.workspace_fd, RIAD_SEGMENT_LOG, &ids, &count), 0);
    for (size_t i = 0; i < count; i++) {
        _cleanup_close_ int fd = open_segment(ids[i]);

        for (off_t at = 0; read_header(fd, at, &header) == 0;
                at += RIAD_RECORD_OVERHEAD + header.length) {
            bool later = ids[i] > end->segment ||
                         (ids[i] == end->segment && (uint64_t)at >= end->offset);

            assert_true(later ? header.epoch > past->epoch : header.epoch <= past->epoch);
            assert_int_equal(ids[i] > past->segment, header.epoch > past->epoch);
            behind += later;
        }
    }
    return behind;
}

enum { THREADS = 4, FILES = 40, PIECE = 3000, PIECES = 100 };

struct gardener {
    struct riad_workspace *workspace;
    const atomic_bool *rotated; /* no more rotations come */
    int number;
    int result;
};

/* Small files, bulk files, and one that grows by small appends, so that it is gathered. */
static void *dig(void *argument)
{
    struct gardener *gardener = argument;
    struct riad_inode row, grown;
    char name[32];
    int r;

    snprintf(name, sizeof name, "grown%d", gardener->number);
    r = riad_mknod(gardener->workspace, &alice, 1, name, S_IFREG | 0644, 0, &grown);
    for (int i = 0; i < FILES && r >= 0; i++) {
        snprintf(name, sizeof name, "f%d-%d", gardener->number, i);
        r = riad_mknod(gardener->workspace, &alice, 1, name, S_IFREG | 0644, 0, &row);
        r = r < 0 ? r
                  : fill(gardener->workspace, row.inode, 0, gardener->number + i,
                            i % 2 ? BULK : SMALL);
        for (int k = 0; k < PIECES / 10 && r >= 0; k++) {
            r = fill(gardener->workspace, grown.inode, (uint64_t)(i * PIECES / 10 + k) * PIECE,
                    gardener->number, PIECE);
        }
    }
    snprintf(name, sizeof name, "last%d", gardener->number);
    r = r < 0 ? r : riad_mknod(gardener->workspace, &alice, 1, name, S_IFREG | 0644, 0, &row);
    while (r >= 0 && !atomic_load(gardener->rotated)) {
        r = fill(gardener->workspace, row.inode, 0, 'l', BULK);
        riad_sleep_ms(1);
    }
    gardener->result = r < 0 ? r : fill(gardener->workspace, row.inode, 0, 'l', BULK);
    return NULL;
}

static void assert_dug(struct riad_workspace *workspace)
{
    char name[32];

    for (int number = 0; number < THREADS; number++) {
        snprintf(name, sizeof name, "last%d", number);
        assert_filled(workspace, inode_of(workspace, 1, name), 0, 'l', BULK);
        snprintf(name, sizeof name, "grown%d", number);
        assert_filled(workspace, inode_of(workspace, 1, name), 0, number,
                (size_t)FILES * (PIECES / 10) * PIECE);
        for (int i = 0; i < FILES; i++) {
            snprintf(name, sizeof name, "f%d-%d", number, i);
            assert_filled(
                    workspace, inode_of(workspace, 1, name), 0, number + i, i % 2 ? BULK : SMALL);
        }
    }
}

static void dig_through_rotations(struct riad_workspace *workspace, struct riad_epoch_end ends[2])
{
    struct gardener gardeners[THREADS];
    pthread_t threads[THREADS];
    atomic_bool rotated = false;
    uint64_t from = 200;

    for (int i = 0; i < THREADS; i++) {
        gardeners[i] =
                (struct gardener){ .workspace = workspace, .rotated = &rotated, .number = i };
        assert_int_equal(pthread_create(&threads[i], NULL, dig, &gardeners[i]), 0);
    }
    for (uint32_t epoch = 2; epoch <= 3; epoch++) {
        while (status_of(workspace).end.sequence.number < from + 200) {
            sched_yield();
        }
        ends[epoch - 2] = rotate(workspace, epoch);
        from = ends[epoch - 2].end.sequence.number; /* so each epoch has some bulk data */
    }
    atomic_store(&rotated, true);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(gardeners[i].result, 0);
    }
}

/* Opened with all keys, with a kept state, without one, and from a checkpoint. */
static void a_workspace_in_use_changes_its_key(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct rows before, after;
    struct riad_epoch_end ends[2];

    (void)state;
    dig_through_rotations(workspace, ends);
    assert_int_equal(status_of(workspace).epoch, 3);
    assert_int_equal(status_of(workspace).term, 1);
    assert_true(status_of(workspace).end.sequence.number > ends[1].end.sequence.number);
    assert_dug(workspace);
    assert_extents_apart(workspace, ends, 2);
    before = rows_of(workspace);
    fixture_close(workspace);
    for (uint32_t epoch = 1; epoch <= 2; epoch++) {
        assert_true(assert_log_apart(&ends[epoch - 1]) > 0);
        assert_true(assert_data_apart(epoch + 1) > 0);
    }
    fixture_assert_sound(&fixture);
    for (int i = 0; i < 3; i++) {
        workspace = fixture_open(&fixture);
        after = rows_of(workspace);
        assert_same_rows(&before, &after);
        assert_dug(workspace);
        assert_int_equal(i > 0 ? riad_workspace_checkpoint(workspace) : 0, 0);
        fixture_close(workspace);
        fixture_forget(&fixture);
    }
    fixture_assert_sound(&fixture);
}

static void epochs_come_one_after_the_other(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_epoch_end first, second;

    (void)state;
    assert_int_equal(status_of(workspace).epoch, 1);
    assert_int_equal(try_rotate(workspace, 1), -EALREADY);
    assert_int_equal(try_rotate(workspace, 3), -EINVAL);
    make_directory(workspace, 1, "a");
    first = rotate(workspace, 2);
    assert_int_equal(first.end.sequence.number, status_of(workspace).end.sequence.number);
    assert_int_equal(first.end.sequence.number, status_of(workspace).synced.sequence.number);
    assert_int_equal(try_rotate(workspace, 2), -EALREADY);
    second = rotate(workspace, 3); /* without a change in between */
    assert_memory_equal(&first.end.chain, &second.end.chain, sizeof first.end.chain);
    make_directory(workspace, 1, "b");
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    assert_int_equal(status_of(workspace).epoch, 3);
    assert_int_equal(look_up(workspace, 1, "b"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    fixture.read_only = true;
    workspace = fixture_open(&fixture);
    assert_int_equal(try_rotate(workspace, 4), -EROFS);
    assert_int_equal(status_of(workspace).epoch, 3);
    fixture_close(workspace);
}

/* The index was made under epoch 1's keys and is used on: nothing is replayed. */
static void the_index_is_used_on(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    (void)state;
    populate(workspace, "one");
    rotate(workspace, 2);
    make_directory(workspace, 1, "two");
    fixture_close(workspace);
    workspace = fixture_open(&fixture);
    assert_true(status_of(workspace).replayed_changes < 5);
    assert_int_equal(look_up(workspace, inode_of(workspace, 1, "one"), "large"), 0);
    assert_int_equal(look_up(workspace, 1, "two"), 0);
    fixture_close(workspace);
}

static void with_keys_missing_opening_is_refused(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_epoch_end end;

    (void)state;
    populate(workspace, "one");
    rotate(workspace, 2);
    populate(workspace, "two");
    fixture_close(workspace);
    fixture.first_epoch = 2;
    assert_refused(-EUCLEAN, "header");
    fixture_forget(&fixture);
    assert_refused(-EUCLEAN, "header");
    fixture.first_epoch = fixture.epoch = 1; /* who opens has not heard of the new epoch */
    end = fixture.epoch_ends[0];
    fixture.epoch_end_count = 0;
    assert_refused(-EUCLEAN, "epoch 2");
    fixture.epoch = 2;
    fixture_end_epoch(&fixture, &end);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, inode_of(workspace, 1, "two"), "large"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static int die_with_a_spool(struct fixture *of)
{
    return die_after_rotating(of, true);
}

static void a_crash_right_behind_a_rotation_loses_nothing(void **state)
{
    for (enum memory memory = MEMORY_KEPT; memory < MEMORIES; memory++) {
        struct riad_workspace *workspace;

        run_and_die(&fixture, die_at_once);
        remember_rotation();
        remember(memory);
        workspace = fixture_open(&fixture);
        assert_filled(workspace, inode_of(workspace, inode_of(workspace, 1, "one"), "file"), 0, '1',
                SMALL);
        assert_int_equal(status_of(workspace).epoch, 2);
        make_directory(workspace, 1, "two");
        fixture_close(workspace);
        assert_true(assert_log_apart(told) > 0);
        fixture_assert_sound(&fixture);
        teardown_epochs(state);
        setup_epochs(state);
    }
}

static void a_spool_of_the_new_epoch_is_delivered(void **state)
{
    struct riad_workspace *workspace;

    (void)state;
    run_and_die(&fixture, die_with_a_spool);
    remember_rotation();
    workspace = fixture_open(&fixture);
    assert_filled(workspace, inode_of(workspace, 1, "two"), 0, '2', SMALL);
    fixture_close(workspace);
    assert_true(assert_log_apart(told) > 0);
    fixture_assert_sound(&fixture);
}

static void a_store_that_fails_keeps_the_epoch(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    (void)state;
    riad_background_stop(workspace);
    make_directory(workspace, 1, "a");
    faults_install();
    faults_fail_from(FAULT_PWRITE, 1, EIO);
    assert_int_equal(try_rotate(workspace, 2), -EROFS);
    assert_int_equal(status_of(workspace).state, RIAD_WORKSPACE_READ_ONLY);
    assert_int_equal(status_of(workspace).epoch, 1);
    assert_int_equal(riad_workspace_close(workspace), -EIO);
    faults_remove();
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, 1, "a"), 0);
    fixture_close(workspace);
}

/* The epoch has begun, but what it follows may be lost: nothing goes on. */
static void an_end_that_cannot_be_made_durable_is_no_end(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_inode row;

    (void)state;
    riad_background_stop(workspace);
    make_directory(workspace, 1, "a");
    faults_install();
    faults_fail_from(FAULT_FDATASYNC, 1, EIO);
    assert_int_equal(try_rotate(workspace, 2), -EIO);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(status_of(workspace).state, RIAD_WORKSPACE_READ_ONLY);
    assert_int_equal(riad_mkdir(workspace, &alice, 1, "b", 0755, &row), -EROFS);
    assert_int_equal(riad_workspace_close(workspace), -EIO);
    faults_remove();
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, 1, "a"), 0);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EPOCH(a_workspace_in_use_changes_its_key),
        EPOCH(epochs_come_one_after_the_other),
        EPOCH(the_index_is_used_on),
        EPOCH(with_keys_missing_opening_is_refused),
        EPOCH(a_crash_right_behind_a_rotation_loses_nothing),
        EPOCH(a_spool_of_the_new_epoch_is_delivered),
        EPOCH(a_store_that_fails_keeps_the_epoch),
        EPOCH(an_end_that_cannot_be_made_durable_is_no_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
