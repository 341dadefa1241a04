/* Which directories hold most of what a limit counts: by inode number, as events tell no names. */
#include <stdio.h>

#include "lifecycle_priv.h"

enum {
    SHOWN = 3,
    LOOKED_MAX = 512, /* directories that are looked at in all: some microseconds each */
    FOLDED_MAX = 512, /* and that what was just written is handed up to */
};

struct holding {
    uint64_t inode;
    uint64_t count; /* of the resource */
};

struct search {
    struct riad_index *index;
    enum riad_resource resource;
    unsigned looked;
};

static int count(struct search *search, uint64_t inode, struct holding *ret)
{
    struct riad_tree_usage usage;
    int r = riad_index_tree_usage(search->index, inode, &usage);

    if (r < 0) {
        return r;
    }
    search->looked++;
    *ret = (struct holding){ inode,
        search->resource == RIAD_RESOURCE_BLOCKS ? usage.blocks : usage.inodes };
    return 0;
}

static void place(struct holding largest[static SHOWN], struct holding found)
{
    for (int i = 0; i < SHOWN; i++) {
        if (found.count > largest[i].count) {
            struct holding smaller = largest[i];

            largest[i] = found;
            found = smaller;
        }
    }
}

/* The largest that lie in parent, or, where there are too many, of the first of them. */
static int list_largest(struct search *search, uint64_t parent, struct holding ret[static SHOWN])
{
    struct riad_dentry entry = { 0 };
    int r = 0;

    for (int i = 0; i < SHOWN; i++) {
        ret[i] = (struct holding){ 0 };
    }
    while (r == 0 && search->looked < LOOKED_MAX) {
        struct holding found;

        r = riad_index_next_directory(search->index, parent, entry.cookie, &entry);
        r = r < 0 ? r : count(search, entry.inode, &found);
        if (r == 0) {
            place(ret, found);
        }
    }
    return r == -ENODATA ? 0 : r;
}

/* Begins at the root, and goes down as long as one directory holds nearly all: what lies in that
 * one tells more. */
static int find(struct search *search, struct holding ret[static SHOWN])
{
    struct holding all = { 0 }, below[SHOWN];
    bool more;
    int r = riad_index_fold(search->index, FOLDED_MAX, &more);

    r = r < 0 ? r : count(search, RIAD_ROOT_INODE, &all);
    while (r == 0 && search->looked < LOOKED_MAX) {
        r = list_largest(search, all.inode, below);
        if (r < 0 || below[0].inode == 0) {
            break;
        }
        for (int i = 0; i < SHOWN; i++) {
            ret[i] = below[i];
        }
        if (below[0].count < all.count / 4 * 3) {
            break;
        }
        all = below[0];
    }
    return r;
}

void riad_limits_show_largest(struct riad_workspace *workspace, enum riad_resource resource,
        char ret[static RIAD_LARGEST_TEXT])
{
    struct search search = { .index = workspace->index, .resource = resource };
    struct holding largest[SHOWN] = { 0 };
    int r = find(&search, largest), size = 0;

    ret[0] = '\0';
    for (int i = 0; r == 0 && i < SHOWN && largest[i].inode > 0; i++) {
        size += snprintf(ret + size, RIAD_LARGEST_TEXT - (size_t)size, "%s%llu",
                i == 0 ? "; largest directories: inodes " : ", ",
                (unsigned long long)largest[i].inode);
    }
}
