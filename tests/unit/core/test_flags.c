/* Inode flags: kept, inherited, and what immutable and append-only forbid, operation by operation.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/falloc.h>

#include "operations.h"

enum { SIZE = 5000, BULK = 200000 };

/* What an operation is tried on: a directory with the files f and g (SIZE bytes each) and the empty
 * directory sub, and a file x in the root. */
struct stage {
    struct riad_workspace *workspace;
    uint64_t directory, file, other, outside;
};

static int set_values(const struct stage *stage, uint64_t inode, uint32_t mask)
{
    struct riad_inode values = { .mode = 0600, .uid = 5, .size = 10, .mtime = { 1, 2 } }, row;

    return riad_setattr(stage->workspace, &alice, inode, mask, &values, &row);
}

static int write_at(const struct stage *stage, uint64_t offset, uint32_t size)
{
    static const uint8_t data[BULK];
    uint32_t done;

    return riad_write(stage->workspace, &alice, stage->file, offset, data, size, &done);
}

static int overwrite(const struct stage *stage)
{
    return write_at(stage, SIZE - 1, 1);
}

static int append(const struct stage *stage)
{
    return write_at(stage, SIZE, 1);
}

static int append_much(const struct stage *stage)
{
    return write_at(stage, SIZE, BULK);
}

static int overwrite_much(const struct stage *stage)
{
    return write_at(stage, 0, BULK);
}

static int write_past_the_end(const struct stage *stage)
{
    return write_at(stage, SIZE + 1, 1);
}

static int read_back(const struct stage *stage)
{
    uint8_t data[SIZE];
    uint32_t done;

    return riad_read(stage->workspace, stage->file, 0, SIZE, data, &done);
}

static int truncate_it(const struct stage *stage)
{
    return set_values(stage, stage->file, RIAD_SET_SIZE);
}

static int change_mode(const struct stage *stage)
{
    return set_values(stage, stage->file, RIAD_SET_MODE);
}

static int change_owner(const struct stage *stage)
{
    return set_values(stage, stage->file, RIAD_SET_UID);
}

static int set_time(const struct stage *stage)
{
    return set_values(stage, stage->file, RIAD_SET_MTIME);
}

static int set_one_time_to_now(const struct stage *stage)
{
    return set_values(stage, stage->file, RIAD_SET_ATIME_NOW);
}

static int touch(const struct stage *stage)
{
    return set_values(stage, stage->file, RIAD_SET_ATIME_NOW | RIAD_SET_MTIME_NOW);
}

static int set_xattr(const struct stage *stage)
{
    return riad_setxattr(stage->workspace, &alice, stage->file, "user.new", "v", 1, 0);
}

static int remove_xattr(const struct stage *stage)
{
    return riad_removexattr(stage->workspace, &alice, stage->file, "user.old");
}

static int allocate(const struct stage *stage)
{
    return riad_fallocate(stage->workspace, &alice, stage->file, 0, 0, BULK);
}

static int punch(const struct stage *stage)
{
    return riad_fallocate(stage->workspace, &alice, stage->file,
            FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, SIZE);
}

static int zero(const struct stage *stage)
{
    return riad_fallocate(stage->workspace, &alice, stage->file, FALLOC_FL_ZERO_RANGE, 0, SIZE);
}

static int copy(const struct stage *stage, uint64_t from, uint64_t to)
{
    uint64_t done;

    return riad_copy_range(stage->workspace, &alice, from, 0, to, SIZE, SIZE, &done);
}

static int copy_into(const struct stage *stage)
{
    return copy(stage, stage->other, stage->file);
}

static int copy_from(const struct stage *stage)
{
    return copy(stage, stage->file, stage->other);
}

static int link_elsewhere(const struct stage *stage)
{
    struct riad_inode row;

    return riad_link(stage->workspace, &alice, stage->file, 1, "new", &row);
}

static int link_into(const struct stage *stage)
{
    struct riad_inode row;

    return riad_link(stage->workspace, &alice, stage->outside, stage->directory, "new", &row);
}

static int unlink_it(const struct stage *stage)
{
    return riad_unlink(stage->workspace, &alice, stage->directory, "f");
}

static int unlink_beside(const struct stage *stage)
{
    return riad_unlink(stage->workspace, &alice, stage->directory, "g");
}

static int remove_directory(const struct stage *stage)
{
    return riad_rmdir(stage->workspace, &alice, stage->directory, "sub");
}

