/* The index: what is applied is read back, refused changes leave nothing, batches are whole, and a
 * database that riad did not write is not believed. */
#include "index/fixture.h"

static void put(struct fixture *f, const struct riad_inode *row)
{
    riad_change_put_inode(fixture_begin(f), row);
    fixture_apply(f);
}

static void assert_missing(struct fixture *f, uint64_t inode)
{
    struct riad_inode row;

    assert_int_equal(riad_index_get_inode(f->index, inode, &row), -ENOENT);
}

static void assert_found(struct fixture *f, const struct riad_dentry *expected)
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

static void assert_not_found(struct fixture *f, uint64_t parent, const char *name)
{
    struct riad_dentry row;

    assert_int_equal(riad_index_lookup(f->index, parent, name, strlen(name), &row), -ENOENT);
}

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

struct listing {
    uint64_t cookies[16];
    size_t count;
    size_t stop;
    int result;
};

static int gather(void *context, const struct riad_dentry *dentry, const struct riad_inode *inode)
{
    struct listing *listing = context;

    assert_int_equal(dentry->inode, inode->inode);
    listing->cookies[listing->count++] = dentry->cookie;
    return listing->count == listing->stop ? listing->result : 0;
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

/* Each bad change begins with good operations of every kind, which must not stay. */
static void begin_doomed(struct fixture *f)
{
    struct riad_inode changed = make_inode(5, S_IFREG);
    struct riad_inode added = make_inode(900, S_IFREG);
    struct riad_dentry dentry = make_dentry(1, 77, 900, DT_REG, "doomed");
    struct riad_extent extent = make_extent(5, 0, UNIT, 99, 0);

    changed.blocks = 50;
    riad_change_put_inode(fixture_begin(f), &changed);
    riad_change_put_inode(&f->change, &added);
    riad_change_put_dentry(&f->change, &dentry);
    riad_change_put_extent(&f->change, &extent);
    riad_change_remove_dentry(&f->change, 1, 4);
}

static void assert_refused(struct fixture *f)
{
    struct riad_inode kept = make_inode(5, S_IFREG);
    struct riad_dentry lemon = make_dentry(1, 3, 5, DT_REG, "lemon");
    struct riad_dentry fig = make_dentry(1, 4, 5, DT_REG, "fig");
    struct riad_end before;
    struct riad_end after;
    uint64_t bytes;
    uint64_t start;
    uint32_t pending = riad_index_pending(f->index);

    riad_index_end(f->index, &before, &start);
    assert_int_equal(fixture_try(f), -EBADMSG);
    riad_index_end(f->index, &after, &start);
    assert_int_equal(before.sequence.number, after.sequence.number);
    assert_int_equal(riad_index_pending(f->index), pending);
    assert_inode_is(f, &kept);
    assert_found(f, &lemon);
    assert_found(f, &fig);
    assert_not_found(f, 1, "doomed");
    assert_missing(f, 900);
    assert_usage(f, 1, 0);
    assert_int_equal(riad_index_next_inode(f->index), 6);
    assert_int_equal(count_extents(f, 5), 2);
    assert_int_equal(riad_index_segment_live(f->index, 99, &bytes), -ENOENT);
    assert_int_equal(riad_index_segment_live(f->index, 9, &bytes), 0);
    assert_int_equal(bytes, 2 * UNIT);
}

static void plant_for_refusals(struct fixture *f)
{
    struct riad_inode row = make_inode(5, S_IFREG);
    struct riad_dentry lemon = make_dentry(1, 3, 5, DT_REG, "lemon");
    struct riad_dentry fig = make_dentry(1, 4, 5, DT_REG, "fig");
    struct riad_extent first = make_extent(5, 100 * UNIT, UNIT, 9, 0);
    struct riad_extent second = make_extent(5, 102 * UNIT, UNIT, 9, UNIT);

    put(f, &row);
    riad_change_put_dentry(fixture_begin(f), &lemon);
    riad_change_put_dentry(&f->change, &fig);
    fixture_apply(f);
    riad_change_put_extent(fixture_begin(f), &first);
    riad_change_put_extent(&f->change, &second);
    fixture_apply(f);
}

static void refuse_all(struct fixture *f)
{
    struct riad_dentry taken = make_dentry(1, 5, 5, DT_REG, "lemon");
    struct riad_dentry renamed = make_dentry(1, 78, 5, DT_REG, "doomed");
    const struct riad_extent overlaps[] = {
        make_extent(5, 99 * UNIT, UNIT + 1, 9, 0),
        make_extent(5, 100 * UNIT + 1, 1, 9, 0),
        make_extent(5, 101 * UNIT, UNIT * 2, 9, 0),
        make_extent(5, 98 * UNIT, UNIT * 10, 9, 0),
        make_extent(5, 100 * UNIT, UNIT * 3, 9, 0),
        make_unwritten(5, 1, RIAD_FILE_SIZE_MAX - 1),
    };

    begin_doomed(f);
    riad_change_put_dentry(&f->change, &taken);
    assert_refused(f);
    begin_doomed(f);
    riad_change_put_dentry(&f->change, &renamed);
    assert_refused(f);
    begin_doomed(f);
    riad_change_remove_dentry(&f->change, 1, 5);
    assert_refused(f);
    begin_doomed(f);
    riad_change_remove_inode(&f->change, 4);
    assert_refused(f);
    begin_doomed(f);
    riad_change_remove_inode(&f->change, 901);
    assert_refused(f);
    begin_doomed(f);
    riad_change_remove_xattr(&f->change, 5, "user.none");
    assert_refused(f);
    begin_doomed(f);
    riad_change_put_workspace(&f->change, 1000);
    assert_refused(f);
    for (size_t i = 0; i < sizeof overlaps / sizeof overlaps[0]; i++) {
        begin_doomed(f);
        riad_change_put_extent(&f->change, &overlaps[i]);
        assert_refused(f);
    }
}

static void contradictions_are_refused_whole(void **state)
{
    struct fixture *f = *state;

    plant_for_refusals(f);
    refuse_all(f); /* what is kept was not committed yet: it is applied again */
    fixture_commit(f);
    refuse_all(f);
    fixture_close(f);
    fixture_open(f);
    refuse_all(f);
}

static void damaged_operations_are_refused_whole(void **state)
{
    struct fixture *f = *state;
    struct riad_reader operations;

    plant_for_refusals(f);
    begin_doomed(f);
    riad_change_remove_inode(&f->change, 5);
    riad_reader_init(&operations, f->change.operations.data, f->change.operations.size - 1);
    assert_int_equal(riad_index_apply(f->index, &operations, &f->end, 0), -EBADMSG);
    begin_doomed(f);
    riad_change_remove_inode(&f->change, 4);
    assert_refused(f);
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

static int reopen(struct fixture *f, const struct riad_keys *keys)
{
    int r = riad_index_open(f->directory.path, keys, &f->index);

    if (r == 0) {
        fixture_close(f);
    }
    return r;
}

static void others_are_not_believed(void **state)
{
    struct fixture *f = *state;
    struct riad_id other = { { 8 } };
    struct riad_keys *keys;

    fixture_close(f);
    assert_int_equal(riad_keys_new(&other, 1, f->root, &keys), 0);
    assert_int_equal(reopen(f, keys), -EUCLEAN);
    riad_keys_free(keys);
    assert_int_equal(riad_keys_new(&f->workspace, 2, f->root, &keys), 0);
    assert_int_equal(reopen(f, keys), -EUCLEAN);
    riad_keys_free(keys);
    assert_int_equal(reopen(f, f->keys), 0);
}

static void tampered_schemas_are_refused(void **state)
{
    static const char *const pairs[][2] = {
        { "CREATE TRIGGER t AFTER INSERT ON inode BEGIN DELETE FROM dentry; END",
                "DROP TRIGGER t" },
        { "CREATE VIEW v AS SELECT 1", "DROP VIEW v" },
        { "CREATE TABLE more(a)", "DROP TABLE more" },
        { "DROP INDEX segment_dead", "CREATE INDEX segment_dead ON segment(segment) WHERE "
                                     "live = 0 AND log = 0" },
        { "ALTER TABLE xattr ADD COLUMN a", "ALTER TABLE xattr DROP COLUMN a" },
        { "PRAGMA user_version = 2", "PRAGMA user_version = 1" },
        { "PRAGMA application_id = 1", "PRAGMA application_id = 1919508836" },
        { "UPDATE meta SET id = 2", "UPDATE meta SET id = 1" },
        { "UPDATE meta SET next_inode = 0", "UPDATE meta SET next_inode = 1" },
        { "UPDATE meta SET blocks = 'many'", "UPDATE meta SET blocks = 0" },
        { "UPDATE meta SET end = x'00'", "UPDATE meta SET end = zeroblob(60)" },
    };
    struct fixture *f = *state;

    fixture_close(f);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        fixture_tamper(f, pairs[i][0]);
        if (reopen(f, f->keys) != -EUCLEAN) {
            fail_msg("opened after: %s", pairs[i][0]);
        }
        fixture_tamper(f, pairs[i][1]);
        if (reopen(f, f->keys) != 0) {
            fail_msg("refused after: %s", pairs[i][1]);
        }
    }
}

static void tampered_rows_are_refused(void **state)
{
    static const char *const texts[] = { "UPDATE inode SET mode = 5", "UPDATE inode SET uid = -1",
        "UPDATE inode SET size = 'x'", "UPDATE inode SET times = x'0011'",
        "UPDATE inode SET generation = NULL", "UPDATE inode SET truncate_mark = -1" };
    struct fixture *f = *state;
    struct riad_inode row = make_inode(5, S_IFREG);
    struct riad_inode back;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        put(f, &row);
        fixture_close(f);
        fixture_tamper(f, texts[i]);
        fixture_open(f);
        assert_int_equal(riad_index_get_inode(f->index, 5, &back), -EUCLEAN);
        assert_int_equal(riad_index_discard(f->directory.path), 0);
        fixture_close(f);
        fixture_open(f);
    }
}

