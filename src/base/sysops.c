#include "riad/sysops.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* openat is variadic in the C library, so it does not fit the table as it is. */
static int open_at(int dirfd, const char *path, int flags, mode_t mode)
{
    return openat(dirfd, path, flags, mode);
}

const struct riad_sysops riad_sysops_real = {
    .openat = open_at,
    .close = close,
    .pread = pread,
    .preadv2 = preadv2,
    .pwrite = pwrite,
    .pwritev = pwritev,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .ftruncate = ftruncate,
    .fallocate = fallocate,
    .fstat = fstat,
    .fstatat = fstatat,
    .mkdirat = mkdirat,
    .linkat = linkat,
    .renameat = renameat,
    .unlinkat = unlinkat,
};

const struct riad_sysops *riad_sys = &riad_sysops_real;
