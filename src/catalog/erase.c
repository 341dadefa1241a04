#include "riad/erase.h"

#include <fcntl.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/error.h"
#include "riad/sysops.h"

#include "object_priv.h"
#include "roster_priv.h"

enum { DEPTH_MAX = 4 /* ws/<id>/dead/<term>/<segment> */ };

struct removal {
    riad_erase_function function; /* NULL: none */
    void *context;
    uint64_t removed;
};

/* On a disk that writes in place this takes the key out of the free blocks too; on others it does
 * no harm. Best effort: the name goes in any case. */
static void overwrite(int directory, const char *name)
{
    static const uint8_t zeros[RIAD_WRAP_SIZE];
    _cleanup_close_ int fd = TEMP_FAILURE_RETRY(
            riad_sys->openat(directory, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0));

    if (fd >= 0 && riad_pwrite_all(fd, zeros, sizeof zeros, 0) == 0) {
        (void)riad_sys->fsync(fd);
    }
}

/* Also what readers pass over: a temporary file may be a wrap. 1: a name, 0: the end. */
static int next_entry(DIR *listing, const char **ret)
{
    struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(listing);
    } while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    if (!entry) {
        return -errno;
    }
    *ret = entry->d_name;
    return 1;
}

static int remove_wraps(DIR *listing)
{
    const char *name = NULL;
    int r;

    while ((r = next_entry(listing, &name)) > 0) {
        overwrite(dirfd(listing), name);
        if (riad_sys->unlinkat(dirfd(listing), name, 0) < 0 && errno != ENOENT) {
            return -errno;
        }
    }
    return r < 0 ? r : riad_fsync_dir(dirfd(listing));
}

int riad_erase_keys(const struct riad_store *store, const struct riad_id *workspace)
{
    _cleanup_close_ int fd = riad_store_open_workspace(store, workspace);
    _cleanup_closedir_ DIR *listing = NULL;
    int r = fd;

    if (store->read_only) {
        return -EROFS;
    }
    if (r >= 0) {
        r = riad_listing_open(fd, "wrap", &listing);
    }
    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    return remove_wraps(listing);
}

static int remove_tree(int parent, const char *name, unsigned depth, struct removal *removal);

static int remove_entry(int parent, const char *name, unsigned depth, struct removal *removal)
{
    if (riad_sys->unlinkat(parent, name, 0) == 0 || errno == ENOENT) {
        removal->removed++;
        if (removal->function) {
            removal->function(removal->context, removal->removed);
        }
        return 0;
    }
    return errno == EISDIR || errno == EPERM ? remove_tree(parent, name, depth, removal) : -errno;
}

/* One pass over a directory may overlook what moves while it shrinks: until a pass finds nothing.
 */
static int empty_directory(int parent, const char *name, unsigned depth, struct removal *removal)
{
    bool found;
    int r;

    do {
        _cleanup_closedir_ DIR *listing = NULL;
        const char *entry = NULL;

        found = false;
        r = riad_listing_open(parent, name, &listing);
        while (r >= 0 && (r = next_entry(listing, &entry)) > 0) {
            found = true;
            r = remove_entry(dirfd(listing), entry, depth + 1, removal);
        }
    } while (r == 0 && found);
    return r;
}

static int remove_tree(int parent, const char *name, unsigned depth, struct removal *removal)
{
    int r = depth > DEPTH_MAX ? -ELOOP : empty_directory(parent, name, depth, removal);

    if (r < 0) {
        return r == -ENOENT ? 0 : r;
    }
    return riad_sys->unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

int riad_erase_files(const struct riad_store *store, const struct riad_id *workspace,
        riad_erase_function function, void *context)
{
    _cleanup_close_ int parent = riad_open_dir_at(store->fd, "ws");
    struct removal removal = { .function = function, .context = context };
    char name[RIAD_ID_NAME_SIZE];
    int r;

    if (store->read_only) {
        return -EROFS;
    }
    if (parent < 0) {
        return parent;
    }
    riad_id_name(workspace, name);
    r = remove_tree(parent, name, 0, &removal);
    return r < 0 ? r : riad_fsync_dir(parent);
}
