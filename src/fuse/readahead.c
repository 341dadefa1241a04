#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "session_priv.h"

void riad_readahead_raise(const char *mountpoint)
{
    _cleanup_close_ int fd = -1;
    char path[128];
    char value[16];
    struct statx stx;
    ssize_t n;
    int size;

    if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &stx) < 0) {
        return;
    }
    snprintf(path, sizeof path, "/sys/class/bdi/%u:%u/read_ahead_kb", stx.stx_dev_major,
            stx.stx_dev_minor);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    size = snprintf(value, sizeof value, "%d", RIAD_MESSAGE_MAX / 1024);
    n = write(fd, value, (size_t)size);
    (void)n; /* reading ahead less is slower, no more */
}
