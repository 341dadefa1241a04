#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shim.h"

struct listing {
    DIR *stream;
    pthread_mutex_t lock; /* of the stream's position */
};

static struct listing *listing_of(const struct fuse_file_info *info)
{
    return (struct listing *)(uintptr_t)info->fh;
}

static struct listing *listing_open(fuse_ino_t ino)
{
    struct listing *listing = calloc(1, sizeof *listing);
    int fd = openat(inode_fd(ino), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (listing && fd >= 0 && (listing->stream = fdopendir(fd))) {
        pthread_mutex_init(&listing->lock, NULL);
        return listing;
    }
    int error = errno;
    if (fd >= 0) {
        close(fd);
    }
    free(listing);
    errno = error;
    return NULL;
}

static void listing_close(struct listing *listing)
{
    closedir(listing->stream);
    free(listing);
}

static void shim_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    call_begin(CALL_opendir);
    struct listing *listing = listing_open(ino);
    if (!listing) {
        reply_result(req, -1);
        return;
    }
    info->fh = (uint64_t)(uintptr_t)listing;
    if (fuse_reply_open(req, info) < 0) {
        listing_close(listing);
    }
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* The length of the entry in text, more than room if it does not fit, 0 if it is gone. */
static size_t add_entry(fuse_req_t req, fuse_ino_t parent, char *text, size_t room,
        const struct dirent *found, bool with_attributes)
{
    struct fuse_entry_param entry = { .attr = { .st_ino = found->d_ino,
                                              .st_mode = (mode_t)found->d_type << 12 } };
    if (!with_attributes) {
        return fuse_add_direntry(req, text, room, found->d_name, &entry.attr, found->d_off);
    }
    if (fuse_add_direntry_plus(req, NULL, 0, found->d_name, &entry, found->d_off) > room) {
        return room + 1;
    }
    if (!is_dots(found->d_name) && inode_find(parent, found->d_name, &entry) != 0) {
        return 0;
    }
    return fuse_add_direntry_plus(req, text, room, found->d_name, &entry, found->d_off);
}

static size_t fill(
        fuse_req_t req, fuse_ino_t ino, DIR *stream, char *text, size_t size, bool with_attributes)
{
    size_t used = 0;
    struct dirent *found;
    while ((found = readdir(stream))) {
        size_t length = add_entry(req, ino, text + used, size - used, found, with_attributes);
        if (length > size - used) {
            break;
        }
        used += length;
    }
    return used;
}

static void reply_listing(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
        struct fuse_file_info *info, bool with_attributes)
{
    struct listing *listing = listing_of(info);
    char *text = malloc(size);
    call_begin(CALL_readdir);
    if (!text) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    pthread_mutex_lock(&listing->lock);
    seekdir(listing->stream, offset);
    size_t used = fill(req, ino, listing->stream, text, size, with_attributes);
    pthread_mutex_unlock(&listing->lock);
    fuse_reply_buf(req, text, used);
    free(text);
}

static void shim_readdir(
        fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
    reply_listing(req, ino, size, offset, info, false);
}

static void shim_readdirplus(
        fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset, struct fuse_file_info *info)
{
    reply_listing(req, ino, size, offset, info, true);
}

static void shim_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
    (void)ino;
    call_begin(CALL_releasedir);
    listing_close(listing_of(info));
    fuse_reply_err(req, 0);
}

static void shim_fsyncdir(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *info)
{
    (void)ino;
    call_begin(CALL_fsyncdir);
    int fd = dirfd(listing_of(info)->stream);
    reply_result(req, datasync ? fdatasync(fd) : fsync(fd));
}

void listing_add(struct fuse_lowlevel_ops *ops)
{
    ops->opendir = shim_opendir;
    ops->readdir = shim_readdir;
    ops->readdirplus = shim_readdirplus;
    ops->releasedir = shim_releasedir;
    ops->fsyncdir = shim_fsyncdir;
}
