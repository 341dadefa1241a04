#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim.h"

#define BUCKETS (1 << 16)

struct inode {
    struct inode *next; /* of the bucket; guarded by lock, as references */
    dev_t device;
    ino_t number;
    uint64_t references; /* of the kernel */
    int fd;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct inode *buckets[BUCKETS];
static struct inode root = { .references = 2 };

static struct inode **bucket_of(dev_t device, ino_t number)
{
    return &buckets[(number * 0x9E3779B97F4A7C15u ^ device) >> 7 & (BUCKETS - 1)];
}

int inodes_open(const char *source)
{
    struct stat st;
    root.fd = open(source, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root.fd < 0 || fstat(root.fd, &st) < 0) {
        return -errno;
    }
    root.device = st.st_dev;
    root.number = st.st_ino;
    return 0;
}

static struct inode *inode_of(fuse_ino_t ino)
{
    return ino == FUSE_ROOT_ID ? &root : (struct inode *)(uintptr_t)ino;
}

int inode_fd(fuse_ino_t ino)
{
    return inode_of(ino)->fd;
}

struct inode_path inode_path(fuse_ino_t ino)
{
    struct inode_path path;
    snprintf(path.text, sizeof path.text, "/proc/self/fd/%d", inode_fd(ino));
    return path;
}

/* Takes fd over. NULL if there is no memory. */
static struct inode *inode_take(int fd, const struct stat *st)
{
    pthread_mutex_lock(&lock);
    struct inode **first = bucket_of(st->st_dev, st->st_ino), *inode = *first;
    while (inode && (inode->number != st->st_ino || inode->device != st->st_dev)) {
        inode = inode->next;
    }
    if (inode) {
        close(fd);
    } else if ((inode = calloc(1, sizeof *inode))) {
        *inode = (struct inode){
            .next = *first, .device = st->st_dev, .number = st->st_ino, .fd = fd
        };
        *first = inode;
    } else {
        close(fd);
    }
    if (inode) {
        inode->references++;
    }
    pthread_mutex_unlock(&lock);
    return inode;
}

int inode_find(fuse_ino_t parent, const char *name, struct fuse_entry_param *entry_ret)
{
    struct stat st;
    int fd = openat(inode_fd(parent), name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return errno;
    }
    if (fstat(fd, &st) < 0) {
        int error = errno;
        close(fd);
        return error;
    }
    struct inode *inode = inode_take(fd, &st);
    if (!inode) {
        return ENOMEM;
    }
    *entry_ret = (struct fuse_entry_param){ .ino = (uintptr_t)inode,
        .attr = st,
        .attr_timeout = VALID_SECONDS,
        .entry_timeout = VALID_SECONDS };
    return 0;
}

void inode_forget(fuse_ino_t ino, uint64_t references)
{
    struct inode *inode = inode_of(ino);
    if (inode == &root || ino == CALLS_INODE) {
        return;
    }
    pthread_mutex_lock(&lock);
    inode->references -= references;
    if (inode->references == 0) {
        struct inode **at = bucket_of(inode->device, inode->number);
        while (*at != inode) {
            at = &(*at)->next;
        }
        *at = inode->next;
        close(inode->fd);
        free(inode);
    }
    pthread_mutex_unlock(&lock);
}
