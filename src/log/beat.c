/* The owner's heartbeat (O2, FORMAT 3.4): it decides only who waits, and when it was closed,
 * which change was the last (L4). */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/digest.h"
#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/sysops.h"
#include "riad/term.h"

enum { BEAT_SIZE = 64, SIGNED_SIZE = 32, FORMAT = 1, FLAG_CLOSED = 1 };

static const char magic[] = { 'R', 'I', 'A', 'B' };

static void path_of(uint32_t term, char ret[32])
{
    snprintf(ret, 32, "term/%08x.beat", term);
}

static int compute_mac(const struct riad_keys *keys, uint32_t epoch,
        const uint8_t data[SIGNED_SIZE], struct riad_hash *ret)
{
    const struct riad_piece pieces[] = {
        { riad_keys_workspace(keys)->bytes, sizeof(struct riad_id) },
        { data, SIGNED_SIZE },
    };

    return riad_hmac(riad_keys_beat_of(keys, epoch), pieces, 2, ret);
}

/* A term goes on while epochs change, and the owner may not have written since: the newest that
 * fits. -ENOENT: none. */
static int find_epoch(const struct riad_keys *keys, const uint8_t data[BEAT_SIZE], uint32_t *ret)
{
    struct riad_hash mac;
    int r;

    for (uint32_t epoch = riad_keys_epoch(keys); epoch >= riad_keys_first_epoch(keys); epoch--) {
        r = compute_mac(keys, epoch, data, &mac);
        if (r < 0) {
            return r;
        }
        if (riad_equal_constant_time(mac.bytes, data + SIGNED_SIZE, sizeof mac.bytes)) {
            *ret = epoch;
            return 0;
        }
    }
    return -ENOENT;
}

static int encode(const struct riad_keys *keys, uint32_t term, const struct riad_beat *beat,
        uint8_t ret[BEAT_SIZE])
{
    struct riad_writer writer;
    struct riad_hash mac;
    int r;

    riad_writer_init_fixed(&writer, ret, BEAT_SIZE);
    riad_put_bytes(&writer, magic, sizeof magic);
    riad_put_u8(&writer, FORMAT);
    riad_put_u8(&writer, beat->closed ? FLAG_CLOSED : 0);
    riad_put_u16(&writer, 0);
    riad_put_u32(&writer, term);
    riad_put_u32(&writer, 0);
    riad_put_u64(&writer, beat->count);
    riad_put_u64(&writer, beat->closed ? beat->last : 0);
    r = compute_mac(keys, riad_keys_epoch(keys), ret, &mac);
    if (r < 0) {
        return r;
    }
    riad_put_hash(&writer, &mac);
    return writer.error;
}

static int decode(const struct riad_keys *keys, uint32_t term, const uint8_t data[BEAT_SIZE],
        struct riad_beat *ret)
{
    struct riad_reader reader;
    struct riad_beat beat;
    uint8_t format, flags;
    uint32_t epoch;
    int r;

    if (memcmp(data, magic, sizeof magic) != 0) {
        return -ENOENT;
    }
    r = find_epoch(keys, data, &epoch);
    if (r < 0) {
        return r;
    }
    riad_reader_init(&reader, data + sizeof magic, SIGNED_SIZE - sizeof magic);
    format = riad_get_u8(&reader);
    flags = riad_get_u8(&reader);
    riad_get_zeros(&reader, 2);
    if (riad_get_u32(&reader) != term || format != FORMAT || flags > FLAG_CLOSED) {
        return -ENOENT;
    }
    riad_get_zeros(&reader, 4);
    beat = (struct riad_beat){
        .count = riad_get_u64(&reader), .closed = flags == FLAG_CLOSED, .epoch = epoch
    };
    beat.last = riad_get_u64(&reader);
    if (riad_reader_finish(&reader) < 0 || (!beat.closed && beat.last != 0)) {
        return -ENOENT;
    }
    *ret = beat;
    return 0;
}

int riad_beat_read(
        int workspace_fd, const struct riad_keys *keys, uint32_t term, struct riad_beat *ret)
{
    _cleanup_free_ uint8_t *data = NULL;
    char path[32];
    size_t size;
    int r;

    path_of(term, path);
    r = riad_read_file_at(workspace_fd, path, BEAT_SIZE, &data, &size);
    if (r == -EFBIG || r == -EMEDIUMTYPE || (r == 0 && size != BEAT_SIZE)) {
        return -ENOENT;
    }
    if (r < 0) {
        return r;
    }
    return decode(keys, term, data, ret);
}

/* Closing is what makes a network file system show it to others, so its result counts. */
static int close_checked(int fd, int r)
{
    if (riad_sys->close(fd) < 0 && r == 0) {
        return -errno;
    }
    return r;
}

int riad_beat_write(
        int workspace_fd, const struct riad_keys *keys, uint32_t term, const struct riad_beat *beat)
{
    uint8_t data[BEAT_SIZE];
    char path[32];
    int fd, r;

    r = encode(keys, term, beat, data);
    if (r < 0) {
        return r;
    }
    path_of(term, path);
    fd = TEMP_FAILURE_RETRY(riad_sys->openat(workspace_fd, path,
            O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600));
    if (fd < 0) {
        return -errno;
    }
    return close_checked(fd, riad_pwrite_all(fd, data, sizeof data, 0));
}
