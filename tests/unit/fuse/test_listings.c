/* The layout of the kernel's copies of listings, and who is told to drop one. */
#include <fcntl.h>
#include <linux/fuse.h>
#include <unistd.h>

#include "riad/cleanup.h"

#include "listings_priv.h"
#include "unit.h"

/* 24 bytes and the name, rounded up to 8. */
static void entries_fill_pages(void **state)
{
    const uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
    struct riad_listing_end end = { .known = true };

    (void)state;
    riad_listing_add(&end, 1);
    assert_int_equal(end.used, 32);
    riad_listing_add(&end, 8);
    assert_int_equal(end.used, 64);
    riad_listing_add(&end, 9);
    assert_int_equal(end.used, 104);
    riad_listing_add(&end, 255);
    assert_int_equal(end.used, 104 + 280);
    end.used = page - 32;
    riad_listing_add(&end, 9); /* does not fit: the next page */
    assert_int_equal(end.used, 40);
}

static void a_full_last_page_misleads(void **state)
{
    const uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
    struct riad_listing_end end = { .known = true, .used = page - 32 };

    (void)state;
    assert_false(riad_listing_misleads(end));
    riad_listing_add(&end, 8);
    assert_int_equal(end.used, page);
    assert_true(riad_listing_misleads(end));
    riad_listing_add(&end, 8);
    assert_int_equal(end.used, 32);
    assert_false(riad_listing_misleads(end));
    end.known = false;
    assert_true(riad_listing_misleads(end));
}

static void what_is_noted_is_found(void **state)
{
    struct riad_listings *listings;

    (void)state;
    assert_int_equal(riad_listings_new(-1, &listings), 0);
    assert_true(riad_listings_find(listings, 7, 0).known);
    assert_int_equal(riad_listings_find(listings, 7, 0).used, 0);
    assert_false(riad_listings_find(listings, 7, 5).known);
    riad_listings_note(listings, 7, 5, (struct riad_listing_end){ true, 96 });
    riad_listings_note(listings, 8, 5, (struct riad_listing_end){ true, 40 });
    riad_listings_note(listings, 9, 5, (struct riad_listing_end){ false, 0 });
    assert_true(riad_listings_find(listings, 7, 5).known);
    assert_int_equal(riad_listings_find(listings, 7, 5).used, 96);
    assert_int_equal(riad_listings_find(listings, 8, 5).used, 40);
    assert_false(riad_listings_find(listings, 9, 5).known);
    assert_false(riad_listings_find(listings, 7, 6).known);
    riad_listings_free(listings);
    riad_listings_free(NULL);
}

static void the_kernel_is_told(void **state)
{
    struct {
        struct fuse_out_header header;
        struct fuse_notify_inval_inode_out body;
    } told;
    struct riad_listings *listings;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(riad_listings_new(ends[1], &listings), 0);
    for (uint64_t directory = 1; directory <= 3; directory++) {
        riad_listings_drop(listings, directory << 40);
        assert_int_equal(read(ends[0], &told, sizeof told), sizeof told);
        assert_int_equal(told.header.len, sizeof told);
        assert_int_equal(told.header.error, FUSE_NOTIFY_INVAL_INODE);
        assert_int_equal(told.header.unique, 0);
        assert_true(told.body.ino == directory << 40);
        assert_true(told.body.off == 0 && told.body.len == 0);
    }
    riad_listings_free(listings); /* before the descriptor it writes to */
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_fill_pages),
        cmocka_unit_test(a_full_last_page_misleads),
        cmocka_unit_test(what_is_noted_is_found),
        cmocka_unit_test(the_kernel_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
