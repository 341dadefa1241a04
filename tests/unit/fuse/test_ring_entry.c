/* Requests and replies in an entry's memory, without a kernel; sizes are not trusted. */
#include <linux/fuse.h>

#include "riad/error.h"

#include "fuse_priv.h"
#include "raw_abi_priv.h"
#include "ring_entry_priv.h"
#include "unit.h"
#include "worker_priv.h"

static struct riad_ring_entry entry = { 0 };
static uint8_t *memory;

static int setup(void **state)
{
    (void)state;
    assert_int_equal(riad_ring_memory_new(2, &memory), 0);
    riad_ring_entry_init(&entry, memory, 1, 7);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    riad_ring_memory_free(memory, 2);
    return 0;
}

/* As the kernel does it. */
static void put_request(size_t length, const void *fixed, size_t fixed_size, const void *payload,
        size_t payload_size)
{
    struct fuse_in_header header = {
        .len = (uint32_t)length, .opcode = FUSE_WRITE, .unique = 0x1234
    };

    memcpy(entry.header->in_out, &header, sizeof header);
    memcpy(entry.header->op_in, fixed, fixed_size);
    memcpy(entry.payload, payload, payload_size);
    entry.header->entry.payload_size = (uint32_t)payload_size;
}

static void a_request_is_one_piece(void **state)
{
    struct fuse_write_in write = { .size = 5, .offset = 99 };
    size_t length = sizeof(struct fuse_in_header) + sizeof write + 5;
    uint8_t *message = NULL;
    size_t size = 0;

    (void)state;
    put_request(length, &write, sizeof write, "roses", 5);
    assert_int_equal(riad_ring_message(&entry, &message, &size), 0);
    assert_int_equal(size, length);
    assert_int_equal((uintptr_t)message % sizeof(uint64_t), 0);
    assert_memory_equal(message + sizeof(struct fuse_in_header), &write, sizeof write);
    assert_memory_equal(message + length - 5, "roses", 5);
    assert_ptr_equal(message + length - 5, riad_ring_payload(&entry));
}

static void sizes_that_make_no_request_are_refused(void **state)
{
    const size_t header = sizeof(struct fuse_in_header);
    uint8_t fixed[RIAD_URING_OP_SIZE] = { 0 };
    uint8_t *message = NULL;
    size_t size = 77;

    (void)state;
    put_request(header - 1, fixed, sizeof fixed, "", 0);
    assert_int_equal(riad_ring_message(&entry, &message, &size), -EPROTO);
    put_request(header + RIAD_URING_OP_SIZE + 1, fixed, sizeof fixed, "", 0);
    assert_int_equal(riad_ring_message(&entry, &message, &size), -EPROTO);
    put_request(header + 4, fixed, sizeof fixed, "roses", 5);
    assert_int_equal(riad_ring_message(&entry, &message, &size), -EPROTO);
    put_request(UINT32_MAX, fixed, sizeof fixed, "", 0);
    entry.header->entry.payload_size = UINT32_MAX;
    assert_int_equal(riad_ring_message(&entry, &message, &size), -EPROTO);
    assert_null(message);
    assert_int_equal(size, 77);
    put_request(header + RIAD_URING_OP_SIZE, fixed, sizeof fixed, "", 0);
    assert_int_equal(riad_ring_message(&entry, &message, &size), 0);
}

static void a_reply_is_header_and_payload(void **state)
{
    struct fuse_out_header header = { .error = 0, .unique = 0x1234 };
    struct iovec pieces[] = { { &header, sizeof header }, { (void *)"red", 3 },
        { (void *)" roses", 6 } };

    (void)state;
    assert_int_equal(riad_ring_reply(&entry, pieces, 3), sizeof header + 9);
    assert_memory_equal(entry.header->in_out, &header, sizeof header);
    assert_int_equal(entry.header->entry.payload_size, 9);
    assert_memory_equal(entry.payload, "red roses", 9);
    memcpy(riad_ring_payload(&entry), "in place", 8);
    pieces[1] = (struct iovec){ riad_ring_payload(&entry), 8 };
    assert_int_equal(riad_ring_reply(&entry, pieces, 2), sizeof header + 8);
    assert_memory_equal(entry.payload, "in place", 8);
    assert_int_equal(riad_ring_reply(&entry, pieces, 1), sizeof header);
    assert_int_equal(entry.header->entry.payload_size, 0);
}

static void a_reply_that_does_not_fit_is_refused(void **state)
{
    struct fuse_out_header header = { .error = 0 };
    struct iovec pieces[] = { { &header, sizeof header },
        { riad_ring_payload(&entry), RIAD_MESSAGE_MAX + 1 } };

    (void)state;
    assert_int_equal(riad_ring_reply(&entry, pieces, 2), -1);
    assert_int_equal(errno, EINVAL);
    pieces[0].iov_len = sizeof header - 1;
    assert_int_equal(riad_ring_reply(&entry, pieces, 1), -1);
    assert_int_equal(riad_ring_reply(&entry, pieces, 0), -1);
}

static void submissions_name_entry_and_queue(void **state)
{
    struct io_uring_sqe submissions[2]; /* one of 128 bytes */
    struct riad_uring_command command;

    (void)state;
    memset(submissions, 0xff, sizeof submissions);
    riad_ring_prepare_register(submissions, &entry);
    assert_int_equal(submissions->opcode, IORING_OP_URING_CMD);
    assert_int_equal(submissions->cmd_op, RIAD_URING_REGISTER);
    assert_int_equal(submissions->len, 2);
    assert_int_equal(submissions->user_data, (uintptr_t)&entry);
    memcpy(&command, submissions->cmd, sizeof command);
    assert_int_equal(command.queue, 7);
    entry.header->entry.commit_id = 0xabcdef;
    riad_ring_prepare_commit(submissions, &entry);
    memcpy(&command, submissions->cmd, sizeof command);
    assert_int_equal(submissions->cmd_op, RIAD_URING_COMMIT_AND_FETCH);
    assert_int_equal(command.commit_id, 0xabcdef);
    assert_int_equal(command.queue, 7);
}

static bool is_slow(uint32_t opcode, size_t size, uint32_t asked)
{
    struct {
        struct fuse_in_header header;
        struct fuse_read_in read;
    } message = { .read = { .size = asked } };

    return riad_worker_is_slow(opcode, (const uint8_t *)&message, size);
}

static void syncs_and_bulk_are_slow(void **state)
{
    (void)state;
    assert_true(is_slow(FUSE_COPY_FILE_RANGE, 100, 0));
    assert_true(is_slow(RIAD_FUSE_COPY_FILE_RANGE_64, 100, 0));
    assert_true(is_slow(FUSE_WRITE, 1 << 20, 0));
    assert_true(is_slow(FUSE_READ, 80, 1 << 20));
    assert_false(is_slow(FUSE_WRITE, 4096 + 80, 0));
    assert_false(is_slow(FUSE_READ, 80, 4096));
    assert_false(is_slow(FUSE_READ, 79, 1 << 20)); /* too short to say */
    assert_false(is_slow(FUSE_LOOKUP, 50, 1 << 20));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_one_piece),
        TEST(sizes_that_make_no_request_are_refused),
        TEST(a_reply_is_header_and_payload),
        TEST(a_reply_that_does_not_fit_is_refused),
        TEST(submissions_name_entry_and_queue),
        TEST(syncs_and_bulk_are_slow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
