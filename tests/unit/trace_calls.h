/* The table of system calls that records (trace.h). For tests only. */
#ifndef RIAD_TESTS_TRACE_CALLS_H
#define RIAD_TESTS_TRACE_CALLS_H

#include <dirent.h>

#include "trace.h"

static inline int trace_openat(int dirfd, const char *path, int flags, mode_t mode)
{
    struct stat st;
    bool fresh;
    int fd;

    trace_lock();
    fresh = (flags & O_CREAT) && fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) < 0;
    fd = riad_sysops_real.openat(dirfd, path, flags, mode);
    if (fd >= 0 && fresh) {
        trace_made(TRACE_CREATE, dirfd, path);
    }
    if (fd >= 0 && trace.spool != TRACE_NOTHING && trace_spool_fd < 0 &&
            trace_of(fd) == trace.spool) {
        trace_spool_fd = dup(fd);
    }
    trace_unlock();
    return fd;
}

static inline ssize_t trace_pwrite(int fd, const void *data, size_t size, off_t offset)
{
    ssize_t done;

    trace_lock();
    done = riad_sysops_real.pwrite(fd, data, size, offset);
    if (done > 0) {
        trace_write(trace_of(fd), (uint64_t)offset, data, (size_t)done);
    }
    trace_unlock();
    return done;
}

static inline ssize_t trace_pwritev(int fd, const struct iovec *vector, int count, off_t offset)
{
    uint64_t at = (uint64_t)offset;
    ssize_t done;

    trace_lock();
    done = riad_sysops_real.pwritev(fd, vector, count, offset);
    for (int i = 0; i < count && at < (uint64_t)offset + (uint64_t)(done > 0 ? done : 0); i++) {
        uint64_t left = (uint64_t)offset + (uint64_t)done - at;
        size_t size = vector[i].iov_len < left ? vector[i].iov_len : (size_t)left;

        trace_write(trace_of(fd), at, vector[i].iov_base, size);
        at += size;
    }
    trace_unlock();
    return done;
}

static inline int trace_sync(int fd)
{
    uint32_t object;

    trace_lock();
    object = trace_of(fd);
    if (object != TRACE_NOTHING) {
        trace_add(TRACE_SYNC, object);
    }
    trace_unlock();
    return 0;
}

static inline int trace_ftruncate(int fd, off_t length)
{
    uint32_t object;
    int r;

    trace_lock();
    object = trace_of(fd);
    r = riad_sysops_real.ftruncate(fd, length);
    if (r == 0 && object != TRACE_NOTHING) {
        trace_add(TRACE_TRUNCATE, object)->size = (uint64_t)length;
    }
    trace_unlock();
    return r;
}

static int trace_unreserved; /* what fallocate fails with, as faults.unreserved; 0: it works */

static inline int trace_fallocate(int fd, int mode, off_t offset, off_t length)
{
    struct stat before, after;
    int r;

    if (trace_unreserved) {
        errno = trace_unreserved;
        return -1;
    }
    trace_lock();
    r = fstat(fd, &before) < 0 ? -1 : riad_sysops_real.fallocate(fd, mode, offset, length);
    if (r == 0 && fstat(fd, &after) == 0 && after.st_size != before.st_size &&
            trace_find(&after) != TRACE_NOTHING) {
        trace_add(TRACE_TRUNCATE, trace_find(&after))->size = (uint64_t)after.st_size;
    }
    trace_unlock();
    return r;
}

static inline int trace_mkdirat(int dirfd, const char *path, mode_t mode)
{
    int r;

    trace_lock();
    r = riad_sysops_real.mkdirat(dirfd, path, mode);
    if (r == 0) {
        trace_made(TRACE_MKDIR, dirfd, path);
    }
    trace_unlock();
    return r;
}

static inline int trace_linkat(
        int olddirfd, const char *oldpath, int newdirfd, const char *newpath, int flags)
{
    uint32_t parent;
    int r;

    trace_lock();
    parent = trace_parent(newdirfd, newpath);
    r = riad_sysops_real.linkat(olddirfd, oldpath, newdirfd, newpath, flags);
    if (r == 0 && parent != TRACE_NOTHING) {
        trace_name(trace_add(TRACE_LINK, trace_at(newdirfd, newpath)), parent, newpath);
    }
    trace_unlock();
    return r;
}

