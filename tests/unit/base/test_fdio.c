#include <dirent.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "riad/cleanup.h"
#include "riad/fdio.h"
#include "riad/patience.h"

#include "faults.h"
#include "temporary.h"
#include "unit.h"

static struct temporary directory;

static int setup(void **state)
{
    (void)state;
    faults_install();
    return temporary_make(&directory);
}

static int teardown(void **state)
{
    (void)state;
    faults_remove();
    return temporary_remove(&directory);
}

static void make_file(const char *name, const char *text)
{
    _cleanup_close_ int fd = openat(directory.fd, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void assert_content(const char *name, const char *text)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size = 0;

    assert_int_equal(riad_read_file_at(directory.fd, name, 1 << 20, &data, &size), 0);
    assert_int_equal(size, strlen(text));
    assert_string_equal((const char *)data, text);
}

static unsigned count_entries(void)
{
    _cleanup_closedir_ DIR *dir = opendir(directory.path);
    unsigned count = 0;

    assert_non_null(dir);
    while (readdir(dir)) {
        count++;
    }
    return count - 2;
}

static void short_and_interrupted_calls_are_retried(void **state)
{
    _cleanup_close_ int fd = openat(directory.fd, "f", O_RDWR | O_CREAT, 0600);
    char data[1000];
    char back[1200];
    size_t size = 0;

    (void)state;
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (char)(i * 7);
    }
    faults_shorten(33, 29);
    faults_fail(FAULT_PWRITE, 2, EINTR);
    assert_int_equal(riad_pwrite_all(fd, data, sizeof data, 100), 0);
    assert_int_equal(faults_count(FAULT_PWRITE), 1000 / 33 + 2);
    faults_fail(FAULT_PREAD, 3, EINTR);
    assert_int_equal(riad_pread_all(fd, back, sizeof back, 100, &size), 0);
    assert_int_equal(size, sizeof data);
    assert_memory_equal(back, data, sizeof data);
}

/* What would wait, or cannot tell, is one answer; what is in memory is read. */
static void a_cached_read_does_not_wait(void **state)
{
    _cleanup_close_ int fd = openat(directory.fd, "f", O_RDWR | O_CREAT, 0600);
    char back[8];
    size_t size = 77;

    (void)state;
    if (!temporary_can_read_cached(fd)) {
        skip();
    }
    assert_int_equal(riad_pwrite_all(fd, "cached", 6, 0), 0);
    faults_fail(FAULT_PREADV2, 1, EAGAIN);
    assert_int_equal(riad_pread_cached(fd, back, sizeof back, 0, &size), RIAD_WOULD_WAIT);
    faults_fail(FAULT_PREADV2, 1, EOPNOTSUPP);
    assert_int_equal(riad_pread_cached(fd, back, sizeof back, 0, &size), RIAD_WOULD_WAIT);
    faults_fail(FAULT_PREADV2, 1, EIO);
    assert_int_equal(riad_pread_cached(fd, back, sizeof back, 0, &size), -EIO);
    assert_int_equal(size, 77);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_pread_cached(fd, back, sizeof back, 0, &size), 0);
    assert_int_equal(size, 6);
    assert_memory_equal(back, "cached", 6);
    assert_int_equal(faults_count(FAULT_PREAD), 0);
}

static void a_vector_is_written_whole_over_short_writes(void **state)
{
    _cleanup_close_ int fd = openat(directory.fd, "f", O_RDWR | O_CREAT, 0600);
    size_t size = 0;
    char back[16];

    (void)state;
    for (size_t step = 0; step <= 12; step++) {
        struct iovec vector[] = { { NULL, 0 }, { (void *)"abc", 3 }, { NULL, 0 },
            { (void *)"defgh", 5 }, { (void *)"ijk", 3 }, { NULL, 0 } };

        assert_int_equal(ftruncate(fd, 0), 0);
        faults_shorten(step, 0);
        faults_fail(FAULT_PWRITEV, 1, EINTR);
        assert_int_equal(riad_pwritev_all(fd, vector, 6, 2), 0);
        assert_int_equal(riad_pread_all(fd, back, sizeof back, 0, &size), 0);
        assert_int_equal(size, 13);
        assert_memory_equal(back, "\0\0abcdefghijk", 13);
    }
}

