/* The spool: what is put there gets to the store, by its own process or by the next (P1, L5, O2).
 */
#include <fcntl.h>

#include "fixture.h"
#include "spool_priv.h"

enum { SEGMENT = 7 };
#define SEGMENT_ID ((uint64_t)1 << 32 | SEGMENT)

static struct riad_spool_home home;
static struct riad_spool *spool;
static uint8_t *expected; /* of the segment, from its first byte */
static uint64_t written;

static int setup(void **state)
{
    fixture_setup(state);
    home = (struct riad_spool_home){ .state_fd = f.directory.fd, .workspace = f.workspace };
    assert_int_equal(riad_random_id(&home.boot), 0);
    assert_int_equal(mkdirat(f.directory.fd, "log", 0700), 0);
    expected = calloc(1, 4 * RIAD_SPOOL_SIZE);
    written = 0;
    return expected ? 0 : -1;
}

static int teardown(void **state)
{
    riad_spool_freep(&spool);
    spool = NULL;
    free(expected);
    return fixture_teardown(state);
}

/* A spool that has begun a segment, and that segment's file. */
static int begin(void)
{
    assert_int_equal(riad_spool_open(&home, &spool), 0);
    riad_spool_begin(spool, SEGMENT_ID);
    return fixture_open_file(RIAD_SEGMENT_LOG, SEGMENT_ID, O_RDWR | O_CREAT);
}

static void put(size_t size)
{
    struct iovec pieces[2];

    fixture_fill(expected + written, size, (unsigned)written);
    pieces[0] = (struct iovec){ expected + written, size / 3 };
    pieces[1] = (struct iovec){ expected + written + size / 3, size - size / 3 };
    assert_true(riad_spool_has_room(spool, size));
    riad_spool_put(spool, pieces, 2);
    written += size;
}

static void assert_file(uint64_t size)
{
    size_t got;
    uint8_t *data = malloc(4 * RIAD_SPOOL_SIZE);
    _cleanup_close_ int fd = fixture_open_file(RIAD_SEGMENT_LOG, SEGMENT_ID, O_RDONLY);

    assert_int_equal(riad_pread_all(fd, data, 4 * RIAD_SPOOL_SIZE, 0, &got), 0);
    assert_int_equal(got, size);
    assert_memory_equal(data, expected, size);
    free(data);
}

/* The process that had the spool is gone, without a word. */
static void die(void)
{
    riad_spool_free(spool);
    spool = NULL;
}

static struct riad_delivery deliver(uint32_t term)
{
    struct riad_delivery delivery = { 0 };

    assert_int_equal(riad_spool_deliver(&home, f.directory.fd, term, &delivery), 0);
    return delivery;
}

static bool is_there(const char *name)
{
    return faccessat(f.directory.fd, name, F_OK, 0) == 0;
}

static void what_is_put_is_shipped_in_order(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    for (size_t i = 0; written < 3 * (uint64_t)RIAD_SPOOL_SIZE; i++) {
        put(1 + i * 7919 % 60000);
        if (i % 37 == 0) {
            assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
            assert_int_equal(riad_spool_pending(spool), 0);
            assert_file(written);
        }
    }
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
    assert_file(written);
}

static void a_full_spool_takes_nothing(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(100);
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
    put(RIAD_SPOOL_SIZE - 5);
    assert_true(riad_spool_has_room(spool, 5));
    assert_false(riad_spool_has_room(spool, 6));
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
    assert_true(riad_spool_has_room(spool, RIAD_SPOOL_SIZE));
    assert_file(written);
}

static void what_the_store_refuses_stays_pending(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(50000);
    faults_fail(FAULT_PWRITE, 1, EIO);
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), -EIO);
    assert_int_equal(riad_spool_pending(spool), 50000);
    faults_fail(FAULT_NONE, 0, 0);
    faults.write_max = 777;
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
    assert_file(written);
}

static void a_segment_that_is_over_gets_nothing(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    riad_spool_begin(spool, SEGMENT_ID + 1);
    put(100);
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
    assert_file(0);
    assert_int_equal(riad_spool_pending(spool), 100);
}

static void what_a_dead_process_left_is_delivered_once(void **state)
{
    _cleanup_close_ int fd = begin();
    struct riad_delivery delivery;

    (void)state;
    put(RIAD_SPOOL_SIZE - 1000);
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
    put(40000); /* over the ring's end */
    die();
    delivery = deliver(1);
    assert_int_equal(delivery.bytes, 40000);
    assert_false(delivery.aside);
    assert_file(written);
    assert_int_equal(deliver(1).bytes, 0);
    assert_file(written);
}

