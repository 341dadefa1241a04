#include <linux/fuse.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuse_priv.h"
#include "raw_abi_priv.h"
#include "worker_priv.h"

/* libfuse reads into so many pages, and what it takes for headers, at most (lib/fuse_i.h). */
enum { BULK_SIZE = 128 << 10, LIBFUSE_PAGES = 256, HEADERS_SIZE = 64 << 10 };

_Thread_local struct riad_worker riad_worker;

const struct riad_request *riad_transport_request(void)
{
    return &riad_worker.request;
}

/* A thread's own, while it lives. */
struct buffers {
    struct fuse_buf message;
    uint8_t *reply;
};

static pthread_key_t buffers_key;
static bool has_key;

static void free_buffers(void *argument)
{
    struct buffers *buffers = argument;

    free(buffers->message.mem);
    free(buffers->reply);
    free(buffers);
}

static void make_key(void)
{
    has_key = pthread_key_create(&buffers_key, free_buffers) == 0;
}

/* NULL if memory is short. */
static struct buffers *get_buffers(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct buffers *buffers;

    pthread_once(&once, make_key);
    if (!has_key) {
        return NULL;
    }
    buffers = pthread_getspecific(buffers_key);
    if (!buffers) {
        buffers = calloc(1, sizeof *buffers);
        if (buffers && pthread_setspecific(buffers_key, buffers) != 0) {
            free(buffers);
            buffers = NULL;
        }
    }
    return buffers;
}

struct fuse_buf *riad_worker_message(void)
{
    struct buffers *buffers = get_buffers();

    if (buffers && !buffers->message.mem) {
        buffers->message.mem =
                malloc((size_t)LIBFUSE_PAGES * (size_t)sysconf(_SC_PAGESIZE) + HEADERS_SIZE);
    }
    return buffers && buffers->message.mem ? &buffers->message : NULL;
}

uint8_t *riad_transport_buffer(void)
{
    struct buffers *buffers;

    if (riad_worker.entry) {
        return riad_ring_payload(riad_worker.entry);
    }
    buffers = riad_worker.transport ? get_buffers() : NULL;
    if (buffers && !buffers->reply) {
        buffers->reply = malloc(RIAD_MESSAGE_MAX);
    }
    return buffers ? buffers->reply : NULL;
}

static bool kills_privileges(uint32_t opcode, const uint8_t *body, size_t size)
{
    struct fuse_write_in write;
    struct fuse_setattr_in setattr;

    if (opcode == FUSE_WRITE && size >= sizeof write) {
        memcpy(&write, body, sizeof write);
        return (write.write_flags & FUSE_WRITE_KILL_SUIDGID) != 0;
    }
    if (opcode == FUSE_SETATTR && size >= sizeof setattr) {
        memcpy(&setattr, body, sizeof setattr);
        return (setattr.valid & FATTR_KILL_SUIDGID) != 0;
    }
    return false;
}

bool riad_worker_note(const uint8_t *message, size_t size)
{
    struct fuse_in_header header;

    riad_worker.replied = false;
    riad_worker.put_off = false;
    riad_worker.held = false;
    if (size < sizeof header) {
        return false;
    }
    memcpy(&header, message, sizeof header);
    riad_worker.request = (struct riad_request){
        .unique = header.unique,
        .opcode = header.opcode,
        .kill_privileges =
                kills_privileges(header.opcode, message + sizeof header, size - sizeof header),
    };
    return true;
}

/* Bytes that a READ asks for; 0 of other requests. */
static size_t wanted(uint32_t opcode, const uint8_t *message, size_t size)
{
    struct fuse_read_in read;

    if (opcode != FUSE_READ || size < sizeof(struct fuse_in_header) + sizeof read) {
        return 0;
    }
    memcpy(&read, message + sizeof(struct fuse_in_header), sizeof read);
    return read.size;
}

bool riad_worker_is_slow(uint32_t opcode, const uint8_t *message, size_t size)
{
    switch (opcode) {
    case FUSE_SYNCFS:
    case FUSE_FALLOCATE:
    case FUSE_COPY_FILE_RANGE:
    case RIAD_FUSE_COPY_FILE_RANGE_64:
        return true;
    default:
        return size >= BULK_SIZE || wanted(opcode, message, size) >= BULK_SIZE;
    }
}

void riad_worker_done(void)
{
    memset(&riad_worker.request, 0, sizeof riad_worker.request);
    riad_worker.entry = NULL;
}

void riad_worker_hold(struct riad_held *ret)
{
    *ret = (struct riad_held){ riad_worker.entry, riad_worker.request };
    riad_worker.held = true;
}

void riad_worker_resume(const struct riad_held *held, struct riad_worker *ret_before)
{
    *ret_before = riad_worker;
    riad_worker.entry = held->entry;
    riad_worker.request = held->request;
    riad_worker.replied = riad_worker.put_off = riad_worker.held = false;
}

void riad_worker_resumed(const struct riad_worker *before)
{
    if (riad_worker.entry) {
        riad_ring_return(riad_worker.entry);
    }
    riad_worker = *before;
}
