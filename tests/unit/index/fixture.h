/* An index on real files with real keys, and short ways to make rows and apply changes. */
#ifndef RIAD_TESTS_INDEX_FIXTURE_H
#define RIAD_TESTS_INDEX_FIXTURE_H

#include <dirent.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "riad/digest.h"
#include "riad/error.h"
#include "riad/index.h"
#include "riad/keys.h"

#include "temporary.h"
#include "unit.h"

enum { FIRST_SEGMENT = 1, UNIT = 4096, UNIT_SHIFT = 12 };

struct fixture {
    struct temporary directory;
    struct riad_secret *root;
    struct riad_id workspace;
    struct riad_keys *keys;
    struct riad_index *index;
    struct riad_change change;
    struct riad_end end; /* of the last change that was tried */
    char database[PATH_MAX];
};

static inline void fixture_open(struct fixture *f)
{
    assert_int_equal(riad_index_open(f->directory.path, f->keys, &f->index), 0);
}

static inline void fixture_close(struct fixture *f)
{
    riad_index_close(f->index);
    f->index = NULL;
}

static inline int fixture_set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    assert_int_equal(temporary_make(&f->directory), 0);
    snprintf(f->database, sizeof f->database, "%s/index.db", f->directory.path);
    assert_int_equal(riad_secret_new_random(32, &f->root), 0);
    memset(&f->workspace, 7, sizeof f->workspace);
    assert_int_equal(riad_keys_new(&f->workspace, 1, f->root, &f->keys), 0);
    f->end.segment = (uint64_t)1 << 32 | FIRST_SEGMENT;
    f->end.sequence.term = 1;
    fixture_open(f);
    *state = f;
    return 0;
}

static inline int fixture_tear_down(void **state)
{
    struct fixture *f = *state;
    int r;

    riad_index_close(f->index);
    riad_change_done(&f->change);
    riad_keys_free(f->keys);
    riad_secret_free(f->root);
    r = temporary_remove(&f->directory);
    free(f);
    return r;
}

static inline struct riad_change *fixture_begin(struct fixture *f)
{
    riad_change_begin(&f->change, (struct timespec){ 1700000000, 5 }, 0);
    return &f->change;
}

/* Through content and parse, as replay does it. */
static inline int fixture_try(struct fixture *f)
{
    _cleanup_(riad_writer_done) struct riad_writer content = { 0 };
    struct riad_reader operations;
    struct timespec time;
    uint64_t request;
    uint32_t count;

    riad_writer_init_growing(&content, 256, RIAD_CHANGE_BODY_MAX);
    assert_int_equal(riad_change_content(&f->change, &content), 0);
    assert_int_equal(
            riad_change_parse(content.data, content.size, &time, &request, &count, &operations), 0);
    assert_int_equal(count, f->change.count);
    f->end.offset += 100;
    f->end.sequence.number++;
    memset(f->end.chain.bytes, (int)f->end.sequence.number, sizeof f->end.chain.bytes);
    return riad_index_apply(f->index, &operations, &f->end, f->end.offset - 100);
}

static inline void fixture_apply(struct fixture *f)
{
    assert_int_equal(fixture_try(f), 0);
}

static inline void fixture_commit(struct fixture *f)
{
    assert_int_equal(riad_index_commit(f->index), 0);
}

/* A row that FORMAT allows, its values made of the number. */
static inline struct riad_inode make_inode(uint64_t inode, uint32_t mode)
{
    return (struct riad_inode){
        .inode = inode,
        .generation = 1,
        .mode = mode,
        .nlink = S_ISDIR(mode) ? 2 : 1,
        .uid = 1000 + (uint32_t)inode,
        .gid = 4000000000U,
        .size = inode * 11,
        .blocks = S_ISDIR(mode) || S_ISLNK(mode) ? 1 : 0,
        .atime = { -5, 999999999 },
        .mtime = { (time_t)inode, 0 },
        .ctime = { INT64_MAX, 1 },
        .btime = { INT64_MIN, 2 },
        .parent = RIAD_ROOT_INODE,
        .next_cookie = S_ISDIR(mode) ? RIAD_FIRST_COOKIE : 0,
        .version = UINT64_MAX,
        .birth = 12 + inode,
        .truncate_mark = RIAD_NO_TRUNCATE_MARK,
    };
}

static inline struct riad_dentry make_dentry(
        uint64_t parent, uint64_t cookie, uint64_t inode, uint8_t type, const char *name)
{
    struct riad_dentry row = { parent, cookie, inode, type, (uint16_t)strlen(name), "" };

    assert_true(strlen(name) <= RIAD_NAME_MAX);
    memcpy(row.name, name, strlen(name) + 1);
    return row;
}

