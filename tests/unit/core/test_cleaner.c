/* Moving what is live (L7): every byte stays, whatever else happens. */
#include "cleaner.h"
#include "faults.h"

static void moving_keeps_every_byte(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    _cleanup_free_ uint64_t *ids = NULL;
    struct riad_usage usage;
    size_t count = 0;

    (void)state;
    plant_garden(workspace);
    usage = usage_of(workspace);
    assert_int_equal(riad_segment_list(fixture.workspace_fd, RIAD_SEGMENT_DATA, &ids, &count), 0);
    assert_true(live_in(workspace, ids, count) > 0);
    assert_int_equal(move_all(workspace), 0);
    assert_int_equal(live_in(workspace, ids, count), 0);
    assert_garden(workspace);
    assert_int_equal(usage_of(workspace).blocks, usage.blocks);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
    for (int i = 0; i < 2; i++) {
        workspace = fixture_open(&fixture);
        assert_garden(workspace);
        fixture_close(workspace);
        fixture_forget(&fixture);
    }
}

/* Again and again: copies of copies keep their birth. */
static void copies_can_be_moved(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    (void)state;
    plant_garden(workspace);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(move_all(workspace), 0);
        grow(workspace, 16, 200000 * i, 150000, 40 + i);
        cut(workspace, 12 + i, 50000);
        assert_garden(workspace);
    }
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static uint64_t live_now(struct riad_workspace *workspace)
{
    _cleanup_free_ uint64_t *data = NULL, *log = NULL;
    size_t data_count = 0, log_count = 0;

    assert_int_equal(
            riad_segment_list(fixture.workspace_fd, RIAD_SEGMENT_DATA, &data, &data_count), 0);
    assert_int_equal(
            riad_segment_list(fixture.workspace_fd, RIAD_SEGMENT_LOG, &log, &log_count), 0);
    return live_in(workspace, data, data_count) + live_in(workspace, log, log_count);
}

