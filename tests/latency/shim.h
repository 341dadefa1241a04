#ifndef SHIM_H
#define SHIM_H

/* A directory shown through FUSE, each call of which takes a given time more: README.md says how it
 * stands for NFS. */
#define FUSE_USE_VERSION 312

#include <fuse3/fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define CALLS(X) \
    X(lookup) X(getattr) X(setattr) X(readlink) X(mknod) X(mkdir) X(unlink) X(rmdir) \
    X(symlink) X(rename) X(link) X(open) X(create) X(read) X(write) X(flush) \
    X(release) X(fsync) X(fallocate) X(lseek) X(copy_file_range) X(opendir) X(readdir) X(releasedir) \
    X(fsyncdir) X(statfs) X(setxattr) X(getxattr) X(listxattr) X(removexattr)
/* clang-format on */

enum call {
#define X(name) CALL_##name,
    CALLS(X)
#undef X
            CALL_COUNT
};

/* calls.c: each operation begins with call_begin, which counts it and lets it take its time. */
void call_set_latency(double milliseconds);
void call_begin(enum call call);
/* The file .calls of the root, which no call counts: lines "name number", and "total number". */
#define CALLS_NAME ".calls"
#define CALLS_INODE ((fuse_ino_t)-2)
void calls_entry(fuse_req_t req);
void calls_getattr(fuse_req_t req);
void calls_read(fuse_req_t req, size_t size, off_t offset);

/* inodes.c: what the kernel knows, by device and inode number, so that the names of a file are one
 * inode; each with an O_PATH descriptor. */
struct inode;
int inodes_open(const char *source);
/* The descriptor of an inode; valid as long as the kernel knows it. */
int inode_fd(fuse_ino_t ino);
/* Looks a name up and takes a reference for the kernel; 0 or a positive errno. */
int inode_find(fuse_ino_t parent, const char *name, struct fuse_entry_param *entry_ret);
void inode_forget(fuse_ino_t ino, uint64_t references);
/* A path to an inode, for calls that take no O_PATH descriptor. */
struct inode_path {
    char text[32];
};
struct inode_path inode_path(fuse_ino_t ino);

/* Seconds for which the kernel believes what it was told: those of a file by an NFS client, at
 * least (acregmin). */
#define VALID_SECONDS 3.0

/* names.c, attributes.c, files.c, listing.c: fill in their operations. */
void names_add(struct fuse_lowlevel_ops *ops);
void attributes_add(struct fuse_lowlevel_ops *ops);
void files_add(struct fuse_lowlevel_ops *ops);
void listing_add(struct fuse_lowlevel_ops *ops);

/* Replies with an error: 0, or errno if r is negative. */
void reply_result(fuse_req_t req, int r);

#endif
