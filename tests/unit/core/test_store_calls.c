/* The status says how often the store was called: the same as one finds who stands between, and
 * asks the kernel where each descriptor leads. */
#include <stdatomic.h>

#include "riad/sysops.h"

#include "lifecycle_priv.h"
#include "operations.h"

static _Atomic uint64_t seen[RIAD_CALL_KINDS];
static char store[PATH_MAX]; /* "": nothing is seen */

static void see(enum riad_store_call kind, int fd)
{
    char link[32], path[PATH_MAX] = "";
    size_t size = strlen(store);

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (size > 0 && fd >= 0 && readlink(link, path, sizeof path - 1) > 0 &&
            strncmp(path, store, size) == 0 && (path[size] == '/' || path[size] == '\0')) {
        atomic_fetch_add(&seen[kind], 1);
    }
}

static int see_openat(int directory, const char *path, int flags, mode_t mode)
{
    see(flags & O_CREAT ? RIAD_CALL_CREATE : RIAD_CALL_OPEN, directory);
    return riad_sysops_real.openat(directory, path, flags, mode);
}

static int see_close(int fd)
{
    see(RIAD_CALL_CLOSE, fd);
    return riad_sysops_real.close(fd);
}

static ssize_t see_pread(int fd, void *data, size_t size, off_t offset)
{
    see(RIAD_CALL_READ, fd);
    return riad_sysops_real.pread(fd, data, size, offset);
}

static ssize_t see_preadv2(int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    see(RIAD_CALL_READ, fd);
    return riad_sysops_real.preadv2(fd, vector, count, offset, flags);
}

static ssize_t see_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    see(RIAD_CALL_WRITE, fd);
    return riad_sysops_real.pwrite(fd, data, size, offset);
}

static ssize_t see_pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
    see(RIAD_CALL_WRITE, fd);
    return riad_sysops_real.pwritev(fd, vector, count, offset);
}

static int see_fdatasync(int fd)
{
    see(RIAD_CALL_SYNC, fd);
    return riad_sysops_real.fdatasync(fd);
}

static int see_fsync(int fd)
{
    see(RIAD_CALL_SYNC, fd);
    return riad_sysops_real.fsync(fd);
}

static int see_ftruncate(int fd, off_t length)
{
    see(RIAD_CALL_RESIZE, fd);
    return riad_sysops_real.ftruncate(fd, length);
}

static bool unreserved; /* room cannot be reserved, as in NFS */

static int see_fallocate(int fd, int mode, off_t offset, off_t length)
{
    if (unreserved) {
        mode = -1; /* which the kernel does not support: counted all the same */
    }
    see(RIAD_CALL_RESIZE, fd);
    return riad_sysops_real.fallocate(fd, mode, offset, length);
}

static int see_fstat(int fd, struct stat *ret)
{
    see(RIAD_CALL_STAT, fd);
    return riad_sysops_real.fstat(fd, ret);
}

static int see_fstatat(int directory, const char *path, struct stat *ret, int flags)
{
    see(RIAD_CALL_STAT, directory);
    return riad_sysops_real.fstatat(directory, path, ret, flags);
}

static int see_fstatvfs(int fd, struct statvfs *ret)
{
    see(RIAD_CALL_STAT, fd);
    return riad_sysops_real.fstatvfs(fd, ret);
}

static int see_mkdirat(int directory, const char *path, mode_t mode)
{
    see(RIAD_CALL_NAME, directory);
    return riad_sysops_real.mkdirat(directory, path, mode);
}

static int see_linkat(int from, const char *path, int to, const char *name, int flags)
{
    see(RIAD_CALL_NAME, to);
    return riad_sysops_real.linkat(from, path, to, name, flags);
}

static int see_renameat(int from, const char *path, int to, const char *name)
{
    see(RIAD_CALL_NAME, to);
    return riad_sysops_real.renameat(from, path, to, name);
}

static int see_unlinkat(int directory, const char *path, int flags)
{
    see(RIAD_CALL_NAME, directory);
    return riad_sysops_real.unlinkat(directory, path, flags);
}

static ssize_t see_getdents(int fd, void *data, size_t size)
{
    see(RIAD_CALL_LIST, fd);
    return riad_sysops_real.getdents(fd, data, size);
}

static int see_fadvise(int fd, off_t offset, off_t length, int advice)
{
    see(RIAD_CALL_ADVISE, fd);
    return riad_sysops_real.fadvise(fd, offset, length, advice);
}

static const struct riad_sysops seeing = {
    .openat = see_openat,
    .close = see_close,
    .pread = see_pread,
    .preadv2 = see_preadv2,
    .pwrite = see_pwrite,
    .pwritev = see_pwritev,
    .fdatasync = see_fdatasync,
    .fsync = see_fsync,
    .ftruncate = see_ftruncate,
    .fallocate = see_fallocate,
    .fstat = see_fstat,
    .fstatat = see_fstatat,
    .mkdirat = see_mkdirat,
    .linkat = see_linkat,
    .renameat = see_renameat,
    .unlinkat = see_unlinkat,
    .getdents = see_getdents,
    .fstatvfs = see_fstatvfs,
    .fadvise = see_fadvise,
};