static int rename_it(const struct stage *stage)
{
    return riad_rename(stage->workspace, &alice, stage->directory, "f", stage->directory, "new", 0);
}

static int rename_over(const struct stage *stage)
{
    return riad_rename(stage->workspace, &alice, 1, "x", stage->directory, "f", 0);
}

static int rename_into(const struct stage *stage)
{
    return riad_rename(stage->workspace, &alice, 1, "x", stage->directory, "new", 0);
}

static int rename_out(const struct stage *stage)
{
    return riad_rename(stage->workspace, &alice, stage->directory, "g", 1, "new", 0);
}

static int exchange(const struct stage *stage)
{
    return riad_rename(stage->workspace, &alice, 1, "x", stage->directory, "f", RENAME_EXCHANGE);
}

static int make_node(const struct stage *stage)
{
    struct riad_inode row;

    return riad_mknod(stage->workspace, &alice, stage->directory, "new", S_IFREG, 0, &row);
}

static int make_sub(const struct stage *stage)
{
    struct riad_inode row;

    return riad_mkdir(stage->workspace, &alice, stage->directory, "new", 0700, &row);
}

static int make_symlink(const struct stage *stage)
{
    struct riad_inode row;

    return riad_symlink(stage->workspace, &alice, stage->directory, "new", "x", &row);
}

static int make_unnamed(const struct stage *stage)
{
    struct riad_inode row;

    return riad_tmpfile(stage->workspace, &alice, stage->directory, 0600, true, &row);
}

static int change_mode_of_directory(const struct stage *stage)
{
    return set_values(stage, stage->directory, RIAD_SET_MODE);
}

static int set_xattr_of_directory(const struct stage *stage)
{
    return riad_setxattr(stage->workspace, &alice, stage->directory, "user.new", "v", 1, 0);
}

static int add_a_flag(const struct stage *stage)
{
    uint32_t flags = attributes(stage->workspace, stage->file).flags;

    return riad_set_flags(stage->workspace, &alice, stage->file, flags | RIAD_INODE_NODUMP);
}

enum { NO = -EPERM };

/* Which are refused while the file, or its directory, is immutable or append-only. */
static const struct {
    const char *name;
    int (*act)(const struct stage *stage);
    int immutable, appendable;
    int directory_immutable, directory_appendable;
} table[] = {
    { "overwrite", overwrite, NO, NO, 0, 0 },
    { "append", append, NO, 0, 0, 0 },
    { "append much", append_much, NO, 0, 0, 0 },
    { "overwrite much", overwrite_much, NO, NO, 0, 0 },
    { "write past the end", write_past_the_end, NO, NO, 0, 0 },
    { "read", read_back, 0, 0, 0, 0 },
    { "truncate", truncate_it, NO, NO, 0, 0 },
    { "chmod", change_mode, NO, NO, 0, 0 },
    { "chown", change_owner, NO, NO, 0, 0 },
    { "set a time", set_time, NO, NO, 0, 0 },
    { "set one time to now", set_one_time_to_now, NO, NO, 0, 0 },
    { "touch", touch, NO, 0, 0, 0 },
    { "setxattr", set_xattr, NO, NO, 0, 0 },
    { "removexattr", remove_xattr, NO, NO, 0, 0 },
    { "allocate", allocate, NO, 0, 0, 0 },
    { "punch", punch, NO, NO, 0, 0 },
    { "zero", zero, NO, NO, 0, 0 },
    { "copy into", copy_into, NO, NO, 0, 0 },
    { "copy from", copy_from, 0, 0, 0, 0 },
    { "link elsewhere", link_elsewhere, NO, NO, 0, 0 },
    { "link into", link_into, 0, 0, NO, 0 },
    { "unlink", unlink_it, NO, NO, NO, NO },
    { "unlink beside", unlink_beside, 0, 0, NO, NO },
    { "rmdir", remove_directory, 0, 0, NO, NO },
    { "rename", rename_it, NO, NO, NO, NO },
    { "rename over", rename_over, NO, NO, NO, NO },
    { "rename into", rename_into, 0, 0, NO, 0 },
    { "rename out", rename_out, 0, 0, NO, NO },
    { "exchange", exchange, NO, NO, NO, NO },
    { "mknod", make_node, 0, 0, NO, 0 },
    { "mkdir", make_sub, 0, 0, NO, 0 },
    { "symlink", make_symlink, 0, 0, NO, 0 },
    { "tmpfile", make_unnamed, 0, 0, NO, 0 },
    { "chmod of the directory", change_mode_of_directory, 0, 0, NO, NO },
    { "setxattr of the directory", set_xattr_of_directory, 0, 0, NO, NO },
    { "a flag more", add_a_flag, NO, 0, 0, 0 },
};

