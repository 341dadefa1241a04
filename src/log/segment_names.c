/* Names of segment files, and which of them there are (FORMAT 2). */
#include <fcntl.h>
#include <unistd.h>

#include "riad/error.h"
#include "riad/fdio.h"
#include "riad/folder.h"
#include "riad/sysops.h"

#include "segment_priv.h"

enum { NAME_SIZE = 16 };

static const char *directory_of(enum riad_segment_kind kind)
{
    switch (kind) {
    case RIAD_SEGMENT_LOG:
        return "log";
    case RIAD_SEGMENT_DATA:
        return "data";
    case RIAD_SEGMENT_CHECKPOINT:
        return "ckpt";
    }
    return "";
}

void riad_segment_path(enum riad_segment_kind kind, uint64_t segment, char ret[32])
{
    snprintf(ret, 32, "%s/%016llx", directory_of(kind), (unsigned long long)segment);
}

void riad_segment_show(int workspace_fd, uint64_t segment, char ret[static 48])
{
    static const enum riad_segment_kind kinds[] = { RIAD_SEGMENT_LOG, RIAD_SEGMENT_DATA };
    struct stat st;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        riad_segment_path(kinds[i], segment, ret);
        if (riad_sys->fstatat(workspace_fd, ret, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            return;
        }
    }
    snprintf(ret, 48, "segment %016llx (missing)", (unsigned long long)segment);
}

int riad_segment_open_path(int dirfd, const char *path)
{
    _cleanup_close_ int fd = -1;
    struct stat st;

    fd = TEMP_FAILURE_RETRY(riad_sys->openat(
            dirfd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0));
    if (fd < 0) {
        return errno == ELOOP || errno == ENXIO ? -EBADMSG : -errno;
    }
    if (riad_sys->fstat(fd, &st) < 0) {
        return -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return -EBADMSG;
    }
    return riad_take_fd(&fd);
}

int riad_segment_open(int workspace_fd, enum riad_segment_kind kind, uint64_t segment)
{
    char path[32];

    riad_segment_path(kind, segment, path);
    return riad_segment_open_path(workspace_fd, path);
}

/* Ordinal and term are from 1 and 0 on; a name is exactly 16 lower-case digits. */
static bool parse_name(const char *name, uint64_t *ret)
{
    uint8_t bytes[NAME_SIZE / 2];
    uint64_t segment = 0;

    if (riad_hex_decode(name, bytes, sizeof bytes) < 0) {
        return false;
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        segment = segment << 8 | bytes[i];
    }
    *ret = segment;
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;

    return (left > right) - (left < right);
}

struct id_list {
    uint64_t *ids;
    size_t count;
    size_t capacity;
};

static int add_id(struct id_list *list, uint64_t id)
{
    if (list->count == list->capacity) {
        size_t capacity = list->capacity > 0 ? 2 * list->capacity : 64;
        uint64_t *grown = reallocarray(list->ids, capacity, sizeof *grown);

        if (!grown) {
            return -ENOMEM;
        }
        list->ids = grown;
        list->capacity = capacity;
    }
    list->ids[list->count++] = id;
    return 0;
}

static int read_names(struct riad_folder *folder, struct id_list *list)
{
    const char *name = NULL;
    uint64_t id;
    int r;

    while ((r = riad_folder_next(folder, &name)) > 0) {
        r = parse_name(name, &id) ? add_id(list, id) : 0;
        if (r < 0) {
            return r;
        }
    }
    return r;
}

int riad_segment_list(
        int workspace_fd, enum riad_segment_kind kind, uint64_t **ret_ids, size_t *ret_count)
{
    _cleanup_(riad_folder_freep) struct riad_folder *folder = NULL;
    struct id_list list = { 0 };
    int r;

    r = riad_folder_open(workspace_fd, directory_of(kind), &folder);
    if (r == 0) {
        r = read_names(folder, &list);
    }
    if (r < 0 && r != -ENOENT) {
        free(list.ids);
        return r;
    }
    if (list.count > 0) {
        qsort(list.ids, list.count, sizeof *list.ids, compare_ids);
    }
    *ret_ids = list.ids;
    *ret_count = list.count;
    return 0;
}
