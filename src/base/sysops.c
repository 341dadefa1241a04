#include "riad/sysops.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "stall_priv.h"

/* The calls that may wait for storage are noted while they are under way (riad/stall.h). */
#define NOTED(name, fd, type, expression)                            \
    do {                                                             \
        struct riad_stall_place *place = riad_stall_begin(name, fd); \
        type result = (expression);                                  \
        riad_stall_end(place);                                       \
        return result;                                               \
    } while (0)

static int open_at(int dirfd, const char *path, int flags, mode_t mode)
{
    NOTED("openat", dirfd, int, openat(dirfd, path, flags, mode));
}

static int close_noted(int fd)
{
    NOTED("close", fd, int, close(fd));
}

static ssize_t pread_noted(int fd, void *data, size_t size, off_t offset)
{
    NOTED("pread", fd, ssize_t, pread(fd, data, size, offset));
}

static ssize_t pwrite_noted(int fd, const void *data, size_t size, off_t offset)
{
    NOTED("pwrite", fd, ssize_t, pwrite(fd, data, size, offset));
}

static ssize_t pwritev_noted(int fd, const struct iovec *vector, int count, off_t offset)
{
    NOTED("pwritev", fd, ssize_t, pwritev(fd, vector, count, offset));
}

static int fdatasync_noted(int fd)
{
    NOTED("fdatasync", fd, int, fdatasync(fd));
}

static int fsync_noted(int fd)
{
    NOTED("fsync", fd, int, fsync(fd));
}

static int ftruncate_noted(int fd, off_t length)
{
    NOTED("ftruncate", fd, int, ftruncate(fd, length));
}

static int fallocate_noted(int fd, int mode, off_t offset, off_t length)
{
    NOTED("fallocate", fd, int, fallocate(fd, mode, offset, length));
}

static int fstat_noted(int fd, struct stat *ret)
{
    NOTED("fstat", fd, int, fstat(fd, ret));
}

static int fstatat_noted(int dirfd, const char *path, struct stat *ret, int flags)
{
    NOTED("fstatat", dirfd, int, fstatat(dirfd, path, ret, flags));
}

static int mkdirat_noted(int dirfd, const char *path, mode_t mode)
{
    NOTED("mkdirat", dirfd, int, mkdirat(dirfd, path, mode));
}

static int linkat_noted(
        int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)
{
    NOTED("linkat", newdirfd, int, linkat(olddirfd, oldpath, newdirfd, newpath, flags));
}

static int renameat_noted(int olddirfd, const char *oldpath, int newdirfd, const char *newpath)
{
    NOTED("renameat", newdirfd, int, renameat(olddirfd, oldpath, newdirfd, newpath));
}

static int unlinkat_noted(int dirfd, const char *path, int flags)
{
    NOTED("unlinkat", dirfd, int, unlinkat(dirfd, path, flags));
}

const struct riad_sysops riad_sysops_real = {
    .openat = open_at,
    .close = close_noted,
    .pread = pread_noted,
    .preadv2 = preadv2, /* asked not to wait */
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
};

const struct riad_sysops *riad_sys = &riad_sysops_real;