static void set_flags(struct riad_workspace *workspace, uint64_t inode, uint32_t flags)
{
    assert_int_equal(riad_set_flags(workspace, &alice, inode, flags), 0);
}

static struct stage make_stage(struct riad_workspace *workspace)
{
    struct stage stage = { .workspace = workspace };

    stage.directory = make_directory(workspace, 1, "d");
    stage.file = make_file(workspace, stage.directory, "f");
    stage.other = make_file(workspace, stage.directory, "g");
    stage.outside = make_file(workspace, 1, "x");
    make_directory(workspace, stage.directory, "sub");
    write_fill(workspace, stage.file, 0, 'f', SIZE);
    write_fill(workspace, stage.other, 0, 'g', SIZE);
    assert_int_equal(riad_setxattr(workspace, &alice, stage.file, "user.old", "v", 1, 0), 0);
    return stage;
}

static int remove_entry(
        void *context, const struct riad_dentry *entry, const struct riad_inode *row)
{
    struct riad_dentry *found = context;

    (void)row;
    *found = *entry;
    return 1;
}

/* Removes everything below the directory, flags or not. */
static void clear(struct riad_workspace *workspace, uint64_t directory)
{
    struct riad_dentry entry;

    set_flags(workspace, directory, 0);
    for (;;) {
        entry.inode = 0;
        assert_int_equal(riad_readdir(workspace, directory, 2, remove_entry, &entry), 0);
        if (entry.inode == 0) {
            return;
        }
        set_flags(workspace, entry.inode, 0);
        if (entry.type == DT_DIR) {
            clear(workspace, entry.inode);
            assert_int_equal(riad_rmdir(workspace, &alice, directory, entry.name), 0);
        } else {
            assert_int_equal(riad_unlink(workspace, &alice, directory, entry.name), 0);
        }
    }
}

/* On an own stage each; what is refused changes nothing. */
static void try(
        struct riad_workspace *workspace, size_t i, bool directory, uint32_t flags, int expected)
{
    struct stage stage = make_stage(workspace);
    uint64_t target = directory ? stage.directory : stage.file;
    struct riad_usage before;
    int r;

    set_flags(workspace, target, flags);
    before = usage_of(workspace);
    r = table[i].act(&stage);
    if (r != expected) {
        fail_msg("%s with flags %u of the %s: %d instead of %d", table[i].name, flags,
                directory ? "directory" : "file", r, expected);
    }
    if (r < 0) {
        struct riad_usage after = usage_of(workspace);

        assert_memory_equal(&before, &after, sizeof after);
    }
    clear(workspace, RIAD_ROOT_INODE);
}

static void flags_forbid_what_they_must(void **state)
{
    struct bench *bench = *state;

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        try(bench->workspace, i, false, 0, 0);
        try(bench->workspace, i, false, RIAD_INODE_NODUMP | RIAD_INODE_NOATIME, 0);
        try(bench->workspace, i, false, RIAD_INODE_IMMUTABLE, table[i].immutable);
        try(bench->workspace, i, false, RIAD_INODE_APPEND, table[i].appendable);
        try(bench->workspace, i, true, RIAD_INODE_IMMUTABLE, table[i].directory_immutable);
        try(bench->workspace, i, true, RIAD_INODE_APPEND, table[i].directory_appendable);
    }
}

static void flags_are_set_and_stay(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");
    struct riad_inode before = attributes(bench->workspace, file), after;

    assert_int_equal(riad_set_flags(bench->workspace, &alice, file, RIAD_INODE_FLAGS_KNOWN + 1),
            -EOPNOTSUPP);
    assert_int_equal(riad_set_flags(bench->workspace, &alice, 4711, 0), -ENOENT);
    set_flags(bench->workspace, file, RIAD_INODE_IMMUTABLE | RIAD_INODE_NODUMP);
    after = attributes(bench->workspace, file);
    assert_memory_equal(&after.mtime, &before.mtime, sizeof after.mtime);
    assert_memory_not_equal(&after.ctime, &before.ctime, sizeof after.ctime);
    bench_reopen(bench);
    assert_int_equal(
            attributes(bench->workspace, file).flags, RIAD_INODE_IMMUTABLE | RIAD_INODE_NODUMP);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), -EPERM);
    set_flags(bench->workspace, file, 0);
    assert_int_equal(riad_unlink(bench->workspace, &alice, 1, "f"), 0);
}