/* Before its last name is removed. */
static inline void trace_leaves(int dirfd, const char *path)
{
    uint32_t object = trace_at(dirfd, path);
    struct stat st;

    if (object != TRACE_NOTHING && fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            (st.st_nlink == 1 || S_ISDIR(st.st_mode))) {
        trace.objects[object].gone = true;
    }
}

static inline int trace_renameat(
        int olddirfd, const char *oldpath, int newdirfd, const char *newpath)
{
    uint32_t from, to;
    int r;

    trace_lock();
    from = trace_parent(olddirfd, oldpath);
    to = trace_parent(newdirfd, newpath);
    trace_leaves(newdirfd, newpath);
    r = riad_sysops_real.renameat(olddirfd, oldpath, newdirfd, newpath);
    if (r == 0 && from != TRACE_NOTHING && to != TRACE_NOTHING) {
        const char *slash = strrchr(newpath, '/');
        struct trace_event *event = trace_add(TRACE_RENAME, trace_at(newdirfd, newpath));

        trace_name(event, from, oldpath);
        event->other = to;
        event->other_name = strdup(slash ? slash + 1 : newpath);
    }
    trace_unlock();
    return r;
}

static inline int trace_unlinkat(int dirfd, const char *path, int flags)
{
    uint32_t parent, object;
    int r;

    trace_lock();
    parent = trace_parent(dirfd, path);
    object = trace_at(dirfd, path);
    trace_leaves(dirfd, path);
    r = riad_sysops_real.unlinkat(dirfd, path, flags);
    if (r == 0 && parent != TRACE_NOTHING) {
        trace_name(trace_add(TRACE_UNLINK, object), parent, path);
    }
    trace_unlock();
    return r;
}

/* What lies in a directory is as if it had been made now. */
static inline void trace_scan(int dirfd, uint32_t disk);

static inline void trace_scan_file(int fd)
{
    enum { PIECE = 64 << 10 };
    static uint8_t piece[PIECE];
    uint32_t object = trace_of(fd);
    struct stat st;

    assert_int_equal(fstat(fd, &st), 0);
    for (off_t at = lseek(fd, 0, SEEK_DATA); at >= 0; at = lseek(fd, at, SEEK_DATA)) {
        ssize_t got = pread(fd, piece, PIECE, at);

        if (got <= 0) {
            break;
        }
        trace_write(object, (uint64_t)at, piece, (size_t)got);
        at += got;
    }
    trace_add(TRACE_TRUNCATE, object)->size = (uint64_t)st.st_size;
}

static inline void trace_scan(int dirfd, uint32_t disk)
{
    DIR *directory = fdopendir(dup(dirfd));
    struct dirent *entry;

    assert_non_null(directory);
    rewinddir(directory);
    while ((entry = readdir(directory))) {
        struct stat st;
        int fd;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        fd = openat(dirfd, entry->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        assert_true(fd >= 0 && fstat(fd, &st) == 0);
        trace_made(S_ISDIR(st.st_mode) ? TRACE_MKDIR : TRACE_CREATE, dirfd, entry->d_name);
        if (S_ISDIR(st.st_mode)) {
            trace_scan(fd, disk);
        } else {
            trace_scan_file(fd);
        }
        close(fd);
    }
    closedir(directory);
}

static inline void trace_begin(uint32_t count, const char *const *paths)
{
    static const struct riad_sysops *table;
    static struct riad_sysops recording;

    recording = riad_sysops_real;
    recording.openat = trace_openat;
    recording.pwrite = trace_pwrite;
    recording.pwritev = trace_pwritev;
    recording.fdatasync = trace_sync;
    recording.fsync = trace_sync;
    recording.ftruncate = trace_ftruncate;
    recording.fallocate = trace_fallocate;
    recording.mkdirat = trace_mkdirat;
    recording.linkat = trace_linkat;
    recording.renameat = trace_renameat;
    recording.unlinkat = trace_unlinkat;
    table = &recording;
    assert_true(count <= TRACE_DISKS);
    for (uint32_t i = 0; i < count; i++) {
        struct stat st;

        assert_int_equal(stat(paths[i], &st), 0);
        assert_int_equal(trace_new(&st, i), i);
    }
    for (uint32_t i = 0; i < count; i++) {
        int fd = open(paths[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        trace_scan(fd, i);
        close(fd);
    }
    trace.base = trace.count;
    trace.on = true;
    riad_sys = table;
}

static inline void trace_end(void)
{
    trace.on = false;
    riad_sys = &riad_sysops_real;
    if (trace_spool_fd >= 0) {
        close(trace_spool_fd);
        trace_spool_fd = -1;
    }
}

#endif
