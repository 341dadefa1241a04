/* The synced mark in the local state: two slots of 512 bytes, so that a torn write leaves the other
 * one. Slot: "RIAM", u32 1, u64 serial, end, u64 start, XXH64 of all that. It is not part of the
 * store's format. */
#include "riad/mark.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

enum { SLOTS = 2, SLOT_STEP = 512, SLOT_SIZE = 92, SUMMED_SIZE = SLOT_SIZE - 8, FORMAT = 1 };

static const char magic[] = { 'R', 'I', 'A', 'M' };

static void encode(const struct riad_mark *mark, uint64_t serial, uint8_t ret[SLOT_SIZE])
{
    struct riad_writer writer;

    riad_writer_init_fixed(&writer, ret, SLOT_SIZE);
    riad_put_bytes(&writer, magic, sizeof magic);
    riad_put_u32(&writer, FORMAT);
    riad_put_u64(&writer, serial);
    riad_put_end(&writer, &mark->end);
    riad_put_u64(&writer, mark->start);
    riad_put_u64(&writer, XXH64(ret, SUMMED_SIZE, 0));
}

/* The serial, from 1; 0 if the slot is not whole. */
static uint64_t decode(const uint8_t data[SLOT_SIZE], struct riad_mark *ret)
{
    struct riad_reader reader;
    uint64_t serial;

    riad_reader_init(&reader, data, SLOT_SIZE);
    if (memcmp(riad_get_span(&reader, sizeof magic), magic, sizeof magic) != 0 ||
            riad_get_u32(&reader) != FORMAT) {
        return 0;
    }
    serial = riad_get_u64(&reader);
    riad_get_end(&reader, &ret->end);
    ret->start = riad_get_u64(&reader);
    if (riad_get_u64(&reader) != XXH64(data, SUMMED_SIZE, 0) || riad_reader_finish(&reader) < 0) {
        return 0;
    }
    return serial;
}

/* *ret_slot and *ret_serial are those of the newest; serial 0: none is whole, and slot 1, so that
 * the first write goes to slot 0. */
static int read_slots(int fd, struct riad_mark *ret, int *ret_slot, uint64_t *ret_serial)
{
    uint8_t data[SLOT_STEP + SLOT_SIZE] = { 0 };
    size_t size;
    int r;

    r = riad_pread_all(fd, data, sizeof data, 0, &size);
    if (r < 0) {
        return r;
    }
    memset(data + size, 0, sizeof data - size);
    *ret_slot = SLOTS - 1;
    *ret_serial = 0;
    for (int i = 0; i < SLOTS; i++) {
        struct riad_mark mark;
        uint64_t serial = decode(data + (size_t)i * SLOT_STEP, &mark);

        if (serial > *ret_serial) {
            *ret = mark;
            *ret_slot = i;
            *ret_serial = serial;
        }
    }
    return 0;
}

int riad_mark_open(int state_fd)
{
    int fd = TEMP_FAILURE_RETRY(
            riad_sys->openat(state_fd, "mark", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));

    return fd < 0 ? -errno : fd;
}

int riad_mark_read(int state_fd, struct riad_mark *ret)
{
    _cleanup_close_ int fd = -1;
    struct riad_mark mark;
    uint64_t serial;
    int slot, r;

    fd = TEMP_FAILURE_RETRY(
            riad_sys->openat(state_fd, "mark", O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0));
    if (fd < 0) {
        return -errno;
    }
    r = read_slots(fd, &mark, &slot, &serial);
    if (r < 0) {
        return r;
    }
    if (serial == 0) {
        return -ENOENT;
    }
    *ret = mark;
    return 0;
}

int riad_mark_write(int fd, const struct riad_mark *mark)
{
    uint8_t data[SLOT_SIZE];
    struct riad_mark newest;
    uint64_t serial;
    int slot, r;

    r = read_slots(fd, &newest, &slot, &serial);
    if (r < 0) {
        return r;
    }
    encode(mark, serial + 1, data);
    return riad_pwrite_all(fd, data, sizeof data, (uint64_t)((slot + 1) % SLOTS) * SLOT_STEP);
}
