/* All that people see of a workspace, as a text: to tell whether two are the same. For tests only.
 */
#ifndef RIAD_TESTS_CORE_PICTURE_H
#define RIAD_TESTS_CORE_PICTURE_H

#include "riad/digest.h"

#include "operations.h"

enum { PICTURE_ENTRIES = 64, PICTURE_BYTES = 1 << 20 };

struct picture_entry {
    char name[256];
    struct riad_inode row;
};

struct picture_list {
    struct picture_entry items[PICTURE_ENTRIES];
    size_t count;
};

static inline int picture_add(
        void *context, const struct riad_dentry *dentry, const struct riad_inode *row)
{
    struct picture_list *list = context;

    assert_true(list->count < PICTURE_ENTRIES);
    snprintf(list->items[list->count].name, 256, "%s", dentry->name);
    list->items[list->count++].row = *row;
    return 0;
}

static inline int picture_compare(const void *a, const void *b)
{
    const struct picture_entry *left = a, *right = b;

    return strcmp(left->name, right->name);
}

/* Of a file: a word of its hash. A negative error. */
static inline int64_t picture_contents(
        struct riad_workspace *workspace, const struct riad_inode *row, FILE *text)
{
    uint32_t size = row->size < PICTURE_BYTES ? (uint32_t)row->size : PICTURE_BYTES;
    uint8_t *data = malloc(size + 1);
    struct riad_piece piece = { data, 0 };
    struct riad_hash hash;
    uint32_t done = 0;
    int r = riad_read(workspace, row->inode, 0, size, data, &done);

    piece.size = done;
    if (r == 0) {
        r = riad_sha256(&piece, 1, &hash);
    }
    if (r == 0 && done == row->size) {
        fprintf(text, " %02x%02x%02x%02x", hash.bytes[0], hash.bytes[1], hash.bytes[2],
                hash.bytes[3]);
    } else {
        fprintf(text, " unreadable: %s, %u bytes", strerror(-r), done);
    }
    free(data);
    return r;
}

static inline void picture_attributes(
        struct riad_workspace *workspace, const struct riad_inode *row, FILE *text)
{
    char *names = NULL;
    size_t size = 0;

    assert_int_equal(riad_listxattr(workspace, row->inode, &names, &size), 0);
    for (size_t at = 0; at < size; at += strlen(names + at) + 1) {
        uint8_t *value = NULL;
        size_t length = 0;

        assert_int_equal(riad_getxattr(workspace, row->inode, names + at, &value, &length), 0);
        fprintf(text, " %s=%.*s", names + at, (int)length, (char *)value);
        free(value);
    }
    free(names);
}

static bool picture_times = true; /* whether they are in it */

static inline void picture_directory(
        struct riad_workspace *workspace, uint64_t inode, const char *path, FILE *text)
{
    struct picture_list *list = calloc(1, sizeof *list);

    assert_int_equal(riad_readdir(workspace, inode, 0, picture_add, list), 0);
    qsort(list->items, list->count, sizeof *list->items, picture_compare);
    for (size_t i = 0; i < list->count; i++) {
        const struct riad_inode *row = &list->items[i].row;
        char *below = NULL;

        assert_true(asprintf(&below, "%s/%s", path, list->items[i].name) > 0);
        fprintf(text, "%s inode %llu mode %o links %u size %llu blocks %llu", below,
                (unsigned long long)row->inode, row->mode, row->nlink,
                (unsigned long long)row->size, (unsigned long long)row->blocks);
        if (picture_times) {
            fprintf(text, " mtime %lld.%09ld", (long long)row->mtime.tv_sec, row->mtime.tv_nsec);
        }
        if (S_ISREG(row->mode)) {
            picture_contents(workspace, row, text);
        }
        picture_attributes(workspace, row, text);
        fputc('\n', text);
        if (S_ISDIR(row->mode)) {
            picture_directory(workspace, row->inode, below, text);
        }
        free(below);
    }
    free(list);
}

/* Heap. */
static inline char *picture_of(struct riad_workspace *workspace)
{
    char *bytes = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&bytes, &size);

    assert_non_null(text);
    picture_directory(workspace, RIAD_ROOT_INODE, "", text);
    fclose(text);
    return bytes;
}

#endif
