/* What /dev/fuse speaks since protocol 7.39, later than Debian 12's <linux/fuse.h>: copied by
 * meaning from Linux 6.18, include/uapi/linux/fuse.h. */
#ifndef RIAD_RAW_ABI_PRIV_H
#define RIAD_RAW_ABI_PRIV_H

#include <stdint.h>

enum { RIAD_FUSE_STATX = 52, RIAD_FUSE_COPY_FILE_RANGE_64 = 53 };

enum { RIAD_FUSE_NOTIFY_INC_EPOCH = 8 }; /* since Linux 6.16, without a body */

struct riad_fuse_statx_in {
    uint32_t getattr_flags;
    uint32_t reserved;
    uint64_t fh;
    uint32_t sx_flags;
    uint32_t sx_mask;
};

struct riad_fuse_sx_time {
    int64_t tv_sec;
    uint32_t tv_nsec;
    int32_t reserved;
};

struct riad_fuse_statx {
    uint32_t mask;
    uint32_t blksize;
    uint64_t attributes;
    uint32_t nlink;
    uint32_t uid;
    uint32_t gid;
    uint16_t mode;
    uint16_t spare0;
    uint64_t ino;
    uint64_t size;
    uint64_t blocks;
    uint64_t attributes_mask;
    struct riad_fuse_sx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor;
    uint32_t dev_major, dev_minor;
    uint64_t spare2[14];
};

struct riad_fuse_statx_out {
    uint64_t attr_valid; /* seconds */
    uint32_t attr_valid_nsec;
    uint32_t flags;
    uint64_t spare[2];
    struct riad_fuse_statx stat;
};

struct riad_fuse_copy_file_range_out {
    uint64_t bytes_copied;
};

#endif
