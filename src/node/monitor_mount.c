/* Mounting for the worker: always nosuid, nodev, default_permissions and allow_other, on a
 * directory that nobody else could have put something into. */
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "monitor_priv.h"

/* Nobody but root and ourselves may change what is in it. */
static int check_directory(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    return (st.st_uid == 0 || st.st_uid == geteuid()) && (st.st_mode & 022) == 0 ? 0 : -EPERM;
}

/* Opens the directory that the mount point lies in, made when missing. */
static int open_parent(const char *path)
{
    _cleanup_free_ char *parent = strdup(path);
    _cleanup_close_ int fd = -1;
    char *slash;
    int r;

    if (!parent) {
        return -ENOMEM;
    }
    for (slash = strchr(parent + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(parent, 0755) < 0 && errno != EEXIST) {
            return -errno;
        }
        *slash = '/';
    }
    slash = strrchr(parent, '/');
    *slash = '\0';
    fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    r = check_directory(fd);
    return r < 0 ? r : riad_take_fd(&fd);
}

/* Nobody else mounts a riad there: what is, was left by a monitor that was killed. Its mount is not
 * asked anything, as it may hang. */
static void detach_leftover(const char *path)
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    struct mntent entry;
    char text[4096];
    bool found = false;

    while (mounts && getmntent_r(mounts, &entry, text, sizeof text)) {
        found |= strcmp(entry.mnt_dir, path) == 0 && strcmp(entry.mnt_type, "fuse.riad") == 0;
    }
    if (mounts) {
        endmntent(mounts);
    }
    if (found) {
        (void)umount2(path, UMOUNT_NOFOLLOW | MNT_DETACH);
    }
}

static int open_target(int parent, const char *name)
{
    int fd;

    if (mkdirat(parent, name, 0755) < 0 && errno != EEXIST) {
        return -errno;
    }
    fd = openat(parent, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static bool is_mount_point(int parent, int fd)
{
    struct statx above, here;

    memset(&above, 0, sizeof above);
    memset(&here, 0, sizeof here);
    return statx(parent, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &above) < 0 ||
           statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_MNT_ID, &here) < 0 ||
           above.stx_mnt_id != here.stx_mnt_id;
}

int riad_monitor_mount(const struct riad_monitor *monitor, const char *path, const char *source)
{
    _cleanup_close_ int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    _cleanup_close_ int parent = open_parent(path);
    _cleanup_close_ int target = -1;
    char options[160], name[64];

    if (device < 0) {
        return -errno;
    }
    if (parent < 0) {
        return parent;
    }
    detach_leftover(path);
    target = open_target(parent, strrchr(path, '/') + 1);
    if (target < 0) {
        return target;
    }
    if (is_mount_point(parent, target)) {
        return -EBUSY;
    }
    snprintf(options, sizeof options,
            "fd=%d,rootmode=40000,user_id=%u,group_id=%u,default_permissions,allow_other", device,
            monitor->uid, monitor->gid);
    snprintf(name, sizeof name, "/proc/self/fd/%d", target);
    if (mount(source, name, "fuse.riad", MS_NOSUID | MS_NODEV, options) < 0) {
        return -errno;
    }
    return riad_take_fd(&device);
}

int riad_monitor_unmount(const char *path, bool lazy)
{
    return umount2(path, UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0)) < 0 ? -errno : 0;
}

/* The kernel ends the connection, and says that the mount is busy nevertheless. */
int riad_monitor_abort(const char *path)
{
    return umount2(path, UMOUNT_NOFOLLOW | MNT_FORCE) < 0 && errno != EBUSY ? -errno : 0;
}
