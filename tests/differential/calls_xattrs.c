/* Extended attributes and access control lists. */
#include <errno.h>
#include <fcntl.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "calls.h"

#define LONG_SUFFIX                                                                                \
    "01234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901" \
    "23456789"

const char *const xattr_names[16] = { "user.a", "user.a", "user.a", "user.a", "user.b", "user.b",
    "user.A.long.name.with \xff", "trusted.a", "trusted.b", "security.a", "security.b", "user.",
    "user", "nowhere.a", "user." LONG_SUFFIX LONG_SUFFIX LONG_SUFFIX, "system.nothing" };

static const char *name_of(int64_t argument)
{
    return xattr_names[argument & 15];
}

static int64_t told(struct side *side, int64_t r, int64_t size, struct outcome *ret)
{
    ret->value[0] = r > 0 && size > 0 ? side_hash(side->data, (size_t)r) : 0;
    return r;
}

int64_t call_setxattr(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)ret;
    side_fill(side->data, (size_t)argument[2], (uint64_t)argument[3]);
    return (argument[5] ? lsetxattr : setxattr)(path_text(argument[0], buffer),
            name_of(argument[1]), side->data, (size_t)argument[2], (int)argument[4]);
}

int64_t call_fsetxattr(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)ret;
    side_fill(side->data, (size_t)argument[2], (uint64_t)argument[3]);
    return fsetxattr(side->slot[argument[0]], name_of(argument[1]), side->data, (size_t)argument[2],
            (int)argument[4]);
}

int64_t call_getxattr(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];
    int64_t r = (argument[3] ? lgetxattr : getxattr)(
            path_text(argument[0], buffer), name_of(argument[1]), side->data, (size_t)argument[2]);

    return told(side, r, argument[2], ret);
}

int64_t call_fgetxattr(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int64_t r = fgetxattr(
            side->slot[argument[0]], name_of(argument[1]), side->data, (size_t)argument[2]);

    return told(side, r, argument[2], ret);
}

/* The order of names is the file system's own affair. */
static int64_t told_list(struct side *side, int64_t r, int64_t size, struct outcome *ret)
{
    const char *names = (const char *)side->data;

    for (int64_t at = 0; size > 0 && at < r; at += (int64_t)strlen(names + at) + 1) {
        ret->value[0] += side_hash(names + at, strlen(names + at));
    }
    return r;
}

int64_t call_listxattr(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];
    int64_t r = (argument[2] ? llistxattr : listxattr)(
            path_text(argument[0], buffer), (char *)side->data, (size_t)argument[1]);

    return told_list(side, r, argument[1], ret);
}

int64_t call_flistxattr(struct side *side, const int64_t *argument, struct outcome *ret)
{
    int64_t r = flistxattr(side->slot[argument[0]], (char *)side->data, (size_t)argument[1]);

    return told_list(side, r, argument[1], ret);
}

int64_t call_removexattr(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)side;
    (void)ret;
    return (argument[2] ? lremovexattr : removexattr)(
            path_text(argument[0], buffer), name_of(argument[1]));
}

int64_t call_fremovexattr(struct side *side, const int64_t *argument, struct outcome *ret)
{
    (void)ret;
    return fremovexattr(side->slot[argument[0]], name_of(argument[1]));
}

/* Some are no valid lists; the one without entries takes the list away. */
static size_t make_acl(int64_t choice, uint8_t *ret)
{
    enum { U = ACL_USER_OBJ, G = ACL_GROUP_OBJ, O = ACL_OTHER, M = ACL_MASK };
    static const struct posix_acl_xattr_entry lists[][6] = {
        { { U, 7, -1 }, { G, 5, -1 }, { O, 5, -1 } },
        { { U, 6, -1 }, { ACL_USER, 7, 1001 }, { G, 4, -1 }, { M, 7, -1 }, { O, 0, -1 } },
        { { U, 7, -1 }, { G, 5, -1 }, { ACL_GROUP, 7, 1002 }, { M, 5, -1 }, { O, 1, -1 } },
        { { U, 7, -1 }, { ACL_USER, 0, 1001 }, { ACL_USER, 6, 1003 }, { G, 7, -1 }, { M, 3, -1 },
                { O, 7, -1 } },
        { { U, 7, -1 }, { ACL_USER, 7, 1001 }, { G, 5, -1 }, { O, 5, -1 } },
        { { U, 7, -1 }, { ACL_USER, 7, 1003 }, { ACL_USER, 7, 1001 }, { G, 5, -1 }, { M, 5, -1 },
                { O, 5, -1 } },
        { { U, 8, -1 }, { G, 5, -1 }, { O, 5, -1 } },
        { { 0 } },
    };
    const struct posix_acl_xattr_entry *list = lists[(uint64_t)choice % 8];
    struct posix_acl_xattr_header header = { POSIX_ACL_XATTR_VERSION };
    size_t count = 0;

    while (count < 6 && list[count].e_tag != 0) {
        count++;
    }
    memcpy(ret, &header, sizeof header);
    memcpy(ret + sizeof header, list, count * sizeof *list);
    return sizeof header + count * sizeof *list;
}

static const char *acl_name(int64_t is_default)
{
    return is_default ? "system.posix_acl_default" : "system.posix_acl_access";
}

int64_t call_set_acl(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];
    size_t size = make_acl(argument[2], side->data);

    (void)ret;
    return setxattr(path_text(argument[0], buffer), acl_name(argument[1]), side->data, size, 0);
}

int64_t call_get_acl(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];
    int64_t r = getxattr(
            path_text(argument[0], buffer), acl_name(argument[1]), side->data, (size_t)argument[2]);

    return told(side, r, argument[2], ret);
}

int64_t call_remove_acl(struct side *side, const int64_t *argument, struct outcome *ret)
{
    char buffer[PATH_BYTES];

    (void)side;
    (void)ret;
    return removexattr(path_text(argument[0], buffer), acl_name(argument[1]));
}