/* A sealed name moved to another directory, and a target to another inode, do not open. */
static void moved_names_are_refused(void **state)
{
    struct fixture *f = *state;
    struct riad_inode row = make_inode(5, S_IFLNK);
    struct riad_dentry dentry = make_dentry(1, 3, 5, DT_LNK, "lemon");
    struct listing all = { 0 };
    char *target;

    put(f, &row);
    riad_change_put_dentry(fixture_begin(f), &dentry);
    riad_change_put_symlink(&f->change, 5, "x");
    fixture_apply(f);
    fixture_close(f);
    fixture_tamper(f, "UPDATE dentry SET parent = 2; UPDATE symlink SET inode = 6");
    fixture_open(f);
    assert_int_equal(riad_index_list(f->index, 2, 0, gather, &all), -EUCLEAN);
    row.inode = 6;
    assert_int_equal(riad_index_get_symlink(f->index, &row, &target), -EUCLEAN);
}

static void names_are_sealed_and_padded(void **state)
{
    struct fixture *f = *state;
    struct riad_dentry dentry = make_dentry(1, 3, 5, DT_REG, "pomegranate");
    _cleanup_fclose_ FILE *file = NULL;
    static char bytes[1 << 20];
    size_t size;

    riad_change_put_dentry(fixture_begin(f), &dentry);
    riad_change_put_xattr(&f->change, 5, "user.pomegranate", "pomegranate", 11);
    riad_change_put_symlink(&f->change, 5, "pomegranate");
    fixture_apply(f);
    fixture_close(f);
    file = fopen(f->database, "r");
    assert_non_null(file);
    size = fread(bytes, 1, sizeof bytes, file);
    assert_true(size > 4096 && size < sizeof bytes);
    assert_null(memmem(bytes, size, "pomegranate", 11));
    fixture_tamper(f, "CREATE TEMP TABLE t(a CHECK(a)); INSERT INTO t SELECT length(name) = 48 "
                      "FROM dentry; INSERT INTO t SELECT length(target) = 48 FROM symlink; "
                      "INSERT INTO t SELECT length(name) = 48 FROM xattr");
}

