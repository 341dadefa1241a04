/* Names: made, taken, moved, listed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "calls.h"

/* A local and experimental device: opening it finds no driver. */
enum { DEVICE_MAJOR = 240, DEVICE_MINOR = 300 };

int64_t call_mkdir(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)ret;
    return mkdirat(side_at(side, argument[0]), path_text(argument[0], buffer), (mode_t)argument[1]);
}

int64_t call_rmdir(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)ret;
    return unlinkat(side_at(side, argument[0]), path_text(argument[0], buffer), AT_REMOVEDIR);
}

int64_t call_unlink(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)ret;
    return unlinkat(side_at(side, argument[0]), path_text(argument[0], buffer), 0);
}

int64_t call_mknod(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)ret;
    return mknodat(side_at(side, argument[0]), path_text(argument[0], buffer),
            (mode_t)(argument[1] | argument[2]), makedev(DEVICE_MAJOR, DEVICE_MINOR));
}

int64_t call_bind(struct side *side, const int64_t *argument, struct outcome *ret)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char buffer[PATH_BYTES];
    const char *path = path_text(argument[0], buffer);
    int64_t r;
    int fd, error;

    (void)side;
    (void)ret;
    if (strlen(path) >= sizeof address.sun_path || path[0] == 0) {
        return SKIPPED;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0) {
        return -1;
    }
    r = bind(fd, (struct sockaddr *)&address, sizeof address);
    error = errno;
    close(fd);
    errno = error;
    return r;
}

int64_t call_symlink(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char target[PATH_BYTES], buffer[PATH_BYTES];

    (void)ret;
    return symlinkat(path_text(argument[0], target), side_at(side, argument[1]),
            path_text(argument[1], buffer));
}

int64_t call_readlink(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];
    int64_t r = readlinkat(side_at(side, argument[0]), path_text(argument[0], buffer),
            (char *)side->data, (size_t)argument[1]);

    ret->value[0] = r > 0 ? side_hash(side->data, (size_t)r) : 0;
    return r;
}

int64_t call_link(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char from[PATH_BYTES], to[PATH_BYTES];

    (void)ret;
    return linkat(side_at(side, argument[0]), path_text(argument[0], from),
            side_at(side, argument[1]), path_text(argument[1], to),
            argument[2] ? AT_SYMLINK_FOLLOW : 0);
}

/* An open file gets a name, also one that never had any: by its descriptor, or by /proc. */
int64_t call_link_slot(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char from[64], to[PATH_BYTES];
    int fd = side->slot[argument[0]];

    (void)ret;
    if (fd < 0) {
        return SKIPPED;
    }
    path_text(argument[1], to);
    if (argument[2]) {
        return linkat(fd, "", side_at(side, argument[1]), to, AT_EMPTY_PATH);
    }
    snprintf(from, sizeof from, "/proc/self/fd/%d", fd);
    return linkat(AT_FDCWD, from, side_at(side, argument[1]), to, AT_SYMLINK_FOLLOW);
}

/* ext4 puts a whiteout in place before it looks whether all is well, and takes it back: the
 * directory's times move also in failure, here on both sides. */
static void after_failed_whiteout(struct side *side, int64_t path, struct outcome *ret)
{
    static const struct timespec pair[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
    char buffer[PATH_BYTES];
    int error = errno;

    ret->untimed = true;
    user_become(0);
    utimensat(side_at(side, path), path_parent(path, buffer), pair, 0);
    errno = error;
}

int64_t call_rename(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char from[PATH_BYTES], to[PATH_BYTES];
    bool whiteout = argument[2] & RENAME_WHITEOUT;
    int64_t r;

    r = renameat2(side_at(side, argument[0]), path_text(argument[0], from),
            side_at(side, argument[1]), path_text(argument[1], to), (unsigned)argument[2]);
    if (whiteout && r < 0) {
        after_failed_whiteout(side, argument[0], ret);
    }
    return r;
}

int64_t list_directory(int fd, int64_t *ret_hash)
{
    DIR *directory = fdopendir(fd);
    struct dirent *entry;
    int64_t count = 0;

    *ret_hash = 0;
    if (!directory) {
        close(fd);
        return -1;
    }
    for (errno = 0; (entry = readdir(directory)); errno = 0) {
        struct stat st;
        bool dots = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        bool right = dots || fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
                     st.st_ino == entry->d_ino;

        *ret_hash += side_hash(entry->d_name, strlen(entry->d_name)) * (entry->d_type + 1) + right;
        count++;
    }
    closedir(directory);
    return count;
}

static int64_t list_at(int at, const char *path, struct outcome *ret)
{
    int fd = openat(at, path, O_RDONLY | O_DIRECTORY);

    return fd < 0 ? -1 : list_directory(fd, &ret->value[0]);
}

int64_t call_readdir(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    return list_at(side_at(side, argument[0]), path_text(argument[0], buffer), ret);
}

/* The descriptor itself, wherever it stands: from the beginning, and back there. */
int64_t call_readdir_slot(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int fd = side->slot[argument[0]], again = dup(fd);
    bool directory = position(fd) == -1;
    int64_t r;
    int error;

    if (again < 0) {
        return -1;
    }
    if (directory) {
        lseek(fd, 0, SEEK_SET);
    }
    r = list_directory(again, &ret->value[0]);
    error = errno;
    if (directory) {
        lseek(fd, 0, SEEK_SET);
    }
    errno = error;
    return r;
}

/* Removes what is below a directory, as far as it may. */
static int64_t clear_below(int at, const char *name)
{
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;
    int64_t removed = 0;

    if (!directory) {
        return 0;
    }
    while ((entry = readdir(directory))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        if (unlinkat(fd, entry->d_name, 0) == 0) {
            removed++;
        } else if (errno == EISDIR) {
            removed += clear_below(fd, entry->d_name);
            removed += unlinkat(fd, entry->d_name, AT_REMOVEDIR) == 0;
        }
    }
    closedir(directory);
    return removed;
}

int64_t call_clear(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)ret;
    return clear_below(side_at(side, argument[0]), path_text(argument[0], buffer));
}
