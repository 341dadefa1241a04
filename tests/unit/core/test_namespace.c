/* Names: what POSIX promises of creating, linking, renaming and removing, and the life of an inode
 * without names. */
#include <dirent.h>
#include <errno.h>

#include "operations.h"

static void a_new_file_has_what_it_was_given(void **state)
{
    struct bench *bench = *state;
    struct riad_inode row, again;

    assert_int_equal(riad_mknod(bench->workspace, &alice, 1, "file", S_IFREG | 04640, 99, &row), 0);
    assert_int_equal(row.mode, S_IFREG | 04640);
    assert_int_equal(row.uid, 1000);
    assert_int_equal(row.gid, 1000);
    assert_int_equal(row.nlink, 1);
    assert_int_equal(row.blocks, 0);
    assert_int_equal(row.rdev, 0); /* only devices have one */
    assert_int_equal(row.version, 1);
    assert_int_equal(riad_lookup(bench->workspace, 1, "file", &again), 0);
    assert_int_equal(again.inode, row.inode);
    assert_int_equal(riad_mknod(bench->workspace, &alice, 1, "file", S_IFREG, 0, &row), -EEXIST);
    assert_int_equal(riad_mkdir(bench->workspace, &alice, 1, "file", 0755, &row), -EEXIST);
    assert_int_equal(
            riad_mknod(bench->workspace, &alice, again.inode, "x", S_IFREG, 0, &row), -ENOTDIR);
    assert_int_equal(riad_mknod(bench->workspace, &alice, 4711, "x", S_IFREG, 0, &row), -ENOENT);
    assert_int_equal(look_up(bench->workspace, again.inode, "x"), -ENOTDIR);
    assert_int_equal(look_up(bench->workspace, 4711, "x"), -ENOENT);
}

static void special_files_and_symlinks(void **state)
{
    struct bench *bench = *state;
    char target[RIAD_SYMLINK_MAX + 2];
    struct riad_inode row;
    char *read = NULL;

    assert_int_equal(
            riad_mknod(bench->workspace, &alice, 1, "null", S_IFCHR | 0666, 0x103, &row), 0);
    assert_int_equal(row.rdev, 0x103);
    assert_int_equal(row.blocks, 0);
    assert_int_equal(riad_mknod(bench->workspace, &alice, 1, "pipe", S_IFIFO | 0600, 0, &row), 0);
    assert_int_equal(
            riad_mknod(bench->workspace, &alice, 1, "bad", S_IFDIR | 0600, 0, &row), -EINVAL);
    assert_int_equal(riad_symlink(bench->workspace, &alice, 1, "link", "../où", &row), 0);
    assert_int_equal(row.size, strlen("../où"));
    assert_int_equal(row.blocks, 1);
    assert_int_equal(riad_readlink(bench->workspace, row.inode, &read), 0);
    assert_string_equal(read, "../où");
    free(read);
    assert_int_equal(riad_readlink(bench->workspace, 1, &read), -EINVAL);
    memset(target, 'a', sizeof target);
    target[RIAD_SYMLINK_MAX + 1] = 0;
    assert_int_equal(
            riad_symlink(bench->workspace, &alice, 1, "long", target, &row), -ENAMETOOLONG);
    target[RIAD_SYMLINK_MAX] = 0;
    assert_int_equal(riad_symlink(bench->workspace, &alice, 1, "long", target, &row), 0);
    assert_int_equal(riad_symlink(bench->workspace, &alice, 1, "empty", "", &row), -ENOENT);
}