static struct fixture fixture;

static int setup(void **state)
{
    (void)state;
    fixture_make(&fixture);
    snprintf(store, sizeof store, "%s", fixture.workspace_path);
    memset(seen, 0, sizeof seen);
    riad_sys = &seeing;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    riad_sys = &riad_sysops_real;
    unreserved = false;
    fixture_remove(&fixture);
    return 0;
}

/* What threads do beside the test is waited for: they end with the workspace. */
static void assert_counted(struct riad_workspace *workspace)
{
    uint64_t counted[RIAD_CALL_KINDS];

    riad_store_calls_read(workspace->store_calls, counted);
    for (int kind = 0; kind < RIAD_CALL_KINDS; kind++) {
        if (counted[kind] != atomic_load(&seen[kind])) {
            fail_msg("%s: counted %d, seen %d", riad_store_call_name(kind), (int)counted[kind],
                    (int)atomic_load(&seen[kind]));
        }
    }
}

static struct riad_workspace *open_quiet(void)
{
    struct riad_workspace *workspace = fixture_open(&fixture);

    riad_background_stop(workspace);
    return workspace;
}

static void use(struct riad_workspace *workspace, const char *name)
{
    uint64_t folder = make_directory(workspace, RIAD_ROOT_INODE, name);

    for (int i = 0; i < 50; i++) {
        char text[32];

        snprintf(text, sizeof text, "file-%d", i);
        write_fill(workspace, make_file(workspace, folder, text), 0, 'x', (size_t)i * 3000);
    }
    assert_int_equal(riad_workspace_sync(workspace), 0);
    assert_filled(workspace, inode_of(workspace, folder, "file-40"), 0, 'x', 120000);
    assert_int_equal(riad_workspace_checkpoint(workspace), 0);
}

static void every_call_of_the_store_is_counted(void **state)
{
    struct riad_workspace *workspace = open_quiet();

    (void)state;
    assert_counted(workspace);
    use(workspace, "first");
    assert_counted(workspace);
    assert_true(seen[RIAD_CALL_WRITE] > 0 && seen[RIAD_CALL_SYNC] > 0 && seen[RIAD_CALL_READ] > 0);
    fixture_close(workspace);
}

/* Another node has to read the history, the checkpoint and the log. */
static void those_of_opening_are_counted(void **state)
{
    struct riad_workspace *workspace = open_quiet();

    (void)state;
    use(workspace, "first");
    fixture_close(workspace);
    fixture_forget(&fixture);
    memset(seen, 0, sizeof seen);
    workspace = open_quiet();
    assert_counted(workspace);
    assert_true(seen[RIAD_CALL_READ] > 0 && seen[RIAD_CALL_LIST] > 0);
    use(workspace, "second");
    assert_counted(workspace);
    fixture_close(workspace);
}

static uint64_t total(struct riad_workspace *workspace)
{
    struct riad_workspace_status status;
    uint64_t sum = 0;

    assert_int_equal(riad_workspace_status(workspace, &status), 0);
    for (int kind = 0; kind < RIAD_CALL_KINDS; kind++) {
        sum += status.store_calls[kind];
    }
    return sum;
}

/* They go to the spool, which is local state. */
static void small_changes_call_the_store_seldom(void **state)
{
    struct riad_workspace *workspace = open_quiet();
    uint64_t before;

    (void)state;
    make_directory(workspace, RIAD_ROOT_INODE, "first"); /* the segment is made with it */
    before = total(workspace);
    for (int i = 0; i < 200; i++) {
        char text[32];

        snprintf(text, sizeof text, "file-%d", i);
        write_fill(workspace, make_file(workspace, RIAD_ROOT_INODE, text), 0, 'x', 1000);
    }
    assert_int_equal(total(workspace), before);
    fixture_close(workspace);
}

static void where_room_cannot_be_reserved_changes_are_spooled_too(void **state)
{
    struct riad_workspace *workspace;
    uint64_t before;

    (void)state;
    unreserved = true;
    workspace = open_quiet();
    make_directory(workspace, RIAD_ROOT_INODE, "first");
    before = total(workspace);
    for (int i = 0; i < 20; i++) {
        char text[32];

        snprintf(text, sizeof text, "file-%d", i);
        make_file(workspace, RIAD_ROOT_INODE, text);
    }
    assert_int_equal(total(workspace), before);
    assert_counted(workspace);
    fixture_close(workspace);
}

#define CASE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(every_call_of_the_store_is_counted),
        CASE(those_of_opening_are_counted),
        CASE(small_changes_call_the_store_seldom),
        CASE(where_room_cannot_be_reserved_changes_are_spooled_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
