/* The memory of what workspaces used: what was remembered is read, the newest counts, and what is
 * none of riad's is refused. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/thread.h"

#include "host_priv.h"
#include "temporary.h"
#include "unit.h"

static struct temporary temporary;
static struct riad_state state;

static int setup(void **context)
{
    (void)context;
    return temporary_make(&temporary) < 0 || riad_state_open(temporary.path, &state) < 0 ? -1 : 0;
}

static int teardown(void **context)
{
    (void)context;
    riad_state_close(&state);
    temporary_remove(&temporary);
    return 0;
}

static struct riad_usage_entry entry_of(uint32_t number, uint64_t bytes, uint64_t when)
{
    struct riad_usage_entry entry = { .store = { { 7 } },
        .bytes = bytes,
        .inodes = number + 1,
        .bytes_over_since = 3,
        .inodes_over_since = 4,
        .when = when };

    memcpy(&entry.workspace, &number, sizeof number);
    return entry;
}

static void remember(uint32_t number, uint64_t bytes, uint64_t when)
{
    const struct riad_usage_entry entry = entry_of(number, bytes, when);

    assert_int_equal(riad_usage_remember(&state, &entry, 1), 0);
}

/* -1: there is none. */
static int64_t bytes_of(uint32_t number)
{
    const struct riad_usage_entry entry = entry_of(number, 0, 0), *found;
    struct riad_usage_list list;
    int64_t bytes;

    assert_int_equal(riad_usage_read(&state, &list), 0);
    found = riad_usage_find(&list, &entry.store, &entry.workspace);
    bytes = found ? (int64_t)found->bytes : -1;
    riad_usage_done(&list);
    return bytes;
}

static void nothing_is_remembered_at_first(void **context)
{
    (void)context;
    assert_int_equal(bytes_of(1), -1);
    assert_int_equal(riad_usage_remember(&state, NULL, 0), 0);
    assert_int_equal(bytes_of(1), -1);
}

static void what_was_remembered_is_read(void **context)
{
    struct riad_usage_list list;

    (void)context;
    remember(5, 50, 10);
    remember(1, 10, 11);
    remember(9, 90, 12);
    assert_int_equal(riad_usage_read(&state, &list), 0);
    assert_int_equal(list.count, 3);
    for (size_t i = 0; i < 3; i++) {
        static const uint32_t numbers[] = { 1, 5, 9 };
        const struct riad_usage_entry wanted = entry_of(numbers[i], numbers[i] * 10,
                i == 0   ? 11
                : i == 1 ? 10
                         : 12);

        assert_memory_equal(&list.entries[i], &wanted, sizeof wanted);
    }
    riad_usage_done(&list);
}

static void the_newest_counts(void **context)
{
    const struct riad_usage_entry both[] = { entry_of(1, 40, 13), entry_of(1, 30, 12) };

    (void)context;
    remember(1, 10, 11);
    remember(1, 20, 11);
    assert_in_range(bytes_of(1), 10, 20);
    assert_int_equal(riad_usage_remember(&state, both, 2), 0);
    assert_int_equal(bytes_of(1), 40);
    remember(1, 99, 5); /* of another process that was slow */
    assert_int_equal(bytes_of(1), 40);
}

static void stores_are_kept_apart(void **context)
{
    struct riad_usage_entry other = entry_of(1, 11, 9);

    (void)context;
    remember(1, 10, 9);
    other.store.bytes[0] = 6;
    assert_int_equal(riad_usage_remember(&state, &other, 1), 0);
    assert_int_equal(bytes_of(1), 10);
}

/* The oldest goes. */
static void it_is_bounded(void **context)
{
    enum { MOST = RIAD_USAGE_ENTRIES_MAX };
    _cleanup_free_ struct riad_usage_entry *entries = calloc(MOST, sizeof *entries);

    (void)context;
    assert_non_null(entries);
    for (uint32_t i = 0; i < MOST; i++) {
        entries[i] = entry_of(i, i, 100 + (i * 7919 % MOST));
    }
    assert_int_equal(riad_usage_remember(&state, entries, MOST), 0);
    assert_int_equal(bytes_of(0), 0); /* the oldest: 100 */
    assert_int_equal(bytes_of(MOST - 1), MOST - 1);
    remember(MOST, 77, 1 << 20);
    assert_int_equal(bytes_of(MOST), 77);
    assert_int_equal(bytes_of(0), -1);
    assert_int_equal(bytes_of(1), 1);
    assert_int_equal(bytes_of(MOST - 1), MOST - 1);
}

static void write_file(const void *data, size_t size)
{
    assert_int_equal(riad_publish_file_at(state.fd, "usage", data, size, RIAD_PUBLISH_REPLACE), 0);
}

