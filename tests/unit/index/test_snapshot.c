/* Snapshots: isolated, complete, and a check that finds what is planted. */
#include "index/fixture.h"

static void put_file(struct fixture *f, uint64_t inode, uint64_t cookie, const char *name)
{
    struct riad_inode root = make_inode(RIAD_ROOT_INODE, S_IFDIR | 0755);
    struct riad_inode row = make_inode(inode, S_IFREG | 0644);
    struct riad_extent extent = make_extent(inode, UNIT - 1, 2, 9, inode * 10000);
    struct riad_dentry dentry = make_dentry(1, cookie, inode, DT_REG, name);

    row.blocks = 2 + 1;
    row.xattr_bytes = 9;
    root.nlink = 3;
    root.next_cookie = 50;
    riad_change_put_inode(fixture_begin(f), &row);
    riad_change_put_inode(&f->change, &root);
    riad_change_put_extent(&f->change, &extent);
    riad_change_put_dentry(&f->change, &dentry);
    riad_change_put_xattr(&f->change, inode, "user.a", "123", 3);
    fixture_apply(f);
}

/* A small sound tree: two files, a directory with a symlink, an orphan, a truncated file, garbage.
 */
static void plant_tree(struct fixture *f)
{
    struct riad_inode directory = make_inode(4, S_IFDIR | 0700);
    struct riad_inode link = make_inode(5, S_IFLNK | 0777);
    struct riad_inode orphan = make_inode(6, S_IFREG | 0777);
    struct riad_dentry down = make_dentry(1, 5, 4, DT_DIR, "down");
    struct riad_dentry inside = make_dentry(4, 3, 5, DT_LNK, "inside");
    struct riad_extent hidden = make_extent(6, 0, UNIT, 10, 0);

    put_file(f, 2, 3, "one");
    put_file(f, 3, 4, "two");
    directory.next_cookie = 4;
    link.parent = 4;
    orphan.nlink = 0;
    orphan.truncate_mark = 0;
    riad_change_put_inode(fixture_begin(f), &directory);
    riad_change_put_inode(&f->change, &link);
    riad_change_put_inode(&f->change, &orphan);
    riad_change_put_dentry(&f->change, &down);
    riad_change_put_dentry(&f->change, &inside);
    riad_change_put_symlink(&f->change, 5, "../one");
    riad_change_put_extent(&f->change, &hidden);
    fixture_apply(f);
}

static void plant_garbage(struct fixture *f)
{
    struct riad_inode big = make_inode(7, S_IFREG);

    riad_change_put_inode(fixture_begin(f), &big);
    for (uint64_t i = 0; i < 300; i++) {
        struct riad_extent row = make_extent(7, i * UNIT, UNIT, 11, i * UNIT);

        riad_change_put_extent(&f->change, &row);
    }
    fixture_apply(f);
    riad_change_remove_inode(fixture_begin(f), 7);
    fixture_apply(f);
}

static struct riad_snapshot *take(struct fixture *f)
{
    struct riad_snapshot *snapshot;

    fixture_commit(f);
    assert_int_equal(riad_snapshot_take(f->index, &snapshot), 0);
    return snapshot;
}

struct rows {
    struct riad_writer bytes;
    uint32_t kinds[16];
    uint8_t last;
    int stop;
};

static int gather(void *context, const uint8_t *operation, size_t size)
{
    static const uint8_t rank[] = { [RIAD_OP_INODE_PUT] = 1,
        [RIAD_OP_DENTRY_PUT] = 2,
        [RIAD_OP_SYMLINK_PUT] = 3,
        [RIAD_OP_XATTR_PUT] = 4,
        [RIAD_OP_EXTENT_PUT] = 5 };
    struct rows *rows = context;

    assert_true(operation[0] < sizeof rank && rank[operation[0]] >= rows->last);
    rows->last = rank[operation[0]];
    rows->kinds[operation[0]]++;
    riad_put_bytes(&rows->bytes, operation, size);
    return rows->stop;
}

static void begin_rows(struct rows *rows)
{
    *rows = (struct rows){ 0 };
    riad_writer_init_growing(&rows->bytes, 4096, 1 << 24);
}

