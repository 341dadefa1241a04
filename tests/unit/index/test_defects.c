/* Rows that do not fit, each kind told by itself. */
#include "riad/defects.h"

#include "index/fixture.h"

struct told {
    struct riad_defect defects[8];
    size_t count;
};

static int note(void *context, const struct riad_defect *defect)
{
    struct told *told = context;

    assert_true(told->count < 8);
    told->defects[told->count++] = *defect;
    return 0;
}

static struct told tell(struct fixture *f, enum riad_defect_kind kind)
{
    struct riad_snapshot *snapshot = NULL;
    struct told told = { .count = 0 };

    assert_int_equal(riad_snapshot_take(f->index, &snapshot), 0);
    assert_int_equal(riad_snapshot_defects(snapshot, kind, note, &told), 0);
    riad_snapshot_free(snapshot);
    return told;
}

/* A root, a directory 2 in it, a file 3 in that, of one block. */
static void plant(struct fixture *f)
{
    struct riad_inode root = make_inode(RIAD_ROOT_INODE, S_IFDIR | 0755);
    struct riad_inode directory = make_inode(2, S_IFDIR | 0755);
    struct riad_inode file = make_inode(3, S_IFREG | 0644);
    struct riad_dentry down = make_dentry(1, 3, 2, DT_DIR, "down");
    struct riad_dentry inside = make_dentry(2, 3, 3, DT_REG, "file");
    struct riad_extent extent = make_extent(3, 0, UNIT, 9, 0);

    root.nlink = 3;
    root.next_cookie = directory.next_cookie = 4;
    file.parent = 2;
    file.blocks = 1;
    riad_change_put_inode(fixture_begin(f), &root);
    riad_change_put_inode(&f->change, &directory);
    riad_change_put_inode(&f->change, &file);
    riad_change_put_dentry(&f->change, &down);
    riad_change_put_dentry(&f->change, &inside);
    riad_change_put_extent(&f->change, &extent);
    fixture_apply(f);
}

static void assert_only(struct fixture *f, enum riad_defect_kind kind, size_t count)
{
    for (enum riad_defect_kind other = RIAD_DEFECT_ENTRY; other <= RIAD_DEFECT_STRAY; other++) {
        assert_int_equal(tell(f, other).count, other == kind ? count : 0);
    }
}

static void sound_rows_have_none(void **state)
{
    plant(*state);
    assert_only(*state, RIAD_DEFECT_ROW, 0);
    assert_int_equal(tell(*state, RIAD_DEFECT_ROW).count, 0);
}

static void an_entry_of_a_missing_inode(void **state)
{
    struct fixture *f = *state;
    struct riad_dentry lost = make_dentry(1, 4, 70, DT_REG, "lost");
    struct riad_dentry other = make_dentry(1, 5, 3, DT_LNK, "other type");
    struct told told;

    plant(f);
    riad_change_put_dentry(fixture_begin(f), &lost);
    riad_change_put_dentry(&f->change, &other);
    fixture_apply(f);
    told = tell(f, RIAD_DEFECT_ENTRY);
    assert_int_equal(told.count, 2);
    assert_true(told.defects[0].inode_missing && told.defects[1].inode_missing);
    assert_string_equal(told.defects[0].dentry.name, "lost");
    assert_only(f, RIAD_DEFECT_ENTRY, 2);
}

/* What lies in a directory that is gone has no name when its entry is dropped. */
static void an_entry_in_a_missing_directory(void **state)
{
    struct fixture *f = *state;
    struct riad_dentry stray = make_dentry(80, 3, 3, DT_REG, "stray");
    struct told told;

    plant(f);
    riad_change_put_dentry(fixture_begin(f), &stray);
    fixture_apply(f);
    told = tell(f, RIAD_DEFECT_ENTRY);
    assert_int_equal(told.count, 1);
    assert_false(told.defects[0].inode_missing);
    assert_int_equal(told.defects[0].dentry.parent, 80);
}

