/* riad_workspace_scrub: all contents, beside whoever uses them. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "orchard.h"
#include "scrubbing.h"

static struct fixture fixture;

static int setup(void **state)
{
    (void)state;
    fixture_make(&fixture);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_remove(&fixture);
    return 0;
}

/* A large file with a hole, a small one, an empty one and a directory. */
static uint64_t plant(struct riad_workspace *workspace)
{
    uint64_t large = make_file(workspace, RIAD_ROOT_INODE, "large");

    write_fill(workspace, large, 0, 'a', 3 << 20);
    write_fill(workspace, large, (uint64_t)1 << 40, 'b', 3 << 20);
    write_fill(workspace, make_file(workspace, RIAD_ROOT_INODE, "small"), 0, 'c', 1000);
    make_file(workspace, make_directory(workspace, RIAD_ROOT_INODE, "d"), "empty");
    assert_int_equal(riad_workspace_sync(workspace), 0);
    assert_int_equal(riad_workspace_checkpoint(workspace), 0); /* the index has all rows */
    return large;
}

static void all_that_is_there_is_read(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_scrubbing found;

    (void)state;
    plant(workspace);
    found = scrub(workspace, 0);
    assert_int_equal(found.files, 3);
    assert_int_equal(found.bytes, (6 << 20) + 1000);
    assert_int_equal(found.damaged, 0);
    assert_true(found.ended >= found.began && found.began > 0);
    fixture_close(workspace);
}

/* Two places of one file, and a file behind it: each is found, and the rest is read. */
static void damage_is_found_and_hides_none(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_scrubbing found;
    struct riad_workspace_status status;
    uint64_t large = plant(workspace);
    char path[32];

    (void)state;
    fixture_close(workspace);
    newest_path(&fixture, RIAD_SEGMENT_DATA, path);
    flip(&fixture, path, 100000);
    flip(&fixture, path, size_at(&fixture, path) - 100000);
    workspace = fixture_open(&fixture);
    write_fill(workspace, make_file(workspace, RIAD_ROOT_INODE, "last"), 0, 'd', 1 << 20);
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
    found = scrub(workspace, 0);
    assert_int_equal(found.damaged, 1);
    assert_int_equal(found.inodes[0], large);
    assert_int_equal(found.files, 4);
    assert_int_equal(found.bytes, (7 << 20) + 1000);
    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    assert_non_null(strstr(status.event, "scrub: 1 files"));
    fixture_close(workspace);
}

static void the_rate_is_a_bound(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    uint64_t begun = riad_clock_boottime();
    struct riad_scrubbing found;

    (void)state;
    plant(workspace);
    found = scrub(workspace, 2 << 20);
    assert_true(
            milliseconds_since(begun) > 1500); /* 6 MiB, of which the last one is not waited for */
    assert_int_equal(found.bytes, (6 << 20) + 1000);
    fixture_close(workspace);
}

static void closing_does_not_wait_for_it(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    uint64_t begun;

    (void)state;
    plant(workspace);
    riad_workspace_scrub(workspace, 1000);
    riad_sleep_ms(50);
    begun = riad_clock_boottime();
    fixture_close(workspace);
    assert_true(milliseconds_since(begun) < 5000);
    fixture_assert_sound(&fixture);
}

/* One that turned read-only, or was taken over, says that not all was verified. */
static void it_stops_with_the_workspace(void **state)
{
    struct riad_workspace *workspace = fixture_open(&fixture);
    struct riad_workspace_status status;

    (void)state;
    plant(workspace);
    riad_workspace_scrub(workspace, 1000);
    riad_workspace_freeze_unlocked(workspace, "as a test wants", -EIO);
    do {
        riad_sleep_ms(10);
        assert_int_equal(riad_workspace_status(workspace, &status), 0);
    } while (status.scrubbing.running);
    assert_int_equal(status.scrubbing.ended, 0);
    fixture_close(workspace);
}

/* What is deleted, cut and written anew meanwhile is no damage. */
static void who_uses_it_is_not_in_its_way(void **state)
{
    struct orchard orchard;
    struct riad_workspace_status status;

    (void)state;
    orchard = (struct orchard){
        .fixture = &fixture, .chance = 7, .folders = { RIAD_ROOT_INODE }, .folder_count = 1
    };
    orchard.workspace = fixture_open(&fixture);
    for (int i = 0; i < 300; i++) {
        if (i % 20 == 0) {
            riad_workspace_scrub(orchard.workspace, 0);
        }
        orchard_act(&orchard);
    }
    do {
        riad_sleep_ms(10);
        assert_int_equal(riad_workspace_status(orchard.workspace, &status), 0);
    } while (status.scrubbing.running);
    assert_int_equal(status.scrubbing.damaged, 0);
    assert_true(status.scrubbing.files > 10);
    fixture_close(orchard.workspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_that_is_there_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_found_and_hides_none, setup, teardown),
        cmocka_unit_test_setup_teardown(the_rate_is_a_bound, setup, teardown),
        cmocka_unit_test_setup_teardown(closing_does_not_wait_for_it, setup, teardown),
        cmocka_unit_test_setup_teardown(it_stops_with_the_workspace, setup, teardown),
        cmocka_unit_test_setup_teardown(who_uses_it_is_not_in_its_way, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
