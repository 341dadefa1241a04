/* SQLite's files in a trace (trace.h): a VFS around its own, which records what changes a file. */
#ifndef RIAD_TESTS_TRACE_SQLITE_H
#define RIAD_TESTS_TRACE_SQLITE_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "trace_calls.h"

/* SQLite's own file lies behind it. */
struct trace_file {
    sqlite3_file base;
    uint32_t object;
    uint32_t directory; /* synced with the file, once; TRACE_NOTHING: not, or no more */
};

/* The Nth write or sync of SQLite's from now on gives the code, and all behind it do; 0: none. */
static _Atomic unsigned trace_sqlite_calls, trace_sqlite_first;
static int trace_sqlite_code;

static inline void trace_sqlite_fail(unsigned number, int code)
{
    atomic_store(&trace_sqlite_calls, 0);
    trace_sqlite_code = code;
    atomic_store(&trace_sqlite_first, number);
}

static inline bool trace_sqlite_hit(void)
{
    unsigned number = atomic_fetch_add(&trace_sqlite_calls, 1) + 1;

    return atomic_load(&trace_sqlite_first) > 0 && number >= atomic_load(&trace_sqlite_first);
}

static inline sqlite3_file *trace_real(sqlite3_file *file)
{
    return (sqlite3_file *)((struct trace_file *)file + 1);
}

static inline int trace_x_close(sqlite3_file *file)
{
    return trace_real(file)->pMethods->xClose(trace_real(file));
}

static inline int trace_x_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    return trace_real(file)->pMethods->xRead(trace_real(file), data, size, offset);
}

static inline int trace_x_write(
        sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    int code;

    if (trace_sqlite_hit()) {
        return trace_sqlite_code;
    }
    trace_lock();
    code = trace_real(file)->pMethods->xWrite(trace_real(file), data, size, offset);
    if (code == SQLITE_OK && trace.on) {
        trace_write(((struct trace_file *)file)->object, (uint64_t)offset, data, (size_t)size);
    }
    trace_unlock();
    return code;
}

static inline int trace_x_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    uint32_t object = ((struct trace_file *)file)->object;
    int code;

    trace_lock();
    code = trace_real(file)->pMethods->xTruncate(trace_real(file), size);
    if (code == SQLITE_OK && trace.on && object != TRACE_NOTHING) {
        trace_add(TRACE_TRUNCATE, object)->size = (uint64_t)size;
    }
    trace_unlock();
    return code;
}

static inline int trace_x_sync(sqlite3_file *file, int flags)
{
    struct trace_file *traced = (struct trace_file *)file;

    (void)flags;
    if (trace_sqlite_hit()) {
        return trace_sqlite_code;
    }
    trace_lock();
    if (trace.on && traced->object != TRACE_NOTHING) {
        trace_add(TRACE_SYNC, traced->object);
        if (traced->directory != TRACE_NOTHING) {
            trace_add(TRACE_SYNC, traced->directory);
            traced->directory = TRACE_NOTHING;
        }
    }
    trace_unlock();
    return SQLITE_OK;
}

static inline int trace_x_size(sqlite3_file *file, sqlite3_int64 *ret)
{
    return trace_real(file)->pMethods->xFileSize(trace_real(file), ret);
}

static inline int trace_x_lock(sqlite3_file *file, int lock)
{
    return trace_real(file)->pMethods->xLock(trace_real(file), lock);
}

static inline int trace_x_unlock(sqlite3_file *file, int lock)
{
    return trace_real(file)->pMethods->xUnlock(trace_real(file), lock);
}

static inline int trace_x_reserved(sqlite3_file *file, int *ret)
{
    return trace_real(file)->pMethods->xCheckReservedLock(trace_real(file), ret);
}

static inline int trace_x_control(sqlite3_file *file, int operation, void *argument)
{
    return trace_real(file)->pMethods->xFileControl(trace_real(file), operation, argument);
}

static inline int trace_x_sector(sqlite3_file *file)
{
    return trace_real(file)->pMethods->xSectorSize(trace_real(file));
}

static inline int trace_x_device(sqlite3_file *file)
{
    return trace_real(file)->pMethods->xDeviceCharacteristics(trace_real(file));
}

static inline int trace_x_map(
        sqlite3_file *file, int page, int size, int extend, void volatile **ret)
{
    return trace_real(file)->pMethods->xShmMap(trace_real(file), page, size, extend, ret);
}

static inline int trace_x_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    return trace_real(file)->pMethods->xShmLock(trace_real(file), offset, count, flags);
}

static inline void trace_x_barrier(sqlite3_file *file)
{
    trace_real(file)->pMethods->xShmBarrier(trace_real(file));
}

static inline int trace_x_unmap(sqlite3_file *file, int remove)
{
    return trace_real(file)->pMethods->xShmUnmap(trace_real(file), remove);
}

static const sqlite3_io_methods trace_methods = {
    .iVersion = 2,
    .xClose = trace_x_close,
    .xRead = trace_x_read,
    .xWrite = trace_x_write,
    .xTruncate = trace_x_truncate,
    .xSync = trace_x_sync,
    .xFileSize = trace_x_size,
    .xLock = trace_x_lock,
    .xUnlock = trace_x_unlock,
    .xCheckReservedLock = trace_x_reserved,
    .xFileControl = trace_x_control,
    .xSectorSize = trace_x_sector,
    .xDeviceCharacteristics = trace_x_device,
    .xShmMap = trace_x_map,
    .xShmLock = trace_x_shm_lock,
    .xShmBarrier = trace_x_barrier,
    .xShmUnmap = trace_x_unmap,
};

static sqlite3_vfs trace_vfs, *trace_real_vfs;

static inline int trace_v_open(
        sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *ret_flags)
{
    struct trace_file *traced = (struct trace_file *)file;
    struct stat st;
    bool fresh;
    int code;

    (void)vfs;
    trace_lock();
    fresh = path && stat(path, &st) < 0;
    code = trace_real_vfs->xOpen(trace_real_vfs, path, trace_real(file), flags, ret_flags);
    if (code == SQLITE_OK && trace.on && fresh) {
        trace_made(TRACE_CREATE, AT_FDCWD, path);
    }
    *traced = (struct trace_file){
        .object = path && trace.on ? trace_at(AT_FDCWD, path) : TRACE_NOTHING,
        .directory = fresh && (flags & SQLITE_OPEN_WAL) && trace.on ? trace_parent(AT_FDCWD, path)
                                                                    : TRACE_NOTHING,
    };
    trace_unlock();
    file->pMethods = code == SQLITE_OK ? &trace_methods : NULL;
    return code;
}

static inline int trace_v_delete(sqlite3_vfs *vfs, const char *path, int sync)
{
    int r = trace.on ? trace_unlinkat(AT_FDCWD, path, 0) : unlink(path);

    (void)vfs;
    (void)sync;
    return r == 0 ? SQLITE_OK : errno == ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
}

/* From now on it is the one that everybody gets. */
static inline void trace_sqlite_install(void)
{
    trace_real_vfs = sqlite3_vfs_find(NULL);
    trace_vfs = *trace_real_vfs;
    trace_vfs.zName = "trace";
    trace_vfs.szOsFile += (int)sizeof(struct trace_file);
    trace_vfs.xOpen = trace_v_open;
    trace_vfs.xDelete = trace_v_delete;
    assert_int_equal(sqlite3_vfs_register(&trace_vfs, 1), SQLITE_OK);
}

#endif
