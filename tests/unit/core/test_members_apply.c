/* Access lists in step with the members of a workspace. */
#include <errno.h>
#include <sys/xattr.h>

#include "lists.h"
#include "members_priv.h"
#include "rows.h"

/* alice (1000) owns all that is made here; bob 1001, carol 1002, dave 1003. */
#define BOTH_LIST "u::7 u:1000:7 u:1001:5 g::0 m::7 o::0" /* alice writes, bob reads */

static void set_list(struct bench *bench, uint64_t inode, const char *name, const char *text)
{
    struct riad_acl acl = acl_of(text);
    uint8_t value[RIAD_ACL_SIZE_MAX];
    size_t size = riad_acl_encode(&acl, value);

    assert_int_equal(riad_setxattr(bench->workspace, &alice, inode, name, value, size, 0), 0);
}

static void change_mode(struct bench *bench, uint64_t inode, uint32_t mode)
{
    struct riad_inode values = { .mode = mode }, row;

    assert_int_equal(
            riad_setattr(bench->workspace, &alice, inode, RIAD_SET_MODE, &values, &row), 0);
}

/* Members as "1000w 1001r". */
static void set_members(struct bench *bench, const char *text)
{
    struct riad_member_standing members[8];
    size_t count = 0;

    for (char *end; *text; text = end + 1 + (end[1] == ' ')) {
        members[count].uid = (uint32_t)strtoul(text, &end, 10);
        members[count++].standing = *end == 'w' ? RIAD_STANDING_WRITER : RIAD_STANDING_READER;
    }
    assert_int_equal(riad_members_set(bench->workspace, members, count, NULL), 0);
}

static uint64_t apply(struct bench *bench)
{
    uint64_t changed = 77;

    assert_int_equal(riad_members_apply(bench->workspace, &changed), 0);
    return changed;
}

static void assert_root(struct bench *bench, const char *list)
{
    struct riad_inode row = attributes(bench->workspace, 1);

    assert_int_equal(row.uid, 0);
    assert_int_equal(row.gid, 0);
    assert_int_equal(row.mode, S_IFDIR | 0770);
    assert_list(bench, 1, RIAD_ACL_ACCESS, list);
    assert_list(bench, 1, RIAD_ACL_DEFAULT, list);
}

static void an_unguarded_workspace_is_left_alone(void **state)
{
    struct bench *bench = *state;
    struct rows before = rows_of(bench->workspace), after;

    assert_int_equal(apply(bench), 0);
    after = rows_of(bench->workspace);
    assert_same_rows(&before, &after);
}

static void the_root_is_the_members(void **state)
{
    struct bench *bench = *state;
    struct riad_inode row;

    change_mode(bench, 1, 03755);
    set_members(bench, "1001r 1000w");
    assert_int_equal(apply(bench), 1);
    assert_root(bench, BOTH_LIST);
    assert_int_equal(apply(bench), 0);
    assert_int_equal(riad_mkdir(bench->workspace, &alice, 1, "d", 0777, &row), 0);
    assert_list(bench, row.inode, RIAD_ACL_ACCESS, BOTH_LIST);
    assert_list(bench, row.inode, RIAD_ACL_DEFAULT, BOTH_LIST);
    set_members(bench, "");
    assert_int_equal(apply(bench), 2);
    assert_root(bench, "u::7 g::0 m::7 o::0");
    assert_list(bench, row.inode, RIAD_ACL_ACCESS, "u::7 g::0 m::7 o::0");
    assert_list(bench, row.inode, RIAD_ACL_DEFAULT, "u::7 g::0 m::7 o::0");
    assert_int_equal(apply(bench), 0);
}