static void files_that_are_no_database_are_refused(void **state)
{
    struct fixture *f = *state;
    FILE *file;

    fixture_close(f);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    file = fopen(f->database, "w");
    assert_non_null(file);
    for (int i = 0; i < 3000; i++) {
        fputs("not a database", file);
    }
    fclose(file);
    assert_int_equal(reopen(f, f->keys), -EUCLEAN);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    assert_int_equal(symlink("/dev/null", f->database), 0);
    assert_int_equal(reopen(f, f->keys), -EUCLEAN);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    assert_int_equal(mkfifo(f->database, 0600), 0);
    assert_int_equal(reopen(f, f->keys), -EUCLEAN);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    assert_int_equal(riad_index_open("/nonexistent/riad", f->keys, &f->index), -ENOENT);
    assert_int_equal(reopen(f, f->keys), 0);
}

static uint8_t pristine[1 << 18];

static size_t read_database(struct fixture *f)
{
    FILE *file = fopen(f->database, "r");
    size_t size;

    assert_non_null(file);
    size = fread(pristine, 1, sizeof pristine, file);
    assert_true(size < sizeof pristine);
    fclose(file);
    return size;
}

static void write_database(struct fixture *f, size_t size)
{
    FILE *file;

    assert_int_equal(riad_index_discard(f->directory.path), 0);
    file = fopen(f->database, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(pristine, 1, size, file), size);
    fclose(file);
}

