/* A workspace's directories, and the files in it that say who its members are. */
#include <fcntl.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/roster.h"
#include "riad/sysops.h"

#include "object_priv.h"
#include "roster_priv.h"

static const char *const directories[] = { RIAD_WRAPS_NAME, "term", "log", "data", "ckpt", "dead" };

static int make_directories(int fd)
{
    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        int r = riad_mkdir_at(fd, directories[i]);

        if (r < 0) {
            return r;
        }
    }
    return riad_fsync_dir(fd);
}

/* Returns the descriptor of the new ws/<id>. */
static int make_workspace(const struct riad_store *store, const struct riad_id *workspace)
{
    _cleanup_close_ int parent = riad_open_dir_at(store->fd, "ws");
    _cleanup_close_ int fd = -1;
    char name[RIAD_ID_NAME_SIZE];
    int r;

    if (parent < 0) {
        return parent;
    }
    riad_id_name(workspace, name);
    r = riad_mkdir_at(parent, name);
    if (r < 0) {
        return r;
    }
    fd = riad_open_dir_at(parent, name);
    if (fd < 0) {
        return fd;
    }
    r = make_directories(fd);
    if (r < 0) {
        return r;
    }
    r = riad_fsync_dir(parent);
    if (r < 0) {
        return r;
    }
    return riad_take_fd(&fd);
}

/* 0, or -EEXIST. */
static int check_vacant(int fd)
{
    struct stat st;

    if (riad_sys->fstatat(fd, RIAD_ROSTER_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        return -EEXIST;
    }
    return errno == ENOENT ? 0 : -errno;
}

static int publish_wrap(
        int fd, const struct riad_id *user, uint32_t epoch, const void *wrap, size_t size)
{
    char name[RIAD_WRAP_NAME_SIZE];

    riad_wrap_name(user, epoch, name);
    return riad_object_publish(fd, RIAD_WRAPS_NAME, name, wrap, size, RIAD_PUBLISH_REPLACE);
}

/* The roster comes last: a directory without one is no workspace yet, and a wrap in it nobody's. A
 * wrap that a roster names already is not touched. */
int riad_roster_publish(const struct riad_store *store, const struct riad_id *workspace,
        const struct riad_id *owner, const void *wrap, size_t wrap_size, const void *roster,
        size_t roster_size)
{
    _cleanup_close_ int fd = -1;
    int r;

    if (store->read_only) {
        return -EROFS;
    }
    fd = make_workspace(store, workspace);
    if (fd < 0) {
        return fd;
    }
    r = check_vacant(fd);
    if (r < 0) {
        return r;
    }
    r = publish_wrap(fd, owner, 1, wrap, wrap_size);
    if (r < 0) {
        return r;
    }
    return riad_publish_file_at(fd, RIAD_ROSTER_NAME, roster, roster_size, RIAD_PUBLISH_NEW);
}

/* The workspace's descriptor, to change it. */
static int open_to_change(const struct riad_store *store, const struct riad_id *workspace)
{
    return store->read_only ? -EROFS : riad_store_open_workspace(store, workspace);
}

int riad_roster_publish_wrap(const struct riad_store *store, const struct riad_id *workspace,
        const struct riad_id *user, uint32_t epoch, const void *wrap, size_t size)
{
    _cleanup_close_ int fd = open_to_change(store, workspace);

    return fd < 0 ? fd : publish_wrap(fd, user, epoch, wrap, size);
}

int riad_roster_replace(const struct riad_store *store, const struct riad_id *workspace,
        const void *data, size_t size)
{
    _cleanup_close_ int fd = open_to_change(store, workspace);

    return fd < 0 ? fd
                  : riad_publish_file_at(fd, RIAD_ROSTER_NAME, data, size, RIAD_PUBLISH_REPLACE);
}

/* Syncs also where there is none: whoever removed it may not have come so far. */
static int remove_wrap(int fd, const char *name)
{
    _cleanup_close_ int wraps = riad_open_dir_at(fd, RIAD_WRAPS_NAME);

    if (wraps < 0) {
        return wraps;
    }
    if (riad_sys->unlinkat(wraps, name, 0) < 0 && errno != ENOENT) {
        return -errno;
    }
    return riad_fsync_dir(wraps);
}

int riad_roster_erase_wrap(const struct riad_store *store, const struct riad_id *workspace,
        const struct riad_id *user, uint32_t epoch)
{
    _cleanup_close_ int fd = open_to_change(store, workspace);
    char name[RIAD_WRAP_NAME_SIZE];
    int r = fd;

    if (r >= 0) {
        riad_wrap_name(user, epoch, name);
        r = remove_wrap(fd, name);
    }
    return r == -ENOENT ? 0 : r;
}
