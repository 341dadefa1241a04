#include "riad/bytes.h"
#include "riad/cleanup.h"
#include "riad/error.h"

#include "object_priv.h"

void riad_id_name(const struct riad_id *id, char ret[RIAD_ID_NAME_SIZE])
{
    riad_hex_encode(id->bytes, sizeof id->bytes, ret);
}

int riad_object_read(int parent, const char *directory, const char *name, size_t max,
        uint8_t **ret_data, size_t *ret_size)
{
    _cleanup_close_ int fd = riad_open_dir_at(parent, directory);
    int r;

    if (fd < 0) {
        return fd;
    }
    r = riad_read_file_at(fd, name, max, ret_data, ret_size);
    if (r == -EFBIG || r == -EMEDIUMTYPE) {
        return -EBADMSG;
    }
    return r;
}

int riad_object_publish(int parent, const char *directory, const char *name, const void *data,
        size_t size, enum riad_publish how)
{
    _cleanup_close_ int fd = riad_open_dir_at(parent, directory);

    if (fd < 0) {
        return fd;
    }
    return riad_publish_file_at(fd, name, data, size, how);
}

int riad_listing_open(int parent, const char *directory, DIR **ret)
{
    _cleanup_close_ int fd = riad_open_dir_at(parent, directory);
    DIR *listing;

    if (fd < 0) {
        return fd;
    }
    listing = fdopendir(fd);
    if (!listing) {
        return -errno;
    }
    (void)riad_take_fd(&fd); /* the listing's now */
    *ret = listing;
    return 0;
}

int riad_listing_next(DIR *listing, const char **ret_name)
{
    struct dirent *entry;

    do {
        errno = 0;
        entry = readdir(listing);
    } while (entry && entry->d_name[0] == '.');
    if (!entry) {
        return -errno;
    }
    *ret_name = entry->d_name;
    return 1;
}