static void what_is_new_has_its_directorys_harmless_flags(void **state)
{
    struct bench *bench = *state;
    uint64_t directory = make_directory(bench->workspace, 1, "d");
    const uint32_t inherited = RIAD_INODE_NODUMP | RIAD_INODE_NOATIME;

    set_flags(bench->workspace, directory, RIAD_INODE_APPEND | inherited);
    assert_int_equal(
            attributes(bench->workspace, make_file(bench->workspace, directory, "f")).flags,
            inherited);
    assert_int_equal(
            attributes(bench->workspace, make_directory(bench->workspace, directory, "s")).flags,
            inherited);
}

/* The local state is lost: log and checkpoint have the flags, and say so (F2). */
static void flags_survive_a_rebuild(void **state)
{
    struct bench *bench = *state;
    struct riad_inode row;

    make_file(bench->workspace, 1, "plain");
    set_flags(bench->workspace, make_file(bench->workspace, 1, "logged"), RIAD_INODE_IMMUTABLE);
    assert_int_equal(riad_workspace_checkpoint(bench->workspace), 0);
    set_flags(bench->workspace, make_file(bench->workspace, 1, "later"), RIAD_INODE_APPEND);
    fixture_close(bench->workspace);
    fixture_forget(&bench->fixture);
    bench->workspace = fixture_open(&bench->fixture);
    assert_int_equal(riad_lookup(bench->workspace, 1, "logged", &row), 0);
    assert_int_equal(row.flags, RIAD_INODE_IMMUTABLE);
    assert_int_equal(riad_lookup(bench->workspace, 1, "later", &row), 0);
    assert_int_equal(row.flags, RIAD_INODE_APPEND);
    assert_int_equal(riad_lookup(bench->workspace, 1, "plain", &row), 0);
    assert_int_equal(row.flags, 0);
}

static uint32_t newest_features(struct bench *bench, enum riad_segment_kind kind)
{
    _cleanup_free_ uint64_t *ids = NULL;
    struct riad_segment_header header;
    size_t count;

    assert_int_equal(riad_segment_list(bench->fixture.workspace_fd, kind, &ids, &count), 0);
    assert_true(count > 0);
    assert_int_equal(riad_segment_header_read(bench->fixture.workspace_fd, bench->workspace->keys,
                             kind, ids[count - 1], &header),
            0);
    return header.features;
}

static void only_flags_make_a_feature_of_it(void **state)
{
    struct bench *bench = *state;
    uint64_t file = make_file(bench->workspace, 1, "f");

    set_flags(bench->workspace, file, 0);
    assert_int_equal(riad_workspace_checkpoint(bench->workspace), 0);
    assert_int_equal(newest_features(bench, RIAD_SEGMENT_LOG), 0);
    assert_int_equal(newest_features(bench, RIAD_SEGMENT_CHECKPOINT), 0);
    set_flags(bench->workspace, file, RIAD_INODE_NODUMP);
    assert_int_equal(riad_workspace_checkpoint(bench->workspace), 0);
    assert_int_equal(newest_features(bench, RIAD_SEGMENT_LOG), RIAD_FEATURE_INODE_FLAGS);
    assert_int_equal(newest_features(bench, RIAD_SEGMENT_CHECKPOINT), RIAD_FEATURE_INODE_FLAGS);
    set_flags(bench->workspace, file, 0);
    bench_reopen(bench);
    make_file(bench->workspace, 1, "g");
    assert_int_equal(riad_workspace_sync(bench->workspace), 0);
    assert_int_equal(newest_features(bench, RIAD_SEGMENT_LOG), RIAD_FEATURE_INODE_FLAGS);
}

#define BENCH(function) cmocka_unit_test_setup_teardown(function, bench_setup, bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH(flags_forbid_what_they_must),
        BENCH(flags_are_set_and_stay),
        BENCH(what_is_new_has_its_directorys_harmless_flags),
        BENCH(flags_survive_a_rebuild),
        BENCH(only_flags_make_a_feature_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