static void what_is_there_is_brought_in_step(void **state)
{
    struct bench *bench = *state;
    struct riad_workspace *workspace = bench->workspace;
    uint64_t directory, private, program, shared, plain, minimal;
    struct riad_inode link;
    struct rows before, after;
    struct timespec old, now;

    set_members(bench, "1000w 1001r");
    assert_int_equal(apply(bench), 1);
    directory = make_directory(workspace, 1, "d");
    private = make_file(workspace, directory, "private");
    change_mode(bench, private, 0600);
    program = make_file(workspace, directory, "program");
    change_mode(bench, program, 0750);
    shared = make_file(workspace, directory, "shared");
    set_list(
            bench, shared, RIAD_ACL_ACCESS, "u::6 u:1003:6 u:1000:0 u:1001:7 g::4 g:8:4 m::6 o::4");
    plain = make_file(workspace, 1, "plain");
    set_list(bench, plain, RIAD_ACL_ACCESS, "u::6 g::4 o::0");
    minimal = make_directory(workspace, 1, "minimal");
    set_list(bench, minimal, RIAD_ACL_ACCESS, "u::7 g::5 o::0");
    set_list(bench, minimal, RIAD_ACL_DEFAULT, "u::7 g::5 o::0");
    assert_int_equal(riad_symlink(workspace, &alice, 1, "link", "d", &link), 0);
    assert_int_equal(riad_setxattr(workspace, &alice, link.inode, "trusted.a", "x", 1, 0), 0);
    assert_int_equal(riad_setxattr(workspace, &alice, plain, "user.a", "x", 1, 0), 0);
    old = attributes(workspace, plain).ctime;

    set_members(bench, "1000r 1002w"); /* alice may only read now, bob is gone, carol is new */
    assert_int_equal(apply(bench), 5);
    assert_root(bench, "u::7 u:1000:5 u:1002:7 g::0 m::7 o::0");
    assert_list(bench, directory, RIAD_ACL_ACCESS, "u::7 u:1000:5 u:1002:7 g::0 m::5 o::0");
    assert_list(bench, directory, RIAD_ACL_DEFAULT, "u::7 u:1000:5 u:1002:7 g::0 m::7 o::0");
    assert_list(bench, private, RIAD_ACL_ACCESS, "u::6 u:1000:4 u:1002:6 g::0 m::0 o::0");
    assert_int_equal(attributes(workspace, private).mode, S_IFREG | 0600);
    assert_list(bench, program, RIAD_ACL_ACCESS, "u::7 u:1000:5 u:1002:7 g::0 m::5 o::0");
    assert_list(
            bench, shared, RIAD_ACL_ACCESS, "u::6 u:1000:4 u:1002:6 u:1003:6 g::4 g:8:4 m::6 o::4");
    assert_list(bench, plain, RIAD_ACL_ACCESS, NULL);
    assert_list(bench, minimal, RIAD_ACL_ACCESS, NULL);
    assert_list(bench, minimal, RIAD_ACL_DEFAULT, "u::7 g::5 o::0");
    now = attributes(workspace, plain).ctime;
    assert_memory_equal(&now, &old, sizeof old);

    before = rows_of(workspace);
    assert_int_equal(apply(bench), 0);
    after = rows_of(workspace);
    assert_same_rows(&before, &after);
}

/* ctime tells of it, as of setfacl. */
static void ctime_moves_with_a_list_only(void **state)
{
    struct bench *bench = *state;
    uint64_t file, kept;
    struct riad_inode before, after;

    set_members(bench, "1000w");
    apply(bench);
    file = make_file(bench->workspace, 1, "f");
    kept = make_file(bench->workspace, 1, "kept");
    set_list(bench, kept, RIAD_ACL_ACCESS, "u::6 u:1000:6 u:1001:6 g::0 m::4 o::0");
    before = attributes(bench->workspace, file);
    after = attributes(bench->workspace, kept);
    set_members(bench, "1000w 1001w");
    assert_int_equal(apply(bench), 2);
    assert_int_equal(attributes(bench->workspace, kept).version, after.version);
    after = attributes(bench->workspace, file);
    assert_memory_not_equal(&after.ctime, &before.ctime, sizeof after.ctime);
    assert_memory_equal(&after.mtime, &before.mtime, sizeof after.mtime);
}