static void clones_go_on_sharing(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    uint64_t before;

    (void)state;
    for (unsigned i = 0; i < PLANTS; i++) {
        sow(workspace, i);
    }
    grow(workspace, 0, 0, 1000000, 1);
    grow(workspace, 1, 0, 30000, 1);
    for (unsigned i = 2; i < PLANTS; i++) {
        graft(workspace, i % 2, i);
    }
    cut(workspace, 2, 400000);
    grow(workspace, 4, 300000, 100000, 2);
    before = live_now(workspace);
    assert_true(before < 1400000);
    assert_int_equal(move_all(workspace), 0);
    assert_int_equal(live_now(workspace), before);
    assert_garden(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* Bytes of a segment's file that hold something. */
static uint64_t size_of_data(void)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;
    char path[32];

    assert_int_equal(riad_segment_list(fixture.workspace_fd, RIAD_SEGMENT_DATA, &ids, &count), 0);
    riad_segment_path(RIAD_SEGMENT_DATA, ids[count - 1], path);
    return (uint64_t)size_at(&fixture, path);
}

/* Of records that are partly overwritten the rest alone is copied, for clones once, and not where
 * another file needs the whole. */
static void what_is_overwritten_in_records_goes(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count = 0;

    (void)state;
    for (unsigned i = 0; i < PLANTS; i++) {
        sow(workspace, i);
    }
    grow(workspace, 0, 0, 1000000, 1);
    for (unsigned at = 8192; at + 40000 < 1000000; at += 65536) {
        grow(workspace, 0, at, 40000, at);
    }
    graft(workspace, 0, 1); /* pieces too */
    assert_int_equal(riad_workspace_sync(workspace), 0);
    assert_int_equal(riad_segment_list(fixture.workspace_fd, RIAD_SEGMENT_DATA, &ids, &count), 0);
    assert_int_equal(move_segment(workspace, ids[0]), 0);
    assert_true(size_of_data() < 500000);
    assert_garden(workspace);
    graft(workspace, 0, 2);
    grow(workspace, 2, 100000, 3000, 2);
    assert_int_equal(move_all(workspace), 0);
    assert_garden(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* More extents of one segment than one look at it takes, and more at one place than one change. */
static void many_small_ones_are_moved(void **state)
{
    enum { FILES = 2500 };
    struct riad_workspace *workspace = fixture_open(&fixture);
    char name[16];
    uint64_t done;

    (void)state;
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%u", i);
        write_fill(workspace, make_file(workspace, RIAD_ROOT_INODE, name), 0, (int)(i % 251), 700);
    }
    for (unsigned i = 0; i < 100; i++) {
        uint64_t inode;

        snprintf(name, sizeof name, "c%u", i);
        inode = make_file(workspace, RIAD_ROOT_INODE, name);
        assert_int_equal(
                riad_copy_range(workspace, &alice, inode_of(workspace, RIAD_ROOT_INODE, "f7"), 0,
                        inode, 0, 700, &done),
                0);
    }
    assert_int_equal(move_all(workspace), 0);
    for (unsigned i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "f%u", i);
        assert_filled(
                workspace, inode_of(workspace, RIAD_ROOT_INODE, name), 0, (int)(i % 251), 700);
    }
    assert_filled(workspace, inode_of(workspace, RIAD_ROOT_INODE, "c99"), 0, 7, 700);
    assert_int_equal(riad_cleaner_roll(workspace), 0);
    assert_int_equal(riad_cleaner_unlink(workspace, &(size_t){ 0 }), 0);
    assert_int_equal(count_files(&fixture, "log"), 1);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* P5: what is damaged is not copied, and stays to be told of; all else goes. */
static void damage_stays_where_it_is(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct written written = { 0 };
    uint64_t inode;

    (void)state;
    plant_garden(workspace);
    assert_int_equal(riad_workspace_sync(workspace), 0);
    inode = find_plant(workspace, 13);
    assert_int_equal(note(workspace, inode, 0, &written), 0);
    lose_a_page(&written);
    assert_int_equal(move_segment(workspace, written.segment), 1);
    assert_non_null(strstr(status_of(workspace).event, "cannot be moved"));
    assert_true(live_in(workspace, &written.segment, 1) > 0);
    assert_int_equal(
            riad_read(workspace, inode, 0, 210000, garden[13].data, &(uint32_t){ 0 }), -EIO);
    for (unsigned i = 0; i < PLANTS; i++) {
        if (i != 13) {
            assert_plant(workspace, i);
        }
    }
    fixture_close(workspace);
}

/* P3: no extent names a copy that a power cut could take. */
static void copies_are_durable_before_extents_name_them(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct written written = { 0 };
    struct riad_moved moved;
    uint64_t live;

    (void)state;
    plant_garden(workspace);
    assert_int_equal(riad_workspace_sync(workspace), 0);
    riad_background_stop(workspace);
    assert_int_equal(note(workspace, find_plant(workspace, 16), 0, &written), 0);
    live = live_in(workspace, &written.segment, 1);
    faults_fail_from(FAULT_FDATASYNC, 1, EIO);
    assert_true(riad_cleaner_move(workspace, written.segment, 1, &moved) < 0);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(live_in(workspace, &written.segment, 1), live);
    assert_int_equal(riad_workspace_close(workspace), -EIO);
    workspace = fixture_open(&fixture);
    assert_garden(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

static void a_full_store_is_no_damage(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct written written = { 0 };
    struct riad_moved moved;

    (void)state;
    plant_garden(workspace);
    riad_background_stop(workspace);
    assert_int_equal(note(workspace, find_plant(workspace, 16), 0, &written), 0);
    workspace->store_blocks_free = workspace->store_reserve / 2;
    assert_int_equal(riad_cleaner_move(workspace, written.segment, 1, &moved), -ENOSPC);
    riad_store_measure(workspace);
    faults_fail_from(FAULT_PWRITE, 1, ENOSPC);
    assert_int_equal(riad_cleaner_move(workspace, written.segment, 1, &moved), -ENOSPC);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(move_all(workspace), 0);
    assert_garden(workspace);
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

/* Whatever is done to files in between, in any order. */
static void random_gardens_survive(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    unsigned seed = 20261130;

    (void)state;
    plant_garden(workspace);
    for (unsigned step = 1; step <= 400; step++) {
        unsigned plant = (unsigned)rand_r(&seed) % PLANTS;
        uint32_t at = (uint32_t)rand_r(&seed) % 500000;
        uint32_t size = step % 3 ? 1 + (uint32_t)rand_r(&seed) % 9000 : 1 + at % 300000;

        if (step % 11 == 0) {
            cut(workspace, plant, at < garden[plant].size ? at : garden[plant].size);
        } else if (step % 7 == 0 && garden[plant].size > 0) {
            graft(workspace, plant, (plant + 1 + step % (PLANTS - 1)) % PLANTS);
        } else {
            grow(workspace, plant, at, size, step);
        }
        if (step % 25 == 0) {
            assert_int_equal(move_all(workspace), 0);
            assert_garden(workspace);
        }
        if (step % 100 == 0) {
            assert_int_equal(riad_cleaner_roll(workspace), 0);
            assert_int_equal(riad_cleaner_unlink(workspace, &(size_t){ 0 }), 0);
            fixture_close(workspace);
            fixture_assert_sound(&fixture);
            fixture_forget(&fixture);
            workspace = fixture_open(&fixture);
            assert_garden(workspace);
        }
    }
    fixture_close(workspace);
}

enum { WRITERS = 3, ROUNDS = 120 };

struct writer {
    struct riad_workspace *workspace;
    unsigned number;
    int result;
    pthread_t thread;
};

/* Overwrites, reads back and truncates files of its own, of which clones are made. */
static void *keep_writing(void *argument)
{
    struct writer *writer = argument;
    uint64_t inode = find_plant(writer->workspace, writer->number);
    uint8_t data[90000], back[90000];
    uint32_t done = 0;
    int r = 0;

    for (unsigned round = 0; round < ROUNDS && r >= 0; round++) {
        uint32_t size = round % 3 ? 90000 : 5000;

        memset(data, (int)(round + writer->number), size);
        r = riad_write(writer->workspace, &alice, inode, 1000 * (round % 50), data, size, &done);
        r = r < 0 ? r : riad_read(writer->workspace, inode, 1000 * (round % 50), size, back, &done);
        if (r >= 0 && (done != size || memcmp(data, back, size) != 0)) {
            r = -EBADMSG;
        }
    }
    writer->result = r;
    return NULL;
}

static void writers_go_on_meanwhile(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct writer writers[WRITERS];

    (void)state;
    plant_garden(workspace);
    for (unsigned i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){ .workspace = workspace, .number = 12 + i };
        assert_int_equal(pthread_create(&writers[i].thread, NULL, keep_writing, &writers[i]), 0);
    }
    for (int i = 0; i < 12; i++) {
        assert_int_equal(move_all(workspace), 0);
    }
    for (unsigned i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(writers[i].thread, NULL), 0);
        assert_int_equal(writers[i].result, 0);
    }
    for (unsigned i = 0; i < 12; i++) {
        assert_plant(workspace, i);
    }
    fixture_close(workspace);
    fixture_assert_sound(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        GARDEN(moving_keeps_every_byte),
        GARDEN(copies_can_be_moved),
        GARDEN(clones_go_on_sharing),
        GARDEN(what_is_overwritten_in_records_goes),
        GARDEN(many_small_ones_are_moved),
        GARDEN(damage_stays_where_it_is),
        GARDEN(copies_are_durable_before_extents_name_them),
        GARDEN(a_full_store_is_no_damage),
        GARDEN(random_gardens_survive),
        GARDEN(writers_go_on_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
