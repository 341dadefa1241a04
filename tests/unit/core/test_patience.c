/* What would wait for the store is refused to an impatient thread before anything changes. */
#include "riad/patience.h"

#include "faults.h"
#include "rows.h"

static int setup(void **state)
{
    faults_install();
    return bench_setup(state);
}

static int teardown(void **state)
{
    riad_set_patient(true);
    faults_remove();
    return bench_teardown(state);
}

static void threads_start_patient(void **state)
{
    (void)state;
    assert_true(riad_is_patient());
    riad_set_patient(false);
    assert_false(riad_is_patient());
    riad_set_patient(true);
    assert_true(riad_is_patient());
}

/* Until the background has not synced what came before in the meantime. */
static int make_directory_impatiently(struct riad_workspace *workspace)
{
    struct riad_inode row;
    char name[32];
    int r = 0;

    for (int i = 0; i < 1000 && r == 0; i++) {
        snprintf(name, sizeof name, "d%d", i);
        riad_set_patient(false);
        r = riad_mkdir(workspace, &alice, RIAD_ROOT_INODE, name, 0755, &row);
        riad_set_patient(true);
    }
    return r;
}

/* L5: writers wait for the store's syncs when too much is not synced. */
static void back_pressure_is_told_before_a_change(void **state)
{
    struct bench *bench = *state;
    struct riad_workspace *workspace = bench->workspace;
    struct rows before, after;

    atomic_store(&workspace->unsynced_bound, 0);
    assert_int_equal(make_directory_impatiently(workspace), RIAD_WOULD_WAIT);
    before = rows_of(workspace);
    assert_true(make_directory_impatiently(workspace) < 0); /* EEXIST, once all is synced */
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
    atomic_store(&workspace->unsynced_bound, (uint64_t)64 << 20);
    make_directory(workspace, RIAD_ROOT_INODE, "d");
}

static void a_lapsed_lease_is_not_renewed(void **state)
{
    struct bench *bench = *state;
    struct riad_workspace *workspace = bench->workspace;
    struct riad_inode row;

    assert_int_equal(riad_workspace_lock(workspace), 0);
    workspace->lease_until = 0;
    riad_workspace_unlock(workspace);
    riad_set_patient(false);
    assert_int_equal(riad_getattr(workspace, RIAD_ROOT_INODE, &row), RIAD_WOULD_WAIT);
    riad_set_patient(true);
    assert_int_equal(riad_getattr(workspace, RIAD_ROOT_INODE, &row), 0);
}

static void a_sync_is_for_the_patient(void **state)
{
    struct bench *bench = *state;

    riad_set_patient(false);
    assert_int_equal(riad_fsync(bench->workspace, RIAD_ROOT_INODE), RIAD_WOULD_WAIT);
    riad_set_patient(true);
    assert_int_equal(riad_fsync(bench->workspace, RIAD_ROOT_INODE), 0);
}

/* First the segment's file is not open, then it is, but its bytes are not in memory. */
static void a_cold_read_is_for_the_patient(void **state)
{
    struct bench *bench = *state;
    struct riad_workspace *workspace = bench->workspace;
    uint64_t file = make_file(workspace, RIAD_ROOT_INODE, "f");
    uint8_t data[3000];
    uint32_t size = 0;
    int fd = openat(bench->fixture.workspace_fd, ".", O_TMPFILE | O_RDWR, 0600);

    if (!temporary_can_read_cached(fd)) {
        close(fd);
        skip();
    }
    close(fd);
    write_fill(workspace, file, 0, 'x', sizeof data);
    riad_set_patient(false);
    assert_int_equal(riad_read(workspace, file, 0, sizeof data, data, &size), RIAD_WOULD_WAIT);
    riad_set_patient(true);
    assert_int_equal(riad_read(workspace, file, 0, sizeof data, data, &size), 0);
    riad_set_patient(false);
    faults_fail(FAULT_PREADV2, 1, EAGAIN);
    assert_int_equal(riad_read(workspace, file, 0, sizeof data, data, &size), RIAD_WOULD_WAIT);
    faults_fail(FAULT_NONE, 0, 0);
    size = 0;
    assert_int_equal(riad_read(workspace, file, 0, sizeof data, data, &size), 0);
    assert_int_equal(size, sizeof data);
    assert_int_equal(data[2999], 'x');
    assert_int_equal(faults_count(FAULT_PREAD), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_start_patient),
        TEST(back_pressure_is_told_before_a_change),
        TEST(a_lapsed_lease_is_not_renewed),
        TEST(a_sync_is_for_the_patient),
        TEST(a_cold_read_is_for_the_patient),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
