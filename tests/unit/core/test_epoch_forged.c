/* Who has left with an epoch still has its keys, and may be able to write to the store (K2). */
#include "epoch.h"

/* The file of a segment from an offset on; the caller's to free. */
static uint8_t *load(uint64_t segment, uint64_t from, size_t *ret_size)
{
    _cleanup_close_ int fd = open_segment(segment);
    uint8_t *data = malloc(1 << 20);

    assert_int_equal(riad_pread_all(fd, data, 1 << 20, from, ret_size), 0);
    return data;
}

/* What a former member appends right behind the end of the epoch: a change of its own. */
static void forge_change(const struct riad_end *behind)
{
    _cleanup_(riad_keys_freep) struct riad_keys *former = fixture_keys_of(&fixture, 1, 1);
    const struct riad_log_config config = {
        .workspace_fd = fixture.workspace_fd, .keys = former, .term = 1, .end = *behind
    };
    struct riad_change change = { 0 };
    struct riad_writer content;
    struct riad_log *log = NULL;
    struct riad_end end;
    uint64_t start;
    size_t size;
    char path[32];

    riad_change_begin(&change, riad_clock_now(), 0);
    riad_writer_init_growing(&content, 4096, RIAD_CHANGE_BODY_MAX);
    assert_int_equal(riad_change_content(&change, &content), 0);
    assert_int_equal(riad_log_open(&config, &log), 0);
    assert_int_equal(riad_log_append(log, NULL, content.data, content.size, &end, &start), 0);
    riad_log_free(log);
    _cleanup_free_ uint8_t *bytes = load(end.segment, start, &size);
    riad_segment_path(RIAD_SEGMENT_LOG, end.segment, path);
    assert_int_equal(unlinkat(fixture.workspace_fd, path, 0), 0);
    _cleanup_close_ int fd = open_segment(behind->segment);
    assert_int_equal(pwrite(fd, bytes, size, (off_t)behind->offset), size);
    riad_change_done(&change);
    riad_writer_done(&content);
}

static void remember_finding(void *context, const char *finding)
{
    if (strstr(finding, "forgery")) {
        *(bool *)context = true;
    }
}

static void a_change_by_a_former_member_is_refused(void **state)
{
    struct riad_workspace_config config;
    struct riad_fsck_result result;
    struct riad_workspace *workspace;
    bool found = false;

    (void)state;
    run_and_die(&fixture, die_at_once);
    remember_rotation();
    forge_change(&told->end);
    assert_refused(-EUCLEAN, "forgery");
    fixture_forget(&fixture);
    assert_refused(-EUCLEAN, "forgery");
    fixture_configure(&fixture, &config);
    assert_int_equal(riad_fsck_run(&config, remember_finding, &found, &result, &fixture.reason), 0);
    assert_true(found);
    fixture.epoch_end_count = 0; /* who is not told of the end cannot know */
    workspace = fixture_open(&fixture);
    assert_true(status_of(workspace).end.sequence.number > told->end.sequence.number);
    fixture_close(workspace);
}

static void the_history_must_be_the_one_of_the_end(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    (void)state;
    make_directory(workspace, 1, "a");
    rotate(workspace, 2);
    make_directory(workspace, 1, "b");
    fixture_close(workspace);
    fixture.epoch_ends[0].end.chain.bytes[7] ^= 1;
    fixture_forget(&fixture);
    assert_refused(-EUCLEAN, "epoch 1 ended");
    fixture.epoch_ends[0].end.chain.bytes[7] ^= 1;
    fixture_close(fixture_open(&fixture));
}

/* How many changes a rebuild replays: all, unless it began with a checkpoint. */
static uint64_t rebuild(void)
{
    struct riad_workspace *workspace;
    uint64_t replayed;

    fixture_forget(&fixture);
    workspace = fixture_open(&fixture);
    assert_int_equal(look_up(workspace, inode_of(workspace, 1, "one"), "large"), 0);
    replayed = status_of(workspace).replayed_changes;
    fixture_close(workspace);
    return replayed;
}

static void checkpoints_of_an_ended_epoch_are_not_believed(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    uint64_t all;

    (void)state;
    populate(workspace, "one");
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    rotate(workspace, 2);
    make_directory(workspace, 1, "two");
    all = status_of(workspace).end.sequence.number;
    fixture_close(workspace);
    assert_true(rebuild() >= all);
    fixture_assert_sound(&fixture);
    fixture.epoch_end_count = 0;
    assert_true(rebuild() < all / 2);
    fixture_end_epoch(&fixture, &fixture.epoch_ends[0]);
    workspace = fixture_open(&fixture);
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    assert_int_equal(count_files(&fixture, "ckpt"), 1); /* the old one is of no use */
    fixture_close(workspace);
    assert_true(rebuild() < all / 2);
}

static void checkpoints_of_a_running_rotation_are_replaced(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    uint64_t all;

    (void)state;
    populate(workspace, "one");
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    rotate(workspace, 2);
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    all = status_of(workspace).end.sequence.number;
    fixture_close(workspace);
    assert_int_equal(count_files(&fixture, "ckpt"), 1);
    assert_true(rebuild() < all / 2);
    fixture_assert_sound(&fixture);
}

/* It would say that nobody need wait, and which change must be there. */
static void a_heartbeat_by_a_former_member_closes_nothing(void **state)
{
    _cleanup_(riad_keys_freep) struct riad_keys *former = fixture_keys_of(&fixture, 1, 1);
    const struct riad_beat forged = { .count = 999, .closed = true, .last = 999999 };
    struct riad_workspace *workspace;
    struct fixture other;
    uint64_t begun;

    (void)state;
    fixture.lease_seconds = 1;
    run_and_die(&fixture, die_at_once);
    remember_rotation();
    make_other_node(&fixture, &other);
    assert_int_equal(riad_beat_write(fixture.workspace_fd, former, 1, &forged), 0);
    begun = riad_clock_boottime();
    workspace = fixture_open(&other);
    assert_true(milliseconds_since(begun) >= 900);
    fixture_close(workspace);
    close(other.state_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EPOCH(a_change_by_a_former_member_is_refused),
        EPOCH(the_history_must_be_the_one_of_the_end),
        EPOCH(checkpoints_of_an_ended_epoch_are_not_believed),
        EPOCH(checkpoints_of_a_running_rotation_are_replaced),
        EPOCH(a_heartbeat_by_a_former_member_closes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