/* The kernel had written some of it, or all, and the process died before it could note that. */
static void what_the_file_has_is_not_written_again(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    put(5000);
    die();
    expected[999] ^= 1;
    assert_int_equal(riad_pwrite_all(fd, expected, 1000, 0), 0);
    assert_int_equal(deliver(1).bytes, 6000);
    assert_file(6000);
}

static void a_file_that_is_longer_keeps_its_end(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    die();
    fixture_fill(expected, 3000, 99);
    assert_int_equal(riad_pwrite_all(fd, expected, 3000, 0), 0);
    assert_false(deliver(1).aside);
    assert_file(3000);
}

/* The kernel had written some of what was put, where zeros were before. */
static void zeros_behind_the_end_are_written_over_and_cut_off(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
    assert_int_equal(riad_spool_write_zeros(spool, SEGMENT_ID, fd, 0, 90000), 0);
    put(5000);
    die();
    assert_int_equal(riad_pwrite_all(fd, expected + 1000, 700, 1000), 0);
    assert_int_equal(deliver(1).bytes, 5000);
    assert_file(6000);
}

/* What lies behind the end is somebody else's as soon as one byte of it is. */
static void more_than_zeros_are_kept(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    die();
    assert_int_equal(riad_pwrite_all(fd, expected, 1000, 0), 0);
    memset(expected + 1000, 0, 2000);
    expected[2999] = 1;
    assert_int_equal(riad_pwrite_all(fd, expected + 2999, 1, 2999), 0);
    assert_false(deliver(1).aside);
    assert_file(3000);
}

static void zeros_are_written_behind_what_was_shipped(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    assert_int_equal(riad_spool_shipped(spool, SEGMENT_ID), 0);
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
    assert_int_equal(riad_spool_shipped(spool, SEGMENT_ID), 1000);
    assert_int_equal(riad_spool_write_zeros(spool, SEGMENT_ID, fd, 500, 100000), 0);
    memset(expected + 1000, 0, 99000);
    assert_file(100000);
    riad_spool_begin(spool, SEGMENT_ID + 1);
    assert_int_equal(riad_spool_shipped(spool, SEGMENT_ID), 0);
    assert_int_equal(riad_spool_write_zeros(spool, SEGMENT_ID, fd, 500, 200000), 0);
    assert_file(100000);
}

static void assert_kept_aside(uint32_t term)
{
    struct riad_delivery delivery = deliver(term);

    assert_true(delivery.aside);
    assert_int_equal(delivery.segment, SEGMENT_ID);
    assert_false(is_there("spool"));
    assert_true(is_there("spool.0000000100000007"));
    assert_int_equal(deliver(term).bytes, 0);
}

static void another_term_has_begun(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    die();
    assert_kept_aside(2);
    assert_file(0);
}

static void another_nodes_term_is_none_of_ours(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    die();
    assert_kept_aside(0);
    assert_file(0);
}

static void a_file_that_lost_its_end_is_not_bridged(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
    put(1000);
    die();
    assert_int_equal(ftruncate(fd, 500), 0);
    assert_kept_aside(1);
    assert_file(500);
}

static void a_file_that_is_gone_is_not_made_again(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    die();
    fixture_unlink(RIAD_SEGMENT_LOG, SEGMENT_ID);
    assert_kept_aside(1);
}

/* After a power cut the pages of the spool are of any age. */
static void an_earlier_boots_spool_is_worth_nothing(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    die();
    home.boot.bytes[3] ^= 1;
    assert_int_equal(deliver(1).bytes, 0);
    assert_file(0);
    home.boot.bytes[3] ^= 1;
    home.workspace.bytes[3] ^= 1;
    assert_int_equal(deliver(1).bytes, 0);
    assert_file(0);
}

static void set_header(off_t at, const void *data, size_t size)
{
    int fd = openat(f.directory.fd, "spool", O_WRONLY);

    assert_int_equal(pwrite(fd, data, size, at), size);
    close(fd);
}