static ssize_t write_nothing(int fd, const void *data, size_t size, off_t offset)
{
    (void)fd;
    (void)data;
    (void)size;
    (void)offset;
    return 0;
}

static void writes_report_errors(void **state)
{
    _cleanup_close_ int fd = openat(directory.fd, "f", O_RDWR | O_CREAT, 0600);
    struct riad_sysops idle = riad_sysops_real;
    struct iovec vector[17] = { 0 };
    struct iovec huge[2] = { { NULL, SIZE_MAX }, { NULL, SIZE_MAX } };

    (void)state;
    faults_fail(FAULT_PWRITE, 1, ENOSPC);
    assert_int_equal(riad_pwrite_all(fd, "x", 1, 0), -ENOSPC);
    assert_int_equal(riad_pwrite_all(fd, "x", 1, INT64_MAX), -EFBIG);
    assert_int_equal(riad_pwrite_all(fd, "x", 1, UINT64_MAX), -EFBIG);
    assert_int_equal(riad_pwritev_all(fd, vector, 17, 0), -EINVAL);
    assert_int_equal(riad_pwritev_all(fd, vector, -1, 0), -EINVAL);
    assert_int_equal(riad_pwritev_all(fd, huge, 2, 0), -EFBIG);
    assert_int_equal(riad_pwritev_all(fd, vector, 16, 0), 0);
    idle.pwrite = write_nothing;
    riad_sys = &idle;
    assert_int_equal(riad_pwrite_all(fd, "x", 1, 0), -EIO);
    riad_sys = &faults_table;
}

static void reads_report_errors_and_leave_the_result_alone(void **state)
{
    _cleanup_close_ int fd = openat(directory.fd, "f", O_RDWR | O_CREAT, 0600);
    char byte;
    size_t size = 77;

    (void)state;
    faults_fail(FAULT_PREAD, 1, EIO);
    assert_int_equal(riad_pread_all(fd, &byte, 1, 0, &size), -EIO);
    assert_int_equal(riad_pread_all(fd, &byte, 1, UINT64_MAX, &size), -EINVAL);
    assert_int_equal(size, 77);
    assert_int_equal(riad_pread_all(fd, &byte, 1, 1 << 30, &size), 0);
    assert_int_equal(size, 0);
}

static int read_at_most(const char *name, size_t max)
{
    uint8_t *data = NULL;
    size_t size = 77;
    int r = riad_read_file_at(directory.fd, name, max, &data, &size);

    if (r < 0) {
        assert_null(data);
        assert_int_equal(size, 77);
    } else {
        assert_true(size <= max);
        assert_int_equal(data[size], 0);
    }
    free(data);
    return r;
}

static void a_file_is_read_whole_up_to_its_maximum(void **state)
{
    (void)state;
    make_file("empty", "");
    make_file("five", "12345");
    assert_content("empty", "");
    assert_content("five", "12345");
    assert_int_equal(read_at_most("empty", 0), 0);
    assert_int_equal(read_at_most("five", 5), 0);
    assert_int_equal(read_at_most("five", 4), -EFBIG);
    assert_int_equal(read_at_most("five", 0), -EFBIG);
    assert_int_equal(read_at_most("five", SIZE_MAX), 0);
    assert_int_equal(read_at_most("none", 5), -ENOENT);
    faults_fail(FAULT_FSTAT, 1, EIO);
    assert_int_equal(read_at_most("five", 5), -EIO);
    faults_fail(FAULT_PREAD, 2, EIO);
    assert_int_equal(read_at_most("five", 5), -EIO);
}

/* A size of zero that is not true, as of files in /proc, or as an old attribute of a file that
 * grew. */
static int say_empty(int fd, struct stat *ret)
{
    int r = fstat(fd, ret);

    ret->st_size = 0;
    return r;
}

static void a_file_larger_than_told_is_read_whole(void **state)
{
    struct riad_sysops lying = riad_sysops_real;
    char big[20001];

    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    make_file("big", big);
    lying.fstat = say_empty;
    riad_sys = &lying;
    assert_content("big", big);
    assert_int_equal(read_at_most("big", 20000), 0);
    assert_int_equal(read_at_most("big", 19999), -EFBIG);
    assert_int_equal(read_at_most("big", 4096), -EFBIG);
    assert_int_equal(read_at_most("big", 100), -EFBIG);
    riad_sys = &faults_table;
}

