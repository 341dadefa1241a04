#include "riad/sysops.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "riad/stall.h"

#include "store_calls_priv.h"

/* Calls are counted (riad/store_calls.h); those that may wait for storage are noted while they are
 * under way, too (riad/stall.h). */
#define NOTED(name, kind, fd, type, expression)                      \
    do {                                                             \
        struct riad_stall_place *place = riad_stall_begin(name, fd); \
        riad_store_calls_add(kind, fd);                              \
        type result = (expression);                                  \
        riad_stall_end(place);                                       \
        return result;                                               \
    } while (0)

static int open_noted(int dirfd, const char *path, int flags, mode_t mode)
{
    NOTED("openat", flags & O_CREAT ? RIAD_CALL_CREATE : RIAD_CALL_OPEN, dirfd, int,
            openat(dirfd, path, flags, mode));
}

static int open_counted(int dirfd, const char *path, int flags, mode_t mode)
{
    int fd = open_noted(dirfd, path, flags, mode);

    riad_store_calls_opened(dirfd, fd);
    return fd;
}

static int close_noted(int fd)
{
    struct riad_stall_place *place = riad_stall_begin("close", fd);
    int r;

    riad_store_calls_add(RIAD_CALL_CLOSE, fd);
    riad_store_calls_closing(fd);
    r = close(fd);
    riad_stall_end(place);
    return r;
}

static ssize_t pread_noted(int fd, void *data, size_t size, off_t offset)
{
    NOTED("pread", RIAD_CALL_READ, fd, ssize_t, pread(fd, data, size, offset));
}

/* Asked not to wait. */
static ssize_t preadv2_counted(
        int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    riad_store_calls_add(RIAD_CALL_READ, fd);
    return preadv2(fd, vector, count, offset, flags);
}

static ssize_t pwrite_noted(int fd, const void *data, size_t size, off_t offset)
{
    NOTED("pwrite", RIAD_CALL_WRITE, fd, ssize_t, pwrite(fd, data, size, offset));
}

static ssize_t pwritev_noted(int fd, const struct iovec *vector, int count, off_t offset)
{
    NOTED("pwritev", RIAD_CALL_WRITE, fd, ssize_t, pwritev(fd, vector, count, offset));
}

static int fdatasync_noted(int fd)
{
    NOTED("fdatasync", RIAD_CALL_SYNC, fd, int, fdatasync(fd));
}

static int fsync_noted(int fd)
{
    NOTED("fsync", RIAD_CALL_SYNC, fd, int, fsync(fd));
}

static int ftruncate_noted(int fd, off_t length)
{
    NOTED("ftruncate", RIAD_CALL_RESIZE, fd, int, ftruncate(fd, length));
}

static int fallocate_noted(int fd, int mode, off_t offset, off_t length)
{
    NOTED("fallocate", RIAD_CALL_RESIZE, fd, int, fallocate(fd, mode, offset, length));
}

static int fstat_noted(int fd, struct stat *ret)
{
    NOTED("fstat", RIAD_CALL_STAT, fd, int, fstat(fd, ret));
}

static int fstatat_noted(int dirfd, const char *path, struct stat *ret, int flags)
{
    NOTED("fstatat", RIAD_CALL_STAT, dirfd, int, fstatat(dirfd, path, ret, flags));
}

static int mkdirat_noted(int dirfd, const char *path, mode_t mode)
{
    NOTED("mkdirat", RIAD_CALL_NAME, dirfd, int, mkdirat(dirfd, path, mode));
}

static int linkat_noted(
        int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)
{
    NOTED("linkat", RIAD_CALL_NAME, newdirfd, int,
            linkat(olddirfd, oldpath, newdirfd, newpath, flags));
}

static int renameat_noted(int olddirfd, const char *oldpath, int newdirfd, const char *newpath)
{
    NOTED("renameat", RIAD_CALL_NAME, newdirfd, int,
            renameat(olddirfd, oldpath, newdirfd, newpath));
}

static int unlinkat_noted(int dirfd, const char *path, int flags)
{
    NOTED("unlinkat", RIAD_CALL_NAME, dirfd, int, unlinkat(dirfd, path, flags));
}

static ssize_t getdents_noted(int fd, void *data, size_t size)
{
    NOTED("getdents", RIAD_CALL_LIST, fd, ssize_t, getdents64(fd, data, size));
}

static int fstatvfs_noted(int fd, struct statvfs *ret)
{
    NOTED("fstatvfs", RIAD_CALL_STAT, fd, int, fstatvfs(fd, ret));
}

static int fadvise_noted(int fd, off_t offset, off_t length, int advice)
{
    NOTED("fadvise", RIAD_CALL_ADVISE, fd, int, posix_fadvise(fd, offset, length, advice));
}

const struct riad_sysops riad_sysops_real = {
    .openat = open_counted,
    .close = close_noted,
    .pread = pread_noted,
    .preadv2 = preadv2_counted,
    .pwrite = pwrite_noted,
    .pwritev = pwritev_noted,
    .fdatasync = fdatasync_noted,
    .fsync = fsync_noted,
    .ftruncate = ftruncate_noted,
    .fallocate = fallocate_noted,
    .fstat = fstat_noted,
    .fstatat = fstatat_noted,
    .mkdirat = mkdirat_noted,
    .linkat = linkat_noted,
    .renameat = renameat_noted,
    .unlinkat = unlinkat_noted,
    .getdents = getdents_noted,
    .fstatvfs = fstatvfs_noted,
    .fadvise = fadvise_noted,
};

const struct riad_sysops *riad_sys = &riad_sysops_real;