static void names_are_checked(void **state)
{
    struct bench *bench = *state;
    char name[RIAD_NAME_MAX + 2];
    struct riad_inode row;

    memset(name, 'n', sizeof name);
    name[RIAD_NAME_MAX + 1] = 0;
    assert_int_equal(riad_mkdir(bench->workspace, &alice, 1, name, 0755, &row), -ENAMETOOLONG);
    assert_int_equal(look_up(bench->workspace, 1, name), -ENAMETOOLONG);
    name[RIAD_NAME_MAX] = 0;
    assert_int_equal(riad_mkdir(bench->workspace, &alice, 1, name, 0755, &row), 0);
    assert_int_equal(look_up(bench->workspace, 1, name), 0);
    assert_int_equal(riad_mkdir(bench->workspace, &alice, 1, "a/b", 0755, &row), -EINVAL);
    assert_int_equal(riad_mkdir(bench->workspace, &alice, 1, ".", 0755, &row), -EINVAL);
    assert_int_equal(riad_mkdir(bench->workspace, &alice, 1, "", 0755, &row), -EINVAL);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, name, 1, "..", 0), -EINVAL);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, ".."), -EINVAL);
    assert_int_equal(look_up(bench->workspace, row.inode, "."), 0);
    assert_int_equal(inode_of(bench->workspace, row.inode, ".."), 1);
}

static void directories_count_their_subdirectories(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");

    assert_int_equal(attributes(bench->workspace, 1).nlink, 3);
    assert_int_equal(attributes(bench->workspace, directory).nlink, 2);
    assert_int_equal(attributes(bench->workspace, directory).blocks, 1);
    make_directory(bench->workspace, directory, "e");
    make_file(bench->workspace, directory, "f");
    assert_int_equal(attributes(bench->workspace, directory).nlink, 3);
    assert_int_equal(riad_rmdir(bench->workspace, &alice, 1, "d"), -ENOTEMPTY);
    assert_int_equal(riad_rmdir(bench->workspace, &alice, directory, "f"), -ENOTDIR);
    assert_int_equal(riad_unlink(bench->workspace, &alice, directory, "e"), -EISDIR);
    assert_int_equal(riad_rmdir(bench->workspace, &alice, directory, "e"), 0);
    assert_int_equal(attributes(bench->workspace, directory).nlink, 2);
    assert_int_equal(riad_unlink(bench->workspace, &alice, directory, "f"), 0);
    assert_int_equal(riad_rmdir(bench->workspace, &alice, 1, "d"), 0);
    assert_int_equal(attributes(bench->workspace, 1).nlink, 2);
    assert_int_equal(riad_rmdir(bench->workspace, &alice, 1, "d"), -ENOENT);
}

/* A removed directory that is still some process's working directory. */
static void nothing_is_made_in_a_removed_directory(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode row;

    assert_int_equal(riad_rmdir(bench->workspace, &alice, 1, "d"), 0);
    assert_int_equal(attributes(bench->workspace, directory).nlink, 0);
    assert_int_equal(
            riad_mknod(bench->workspace, &alice, directory, "x", S_IFREG, 0, &row), -ENOENT);
    assert_int_equal(riad_link(bench->workspace, &alice, file, directory, "x", &row), -ENOENT);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "f", directory, "x", 0), -ENOENT);
    riad_forget(bench->workspace, directory, 1);
    assert_int_equal(riad_getattr(bench->workspace, directory, &row), -ENOENT);
}

static void setgid_directories_pass_their_group_on(void **state)
{
    struct bench *bench = *state;
    struct riad_caller bob = { .uid = 7, .gid = 8 };
    struct riad_inode directory, row;

    assert_int_equal(riad_mkdir(bench->workspace, &alice, 1, "shared", 02775, &directory), 0);
    assert_int_equal(
            riad_mknod(bench->workspace, &bob, directory.inode, "f", S_IFREG | 0644, 0, &row), 0);
    assert_int_equal(row.uid, 7);
    assert_int_equal(row.gid, 1000);
    assert_int_equal(row.mode, S_IFREG | 0644);
    assert_int_equal(riad_mkdir(bench->workspace, &bob, directory.inode, "d", 0755, &row), 0);
    assert_int_equal(row.gid, 1000);
    assert_int_equal(row.mode, S_IFDIR | 02755);
    assert_int_equal(riad_mkdir(bench->workspace, &bob, 1, "own", 0755, &row), 0);
    assert_int_equal(row.gid, 8);
}