/* That one stays which the directory's row calls its parent's, and there the latest. */
static void a_directory_with_several_names(void **state)
{
    struct fixture *f = *state;
    struct riad_inode second = make_inode(4, S_IFDIR | 0755);
    struct riad_dentry place = make_dentry(1, 4, 4, DT_DIR, "second");
    struct riad_dentry again = make_dentry(1, 5, 2, DT_DIR, "renamed");
    struct riad_dentry elsewhere = make_dentry(4, 3, 2, DT_DIR, "moved");
    struct told told;

    plant(f);
    riad_change_put_inode(fixture_begin(f), &second);
    riad_change_put_dentry(&f->change, &place);
    riad_change_put_dentry(&f->change, &again);
    riad_change_put_dentry(&f->change, &elsewhere);
    fixture_apply(f);
    told = tell(f, RIAD_DEFECT_ENTRY);
    assert_int_equal(told.count, 2);
    assert_string_equal(told.defects[0].dentry.name, "down");
    assert_string_equal(told.defects[1].dentry.name, "moved");
}

static void an_inode_without_a_name(void **state)
{
    struct fixture *f = *state;
    struct riad_inode file = make_inode(9, S_IFREG | 0600);
    struct riad_inode open = make_inode(10, S_IFREG | 0600);
    struct told told;

    plant(f);
    open.nlink = 0; /* deleted, and still open: sound */
    riad_change_put_inode(fixture_begin(f), &file);
    riad_change_put_inode(&f->change, &open);
    fixture_apply(f);
    told = tell(f, RIAD_DEFECT_UNNAMED);
    assert_int_equal(told.count, 1);
    assert_inode_equal(&told.defects[0].inode, &file);
    assert_only(f, RIAD_DEFECT_UNNAMED, 1);
}

static void directories_in_a_circle(void **state)
{
    struct fixture *f = *state;
    struct riad_inode one = make_inode(20, S_IFDIR | 0755);
    struct riad_inode two = make_inode(21, S_IFDIR | 0755);
    struct riad_dentry down = make_dentry(20, 3, 21, DT_DIR, "two");
    struct riad_dentry up = make_dentry(21, 3, 20, DT_DIR, "one");

    plant(f);
    one.parent = 21;
    two.parent = 20;
    riad_change_put_inode(fixture_begin(f), &one);
    riad_change_put_inode(&f->change, &two);
    riad_change_put_dentry(&f->change, &down);
    riad_change_put_dentry(&f->change, &up);
    fixture_apply(f);
    assert_int_equal(tell(f, RIAD_DEFECT_UNREACHED).defects[0].dentry.inode, 20);
    assert_only(f, RIAD_DEFECT_UNREACHED, 1);
}

static void rows_of_a_missing_inode(void **state)
{
    struct fixture *f = *state;
    struct riad_extent extent = make_extent(30, 0, UNIT, 9, 8192);
    struct told told;

    plant(f);
    riad_change_put_extent(fixture_begin(f), &extent);
    riad_change_put_symlink(&f->change, 31, "target");
    fixture_apply(f);
    told = tell(f, RIAD_DEFECT_STRAY);
    assert_int_equal(told.count, 2);
    assert_int_equal(told.defects[0].inode.inode, 30);
    assert_int_equal(told.defects[1].inode.inode, 31);
}

static void rows_that_count_otherwise(void **state)
{
    struct fixture *f = *state;
    struct riad_inode root = make_inode(RIAD_ROOT_INODE, S_IFDIR | 0755);
    struct riad_inode file = make_inode(3, S_IFREG | 0644);
    struct riad_inode link = make_inode(4, S_IFLNK | 0777);
    struct riad_dentry place = make_dentry(1, 7, 4, DT_LNK, "link");
    struct told told;

    plant(f);
    root.nlink = 9;
    file.parent = 2;
    file.blocks = 5;
    riad_change_put_inode(fixture_begin(f), &root);
    riad_change_put_inode(&f->change, &file);
    riad_change_put_inode(&f->change, &link);
    riad_change_put_dentry(&f->change, &place);
    fixture_apply(f);
    told = tell(f, RIAD_DEFECT_ROW);
    assert_int_equal(told.count, 3);
    assert_int_equal(told.defects[0].inode.nlink, 3);
    assert_int_equal(told.defects[0].inode.next_cookie, 8);
    assert_int_equal(told.defects[1].inode.blocks, 1);
    assert_int_equal(told.defects[1].blocks_kept, 5);
    assert_true(told.defects[2].target_missing);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sound_rows_have_none),
        TEST(an_entry_of_a_missing_inode),
        TEST(an_entry_in_a_missing_directory),
        TEST(a_directory_with_several_names),
        TEST(an_inode_without_a_name),
        TEST(directories_in_a_circle),
        TEST(rows_of_a_missing_inode),
        TEST(rows_that_count_otherwise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