/* A store into a hole of the mapping, on a full disk, would kill the process. */
static void a_spool_with_holes_is_filled_or_refused(void **state)
{
    struct stat st;
    int fd = openat(f.directory.fd, "spool", O_RDWR | O_CREAT, 0600);

    (void)state;
    assert_int_equal(ftruncate(fd, RIAD_SPOOL_FILE_SIZE), 0);
    faults_fail_from(FAULT_FALLOCATE, 1, ENOSPC);
    assert_int_equal(riad_spool_open(&home, &spool), -ENOSPC);
    faults_fail(FAULT_NONE, 0, 0);
    assert_int_equal(riad_spool_open(&home, &spool), 0);
    assert_int_equal(fstat(fd, &st), 0);
    assert_true(st.st_blocks * 512 >= RIAD_SPOOL_FILE_SIZE);
    close(fd);
}

/* Were all boots one, a power cut would not be noticed. */
static void without_a_boot_there_is_no_spool(void **state)
{
    (void)state;
    home.boot = (struct riad_id){ 0 };
    assert_int_equal(riad_spool_open(&home, &spool), -EOPNOTSUPP);
    assert_null(spool);
    assert_false(is_there("spool"));
}

static void a_spool_of_no_boot_is_worth_nothing(void **state)
{
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    die();
    home.boot = (struct riad_id){ 0 };
    set_header(offsetof(struct riad_spool_header, boot), &home.boot, sizeof home.boot);
    assert_int_equal(deliver(1).bytes, 0);
    assert_file(0);
}

static void cut_spool(void)
{
    int fd = openat(f.directory.fd, "spool", O_WRONLY);

    assert_int_equal(ftruncate(fd, 100), 0);
    close(fd);
}

static void a_senseless_spool_is_worth_nothing(void **state)
{
    const uint64_t far = UINT64_MAX - 5, little = 10, shipped = 9;
    _cleanup_close_ int fd = begin();

    (void)state;
    put(1000);
    die();
    set_header(offsetof(struct riad_spool_header, end), &far, sizeof far);
    assert_int_equal(deliver(1).bytes, 0);
    set_header(offsetof(struct riad_spool_header, shipped), &far, sizeof far);
    assert_int_equal(deliver(1).bytes, 0);
    set_header(offsetof(struct riad_spool_header, end), &little, sizeof little);
    set_header(offsetof(struct riad_spool_header, shipped), &shipped, sizeof shipped);
    set_header(0, "RIADSPL0", 8);
    assert_int_equal(deliver(1).bytes, 0);
    cut_spool();
    assert_int_equal(deliver(1).bytes, 0);
    assert_file(0);
}

/* Killed, or refused by the store, at any call of the delivery: the next one does it. */
static void a_delivery_that_failed_is_done_again(void **state)
{
    _cleanup_close_ int fd = begin();
    struct riad_delivery delivery;
    int r = -EIO;

    (void)state;
    put(RIAD_SPOOL_SIZE - 1000);
    assert_int_equal(riad_spool_ship(spool, SEGMENT_ID, fd), 0);
    put(40000);
    die();
    for (unsigned call = 1; r < 0; call++) {
        assert_true(call < 40);
        faults_fail_from(FAULT_ANY, call, EIO);
        faults.write_max = 500;
        r = riad_spool_deliver(&home, f.directory.fd, 1, &delivery);
        faults_fail(FAULT_NONE, 0, 0);
    }
    faults.write_max = 0;
    (void)deliver(1);
    assert_file(written);
}

#define SPOOL(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SPOOL(what_is_put_is_shipped_in_order),
        SPOOL(a_full_spool_takes_nothing),
        SPOOL(what_the_store_refuses_stays_pending),
        SPOOL(a_segment_that_is_over_gets_nothing),
        SPOOL(what_a_dead_process_left_is_delivered_once),
        SPOOL(what_the_file_has_is_not_written_again),
        SPOOL(a_file_that_is_longer_keeps_its_end),
        SPOOL(zeros_behind_the_end_are_written_over_and_cut_off),
        SPOOL(more_than_zeros_are_kept),
        SPOOL(zeros_are_written_behind_what_was_shipped),
        SPOOL(another_term_has_begun),
        SPOOL(another_nodes_term_is_none_of_ours),
        SPOOL(a_file_that_lost_its_end_is_not_bridged),
        SPOOL(a_file_that_is_gone_is_not_made_again),
        SPOOL(an_earlier_boots_spool_is_worth_nothing),
        SPOOL(a_spool_with_holes_is_filled_or_refused),
        SPOOL(without_a_boot_there_is_no_spool),
        SPOOL(a_spool_of_no_boot_is_worth_nothing),
        SPOOL(a_senseless_spool_is_worth_nothing),
        SPOOL(a_delivery_that_failed_is_done_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
