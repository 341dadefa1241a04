/* Layer index. Row images (FORMAT 6): the values that changes carry, SQLite holds and core decides
 * on. Plain structs and their codecs. */
#ifndef RIAD_ROW_H
#define RIAD_ROW_H

#include "riad/bytes.h"
#include "riad/segments.h"

enum {
    RIAD_ROOT_INODE = 1,
    RIAD_FIRST_COOKIE = 3, /* 1 and 2 stand for "." and ".." */
    RIAD_NAME_MAX = 255,
    RIAD_SYMLINK_MAX = 4095,
    RIAD_XATTR_VALUE_MAX = 65536,
    RIAD_INODE_ROW_SIZE = 152,
    RIAD_BLOCK_SIZE = 4096,
};
/* riad_inode.flags: what ioctl_iflags(2) describes. A reader must know of them
 * (RIAD_FEATURE_INODE_FLAGS). */
enum {
    RIAD_INODE_IMMUTABLE = 1 << 0,
    RIAD_INODE_APPEND = 1 << 1,
    RIAD_INODE_NODUMP = 1 << 2,
    RIAD_INODE_NOATIME = 1 << 3,
    RIAD_INODE_FLAGS_KNOWN =
            RIAD_INODE_IMMUTABLE | RIAD_INODE_APPEND | RIAD_INODE_NODUMP | RIAD_INODE_NOATIME,
};
#define RIAD_FILE_SIZE_MAX ((uint64_t)1 << 62)
#define RIAD_NO_TRUNCATE_MARK UINT64_MAX

struct riad_inode {
    uint64_t inode;
    uint32_t generation;
    uint32_t mode;
    uint32_t nlink;
    uint32_t uid;
    uint32_t gid;
    uint32_t flags; /* RIAD_INODE_IMMUTABLE ... */
    uint64_t rdev;
    uint64_t size;
    uint64_t blocks; /* charged, of RIAD_BLOCK_SIZE */
    struct timespec atime, mtime, ctime, btime;
    uint64_t parent;
    uint64_t next_cookie;
    uint64_t version;
    uint64_t birth;
    uint64_t truncate_mark;
    uint32_t xattr_bytes;
};

struct riad_dentry {
    uint64_t parent;
    uint64_t cookie;
    uint64_t inode;
    uint8_t type; /* DT_* */
    uint16_t name_size;
    char name[RIAD_NAME_MAX + 1]; /* zero-terminated for convenience */
};

enum riad_extent_kind { RIAD_EXTENT_DATA = 1, RIAD_EXTENT_UNWRITTEN };

struct riad_extent {
    uint64_t inode;
    uint64_t offset;
    uint64_t length;
    enum riad_extent_kind kind;
    uint8_t unit_shift; /* 12..16; 0 for unwritten */
    uint32_t skip;
    uint64_t segment;
    uint64_t position;
    uint32_t run_length;
    struct riad_birth born; /* identity of the run's first record */
    uint64_t birth;         /* change number */
    uint16_t tag_count;
    uint8_t tags[RIAD_RUN_RECORDS_MAX * RIAD_TAG_SIZE];
};

/* Whom a limit is on. */
enum riad_subject { RIAD_SUBJECT_WORKSPACE = 1, RIAD_SUBJECT_USER, RIAD_SUBJECT_GROUP };
/* And on what. */
enum riad_resource { RIAD_RESOURCE_BLOCKS = 1, RIAD_RESOURCE_INODES };

/* Since when a subject's usage of a resource is above its soft limit. */
struct riad_clock {
    enum riad_subject subject;
    uint32_t id; /* uid or gid; 0 of the workspace */
    enum riad_resource resource;
    uint64_t since; /* seconds since 1970; 0: it is not above it */
};

/* The records behind a data extent; tags borrow from it. */
static inline struct riad_run riad_extent_run(const struct riad_extent *extent)
{
    return (struct riad_run){
        .segment = extent->segment,
        .position = extent->position,
        .unit = 1U << extent->unit_shift,
        .length = extent->run_length,
        .birth = extent->born,
        .tags = extent->tags,
        .count = extent->tag_count,
    };
}

void riad_inode_encode(const struct riad_inode *row, struct riad_writer *out);
/* Each refuses what FORMAT does not allow: -EBADMSG. Trailing bytes are refused. */
int riad_inode_decode(const uint8_t *data, size_t size, struct riad_inode *ret) RIAD_MUST_CHECK;
void riad_extent_encode(const struct riad_extent *row, struct riad_writer *out);
/* Leaves *ret undefined on failure. */
int riad_extent_decode(const uint8_t *data, size_t size, struct riad_extent *ret) RIAD_MUST_CHECK;
/* Blocks charged for xattrs of that many bytes. */
static inline uint64_t riad_xattr_blocks(uint32_t bytes)
{
    return ((uint64_t)bytes + RIAD_BLOCK_SIZE - 1) / RIAD_BLOCK_SIZE;
}

#endif