static void only_regular_files_are_read(void **state)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    (void)state;
    make_file("f", "text");
    assert_int_equal(symlinkat("f", directory.fd, "symlink"), 0);
    assert_int_equal(mkdirat(directory.fd, "dir", 0700), 0);
    assert_int_equal(mkfifoat(directory.fd, "fifo", 0600), 0);
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/socket", directory.fd);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(read_at_most("symlink", 100), -EMEDIUMTYPE);
    assert_int_equal(read_at_most("dir", 100), -EMEDIUMTYPE);
    assert_int_equal(read_at_most("fifo", 100), -EMEDIUMTYPE);
    assert_int_equal(read_at_most("socket", 100), -EMEDIUMTYPE);
}

static int publish(const char *name, const char *text, enum riad_publish how)
{
    return riad_publish_file_at(directory.fd, name, text, strlen(text), how);
}

static void publishing_makes_or_replaces_a_whole_file(void **state)
{
    struct stat st;

    (void)state;
    assert_int_equal(publish("f", "first", RIAD_PUBLISH_NEW), 0);
    assert_content("f", "first");
    assert_int_equal(publish("f", "second", RIAD_PUBLISH_NEW), -EEXIST);
    assert_content("f", "first");
    assert_int_equal(publish("f", "third", RIAD_PUBLISH_REPLACE), 0);
    assert_content("f", "third");
    assert_int_equal(publish("empty", "", RIAD_PUBLISH_REPLACE), 0);
    assert_content("empty", "");
    assert_int_equal(fstatat(directory.fd, "f", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(count_entries(), 2);
}

static void only_plain_names_are_published(void **state)
{
    static const char *const bad[] = { "", ".", "..", "a/b", "/a", "a/" };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(publish(bad[i], "x", RIAD_PUBLISH_NEW), -EINVAL);
        assert_int_equal(publish(bad[i], "x", RIAD_PUBLISH_REPLACE), -EINVAL);
    }
    assert_int_equal(count_entries(), 0);
}

/* Each of the calls that publication makes fails in turn: the name stays free, or the old file
 * whole. */
static void a_failure_anywhere_publishes_nothing(void **state)
{
    unsigned number = 0;
    int r;

    (void)state;
    do {
        faults_fail(FAULT_ANY, ++number, EIO);
        r = publish("new", "text", RIAD_PUBLISH_NEW);
        if (r < 0) {
            assert_int_equal(r, -EIO);
            assert_int_equal(count_entries(), 0);
        }
    } while (r < 0);
    assert_int_equal(number,
            6); /* openat, pwrite, fsync, linkat, fsync; the sixth only leaves the temporary */
    assert_content("new", "text");
}

static void a_failure_before_the_rename_keeps_the_old_file(void **state)
{
    (void)state;
    make_file("f", "old");
    for (unsigned number = 1; number <= 4; number++) {
        faults_fail(FAULT_ANY, number, EDQUOT);
        assert_int_equal(publish("f", "new", RIAD_PUBLISH_REPLACE), -EDQUOT);
        assert_content("f", "old");
        assert_int_equal(count_entries(), 1);
    }
    faults_fail(FAULT_ANY, 5, EIO);
    assert_int_equal(publish("f", "new", RIAD_PUBLISH_REPLACE), -EIO);
    faults_fail(FAULT_ANY, 6, EIO); /* one more than it makes */
    assert_int_equal(publish("f", "newer", RIAD_PUBLISH_REPLACE), 0);
    assert_int_equal(faults_count(FAULT_ANY), 5);
    faults_fail(FAULT_NONE, 0, 0);
    assert_content("f", "newer");
}

/* The file is synced before it gets its name, and the directory after. */
static void a_crash_in_the_middle_never_shows_a_part(void **state)
{
    (void)state;
    for (unsigned number = 1; number <= 4; number++) {
        faults_fail_from(FAULT_ANY, number, EIO);
        assert_int_equal(publish("f", "text", RIAD_PUBLISH_NEW), -EIO);
        assert_int_equal(faccessat(directory.fd, "f", F_OK, 0), -1);
    }
    faults_fail(FAULT_FSYNC, 1, EIO);
    assert_int_equal(publish("f", "text", RIAD_PUBLISH_NEW), -EIO);
    assert_int_equal(faults_count(FAULT_LINKAT), 0);
}

static int link_and_say_it_exists(
        int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)
{
    int r = linkat(olddirfd, oldpath, newdirfd, newpath, flags);

    errno = EEXIST;
    return r < 0 ? r : -1;
}

static void a_link_that_was_sent_twice_counts(void **state)
{
    struct riad_sysops nfs = riad_sysops_real;

    (void)state;
    nfs.linkat = link_and_say_it_exists;
    riad_sys = &nfs;
    assert_int_equal(publish("f", "mine", RIAD_PUBLISH_NEW), 0);
    assert_int_equal(publish("f", "other", RIAD_PUBLISH_NEW), -EEXIST);
    riad_sys = &faults_table;
    assert_content("f", "mine");
    assert_int_equal(count_entries(), 1);
}

static void directories_are_made_opened_and_synced(void **state)
{
    _cleanup_close_ int fd = -1;

    (void)state;
    make_file("f", "");
    assert_int_equal(riad_mkdir_at(directory.fd, "dir"), 0);
    assert_int_equal(riad_mkdir_at(directory.fd, "dir"), 0);
    assert_int_equal(riad_mkdir_at(directory.fd, "f"), -ENOTDIR);
    assert_int_equal(riad_mkdir_at(directory.fd, "none/dir"), -ENOENT);
    assert_int_equal(symlinkat("dir", directory.fd, "symlink"), 0);
    assert_int_equal(riad_mkdir_at(directory.fd, "symlink"), -ENOTDIR);
    assert_int_equal(riad_open_dir_at(directory.fd, "f"), -ENOTDIR);
    assert_true(riad_open_dir_at(directory.fd, "symlink") < 0);
    assert_int_equal(riad_open_dir_at(directory.fd, "none"), -ENOENT);
    fd = riad_open_dir_at(directory.fd, "dir");
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    faults_fail(FAULT_FSYNC, 1, EIO);
    assert_int_equal(riad_fsync_dir(fd), -EIO);
    faults_fail(FAULT_FSYNC, 1, EINVAL);
    assert_int_equal(riad_fsync_dir(fd), 0);
    assert_int_equal(riad_fsync_dir(fd), 0);
}

static void cleanup_keeps_errno_and_empties(void **state)
{
    int fd = openat(directory.fd, ".", O_RDONLY | O_DIRECTORY);
    int old = fd;
    void *pointer = malloc(1);
    FILE *file = tmpfile();

    (void)state;
    errno = ERANGE;
    riad_close_fd(&fd);
    riad_close_fd(&fd);
    riad_free_pointer(&pointer);
    riad_close_file(&file);
    assert_int_equal(errno, ERANGE);
    assert_int_equal(fd, -1);
    assert_null(pointer);
    assert_null(file);
    assert_int_equal(fcntl(old, F_GETFD), -1);
    assert_int_equal(faults_count(FAULT_CLOSE), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(short_and_interrupted_calls_are_retried),
        TEST(a_cached_read_does_not_wait),
        TEST(a_vector_is_written_whole_over_short_writes),
        TEST(writes_report_errors),
        TEST(reads_report_errors_and_leave_the_result_alone),
        TEST(a_file_is_read_whole_up_to_its_maximum),
        TEST(a_file_larger_than_told_is_read_whole),
        TEST(only_regular_files_are_read),
        TEST(publishing_makes_or_replaces_a_whole_file),
        TEST(only_plain_names_are_published),
        TEST(a_failure_anywhere_publishes_nothing),
        TEST(a_failure_before_the_rename_keeps_the_old_file),
        TEST(a_crash_in_the_middle_never_shows_a_part),
        TEST(a_link_that_was_sent_twice_counts),
        TEST(directories_are_made_opened_and_synced),
        TEST(cleanup_keeps_errno_and_empties),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
