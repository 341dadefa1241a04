/* Changes found one by one. */
#include "riad/salvage.h"

#include "log/fixture.h"

static const struct riad_epoch_ends no_epochs;

static void find(
        uint64_t after, struct riad_salvage **ret, struct riad_salvage_summary *ret_summary)
{
    assert_int_equal(
            riad_salvage_find(f.directory.fd, f.keys, &f.history, &no_epochs, after, ret), 0);
    riad_salvage_summarize(*ret, ret_summary);
}

static int compare(void *context, uint64_t number, const uint8_t *content, size_t size)
{
    const char *written = f.written.contents[number - 1];

    assert_int_equal(size, strlen(written));
    assert_memory_equal(content, written, size);
    ++*(size_t *)context;
    return 0;
}

static void a_whole_log_is_found_whole(void **state)
{
    _cleanup_(riad_salvage_freep) struct riad_salvage *salvage = NULL;
    struct riad_salvage_summary summary;
    size_t count = 0;

    (void)state;
    fixture_write_history();
    find(0, &salvage, &summary);
    assert_int_equal(summary.found, f.written.count);
    assert_int_equal(summary.last, f.written.count);
    assert_int_equal(summary.missing, 0);
    assert_int_equal(riad_salvage_each(salvage, compare, &count), 0);
    assert_int_equal(count, f.written.count);
}

static void only_what_lies_behind_is_looked_for(void **state)
{
    _cleanup_(riad_salvage_freep) struct riad_salvage *salvage = NULL;
    struct riad_salvage_summary summary;

    (void)state;
    fixture_write_history();
    find(7, &salvage, &summary);
    assert_int_equal(summary.found, f.written.count - 7);
    riad_salvage_freep(&salvage);
    find(f.written.count, &salvage, &summary);
    assert_int_equal(summary.found + summary.last + summary.missing, 0);
}

/* Wherever one byte is flipped: at most that change is gone. */
static void one_flipped_byte_takes_one_change(void **state)
{
    _cleanup_free_ uint64_t *ids = NULL;
    size_t count, taken = 0;

    (void)state;
    fixture_write_history();
    assert_int_equal(riad_segment_list(f.directory.fd, RIAD_SEGMENT_LOG, &ids, &count), 0);
    for (size_t i = 0; i < count; i++) {
        _cleanup_close_ int fd = fixture_open_file(RIAD_SEGMENT_LOG, ids[i], O_RDWR);
        size_t size, found = 0;
        _cleanup_free_ uint8_t *data = fixture_load(RIAD_SEGMENT_LOG, ids[i], &size);

        for (size_t k = 0; k < size; k += 7) {
            _cleanup_(riad_salvage_freep) struct riad_salvage *salvage = NULL;
            struct riad_salvage_summary summary;
            uint8_t flipped = data[k] ^ (uint8_t)(1 << k % 8);

            assert_int_equal(pwrite(fd, &flipped, 1, (off_t)k), 1);
            find(0, &salvage, &summary);
            assert_in_range(summary.found, f.written.count - 1, f.written.count);
            taken += f.written.count - summary.found;
            found = 0;
            assert_int_equal(riad_salvage_each(salvage, compare, &found), 0);
            assert_int_equal(found, summary.found);
            assert_int_equal(pwrite(fd, &data[k], 1, (off_t)k), 1);
        }
    }
    assert_true(taken > 50);
}

/* A copy of a file, what a superseded owner wrote past its bound, and another workspace's log. */
static void what_is_not_of_the_history_is_left_out(void **state)
{
    _cleanup_(riad_salvage_freep) struct riad_salvage *salvage = NULL;
    struct riad_salvage_summary summary;
    struct riad_end bound;
    size_t size, written;
    uint64_t segment;

    (void)state;
    fixture_open(0);
    fixture_append(5);
    bound = *fixture_last();
    segment = bound.segment;
    fixture_append(3); /* of the first term, past where the second will begin */
    f.written.count -= 3;
    fixture_open_term(&bound, 0, 0);
    fixture_append(4);
    written = f.written.count;
    fixture_close_log();
    {
        _cleanup_free_ uint8_t *data = fixture_load(RIAD_SEGMENT_LOG, segment, &size);

        fixture_store(RIAD_SEGMENT_LOG, segment + 77, data, size);
    }
    find(0, &salvage, &summary);
    assert_int_equal(summary.found, written);
    size = 0;
    assert_int_equal(riad_salvage_each(salvage, compare, &size), 0);
    assert_int_equal(size, written);
    riad_salvage_freep(&salvage);
    riad_keys_free(f.keys);
    f.keys = fixture_keys(&f.workspace); /* another root: nothing is authentic */
    find(0, &salvage, &summary);
    assert_int_equal(summary.found, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_setup, fixture_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_whole_log_is_found_whole),
        TEST(only_what_lies_behind_is_looked_for),
        TEST(one_flipped_byte_takes_one_change),
        TEST(what_is_not_of_the_history_is_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
