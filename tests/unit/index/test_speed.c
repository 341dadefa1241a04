/* Prints what the operations of the hot path cost here, in CPU time. Asserts results, not times. */
#include "index/fixture.h"

enum { FILES = 20000, PER_COMMIT = 200 };

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void name_of(int i, char ret[32])
{
    snprintf(ret, 32, "file-%06d.txt", i);
}

static void build_create(struct fixture *f, int i)
{
    struct riad_inode root = make_inode(RIAD_ROOT_INODE, S_IFDIR | 0755);
    struct riad_inode row = make_inode((uint64_t)i + 2, S_IFREG | 0644);
    struct riad_dentry dentry;
    char name[32];

    name_of(i, name);
    dentry = make_dentry(1, (uint64_t)i + 3, row.inode, DT_REG, name);
    root.next_cookie = dentry.cookie + 1;
    fixture_begin(f);
    riad_change_put_inode(&f->change, &row);
    riad_change_put_dentry(&f->change, &dentry);
    riad_change_put_inode(&f->change, &root);
}

static void build_write(struct fixture *f, int i)
{
    struct riad_inode row = make_inode((uint64_t)i + 2, S_IFREG | 0644);
    struct riad_extent extent = make_extent(row.inode, 0, UNIT, f->end.segment, 64);

    row.blocks = 1;
    fixture_begin(f);
    riad_change_put_extent(&f->change, &extent);
    riad_change_put_inode(&f->change, &row);
}

static void build_unlink(struct fixture *f, int i)
{
    fixture_begin(f);
    riad_change_remove_dentry(&f->change, 1, (uint64_t)i + 3);
    riad_change_remove_inode(&f->change, (uint64_t)i + 2);
}

/* Time of the applies alone, and with the commits, in us for each. */
static void time_changes(struct fixture *f, const char *what, void (*build)(struct fixture *, int))
{
    double applying = 0;
    double committing = 0;

    for (int i = 0; i < FILES; i++) {
        struct riad_reader operations;
        double start;

        build(f, i);
        riad_reader_init(&operations, f->change.operations.data, f->change.operations.size);
        f->end.offset += 100;
        start = now();
        assert_int_equal(riad_index_apply(f->index, &operations, &f->end, f->end.offset - 100), 0);
        applying += now() - start;
        if (i % PER_COMMIT == 0) {
            start = now();
            fixture_commit(f);
            committing += now() - start;
        }
    }
    print_message(
            "%-12s %6.2f us, and %.2f us of commits\n", what, applying / FILES, committing / FILES);
}

static int count_entry(
        void *context, const struct riad_dentry *dentry, const struct riad_inode *inode)
{
    assert_int_equal(dentry->inode, inode->inode);
    ++*(int *)context;
    return 0;
}

static void time_reads(struct fixture *f)
{
    struct riad_dentry dentry;
    struct riad_inode row;
    double start = now();
    int entries = 0;

    for (int i = 0; i < FILES; i++) {
        char name[32];

        name_of(i, name);
        assert_int_equal(riad_index_lookup(f->index, 1, name, strlen(name), &dentry), 0);
    }
    print_message("%-12s %6.2f us\n", "lookup", (now() - start) / FILES);
    start = now();
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(riad_index_get_inode(f->index, (uint64_t)i + 2, &row), 0);
    }
    print_message("%-12s %6.2f us\n", "get, cold", (now() - start) / FILES);
    start = now();
    for (int i = 0; i < FILES; i++) {
        assert_int_equal(riad_index_get_inode(f->index, (uint64_t)(i % 8) + 2, &row), 0);
    }
    print_message("%-12s %6.2f us\n", "get, cached", (now() - start) / FILES);
    start = now();
    assert_int_equal(riad_index_list(f->index, 1, 0, count_entry, &entries), 0);
    print_message("%-12s %6.2f us an entry\n", "list", (now() - start) / FILES);
    assert_int_equal(entries, FILES);
}

static void speed(void **state)
{
    struct fixture *f = *state;

    fixture_plant_root(f);
    time_changes(f, "create", build_create);
    time_changes(f, "write", build_write);
    fixture_commit(f);
    time_reads(f);
    assert_usage(f, FILES + 1, FILES + 1);
    time_changes(f, "unlink", build_unlink);
    assert_usage(f, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(speed, fixture_set_up, fixture_tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
