/* Inode flags. Immutable and append-only inodes: set, tried, and set free again within one
 * operation, as root, for an inode that stayed so would be in the way, and its modes would matter:
 * ext4 looks at the flags before them, FUSE after. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "calls.h"

static int change_flags(int fd, int clear, int set)
{
    int flags;

    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) < 0) {
        return -1;
    }
    flags = (flags & ~clear) | set;
    return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

static bool is_directory(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_there(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 || errno != ENOENT;
}

/* What rename(2) means: the name itself, which may be a symbolic link to a directory. */
static const char *without_slashes(const char *path, char *ret)
{
    size_t length = strlen(path);

    while (length > 1 && path[length - 1] == '/') {
        length--;
    }
    memcpy(ret, path, length);
    ret[length] = '\0';
    return ret;
}

/* Before FUSE asks riad, the kernel looks whether a directory meets something else. */
static int64_t try_rename(const char *from, const char *to)
{
    char source[PATH_BYTES], target[PATH_BYTES];

    without_slashes(from, source);
    without_slashes(to, target);
    if (is_there(target) && is_directory(source) != is_directory(target)) {
        return SKIPPED;
    }
    return rename(from, to);
}

static int64_t try_names(int fd, const char *path, const char *other, int64_t attempt)
{
    switch (attempt) {
    case 0:
    case 1:
        return is_directory(path) ? rmdir(path) : unlink(path);
    case 2:
        return try_rename(path, other);
    case 3:
        return try_rename(other, path);
    case 4:
        return link(path, other);
    case 5:
        return mkdirat(fd, "made", 0755);
    default:
        return symlinkat("target", fd, "linked");
    }
}

static int64_t try_attributes(int fd, int64_t attempt)
{
    static const struct timespec set[2] = { { 1, 0 }, { 1, 0 } };

    switch (attempt) {
    case 7:
        return fchmod(fd, 0750);
    case 8:
        return fchown(fd, user_uid(1), user_gid(1));
    case 9:
        return futimens(fd, set);
    case 10:
        return futimens(fd, NULL);
    case 11:
        return fsetxattr(fd, "user.a", "flagged", 7, 0);
    default:
        return fremovexattr(fd, "user.a");
    }
}

static int64_t try_data(int fd, const char *path, const struct stat *st, int64_t attempt)
{
    int own;
    int64_t r;

    switch (attempt) {
    case 13:
        return truncate(path, st->st_size / 2);
    case 14:
        return truncate(path, st->st_size);
    case 15:
        return pread(fd, &own, sizeof own, 0);
    default:
        own = open(path, O_WRONLY | O_APPEND);
        if (own < 0) {
            return -1;
        }
        r = write(own, "flagged", 7);
        close(own);
        return r;
    }
}

/* Every writer of an immutable inode is refused, by open(2) on ext4 and by write(2) on FUSE. */
static int64_t try(
        int fd, const char *path, const char *other, const struct stat *st, int64_t attempt)
{
    if (attempt <= 6) {
        return try_names(fd, path, other, attempt);
    }
    if (attempt <= 12) {
        return try_attributes(fd, attempt);
    }
    return S_ISREG(st->st_mode) ? try_data(fd, path, st, attempt) : SKIPPED;
}

enum { ATTEMPTS = 17, ODD_FLAGS = FS_IMMUTABLE_FL | FS_APPEND_FL };

int64_t call_flagged(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char path[PATH_BYTES], other[PATH_BYTES];
    int64_t r = SKIPPED;
    struct stat st;
    int fd, error = 0;

    (void)side;
    user_become(0);
    path_text(argument[0], path);
    if (lstat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))) {
        return SKIPPED;
    }
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return -1;
    }
    ret->value[0] = change_flags(fd, 0, argument[1] ? FS_IMMUTABLE_FL : FS_APPEND_FL);
    ret->value[1] = ret->value[0] < 0 ? errno : 0;
    if (ret->value[0] == 0) {
        r = try(fd, path, path_text(argument[2], other), &st, argument[3] % ATTEMPTS);
        error = errno;
        ret->value[2] = change_flags(fd, ODD_FLAGS, 0);
    }
    close(fd);
    errno = error;
    return r;
}

/* Those that hinder nobody. */
enum { PLAIN_FLAGS = FS_NODUMP_FL | FS_NOATIME_FL };

int64_t call_set_flags(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)ret;
    return change_flags(side->slot[argument[0]], PLAIN_FLAGS, (int)argument[1] & PLAIN_FLAGS);
}

int64_t call_get_flags(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int flags = 0;
    int64_t r = ioctl(side->slot[argument[0]], FS_IOC_GETFLAGS, &flags);

    ret->value[0] = flags & (PLAIN_FLAGS | ODD_FLAGS);
    return r;
}
