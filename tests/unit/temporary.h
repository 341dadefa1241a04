/* A temporary directory for one test, removed with everything in it. Not a contract of riad: for
 * tests only. */
#ifndef RIAD_TESTS_TEMPORARY_H
#define RIAD_TESTS_TEMPORARY_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

struct temporary {
    char path[PATH_MAX / 2]; /* absolute */
    int fd;                  /* the directory, open */
};

static inline int temporary_remove_entry(
        const char *path, const struct stat *st, int type, struct FTW *walk)
{
    (void)st;
    (void)type;
    (void)walk;
    return remove(path);
}

/* Removes a file or a whole tree, symlinks not followed. 0 or -1 and errno. */
static inline int temporary_remove_tree(const char *path)
{
    return nftw(path, temporary_remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Makes an empty directory below $TMPDIR or /tmp. 0 or -1. */
static inline int temporary_make(struct temporary *ret)
{
    const char *parent = getenv("TMPDIR");

    snprintf(ret->path, sizeof ret->path, "%s/riad-test-XXXXXX",
            parent && parent[0] == '/' ? parent : "/tmp");
    if (!mkdtemp(ret->path)) {
        return -1;
    }
    ret->fd = open(ret->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return ret->fd < 0 ? -1 : 0;
}

/* Closes and removes it. 0 or -1 and errno: a test's teardown returns this. */
static inline int temporary_remove(struct temporary *temporary)
{
    close(temporary->fd);
    temporary->fd = -1;
    return temporary_remove_tree(temporary->path);
}

/* Whether the file system can be asked for what is cached alone (RWF_NOWAIT): those in memory
 * cannot. */
static inline bool temporary_can_read_cached(int fd)
{
    char byte;
    struct iovec to = { &byte, 1 };

    return preadv2(fd, &to, 1, 0, RWF_NOWAIT) >= 0 || errno != EOPNOTSUPP;
}

#endif