/* As a crash leaves it: the directory with the lower number has its new lists, the file and the
 * root have not, and the root still tells who was a member. */
static void what_a_crash_left_is_finished(void **state)
{
    struct bench *bench = *state;
    struct riad_workspace *workspace = bench->workspace;
    uint64_t directory = make_directory(workspace, 1, "d"), file = make_file(workspace, 1, "f");
    uint64_t version;

    set_list(bench, 1, RIAD_ACL_DEFAULT, "u::7 u:1000:7 u:1002:7 g::0 m::7 o::0");
    set_list(bench, directory, RIAD_ACL_ACCESS, "u::7 u:1000:7 u:1001:7 g::0 m::7 o::0");
    set_list(bench, file, RIAD_ACL_ACCESS, "u::6 u:1000:6 u:1002:6 u:1003:6 g::0 m::6 o::0");
    version = attributes(workspace, directory).version;
    set_members(bench, "1000w 1001w");
    assert_int_equal(apply(bench), 2);
    assert_int_equal(attributes(workspace, directory).version, version);
    assert_list(bench, file, RIAD_ACL_ACCESS, "u::6 u:1000:6 u:1001:6 u:1003:6 g::0 m::6 o::0");
    assert_root(bench, "u::7 u:1000:7 u:1001:7 g::0 m::7 o::0");
    assert_int_equal(apply(bench), 0);
}

static void it_survives_opening_and_replay(void **state)
{
    struct bench *bench = *state;
    uint64_t directory;
    struct rows before, after;

    set_members(bench, "1000w 1001w");
    apply(bench);
    directory = make_directory(bench->workspace, 1, "d");
    set_members(bench, "1000w 1001r");
    assert_int_equal(apply(bench), 2);
    before = rows_of(bench->workspace);
    fixture_close(bench->workspace);
    fixture_forget(&bench->fixture);
    bench->workspace = fixture_open(&bench->fixture);
    after = rows_of(bench->workspace);
    assert_same_rows(&before, &after);
    assert_false(riad_members_guarded(bench->workspace));
    set_members(bench, "1000w 1001r");
    assert_int_equal(apply(bench), 0);
    assert_root(bench, BOTH_LIST);
    assert_list(bench, directory, RIAD_ACL_DEFAULT, BOTH_LIST);
}

static void assert_event(struct bench *bench, const char *expected)
{
    struct riad_workspace_status status;

    assert_int_equal(riad_workspace_status(bench->workspace, &status), 0);
    assert_string_equal(status.event, expected);
}

/* A file whose block for xattrs is full to the last byte with this list and what fills it up. */
static uint64_t make_full(struct bench *bench, const char *name, const char *list)
{
    uint64_t file = make_file(bench->workspace, 1, name);
    uint8_t filler[RIAD_BLOCK_SIZE] = { 0 };

    set_list(bench, file, RIAD_ACL_ACCESS, list);
    assert_int_equal(riad_setxattr(bench->workspace, &alice, file, "user.a", filler,
                             RIAD_BLOCK_SIZE - strlen("user.a") -
                                     attributes(bench->workspace, file).xattr_bytes,
                             0),
            0);
    assert_int_equal(attributes(bench->workspace, file).blocks, 1);
    return file;
}

/* Without room a longer list is not put; but who is no member any more loses his place at once, and
 * root gets its list. */