static void rows_are_complete(void **state)
{
    struct fixture *f = *state;
    struct riad_snapshot *snapshot;
    struct rows rows;

    plant_tree(f);
    plant_garbage(f);
    snapshot = take(f);
    begin_rows(&rows);
    assert_int_equal(riad_snapshot_rows(snapshot, gather, &rows), 0);
    assert_int_equal(rows.kinds[RIAD_OP_INODE_PUT], 6);
    assert_int_equal(rows.kinds[RIAD_OP_DENTRY_PUT], 4);
    assert_int_equal(rows.kinds[RIAD_OP_SYMLINK_PUT], 1);
    assert_int_equal(rows.kinds[RIAD_OP_XATTR_PUT], 2);
    assert_int_equal(rows.kinds[RIAD_OP_EXTENT_PUT], 3); /* garbage is none */
    rows.stop = -EINTR;
    rows.last = 0;
    assert_int_equal(riad_snapshot_rows(snapshot, gather, &rows), -EINTR);
    riad_writer_done(&rows.bytes);
    riad_snapshot_free(snapshot);
}

/* Rows of a snapshot loaded into an empty index give the same rows, usage and end. */
static void loading_gives_the_same_rows(void **state)
{
    struct fixture *f = *state;
    struct riad_snapshot_header before;
    struct riad_snapshot_header after;
    struct riad_snapshot *snapshot;
    struct riad_change change = { 0 };
    struct rows rows;
    struct rows again;

    plant_tree(f);
    plant_garbage(f);
    snapshot = take(f);
    riad_snapshot_header(snapshot, &before);
    begin_rows(&rows);
    assert_int_equal(riad_snapshot_rows(snapshot, gather, &rows), 0);
    riad_snapshot_free(snapshot);
    fixture_close(f);
    assert_int_equal(riad_index_discard(f->directory.path), 0);
    fixture_open(f);
    riad_change_begin(&change, (struct timespec){ 0 }, 0);
    riad_change_put_workspace(&change, before.next_inode);
    assert_int_equal(riad_index_load(f->index, change.operations.data, change.operations.size), 0);
    assert_int_equal(riad_index_load(f->index, rows.bytes.data, rows.bytes.size), 0);
    assert_int_equal(riad_index_set_end(f->index, &before.end, before.start), 0);
    snapshot = take(f);
    riad_snapshot_header(snapshot, &after);
    assert_int_equal(after.next_inode, 8);
    assert_int_equal(after.usage.inodes, before.usage.inodes);
    assert_int_equal(after.usage.blocks, before.usage.blocks);
    assert_int_equal(after.start, before.start);
    assert_int_equal(after.end.offset, before.end.offset);
    assert_memory_equal(&after.end.chain, &before.end.chain, sizeof before.end.chain);
    begin_rows(&again);
    assert_int_equal(riad_snapshot_rows(snapshot, gather, &again), 0);
    assert_int_equal(again.bytes.size, rows.bytes.size);
    assert_memory_equal(again.bytes.data, rows.bytes.data, rows.bytes.size);
    riad_writer_done(&rows.bytes);
    riad_writer_done(&again.bytes);
    riad_change_done(&change);
    riad_snapshot_free(snapshot);
}

static void snapshots_stand_still(void **state)
{
    struct fixture *f = *state;
    struct riad_snapshot_header header;
    struct riad_snapshot *snapshot;
    struct riad_usage usage;
    struct rows rows;

    plant_tree(f);
    snapshot = take(f);
    riad_index_usage(f->index, &usage);
    for (uint64_t i = 0; i < 30; i++) {
        char name[8];

        snprintf(name, sizeof name, "n%d", (int)i);
        put_file(f, 10 + i, 10 + i, name);
        fixture_commit(f);
        assert_int_equal(riad_index_wal_checkpoint(f->index), 0);
    }
    riad_snapshot_header(snapshot, &header);
    assert_int_equal(header.end.sequence.number, 3);
    assert_int_equal(header.usage.inodes, usage.inodes);
    assert_int_equal(header.usage.blocks, usage.blocks);
    begin_rows(&rows);
    assert_int_equal(riad_snapshot_rows(snapshot, gather, &rows), 0);
    assert_int_equal(rows.kinds[RIAD_OP_INODE_PUT], 6);
    assert_int_equal(rows.kinds[RIAD_OP_EXTENT_PUT], 3);
    riad_writer_done(&rows.bytes);
    riad_snapshot_free(snapshot);
}

static int check_order(void *context, const struct riad_extent *extent)
{
    struct riad_extent *last = context;

    assert_true(extent->segment > last->segment ||
                (extent->segment == last->segment && extent->position >= last->position));
    last->segment = extent->segment;
    last->position = extent->position;
    last->birth++;
    return last->birth == 100 ? 1 : 0;
}

