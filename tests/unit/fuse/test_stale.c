/* What the kernel is told of pages that riad does not have. */
#include <fcntl.h>
#include <linux/fuse.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "stale_priv.h"
#include "unit.h"

struct told {
    struct fuse_out_header header;
    struct fuse_notify_inval_inode_out body;
};

static void assert_told(int end, uint64_t inode, uint64_t offset, uint64_t length)
{
    struct told told;

    assert_int_equal(read(end, &told, sizeof told), sizeof told);
    assert_int_equal(told.header.len, sizeof told);
    assert_int_equal(told.header.error, FUSE_NOTIFY_INVAL_INODE);
    assert_int_equal(told.header.unique, 0);
    assert_true(told.body.ino == inode);
    assert_true(told.body.off == (int64_t)offset && told.body.len == (int64_t)length);
}

static void pages_are_dropped_in_order(void **state)
{
    struct riad_stale *stale;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(riad_stale_new(ends[1], &stale), 0);
    riad_stale_drop(stale, UINT64_C(5) << 40, 4096, 8192);
    riad_stale_drop(stale, 6, UINT64_C(1) << 40, 1);
    assert_told(ends[0], UINT64_C(5) << 40, 4096, 8192);
    assert_told(ends[0], 6, UINT64_C(1) << 40, 1);
    riad_stale_free(stale);
    riad_stale_free(NULL);
    close(ends[0]);
    close(ends[1]);
}

static void names_are_looked_up_again(void **state)
{
    struct told told;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    riad_stale_names(ends[1]);
    riad_stale_tell(ends[1], 7, RIAD_STALE_ATTRIBUTES, 0);
    assert_int_equal(read(ends[0], &told.header, sizeof told.header), sizeof told.header);
    assert_int_equal(told.header.len, sizeof told.header);
    assert_int_equal(told.header.error, 8);
    assert_int_equal(told.header.unique, 0);
    assert_told(ends[0], 7, UINT64_MAX, 0);
    close(ends[0]);
    close(ends[1]);
}

/* The pipe is full, as the kernel's pages may be locked: whoever drops goes on at once, and what
 * fits is told of before the end. */
static void nobody_waits_for_the_kernel(void **state)
{
    enum { DROPS = 20000 };
    struct riad_stale *stale;
    unsigned told = 0;
    uint64_t last = 0;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
    assert_int_equal(riad_stale_new(ends[1], &stale), 0);
    for (unsigned i = 0; i < DROPS; i++) {
        riad_stale_drop(stale, i + 1, 0, 4096);
    }
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    for (unsigned quiet = 0; quiet < 50;) {
        struct told one;

        if (read(ends[0], &one, sizeof one) == sizeof one) {
            assert_true(one.body.ino > last);
            last = one.body.ino;
            told++;
            quiet = 0;
        } else {
            quiet++;
            usleep(10000);
        }
    }
    assert_in_range(told, 4096, DROPS);
    riad_stale_free(stale);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_dropped_in_order),
        cmocka_unit_test(names_are_looked_up_again),
        cmocka_unit_test(nobody_waits_for_the_kernel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
