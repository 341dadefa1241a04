#include <linux/fuse.h>
#include <sys/mman.h>

#include "riad/error.h"

#include "fuse_priv.h"
#include "ring_entry_priv.h"

/* The front holds the kernel's header at its start; at its end the request is put together, right
 * before the payload, so that bodies are never copied. */
enum { FRONT_SIZE = 4096, ENTRY_SIZE = FRONT_SIZE + RIAD_MESSAGE_MAX, PIECES = 2 };

_Static_assert(
        sizeof(struct riad_uring_header) + sizeof(struct fuse_in_header) + RIAD_URING_OP_SIZE <=
                FRONT_SIZE,
        "the front has room for both");

/* Huge pages would make memory of what is address space. */
int riad_ring_memory_new(unsigned count, uint8_t **ret)
{
    size_t size = (size_t)count * ENTRY_SIZE;
    void *memory = mmap(
            NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        return -ENOMEM;
    }
    (void)madvise(memory, size, MADV_NOHUGEPAGE);
    *ret = memory;
    return 0;
}

void riad_ring_memory_free(uint8_t *memory, unsigned count)
{
    if (memory) {
        munmap(memory, (size_t)count * ENTRY_SIZE);
    }
}

void riad_ring_entry_init(
        struct riad_ring_entry *entry, uint8_t *memory, unsigned index, uint16_t queue)
{
    uint8_t *front = memory + (size_t)index * ENTRY_SIZE;

    entry->queue = queue;
    entry->header = (struct riad_uring_header *)front;
    entry->payload = front + FRONT_SIZE;
    entry->memory[0] = (struct iovec){ entry->header, sizeof *entry->header };
    entry->memory[1] = (struct iovec){ entry->payload, RIAD_MESSAGE_MAX };
}

static void prepare(struct io_uring_sqe *sqe, struct riad_ring_entry *entry, uint32_t operation,
        uint64_t commit_id)
{
    struct riad_uring_command command = { .commit_id = commit_id, .queue = entry->queue };

    memset(sqe, 0, 2 * sizeof *sqe); /* IORING_SETUP_SQE128 */
    sqe->opcode = IORING_OP_URING_CMD;
    sqe->fd = entry->device;
    sqe->cmd_op = operation;
    memcpy(sqe->cmd, &command, sizeof command);
    io_uring_sqe_set_data(sqe, entry);
}

void riad_ring_prepare_register(struct io_uring_sqe *sqe, struct riad_ring_entry *entry)
{
    prepare(sqe, entry, RIAD_URING_REGISTER, 0);
    sqe->addr = (uint64_t)(uintptr_t)entry->memory;
    sqe->len = PIECES;
}

void riad_ring_prepare_commit(struct io_uring_sqe *sqe, struct riad_ring_entry *entry)
{
    prepare(sqe, entry, RIAD_URING_COMMIT_AND_FETCH, entry->header->entry.commit_id);
}

int riad_ring_message(struct riad_ring_entry *entry, uint8_t **ret, size_t *ret_size)
{
    struct fuse_in_header header;
    size_t payload = entry->header->entry.payload_size;
    size_t fixed;
    uint8_t *message;

    memcpy(&header, entry->header->in_out, sizeof header);
    if (payload > RIAD_MESSAGE_MAX || header.len < sizeof header + payload ||
            header.len - sizeof header - payload > RIAD_URING_OP_SIZE) {
        return -EPROTO;
    }
    fixed = header.len - sizeof header - payload;
    message = entry->payload - fixed - sizeof header;
    memcpy(message, &header, sizeof header);
    memcpy(message + sizeof header, entry->header->op_in, fixed);
    *ret = message;
    *ret_size = header.len;
    return 0;
}

uint8_t *riad_ring_payload(struct riad_ring_entry *entry)
{
    return entry->payload;
}

static size_t total(const struct iovec *pieces, int count)
{
    size_t size = 0;

    for (int i = 0; i < count; i++) {
        size += pieces[i].iov_len;
    }
    return size;
}

ssize_t riad_ring_reply(struct riad_ring_entry *entry, const struct iovec *pieces, int count)
{
    size_t size = total(pieces, count);
    uint8_t *end = entry->payload;

    if (count < 1 || pieces[0].iov_len != sizeof(struct fuse_out_header) ||
            size - pieces[0].iov_len > RIAD_MESSAGE_MAX) {
        errno = EINVAL;
        return -1;
    }
    memcpy(entry->header->in_out, pieces[0].iov_base, pieces[0].iov_len);
    for (int i = 1; i < count; i++) {
        if (pieces[i].iov_base != end) {
            memmove(end, pieces[i].iov_base, pieces[i].iov_len);
        }
        end += pieces[i].iov_len;
    }
    entry->header->entry.payload_size = (uint32_t)(end - entry->payload);
    return (ssize_t)size;
}
