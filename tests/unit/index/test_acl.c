/* Access control lists: the kernel's encoding, what of it is refused, and the ways between lists
 * and modes. */
#include <errno.h>
#include <sys/stat.h>

#include "acl.h"

static int decode(const struct riad_acl *acl)
{
    uint8_t bytes[RIAD_ACL_SIZE_MAX];
    struct riad_acl back;
    size_t size = riad_acl_encode(acl, bytes);

    return riad_acl_decode(bytes, size, &back);
}

static void the_encoding_is_the_kernels(void **state)
{
    static const uint8_t expected[] = { 2, 0, 0, 0, 1, 0, 7, 0, 0xff, 0xff, 0xff, 0xff, 2, 0, 5, 0,
        0x44, 0x33, 0x22, 0x11, 4, 0, 4, 0, 0xff, 0xff, 0xff, 0xff, 16, 0, 5, 0, 0xff, 0xff, 0xff,
        0xff, 32, 0, 0, 0, 0xff, 0xff, 0xff, 0xff };
    struct riad_acl acl = acl_of("u::7 u:287454020:5 g::4 m::5 o::0"), back;
    uint8_t bytes[RIAD_ACL_SIZE_MAX];

    (void)state;
    assert_int_equal(riad_acl_encode(&acl, bytes), sizeof expected);
    assert_memory_equal(bytes, expected, sizeof expected);
    bytes[8] = 17; /* who owns is not said in the list */
    assert_int_equal(riad_acl_decode(bytes, sizeof expected, &back), 0);
    assert_acl(&back, "u::7 u:287454020:5 g::4 m::5 o::0");
}

static void valid_lists_are_taken(void **state)
{
    static const char *const valid[] = { "", "u::7 g::5 o::0", "u::0 g::0 o::0",
        "u::7 g::5 m::7 o::0", "u::7 u:1:7 u:1:0 g::5 g:0:1 g:9:2 m::7 o::5" };

    (void)state;
    for (size_t i = 0; i < sizeof valid / sizeof valid[0]; i++) {
        struct riad_acl acl = acl_of(valid[i]);

        assert_int_equal(decode(&acl), 0);
    }
}

static void others_are_refused(void **state)
{
    static const char *const invalid[] = { "u::7", "u::7 g::5", "g::5 o::0", "u::7 o::5",
        "u::8 g::5 o::0", "u::7 g::5 o::0 m::7", "g::5 u::7 o::0", "u::7 u::7 g::5 o::0",
        "u::7 g::5 g::5 o::0", "u::7 g::5 o::0 o::0", "u::7 g::5 m::1 m::1 o::0",
        "u::7 u:1:7 g::5 o::0", "u::7 g::5 g:1:5 o::0", "u:1:7 u::7 g::5 m::7 o::0",
        "u::7 g:1:5 g::5 m::7 o::0", "u::7 u:4294967295:7 g::5 m::7 o::0",
        "u::7 g::5 g:4294967295:7 m::7 o::0" };
    struct riad_acl acl;

    (void)state;
    for (size_t i = 0; i < sizeof invalid / sizeof invalid[0]; i++) {
        acl = acl_of(invalid[i]);
        if (decode(&acl) != -EINVAL) {
            fail_msg("\"%s\" was not refused", invalid[i]);
        }
    }
    for (uint32_t tag = 0; tag <= UINT16_MAX; tag++) {
        acl = acl_of("u::7 g::5 m::7 o::0");
        acl.entries[2].tag = (uint16_t)tag;
        acl.entries[2].id = 5;
        assert_int_equal(decode(&acl), tag == ACL_MASK ? 0 : -EINVAL);
    }
}

static void sizes_and_versions_are_checked(void **state)
{
    uint8_t bytes[RIAD_ACL_SIZE_MAX + 8];
    struct riad_acl acl = acl_of("u::7 g::5 o::0"), untouched = { .count = 77 };
    size_t size = riad_acl_encode(&acl, bytes);

    (void)state;
    for (size_t i = 0; i < size; i++) {
        int r = riad_acl_decode(bytes, i, &untouched);

        assert_int_equal(r, i == 4 ? 0 : -EINVAL);
        untouched.count = i == 4 ? 77 : untouched.count;
    }
    bytes[0] = 1;
    assert_int_equal(riad_acl_decode(bytes, size, &untouched), -EOPNOTSUPP);
    assert_int_equal(untouched.count, 77);
    memset(bytes, 0, sizeof bytes);
    bytes[0] = 2;
    assert_int_equal(riad_acl_decode(bytes, sizeof bytes, &untouched), -E2BIG);
    assert_int_equal(riad_acl_decode(bytes, RIAD_ACL_SIZE_MAX, &untouched), -EINVAL);
    acl.count = 0;
    for (int i = 0; i < RIAD_ACL_ENTRIES_MAX; i++) {
        acl.entries[acl.count++] = (struct riad_acl_entry){ ACL_USER, 7, (uint32_t)i };
    }
    acl.entries[0] = (struct riad_acl_entry){ ACL_USER_OBJ, 7, NOBODY };
    acl.entries[RIAD_ACL_ENTRIES_MAX - 3] = (struct riad_acl_entry){ ACL_GROUP_OBJ, 7, NOBODY };
    acl.entries[RIAD_ACL_ENTRIES_MAX - 2] = (struct riad_acl_entry){ ACL_MASK, 7, NOBODY };
    acl.entries[RIAD_ACL_ENTRIES_MAX - 1] = (struct riad_acl_entry){ ACL_OTHER, 7, NOBODY };
    assert_int_equal(decode(&acl), 0);
}