static void links_share_one_inode(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode row;

    assert_int_equal(riad_link(bench->workspace, &alice, file, directory, "g", &row), 0);
    assert_int_equal(row.nlink, 2);
    assert_int_equal(riad_link(bench->workspace, &alice, file, directory, "g", &row), -EEXIST);
    assert_int_equal(riad_link(bench->workspace, &alice, directory, 1, "e", &row), -EPERM);
    assert_int_equal(riad_link(bench->workspace, &alice, 4711, 1, "e", &row), -ENOENT);
    assert_int_equal(usage_of(bench->workspace).inodes, 3);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    assert_int_equal(attributes(bench->workspace, file).nlink, 1);
    assert_int_equal(inode_of(bench->workspace, directory, "g"), file);
    /* Two names of one inode: rename does nothing. */
    assert_int_equal(riad_link(bench->workspace, &alice, file, 1, "h", &row), 0);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "h", directory, "g", 0), 0);
    assert_int_equal(look_up(bench->workspace, 1, "h"), 0);
    assert_int_equal(look_up(bench->workspace, directory, "g"), 0);
}

static void an_open_file_lives_without_names(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode row;

    write_fill(bench->workspace, file, 0, 'a', 10000);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    assert_int_equal(attributes(bench->workspace, file).nlink, 0);
    assert_int_equal(usage_of(bench->workspace).blocks, 1 + 3);
    write_fill(bench->workspace, file, 10000, 'a', 10000);
    assert_filled(bench->workspace, file, 0, 'a', 20000);
    assert_int_equal(riad_link(bench->workspace, &alice, file, 1, "back", &row), -ENOENT);
    assert_int_equal(usage_of(bench->workspace).blocks, 1 + 5);
    riad_forget(bench->workspace, file, 1);
    assert_int_equal(riad_getattr(bench->workspace, file, &row), -ENOENT);
    assert_int_equal(usage_of(bench->workspace).blocks, 1);
    assert_int_equal(usage_of(bench->workspace).inodes, 1);
    assert_int_equal(tally_of(bench->workspace, file).extents, 0);
}

static void a_file_nobody_holds_goes_with_its_name(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode row;

    write_fill(bench->workspace, file, 0, 'a', 10000);
    riad_forget(bench->workspace, file, 1);
    assert_int_equal(riad_getattr(bench->workspace, file, &row), 0);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    assert_int_equal(riad_getattr(bench->workspace, file, &row), -ENOENT);
    assert_int_equal(usage_of(bench->workspace).blocks, 1);
    assert_int_equal(tally_of(bench->workspace, file).extents, 0);
}

static void references_are_counted(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode row;

    assert_int_equal(riad_lookup(bench->workspace, 1, "f", &row), 0);
    riad_reference(bench->workspace, file);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    riad_forget(bench->workspace, file, 2);
    assert_int_equal(riad_getattr(bench->workspace, file, &row), 0);
    riad_forget(bench->workspace, file, 1);
    assert_int_equal(riad_getattr(bench->workspace, file, &row), -ENOENT);
}

/* Orphans do not survive their mount. */
static void orphans_go_at_the_next_open(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode row;

    write_fill(bench->workspace, file, 0, 'a', 300000);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    bench_reopen(bench);
    assert_int_equal(riad_getattr(bench->workspace, file, &row), -ENOENT);
    assert_int_equal(usage_of(bench->workspace).blocks, 1);
    assert_int_not_equal(make_file(bench->workspace, 1, "f"), file); /* F6: never reused */
}