static int try_read(void)
{
    struct riad_usage_list list = { 0 };
    int r = riad_usage_read(&state, &list);

    riad_usage_done(&list);
    return r;
}

/* Each byte changed, and each length: refused, or another figure; never more. */
static void hostile_content_is_refused(void **context)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size;

    (void)context;
    remember(1, 10, 1);
    remember(2, 20, 2);
    assert_int_equal(riad_read_file_at(state.fd, "usage", 4096, &data, &size), 0);
    assert_int_equal(size, 12 + 2 * 72);
    for (size_t i = 0; i < size; i++) {
        write_file(data, i);
        assert_int_equal(try_read(), -EBADMSG);
        data[i] ^= 0x80;
        write_file(data, size);
        assert_true(try_read() == 0 || try_read() == -EBADMSG);
        assert_true(i >= 12 || try_read() == -EBADMSG);
        data[i] ^= 0x80;
    }
    write_file(data, size);
    assert_int_equal(try_read(), 0);
    memcpy(data + 12 + 72, data + 12, 72); /* twice the same */
    write_file(data, size);
    assert_int_equal(try_read(), -EBADMSG);
    remember(3, 30, 3); /* begun anew */
    assert_int_equal(bytes_of(3), 30);
    assert_int_equal(bytes_of(1), -1);
}

static void put_entry(struct riad_writer *writer, uint8_t store, uint8_t workspace)
{
    riad_put_u8(writer, store);
    riad_put_zeros(writer, 15);
    riad_put_u8(writer, workspace);
    riad_put_zeros(writer, 15 + 40);
}

static int read_order(const char *order, uint32_t count)
{
    struct riad_writer writer;
    uint8_t bytes[1024];

    riad_writer_init_fixed(&writer, bytes, sizeof bytes);
    riad_put_bytes(&writer, "RIADUSE1", 8);
    riad_put_u32(&writer, count);
    for (const char *at = order; *at; at += 2) {
        put_entry(&writer, (uint8_t)at[0], (uint8_t)at[1]);
    }
    write_file(writer.data, writer.size);
    return try_read();
}

static void entries_have_one_order(void **context)
{
    (void)context;
    assert_int_equal(read_order("", 0), 0);
    assert_int_equal(read_order("a1a2b1", 3), 0);
    assert_int_equal(read_order("a1b1a2", 3), -EBADMSG);
    assert_int_equal(read_order("a2a1", 2), -EBADMSG);
    assert_int_equal(read_order("a1", 2), -EBADMSG);
    assert_int_equal(read_order("a1a2", 1), -EBADMSG);
    assert_int_equal(read_order("a1", UINT32_MAX), -EBADMSG);
}

static void what_is_no_file_is_refused(void **context)
{
    (void)context;
    assert_int_equal(symlinkat("/etc/passwd", state.fd, "usage"), 0);
    assert_int_equal(try_read(), -EBADMSG);
    assert_int_equal(unlinkat(state.fd, "usage", 0), 0);
    assert_int_equal(mkfifoat(state.fd, "usage", 0600), 0);
    assert_int_equal(try_read(), -EBADMSG);
    remember(1, 10, 1);
    assert_int_equal(bytes_of(1), 10);
}

enum { THREADS = 16 };
static struct riad_usage_queue *queue;

/* Whether it is in the file when the call returns. */
static void *close_one(void *argument)
{
    const struct riad_usage_entry entry = entry_of((uint32_t)(uintptr_t)argument, 5, 5);
    struct riad_usage_list list = { 0 };
    bool written;

    riad_usage_queue_write(queue, &state, &entry, 1);
    written = riad_usage_read(&state, &list) == 0 &&
              riad_usage_find(&list, &entry.store, &entry.workspace);
    riad_usage_done(&list);
    return written ? queue : NULL;
}

static void many_at_once_are_all_written(void **context)
{
    pthread_t threads[THREADS];

    (void)context;
    assert_int_equal(riad_usage_queue_new(&queue), 0);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, close_one, (void *)i), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *written = NULL;

        assert_int_equal(pthread_join(threads[i], &written), 0);
        assert_non_null(written);
    }
    riad_usage_queue_free(queue);
    for (uint32_t i = 0; i < THREADS; i++) {
        assert_int_equal(bytes_of(i), 5);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_remembered_at_first),
        TEST(what_was_remembered_is_read),
        TEST(the_newest_counts),
        TEST(stores_are_kept_apart),
        TEST(it_is_bounded),
        TEST(hostile_content_is_refused),
        TEST(entries_have_one_order),
        TEST(what_is_no_file_is_refused),
        TEST(many_at_once_are_all_written),
    };

    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