static void the_limit_leaves_longer_lists_out(void **state)
{
    static const char *const list = "u::6 u:1000:6 u:1001:6 g::0 m::6 o::0";
    struct bench *bench = *state;
    uint64_t full = make_full(bench, "full", list), changing = make_full(bench, "other", list);
    struct riad_usage usage;

    set_list(bench, changing, RIAD_ACL_ACCESS, "u::6 u:1000:6 g::0 m::6 o::0");
    usage = usage_of(bench->workspace);
    bench_limit(bench, usage.blocks, 0);
    set_members(bench, "1000w 1002w");
    assert_int_equal(apply(bench), 2);
    assert_list(bench, full, RIAD_ACL_ACCESS, list);
    assert_list(bench, changing, RIAD_ACL_ACCESS, "u::6 u:1000:6 u:1002:6 g::0 m::6 o::0");
    assert_root(bench, "u::7 u:1000:7 u:1002:7 g::0 m::7 o::0");
    assert_int_equal(usage_of(bench->workspace).blocks, usage.blocks + 1);
    assert_event(bench, "the access lists of 1 inodes do not name all 2 members: there is no room");
    set_members(bench, "1002r");
    assert_int_equal(apply(bench), 3); /* it is no longer than before */
    assert_list(bench, full, RIAD_ACL_ACCESS, "u::6 u:1001:6 u:1002:4 g::0 m::6 o::0");
    assert_root(bench, "u::7 u:1002:5 g::0 m::7 o::0");
    assert_int_equal(usage_of(bench->workspace).blocks, usage.blocks + 1);
}

/* Two lists that each fit, but not both: the limit is not passed by their sum. */
static void both_lists_are_charged_together(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    uint8_t filler[2 * RIAD_BLOCK_SIZE] = { 0 };
    struct riad_usage usage;

    set_list(bench, directory, RIAD_ACL_ACCESS, "u::7 g::0 m::7 o::0");
    set_list(bench, directory, RIAD_ACL_DEFAULT, "u::7 g::0 m::7 o::0");
    assert_int_equal(riad_setxattr(bench->workspace, &alice, directory, "user.a", filler,
                             RIAD_BLOCK_SIZE - 8 - strlen("user.a") -
                                     attributes(bench->workspace, directory).xattr_bytes,
                             0),
            0);
    usage = usage_of(bench->workspace);
    assert_int_equal(attributes(bench->workspace, directory).blocks, 2);
    bench_limit(bench, usage.blocks, 0);
    set_members(bench, "1000w");
    assert_int_equal(apply(bench), 1);
    assert_list(bench, directory, RIAD_ACL_ACCESS, "u::7 g::0 m::7 o::0");
    assert_list(bench, directory, RIAD_ACL_DEFAULT, "u::7 g::0 m::7 o::0");
    assert_int_equal(usage_of(bench->workspace).blocks, usage.blocks + 1);
}

static void fill_members(struct bench *bench, size_t count)
{
    struct riad_member_standing members[RIAD_MEMBERS_MAX];

    for (uint32_t i = 0; i < count; i++) {
        members[i] = (struct riad_member_standing){ 20000 + i, RIAD_STANDING_WRITER };
    }
    assert_int_equal(riad_members_set(bench->workspace, members, count, NULL), 0);
}

/* A kernel reads lists of 511 entries: 8 foreign users and a group are one too many. */
static void there_is_room_for_all_members(void **state)
{
    static const char *const crowded =
            "u::7 u:1:7 u:2:7 u:3:7 u:4:7 u:5:7 u:6:7 u:7:7 g::0 g:9:7 m::7 o::0";
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d"), file;
    uint8_t *value = NULL;
    size_t size = 0;

    set_list(bench, directory, RIAD_ACL_ACCESS, crowded);
    file = make_file(bench->workspace, directory, "f");
    set_list(bench, file, RIAD_ACL_ACCESS, "u::7 g::0 g:8:7 g:9:7 m::7 o::0");
    fill_members(bench, RIAD_MEMBERS_MAX);
    assert_int_equal(apply(bench), 2);
    assert_list(bench, directory, RIAD_ACL_ACCESS, crowded);
    assert_int_equal(riad_getxattr(bench->workspace, file, RIAD_ACL_ACCESS, &value, &size), 0);
    assert_int_equal(size, 4 + 8 * (RIAD_MEMBERS_MAX + 6));
    free(value);
    assert_int_equal(apply(bench), 0);
    fill_members(bench, RIAD_MEMBERS_MAX - 1);
    assert_int_equal(apply(bench), 3);
    assert_int_equal(riad_getxattr(bench->workspace, directory, RIAD_ACL_ACCESS, &value, &size), 0);
    assert_int_equal(size, 4 + 8 * RIAD_ACL_ENTRIES_MAX);
    free(value);
}