static void rename_moves_and_replaces(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    uint64_t one = make_file(bench->workspace, 1, "one");
    uint64_t two = make_file(bench->workspace, directory, "two");
    struct riad_inode row;

    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "one", 1, "uno", 0), 0);
    assert_int_equal(look_up(bench->workspace, 1, "one"), -ENOENT);
    assert_int_equal(inode_of(bench->workspace, 1, "uno"), one);
    assert_int_equal(
            riad_rename(bench->workspace, &alice, 1, "uno", directory, "two", RENAME_NOREPLACE),
            -EEXIST);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "uno", directory, "two", 0), 0);
    assert_int_equal(inode_of(bench->workspace, directory, "two"), one);
    assert_int_equal(attributes(bench->workspace, one).parent, directory);
    assert_int_equal(attributes(bench->workspace, two).nlink, 0);
    riad_forget(bench->workspace, two, 1);
    assert_int_equal(riad_getattr(bench->workspace, two, &row), -ENOENT);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "uno", 1, "x", 0), -ENOENT);
    assert_int_equal(
            riad_rename(bench->workspace, &alice, directory, "two", 1, "x", 1 << 3), -EINVAL);
    assert_int_equal(riad_rename(bench->workspace, &alice, directory, "two", 1, "d", 0), -EISDIR);
    assert_int_equal(
            riad_rename(bench->workspace, &alice, directory, "two", 1, "x", RENAME_NOREPLACE), 0);
}

static void rename_leaves_a_whiteout(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    uint64_t file = make_file(bench->workspace, 1, "file");
    struct riad_inode row;

    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "file", directory, "moved",
                             RENAME_WHITEOUT | RENAME_NOREPLACE),
            0);
    assert_int_equal(inode_of(bench->workspace, directory, "moved"), file);
    row = attributes(bench->workspace, inode_of(bench->workspace, 1, "file"));
    assert_int_equal(row.mode, S_IFCHR);
    assert_int_equal(row.rdev, 0);
    assert_int_equal(row.nlink, 1);
    assert_int_equal(row.uid, 1000);
    assert_int_equal(row.parent, 1);
    assert_int_equal(usage_of(bench->workspace).inodes, 4);
    make_file(bench->workspace, 1, "target");
    assert_int_equal(
            riad_rename(bench->workspace, &alice, 1, "d", 1, "file", RENAME_WHITEOUT), -ENOTDIR);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "d", 1, "e", RENAME_WHITEOUT), 0);
    assert_int_equal(attributes(bench->workspace, 1).nlink, 3);
    assert_int_equal(usage_of(bench->workspace).inodes, 6);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "file", 1, "target",
                             RENAME_WHITEOUT | RENAME_EXCHANGE),
            -EINVAL);
    bench_limit(bench, 0, 6);
    assert_int_equal(
            riad_rename(bench->workspace, &alice, 1, "e", 1, "x", RENAME_WHITEOUT), -EDQUOT);
    assert_int_equal(look_up(bench->workspace, 1, "x"), -ENOENT);
}

static void directories_move_with_their_links(void **state)
{
    struct bench *bench = *state;
    uint64_t a = make_directory(bench->workspace, 1, "a");
    uint64_t b = make_directory(bench->workspace, 1, "b");
    uint64_t c = make_directory(bench->workspace, a, "c");
    uint64_t d = make_directory(bench->workspace, c, "d");

    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "a", d, "x", 0), -EINVAL);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "a", a, "x", 0), -EINVAL);
    assert_int_equal(riad_rename(bench->workspace, &alice, a, "c", b, "c", 0), 0);
    assert_int_equal(attributes(bench->workspace, a).nlink, 2);
    assert_int_equal(attributes(bench->workspace, b).nlink, 3);
    assert_int_equal(attributes(bench->workspace, c).parent, b);
    assert_int_equal(inode_of(bench->workspace, c, ".."), b);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "a", 1, "b", 0), -ENOTEMPTY);
    assert_int_equal(
            riad_rename(bench->workspace, &alice, b, "c", 1, "a", 0), 0); /* over an empty one */
    assert_int_equal(attributes(bench->workspace, 1).nlink, 4);
    assert_int_equal(attributes(bench->workspace, b).nlink, 2);
    assert_int_equal(attributes(bench->workspace, a).nlink, 0);
    assert_int_equal(inode_of(bench->workspace, 1, "a"), c);
    make_file(bench->workspace, 1, "f");
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "b", 1, "f", 0), -ENOTDIR);
    assert_int_equal(riad_rename(bench->workspace, &alice, c, "d", 1, "a", 0), -ENOTEMPTY);
}

