#include "riad/folder.h"

#include <dirent.h>
#include <errno.h>
#include <unistd.h>

#include "riad/fdio.h"
#include "riad/sysops.h"

enum { BUFFER = 32768 };

struct riad_folder {
    int fd;
    size_t size, at; /* of what the kernel gave last */
    _Alignas(struct dirent64) char buffer[BUFFER];
};

int riad_folder_open(int parent_fd, const char *path, struct riad_folder **ret)
{
    struct riad_folder *folder = malloc(sizeof *folder);

    if (!folder) {
        return -ENOMEM;
    }
    folder->size = folder->at = 0;
    folder->fd = riad_open_dir_at(parent_fd, path);
    if (folder->fd < 0) {
        int r = folder->fd;

        free(folder);
        return r;
    }
    *ret = folder;
    return 0;
}

void riad_folder_free(struct riad_folder *folder)
{
    riad_close_fd(&folder->fd);
    free(folder);
}

int riad_folder_fd(const struct riad_folder *folder)
{
    return folder->fd;
}

/* 0: there is nothing more. */
static int refill(struct riad_folder *folder)
{
    ssize_t size = TEMP_FAILURE_RETRY(
            riad_sys->getdents(folder->fd, folder->buffer, sizeof folder->buffer));

    if (size < 0) {
        return -errno;
    }
    folder->size = (size_t)size;
    folder->at = 0;
    return size > 0;
}

int riad_folder_next(struct riad_folder *folder, const char **ret_name)
{
    for (;;) {
        const struct dirent64 *entry;
        int r = folder->at < folder->size ? 1 : refill(folder);

        if (r <= 0) {
            return r;
        }
        entry = (const void *)(folder->buffer + folder->at);
        folder->at += entry->d_reclen;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            *ret_name = entry->d_name;
            return 1;
        }
    }
}
