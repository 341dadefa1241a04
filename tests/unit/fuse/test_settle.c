/* Which requests a synchronous mount makes durable before their reply. */
#include <linux/fuse.h>

#include "settle_priv.h"
#include "unit.h"

static void names_are_settled_by_both(void **state)
{
    static const uint32_t opcodes[] = { FUSE_MKNOD, FUSE_MKDIR, FUSE_SYMLINK, FUSE_LINK,
        FUSE_UNLINK, FUSE_RMDIR, FUSE_RENAME, FUSE_RENAME2 };

    (void)state;
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        assert_true(riad_settle_is_due(true, false, opcodes[i]));
        assert_true(riad_settle_is_due(false, true, opcodes[i]));
        assert_false(riad_settle_is_due(false, false, opcodes[i]));
    }
}

static void inodes_are_settled_by_sync(void **state)
{
    static const uint32_t opcodes[] = { FUSE_SETATTR, FUSE_SETXATTR, FUSE_REMOVEXATTR,
        FUSE_FALLOCATE, FUSE_COPY_FILE_RANGE };

    (void)state;
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        assert_true(riad_settle_is_due(true, false, opcodes[i]));
        assert_false(riad_settle_is_due(false, true, opcodes[i]));
    }
}

/* The kernel follows a synchronous WRITE with FSYNC itself. */
static void the_rest_waits_for_nothing(void **state)
{
    static const uint32_t opcodes[] = { FUSE_WRITE, FUSE_READ, FUSE_LOOKUP, FUSE_GETATTR,
        FUSE_FSYNC, FUSE_FORGET, FUSE_INIT, 4096 };

    (void)state;
    for (size_t i = 0; i < sizeof opcodes / sizeof opcodes[0]; i++) {
        assert_false(riad_settle_is_due(true, true, opcodes[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_settled_by_both),
        cmocka_unit_test(inodes_are_settled_by_sync),
        cmocka_unit_test(the_rest_waits_for_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