static void extents_by_place(void **state)
{
    struct fixture *f = *state;
    struct riad_extent *last = calloc(1, sizeof *last);
    struct riad_snapshot *snapshot;

    assert_non_null(last);
    plant_tree(f);
    plant_garbage(f);
    for (uint64_t i = 0; i < 50; i++) {
        struct riad_extent row = make_extent(3, (i + 2) * UNIT, UNIT, 9 + i % 3, 1000 - i);
        struct riad_extent hole = make_unwritten(3, (i + 100) * UNIT, 5);

        riad_change_put_extent(fixture_begin(f), &row);
        riad_change_put_extent(&f->change, &hole);
        fixture_apply(f);
    }
    snapshot = take(f);
    assert_int_equal(riad_snapshot_extents(snapshot, check_order, last), 0);
    assert_int_equal(last->birth, 53);
    riad_snapshot_free(snapshot);
    free(last);
}

struct findings {
    char text[4096];
    uint64_t count;
};

static void collect(void *context, const char *finding)
{
    struct findings *findings = context;
    size_t used = strlen(findings->text);

    snprintf(findings->text + used, sizeof findings->text - used, "%s\n", finding);
    findings->count++;
}

static void check(struct fixture *f, struct findings *ret)
{
    struct riad_snapshot *snapshot = take(f);
    uint64_t count = 99;

    memset(ret, 0, sizeof *ret);
    assert_int_equal(riad_snapshot_check(snapshot, collect, ret, &count), 0);
    assert_int_equal(count, ret->count);
    riad_snapshot_free(snapshot);
}

static void sound_trees_have_no_findings(void **state)
{
    struct fixture *f = *state;
    struct findings findings;

    check(f, &findings);
    assert_string_equal(findings.text, "");
    plant_tree(f);
    plant_garbage(f);
    check(f, &findings);
    assert_string_equal(findings.text, "");
}

/* Each is planted by itself into the sound tree, and must give exactly these findings. */
static const struct {
    const char *text;
    const char *finding;
} plants[] = {
    { "UPDATE meta SET blocks = blocks + 1", "Usage says" },
    { "UPDATE meta SET inodes = inodes - 1", "Usage says" },
    { "UPDATE meta SET next_inode = 6", "Inode 6 is not below the next inode." },
    { "UPDATE inode SET blocks = 2 WHERE inode = 2", "Inode 2 is charged 2 blocks instead of 3." },
    { "UPDATE inode SET blocks = 0 WHERE inode = 4", "Inode 4 is charged 0 blocks instead of 1." },
    { "UPDATE inode SET truncate_mark = NULL WHERE inode = 6",
            "Inode 6 is charged 0 blocks instead of 1." },
    { "UPDATE inode SET xattr_bytes = 10 WHERE inode = 3",
            "Inode 3 says 10 bytes of xattrs and has 9." },
    { "UPDATE inode SET nlink = 2 WHERE inode = 2",
            "Inode 2 has 2 links by itself, 1 entries name it." },
    { "UPDATE inode SET nlink = 3 WHERE inode = 4",
            "Inode 4 has 3 links by itself, 1 entries name it." },
    { "UPDATE inode SET nlink = 0 WHERE inode = 4", "Inode 4 has entries and is no directory" },
    { "UPDATE inode SET nlink = 1 WHERE inode = 6",
            "Inode 6 has 1 links by itself, 0 entries name it." },
    { "UPDATE inode SET parent = 3 WHERE inode = 4", "Directory 4 names another parent." },
    { "UPDATE inode SET next_cookie = 3 WHERE inode = 4",
            "Directory 4: cookies are out of range." },
    { "UPDATE dentry SET type = 6 WHERE inode = 5", "Inode 5: an entry gives another type." },
    { "UPDATE dentry SET inode = 99 WHERE inode = 5",
            "Inode 99 is missing, but has a row (directory entry)." },
    { "UPDATE dentry SET parent = 3 WHERE inode = 5", "Inode 3 has entries and is no directory" },
    { "UPDATE dentry SET parent = 88 WHERE inode = 5",
            "Inode 88 is missing, but has a row (list of entries)." },
    { "UPDATE dentry SET name = x'00' WHERE inode = 5",
            "Directory 4: the entry with cookie 3 is damaged or not authentic." },
    { "UPDATE dentry SET parent = 4 WHERE inode = 4", "Directory 4 cannot be reached" },
    { "DELETE FROM inode WHERE inode = 3", "Inode 3 is missing, but has a row (extent)." },
    { "UPDATE inode SET mode = 7 WHERE inode = 3", "The row of inode 3 is damaged." },
    { "DELETE FROM symlink", "Inode 5: a target without a symlink, or none." },
    { "UPDATE symlink SET inode = 2", "Inode 2: a row (symlink target) is damaged." },
    { "UPDATE xattr SET value = zeroblob(40) WHERE inode = 2",
            "Inode 2: a row (xattr) is damaged." },
    { "UPDATE xattr SET inode = 6 WHERE inode = 2", "Inode 6: a row (xattr) is damaged." },
    { "INSERT INTO extent SELECT inode, offset + 1, length, segment, position, rest FROM extent "
      "WHERE inode = 2; UPDATE segment SET live = live + 2 WHERE segment = 9",
            "Inode 2: extents overlap at offset 4096." },
    { "UPDATE extent SET rest = x'00' WHERE inode = 2", "Inode 2: a row (extent) is damaged." },
    { "UPDATE extent SET inode = 4 WHERE inode = 2", "Inode 4 has extents and is no file." },
    { "UPDATE extent SET inode = 'x' WHERE inode = 2", "A row (extent) belongs to no number." },
    { "UPDATE segment SET live = live - 1 WHERE segment = 11",
            "Segment 000000000000000b: its live bytes are not the sum" },
    { "DELETE FROM segment WHERE segment = 10",
            "Segment 000000000000000a has extents but is not counted." },
    { "INSERT INTO garbage VALUES(5)", "Inode 5 is there and removed at once." },
};

