"""A store that is slow when a test wants it."""
import os
import subprocess


class SlowStore:
    """A library for riad that makes its syncs, its reads, or its writes of the store slow while a file says so, and quick once it
    is gone. Writes are those of data, and reserving room for a new segment."""

    SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
static void wait_for(const char *what, int fd)
{
    char path[512], link[64], target[512] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, target, sizeof target - 1) < 0 || !strstr(target, "/store/")) return;
    snprintf(path, sizeof path, "FOLDER/%s", what);
    for (long waited = 0;; waited += 10) {
        char text[512] = "", where[256] = "";
        long milliseconds = 0;
        int control = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
        if (control < 0) return;
        if (syscall(SYS_read, control, text, sizeof text - 1) > 0) sscanf(text, "%ld %255s", &milliseconds, where);
        syscall(SYS_close, control);
        if (waited >= milliseconds || !strstr(target, where)) return;
        nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
    }
}
int fdatasync(int fd) { wait_for("sync", fd); return syscall(SYS_fdatasync, fd); }
int fsync(int fd) { wait_for("sync", fd); return syscall(SYS_fsync, fd); }
ssize_t pread(int fd, void *data, size_t size, off_t at) { wait_for("read", fd); return syscall(SYS_pread64, fd, data, size, at); }
ssize_t pread64(int fd, void *data, size_t size, off_t at) { return pread(fd, data, size, at); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { wait_for("write", fd); return syscall(SYS_pwrite64, fd, data, size, at); }
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) { return pwrite(fd, data, size, at); }
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) { wait_for("write", fd); return syscall(SYS_pwritev, fd, pieces, count, at, 0); }
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off_t at) { return pwritev(fd, pieces, count, at); }
int fallocate(int fd, int mode, off_t at, off_t size) { wait_for("write", fd); return syscall(SYS_fallocate, fd, mode, at, size); }
int fallocate64(int fd, int mode, off_t at, off_t size) { return fallocate(fd, mode, at, size); }
ssize_t preadv2(int fd, const struct iovec *pieces, int count, off_t at, int flags)
{
    char path[512];
    snprintf(path, sizeof path, "FOLDER/read");
    if (access(path, F_OK) == 0) flags |= 0x80000000; /* not supported: ask by pread */
    return syscall(SYS_preadv2, fd, pieces, count, at, at >> 32, flags);
}
"""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()
        folder.chmod(0o755)
        (folder / "slow.c").write_text(self.SOURCE.replace("FOLDER", str(folder)), encoding="ascii")
        subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-o", folder / "slow.so", folder / "slow.c"], check=True)

    def prefix(self):
        return ["env", f"LD_PRELOAD={self.folder}/slow.so"]

    def slow(self, what, seconds, where="/store/"):
        """Each of them takes so long, where the path has `where` in it."""
        (self.folder / f"{what}.new").write_text(f"{int(seconds * 1000)} {where}", encoding="ascii")
        os.rename(self.folder / f"{what}.new", self.folder / what)

    def quick(self):
        for what in ("sync", "read", "write"):
            (self.folder / what).unlink(missing_ok=True)
