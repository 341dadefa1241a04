#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/diag.h"
#include "riad/error.h"

#include "fuse_priv.h"
#include "reason_priv.h"

enum { FUSE_MAGIC = 0x65735546 };

static _Thread_local char libfuse_message[256];

int riad_reason_check_device(const char *device, struct riad_reason *ret_reason)
{
    _cleanup_close_ int fd = open(device, O_RDWR | O_CLOEXEC);
    int r = -errno;

    if (fd >= 0) {
        return 0;
    }
    if (r == -EACCES || r == -EPERM) {
        return riad_reason_set(ret_reason, -EACCES,
                "%s may not be opened by user %u. Let root run `chmod 666 %s`, or for good add the "
                "udev rule KERNEL==\"fuse\", MODE=\"0666\" in /etc/udev/rules.d.",
                device, (unsigned)geteuid(), device);
    }
    if (r == -ENOENT || r == -ENODEV || r == -ENXIO) {
        return riad_reason_set(ret_reason, r == -ENOENT ? -ENOENT : -ENODEV,
                "%s is missing: the kernel offers no FUSE here. Let root run `modprobe fuse`; in "
                "a container, pass the device in (--device /dev/fuse).",
                device);
    }
    return riad_reason_set(ret_reason, r, "%s cannot be opened: %s.", device, strerror(-r));
}

static bool found_in_path(const char *name)
{
    _cleanup_free_ char *path = strdup(getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin");
    char *save = NULL;
    char *folder = path ? strtok_r(path, ":", &save) : NULL;

    for (; folder; folder = strtok_r(NULL, ":", &save)) {
        _cleanup_free_ char *candidate = NULL;

        if (asprintf(&candidate, "%s/%s", folder, name) < 0) {
            candidate = NULL;
            return false;
        }
        if (access(candidate, X_OK) == 0) {
            return true;
        }
    }
    return false;
}

int riad_reason_check_helper(const char *helper, struct riad_reason *ret_reason)
{
    const char *slash = strrchr(helper, '/');
    const char *name = slash ? slash + 1 : helper;

    if (access(helper, X_OK) == 0 || found_in_path(name)) {
        return 0;
    }
    return riad_reason_set(ret_reason, -ENOENT,
            "%s is missing, without which only root can mount. Install it: `apt install fuse3`.",
            name);
}

/* The line holds that word alone, with spaces around it at most. */
static bool is_line(const char *line, const char *word)
{
    size_t size = strlen(word);

    line += strspn(line, " \t");
    return strncmp(line, word, size) == 0 && line[size + strspn(line + size, " \t\r\n")] == '\0';
}

int riad_reason_check_allow_other(const char *configuration, struct riad_reason *ret_reason)
{
    _cleanup_fclose_ FILE *file = fopen(configuration, "re");
    char line[512];

    while (file && fgets(line, sizeof line, file)) {
        if (is_line(line, "user_allow_other")) {
            return 0;
        }
    }
    return riad_reason_set(ret_reason, -EACCES,
            "allow_other is not granted to users here. Let root put the line user_allow_other "
            "into %s, or mount without allow_other.",
            configuration);
}

static int check_empty(const char *path, struct riad_reason *ret_reason)
{
    _cleanup_closedir_ DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir) {
        return riad_reason_set(
                ret_reason, -errno, "%s cannot be listed: %s.", path, strerror(errno));
    }
    while ((entry = readdir(dir))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            return riad_reason_set(ret_reason, -ENOTEMPTY,
                    "%s is not empty, and a mount would hide what is in it. Choose an empty "
                    "directory.",
                    path);
        }
    }
    return 0;
}

/* Only the mount itself is refused, not an empty directory inside another FUSE file system. */
static bool is_fuse_mount(const char *path, const struct stat *st)
{
    _cleanup_free_ char *above = NULL;
    struct statfs fs;
    struct stat parent;

    if (asprintf(&above, "%s/..", path) < 0) {
        above = NULL;
        return false;
    }
    return stat(above, &parent) == 0 && parent.st_dev != st->st_dev && statfs(path, &fs) == 0 &&
           fs.f_type == FUSE_MAGIC;
}

int riad_reason_check_mountpoint(const char *path, struct riad_reason *ret_reason)
{
    struct stat st;
    int r;

    if (!path || path[0] != '/') {
        return riad_reason_set(ret_reason, -EINVAL, "The mount point must be an absolute path.");
    }
    if (stat(path, &st) < 0) {
        r = -errno;
        if (r == -ENOTCONN || r == -ECONNABORTED) {
            return riad_reason_set(ret_reason, -EBUSY,
                    "At %s lies a dead mount, whose process is gone. Remove it: "
                    "`fusermount3 -u %s`.",
                    path, path);
        }
        return riad_reason_set(ret_reason, r, "%s: %s.", path, strerror(-r));
    }
    if (!S_ISDIR(st.st_mode)) {
        return riad_reason_set(ret_reason, -ENOTDIR, "%s is not a directory.", path);
    }
    if (is_fuse_mount(path, &st)) {
        return riad_reason_set(ret_reason, -EBUSY, "Something is mounted at %s already.", path);
    }
    return check_empty(path, ret_reason);
}

static void keep_message(enum fuse_log_level level, const char *format, va_list arguments)
{
    size_t size;

    if (level > FUSE_LOG_WARNING) {
        return;
    }
    if (vsnprintf(libfuse_message, sizeof libfuse_message, format, arguments) < 0) {
        libfuse_message[0] = '\0';
    }
    size = strlen(libfuse_message);
    while (size > 0 && isspace((unsigned char)libfuse_message[size - 1])) {
        libfuse_message[--size] = '\0';
    }
    riad_diag(RIAD_DEBUG, "libfuse: %s", libfuse_message);
}

void riad_reason_watch_libfuse(void)
{
    libfuse_message[0] = '\0';
    fuse_set_log_func(keep_message);
}

const char *riad_reason_libfuse(void)
{
    return libfuse_message;
}