static void the_check_finds_what_is_planted(void **state)
{
    struct fixture *f = *state;
    struct findings findings;

    for (size_t i = 0; i < sizeof plants / sizeof plants[0]; i++) {
        plant_tree(f);
        plant_garbage(f);
        fixture_close(f);
        fixture_tamper(f, plants[i].text);
        fixture_open(f);
        check(f, &findings);
        if (!strstr(findings.text, plants[i].finding)) {
            fail_msg("%s: found only:\n%s", plants[i].text, findings.text);
        }
        assert_int_equal(riad_index_discard(f->directory.path), 0);
        fixture_close(f);
        fixture_open(f);
    }
}

/* Two directories that hold each other, with everything else right. */
static void cycles_are_found(void **state)
{
    struct fixture *f = *state;
    struct riad_inode one = make_inode(20, S_IFDIR);
    struct riad_inode two = make_inode(21, S_IFDIR);
    struct riad_dentry down = make_dentry(20, 3, 21, DT_DIR, "two");
    struct riad_dentry up = make_dentry(21, 3, 20, DT_DIR, "one");
    struct findings findings;

    plant_tree(f);
    one.next_cookie = two.next_cookie = 4;
    one.nlink = two.nlink = 3;
    one.parent = 21;
    two.parent = 20;
    riad_change_put_inode(fixture_begin(f), &one);
    riad_change_put_inode(&f->change, &two);
    riad_change_put_dentry(&f->change, &down);
    riad_change_put_dentry(&f->change, &up);
    fixture_apply(f);
    check(f, &findings);
    assert_string_equal(findings.text, "Directory 20 cannot be reached from the root.\n"
                                       "Directory 21 cannot be reached from the root.\n");
}

/* An index entry that its table does not have: only SQLite's own check can tell. */
static void damaged_trees_are_found(void **state)
{
    struct fixture *f = *state;
    struct riad_inode orphan = make_inode(30, S_IFREG);
    struct findings findings;

    plant_tree(f);
    orphan.nlink = 0;
    riad_change_put_inode(fixture_begin(f), &orphan);
    fixture_apply(f);
    fixture_close(f);
    fixture_tamper(f,
            "PRAGMA writable_schema = ON; CREATE TEMP TABLE roots AS SELECT name, rootpage "
            "FROM sqlite_schema WHERE name IN ('inode_mark', 'inode_orphan'); "
            "UPDATE sqlite_schema AS s SET rootpage = (SELECT roots.rootpage FROM roots WHERE "
            "roots.name <> s.name) WHERE name IN (SELECT name FROM roots)");
    assert_int_equal(riad_index_open(f->directory.path, f->keys, &f->index), 0);
    check(f, &findings);
    assert_non_null(strstr(findings.text, "The database is damaged:"));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rows_are_complete),
        TEST(loading_gives_the_same_rows),
        TEST(snapshots_stand_still),
        TEST(extents_by_place),
        TEST(sound_trees_have_no_findings),
        TEST(the_check_finds_what_is_planted),
        TEST(cycles_are_found),
        TEST(damaged_trees_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