/* A whole run of 4 KiB records. */
static inline struct riad_extent make_extent(
        uint64_t inode, uint64_t offset, uint32_t length, uint64_t segment, uint64_t position)
{
    struct riad_extent row = {
        .inode = inode,
        .offset = offset,
        .length = length,
        .kind = RIAD_EXTENT_DATA,
        .unit_shift = UNIT_SHIFT,
        .segment = segment,
        .position = position,
        .run_length = length,
        .born = { inode, 1, offset },
        .birth = 3,
        .tag_count = (uint16_t)((length + UNIT - 1) / UNIT),
    };

    assert_true(length <= UNIT * RIAD_RUN_RECORDS_MAX);
    memset(row.tags, (int)offset | 1, (size_t)row.tag_count * RIAD_TAG_SIZE);
    return row;
}

static inline struct riad_extent make_unwritten(uint64_t inode, uint64_t offset, uint64_t length)
{
    return (struct riad_extent){
        .inode = inode,
        .offset = offset,
        .length = length,
        .kind = RIAD_EXTENT_UNWRITTEN,
        .birth = 9,
    };
}

static inline void assert_inode_equal(const struct riad_inode *a, const struct riad_inode *b)
{
    uint8_t left[RIAD_INODE_ROW_SIZE];
    uint8_t right[RIAD_INODE_ROW_SIZE];
    struct riad_writer out;

    riad_writer_init_fixed(&out, left, sizeof left);
    riad_inode_encode(a, &out);
    assert_int_equal(out.error, 0);
    riad_writer_init_fixed(&out, right, sizeof right);
    riad_inode_encode(b, &out);
    assert_int_equal(out.error, 0);
    assert_memory_equal(left, right, sizeof left);
}

static inline void assert_extent_equal(const struct riad_extent *a, const struct riad_extent *b)
{
    uint8_t left[2048];
    uint8_t right[2048];
    struct riad_writer one;
    struct riad_writer other;

    riad_writer_init_fixed(&one, left, sizeof left);
    riad_extent_encode(a, &one);
    riad_writer_init_fixed(&other, right, sizeof right);
    riad_extent_encode(b, &other);
    assert_int_equal(one.error | other.error, 0);
    assert_int_equal(one.size, other.size);
    assert_memory_equal(left, right, one.size);
}

static inline void assert_inode_is(struct fixture *f, const struct riad_inode *expected)
{
    struct riad_inode row;

    assert_int_equal(riad_index_get_inode(f->index, expected->inode, &row), 0);
    assert_inode_equal(&row, expected);
}

static inline void assert_usage(struct fixture *f, uint64_t inodes, uint64_t blocks)
{
    struct riad_usage usage;

    riad_index_usage(f->index, &usage);
    assert_int_equal(usage.inodes, inodes);
    assert_int_equal(usage.blocks, blocks);
}

/* Extents gathered by riad_index_extents. */
struct extent_list {
    struct riad_extent rows[64];
    size_t count;
    size_t stop; /* after so many; 0: never */
};

static inline int gather_extent(void *context, const struct riad_extent *extent)
{
    struct extent_list *list = context;

    assert_true(list->count < sizeof list->rows / sizeof list->rows[0]);
    list->rows[list->count++] = *extent;
    return list->count == list->stop;
}

static inline size_t count_extents(struct fixture *f, uint64_t inode)
{
    uint64_t count = 0;

    assert_int_equal(
            riad_index_count_extents(f->index, inode, 0, UINT64_MAX, UINT64_MAX, &count), 0);
    return count;
}

/* The root directory, applied. */
static inline void fixture_plant_root(struct fixture *f)
{
    struct riad_inode root = make_inode(RIAD_ROOT_INODE, S_IFDIR | 0755);

    riad_change_put_inode(fixture_begin(f), &root);
    fixture_apply(f);
}

/* Runs SQL behind the index's back; the index must be closed. */
static inline void fixture_tamper(struct fixture *f, const char *text)
{
    sqlite3 *database;
    char *message = NULL;

    assert_null(f->index);
    assert_int_equal(sqlite3_open(f->database, &database), SQLITE_OK);
    if (sqlite3_exec(database, text, NULL, NULL, &message) != SQLITE_OK) {
        fail_msg("%s: %s", text, message);
    }
    assert_int_equal(sqlite3_close(database), SQLITE_OK);
}

#endif
