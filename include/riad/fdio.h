/* Whole reads and writes, and atomic publication of small files. All through riad_sys. Results: 0
 * or negative errno. */
#ifndef RIAD_FDIO_H
#define RIAD_FDIO_H

#include <sys/uio.h>

#include "riad/types.h"

/* Writes all bytes, retrying EINTR and short writes. On error an unknown part was written.
 * -EFBIG if offset + size is no off_t; -EIO if the system call writes nothing. */
int riad_pwrite_all(int fd, const void *data, size_t size, uint64_t offset) RIAD_MUST_CHECK;
/* The same for up to 16 pieces; the vector is consumed (changed). -EINVAL above 16. */
int riad_pwritev_all(int fd, struct iovec *vector, int count, uint64_t offset) RIAD_MUST_CHECK;
/* Reads until size bytes or end of file; *ret_size says how many.
 * -EINVAL if offset + size is no off_t. */
int riad_pread_all(
        int fd, void *data, size_t size, uint64_t offset, size_t *ret_size) RIAD_MUST_CHECK;
/* The same for a thread that must not wait (riad/patience.h): RIAD_WOULD_WAIT where a byte would
 * have to be fetched (riad_wait_note), or where the file system cannot tell. */
int riad_pread_cached(
        int fd, void *data, size_t size, uint64_t offset, size_t *ret_size) RIAD_MUST_CHECK;
/* Reads a whole regular file of at most max bytes into the heap (caller frees; one byte more is
 * allocated and zero). O_NOFOLLOW. -EFBIG above max, -EMEDIUMTYPE if it is not a regular file. */
int riad_read_file_at(int dirfd, const char *path, size_t max, uint8_t **ret_data,
        size_t *ret_size) RIAD_MUST_CHECK;
enum riad_publish {
    RIAD_PUBLISH_NEW,     /* link: -EEXIST if the name is taken */
    RIAD_PUBLISH_REPLACE, /* rename over */
};
/* Writes a temporary `.tmp-<random>` beside path (path has no slash: the file lies in dirfd), syncs
 * it, publishes it, syncs dirfd. Mode 0600. On error nothing is visible under path that was not
 * there before; only where REPLACE failed in the last step, the sync of dirfd, the new file may
 * stay. dirfd is a real descriptor, not AT_FDCWD. -EINVAL if path is no plain name. */
int riad_publish_file_at(int dirfd, const char *path, const void *data, size_t size,
        enum riad_publish how) RIAD_MUST_CHECK;
/* mkdir 0700 that accepts an existing directory; -ENOTDIR if something else has the name. Does not
 * sync dirfd. */
int riad_mkdir_at(int dirfd, const char *path) RIAD_MUST_CHECK;
/* Opens a directory O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC; returns the fd or negative errno. */
int riad_open_dir_at(int dirfd, const char *path) RIAD_MUST_CHECK;
/* Takes EINVAL, with which some network file systems refuse to sync directories, for done. */
int riad_fsync_dir(int dirfd) RIAD_MUST_CHECK;

#endif
