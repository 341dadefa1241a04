/* Records what is done to the files of some directories, so that the disk of any moment can be made
 * again (disk.h). For tests only.
 *
 *     trace_begin(2, paths);    what lies there is the disk's, and durable; riad_sys records now,
 *                               and SQLite's files too (trace_sqlite.h)
 *     trace_note(7);            a number between two calls, for whoever reads the trace
 *     trace_end();              riad_sys is the real table again; trace.events stay
 *     trace_forget();           frees them
 *
 * Syncs are recorded, and not made. The spool is written by memory: what is pending in it is
 * recorded with each call and note, when it changed. Calls are made one at a time. */
#ifndef RIAD_TESTS_TRACE_H
#define RIAD_TESTS_TRACE_H

#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "riad/sysops.h"

#include "temporary.h"
#include "unit.h"

enum trace_kind {
    TRACE_MKDIR,    /* directory, name: object */
    TRACE_CREATE,   /* the same, a file */
    TRACE_LINK,     /* a further name of object */
    TRACE_RENAME,   /* directory, name to other, other_name */
    TRACE_UNLINK,   /* directory, name */
    TRACE_WRITE,    /* object, offset, size, data */
    TRACE_TRUNCATE, /* object, size */
    TRACE_SYNC,     /* object */
    TRACE_SPOOL,    /* object, offset, size, data: what memory holds there now */
    TRACE_NOTE,     /* number */
};

enum { TRACE_OBJECTS = 512, TRACE_DISKS = 2, TRACE_NOTHING = TRACE_OBJECTS };

struct trace_event {
    enum trace_kind kind;
    uint32_t object, directory, other;
    char *name, *other_name;
    uint64_t offset, size;
    uint8_t *data;
    int number;
};

struct trace_object {
    dev_t device;
    ino_t inode;
    uint32_t disk; /* which of the paths it lies below; these are the first objects */
    bool gone;     /* its inode number may be another one's */
};

static struct {
    pthread_mutex_t lock;
    bool on; /* lock */
    struct trace_event *events;
    size_t count, room;
    size_t base; /* events that made what was there */
    struct trace_object objects[TRACE_OBJECTS];
    uint32_t object_count;
    uint32_t spool;     /* its object; TRACE_NOTHING: none yet */
    uint8_t *spool_map; /* as it was recorded last */
    size_t spool_size;
} trace = { .lock = PTHREAD_MUTEX_INITIALIZER, .spool = TRACE_NOTHING };

/* (lock, as all that follow) */
static inline struct trace_event *trace_add(enum trace_kind kind, uint32_t object)
{
    if (trace.count == trace.room) {
        trace.room = trace.room > 0 ? 2 * trace.room : 1024;
        trace.events = reallocarray(trace.events, trace.room, sizeof *trace.events);
        assert_non_null(trace.events);
    }
    trace.events[trace.count] = (struct trace_event){ .kind = kind, .object = object };
    return &trace.events[trace.count++];
}

static inline void trace_name(struct trace_event *event, uint32_t directory, const char *name)
{
    const char *slash = strrchr(name, '/');

    event->directory = directory;
    event->name = strdup(slash ? slash + 1 : name);
}

static inline uint32_t trace_find(const struct stat *st)
{
    for (uint32_t i = trace.object_count; i-- > 0;) {
        const struct trace_object *object = &trace.objects[i];

        if (!object->gone && object->inode == st->st_ino && object->device == st->st_dev) {
            return i;
        }
    }
    return TRACE_NOTHING;
}

static inline uint32_t trace_new(const struct stat *st, uint32_t disk)
{
    assert_true(trace.object_count < TRACE_OBJECTS);
    trace.objects[trace.object_count] =
            (struct trace_object){ .device = st->st_dev, .inode = st->st_ino, .disk = disk };
    return trace.object_count++;
}

static inline uint32_t trace_of(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? trace_find(&st) : TRACE_NOTHING;
}

/* What a path that ends with a name lies in. */
static inline uint32_t trace_parent(int dirfd, const char *path)
{
    const char *slash = strrchr(path, '/');
    char parent[PATH_MAX] = ".";
    struct stat st;

    if (slash) {
        snprintf(parent, sizeof parent, "%.*s", (int)(slash - path) + (slash == path), path);
    }
    return fstatat(dirfd, parent, &st, 0) == 0 ? trace_find(&st) : TRACE_NOTHING;
}

static inline uint32_t trace_at(int dirfd, const char *path)
{
    struct stat st;

    return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ? trace_find(&st) : TRACE_NOTHING;
}

static inline void trace_made(enum trace_kind kind, int dirfd, const char *path)
{
    uint32_t parent = trace_parent(dirfd, path);
    struct stat st;

    if (parent != TRACE_NOTHING && fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        struct trace_event *event = trace_add(kind, trace_new(&st, trace.objects[parent].disk));

        trace_name(event, parent, path);
        if (strcmp(event->name, "spool") == 0) {
            trace.spool = event->object;
        }
    }
}

static inline void trace_write(uint32_t object, uint64_t offset, const void *data, size_t size)
{
    struct trace_event *event;

    if (object == TRACE_NOTHING || size == 0) {
        return;
    }
    event = trace_add(TRACE_WRITE, object);
    event->offset = offset;
    event->size = size;
    event->data = malloc(size);
    memcpy(event->data, data, size);
}

/* The pages of the spool that changed. */
static inline void trace_spool(int fd)
{
    enum { PAGE = 4096 };
    static uint8_t page[PAGE];
    struct stat st;
    ssize_t got;

    if (pread(fd, page, PAGE, 0) == PAGE && trace.spool_size > 0 &&
            memcmp(trace.spool_map, page, PAGE) == 0) {
        return; /* the header tells */
    }
    if (fstat(fd, &st) == 0 && (size_t)st.st_size > trace.spool_size) {
        trace.spool_map = realloc(trace.spool_map, (size_t)st.st_size);
        assert_non_null(trace.spool_map);
        memset(trace.spool_map + trace.spool_size, 0, (size_t)st.st_size - trace.spool_size);
        trace.spool_size = (size_t)st.st_size;
    }
    for (off_t at = 0; (got = pread(fd, page, PAGE, at)) > 0; at += got) {
        if (memcmp(trace.spool_map + at, page, (size_t)got) != 0) {
            trace_write(trace.spool, (uint64_t)at, page, (size_t)got);
            trace.events[trace.count - 1].kind = TRACE_SPOOL;
            memcpy(trace.spool_map + at, page, (size_t)got);
        }
    }
}

static int trace_spool_fd = -1;

static inline void trace_lock(void)
{
    pthread_mutex_lock(&trace.lock);
    if (trace_spool_fd >= 0) {
        trace_spool(trace_spool_fd);
    }
}

static inline void trace_unlock(void)
{
    pthread_mutex_unlock(&trace.lock);
}

static inline void trace_note(int number)
{
    trace_lock();
    trace_add(TRACE_NOTE, TRACE_NOTHING)->number = number;
    trace_unlock();
}

static inline void trace_forget(void)
{
    for (size_t i = 0; i < trace.count; i++) {
        free(trace.events[i].name);
        free(trace.events[i].other_name);
        free(trace.events[i].data);
    }
    free(trace.events);
    free(trace.spool_map);
    trace.events = NULL;
    trace.spool_map = NULL;
    trace.count = trace.room = trace.base = trace.spool_size = 0;
    trace.object_count = 0;
    trace.spool = TRACE_NOTHING;
}

#endif
