/* Scrubbing: every record is seen, what is none is told with its place, and nothing needs a key. */
#include "riad/scrub.h"

#include "log/fixture.h"

enum { CHANGES = 60 };

static struct {
    unsigned findings, tails;
    char path[32];
    uint64_t offset, end;
} found;

static void find(void *context, const char *path, uint64_t offset, uint64_t end, bool tail)
{
    (void)context;
    found.findings += !tail;
    found.tails += tail;
    snprintf(found.path, sizeof found.path, "%s", path);
    found.offset = offset;
    found.end = end;
}

static int scrub(struct riad_scrub_result *ret)
{
    const struct riad_scrub scrub = { .workspace_fd = f.directory.fd, .find = find };

    memset(&found, 0, sizeof found);
    return riad_scrub_workspace(&scrub, ret);
}

static void change_byte(int fd, off_t at)
{
    uint8_t byte = 0;

    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
}

static void all_records_are_read(void **state)
{
    struct riad_scrub_result result;

    (void)state;
    fixture_open(RIAD_CHANGE_LENGTH_MAX + 3000);
    assert_int_equal(scrub(&result), 0);
    assert_int_equal(result.files, 0);
    fixture_append(CHANGES);
    fixture_close_log();
    assert_int_equal(scrub(&result), 0);
    assert_true(result.files > 3);
    assert_int_equal(result.records, CHANGES + result.files); /* and the headers */
    assert_int_equal(result.findings + result.tails + found.findings + found.tails, 0);
}

static void each_byte_counts(void **state)
{
    struct riad_scrub_result result;
    struct stat st;
    int fd;

    (void)state;
    fixture_open(0);
    fixture_append(3);
    fixture_close_log();
    fd = fixture_open_file(RIAD_SEGMENT_LOG, f.written.ends[0].segment, O_RDWR);
    assert_true(fd >= 0 && fstat(fd, &st) == 0);
    for (off_t at = 0; at < st.st_size; at++) {
        change_byte(fd, at);
        assert_int_equal(scrub(&result), 0);
        assert_int_equal(found.findings + found.tails, 1);
        assert_true(found.offset <= (uint64_t)at && (uint64_t)at < found.end);
        assert_int_equal(found.tails, found.end == (uint64_t)st.st_size);
        change_byte(fd, at);
    }
    close(fd);
}

static void a_store_that_fails_is_no_damage(void **state)
{
    struct riad_scrub_result result;

    (void)state;
    fixture_open(0);
    fixture_append(3);
    fixture_close_log();
    faults_fail(FAULT_PREAD, 3, EIO);
    assert_int_equal(scrub(&result), -EIO);
    assert_int_equal(found.findings + found.tails, 0);
    faults_fail(FAULT_NONE, 0, 0);
    faults_shorten(0, 7);
    assert_int_equal(scrub(&result), 0);
    assert_int_equal(result.records, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_records_are_read, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(each_byte_counts, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(
                a_store_that_fails_is_no_damage, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
