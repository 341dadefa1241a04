/* A riad_sysops table for tests: counts calls, fails the Nth one, cuts everything off (a crash),
 * shortens writes.
 *
 *     faults_install();                         riad_sys is the table, nothing fails, all counts
 * are zero faults_fail(FAULT_FSYNC, 2, EIO);         the second fsync from now on fails, without
 * being made faults_fail_from(FAULT_ANY, 7, EIO);      the seventh call of any kind and all after
 * it fail faults_fail(FAULT_NONE, 0, 0);            nothing fails any more; counts start over
 *     assert_int_equal(faults_count(FAULT_PWRITE), 3);
 *     faults_remove();                          riad_sys is the real table
 *
 * Counts start at zero with each faults_install and faults_fail*. A failing close closes
 * nevertheless, as the kernel's does. Counting is atomic; the settings are changed only while no
 * other thread makes calls. One C file per test includes this. */
#ifndef RIAD_TESTS_FAULTS_H
#define RIAD_TESTS_FAULTS_H

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <unistd.h>

#include "riad/sysops.h"

enum fault_call {
    FAULT_OPENAT,
    FAULT_CLOSE,
    FAULT_PREAD,
    FAULT_PWRITE,
    FAULT_PREADV2,
    FAULT_PWRITEV,
    FAULT_FDATASYNC,
    FAULT_FSYNC,
    FAULT_FTRUNCATE,
    FAULT_FALLOCATE,
    FAULT_FSTAT,
    FAULT_FSTATAT,
    FAULT_MKDIRAT,
    FAULT_LINKAT,
    FAULT_RENAMEAT,
    FAULT_UNLINKAT,
    FAULT_GETDENTS,
    FAULT_ANY, /* all of them, but for close */
    FAULT_NONE,
};

enum { FAULTS_DEAD = 77 }; /* how a process ends at a deadly fault */

struct faults {
    _Atomic unsigned counts[FAULT_NONE];
    enum fault_call call; /* which one fails */
    unsigned first;       /* failing calls, counted from 1 */
    unsigned last;
    int error;
    bool deadly;           /* the process ends there instead */
    _Atomic int last_call; /* the kind that failed last */
    size_t write_max;      /* bytes that one pwrite or pwritev takes at most; 0: no bound */
    size_t read_max;       /* the same for pread */
    int unreserved; /* what fallocate fails with: EOPNOTSUPP: a log is spooled though nothing is
                       reserved; EPERM: it writes each append to the store at once; 0: it works */
};

static struct faults faults = { .call = FAULT_NONE };

static inline bool faults_hit(enum fault_call call)
{
    unsigned number = atomic_fetch_add(&faults.counts[call], 1) + 1;
    unsigned any = 0;

    if (call != FAULT_CLOSE) {
        any = atomic_fetch_add(&faults.counts[FAULT_ANY], 1) + 1;
    }
    if (faults.call == FAULT_ANY) {
        number = any;
    } else if (faults.call != call) {
        return false;
    }
    if (number < faults.first || number > faults.last) {
        return false;
    }
    if (faults.deadly) {
        _exit(FAULTS_DEAD);
    }
    atomic_store(&faults.last_call, call);
    errno = faults.error;
    return true;
}

static inline int faults_openat(int dirfd, const char *path, int flags, mode_t mode)
{
    return faults_hit(FAULT_OPENAT) ? -1 : riad_sysops_real.openat(dirfd, path, flags, mode);
}

static inline int faults_close(int fd)
{
    int r = riad_sysops_real.close(fd);

    return faults_hit(FAULT_CLOSE) ? -1 : r;
}

static inline ssize_t faults_pread(int fd, void *data, size_t size, off_t offset)
{
    if (faults.read_max > 0 && size > faults.read_max) {
        size = faults.read_max;
    }
    return faults_hit(FAULT_PREAD) ? -1 : riad_sysops_real.pread(fd, data, size, offset);
}

static inline ssize_t faults_preadv2(
        int fd, const struct iovec *vector, int count, off_t offset, int flags)
{
    return faults_hit(FAULT_PREADV2) ? -1
                                     : riad_sysops_real.preadv2(fd, vector, count, offset, flags);
}

static inline ssize_t faults_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    if (faults.write_max > 0 && size > faults.write_max) {
        size = faults.write_max;
    }
    return faults_hit(FAULT_PWRITE) ? -1 : riad_sysops_real.pwrite(fd, data, size, offset);
}

/* With write_max set it writes bytes one by one over the borders of the pieces, up to that bound.
 */
static inline ssize_t faults_pwritev_short(
        int fd, const struct iovec *vector, int count, off_t offset)
{
    size_t done = 0;

    for (int i = 0; i < count; i++) {
        const char *bytes = vector[i].iov_base;

        for (size_t k = 0; k < vector[i].iov_len && done < faults.write_max; k++, done++) {
            if (riad_sysops_real.pwrite(fd, bytes + k, 1, offset + (off_t)done) != 1) {
                return -1;
            }
        }
    }
    return (ssize_t)done;
}