static void any_bytes_are_taken_or_refused(void **state)
{
    uint8_t bytes[RIAD_ACL_SIZE_MAX], again[RIAD_ACL_SIZE_MAX];
    struct riad_acl acl, back;
    unsigned taken = 0;

    (void)state;
    srandom(11);
    for (int round = 0; round < 200000; round++) {
        struct riad_acl seed = acl_of("u::7 u:3:5 g::5 g:4:1 m::7 o::0");
        size_t size = riad_acl_encode(&seed, bytes);

        for (long flips = random() % 3; flips >= 0; flips--) {
            bytes[(size_t)random() % size] ^= (uint8_t)(1 << random() % 8);
        }
        if (riad_acl_decode(bytes, size, &acl) == 0) {
            taken++;
            assert_int_equal(riad_acl_encode(&acl, again), size);
            assert_int_equal(riad_acl_decode(again, size, &back), 0);
            assert_memory_equal(&acl.entries, &back.entries, acl.count * sizeof acl.entries[0]);
        }
    }
    assert_in_range(taken, 20000, 199999);
}

static void lists_show_in_modes(void **state)
{
    static const struct {
        const char *acl;
        uint32_t mode;
        bool minimal;
    } cases[] = {
        { "u::6 g::4 o::0", 0640, true },
        { "u::7 g::7 m::1 o::5", 0715, false },
        { "u::1 u:5:7 g::7 m::6 o::2", 0162, false },
        { "u::0 g::0 g:5:7 m::7 o::0", 0070, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct riad_acl acl = acl_of(cases[i].acl);
        uint32_t mode = S_IFREG | 07027;

        assert_int_equal(riad_acl_to_mode(&acl, &mode), cases[i].minimal);
        assert_int_equal(mode, S_IFREG | 07000 | cases[i].mode);
    }
}

static void modes_show_in_lists(void **state)
{
    struct riad_acl acl = acl_of("u::6 g::4 o::0");

    (void)state;
    riad_acl_set_mode(&acl, S_IFREG | 04751);
    assert_acl(&acl, "u::7 g::5 o::1");
    acl = acl_of("u::6 u:5:7 g::4 g:6:7 m::0 o::0");
    riad_acl_set_mode(&acl, 0537);
    assert_acl(&acl, "u::5 u:5:7 g::4 g:6:7 m::3 o::7");
}

static void defaults_are_inherited(void **state)
{
    static const struct {
        const char *by_default;
        uint32_t asked;
        const char *access;
        uint32_t mode;
        bool minimal;
    } cases[] = {
        { "u::7 g::5 o::0", S_IFREG | 0666, "u::6 g::4 o::0", S_IFREG | 0640, true },
        { "u::5 g::7 o::7", S_IFDIR | 02700, "u::5 g::0 o::0", S_IFDIR | 02500, true },
        { "u::7 u:9:7 g::5 m::7 o::5", S_IFREG | 0666, "u::6 u:9:7 g::5 m::6 o::4", S_IFREG | 0664,
                false },
        { "u::7 g::7 m::5 o::0", S_IFREG | 0600, "u::6 g::7 m::0 o::0", S_IFREG | 0600, false },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct riad_acl acl = acl_of(cases[i].by_default);
        uint32_t mode = cases[i].asked;

        assert_int_equal(riad_acl_inherit(&acl, &mode), cases[i].minimal);
        assert_acl(&acl, cases[i].access);
        assert_int_equal(mode, cases[i].mode);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_encoding_is_the_kernels),
        cmocka_unit_test(valid_lists_are_taken),
        cmocka_unit_test(others_are_refused),
        cmocka_unit_test(sizes_and_versions_are_checked),
        cmocka_unit_test(any_bytes_are_taken_or_refused),
        cmocka_unit_test(lists_show_in_modes),
        cmocka_unit_test(modes_show_in_lists),
        cmocka_unit_test(defaults_are_inherited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