static void exchange_swaps_names(void **state)
{
    struct bench *bench = *state;
    uint64_t a = make_directory(bench->workspace, 1, "a");
    uint64_t b = make_directory(bench->workspace, a, "b");
    uint64_t c = make_directory(bench->workspace, 1, "c");
    uint64_t file = make_file(bench->workspace, c, "f");

    assert_int_equal(
            riad_rename(bench->workspace, &alice, a, "b", c, "g", RENAME_EXCHANGE), -ENOENT);
    assert_int_equal(riad_rename(bench->workspace, &alice, a, "b", c, "f", RENAME_EXCHANGE), 0);
    assert_int_equal(inode_of(bench->workspace, a, "b"), file);
    assert_int_equal(inode_of(bench->workspace, c, "f"), b);
    assert_int_equal(attributes(bench->workspace, a).nlink, 2);
    assert_int_equal(attributes(bench->workspace, c).nlink, 3);
    assert_int_equal(attributes(bench->workspace, b).parent, c);
    assert_int_equal(attributes(bench->workspace, file).parent, a);
    /* Either would come to lie in itself. */
    assert_int_equal(
            riad_rename(bench->workspace, &alice, 1, "c", c, "f", RENAME_EXCHANGE), -EINVAL);
    assert_int_equal(
            riad_rename(bench->workspace, &alice, c, "f", 1, "c", RENAME_EXCHANGE), -EINVAL);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "a", 1, "c", RENAME_EXCHANGE), 0);
    assert_int_equal(inode_of(bench->workspace, 1, "a"), c);
    assert_int_equal(inode_of(bench->workspace, 1, "c"), a);
    assert_int_equal(attributes(bench->workspace, 1).nlink, 4);
    assert_int_equal(riad_rename(bench->workspace, &alice, c, "f", 1, "c", RENAME_EXCHANGE), 0);
    assert_int_equal(attributes(bench->workspace, b).parent, 1);
    assert_int_equal(attributes(bench->workspace, a).parent, c);
    assert_int_equal(attributes(bench->workspace, c).nlink, 3);
}

/* A listing in pieces. */
struct listing {
    uint64_t last;
    unsigned room;
    unsigned count;
    char names[4096];
};

static int list_entry(void *context, const struct riad_dentry *entry, const struct riad_inode *row)
{
    struct listing *listing = context;

    assert_true(entry->cookie > listing->last);
    assert_true(entry->cookie >= RIAD_FIRST_COOKIE);
    assert_int_equal(entry->inode, row->inode);
    assert_int_equal(entry->type, IFTODT(row->mode));
    if (listing->room == 0) {
        return 1;
    }
    listing->room--;
    listing->count++;
    listing->last = entry->cookie;
    strcat(listing->names, entry->name);
    return 0;
}

/* Cookies stay valid while names come and go; a new file is a new entry, one that is renamed keeps
 * its place. */
static void listings_go_on_where_they_stopped(void **state)
{
    struct bench *bench = *state;
    struct listing listing = { .room = 2 };
    char name[2] = "a";

    for (; name[0] <= 'f'; name[0]++) {
        make_file(bench->workspace, 1, name);
    }
    assert_int_equal(riad_readdir(bench->workspace, 1, 0, list_entry, &listing), 0);
    assert_string_equal(listing.names, "ab");
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "b"), 0);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "d"), 0);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "a", 1, "z", 0), 0);
    make_file(bench->workspace, 1, "b");
    listing.room = 100;
    assert_int_equal(riad_readdir(bench->workspace, 1, listing.last, list_entry, &listing), 0);
    assert_string_equal(listing.names, "abcefb");
    bench_reopen(bench);
    make_file(bench->workspace, 1, "y");
    listing = (struct listing){ .room = 100 };
    assert_int_equal(riad_readdir(bench->workspace, 1, 0, list_entry, &listing), 0);
    assert_string_equal(listing.names, "zcefby");
    assert_int_equal(riad_readdir(bench->workspace, inode_of(bench->workspace, 1, "y"), 0,
                             list_entry, &listing),
            -ENOTDIR);
}

