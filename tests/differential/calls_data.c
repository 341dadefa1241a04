/* Data: read, written, truncated, allocated, looked for. Each tells where the descriptor stands. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "calls.h"

enum { BLOCK = 4096 };
#define EXT4_SIZE_MAX (INT64_C(1) << 43)

static int64_t told(struct side *side, int fd, int64_t r, bool read, struct outcome *ret)
{
    int error = errno;

    ret->value[0] = read && r > 0 ? side_hash(side->data, (size_t)r) : 0;
    ret->value[1] = position(fd);
    errno = error;
    return r;
}

static void align(int64_t *offset, int64_t *length)
{
    if (*offset >= 0 && *offset < INT64_MAX - BLOCK) {
        *offset = *offset / BLOCK * BLOCK;
    }
    *length = (*length + BLOCK - 1) / BLOCK * BLOCK;
}

/* Where a descriptor with O_DIRECT stands may be in the middle of a block: there it goes by offset.
 */
int64_t call_read(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];
    int64_t offset = 0, length = argument[1];

    if (is_direct(fd)) {
        align(&offset, &length);
        return told(side, fd, pread(fd, side->data, (size_t)length, offset), true, ret);
    }
    return told(side, fd, read(fd, side->data, (size_t)length), true, ret);
}

int64_t call_pread(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];
    int64_t offset = argument[1], length = argument[2];

    if (is_direct(fd)) {
        align(&offset, &length);
    }
    return told(side, fd, pread(fd, side->data, (size_t)length, offset), true, ret);
}

/* Three parts of uneven sizes; blocks for O_DIRECT. */
static int divide(struct side *side, int64_t length, bool direct, struct iovec *ret)
{
    size_t first = direct ? BLOCK : (size_t)length / 3,
           second = direct ? BLOCK : (size_t)length / 7;
    size_t all = (size_t)length;

    first = first < all ? first : all;
    second = second < all - first ? second : all - first;
    ret[0] = (struct iovec){ side->data, first };
    ret[1] = (struct iovec){ side->data + first, second };
    ret[2] = (struct iovec){ side->data + first + second, all - first - second };
    return 3;
}

int64_t call_preadv(struct side *side, const int64_t *argument, struct outcome *ret)
{
    struct iovec parts[3];
    int fd = side->slot[argument[0]];
    int64_t offset = argument[1], length = argument[2];
    bool direct = is_direct(fd);

    if (direct) {
        align(&offset, &length);
    }
    return told(
            side, fd, preadv(fd, parts, divide(side, length, direct, parts), offset), true, ret);
}

int64_t call_write(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];
    int64_t offset = 0, length = argument[1];

    side_fill(side->data, (size_t)length + BLOCK, (uint64_t)argument[2]);
    if (is_direct(fd)) {
        align(&offset, &length);
        return told(side, fd, pwrite(fd, side->data, (size_t)length, offset), false, ret);
    }
    return told(side, fd, write(fd, side->data, (size_t)length), false, ret);
}

int64_t call_pwrite(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];
    int64_t offset = argument[1], length = argument[2];

    side_fill(side->data, (size_t)length + BLOCK, (uint64_t)argument[3]);
    if (is_direct(fd)) {
        align(&offset, &length);
    }
    return told(side, fd, pwrite(fd, side->data, (size_t)length, offset), false, ret);
}

int64_t call_writev(struct side *side, const int64_t *argument, struct outcome *ret)
{
    struct iovec parts[3];
    int fd = side->slot[argument[0]];

    if (is_direct(fd)) {
        return SKIPPED;
    }
    side_fill(side->data, (size_t)argument[1], (uint64_t)argument[2]);
    return told(side, fd, writev(fd, parts, divide(side, argument[1], false, parts)), false, ret);
}

int64_t call_pwritev2(struct side *side, const int64_t *argument, struct outcome *ret)
{
    struct iovec parts[3];
    int fd = side->slot[argument[0]];

    if (is_direct(fd)) {
        return SKIPPED;
    }
    side_fill(side->data, (size_t)argument[2], (uint64_t)argument[3]);
    return told(side, fd,
            pwritev2(fd, parts, divide(side, argument[2], false, parts), argument[1],
                    (int)argument[4]),
            false, ret);
}

int64_t call_lseek(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];
    bool directory = position(fd) == -1 && errno != EBADF && errno != ESPIPE;

    (void)ret;
    if (argument[1] > EXT4_SIZE_MAX) {
        return SKIPPED;
    }
    return directory ? lseek(fd, 0, SEEK_SET) : lseek(fd, argument[1], (int)argument[2]);
}

/* Is every byte of [from, to) zero? What cannot be read is taken for zero. */
static bool is_zero(struct side *side, int fd, int64_t from, int64_t to)
{
    while (from < to) {
        int64_t want = to - from < DATA_BYTES ? to - from : DATA_BYTES;
        int64_t got = pread(fd, side->data, (size_t)want, from);

        if (got <= 0) {
            return true;
        }
        for (int64_t i = 0; i < got; i++) {
            if (side->data[i] != 0) {
                return false;
            }
        }
        from += got;
    }
    return true;
}

enum { FAR = 16 << 20 }; /* what is_zero reads, at most */

/* Which zeros are a hole is up to the file system. Compared is whether there is an error before the
 * end, and the truth: what lies before the data that was found is zeros, a hole that was found lies
 * within the file. The descriptor is put back. */
int64_t call_seek_data(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];
    int64_t before = position(fd), start = argument[1], found, end;
    struct stat st;

    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || is_direct(fd)) {
        return SKIPPED;
    }
    found = lseek(fd, start, argument[2] ? SEEK_DATA : SEEK_HOLE);
    if (found < 0 && (errno != ENXIO || start >= st.st_size)) {
        return -1;
    }
    lseek(fd, before, SEEK_SET);
    end = found < 0 ? st.st_size : found;
    ret->value[0] = end >= start && end <= st.st_size;
    if (argument[2]) {
        ret->value[1] = is_zero(side, fd, start, end - start < FAR ? end : start + FAR);
    } else {
        ret->value[1] = found >= 0;
    }
    return 0;
}

int64_t call_truncate(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)side;
    (void)ret;
    return truncate(path_text(argument[0], buffer), argument[1]);
}

int64_t call_ftruncate(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)ret;
    return ftruncate(side->slot[argument[0]], argument[1]);
}

int64_t call_fallocate(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)ret;
    return fallocate(side->slot[argument[0]], (int)argument[1], argument[2], argument[3]);
}
