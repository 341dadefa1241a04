/* The index: what is applied is read back, and batches are whole. */
#include "index/rows.h"

static void a_new_index_is_empty(void **state)
{
    static const struct riad_end zeros;
    struct fixture *f = *state;
    struct riad_end end;
    uint64_t start;
    struct stat st;

    riad_index_end(f->index, &end, &start);
    assert_memory_equal(&end.chain, &zeros.chain, sizeof zeros.chain);
    assert_int_equal(end.segment | end.offset | end.sequence.number | start, 0);
    assert_usage(f, 0, 0);
    assert_int_equal(riad_index_next_inode(f->index), 1);
    assert_int_equal(riad_index_pending(f->index), 0);
    assert_missing(f, 1);
    assert_int_equal(riad_index_has_entries(f->index, 1), 0);
    assert_int_equal(stat(f->database, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void inodes_are_put_and_removed(void **state)
{
    struct fixture *f = *state;
    struct riad_inode file = make_inode(7, S_IFREG | 0640);
    struct riad_inode directory = make_inode(3, S_IFDIR | 0700);

    file.blocks = 10;
    put(f, &file);
    put(f, &directory);
    assert_inode_is(f, &file);
    assert_inode_is(f, &directory);
    assert_usage(f, 2, 11);
    assert_int_equal(riad_index_next_inode(f->index), 8);
    file.blocks = 4;
    file.truncate_mark = 0;
    put(f, &file);
    assert_inode_is(f, &file);
    assert_usage(f, 2, 5);
    riad_change_remove_inode(fixture_begin(f), 7);
    fixture_apply(f);
    assert_missing(f, 7);
    assert_usage(f, 1, 1);
    assert_int_equal(riad_index_next_inode(f->index), 8);
}

/* More than the cache holds, and two that share its slot. */
static void inodes_beyond_the_cache(void **state)
{
    enum { COUNT = 9000 };
    struct fixture *f = *state;

    for (uint64_t inode = 2; inode < COUNT; inode++) {
        struct riad_inode row = make_inode(inode, S_IFREG);

        put(f, &row);
    }
    for (uint64_t inode = 2; inode < COUNT; inode++) {
        struct riad_inode row = make_inode(inode, S_IFREG);

        assert_inode_is(f, &row);
    }
    fixture_close(f);
    fixture_open(f);
    for (uint64_t inode = COUNT - 1; inode >= 2; inode--) {
        struct riad_inode row = make_inode(inode, S_IFREG);

        assert_inode_is(f, &row);
    }
    assert_usage(f, COUNT - 2, 0);
}

static void dentries(void **state)
{
    struct fixture *f = *state;
    char longest[RIAD_NAME_MAX + 1] = { 0 };
    struct riad_dentry first = make_dentry(1, 3, 5, DT_REG, "lemon");
    struct riad_dentry second;
    struct riad_dentry row;

    memset(longest, 'z', RIAD_NAME_MAX);
    second = make_dentry(1, 4, 6, DT_DIR, longest);
    riad_change_put_dentry(fixture_begin(f), &first);
    riad_change_put_dentry(&f->change, &second);
    fixture_apply(f);
    assert_found(f, &first);
    assert_found(f, &second);
    assert_not_found(f, 2, "lemon");
    assert_not_found(f, 1, "lemo");
    assert_not_found(f, 1, "lemons");
    assert_int_equal(riad_index_has_entries(f->index, 1), 1);
    assert_int_equal(riad_index_has_entries(f->index, 2), 0);
    assert_int_equal(riad_index_dentry_of(f->index, 1, 6, &row), 0);
    assert_string_equal(row.name, longest);
    assert_int_equal(riad_index_dentry_of(f->index, 1, 7, &row), -ENOENT);
    riad_change_remove_dentry(fixture_begin(f), 1, 3);
    fixture_apply(f);
    assert_not_found(f, 1, "lemon");
    assert_found(f, &second);
}

/* A rename over a name within one change, and the same cookie put again. */
static void dentries_are_replaced(void **state)
{
    struct fixture *f = *state;
    struct riad_dentry first = make_dentry(1, 3, 5, DT_REG, "lemon");
    struct riad_dentry second = make_dentry(1, 4, 6, DT_REG, "fig");
    struct riad_dentry moved = make_dentry(1, 5, 5, DT_REG, "fig");

    riad_change_put_dentry(fixture_begin(f), &first);
    riad_change_put_dentry(&f->change, &second);
    fixture_apply(f);
    riad_change_remove_dentry(fixture_begin(f), 1, 3);
    riad_change_remove_dentry(&f->change, 1, 4);
    riad_change_put_dentry(&f->change, &moved);
    fixture_apply(f);
    assert_found(f, &moved);
    assert_not_found(f, 1, "lemon");
    moved.inode = 9;
    riad_change_put_dentry(fixture_begin(f), &moved);
    fixture_apply(f);
    assert_found(f, &moved);
    moved = make_dentry(1, 5, 9, DT_REG, "olive");
    riad_change_put_dentry(fixture_begin(f), &moved);
    fixture_apply(f);
    assert_found(f, &moved);
    assert_not_found(f, 1, "fig");
    moved = make_dentry(1, 5, 12, DT_LNK, "quince"); /* nothing is as it was but the cookie */
    riad_change_put_dentry(fixture_begin(f), &moved);
    fixture_apply(f);
    assert_found(f, &moved);
    assert_not_found(f, 1, "olive");
    assert_int_equal(riad_index_dentry_of(f->index, 1, 9, &second), -ENOENT);
    second = make_dentry(1, 6, 13, DT_REG, "quince"); /* a name is there once */
    riad_change_put_dentry(fixture_begin(f), &second);
    assert_int_equal(fixture_try(f), -EBADMSG);
}

static void xattrs(void **state)
{
    static uint8_t big[RIAD_XATTR_VALUE_MAX];
    struct fixture *f = *state;
    struct riad_inode row = make_inode(5, S_IFREG);
    uint8_t *value;
    char *names;
    size_t size;

    memset(big, 0x5a, sizeof big);
    row.xattr_bytes = 12345; /* anything but 0: there may be some */
    riad_change_put_xattr(fixture_begin(f), 5, "user.zebra", "stripes", 7);
    riad_change_put_xattr(&f->change, 5, "user.ant", "", 0);
    riad_change_put_xattr(&f->change, 5, "user.big", big, sizeof big);
    riad_change_put_xattr(&f->change, 6, "user.other", "x", 1);
    riad_change_put_xattr(&f->change, 5, "user.zebra", "none", 4);
    fixture_apply(f);
    assert_int_equal(riad_index_get_xattr(f->index, &row, "user.zebra", &value, &size), 0);
    assert_int_equal(size, 4);
    assert_string_equal((char *)value, "none");
    free(value);
    assert_int_equal(riad_index_get_xattr(f->index, &row, "user.ant", &value, &size), 0);
    assert_int_equal(size, 0);
    free(value);
    assert_int_equal(riad_index_get_xattr(f->index, &row, "user.big", &value, &size), 0);
    assert_int_equal(size, sizeof big);
    assert_memory_equal(value, big, size);
    free(value);
    assert_int_equal(riad_index_get_xattr(f->index, &row, "user.other", &value, &size), -ENODATA);
    assert_int_equal(riad_index_list_xattrs(f->index, &row, &names, &size), 0);
    assert_int_equal(size, 29);
    assert_memory_equal(names, "user.zebra\0user.ant\0user.big", 29);
    free(names);
    riad_change_remove_xattr(fixture_begin(f), 5, "user.zebra");
    fixture_apply(f);
    assert_int_equal(riad_index_get_xattr(f->index, &row, "user.zebra", &value, &size), -ENODATA);
    riad_change_remove_xattr(fixture_begin(f), 5, "user.zebra");
    assert_int_equal(fixture_try(f), -EBADMSG);
    row.inode = 9;
    assert_int_equal(riad_index_list_xattrs(f->index, &row, &names, &size), 0);
    assert_int_equal(size, 0);
    free(names);
}

static void symlinks_and_what_goes_with_an_inode(void **state)
{
    struct fixture *f = *state;
    char longest[RIAD_SYMLINK_MAX + 1] = { 0 };
    struct riad_inode row = make_inode(5, S_IFLNK | 0777);
    char *target;
    uint8_t *value;
    size_t size;

    memset(longest, '/', RIAD_SYMLINK_MAX);
    row.xattr_bytes = 9;
    riad_change_put_inode(fixture_begin(f), &row);
    riad_change_put_symlink(&f->change, 5, longest);
    riad_change_put_xattr(&f->change, 5, "trusted.a", "", 0);
    fixture_apply(f);
    assert_int_equal(riad_index_get_symlink(f->index, &row, &target), 0);
    assert_string_equal(target, longest);
    free(target);
    riad_change_remove_inode(fixture_begin(f), 5);
    fixture_apply(f);
    assert_int_equal(riad_index_get_symlink(f->index, &row, &target), -ENOENT);
    assert_int_equal(riad_index_get_xattr(f->index, &row, "trusted.a", &value, &size), -ENODATA);
    assert_usage(f, 0, 0);
}

static void directories_are_listed_by_cookie(void **state)
{
    struct fixture *f = *state;
    struct listing all = { 0 };
    struct listing some = { .stop = 2, .result = 1 };
    struct listing failing = { .stop = 1, .result = -EINTR };

    fixture_begin(f);
    for (uint64_t i = 0; i < 5; i++) {
        struct riad_inode row = make_inode(10 + i, S_IFREG);
        char name[8];
        struct riad_dentry dentry;

        snprintf(name, sizeof name, "n%d", (int)i);
        dentry = make_dentry(1, 30 - i, 10 + i, DT_REG, name);
        riad_change_put_inode(&f->change, &row);
        riad_change_put_dentry(&f->change, &dentry);
    }
    fixture_apply(f);
    assert_int_equal(riad_index_list(f->index, 1, 0, gather, &all), 0);
    assert_int_equal(all.count, 5);
    for (size_t i = 0; i < all.count; i++) {
        assert_int_equal(all.cookies[i], 26 + i);
    }
    assert_int_equal(riad_index_list(f->index, 1, 27, gather, &some), 0);
    assert_int_equal(some.count, 2);
    assert_int_equal(some.cookies[0], 28);
    assert_int_equal(riad_index_list(f->index, 1, 0, gather, &failing), -EINTR);
    all.count = 0;
    assert_int_equal(riad_index_list(f->index, 1, 30, gather, &all), 0);
    assert_int_equal(riad_index_list(f->index, 2, 0, gather, &all), 0);
    assert_int_equal(all.count, 0);
}

static void an_entry_without_an_inode_is_damage(void **state)
{
    struct fixture *f = *state;
    struct riad_dentry dentry = make_dentry(1, 3, 5, DT_REG, "lemon");
    struct listing all = { 0 };

    riad_change_put_dentry(fixture_begin(f), &dentry);
    fixture_apply(f);
    assert_int_equal(riad_index_list(f->index, 1, 0, gather, &all), -EUCLEAN);
}

static void orphans_and_marks(void **state)
{
    struct fixture *f = *state;
    uint64_t found[4];
    size_t count;

    for (uint64_t i = 2; i < 8; i++) {
        struct riad_inode row = make_inode(i, S_IFREG);

        row.nlink = i % 2;
        row.truncate_mark = i == 5 ? 4096 : RIAD_NO_TRUNCATE_MARK;
        put(f, &row);
    }
    assert_int_equal(riad_index_orphans(f->index, 0, found, 4, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(found[0], 2);
    assert_int_equal(found[2], 6);
    assert_int_equal(riad_index_orphans(f->index, 2, found, 1, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(found[0], 4);
    assert_int_equal(riad_index_truncate_marks(f->index, 0, found, 4, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(found[0], 5);
    assert_int_equal(riad_index_truncate_marks(f->index, 5, found, 4, &count), 0);
    assert_int_equal(count, 0);
}

static void inodes_with_xattrs(void **state)
{
    struct fixture *f = *state;
    uint64_t found[4] = { 0 };
    size_t count = 77;

    assert_int_equal(riad_index_xattr_inodes(f->index, 0, found, 4, &count), 0);
    assert_int_equal(count, 0);
    for (uint64_t i = 2; i < 9; i++) {
        struct riad_inode row = make_inode(i, S_IFREG);

        put(f, &row);
    }
    for (uint64_t i = 8; i > 2; i -= 2) {
        riad_change_put_xattr(fixture_begin(f), i, "user.a", "x", 1);
        riad_change_put_xattr(&f->change, i, "user.b", "x", 1);
        fixture_apply(f);
    }
    assert_int_equal(riad_index_xattr_inodes(f->index, 0, found, 4, &count), 0);
    assert_int_equal(count, 3);
    assert_int_equal(found[0], 4);
    assert_int_equal(found[1], 6);
    assert_int_equal(found[2], 8);
    assert_int_equal(riad_index_xattr_inodes(f->index, 4, found, 1, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(found[0], 6);
    riad_change_remove_inode(fixture_begin(f), 6);
    fixture_apply(f);
    assert_int_equal(riad_index_xattr_inodes(f->index, 5, found, 4, &count), 0);
    assert_int_equal(count, 1);
    assert_int_equal(found[0], 8);
    assert_int_equal(riad_index_xattr_inodes(f->index, UINT64_MAX, found, 4, &count), 0);
    assert_int_equal(count, 0);
}

static void batches_survive_or_vanish_whole(void **state)
{
    struct fixture *f = *state;
    struct riad_inode kept = make_inode(5, S_IFREG);
    struct riad_inode lost = make_inode(6, S_IFREG);
    struct riad_end end;
    uint64_t start;
    pid_t child;
    int status;

    kept.blocks = 3;
    put(f, &kept);
    fixture_close(f); /* SQLite does not cross fork */
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fixture_open(f);
        put(f, &lost);
        fixture_commit(f);
        kept.blocks = 9;
        put(f, &kept);
        riad_change_remove_inode(fixture_begin(f), 6);
        fixture_apply(f);
        _exit(riad_index_pending(f->index) == 2 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    fixture_open(f);
    assert_inode_is(f, &kept);
    assert_inode_is(f, &lost);
    assert_usage(f, 2, 3);
    riad_index_end(f->index, &end, &start);
    assert_int_equal(end.sequence.number, 2);
    assert_int_equal(end.offset, 200);
    assert_int_equal(start, 100);
    assert_int_equal(end.chain.bytes[31], 2);
    assert_int_equal(riad_index_next_inode(f->index), 7);
}

/* The record of a batch is bounded: it commits by itself, between two changes. */
static void long_batches_commit_themselves(void **state)
{
    static uint8_t value[60000];
    struct fixture *f = *state;
    uint32_t most = 0;

    for (int i = 0; i < 40; i++) {
        riad_change_put_xattr(fixture_begin(f), 5, "user.a", value, sizeof value);
        fixture_apply(f);
        if (riad_index_pending(f->index) > most) {
            most = riad_index_pending(f->index);
        }
    }
    assert_true(most < 25);
    assert_true(riad_index_pending(f->index) > 0);
}

static void wal_checkpoints(void **state)
{
    struct fixture *f = *state;
    struct riad_inode row = make_inode(5, S_IFREG);
    struct stat before;
    struct stat after;

    for (uint64_t i = 0; i < 500; i++) {
        row.inode = 5 + i * 50;
        put(f, &row);
    }
    assert_int_equal(stat(f->database, &before), 0);
    assert_int_equal(riad_index_wal_checkpoint(f->index), 0); /* beside an open batch */
    fixture_commit(f);
    assert_int_equal(riad_index_wal_checkpoint(f->index), 0);
    assert_int_equal(stat(f->database, &after), 0);
    assert_true(after.st_size > before.st_size);
    assert_inode_is(f, &row);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_new_index_is_empty),
        TEST(inodes_are_put_and_removed),
        TEST(inodes_beyond_the_cache),
        TEST(dentries),
        TEST(dentries_are_replaced),
        TEST(xattrs),
        TEST(symlinks_and_what_goes_with_an_inode),
        TEST(directories_are_listed_by_cookie),
        TEST(an_entry_without_an_inode_is_damage),
        TEST(orphans_and_marks),
        TEST(inodes_with_xattrs),
        TEST(batches_survive_or_vanish_whole),
        TEST(long_batches_commit_themselves),
        TEST(wal_checkpoints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
