/* Makes the disk again that a trace left at one of its events (trace.h), as a killed process leaves
 * it, or a power cut. For tests only.
 *
 * What was synced is there. Of the rest, by the disk's loss: all; nothing; names but no bytes;
 * sectors and names by chance, names of one directory in their order; or all but the last write,
 * which is torn. */
#ifndef RIAD_TESTS_DISK_H
#define RIAD_TESTS_DISK_H

#include "chance.h"
#include "trace.h"

enum disk_loss {
    DISK_KEEPS,
    DISK_LOSES,
    DISK_ZEROES,
    DISK_MIXES,
    DISK_TEARS,
    DISK_LOSSES,
};

enum { DISK_SECTOR = 512, DISK_NAMES = 4096 };

struct disk_state {
    size_t events; /* of the trace: so many were done */
    enum disk_loss losses[TRACE_DISKS];
    uint64_t seed; /* of what is by chance */
    uint64_t cut;  /* where the last write is torn: sectors that got there, + 1; 0: by chance */
};

struct disk_object {
    uint8_t *data;
    uint64_t size, room;
    size_t synced; /* the event that synced it last, + 1 */
    bool cut;      /* of a directory: no more of its names get there */
    bool directory;
    char *path; /* once it was made; heap */
};

struct disk_name {
    uint32_t directory, object;
    const char *name;
};

struct disk {
    struct disk_object *objects;
    struct disk_name *names;
    size_t name_count;
    uint64_t random;
    size_t torn[TRACE_DISKS]; /* the last write that is not synced, + 1 */
};

/* What is behind `room` is zeros. */
static inline void disk_resize(struct disk_object *object, uint64_t size)
{
    if (size < object->room) {
        memset(object->data + size, 0, object->room - size);
    }
    object->size = size;
}

static inline void disk_make_room(struct disk_object *object, uint64_t size)
{
    if (size > object->room) {
        uint64_t room = size < 32768 ? 65536 : 2 * size;

        object->data = realloc(object->data, room);
        assert_non_null(object->data);
        memset(object->data + object->room, 0, room - object->room);
        object->room = room;
    }
}

static inline void disk_put(
        struct disk_object *object, uint64_t offset, const uint8_t *data, uint64_t size)
{
    object->size = offset + size > object->size ? offset + size : object->size;
    if (data) {
        disk_make_room(object, offset + size);
        memcpy(object->data + offset, data, size);
    }
}

/* Sector by sector, as the disk has them. */
static inline void disk_put_some(
        struct disk *disk, struct disk_object *object, const struct trace_event *event)
{
    uint64_t at = event->offset, end = event->offset + event->size;

    if (chance_next(&disk->random) % 4 == 0) {
        return;
    }
    while (at < end) {
        uint64_t next = (at / DISK_SECTOR + 1) * DISK_SECTOR;

        next = next < end ? next : end;
        if (chance_next(&disk->random) % 2) {
            disk_put(object, at, event->data + (at - event->offset), next - at);
        }
        at = next;
    }
}

static inline void disk_put_torn(struct disk *disk, const struct disk_state *state,
        struct disk_object *object, const struct trace_event *event)
{
    uint64_t first = event->offset / DISK_SECTOR;
    uint64_t last = (event->offset + event->size - 1) / DISK_SECTOR;
    uint64_t sectors =
            state->cut > 0 ? state->cut - 1 : chance_next(&disk->random) % (last - first + 1);
    uint64_t cut = (first + sectors) * DISK_SECTOR;

    if (cut > event->offset) {
        uint64_t size = cut - event->offset;

        disk_put(object, event->offset, event->data, size < event->size ? size : event->size);
    }
}

static inline void disk_write(struct disk *disk, const struct disk_state *state, size_t number)
{
    const struct trace_event *event = &trace.events[number];
    struct disk_object *object = &disk->objects[event->object];
    uint32_t of = trace.objects[event->object].disk;

    if (number < object->synced || state->losses[of] == DISK_KEEPS ||
            (state->losses[of] == DISK_TEARS && disk->torn[of] != number + 1)) {
        disk_put(object, event->offset, event->data, event->size);
    } else if (state->losses[of] == DISK_ZEROES) {
        disk_put(object, event->offset, NULL, event->size);
    } else if (state->losses[of] == DISK_MIXES) {
        disk_put_some(disk, object, event);
    } else if (state->losses[of] == DISK_TEARS) {
        disk_put_torn(disk, state, object, event);
    }
}

/* Whether a change of the directory's names gets there. */
static inline bool disk_names(
        struct disk *disk, const struct disk_state *state, uint32_t directory, size_t number)
{
    struct disk_object *object = &disk->objects[directory];
    enum disk_loss loss = state->losses[trace.objects[directory].disk];

    if (number < object->synced || loss == DISK_KEEPS || loss == DISK_ZEROES ||
            loss == DISK_TEARS) {
        return true;
    }
    object->cut |= loss == DISK_LOSES || chance_next(&disk->random) % 4 == 0;
    return !object->cut;
}

static inline void disk_remove_name(struct disk *disk, uint32_t directory, const char *name)
{
    for (size_t i = 0; i < disk->name_count; i++) {
        if (disk->names[i].directory == directory && strcmp(disk->names[i].name, name) == 0) {
            disk->names[i] = disk->names[--disk->name_count];
            return;
        }
    }
}

