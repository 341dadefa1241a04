/* Atomic publication of small files (riad/fdio.h). */
#include <errno.h>
#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/fdio.h"
#include "riad/sysops.h"

#define TEMPORARY_PREFIX ".tmp-"
enum { RANDOM_SIZE = 8, TEMPORARY_SIZE = sizeof TEMPORARY_PREFIX + 2 * RANDOM_SIZE };

static int make_name(char ret[TEMPORARY_SIZE])
{
    uint8_t random[RANDOM_SIZE];

    if (TEMP_FAILURE_RETRY(getrandom(random, sizeof random, 0)) != sizeof random) {
        return -EIO;
    }
    memcpy(ret, TEMPORARY_PREFIX, sizeof TEMPORARY_PREFIX);
    riad_hex_encode(random, sizeof random, ret + sizeof TEMPORARY_PREFIX - 1);
    return 0;
}

/* Returns the descriptor of a new file of that name. With 64 random bits -EEXIST means that
 * something is wrong. */
static int create(int dirfd, char ret_name[TEMPORARY_SIZE])
{
    int r = make_name(ret_name);
    int fd;

    if (r < 0) {
        return r;
    }
    fd = TEMP_FAILURE_RETRY(riad_sys->openat(
            dirfd, ret_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    return fd < 0 ? -errno : fd;
}

static int fill(int fd, const void *data, size_t size)
{
    int r = riad_pwrite_all(fd, data, size, 0);

    if (r < 0) {
        return r;
    }
    return TEMP_FAILURE_RETRY(riad_sys->fsync(fd)) < 0 ? -errno : 0;
}

/* A network file system may report failure for a link that it made (a request sent twice, a lost
 * reply): then the temporary, whose name nobody else knows, has two names. */
static bool link_succeeded(int fd)
{
    struct stat st;

    return riad_sys->fstat(fd, &st) == 0 && st.st_nlink == 2;
}

static int publish_new(int dirfd, int fd, const char *temporary, const char *path)
{
    int r = riad_sys->linkat(dirfd, temporary, dirfd, path, 0) < 0 ? -errno : 0;

    if (r < 0 && !link_succeeded(fd)) {
        return r;
    }
    r = riad_fsync_dir(dirfd);
    if (r < 0) {
        riad_sys->unlinkat(dirfd, path, 0);
    }
    return r;
}

static int publish_replace(int dirfd, const char *temporary, const char *path)
{
    if (riad_sys->renameat(dirfd, temporary, dirfd, path) < 0) {
        return -errno;
    }
    return riad_fsync_dir(dirfd);
}

static bool is_plain_name(const char *path)
{
    return path[0] != '\0' && !strchr(path, '/') && strcmp(path, ".") != 0 &&
           strcmp(path, "..") != 0;
}

/* A temporary that cannot be removed does no harm: readers ignore names that begin with a dot
 * (FORMAT 2). */
int riad_publish_file_at(
        int dirfd, const char *path, const void *data, size_t size, enum riad_publish how)
{
    _cleanup_close_ int fd = -1;
    char temporary[TEMPORARY_SIZE];
    int r;

    if (!is_plain_name(path)) {
        return -EINVAL;
    }
    fd = create(dirfd, temporary);
    if (fd < 0) {
        return fd;
    }
    r = fill(fd, data, size);
    if (r == 0) {
        r = how == RIAD_PUBLISH_NEW ? publish_new(dirfd, fd, temporary, path)
                                    : publish_replace(dirfd, temporary, path);
    }
    if (r < 0 || how == RIAD_PUBLISH_NEW) {
        riad_sys->unlinkat(dirfd, temporary, 0);
    }
    return r;
}
