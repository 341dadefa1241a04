/* The access lists that inodes have. */
#ifndef RIAD_TESTS_CORE_LISTS_H
#define RIAD_TESTS_CORE_LISTS_H

#include <errno.h>

#include "acl.h"
#include "operations.h"

/* As setfacl writes them; NULL: there is none. */
static inline void assert_list(
        struct bench *bench, uint64_t inode, const char *name, const char *expected)
{
    uint8_t *value = NULL;
    struct riad_acl acl;
    size_t size = 0;
    int r = riad_getxattr(bench->workspace, inode, name, &value, &size);

    if (!expected) {
        assert_int_equal(r, -ENODATA);
        return;
    }
    assert_int_equal(r, 0);
    assert_int_equal(riad_acl_decode(value, size, &acl), 0);
    assert_acl(&acl, expected);
    free(value);
}

#endif
