/* Paths in what fsck tells. */
#include <stdio.h>

#include "riad/text.h"

#include "fsck_priv.h"

enum { DEPTH_MAX = 4096, CUT = 8 };

/* Puts "/name" in front of the text that begins at *begin. Room for what does not fit is made by
 * leaving out the front. */
static bool prepend(
        char text[static RIAD_FSCK_PATH], size_t *begin, const struct riad_dentry *entry)
{
    char name[4 * RIAD_NAME_MAX + 2] = "/";
    size_t size;

    riad_text_append(name, sizeof name, entry->name, entry->name_size);
    size = strlen(name);
    if (size + CUT > *begin) {
        *begin -= 3;
        memcpy(text + *begin, "...", 3);
        return false;
    }
    *begin -= size;
    memcpy(text + *begin, name, size);
    return true;
}

/* The entry in its parent, in what its row says is its home. */
static int climb(struct riad_index *index, uint64_t inode, struct riad_dentry *ret)
{
    struct riad_inode row;
    int r = riad_index_get_inode(index, inode, &row);

    return r < 0 ? r : riad_index_dentry_of(index, row.parent, inode, ret);
}

static void show(struct riad_index *index, const struct riad_dentry *last, uint64_t inode,
        char ret[static RIAD_FSCK_PATH])
{
    char text[RIAD_FSCK_PATH];
    size_t begin = sizeof text - 1;
    struct riad_dentry entry = { .parent = inode };
    bool more = !last || prepend(text, &begin, last);
    int r = 0;

    text[sizeof text - 1] = '\0';
    for (int i = 0; more && r == 0 && i < DEPTH_MAX && entry.parent != RIAD_ROOT_INODE; i++) {
        r = climb(index, entry.parent, &entry);
        more = r == 0 && prepend(text, &begin, &entry);
    }
    if (entry.parent == RIAD_ROOT_INODE || !more) {
        snprintf(ret, RIAD_FSCK_PATH, "%s", begin < sizeof text - 1 ? text + begin : "/");
    }
    if (r < 0) {
        snprintf(ret, RIAD_FSCK_PATH, "inode %llu%.*s", (unsigned long long)entry.parent,
                (int)(RIAD_FSCK_PATH - 64), text + begin);
    }
}

void riad_fsck_path(struct riad_index *index, uint64_t inode, char ret[static RIAD_FSCK_PATH])
{
    ret[0] = '\0';
    show(index, NULL, inode, ret);
}

void riad_fsck_entry_path(
        struct riad_index *index, const struct riad_dentry *entry, char ret[static RIAD_FSCK_PATH])
{
    ret[0] = '\0';
    show(index, entry, entry->parent, ret);
}
