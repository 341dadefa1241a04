/* The directories that an event of a limit tells of by inode number (src/core/limits_largest.c), by
 * name: looked up in the mount, so for who can list them, and only while it is mounted. */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "riad/cleanup.h"
#include "riad/tree_ioctl.h"

#include "cli.h"

enum {
    WANTED_MAX = 3,
    LEVELS_MAX = 64, /* that are looked through */
};

struct lookup {
    unsigned long long wanted[WANTED_MAX]; /* inodes; 0: none, or found */
    json_t *names[WANTED_MAX];             /* what was found; NULL */
};

/* How many the event's text tells of. */
static int read_wanted(const char *text, unsigned long long ret[static WANTED_MAX])
{
    static const char before[] = "; largest directories: inodes ";
    const char *at = strstr(text, before);

    return at ? sscanf(at + strlen(before), "%llu, %llu, %llu", &ret[0], &ret[1], &ret[2]) : 0;
}

static void take(
        struct lookup *lookup, unsigned long long inode, const char *above, const char *name)
{
    _cleanup_free_ char *path = NULL;

    for (int i = 0; i < WANTED_MAX; i++) {
        if (lookup->wanted[i] != inode) {
            continue;
        }
        lookup->wanted[i] = 0;
        if (asprintf(&path, "%s%s%s", above, *above ? "/" : "", name) >= 0) {
            lookup->names[i] = json_path(path);
        }
    }
}

/* Looks at the directories that lie in the open one. *ret: the largest, to look in next; its
 * inode is 0 if there is none. */
static void look(struct lookup *lookup, int fd, const char *path, struct riad_tree_entry *ret)
{
    struct riad_tree_entry entry = { 0 };

    *ret = (struct riad_tree_entry){ 0 };
    while (ioctl(fd, RIAD_IOC_TREE_NEXT, &entry) == 0 && entry.sums.inode > 0) {
        entry.name[RIAD_TREE_NAME_SIZE - 1] = '\0';
        take(lookup, entry.sums.inode, path, entry.name);
        if (entry.sums.blocks > ret->sums.blocks) {
            *ret = entry;
        }
    }
}

static bool is_all_found(const struct lookup *lookup)
{
    int i = 0;

    while (i < WANTED_MAX && lookup->wanted[i] == 0) {
        i++;
    }
    return i == WANTED_MAX;
}

/* Down by the largest of each level, as the one who wrote the event went. */
static void descend(struct lookup *lookup, const char *directory)
{
    _cleanup_close_ int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_free_ char *path = strdup("");
    struct statfs st;

    if (fd < 0 || fstatfs(fd, &st) < 0 || st.f_type != FUSE_SUPER_MAGIC) {
        return;
    }
    for (int level = 0; level < LEVELS_MAX && path && fd >= 0 && !is_all_found(lookup); level++) {
        struct riad_tree_entry largest;
        char *below = NULL;
        int next;

        look(lookup, fd, path, &largest);
        next = largest.sums.inode > 0
                       ? openat(fd, largest.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
                       : -1;
        riad_close_fd(&fd);
        fd = next;
        if (asprintf(&below, "%s%s%s", path, *path ? "/" : "", largest.name) < 0) {
            below = NULL;
        }
        free(path);
        path = below;
    }
}

json_t *name_largest(const json_t *mounts, const json_t *event)
{
    struct lookup lookup = { 0 };
    json_t *list = json_array();
    const json_t *mount;
    size_t i;

    if (read_wanted(json_text(event, "text"), lookup.wanted) > 0) {
        json_array_foreach(mounts, i, mount)
        {
            if (strcmp(json_text(mount, "id"), json_text(event, "workspace")) == 0) {
                descend(&lookup, json_text(mount, "directory"));
            }
        }
    }
    for (int n = 0; n < WANTED_MAX; n++) {
        if (lookup.names[n]) {
            json_array_append_new(list, lookup.names[n]);
        }
    }
    return list;
}