static inline ssize_t faults_pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
    if (faults_hit(FAULT_PWRITEV)) {
        return -1;
    }
    if (faults.write_max > 0) {
        return faults_pwritev_short(fd, vector, count, offset);
    }
    return riad_sysops_real.pwritev(fd, vector, count, offset);
}

static inline int faults_fdatasync(int fd)
{
    return faults_hit(FAULT_FDATASYNC) ? -1 : riad_sysops_real.fdatasync(fd);
}

static inline int faults_fsync(int fd)
{
    return faults_hit(FAULT_FSYNC) ? -1 : riad_sysops_real.fsync(fd);
}

static inline int faults_fallocate(int fd, int mode, off_t offset, off_t length)
{
    if (faults.unreserved) {
        errno = faults.unreserved;
        return -1;
    }
    return faults_hit(FAULT_FALLOCATE) ? -1 : riad_sysops_real.fallocate(fd, mode, offset, length);
}

static inline int faults_ftruncate(int fd, off_t length)
{
    return faults_hit(FAULT_FTRUNCATE) ? -1 : riad_sysops_real.ftruncate(fd, length);
}

static inline int faults_fstat(int fd, struct stat *ret)
{
    return faults_hit(FAULT_FSTAT) ? -1 : riad_sysops_real.fstat(fd, ret);
}

static inline int faults_fstatat(int dirfd, const char *path, struct stat *ret, int flags)
{
    return faults_hit(FAULT_FSTATAT) ? -1 : riad_sysops_real.fstatat(dirfd, path, ret, flags);
}

static inline int faults_mkdirat(int dirfd, const char *path, mode_t mode)
{
    return faults_hit(FAULT_MKDIRAT) ? -1 : riad_sysops_real.mkdirat(dirfd, path, mode);
}

static inline int faults_linkat(
        int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)
{
    return faults_hit(FAULT_LINKAT)
                   ? -1
                   : riad_sysops_real.linkat(olddirfd, oldpath, newdirfd, newpath, flags);
}

static inline int faults_renameat(
        int olddirfd, const char *oldpath, int newdirfd, const char *newpath)
{
    return faults_hit(FAULT_RENAMEAT)
                   ? -1
                   : riad_sysops_real.renameat(olddirfd, oldpath, newdirfd, newpath);
}

static inline int faults_unlinkat(int dirfd, const char *path, int flags)
{
    return faults_hit(FAULT_UNLINKAT) ? -1 : riad_sysops_real.unlinkat(dirfd, path, flags);
}

static inline ssize_t faults_getdents(int fd, void *data, size_t size)
{
    return faults_hit(FAULT_GETDENTS) ? -1 : riad_sysops_real.getdents(fd, data, size);
}

/* What fails here is passed over: asked for the room there is, and advice. */
static inline int faults_fstatvfs(int fd, struct statvfs *ret)
{
    return riad_sysops_real.fstatvfs(fd, ret);
}

static inline int faults_fadvise(int fd, off_t offset, off_t length, int advice)
{
    return riad_sysops_real.fadvise(fd, offset, length, advice);
}

static const struct riad_sysops faults_table = {
    .openat = faults_openat,
    .close = faults_close,
    .pread = faults_pread,
    .preadv2 = faults_preadv2,
    .pwrite = faults_pwrite,
    .pwritev = faults_pwritev,
    .fdatasync = faults_fdatasync,
    .fsync = faults_fsync,
    .ftruncate = faults_ftruncate,
    .fallocate = faults_fallocate,
    .fstat = faults_fstat,
    .fstatat = faults_fstatat,
    .mkdirat = faults_mkdirat,
    .linkat = faults_linkat,
    .renameat = faults_renameat,
    .unlinkat = faults_unlinkat,
    .getdents = faults_getdents,
    .fstatvfs = faults_fstatvfs,
    .fadvise = faults_fadvise,
};

static inline unsigned faults_count(enum fault_call call)
{
    return atomic_load(&faults.counts[call]);
}

static inline void faults_set(enum fault_call call, unsigned first, unsigned last, int error)
{
    for (int i = 0; i < FAULT_NONE; i++) {
        atomic_store(&faults.counts[i], 0);
    }
    faults.call = call;
    faults.first = first;
    faults.last = last;
    faults.error = error;
}

/* The number-th call (from 1) fails, those after it do not. */
static inline void faults_fail(enum fault_call call, unsigned number, int error)
{
    faults_set(call, number, number, error);
}

/* The number-th call and all after it fail. */
static inline void faults_fail_from(enum fault_call call, unsigned number, int error)
{
    faults_set(call, number, UINT_MAX, error);
}

/* Bounds what one write and one read take; 0: no bound. */
static inline void faults_shorten(size_t write_max, size_t read_max)
{
    faults.write_max = write_max;
    faults.read_max = read_max;
}

static inline void faults_install(void)
{
    faults.unreserved = 0;
    faults_set(FAULT_NONE, 0, 0, 0);
    faults_shorten(0, 0);
    riad_sys = &faults_table;
}

static inline void faults_remove(void)
{
    riad_sys = &riad_sysops_real;
}

#endif