static void assert_one_of(int r, int other)
{
    assert_true(r == 0 || r == -EUCLEAN || r == -EIO || r == other);
}

static void use_damaged(struct fixture *f)
{
    struct listing all = { 0 };
    struct riad_inode row;

    begin_doomed(f);
    assert_one_of(fixture_try(f), -EBADMSG);
    assert_one_of(riad_index_get_inode(f->index, 5, &row), -ENOENT);
    assert_one_of(riad_index_list(f->index, 1, 0, gather, &all), 0);
    assert_one_of(riad_index_commit(f->index), 0);
    fixture_close(f);
}

/* Any byte of the file may be anything: errors, never a crash. */
static void damaged_databases_never_crash(void **state)
{
    struct fixture *f = *state;
    size_t size;

    plant_for_refusals(f);
    fixture_close(f);
    size = read_database(f);
    for (size_t at = 20; at < size; at += at % 4096 < 200 ? 5 : 331) {
        pristine[at] ^= 0xff;
        write_database(f, size);
        if (riad_index_open(f->directory.path, f->keys, &f->index) == 0) {
            use_damaged(f);
        }
        pristine[at] ^= 0xff;
    }
    write_database(f, size);
    fixture_open(f);
    refuse_all(f);
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

static void a_broken_index_says_so(void **state)
{
    struct fixture *f = *state;
    struct riad_inode row = make_inode(5, S_IFREG);
    static const uint8_t garbage[3] = { 1, 0, 0 };

    put(f, &row);
    fixture_commit(f);
    assert_int_equal(riad_index_load(f->index, garbage, sizeof garbage), -EBADMSG);
    assert_int_equal(riad_index_get_inode(f->index, 5, &row), -EIO);
    riad_change_put_inode(fixture_begin(f), &row);
    assert_int_equal(fixture_try(f), -EIO);
    assert_int_equal(riad_index_commit(f->index), -EIO);
    fixture_close(f);
    fixture_open(f);
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
        TEST(contradictions_are_refused_whole),
        TEST(damaged_operations_are_refused_whole),
        TEST(batches_survive_or_vanish_whole),
        TEST(long_batches_commit_themselves),
        TEST(others_are_not_believed),
        TEST(tampered_schemas_are_refused),
        TEST(tampered_rows_are_refused),
        TEST(moved_names_are_refused),
        TEST(names_are_sealed_and_padded),
        TEST(files_that_are_no_database_are_refused),
        TEST(damaged_databases_never_crash),
        TEST(wal_checkpoints),
        TEST(a_broken_index_says_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
