/* Descriptors: opened, closed, doubled, synced, locked. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "calls.h"

bool is_direct(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags >= 0 && (flags & O_DIRECT) && !(flags & O_PATH);
}

static bool is_directory(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

int64_t position(int fd)
{
    return is_directory(fd) ? -1 : lseek(fd, 0, SEEK_CUR);
}

static void put_slot(struct side *side, int64_t slot, int fd)
{
    if (side->slot[slot] >= 0) {
        close(side->slot[slot]);
    }
    side->slot[slot] = fd;
}

/* Riad mounts with nodev. */
static bool is_device(int at, const char *path)
{
    struct stat st;

    return fstatat(at, path, &st, 0) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

/* O_NONBLOCK: fifos do not wait for each other. Appending with O_DIRECT would start anywhere. */
int64_t call_open(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];
    int flags = (int)argument[2] | O_NONBLOCK | O_NOCTTY;
    int fd;

    path_text(argument[1], buffer);
    if (is_device(side_at(side, argument[1]), buffer) ||
            ((flags & __O_TMPFILE) && lacks(FEATURE_TMPFILE))) {
        return SKIPPED;
    }
    if (flags & O_APPEND) {
        flags &= ~O_DIRECT;
    }
    fd = openat(side_at(side, argument[1]), buffer, flags, (mode_t)argument[3]);
    if (fd < 0) {
        return -1;
    }
    put_slot(side, argument[0], fd);
    ret->value[0] = fcntl(fd, F_GETFL);
    return 0;
}

int64_t call_open_folder(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];
    int fd = openat(
            side_at(side, argument[1]), path_text(argument[1], buffer), O_RDONLY | O_DIRECTORY);

    (void)ret;
    if (fd < 0) {
        return -1;
    }
    put_slot(side, argument[0], fd);
    return 0;
}

int64_t call_close(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];

    (void)ret;
    side->slot[argument[0]] = -1;
    return close(fd);
}

int64_t call_dup(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = dup(side->slot[argument[0]]);

    (void)ret;
    if (fd < 0) {
        return -1;
    }
    put_slot(side, argument[1], fd);
    return 0;
}

/* Appending turned on and off; O_DIRECT goes with it. */
int64_t call_set_status(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)ret;
    return fcntl(side->slot[argument[0]], F_SETFL, O_NONBLOCK | (argument[1] ? O_APPEND : 0));
}

int64_t call_sync(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]];

    (void)ret;
    switch (argument[1]) {
    case 0:
        return fsync(fd);
    case 1:
        return fdatasync(fd);
    default:
        return sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    }
}

int64_t call_flock(struct side *side, const int64_t *argument, struct outcome *ret)
{
    static const int operations[] = { LOCK_SH, LOCK_EX, LOCK_UN, LOCK_EX };

    (void)ret;
    return flock(side->slot[argument[0]], operations[argument[1] & 3] | LOCK_NB);
}

/* Locks of an open file: those of two slots may collide within one process. */
int64_t call_lock(struct side *side, const int64_t *argument, struct outcome *ret)
{
    static const short types[] = { F_RDLCK, F_WRLCK, F_UNLCK, F_WRLCK };
    struct flock lock = { .l_type = types[argument[1] & 3],
        .l_whence = SEEK_SET,
        .l_start = argument[2],
        .l_len = argument[3] };
    int64_t r = fcntl(side->slot[argument[0]], argument[1] & 4 ? F_OFD_GETLK : F_OFD_SETLK, &lock);

    if (r == 0) {
        ret->value[0] = lock.l_type;
        ret->value[1] = lock.l_start;
        ret->value[2] = lock.l_len;
    }
    return r;
}

int64_t call_statfs(struct side *side, const int64_t *argument, struct outcome *ret)
{
    struct statfs st;
    int64_t r = fstatfs(side->slot[argument[0]], &st);

    if (r == 0) {
        ret->value[0] = st.f_namelen;
        ret->value[1] = st.f_bsize > 0 && st.f_bfree <= st.f_blocks && st.f_bavail <= st.f_bfree;
    }
    return r;
}
