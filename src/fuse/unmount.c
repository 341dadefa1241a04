#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"

#include "session_priv.h"

extern char **environ;

uint64_t riad_unmount_mount_id(const char *path)
{
    struct statx stx;
    int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW;

    memset(&stx, 0, sizeof stx);
    if (statx(AT_FDCWD, path, flags, STATX_MNT_ID, &stx) < 0 || !(stx.stx_mask & STATX_MNT_ID)) {
        return 0;
    }
    return stx.stx_mnt_id;
}

/* Also a dead mount, whose connection was aborted, is there until it is unmounted. */
static bool is_at_path(const struct riad_session *session)
{
    struct pollfd device = { .fd = fuse_session_fd(session->fuse), .events = 0 };

    if (session->mount_id != 0) {
        return session->mount_id == riad_unmount_mount_id(session->mountpoint);
    }
    return poll(&device, 1, 0) == 0;
}

/* Another mount may lie over it. */
static bool is_covered(const struct riad_session *session)
{
    _cleanup_fclose_ FILE *mounts = fopen("/proc/self/mountinfo", "re");
    _cleanup_free_ char *line = NULL;
    size_t size = 0;

    while (mounts && session->mount_id != 0 && getline(&line, &size, mounts) >= 0) {
        if (strtoull(line, NULL, 10) == session->mount_id) {
            return true;
        }
    }
    return false;
}

/* What the program says on stderr, cut to the size. Returns when it closed its end. */
static void read_complaint(int fd, char *text, size_t size)
{
    size_t used = 0;
    char rest[256];
    ssize_t n;

    do {
        bool full = used + 1 >= size;

        n = TEMP_FAILURE_RETRY(
                full ? read(fd, rest, sizeof rest) : read(fd, text + used, size - 1 - used));
        used += n > 0 && !full ? (size_t)n : 0;
    } while (n > 0);
    text[used] = '\0';
}

static int spawn_helper(char *const arguments[], int error_fd, pid_t *ret)
{
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);

    if (r != 0) {
        return -r;
    }
    r = posix_spawn_file_actions_adddup2(&actions, error_fd, STDERR_FILENO);
    if (r == 0) {
        r = posix_spawnp(ret, arguments[0], &actions, NULL, arguments, environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    return -r;
}

/* fusermount3 tells a busy mount from others by its words only (it sets no locale). */
static int run_helper(const char *mountpoint, bool lazy)
{
    char *arguments[] = { (char *)"fusermount3", (char *)(lazy ? "-uz" : "-u"), (char *)"--",
        (char *)mountpoint, NULL };
    char complaint[512] = "";
    int ends[2];
    int status = 0;
    pid_t child;
    int r;

    if (pipe2(ends, O_CLOEXEC) < 0) {
        return -errno;
    }
    r = spawn_helper(arguments, ends[1], &child);
    close(ends[1]);
    if (r == 0) {
        read_complaint(ends[0], complaint, sizeof complaint);
        r = TEMP_FAILURE_RETRY(waitpid(child, &status, 0)) < 0 ? -errno : 0;
    }
    close(ends[0]);
    if (r < 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
        return r;
    }
    return strstr(complaint, strerrordesc_np(EBUSY)) ? -EBUSY : -EPERM;
}

static int unmount(const struct riad_session *session, bool lazy)
{
    int flags = UMOUNT_NOFOLLOW | (lazy ? MNT_DETACH : 0);
    int r;

    if (session->service) {
        return session->service->unmount(session->service->context, session->mountpoint, lazy);
    }
    r = umount2(session->mountpoint, flags) < 0 ? -errno : 0;
    return r == -EPERM ? run_helper(session->mountpoint, lazy) : r;
}

int riad_unmount(const struct riad_session *session, bool lazy)
{
    int r;

    if (!is_at_path(session)) {
        return is_covered(session) ? -EBUSY : 0;
    }
    r = unmount(session, lazy);
    return r < 0 && !is_at_path(session) && !is_covered(session) ? 0 : r;
}

/* The kernel's directory of a connection has the number of its device. Its owner may write. */
static int abort_by_fusectl(const struct riad_session *session)
{
    _cleanup_close_ int fd = -1;
    char path[64];
    struct statx stx;
    int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW;

    memset(&stx, 0, sizeof stx);
    if (statx(AT_FDCWD, session->mountpoint, flags, 0, &stx) < 0) {
        return -errno;
    }
    snprintf(path, sizeof path, "/sys/fs/fuse/connections/%u/abort", stx.stx_dev_minor);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "1", 1) != 1) {
        return errno == ENOENT ? -ENOTSUP : -errno;
    }
    return 0;
}

int riad_session_abort(struct riad_session *session)
{
    int r = is_at_path(session) ? abort_by_fusectl(session) : -EBUSY;

    if (r < 0 && r != -EBUSY && session->service) {
        return session->service->abort(session->service->context, session->mountpoint);
    }
    if (r < 0 && r != -EBUSY && geteuid() == 0) {
        /* It aborts, and says that the mount is busy nevertheless. */
        r = umount2(session->mountpoint, UMOUNT_NOFOLLOW | MNT_FORCE) < 0 && errno != EBUSY ? -errno
                                                                                            : 0;
    }
    return r;
}
