/* The replaceable table of the system calls that touch the store and the state directory (as
 * SQLite's aSyscall).
 *
 * log, catalog and core call through riad_sys so that tests can fail, cut or record the Nth call.
 * The table is set before threads start and not changed while they run. Each entry has exactly the
 * contract of its system call (-1 and errno). The real table counts and notes calls (store_calls.h,
 * stall.h). */
#ifndef RIAD_SYSOPS_H
#define RIAD_SYSOPS_H

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/types.h>
#include <sys/uio.h>

struct riad_sysops {
    int (*openat)(int dirfd, const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*pread)(int fd, void *data, size_t size, off_t offset);
    ssize_t (*preadv2)(int fd, const struct iovec *vector, int count, off_t offset, int flags);
    ssize_t (*pwrite)(int fd, const void *data, size_t size, off_t offset);
    ssize_t (*pwritev)(int fd, const struct iovec *vector, int count, off_t offset);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*ftruncate)(int fd, off_t length);
    int (*fallocate)(int fd, int mode, off_t offset, off_t length);
    int (*fstat)(int fd, struct stat *ret);
    int (*fstatat)(int dirfd, const char *path, struct stat *ret, int flags);
    int (*mkdirat)(int dirfd, const char *path, mode_t mode);
    int (*linkat)(int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags);
    int (*renameat)(int olddirfd, const char *oldpath, int newdirfd, const char *newpath);
    int (*unlinkat)(int dirfd, const char *path, int flags);
    ssize_t (*getdents)(int fd, void *data, size_t size); /* getdents64(2) */
    int (*fstatvfs)(int fd, struct statvfs *ret);
    int (*fadvise)(int fd, off_t offset, off_t length, int advice); /* its result is the error */
};

extern const struct riad_sysops riad_sysops_real;
extern const struct riad_sysops *riad_sys;

#endif
