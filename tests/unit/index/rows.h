/* Rows that several tests plant in an index, read back and list. */
#ifndef RIAD_TESTS_INDEX_ROWS_H
#define RIAD_TESTS_INDEX_ROWS_H

#include "index/fixture.h"

static inline void put(struct fixture *f, const struct riad_inode *row)
{
    riad_change_put_inode(fixture_begin(f), row);
    fixture_apply(f);
}

static inline void assert_missing(struct fixture *f, uint64_t inode)
{
    struct riad_inode row;

    assert_int_equal(riad_index_get_inode(f->index, inode, &row), -ENOENT);
}

static inline void assert_found(struct fixture *f, const struct riad_dentry *expected)
{
    struct riad_dentry row;

    assert_int_equal(riad_index_lookup(
                             f->index, expected->parent, expected->name, expected->name_size, &row),
            0);
    assert_int_equal(row.parent, expected->parent);
    assert_int_equal(row.cookie, expected->cookie);
    assert_int_equal(row.inode, expected->inode);
    assert_int_equal(row.type, expected->type);
    assert_int_equal(row.name_size, expected->name_size);
    assert_string_equal(row.name, expected->name);
}

static inline void assert_not_found(struct fixture *f, uint64_t parent, const char *name)
{
    struct riad_dentry row;

    assert_int_equal(riad_index_lookup(f->index, parent, name, strlen(name), &row), -ENOENT);
}

struct listing {
    uint64_t cookies[16];
    size_t count;
    size_t stop;
    int result;
};

static inline int gather(
        void *context, const struct riad_dentry *dentry, const struct riad_inode *inode)
{
    struct listing *listing = context;

    assert_int_equal(dentry->inode, inode->inode);
    listing->cookies[listing->count++] = dentry->cookie;
    return listing->count == listing->stop ? listing->result : 0;
}

#endif