/* More than one batch, files without lists between. */
static void many_inodes_are_all_reached(void **state)
{
    enum { FILES = 300 };
    struct bench *bench = *state;
    uint64_t files[FILES];

    for (int i = 0; i < FILES; i++) {
        char name[16];

        snprintf(name, sizeof name, "%d", i);
        files[i] = make_file(bench->workspace, 1, name);
        if (i % 3) {
            set_list(bench, files[i], RIAD_ACL_ACCESS, "u::6 u:1003:6 g::0 m::6 o::0");
        }
    }
    set_members(bench, "1000w");
    assert_int_equal(apply(bench), FILES / 3 * 2 + 1);
    for (int i = 0; i < FILES; i++) {
        assert_list(bench, files[i], RIAD_ACL_ACCESS,
                i % 3 ? "u::6 u:1000:6 u:1003:6 g::0 m::6 o::0" : NULL);
    }
}

enum { MADE_MAX = 4000 };

struct maker {
    struct riad_workspace *workspace;
    uint64_t directory;
    _Atomic uint64_t last; /* number of what was made last */
    _Atomic bool ended;
};

static void *make(void *argument)
{
    struct maker *maker = argument;
    struct riad_inode row = { .inode = 0 };

    for (int i = 0; i < MADE_MAX && !atomic_load(&maker->ended); i++) {
        char name[16];
        int r;

        usleep(1); /* else most of the time goes by with what was made */
        snprintf(name, sizeof name, "%d", i);
        r = riad_mkdir(maker->workspace, &alice, maker->directory, name, 0777, &row);
        if (r < 0) {
            break;
        }
        atomic_store(&maker->last, row.inode);
    }
    return NULL;
}

static void await_more(struct maker *maker)
{
    uint64_t last = atomic_load(&maker->last);

    while (atomic_load(&maker->last) < last + 20 && last < MADE_MAX) {
        sched_yield();
    }
}

/* Whatever is made while lists change has them, in the end: in the root too, whose list comes last.
 */
static void what_is_made_meanwhile_is_reached(void **state)
{
    struct bench *bench = *state;
    struct maker maker = { .workspace = bench->workspace, .directory = 1 };
    uint64_t first;
    pthread_t thread;

    set_members(bench, "1000w 1001w");
    apply(bench);
    first = make_directory(bench->workspace, 1, "first");
    atomic_store(&maker.last, first);
    assert_int_equal(pthread_create(&thread, NULL, make, &maker), 0);
    for (int i = 0; i < 20; i++) {
        set_members(bench, i % 2 ? "1000w 1001w" : "1000w 1002r");
        apply(bench);
        await_more(&maker);
    }
    set_members(bench, "1000w 1001r");
    apply(bench);
    await_more(&maker);
    atomic_store(&maker.ended, true);
    pthread_join(thread, NULL);
    for (uint64_t inode = first + 1; inode <= atomic_load(&maker.last); inode++) {
        assert_list(bench, inode, RIAD_ACL_ACCESS, BOTH_LIST);
        assert_list(bench, inode, RIAD_ACL_DEFAULT, BOTH_LIST);
    }
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(an_unguarded_workspace_is_left_alone),
        BENCH(the_root_is_the_members),
        BENCH(what_is_there_is_brought_in_step),
        BENCH(ctime_moves_with_a_list_only),
        BENCH(what_a_crash_left_is_finished),
        BENCH(it_survives_opening_and_replay),
        BENCH(the_limit_leaves_longer_lists_out),
        BENCH(both_lists_are_charged_together),
        BENCH(there_is_room_for_all_members),
        BENCH(many_inodes_are_all_reached),
        BENCH(what_is_made_meanwhile_is_reached),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
