#include "riad/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/patience.h"
#include "riad/sysops.h"

enum { VECTOR_MAX = 16, FIRST_READ = 4096 };

/* Whether [offset, offset + size) can be said in off_t. */
static bool in_range(uint64_t offset, size_t size)
{
    return offset <= INT64_MAX && size <= INT64_MAX - offset;
}

int riad_pwrite_all(int fd, const void *data, size_t size, uint64_t offset)
{
    struct iovec piece = { .iov_base = (void *)data, .iov_len = size };

    return riad_pwritev_all(fd, &piece, 1, offset);
}

/* Drops written bytes from the front of the vector, and pieces that are empty then. */
static void consume(struct iovec **vector, int *count, size_t written)
{
    while (*count > 0 && written >= (*vector)->iov_len) {
        written -= (*vector)->iov_len;
        (*vector)++;
        (*count)--;
    }
    if (*count > 0) {
        (*vector)->iov_base = (uint8_t *)(*vector)->iov_base + written;
        (*vector)->iov_len -= written;
    }
}

static ssize_t write_some(int fd, const struct iovec *vector, int count, uint64_t offset)
{
    if (count == 1) {
        return riad_sys->pwrite(fd, vector->iov_base, vector->iov_len, (off_t)offset);
    }
    return riad_sys->pwritev(fd, vector, count, (off_t)offset);
}

static int check_vector(const struct iovec *vector, int count, uint64_t offset)
{
    size_t total = 0;

    if (count < 0 || count > VECTOR_MAX) {
        return -EINVAL;
    }
    for (int i = 0; i < count; i++) {
        if (__builtin_add_overflow(total, vector[i].iov_len, &total)) {
            return -EFBIG;
        }
    }
    return in_range(offset, total) ? 0 : -EFBIG;
}

int riad_pwritev_all(int fd, struct iovec *vector, int count, uint64_t offset)
{
    int r = check_vector(vector, count, offset);

    if (r < 0) {
        return r;
    }
    consume(&vector, &count, 0);
    while (count > 0) {
        ssize_t n = TEMP_FAILURE_RETRY(write_some(fd, vector, count, offset));

        if (n <= 0) {
            return n < 0 ? -errno : -EIO; /* 0 would repeat for ever */
        }
        consume(&vector, &count, (size_t)n);
        offset += (uint64_t)n;
    }
    return 0;
}

static ssize_t read_some(int fd, void *data, size_t size, uint64_t offset, bool cached)
{
    struct iovec piece = { .iov_base = data, .iov_len = size };

    if (!cached) {
        return riad_sys->pread(fd, data, size, (off_t)offset);
    }
    return riad_sys->preadv2(fd, &piece, 1, (off_t)offset, RWF_NOWAIT);
}

static int read_all(int fd, void *data, size_t size, uint64_t offset, bool cached, size_t *ret_size)
{
    uint8_t *bytes = data;
    size_t done = 0;

    if (!in_range(offset, size)) {
        return -EINVAL;
    }
    while (done < size) {
        ssize_t n =
                TEMP_FAILURE_RETRY(read_some(fd, bytes + done, size - done, offset + done, cached));

        if (n < 0) {
            return -errno;
        }
        if (n == 0) {
            break;
        }
        done += (size_t)n;
    }
    *ret_size = done;
    return 0;
}

int riad_pread_all(int fd, void *data, size_t size, uint64_t offset, size_t *ret_size)
{
    return read_all(fd, data, size, offset, false, ret_size);
}

int riad_pread_cached(int fd, void *data, size_t size, uint64_t offset, size_t *ret_size)
{
    int r = read_all(fd, data, size, offset, true, ret_size);

    if (r == -EAGAIN) {
        riad_wait_note(fd, offset, size);
    }
    return r == -EAGAIN || r == -EOPNOTSUPP ? RIAD_WOULD_WAIT : r;
}

/* O_NONBLOCK: somebody's fifo must not hold us up. *ret_hint is the size to expect (0 for /proc).
 */
static int open_regular(int dirfd, const char *path, uint64_t *ret_hint)
{
    _cleanup_close_ int fd = -1;
    struct stat st;

    fd = TEMP_FAILURE_RETRY(riad_sys->openat(
            dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0));
    if (fd < 0) {
        return errno == ELOOP || errno == ENXIO ? -EMEDIUMTYPE : -errno;
    }
    if (riad_sys->fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return -EMEDIUMTYPE;
    }
    *ret_hint = (uint64_t)st.st_size;
    return riad_take_fd(&fd);
}

/* Grows the buffer until the file's end shows: the size that fstat told may be old. capacity counts
 * a byte to tell -EFBIG. */
static int read_to_end(int fd, size_t capacity, size_t max, uint8_t **ret_data, size_t *ret_size)
{
    _cleanup_free_ uint8_t *data = NULL;
    size_t size = 0;

    for (;;) {
        uint8_t *grown = realloc(data, capacity);
        size_t more = 0;
        int r;

        if (!grown) {
            return -ENOMEM;
        }
        data = grown;
        r = riad_pread_all(fd, data + size, capacity - size, size, &more);
        if (r < 0) {
            return r;
        }
        size += more;
        if (size < capacity || size > max) {
            break;
        }
        capacity = capacity > max / 2 ? max + 1 : 2 * capacity;
    }
    if (size > max) {
        return -EFBIG;
    }
    data[size] = 0;
    *ret_data = riad_take_pointer(data);
    *ret_size = size;
    return 0;
}

int riad_read_file_at(int dirfd, const char *path, size_t max, uint8_t **ret_data, size_t *ret_size)
{
    _cleanup_close_ int fd = -1;
    uint64_t hint = 0;

    if (max > INT64_MAX - 1) {
        max = INT64_MAX - 1;
    }
    fd = open_regular(dirfd, path, &hint);
    if (fd < 0) {
        return fd;
    }
    if (hint > max) {
        return -EFBIG;
    }
    if (hint == 0) {
        hint = max < FIRST_READ ? max : FIRST_READ;
    }
    return read_to_end(fd, hint + 1, max, ret_data, ret_size);
}

int riad_mkdir_at(int dirfd, const char *path)
{
    struct stat st;

    if (riad_sys->mkdirat(dirfd, path, 0700) == 0) {
        return 0;
    }
    if (errno != EEXIST) {
        return -errno;
    }
    if (riad_sys->fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return -errno;
    }
    return S_ISDIR(st.st_mode) ? 0 : -ENOTDIR;
}

int riad_open_dir_at(int dirfd, const char *path)
{
    int fd = TEMP_FAILURE_RETRY(
            riad_sys->openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0));

    return fd < 0 ? -errno : fd;
}

/* EINVAL is how some network file systems say that their directory operations are synchronous
 * already. */
int riad_fsync_dir(int dirfd)
{
    if (TEMP_FAILURE_RETRY(riad_sys->fsync(dirfd)) < 0 && errno != EINVAL) {
        return -errno;
    }
    return 0;
}