/* A name that is there all the time is seen once, whatever it comes to name: replaced, exchanged,
 * or left to a whiteout, it keeps its place. */
static void a_name_that_stays_keeps_its_place(void **state)
{
    struct bench *bench = *state;
    struct listing listing = { .room = 3 };
    uint64_t directory = make_directory(bench->workspace, 1, "o");
    char name[2] = "a";

    for (; name[0] <= 'f'; name[0]++) {
        make_file(bench->workspace, 1, name);
    }
    make_file(bench->workspace, directory, "in");
    assert_int_equal(riad_readdir(bench->workspace, 1, 0, list_entry, &listing), 0);
    assert_string_equal(listing.names, "oab");
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "f", 1, "a", 0), 0);
    assert_int_equal(riad_rename(bench->workspace, &alice, directory, "in", 1, "d", 0), 0);
    assert_int_equal(riad_rename(bench->workspace, &alice, 1, "b", 1, "e", RENAME_EXCHANGE), 0);
    assert_int_equal(
            riad_rename(bench->workspace, &alice, 1, "c", directory, "x", RENAME_WHITEOUT), 0);
    listing.room = 100;
    assert_int_equal(riad_readdir(bench->workspace, 1, listing.last, list_entry, &listing), 0);
    assert_string_equal(listing.names, "oabcde");
    bench_reopen(bench);
    listing = (struct listing){ .room = 100 };
    assert_int_equal(riad_readdir(bench->workspace, 1, 0, list_entry, &listing), 0);
    assert_string_equal(listing.names, "oabcde");
}

static bool later(struct timespec a, struct timespec b)
{
    return a.tv_sec > b.tv_sec || (a.tv_sec == b.tv_sec && a.tv_nsec > b.tv_nsec);
}

static void times_follow_names(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode root = attributes(bench->workspace, 1), before, row;

    before = attributes(bench->workspace, file);
    assert_int_equal(riad_link(bench->workspace, &alice, file, directory, "g", &row), 0);
    assert_true(later(row.ctime, before.ctime));
    assert_false(later(row.mtime, before.mtime));
    assert_true(later(attributes(bench->workspace, directory).mtime, root.mtime));
    assert_false(later(attributes(bench->workspace, 1).mtime, root.mtime));
    before = row;
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
    assert_true(later(attributes(bench->workspace, 1).mtime, root.mtime));
    assert_true(later(attributes(bench->workspace, file).ctime, before.ctime));
    before = attributes(bench->workspace, file);
    assert_int_equal(riad_rename(bench->workspace, &alice, directory, "g", 1, "h", 0), 0);
    assert_true(later(attributes(bench->workspace, file).ctime, before.ctime));
    assert_true(attributes(bench->workspace, file).version > before.version);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(a_new_file_has_what_it_was_given),
        BENCH(special_files_and_symlinks),
        BENCH(names_are_checked),
        BENCH(directories_count_their_subdirectories),
        BENCH(nothing_is_made_in_a_removed_directory),
        BENCH(setgid_directories_pass_their_group_on),
        BENCH(links_share_one_inode),
        BENCH(an_open_file_lives_without_names),
        BENCH(a_file_nobody_holds_goes_with_its_name),
        BENCH(references_are_counted),
        BENCH(orphans_go_at_the_next_open),
        BENCH(rename_moves_and_replaces),
        BENCH(rename_leaves_a_whiteout),
        BENCH(directories_move_with_their_links),
        BENCH(exchange_swaps_names),
        BENCH(listings_go_on_where_they_stopped),
        BENCH(a_name_that_stays_keeps_its_place),
        BENCH(times_follow_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