static inline void disk_add_name(
        struct disk *disk, uint32_t directory, const char *name, uint32_t object)
{
    disk_remove_name(disk, directory, name);
    assert_true(disk->name_count < DISK_NAMES);
    disk->names[disk->name_count++] = (struct disk_name){ directory, object, name };
}

static inline void disk_do(struct disk *disk, const struct disk_state *state, size_t number)
{
    const struct trace_event *event = &trace.events[number];
    struct disk_object *object = &disk->objects[event->object];

    switch (event->kind) {
    case TRACE_MKDIR:
    case TRACE_CREATE:
    case TRACE_LINK:
        object->directory |= event->kind == TRACE_MKDIR;
        if (disk_names(disk, state, event->directory, number)) {
            disk_add_name(disk, event->directory, event->name, event->object);
        }
        break;
    case TRACE_RENAME:
        if (disk_names(disk, state, event->other, number)) {
            disk_remove_name(disk, event->directory, event->name);
            disk_add_name(disk, event->other, event->other_name, event->object);
        }
        break;
    case TRACE_UNLINK:
        if (disk_names(disk, state, event->directory, number)) {
            disk_remove_name(disk, event->directory, event->name);
        }
        break;
    case TRACE_TRUNCATE:
        if (number < object->synced ||
                state->losses[trace.objects[event->object].disk] != DISK_LOSES) {
            disk_resize(object, event->size);
        }
        break;
    case TRACE_WRITE:
    case TRACE_SPOOL:
        disk_write(disk, state, number);
        break;
    case TRACE_SYNC:
    case TRACE_NOTE:
        break;
    }
}

/* What makes it durable, and what is the last that is not. */
static inline void disk_look_ahead(struct disk *disk, const struct disk_state *state)
{
    for (size_t i = 0; i < state->events; i++) {
        if (trace.events[i].kind == TRACE_SYNC) {
            disk->objects[trace.events[i].object].synced = i + 1;
        }
    }
    for (uint32_t i = 0; i < trace.object_count; i++) {
        struct disk_object *object = &disk->objects[i];

        object->synced = object->synced > trace.base ? object->synced : trace.base;
        object->directory = i < TRACE_DISKS;
    }
    for (size_t i = trace.base; i < state->events; i++) {
        const struct trace_event *event = &trace.events[i];

        if (event->kind == TRACE_WRITE && i >= disk->objects[event->object].synced) {
            disk->torn[trace.objects[event->object].disk] = i + 1;
        }
    }
}

static inline void disk_make_file(const struct disk_object *object, const char *path)
{
    enum { PAGE = 4096 };
    static const uint8_t zeros[PAGE];
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    uint64_t end = object->size < object->room ? object->size : object->room;

    assert_true(fd >= 0);
    for (uint64_t at = 0; at < end; at += PAGE) {
        size_t size = end - at < PAGE ? (size_t)(end - at) : PAGE;

        if (memcmp(object->data + at, zeros, size) != 0) {
            assert_int_equal(pwrite(fd, object->data + at, size, (off_t)at), size);
        }
    }
    assert_int_equal(ftruncate(fd, (off_t)object->size), 0);
    close(fd);
}

static inline void disk_make_directory(struct disk *disk, uint32_t directory, const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
    for (size_t i = 0; i < disk->name_count; i++) {
        struct disk_object *object = &disk->objects[disk->names[i].object];
        char *below = NULL;

        if (disk->names[i].directory != directory) {
            continue;
        }
        assert_true(asprintf(&below, "%s/%s", path, disk->names[i].name) > 0);
        if (object->directory) {
            disk_make_directory(disk, disk->names[i].object, below);
        } else if (object->path) {
            assert_int_equal(link(object->path, below), 0);
        } else {
            disk_make_file(object, below);
            object->path = strdup(below);
        }
        free(below);
    }
}

/* Sectors of the write that would be torn, if the disk `which` tears it. */
static inline uint64_t disk_torn_sectors(size_t events, uint32_t which)
{
    struct disk disk = { .objects = calloc(TRACE_OBJECTS + 1, sizeof *disk.objects) };
    const struct disk_state state = { .events = events };
    uint64_t sectors = 0;

    assert_non_null(disk.objects);
    disk_look_ahead(&disk, &state);
    if (disk.torn[which] > 0) {
        const struct trace_event *event = &trace.events[disk.torn[which] - 1];

        sectors = (event->offset + event->size - 1) / DISK_SECTOR - event->offset / DISK_SECTOR + 1;
    }
    free(disk.objects);
    return sectors;
}

/* A directory for each of the disks; they are not there yet. */
static inline void disk_make(const struct disk_state *state, const char *const paths[TRACE_DISKS])
{
    struct disk disk = { .objects = calloc(TRACE_OBJECTS + 1, sizeof *disk.objects),
        .names = calloc(DISK_NAMES, sizeof *disk.names),
        .random = state->seed };

    assert_true(disk.objects && disk.names);
    disk_look_ahead(&disk, state);
    for (size_t i = 0; i < state->events; i++) {
        disk_do(&disk, state, i);
    }
    for (uint32_t i = 0; i < TRACE_DISKS; i++) {
        disk_make_directory(&disk, i, paths[i]);
    }
    for (uint32_t i = 0; i < TRACE_OBJECTS; i++) {
        free(disk.objects[i].data);
        free(disk.objects[i].path);
    }
    free(disk.objects);
    free(disk.names);
}

#endif
